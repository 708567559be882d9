//! The vertices that a list could lead to instead of dead ones.

use crate::Result;
use crate::format::{CHUNKS, Link, List, NODES, Place, Vertex, VertexBuf};
use crate::index::Index;
use crate::payloads::Payloads;
use crate::search::Seen;
use kite_pages::payload::{self, Fetched};
use kite_pages::{Ahead, At, BlockNo, ItemPointer, ItemRef, PageStore, View};

/// Candidates beyond this are not looked at: what the first ones do not lead to hardly matters.
const MOST: usize = 600;

/// Lists of dead vertices beyond this are not looked at.
const MOST_LISTS: usize = 300;

/// A vertex that was met as a link.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met {
    pub(super) link: Link,
    /// Its list on the level in question, once it is read and has rows.
    pub(super) list: Link,
    /// Where its code is in [`Gather::code`].
    code: Option<u32>,
    /// The number of its payload, once it is read and has rows.
    pub(super) payload: Option<u32>,
}

/// What is gathered for one list; kept for its allocations.
#[derive(Debug)]
pub(super) struct Gather {
    level: u8,
    seen: Seen,
    /// All that were met, in the order in which they were.
    pub(super) met: Vec<Met>,
    codes: Vec<u8>,
    pub(super) payloads: Payloads,
    /// Lists of dead vertices that are still to be read, with their owners.
    lists: Vec<(Link, Link)>,
    chained: Vec<(usize, ItemRef)>,
    places: Vec<ItemPointer>,
    /// Bytes of payloads, and how many may be taken.
    bytes: usize,
    memory: usize,
}

impl Gather {
    /// Takes no more than about this many bytes for payloads.
    pub(super) fn new(memory: usize) -> Self {
        Self {
            level: 0,
            seen: Seen::default(),
            met: Vec::new(),
            codes: Vec::new(),
            payloads: Payloads::default(),
            lists: Vec::new(),
            chained: Vec::new(),
            places: Vec::new(),
            bytes: 0,
            memory: memory.max(1 << 20),
        }
    }

    /// Begins anew for a list of this vertex.
    pub(super) fn begin(&mut self, owner: Link, level: u8) -> kite_pages::Result<()> {
        self.level = level;
        self.seen.clear();
        self.seen.insert(owner.place())?;
        self.met.clear();
        self.codes.clear();
        self.payloads.clear();
        self.bytes = 0;
        self.lists.clear();
        self.chained.clear();
        Ok(())
    }

    /// Adds the links of a list that were not met before. Its page is locked.
    pub(super) fn add<S: PageStore>(
        &mut self,
        index: &Index<'_, S>,
        list: &List<'_>,
    ) -> kite_pages::Result<()> {
        let coded = list.frame() != 0 && list.frame() == index.meta.frame;
        self.met.try_reserve(list.links.len()).map_err(|_| out_of_memory(list.links.len()))?;
        for (place, &link) in list.links.iter().enumerate() {
            if link.is_none() || self.met.len() >= MOST || !self.seen.insert(link.place())? {
                continue;
            }
            let mut code = None;
            if coded && let Some((bits, factors)) = list.code(place, index.shape) {
                self.codes.try_reserve(index.shape.beside()).map_err(|_| out_of_memory(bits.len()))?;
                code = Some(self.codes.len() as u32);
                self.codes.extend_from_slice(bits);
                self.codes.extend_from_slice(factors);
            }
            self.met.push(Met { link, list: Link::NONE, code, payload: None });
        }
        Ok(())
    }

    /// Reads all that were met, and what the dead ones among them lead to. When those are few, what the dead ones among them
    /// lead to in turn, until there are `enough` that have rows.
    pub(super) fn read<S: PageStore>(&mut self, index: &Index<'_, S>, enough: usize) -> Result<()> {
        let (mut vertices, mut lists) = (0, 0);
        loop {
            self.read_vertices(index, vertices)?;
            vertices = self.met.len();
            let full = self.met.len() >= MOST || lists >= MOST_LISTS || self.bytes > self.memory;
            if self.lists.is_empty() || full || (lists > 0 && self.alive() >= enough) {
                return Ok(());
            }
            lists += self.lists.len();
            self.read_lists(index)?;
            index.store.check_interrupts()?;
        }
    }

