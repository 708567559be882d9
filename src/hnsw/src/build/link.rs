//! Linking nodes into a graph, in memory.
//!
//! Nodes enter in batches (as in ParlayANN: Manohar et al., "ParlayANN: Scalable and Deterministic Parallel Graph-Based
//! Approximate Nearest Neighbor Search Algorithms", PPoPP 2024). The nodes of a batch search the graph as it was before the
//! batch, all at once; then the links back to them are added, each list by one thread. So threads share nothing that changes,
//! need no locks, and the graph is the same whatever their number.
//!
//! In what order the nodes of a batch search makes no difference to what they find, but to the time: what a search has read is
//! still in the processor's cache for the next one if that is near. So all of them first go down to the level above their own, and
//! then search in the order of the ways that they have come. Lists get their links back in the same order.
//!
//! A node's level comes from a hash of its number, and nodes enter by falling level and in hashed order: the nodes of a batch,
//! which do not see each other, are then strewn over the data, also where the rows came sorted; and the entry point never moves.

use super::memory::{Charge, Counted, Memory};
use super::search::Searcher;
use super::select::select;
use super::{Distances, Graph, Host, Parameters, Stopped, reach, threads};
use crate::format::HIGHEST;
use crate::pool::Candidate;
use std::cmp::Reverse;
use std::ops::Range;

/// A batch has a share of the nodes before it, and of all.
const GROWTH: usize = 8;
const SHARE: usize = 50;
/// Larger ones gain nothing.
const LARGEST: usize = 4096;

/// Links all nodes.
///
/// # Errors
/// When the host ends the build, or memory does.
pub fn link(distances: &impl Distances, parameters: &Parameters, host: &impl Host) -> Result<Graph, Stopped> {
    let memory = Memory::new(usize::MAX);
    let mut levels = Counted::new(&memory);
    for node in 0..distances.len() as u64 {
        levels.push(level(parameters, node))?;
    }
    let slots = Slots { lowest: 2 * parameters.m, upper: parameters.m };
    Ok(link_levels(distances, levels, slots, parameters, &memory, host)?)
}

/// The most links of a list, on the lowest level of a graph and on those above.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slots {
    pub(super) lowest: usize,
    pub(super) upper: usize,
}

/// Links nodes that have these levels.
pub(super) fn link_levels(
    distances: &impl Distances,
    levels: Counted<u8>,
    slots: Slots,
    parameters: &Parameters,
    memory: &Memory,
    host: &impl Host,
) -> crate::Result<Graph> {
    let nodes = distances.len();
    let mut order = Counted::new(memory);
    order.reserve_exact(nodes)?;
    for node in 0..nodes as u32 {
        order.push(node)?;
    }
    order.sort_unstable_by_key(|&node| {
        (Reverse(levels[node as usize]), mix(parameters.seed ^ 1, u64::from(node)), node)
    });
    let graph = Graph::new(slots, levels, order.first().copied().unwrap_or(0), memory)?;
    let mut team = Team::new(nodes, parameters, memory)?;
    let mut linked = usize::from(nodes > 0);
    while linked < nodes {
        let size = (linked / GROWTH).min(nodes / SHARE).min(LARGEST).clamp(1, nodes - linked);
        team.enter(&graph, distances, parameters, &order[linked..linked + size], host)?;
        linked += size;
        host.linked(linked);
    }
    drop(team);
    reach::reconnect(&graph, distances, parameters.ef_construction, memory, host)?;
    Ok(graph)
}

/// The threads' state, and the links back that they collect.
struct Team {
    workers: Vec<Worker>,
    arrivals: Vec<Arrival>,
    back: Vec<Back>,
    _charge: Charge,
}

impl Team {
    fn new(nodes: usize, parameters: &Parameters, memory: &Memory) -> Result<Self, Stopped> {
        let spare = usize::from(parameters.threads > 1);
        let count = parameters.threads.max(1) + spare;
        let charge = memory.charge(count * nodes + Self::collected(nodes, parameters.m));
        let mut workers = Vec::new();
        for _ in 0..count {
            workers.push(Worker::new(nodes, parameters)?);
        }
        Ok(Self { workers, arrivals: Vec::new(), back: Vec::new(), _charge: charge })
    }

