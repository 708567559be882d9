//! Giving a list other links in the place of those to dead vertices.
//!
//! The rule is FreshDiskANN's: the live neighbours, and those of the dead neighbours, compete for the slots. It needs no
//! search. Payloads are read while nothing is locked, so the list is compared with what it was before it is written, as
//! inserts do.

use super::Vacuum;
use super::places::Places;
use super::prune::Pruning;
use crate::format::{Entry, Item, Link, List, ListBuf, NODES, Place, VERTEX, Vertex};
use crate::index::read_meta;
use crate::lists::capacity_for;
use crate::payloads::{Fate, Payloads, fetch};
use crate::pool::Candidate;
use crate::reachable::Neighbours;
use crate::search::{damaged, damaged_among};
use crate::{Error, Result};
use kite_pages::{At, PageStore, PageTxn, View};

/// How often a list that others change meanwhile is tried before its dead links are merely dropped.
const ATTEMPTS: usize = 8;

/// A list that is to be repaired.
#[derive(Debug)]
struct Broken {
    owner: Link,
    /// What it was, without its codes.
    seen: ListBuf,
    /// The number of the owner's payload.
    payload: u32,
    /// The longest list that its page has room for.
    longest: usize,
}

impl<S: PageStore> Vacuum<'_, '_, S> {
    /// Repairs a list, if it still is one of a live vertex.
    pub(super) fn repair(&mut self, list: Link, dead: &Places) -> Result<()> {
        for _ in 0..ATTEMPTS {
            self.store.check_interrupts()?;
            let Some(broken) = self.read_broken(list)? else { return Ok(()) };
            if broken.seen.frame > self.index.meta.frame {
                // An insert has learned the frame since.
                self.index.refresh()?;
                continue;
            }
            let enough = self.enough(broken.seen.level);
            self.gather.read(self.index, broken.payload, enough).map_err(|error| match error {
                // What is near to it is looked for.
                Error::Codecs(error) => damaged(broken.owner.block())(error).into(),
                error => error,
            })?;
            let repaired = self.repaired(&broken).map_err(|error| match error {
                Error::Codecs(error) => {
                    let gather = &self.gather;
                    let payload = |number| gather.payloads.get(number);
                    let met = gather.met.iter();
                    let all = met.filter_map(|met| Some((met.link.block(), payload(met.payload?))));
                    damaged_among(&self.index.scorer, all, broken.owner.block())(error).into()
                }
                error => error,
            })?;
            if self.index.rewrite(broken.owner, list, &broken.seen, &repaired)? {
                self.stats.lists_repaired += 1;
                return Ok(());
            }
        }
        self.drop_dead_links(list, dead)
    }

    /// How many candidates end the search for more of them behind dead vertices. Above level 0, where vertices are few, all
    /// are taken: when whole regions of the graph are deleted, what is left of it must hold together somewhere.
    fn enough(&self, level: u8) -> usize {
        if level == 0 { usize::from(self.index.meta.m) } else { usize::MAX }
    }

    /// Reads a list into `gather`, and the payload of its vertex. `None` if that is dead, or has another list by now.
    fn read_broken(&mut self, list: Link) -> Result<Option<Broken>> {
        let Some((seen, room)) = self.read_links(list)? else { return Ok(None) };
        let block = seen.owner.block();
        let (owner, chain) = {
            let page = self.store.read(block)?;
            let item = page.view(NODES).and_then(|view| view.find(seen.owner.no())).at(block)?;
            let Some(item) = item.filter(|item| item.first() == Some(&VERTEX)) else { return Ok(None) };
            let vertex = Vertex::parse(item, ()).at(block)?;
            if vertex.is_dead() || vertex.list(seen.level) != list {
                return Ok(None);
            }
            let owner = Link::new(seen.owner, vertex.generation());
            match vertex.payload().at(block)? {
                Place::Here(payload) => (owner, Err(self.gather.keep(payload)?)),
                Place::Chain(chain) => (owner, Ok(chain)),
            }
        };
        let payload = match chain {
            Err(payload) => Some(payload),
            Ok(chain) => self.gather.keep_chain(self.store, chain)?,
        };
        let slots = self.index.meta.slots(seen.level);
        let fits = |&capacity: &usize| self.index.shape.size(capacity, self.index.meta.frame != 0) <= room;
        let longest = (0..=slots).rev().find(fits).unwrap_or(0);
        Ok(payload.map(|payload| Broken { owner, seen, payload, longest }))
    }

