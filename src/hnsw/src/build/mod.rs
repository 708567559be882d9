//! Linking all nodes of an index into a graph, in memory.
//!
//! Nodes enter in batches (as in ParlayANN: Manohar et al., "ParlayANN: Scalable and Deterministic Parallel Graph-Based
//! Approximate Nearest Neighbor Search Algorithms", PPoPP 2024). The nodes of a batch search the graph as it was before the
//! batch, all at once; then the links back to them are added, each list by one thread. So threads share nothing that changes,
//! need no locks, and the graph is the same whatever their number.
//!
//! A node's level comes from a hash of its number, and nodes enter by falling level and in hashed order: the nodes of a batch,
//! which do not see each other, are then strewn over the data, also where the rows came sorted; and the entry point never moves.

mod graph;
mod search;
mod select;
mod threads;

pub use graph::Graph;

use crate::pool::Candidate;
use search::Searcher;
use select::select;
pub(crate) use select::select_by;
use std::collections::TryReserveError;
use std::ops::Range;

/// The nodes to be linked, by number, and how far they are from each other.
pub trait Distances: Sync {
    /// The number of nodes.
    fn len(&self) -> usize;
    /// Whether there is no node.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// What ranks: smaller is nearer. Never NaN; the same both ways.
    fn between(&self, a: u32, b: u32) -> f32;
    /// Brings a node closer to the processor, which will be asked for it next.
    fn prefetch(&self, node: u32);
}

/// Where the build runs.
pub trait Host {
    /// Asked often by the thread that called [`link`].
    ///
    /// # Errors
    /// When the build is to end.
    fn go_on(&self) -> Result<(), Stopped>;

    /// Told how many nodes are linked so far.
    fn linked(&self, nodes: usize);

    /// Calls `spawn`, which starts threads: a server process lets them inherit that all signals are blocked.
    fn spawning(&self, spawn: impl FnOnce()) {
        spawn();
    }
}

/// Why a build ended without a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The host said so.
    Interrupted,
    /// There is no room for the links.
    OutOfMemory,
}

impl From<TryReserveError> for Stopped {
    fn from(_: TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

/// How a graph is built.
#[derive(Debug, Clone)]
pub struct Parameters {
    /// The most links of a node on the levels above 0; on level 0 twice as many.
    pub m: usize,
    /// How many near nodes are found for a new one to choose its links from.
    pub ef_construction: usize,
    /// Decides on levels and order.
    pub seed: u64,
    /// Threads that work.
    pub threads: usize,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { m: 16, ef_construction: 64, seed: 0x6b69_7465, threads: 1 }
    }
}

/// Levels have an exponential distribution: a node in m of one level is on the next.
const HIGHEST: u8 = 31;
/// A batch has a share of the nodes before it, and of all.
const GROWTH: usize = 8;
const SHARE: usize = 50;

/// Links all nodes.
///
/// # Errors
/// When the host ends the build, or memory does.
pub fn link(distances: &impl Distances, parameters: &Parameters, host: &impl Host) -> Result<Graph, Stopped> {
    let nodes = distances.len();
    let levels: Vec<u8> = (0..nodes as u64).map(|node| level(parameters, node)).collect();
    let mut order: Vec<u32> = (0..nodes as u32).collect();
    order.sort_by_cached_key(|&node| {
        (std::cmp::Reverse(levels[node as usize]), mix(parameters.seed ^ 1, u64::from(node)))
    });
    let graph = Graph::new(parameters, levels, order.first().copied().unwrap_or(0))?;
    let spare = usize::from(parameters.threads > 1);
    let mut workers: Vec<Worker> =
        (0..parameters.threads.max(1) + spare).map(|_| Worker::new(nodes, parameters)).collect();
    let mut back = Vec::new();
    let mut linked = usize::from(nodes > 0);
    while linked < nodes {
        let size = (linked / GROWTH).min(nodes / SHARE).clamp(1, nodes - linked);
        let batch = &order[linked..linked + size];
        threads::run(host, &mut workers, size, |worker, items| {
            batch[items].iter().for_each(|&node| worker.enter(&graph, distances, parameters, node));
        })?;
        back.clear();
        workers.iter_mut().for_each(|worker| back.append(&mut worker.back));
        back.sort_unstable_by_key(|link: &Back| (link.level, link.target, link.source));
        let lists = lists(&back);
        threads::run(host, &mut workers, lists.len(), |worker, items| {
            lists[items].iter().for_each(|list| worker.lead_back(&graph, distances, &back[list.clone()]));
        })?;
        linked += size;
        host.linked(linked);
    }
    Ok(graph)
}

/// A link that a new node has, to be had by the other one as well.
#[derive(Debug, Clone, Copy)]
struct Back {
    target: u32,
    source: u32,
    distance: f32,
    level: u8,
}

/// The ranges of links that lead to the same list.
fn lists(back: &[Back]) -> Vec<Range<usize>> {
    let mut end = 0;
    back.chunk_by(|a, b| (a.level, a.target) == (b.level, b.target))
        .map(|list| {
            end += list.len();
            end - list.len()..end
        })
        .collect()
}

/// What a thread needs.
#[derive(Debug)]
struct Worker {
    searcher: Searcher,
    entries: Vec<Candidate>,
    chosen: Vec<Candidate>,
    links: Vec<u32>,
    back: Vec<Back>,
}

impl Worker {
    fn new(nodes: usize, parameters: &Parameters) -> Self {
        let searcher = Searcher::new(nodes, parameters.ef_construction);
        Self { searcher, entries: Vec::new(), chosen: Vec::new(), links: Vec::new(), back: Vec::new() }
    }