    /// Bytes that the links back grow to.
    fn collected(nodes: usize, m: usize) -> usize {
        let batch = (nodes / SHARE).clamp(1, LARGEST);
        // They stand in the workers' lists, then in one. What grows by and by may have got the double of what it holds.
        let (links, lists) = (3 * size_of::<Back>(), 2 * size_of::<List>());
        batch * ((2 * m + 2) * (links + lists) + 3 * size_of::<Arrival>())
    }

    /// Links a batch of nodes.
    fn enter(
        &mut self,
        graph: &Graph,
        distances: &impl Distances,
        parameters: &Parameters,
        batch: &[u32],
        host: &impl Host,
    ) -> Result<(), Stopped> {
        threads::run(host, &mut self.workers, batch.len(), |worker, items| {
            batch[items].iter().for_each(|&node| worker.arrive(graph, distances, node));
        })?;
        self.arrivals.clear();
        self.arrivals.try_reserve_exact(batch.len())?;
        self.workers.iter_mut().for_each(|worker| self.arrivals.append(&mut worker.arrivals));
        self.arrivals.sort_unstable_by_key(|arrival| (arrival.way, arrival.node));
        let arrivals = &self.arrivals;
        threads::run(host, &mut self.workers, arrivals.len(), |worker, items| {
            items.for_each(|place| worker.enter(graph, distances, parameters, arrivals, place));
        })?;
        self.back.clear();
        self.back.try_reserve_exact(self.workers.iter().map(|worker| worker.back.len()).sum())?;
        self.workers.iter_mut().for_each(|worker| self.back.append(&mut worker.back));
        self.back.sort_unstable_by_key(Back::order);
        let (lists, back) = (lists(&self.back), &self.back);
        threads::run(host, &mut self.workers, lists.len(), |worker, items| {
            for list in &lists[items] {
                worker.lead_back(graph, distances, parameters, arrivals, &back[list.range()]);
            }
        })
    }
}

/// Bytes that linking takes on the average for each node, besides the payloads. It does not depend on the number of threads,
/// since what is built beyond memory depends on it.
pub(super) fn bytes_per_node(m: usize) -> usize {
    // Each thread marks the nodes that it has seen.
    const THREADS: usize = 8;
    let order_and_levels = 4 + 1 + 4;
    let upper = 4 * (m + 1) / (m - 1).max(1) + 1;
    THREADS + order_and_levels + 4 * (2 * m + 1) + upper + Team::collected(SHARE, m).div_ceil(SHARE)
}

/// A new node that has come down to the level above its own.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    /// The nodes that it has come by on the last levels, the lowest last. Near nodes come by the same ones.
    way: [u32; 3],
    node: u32,
    near: Candidate,
}

/// A link that a new node has, to be had by the other one as well.
#[derive(Debug, Clone, Copy)]
struct Back {
    target: u32,
    /// The place of the new node among the arrivals.
    source: u32,
    distance: f32,
    level: u8,
}

impl Back {
    /// By level, target, and source, as one number: it is what a batch is sorted by, which one thread does alone.
    fn order(&self) -> u64 {
        const { assert!(LARGEST <= 1 << 16) };
        u64::from(self.level) << 48 | u64::from(self.target) << 16 | u64::from(self.source)
    }
}

/// A range of links that lead to the same list.
#[derive(Debug, Clone, Copy)]
struct List {
    /// The source of the first.
    source: u32,
    begin: u32,
    end: u32,
}

impl List {
    fn range(self) -> Range<usize> {
        self.begin as usize..self.end as usize
    }
}

/// All of them, those of near lists together.
fn lists(back: &[Back]) -> Vec<List> {
    let mut end = 0;
    let mut lists: Vec<List> = back
        .chunk_by(|a, b| (a.level, a.target) == (b.level, b.target))
        .map(|list| {
            let begin = end;
            end += list.len() as u32;
            List { source: list[0].source, begin, end }
        })
        .collect();
    lists.sort_unstable_by_key(|list| u64::from(list.source) << 32 | u64::from(list.begin));
    lists
}

/// What a thread needs.
#[derive(Debug)]
struct Worker {
    searcher: Searcher,
    entries: Vec<Candidate>,
    chosen: Vec<Candidate>,
    links: Vec<u32>,
    /// How far those are.
    keys: Vec<f32>,
    /// Whether candidates are apart, see [`Graph::apart`].
    apart: Vec<bool>,
    /// Candidates with the same, to be sorted.
    marked: Vec<(Candidate, bool)>,
    arrivals: Vec<Arrival>,
    back: Vec<Back>,
}

