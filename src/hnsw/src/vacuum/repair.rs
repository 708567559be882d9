//! Giving a list other links in the place of those to dead vertices, and codes where it has none.
//!
//! The rule is FreshDiskANN's: the live neighbours, and those of the dead neighbours, compete for the slots. It needs no
//! search. Payloads are read while nothing is locked, so the list is compared with what it was before it is written, as
//! inserts do.

use super::Vacuum;
use super::payloads::{Payloads, Span};
use super::places::Places;
use super::prune::{Candidate, Pruning};
use super::put::{Before, Put};
use crate::format::{Entry, Item, Link, List, ListBuf, NODES, VERTEX, Vertex};
use crate::index::read_meta;
use crate::search::damaged;
use crate::{Error, Result};
use kite_pages::{At, PageStore, PageTxn};

/// How often a list that others change meanwhile is tried before its dead links are merely dropped.
const ATTEMPTS: usize = 8;

/// Lists grow by so many slots.
const GROWTH: usize = 4;

impl<S: PageStore> Vacuum<'_, '_, S> {
    /// Repairs a list, if it still is one of a live vertex.
    pub(super) fn mend(&mut self, list: Link, dead: &Places) -> Result<()> {
        for _ in 0..ATTEMPTS {
            self.store.check_interrupts()?;
            let Some((before, own)) = self.read_list(list)? else { return Ok(()) };
            self.gather.read(self.index, self.enough(before.level))?;
            let entries = self.entries(&before, own).map_err(|error| match error {
                Error::Codecs(error) => damaged(list.block())(error).into(),
                error => error,
            })?;
            if self.put(&before, entries)? {
                let repaired = before.links.iter().any(|&link| dead.contains(link));
                self.stats.lists_repaired += u64::from(repaired);
                self.stats.lists_recoded += u64::from(!repaired);
                return Ok(());
            }
        }
        self.drop_dead_links(list, dead)
    }

    /// How many candidates end the search for more of them behind dead vertices. Above level 0, where vertices are few, all are
    /// taken: when whole regions of the graph are deleted, what is left of it must hold together somewhere.
    fn enough(&self, level: u8) -> usize {
        if level == 0 { usize::from(self.index.meta.m) } else { usize::MAX }
    }

    /// The frame that lists are to have codes of; 0 for none.
    pub(super) fn frame(&self) -> u32 {
        if self.index.scorer.code_len() > 0 { self.index.meta.frame } else { 0 }
    }

