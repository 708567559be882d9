//! The links that lead to a new vertex: one record each.

use super::New;
use super::choose::{candidates, choose};
use super::near::Neighbour;
use crate::Result;
use crate::format::{Entry, Link, List, ListBuf, NODES, append};
use crate::index::Index;
use crate::lists::{capacity_for, is_live};
use crate::payloads::{Fate, Payloads, fetch_and_see};
use crate::reachable::Neighbours;
use crate::search::damaged_among;
use kite_pages::{At, PageStore, PageTxn};

/// How often a list that others change meanwhile is tried again before the link is given up.
const ATTEMPTS: usize = 16;

/// What a try to append came to.
enum Tried {
    /// The link is there; whether the vertex was alive then, where that was to be seen.
    Done(Option<bool>),
    /// The list has moved or is gone.
    Moved,
    /// It has codes of another frame than this index knows, or none.
    Foreign,
    /// It has no free slot.
    Full(ListBuf),
}

impl<S: PageStore> Index<'_, S> {
    /// Adds to the list of a neighbour on a level a link to the new vertex, unless the list is full and the heuristic prefers others
    /// (and nothing says that it `must`). Whether the link is there and the neighbour was alive after that: a vacuum that finds it dead later will see the
    /// link, and lead others past it.
    pub(super) fn link_back(
        &mut self,
        neighbour: &Neighbour,
        level: u8,
        new: &mut New<'_>,
        must: bool,
    ) -> Result<bool> {
        let target = neighbour.entry.link;
        // Most lists are where the search has read them, so that their vertices need not be asked.
        let mut known = Some(neighbour.list).filter(|list| !list.is_none());
        for _ in 0..ATTEMPTS {
            self.store.check_interrupts()?;
            self.code(new)?;
            let list = match known.take() {
                Some(list) => list,
                None => match self.list_of(target, level)? {
                    Some(list) => list,
                    None => return Ok(false),
                },
            };
            match self.append(target, list, new)? {
                Tried::Done(Some(live)) => return Ok(live),
                Tried::Done(None) => return self.is_live(target),
                Tried::Moved => {}
                Tried::Foreign => {
                    self.refresh()?;
                    self.recode(target, level)?;
                }
                Tried::Full(seen) => {
                    let slots = self.meta.slots(level);
                    let (next, linked) = if seen.capacity < slots {
                        (grown(&seen, new, slots), true)
                    } else {
                        let Some(pruned) = self.pruned(target, &seen, new, slots, must)? else {
                            return Ok(false);
                        };
                        pruned
                    };
                    if self.rewrite(target, list, &seen, &next)? {
                        return Ok(linked && self.is_live(target)?);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Appends a link where there is a slot for it.
    fn append(&self, target: Link, list: Link, new: &New<'_>) -> Result<Tried> {
        let block = list.block();
        let mut txn = self.store.begin();
        let slot = txn.lock(block)?;
        let view = txn.page(slot).view(NODES).at(block)?;
        let Some(found) = list.find::<List<'_>>(view, self.shape).at(block)? else { return Ok(Tried::Moved) };
        if found.owner() != target.pointer {
            return Ok(Tried::Moved);
        }
        if found.frame() != self.meta.frame {
            return Ok(Tried::Foreign);
        }
        let live =
            if block == target.block() { Some(is_live(txn.page(slot), target).at(block)?) } else { None };
        if found.links.contains(&new.link()) || live == Some(false) {
            return Ok(Tried::Done(live));
        }
        if found.links.len() == found.capacity() {
            return Ok(Tried::Full(ListBuf::of(&found, self.shape)));
        }
        let item = txn.page_mut(slot).item_mut(list.no()).at(block)?.unwrap_or_default();
        append(item, self.shape, &new.entry()).at(block)?;
        txn.commit()?;
        Ok(Tried::Done(live))
    }

    /// The list without the neighbours that are dead or gone and, if it is still too long, without those that the heuristic
    /// leaves out; and whether the new vertex is in it. `None` when its own vertex is gone.
    fn pruned(
        &self,
        target: Link,
        seen: &ListBuf,
        new: &New<'_>,
        slots: usize,
        must: bool,
    ) -> Result<Option<(ListBuf, bool)>> {
        let links: Vec<Link> =
            seen.entries.iter().map(|entry| entry.link).chain([new.link(), target]).collect();
        let (own, last) = (links.len() - 1, links.len() - 2);
        let mut payloads = Payloads::default();
        let mut lists = vec![Link::NONE; links.len()];
        let fates = fetch_and_see(self.store, &links, &mut payloads, |place, vertex| {
            lists[place] = vertex.list(seen.level);
        })?;
        let Fate::Live(centre) = fates[own] else { return Ok(None) };
        let payload = |node: u32| match fates[node as usize] {
            Fate::Live(number) => payloads.get(number),
            _ => &[],
        };
        let live = (0..own as u32).filter(|&node| matches!(fates[node as usize], Fate::Live(_)));
        let choose_live = || {
            let mut all = candidates(&self.scorer, payloads.get(centre), live.clone(), payload)?;
            let mut chosen = all.clone();
            if all.len() > slots {
                chosen = choose(&self.scorer, &mut all, slots, payload)?;
            }
            Ok((all, chosen))
        };
        let (candidates, chosen) = choose_live().map_err(|error| {
            let all = live.clone().map(|node| (links[node as usize].block(), payload(node)));
            damaged_among(&self.scorer, all, target.block())(error)
        })?;
        let mut kept: Vec<usize> = chosen.iter().map(|candidate| candidate.node as usize).collect();
        if must {
            kept.retain(|&place| place != last);
            kept.truncate(slots - 1);
        }
        let dropped: Vec<usize> = candidates
            .iter()
            .map(|candidate| candidate.node as usize)
            .filter(|place| !kept.contains(place) && *place != last)
            .collect();
        let neighbours = Neighbours { level: seen.level, links: &links, lists: &lists };
        self.keep_reachable(neighbours, &dropped, slots - usize::from(must), &mut kept)?;
        if must {
            kept.push(last);
        }
        let entry = |&place: &usize| seen.entries.get(place).cloned().unwrap_or_else(|| new.entry());
        let entries: Vec<Entry> = kept.iter().map(entry).collect();
        let linked = kept.contains(&last);
        Ok(Some((ListBuf { entries, ..seen.clone() }, linked)))
    }
}

/// The list with the new vertex in it, and with more slots.
fn grown(seen: &ListBuf, new: &New<'_>, slots: usize) -> ListBuf {
    let mut grown = seen.clone();
    grown.entries.push(new.entry());
    grown.capacity = capacity_for(grown.entries.len(), slots);
    grown
}