impl Worker {
    fn new(nodes: usize, parameters: &Parameters) -> Result<Self, Stopped> {
        let searcher = Searcher::new(nodes, parameters.ef_construction)?;
        Ok(Self {
            searcher,
            entries: Vec::new(),
            chosen: Vec::new(),
            links: Vec::new(),
            keys: Vec::new(),
            apart: Vec::new(),
            marked: Vec::new(),
            arrivals: Vec::new(),
            back: Vec::new(),
        })
    }

    /// Goes down to the level above the node's own.
    fn arrive(&mut self, graph: &Graph, distances: &impl Distances, node: u32) {
        let entry = graph.entry();
        self.entries.clear();
        self.entries.push(Candidate { distance: distances.between(node, entry), node: entry });
        let mut way = [entry; 3];
        for level in (graph.level(node) + 1..=graph.level(entry)).rev() {
            self.searcher.level(graph, distances, node, &mut self.entries, (level, 1));
            way = [way[1], way[2], self.entries[0].node];
        }
        self.arrivals.push(Arrival { way, node, near: self.entries[0] });
    }

    /// Gives a new node its links on all of its levels, and notes the links back.
    fn enter(
        &mut self,
        graph: &Graph,
        distances: &impl Distances,
        parameters: &Parameters,
        arrivals: &[Arrival],
        place: usize,
    ) {
        let Arrival { node, near, .. } = arrivals[place];
        self.entries.clear();
        self.entries.push(near);
        for level in (0..=graph.level(node)).rev() {
            self.searcher.level(
                graph,
                distances,
                node,
                &mut self.entries,
                (level, parameters.ef_construction),
            );
            let most = graph.capacity(level);
            let apart = select(distances, (&self.entries, &[]), (most, parameters.choice), &mut self.chosen);
            self.links.clear();
            self.links.extend(self.chosen.iter().map(|candidate| candidate.node));
            graph.set_links(node, level, &self.links, apart);
            self.back.extend(self.chosen.iter().map(|&Candidate { distance, node: target }| Back {
                target,
                source: place as u32,
                distance,
                level,
            }));
        }
    }

    /// Adds links to one list; where it has no room for all, the heuristic chooses among old and new ones.
    fn lead_back(
        &mut self,
        graph: &Graph,
        distances: &impl Distances,
        parameters: &Parameters,
        arrivals: &[Arrival],
        back: &[Back],
    ) {
        let Back { target, level, .. } = back[0];
        let capacity = graph.capacity(level);
        let new = back.iter().map(|link| arrivals[link.source as usize].node);
        let mut apart = graph.apart(target, level);
        self.links.clear();
        self.links.extend(graph.links(target, level));
        let old = self.links.len();
        self.links.extend(new);
        if self.links.len() > capacity {
            // All are looked at, so that they are waited for together.
            self.links.iter().for_each(|&node| distances.prefetch(node));
            distances.each(target, &self.links[..old], &mut self.keys);
            self.keys.extend(back.iter().map(|link| link.distance));
            self.marked.clear();
            let known = self.links.iter().zip(&self.keys).enumerate();
            self.marked
                .extend(known.map(|(n, (&node, &distance))| (Candidate { distance, node }, n < apart)));
            self.marked.sort_unstable_by(|(a, _), (b, _)| a.order(b));
            self.entries.clear();
            self.entries.extend(self.marked.iter().map(|&(candidate, _)| candidate));
            self.apart.clear();
            self.apart.extend(self.marked.iter().map(|&(_, is_apart)| is_apart));
            let candidates = (&self.entries[..], &self.apart[..]);
            apart = select(distances, candidates, (capacity, parameters.choice), &mut self.chosen);
            self.links.clear();
            self.links.extend(self.chosen.iter().map(|candidate| candidate.node));
        }
        graph.set_links(target, level, &self.links, apart);
    }
}

/// The level of a node: exponentially distributed, a node in m of one level is on the next.
pub(crate) fn level(parameters: &Parameters, node: u64) -> u8 {
    // In (0, 1].
    let uniform = ((mix(parameters.seed, node) >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    let level = -uniform.ln() / (parameters.m.max(2) as f64).ln();
    (level as u8).min(HIGHEST)
}

/// SplitMix64's finaliser over a counter.
pub(super) fn mix(seed: u64, counter: u64) -> u64 {
    let mut bits = seed.wrapping_add((counter + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
