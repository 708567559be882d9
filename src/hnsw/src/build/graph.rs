//! The links between nodes, shared by the threads that build them.

use super::Parameters;
use std::collections::TryReserveError;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Lists of links on every level, each in a place of fixed size: the number of links, then the links.
///
/// The lists are atomic so that threads may share them. A thread only ever reads lists that none writes at that time, or writes
/// lists that no other touches: what threads do is divided into steps between which all of them are awaited.
#[derive(Debug)]
pub struct Graph {
    m: usize,
    levels: Vec<u8>,
    base: Vec<AtomicU32>,
    /// Where a node's lists of the levels above 0 begin; nothing for nodes without.
    upper_of: Vec<u32>,
    upper: Vec<AtomicU32>,
    entry: u32,
}

const NOTHING: u32 = u32::MAX;

impl Graph {
    /// Empty lists for nodes with these levels; `entry` has the highest.
    pub(super) fn new(parameters: &Parameters, levels: Vec<u8>, entry: u32) -> Result<Self, TryReserveError> {
        let m = parameters.m;
        let mut upper_of = Vec::new();
        upper_of.try_reserve_exact(levels.len())?;
        let mut lists = 0;
        for &level in &levels {
            upper_of.push(if level == 0 { NOTHING } else { lists });
            lists += u32::from(level);
        }
        let base = zeros(levels.len() * (2 * m + 1))?;
        let upper = zeros(lists as usize * (m + 1))?;
        Ok(Self { m, levels, base, upper_of, upper, entry })
    }

    /// Number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.levels.len()
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// The node from which searches start: one of the highest level.
    #[must_use]
    pub fn entry(&self) -> u32 {
        self.entry
    }

    /// The highest level on which a node is.
    #[must_use]
    pub fn level(&self, node: u32) -> u8 {
        self.levels[node as usize]
    }

    /// The neighbours of a node on one of its levels, nearest first where the build has just chosen them.
    pub fn links(&self, node: u32, level: u8) -> impl ExactSizeIterator<Item = u32> + '_ {
        let list = self.list(node, level);
        let count = list[0].load(Relaxed) as usize;
        list[1..=count].iter().map(|link| link.load(Relaxed))
    }

    /// The most links on a level.
    pub(super) fn capacity(&self, level: u8) -> usize {
        if level == 0 { 2 * self.m } else { self.m }
    }

    pub(super) fn set_links(&self, node: u32, level: u8, links: &[u32]) {
        let list = self.list(node, level);
        for (place, link) in list[1..].iter().zip(links) {
            place.store(*link, Relaxed);
        }
        list[0].store(links.len() as u32, Relaxed);
    }

    fn list(&self, node: u32, level: u8) -> &[AtomicU32] {
        if level == 0 {
            let size = 2 * self.m + 1;
            &self.base[node as usize * size..][..size]
        } else {
            let size = self.m + 1;
            let list = self.upper_of[node as usize] as usize + usize::from(level) - 1;
            &self.upper[list * size..][..size]
        }
    }
}

fn zeros(count: usize) -> Result<Vec<AtomicU32>, TryReserveError> {
    let mut zeros = Vec::new();
    zeros.try_reserve_exact(count)?;
    zeros.resize_with(count, || AtomicU32::new(0));
    Ok(zeros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_do_not_overlap() {
        let parameters = Parameters { m: 3, ..Parameters::default() };
        let graph = Graph::new(&parameters, vec![0, 2, 0, 1], 1).unwrap();
        assert_eq!((graph.len(), graph.entry(), graph.level(1)), (4, 1, 2));
        let lists = [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (3, 0), (3, 1)];
        for (n, &(node, level)) in (10..).zip(&lists) {
            assert_eq!(graph.links(node, level).len(), 0);
            graph.set_links(node, level, &vec![n; graph.capacity(level)]);
        }
        for (n, &(node, level)) in (10..).zip(&lists) {
            assert!(graph.links(node, level).all(|link| link == n));
            assert_eq!(graph.links(node, level).len(), if level == 0 { 6 } else { 3 });
        }
        graph.set_links(1, 1, &[7]);
        assert_eq!(graph.links(1, 1).collect::<Vec<_>>(), [7]);
    }
}