    /// Reads a list into `gather`, and the payload of its vertex. `None` if that is dead, or has another list by now.
    fn read_list(&mut self, link: Link) -> Result<Option<(Before, Span)>> {
        let block = link.block();
        let mut before = {
            let page = self.store.read(block)?;
            let view = page.view(NODES).at(block)?;
            let Some(list) = link.find::<List<'_>>(view, self.index.shape).at(block)? else {
                return Ok(None);
            };
            let vertex = Link::new(list.owner(), 0);
            self.gather.begin(vertex, list.level());
            self.gather.add(self.index, &list)?;
            Before {
                list: link,
                vertex,
                generation: list.generation(),
                level: list.level(),
                frame: list.frame(),
                capacity: list.capacity(),
                links: list.links.to_vec(),
            }
        };
        let block = before.vertex.block();
        let taken = {
            let page = self.store.read(block)?;
            let item = page.view(NODES).and_then(|view| view.find(before.vertex.no())).at(block)?;
            let Some(item) = item.filter(|item| item.first() == Some(&VERTEX)) else { return Ok(None) };
            let vertex = Vertex::parse(item, ()).at(block)?;
            if vertex.is_dead() || vertex.list(before.level) != link {
                return Ok(None);
            }
            before.vertex = Link::new(before.vertex.pointer, vertex.generation());
            self.gather.payloads.take(vertex.payload().at(block)?)?
        };
        Ok(self.gather.payloads.fetch(self.store, taken)?.map(|own| (before, own)))
    }

    /// What the list is to hold: the links that it has if they are all alive, and else the best of the candidates.
    fn entries(&self, before: &Before, own: Span) -> Result<Vec<Entry>> {
        let gather = &self.gather;
        let mut candidates: Vec<Candidate<'_>> = gather
            .met
            .iter()
            .enumerate()
            .filter_map(|(place, met)| {
                Some(Candidate { key: 0.0, payload: gather.payloads.get(met.payload?), place })
            })
            .collect();
        let all_alive = candidates.len() == before.links.len() && gather.met.len() == candidates.len();
        if !all_alive {
            let slots = self.index.meta.slots(before.level);
            let pruning = Pruning::new(&self.index.scorer);
            let chosen = pruning.choose(gather.payloads.get(own), &mut candidates, slots)?;
            candidates.truncate(chosen);
        }
        let entries: Result<Vec<Entry>> = candidates
            .iter()
            .map(|candidate| {
                let met = gather.met[candidate.place];
                let mut code = Vec::new();
                match gather.code(self.index, met) {
                    Some(known) => code.extend_from_slice(known),
                    None => self.index.scorer.encode_code_of(candidate.payload, &mut code)?,
                }
                Ok(Entry { link: met.link, code })
            })
            .collect();
        let mut entries = entries?;
        if entries.is_empty() {
            entries.extend(self.way_out(before)?);
        }
        Ok(entries)
    }

    /// A link for a list that would be left without any: to the entry point, from which everything is reached.
    fn way_out(&self, before: &Before) -> Result<Option<Entry>> {
        let meta = read_meta(self.store)?;
        let (link, block) = (meta.entry, meta.entry.block());
        if link.is_none() || link.pointer == before.vertex.pointer || meta.entry_level < before.level {
            return Ok(None);
        }
        let mut payloads = Payloads::default();
        let taken = {
            let page = self.store.read(block)?;
            let view = page.view(NODES).at(block)?;
            match link.find::<Vertex<'_>>(view, ()).at(block)? {
                Some(vertex) if !vertex.is_dead() => payloads.take(vertex.payload().at(block)?)?,
                _ => return Ok(None),
            }
        };
        let Some(span) = payloads.fetch(self.store, taken)? else { return Ok(None) };
        let mut code = Vec::new();
        self.index.scorer.encode_code_of(payloads.get(span), &mut code)?;
        Ok(Some(Entry { link, code }))
    }

    /// Writes a list, where it is if that is possible. `false` when it has changed meanwhile.
    fn put(&self, before: &Before, entries: Vec<Entry>) -> Result<bool> {
        let slots = self.index.meta.slots(before.level);
        let grown = entries.len().next_multiple_of(GROWTH).min(slots).max(entries.len());
        let mut list = ListBuf {
            generation: before.generation,
            owner: before.vertex.pointer,
            level: before.level,
            frame: self.frame(),
            capacity: before.capacity.max(grown),
            entries,
        };
        let mut put = self.index.put_list(before, &list)?;
        // A list apart from its vertex costs every search a page read, so that it has to be worth it.
        if put == Put::NoRoom && before.frame == list.frame && 2 * before.capacity >= slots {
            list.capacity = before.capacity;
            list.entries.truncate(before.capacity);
            put = self.index.put_list(before, &list)?;
        }
        if put == Put::NoRoom {
            put = self.index.move_list(before, &list)?;
        }
        Ok(put == Put::Done)
    }

    /// Takes the links to dead vertices out of a list, under its lock.
    fn drop_dead_links(&mut self, link: Link, dead: &Places) -> Result<()> {
        let block = link.block();
        let mut txn = self.store.begin();
        let slot = txn.lock(block)?;
        let view = txn.page(slot).view(NODES).at(block)?;
        let Some(list) = link.find::<List<'_>>(view, self.index.shape).at(block)? else { return Ok(()) };
        let mut list = ListBuf::of(&list, self.index.shape);
        list.entries.retain(|entry| !dead.contains(entry.link));
        let bytes = list.to_bytes(self.index.shape).at(block)?;
        txn.page_mut(slot).replace(link.no(), &bytes).at(block)?;
        txn.commit()?;
        self.stats.lists_repaired += 1;
        Ok(())
    }
}
