//! The vertices that a list could lead to instead of dead ones.

use crate::Result;
use crate::format::{CHUNKS, Link, List, NODES, Place, Vertex, VertexBuf};
use crate::grow::lengthen;
use crate::index::Index;
use crate::payloads::Payloads;
use crate::search::Seen;
use kite_pages::payload::{self, Fetched};
use kite_pages::{Ahead, At, BlockNo, ItemPointer, ItemRef, PageStore, View};

/// Candidates beyond this are not looked at: what the first ones do not lead to hardly matters.
const MOST: usize = 600;

/// Bytes of a code that says something.
const LEAST_CODE: usize = 16;

/// Lists of dead vertices beyond this are not looked at.
const MOST_LISTS: usize = 300;

/// A vertex that was met as a link.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met {
    pub(super) link: Link,
    /// Its list on the level in question, once it is read and has rows.
    pub(super) list: Link,
    /// The number of its code, where a list had one of the current frame.
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
    /// Codes one after the other, and their factors.
    codes: Vec<u8>,
    factors: Vec<u8>,
    estimates: Vec<f32>,
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
            factors: Vec::new(),
            estimates: Vec::new(),
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
        self.factors.clear();
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
                self.codes.try_reserve(bits.len()).map_err(|_| out_of_memory(bits.len()))?;
                self.factors.try_reserve(factors.len()).map_err(|_| out_of_memory(factors.len()))?;
                code = Some(self.codes.len().checked_div(bits.len()).unwrap_or(0) as u32);
                self.codes.extend_from_slice(bits);
                self.factors.extend_from_slice(factors);
            }
            self.met.push(Met { link, list: Link::NONE, code, payload: None });
        }
        Ok(())
    }

    /// Reads all that were met, and what the dead ones among them lead to. When those are few, what the dead ones among them
    /// lead to in turn, until there are `enough` that have rows. `own` is the number of the payload of the list's vertex.
    pub(super) fn read<S: PageStore>(&mut self, index: &Index<'_, S>, own: u32, enough: usize) -> Result<()> {
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
            self.keep_some(index, own, vertices)?;
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
    pub(super) fn code<S>(&self, index: &Index<'_, S>, met: Met) -> Option<Vec<u8>> {
        let at = met.code? as usize;
        let (code, factors) = (index.scorer.code_len(), index.scorer.factors_len());
        let bits = self.codes.get(at * code..(at + 1) * code)?;
        Some([bits, self.factors.get(at * factors..(at + 1) * factors)?].concat())
    }

    /// Of those met from a place on, which are neighbours of dead vertices, forgets all but as many as the list has slots: half of them the
    /// nearest by their codes, and half from all over the rest. So few payloads are read. The nearest alone would do for one vacuum, but
    /// a graph that turns over a thousand times would lose what holds its clusters together.
    ///
    /// On upper levels there are few; where a code is missing nothing is known, and a short one says little of a payload that is soon read.
    fn keep_some<S: PageStore>(&mut self, index: &Index<'_, S>, own: u32, from: usize) -> Result<()> {
        let kept = index.meta.slots(self.level);
        let beyond = self.met.get(from..).unwrap_or_default();
        let (near, far) = (kept / 2, beyond.len().saturating_sub(kept / 2));
        let is_coded = index.scorer.code_len() >= LEAST_CODE && beyond.iter().all(|met| met.code.is_some());
        if self.level > 0 || !is_coded || beyond.len() <= kept || near == 0 {
            return Ok(());
        }
        let first = beyond[0].code.map_or(0, |code| code as usize);
        let (codes, factors) = (index.scorer.code_len() * first, index.scorer.factors_len() * first);
        let (Some(codes), Some(factors)) = (self.codes.get(codes..), self.factors.get(factors..)) else {
            return Ok(());
        };
        let query = index.scorer.prepare_of(self.payloads.get(own))?;
        let mut estimates = std::mem::take(&mut self.estimates);
        estimates.clear();
        lengthen(&mut estimates, beyond.len(), 0.0)?;
        index.scorer.estimate(&query, codes, factors, &mut estimates)?;
        let mut sorted = estimates.clone();
        let (_, &mut farthest, _) = sorted.select_nth_unstable_by(near - 1, f32::total_cmp);
        let (mut place, mut of, mut passed) = (0, estimates.iter(), 0);
        self.met.retain(|_| {
            place += 1;
            if place <= from || of.next().is_some_and(|estimate| estimate.total_cmp(&farthest).is_le()) {
                return true;
            }
            passed += 1;
            // One in so many, whatever their number.
            passed * (kept - near) / far > (passed - 1) * (kept - near) / far
        });
        self.estimates = estimates;
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use crate::format::vertices;
    use crate::testing::{built, spec, vectors};
    use kite_codecs::{Metric, PayloadKind};
    use kite_pages::MemStore;

    /// Vertices with the keys that they have as seen from the owner of the list.
    fn keys(gather: &Gather, index: &Index<'_, MemStore>, own: u32, of: &[Met]) -> Vec<(u64, f32)> {
        let mut payloads = Payloads::default();
        let links: Vec<Link> = of.iter().map(|met| met.link).collect();
        crate::payloads::fetch(index.store, &links, &mut payloads).unwrap();
        let between = |payload| index.scorer.between(gather.payloads.get(own), payload).unwrap();
        links.iter().map(|link| link.place()).zip(payloads.iter().map(between)).collect()
    }

    #[test]
    fn some_of_what_dead_vertices_lead_to_are_kept_and_the_nearest_first() {
        for (code_bits, dims) in [(0, 128), (1, 64), (1, 128), (2, 64)] {
            let is_coded = code_bits * dims >= 128;
            let store = MemStore::new();
            let spec = spec(Metric::L2, PayloadKind::Sq8, code_bits as u8, dims);
            let index =
                built(&store, &Options { spec, m: 8, ef_construction: 40, seed: 3 }, &vectors(900, dims, 3));
            let (mut forgotten, mut near_kept, mut near) = (0, 0, 0);
            for block in 1..store.len().min(40) {
                let page = store.read(block).unwrap();
                let (owner, list, payload) = {
                    let view = page.view(NODES).unwrap();
                    let (owner, vertex) = vertices(view, block).next().unwrap().unwrap();
                    let Place::Here(payload) = vertex.payload().unwrap() else { panic!("a small vector") };
                    (owner, vertex.list(0), payload.to_vec())
                };
                drop(page);
                let mut gather = Gather::new(1 << 20);
                gather.begin(owner, 0).unwrap();
                let own = gather.keep(&payload).unwrap();
                // As if all of its neighbours were dead.
                gather.lists.push((list, owner));
                gather.read_lists(&index).unwrap();
                let first = gather.met.clone();
                for met in &first {
                    let page = store.read(met.link.block()).unwrap();
                    let view = page.view(NODES).unwrap();
                    let vertex = met.link.find::<Vertex<'_>>(view, ()).unwrap().unwrap();
                    gather.lists.push((vertex.list(0), met.link));
                }
                gather.read_lists(&index).unwrap();
                let all = gather.met.clone();
                gather.keep_some(&index, own, first.len()).unwrap();
                assert!(
                    gather.met[..first.len()].iter().map(|met| met.link).eq(first.iter().map(|met| met.link))
                );
                let kept = &gather.met[first.len()..];
                assert!(kept.len() <= 16 || !is_coded && kept.len() == all.len() - first.len());
                forgotten += all.len() - gather.met.len();
                let mut by_key = keys(&gather, &index, own, &all[first.len()..]);
                by_key.sort_unstable_by(|(_, a), (_, b)| a.total_cmp(b));
                for (place, _) in by_key.iter().take(6) {
                    near += 1;
                    near_kept += usize::from(kept.iter().any(|met| met.link.place() == *place));
                }
                for met in kept {
                    let code = gather.code(&index, *met).map(|code| code.len());
                    assert_eq!(code, (code_bits > 0).then(|| index.shape.beside()));
                }
            }
            // Distances between noise hardly differ, and so short codes say little; by chance it would be one in six.
            assert!(near > 100 && near_kept * 2 > near, "{near_kept} of {near}");
            assert!((forgotten > 500) == is_coded, "{forgotten}");
        }
    }
}
