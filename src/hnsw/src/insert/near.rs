//! Searching for the neighbours of a new vertex.

use super::New;
use super::choose::{candidates, choose};
use crate::format::{Entry, Link, META_BLOCK, Place, Vertex};
use crate::grow::{lengthen, push};
use crate::index::Index;
use crate::payloads::Payloads;
use crate::pool::Candidate;
use crate::search::{Beam, Limits, Probe, Ranked, Sink, damaged, damaged_among, descend};
use crate::{Error, Result};
use kite_pages::{BlockNo, ItemRef, PageStore};

/// Nodes expanded together.
const WIDTH: usize = 4;
/// How often a search that meets a vanished entry point asks the meta page for another.
const ATTEMPTS: usize = 100;

/// What a search has found for a new vertex.
#[derive(Debug)]
pub(super) struct Neighbourhood {
    /// Where it began; none in an empty index.
    pub(super) entry: Link,
    /// The neighbours chosen on each level of the new vertex, the nearest first, see [`select_by`](crate::build::select_by).
    pub(super) levels: Vec<Vec<Neighbour>>,
    /// A vertex with the same payload.
    pub(super) equal: Option<Equal>,
}

/// A vertex that is to be linked.
#[derive(Debug, Clone)]
pub(super) struct Neighbour {
    pub(super) entry: Entry,
    /// Where its list on the level was when it was read.
    pub(super) list: Link,
}

/// What searches of inserts work with; kept from one to the next for its allocations, since asking for them and giving them back was a tenth of
/// an insert.
#[derive(Debug, Default)]
pub(crate) struct Room {
    beam: Option<Beam>,
    of_node: Vec<u32>,
    hits: Vec<Hit>,
    payloads: Payloads,
}

/// The most bytes that are kept.
const KEPT: usize = 1 << 20;

impl Room {
    fn bytes(&self) -> usize {
        self.beam.as_ref().map_or(0, Beam::bytes)
            + self.of_node.capacity() * size_of::<u32>()
            + self.hits.capacity() * size_of::<Hit>()
            + self.payloads.bytes()
    }
}

/// A vertex that has the payload of a new row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Equal {
    pub(crate) vertex: Link,
    /// Its first posting, when it was read.
    pub(crate) postings: Link,
    /// Where its payload is, if not in itself.
    pub(crate) chain: Option<ItemRef>,
}

impl<S: PageStore> Index<'_, S> {
    /// The neighbours that a new vertex is to have, on all of its levels that the index has; if a vertex with its payload will do
    /// and is found, that one instead.
    pub(super) fn neighbourhood(&mut self, new: &New<'_>, equal_will_do: bool) -> Result<Neighbourhood> {
        for _ in 0..ATTEMPTS {
            let query = match new.value {
                Some(value) => self.scorer.prepare(Some(value))?,
                None => self.scorer.prepare_of(new.payload)?,
            };
            if let Some(found) = self.seek(&self.probe(query), new, equal_will_do)? {
                return Ok(found);
            }
            // A vacuum has taken the entry point away; it has named another before.
            self.store.check_interrupts()?;
            self.refresh()?;
        }
        Err(Error::corrupt(META_BLOCK, "the entry point is missing"))
    }

    /// `None` when the entry point is gone.
    fn seek(
        &self,
        probe: &Probe<'_, S>,
        new: &New<'_>,
        equal_will_do: bool,
    ) -> Result<Option<Neighbourhood>> {
        let mut found = Neighbourhood {
            entry: self.meta.entry,
            levels: vec![Vec::new(); usize::from(new.level) + 1],
            equal: None,
        };
        if found.entry.is_none() {
            return Ok(Some(found));
        }
        let limits = Limits {
            ef: usize::from(self.meta.ef_construction),
            width: WIDTH,
            resumable: false,
            keep_codes: self.meta.frame != 0,
            visits: usize::MAX,
            memory: usize::MAX,
        };
        let Room { beam, of_node, hits, payloads } = self.take_room();
        let mut beam = beam.unwrap_or_else(|| Beam::new(limits));
        beam.forget();
        let top = new.level.min(self.meta.entry_level);
        // The way down may end where the lost one is lost, too: among vertices to which nothing leads on level 0.
        let first = if new.is_lost() { found.entry } else { descend(probe, &self.meta, top, &mut beam)? };
        let mut entries = vec![first];
        let wanted = equal_will_do.then_some(new.payload);
        let mut met = Met { wanted, equal: None, of_node, hits, payloads };
        let mut best = Vec::new();
        for level in (0..=top).rev() {
            let before = beam.visits();
            met.clear();
            beam.begin(level, limits, entries.iter().copied())?;
            beam.run(probe, &mut met)?;
            if beam.visits() == before {
                return Ok(None);
            }
            found.equal = met.equal(&beam);
            if found.equal.is_some() {
                break;
            }
            beam.take_best(&mut best);
            best.retain(|ranked| Some(beam.link(ranked.node())) != new.vertex);
            found.levels[usize::from(level)] = self.choose(new, level, &beam, &met, &best)?;
            if !best.is_empty() {
                entries = best.iter().map(|ranked| beam.link(ranked.node())).collect();
            }
        }
        let Met { of_node, hits, payloads, .. } = met;
        self.keep_room(Room { beam: Some(beam), of_node, hits, payloads });
        Ok(Some(found))
    }

    fn take_room(&self) -> Room {
        self.room.try_lock().map(|mut room| std::mem::take(&mut *room)).unwrap_or_default()
    }

    fn keep_room(&self, used: Room) {
        if let Ok(mut room) = self.room.try_lock()
            && used.bytes() <= KEPT
        {
            *room = used;
        }
    }

    /// The neighbours among those found on a level, as many as a list holds there.
    fn choose(
        &self,
        new: &New<'_>,
        level: u8,
        beam: &Beam,
        met: &Met<'_>,
        best: &[Ranked],
    ) -> Result<Vec<Neighbour>> {
        let block = |node| beam.link(node).block();
        let nodes = best.iter().map(|ranked| ranked.node());
        let payload = |node| met.payload(node);
        let chosen = candidates(&self.scorer, new.payload, nodes.clone(), payload)
            .and_then(|mut all| choose(&self.scorer, &mut all, self.meta.slots(level), payload))
            .map_err(|error| {
                let all = nodes.map(|node| (block(node), payload(node)));
                damaged_among(&self.scorer, all, self.meta.entry.block())(error)
            })?;
        let entry = |candidate: &Candidate| {
            let node = candidate.node;
            let code = match beam.code(node, self.shape) {
                Some(code) => code.to_vec(),
                None => self.code_of(met.payload(node), block(node))?,
            };
            Ok(Neighbour { entry: Entry { link: beam.link(node), code }, list: beam.list(node) })
        };
        chosen.iter().map(entry).collect()
    }
}