    /// Reads the links of a list into `gather`. Answers the list without its codes, and the bytes that it could have on its page.
    fn read_links(&mut self, link: Link) -> Result<Option<(ListBuf, usize)>> {
        let block = link.block();
        let page = self.store.read(block)?;
        let view = page.view(NODES).at(block)?;
        let Some(item) = view.find(link.no()).at(block)? else { return Ok(None) };
        let Some(list) = link.find::<List<'_>>(view, self.index.shape).at(block)? else { return Ok(None) };
        self.gather.begin(Link::new(list.owner(), 0), list.level())?;
        self.gather.add(self.index, &list)?;
        let bare = |&link: &Link| Entry { link, code: Vec::new() };
        let seen = ListBuf {
            generation: list.generation(),
            owner: list.owner(),
            level: list.level(),
            frame: list.frame(),
            capacity: list.capacity(),
            entries: list.links.iter().map(bare).collect(),
        };
        Ok(Some((seen, View::room(view).at(block)? + item.len())))
    }

    /// The best of the candidates.
    fn repaired(&self, broken: &Broken) -> Result<ListBuf> {
        let seen = &broken.seen;
        let chosen = self.choose(broken)?;
        let slots = self.index.meta.slots(seen.level);
        // A list of level 0 apart from its vertex costs every search a page read, so that it has to be worth it.
        let stays = seen.level == 0 && 4 * broken.longest >= slots;
        let most = if stays { broken.longest } else { slots };
        // On level 0 there is enough to do with the neighbours it has; those of the dead ones are in other lists, too.
        let to_keep = if seen.level == 0 { seen.entries.len() } else { usize::MAX };
        let links: Vec<Link> = self.gather.met.iter().map(|met| met.link).collect();
        let mut kept: Vec<usize> =
            chosen.iter().take(most).map(|candidate| candidate.node as usize).collect();
        let dropped: Vec<usize> = (0..links.len().min(to_keep))
            .filter(|place| self.gather.met[*place].payload.is_some() && !kept.contains(place))
            .collect();
        let lists: Vec<Link> = self.gather.met.iter().map(|met| met.list).collect();
        let neighbours = Neighbours { level: seen.level, links: &links, lists: &lists };
        self.index.keep_reachable(neighbours, &dropped, most, &mut kept)?;
        let mut entries: Vec<Entry> = Vec::with_capacity(kept.len());
        for place in kept {
            let met = self.gather.met[place];
            let code = match (self.gather.code(self.index, met), met.payload) {
                (Some(code), _) => code,
                (None, Some(payload)) => {
                    self.index.code_of(self.gather.payloads.get(payload), met.link.block())?
                }
                (None, None) => continue,
            };
            entries.push(Entry { link: met.link, code });
        }
        if entries.is_empty() {
            entries.extend(self.way_out(broken)?);
        }
        let mut capacity = seen.capacity.max(entries.len());
        if capacity > broken.longest {
            capacity = capacity_for(entries.len(), slots);
        }
        Ok(ListBuf { frame: self.index.meta.frame, capacity, entries, ..*seen })
    }

    fn choose(&self, broken: &Broken) -> Result<Vec<Candidate>> {
        let gather = &self.gather;
        let payload = |node: u32| {
            let number = gather.met.get(node as usize).and_then(|met| met.payload);
            number.map_or(&[][..], |number| gather.payloads.get(number))
        };
        let nodes = (0..).zip(&gather.met).filter(|(_, met)| met.payload.is_some()).map(|(node, _)| node);
        let own = gather.payloads.get(broken.payload);
        let slots = self.index.meta.slots(broken.seen.level);
        Pruning::new(&self.index.scorer).choose(own, nodes.collect(), payload, slots)
    }

    /// A link for a list that would be left without any: to the entry point, from which everything is reached.
    fn way_out(&self, broken: &Broken) -> Result<Option<Entry>> {
        let meta = read_meta(self.store)?;
        let (link, own) = (meta.entry, broken.owner);
        if link.is_none() || link.pointer == own.pointer || meta.entry_level < broken.seen.level {
            return Ok(None);
        }
        let mut payloads = Payloads::default();
        match fetch(self.store, &[link], &mut payloads)?.first() {
            Some(&Fate::Live(number)) => {
                Ok(Some(Entry { link, code: self.index.code_of(payloads.get(number), link.block())? }))
            }
            _ => Ok(None),
        }
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