    /// Gives a new node its links on all of its levels, and notes the links back.
    fn enter(&mut self, graph: &Graph, distances: &impl Distances, parameters: &Parameters, node: u32) {
        let entry = graph.entry();
        self.entries.clear();
        self.entries.push(Candidate { distance: distances.between(node, entry), node: entry });
        for level in (0..=graph.level(entry)).rev() {
            let own = level <= graph.level(node);
            let ef = if own { parameters.ef_construction } else { 1 };
            let found = self.searcher.level(graph, distances, node, &self.entries, (level, ef));
            self.entries.clear();
            self.entries.extend_from_slice(found);
            if own {
                select(distances, &self.entries, parameters.m, &mut self.chosen);
                self.links.clear();
                self.links.extend(self.chosen.iter().map(|candidate| candidate.node));
                graph.set_links(node, level, &self.links);
                self.back.extend(self.chosen.iter().map(|&Candidate { distance, node: target }| Back {
                    target,
                    source: node,
                    distance,
                    level,
                }));
            }
        }
    }

    /// Adds links to one list; where it has no room for all, the heuristic chooses among old and new ones.
    fn lead_back(&mut self, graph: &Graph, distances: &impl Distances, back: &[Back]) {
        let Back { target, level, .. } = back[0];
        let capacity = graph.capacity(level);
        self.links.clear();
        self.links.extend(graph.links(target, level));
        if self.links.len() + back.len() <= capacity {
            self.links.extend(back.iter().map(|link| link.source));
        } else {
            self.entries.clear();
            self.entries.extend(
                self.links
                    .iter()
                    .map(|&node| Candidate { distance: distances.between(target, node), node })
                    .chain(back.iter().map(|link| Candidate { distance: link.distance, node: link.source })),
            );
            self.entries.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance).then(a.node.cmp(&b.node)));
            select(distances, &self.entries, capacity, &mut self.chosen);
            self.links.clear();
            self.links.extend(self.chosen.iter().map(|candidate| candidate.node));
        }
        graph.set_links(target, level, &self.links);
    }
}

pub(crate) fn level(parameters: &Parameters, node: u64) -> u8 {
    // In (0, 1].
    let uniform = ((mix(parameters.seed, node) >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    let level = -uniform.ln() / (parameters.m.max(2) as f64).ln();
    (level as u8).min(HIGHEST)
}

/// SplitMix64's finaliser over a counter.
fn mix(seed: u64, counter: u64) -> u64 {
    let mut bits = seed.wrapping_add((counter + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests;