/// The vertices with rows that a search has read on one level, with copies of their payloads.
#[derive(Debug)]
struct Met<'a> {
    /// The payload of which one vertex is enough: a row whose vector the index has costs a part of a search.
    wanted: Option<&'a [u8]>,
    /// The node that has it.
    equal: Option<u32>,
    /// By node; [`NOT`] for those that are not among `hits`.
    of_node: Vec<u32>,
    hits: Vec<Hit>,
    payloads: Payloads,
}

const NOT: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Hit {
    postings: Link,
    chain: Option<ItemRef>,
    payload: u32,
}

impl Met<'_> {
    fn clear(&mut self) {
        self.equal = None;
        self.of_node.clear();
        self.hits.clear();
        self.payloads.clear();
    }

    fn hit(&self, node: u32) -> Option<&Hit> {
        self.hits.get(*self.of_node.get(node as usize)? as usize)
    }

    fn payload(&self, node: u32) -> &[u8] {
        self.payloads.get(self.hit(node).map_or(NOT, |hit| hit.payload))
    }

    /// A vertex that was found to have the wanted payload.
    fn equal(&self, beam: &Beam) -> Option<Equal> {
        let (node, hit) = self.equal.and_then(|node| Some((node, self.hit(node)?)))?;
        Some(Equal { vertex: beam.link(node), postings: hit.postings, chain: hit.chain })
    }
}

impl Sink for Met<'_> {
    fn meet(&mut self, node: u32, vertex: &Vertex<'_>) -> kite_pages::Result<bool> {
        if vertex.is_dead() {
            return Ok(false);
        }
        let chain = match vertex.payload() {
            Ok(Place::Chain(chain)) => Some(chain),
            _ => None,
        };
        lengthen(&mut self.of_node, node as usize + 1, NOT)?;
        self.of_node[node as usize] = self.hits.len() as u32;
        push(&mut self.hits, Hit { postings: vertex.postings(), chain, payload: NOT })?;
        Ok(true)
    }

    fn rank<S>(
        &mut self,
        probe: &Probe<'_, S>,
        node: u32,
        payload: &[u8],
        block: BlockNo,
    ) -> kite_pages::Result<f32> {
        let place = self.of_node.get(node as usize).copied().unwrap_or(NOT);
        if let Some(hit) = self.hits.get_mut(place as usize) {
            hit.payload = self.payloads.push(payload)?;
            if self.wanted == Some(payload) {
                self.equal = Some(node);
            }
        }
        probe.scorer.exact(&probe.query, payload).map_err(damaged(block))
    }

    fn is_done(&self) -> bool {
        self.equal.is_some()
    }

    fn admits(&mut self, _: u32) -> Result<bool> {
        Ok(true)
    }
}
