//! Building an index from all of its rows at once.
//!
//! [`Builder`] takes the rows one by one and then links and writes them. [`link()`] is the part of it that needs no pages.

mod builder;
mod codes;
mod distances;
mod divide;
mod graph;
mod handover;
mod link;
mod merge;
mod nodes;
mod order;
mod packer;
mod pages;
mod part;
mod parts;
mod reach;
mod rows;
mod sample;
mod search;
mod select;
mod spool;
mod write;

pub use builder::{Builder, Built};
pub use graph::Graph;
pub use kite_build::{Host, Phase, Resources, Scratch, ScratchFile, Stopped, TempFiles};
pub(crate) use link::level;
pub use link::link;
pub use select::Choice;
pub(crate) use select::select_by;

use kite_build::{memory, threads};

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
    /// The distances of several nodes from one, in their order, in place of what `keys` holds.
    fn each(&self, a: u32, nodes: &[u32], keys: &mut Vec<f32>) {
        keys.clear();
        keys.extend(nodes.iter().map(|&b| self.between(a, b)));
    }
    /// Brings a node closer to the processor, which will be asked for it next.
    fn prefetch(&self, node: u32);
}

impl From<crate::Error> for Stopped {
    fn from(error: crate::Error) -> Self {
        if error == crate::Error::Interrupted { Self::Interrupted } else { Self::OutOfMemory }
    }
}

/// How a graph is built.
#[derive(Debug, Clone)]
pub struct Parameters {
    /// The most links of a node on the levels above 0; on level 0 twice as many.
    pub m: usize,
    /// How many near nodes are found for a new one to choose its links from.
    pub ef_construction: usize,
    /// How links are chosen.
    pub choice: Choice,
    /// Decides on levels and order.
    pub seed: u64,
    /// Threads that work.
    pub threads: usize,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { m: 16, ef_construction: 64, choice: Choice::PLAIN, seed: 0x6b69_7465, threads: 1 }
    }
}

#[cfg(test)]
mod tests;