    /// Keeps a payload, and answers its number.
    pub(super) fn keep(&mut self, payload: &[u8]) -> kite_pages::Result<u32> {
        self.bytes += payload.len();
        self.payloads.push(payload).map_err(|_| out_of_memory(payload.len()))
    }

    /// Reads and keeps a payload that is longer than a page; `None` when it is gone.
    pub(super) fn keep_chain<S: PageStore>(&mut self, store: &S, chain: ItemRef) -> Result<Option<u32>> {
        let mut bytes = Vec::new();
        Ok(match payload::read(store, CHUNKS, chain, &mut bytes)? {
            Fetched::Whole => Some(self.keep(&bytes)?),
            Fetched::Gone => None,
        })
    }

    /// Code and factors of the current frame, where a list had them.
    pub(super) fn code<S>(&self, index: &Index<'_, S>, met: Met) -> Option<&[u8]> {
        let at = met.code? as usize;
        self.codes.get(at..at + index.shape.beside())
    }

    fn alive(&self) -> usize {
        self.met.iter().filter(|met| met.payload.is_some()).count()
    }

    /// Reads the vertices met from a place on.
    fn read_vertices<S: PageStore>(&mut self, index: &Index<'_, S>, from: usize) -> Result<()> {
        let mut places = std::mem::take(&mut self.places);
        places.clear();
        places.extend(self.met.iter().skip(from).map(|met| met.link.pointer));
        let payload = index.scorer.payload_len().unwrap_or_default();
        let ahead = Ahead { before: 0, after: VertexBuf::size(0, payload, 1) };
        let mut first = from;
        for places in places.chunks(index.store.batch().max(1)) {
            index.store.read_items(places, ahead, |place, page| {
                let block = places[place].block();
                self.take_vertex(page.view(NODES).at(block)?, block, first + place)
            })?;
            first += places.len();
            if self.bytes > self.memory {
                break;
            }
        }
        self.places = places;
        for (place, chain) in std::mem::take(&mut self.chained) {
            if self.bytes <= self.memory {
                self.met[place].payload = self.keep_chain(index.store, chain)?;
            }
        }
        Ok(())
    }

    fn take_vertex(&mut self, view: View<'_>, block: BlockNo, place: usize) -> kite_pages::Result<()> {
        let link = self.met[place].link;
        let Some(vertex) = link.find::<Vertex<'_>>(view, ()).at(block)? else { return Ok(()) };
        if vertex.is_dead() {
            let list = vertex.list(self.level);
            if !list.is_none() {
                self.lists.push((list, link));
            }
            return Ok(());
        }
        if vertex.level() < self.level {
            return Ok(());
        }
        self.met[place].list = vertex.list(self.level);
        match vertex.payload().at(block)? {
            Place::Here(payload) => self.met[place].payload = Some(self.keep(payload)?),
            Place::Chain(chain) => self.chained.push((place, chain)),
        }
        Ok(())
    }

    /// Reads the lists of dead vertices that wait.
    fn read_lists<S: PageStore>(&mut self, index: &Index<'_, S>) -> Result<()> {
        let lists = std::mem::take(&mut self.lists);
        let ahead = Ahead { before: 0, after: index.shape.size(index.meta.slots(self.level), true) };
        let mut places = std::mem::take(&mut self.places);
        for lists in lists.chunks(index.store.batch().max(1)) {
            places.clear();
            places.extend(lists.iter().map(|(list, _)| list.pointer));
            index.store.read_items(&places, ahead, |place, page| {
                let (list, owner) = lists[place];
                let view = page.view(NODES).at(list.block())?;
                match list.find::<List<'_>>(view, index.shape).at(list.block())? {
                    Some(list) if list.owner() == owner.pointer => self.add(index, &list),
                    _ => Ok(()),
                }
            })?;
        }
        self.places = places;
        Ok(())
    }
}

fn out_of_memory(bytes: usize) -> kite_pages::Error {
    kite_pages::Error::OutOfMemory { bytes }
}
