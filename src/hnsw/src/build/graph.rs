//! The links between nodes, shared by the threads that build them.

use super::link::Slots;
use super::memory::{Counted, Memory};
use crate::Result;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Lists of links on every level, each in a place of fixed size: a word with the number of links, then the links.
///
/// The lists are atomic so that threads may share them. A thread only ever reads lists that none writes at that time, or writes
/// lists that no other touches: what threads do is divided into steps between which all of them are awaited.
#[derive(Debug)]
pub struct Graph {
    slots: Slots,
    levels: Counted<u8>,
    base: Counted<AtomicU32>,
    /// Where a node's lists of the levels above 0 begin; nothing for nodes without.
    upper_of: Counted<u32>,
    upper: Counted<AtomicU32>,
    entry: u32,
}

const NOTHING: u32 = u32::MAX;
/// The lower half of a list's first word is the number of its links; the upper, how many of them are known to be apart.
const COUNT: u32 = 0xffff;

impl Graph {
    /// Empty lists for nodes with these levels; `entry` has the highest.
    pub(super) fn new(slots: Slots, levels: Counted<u8>, entry: u32, memory: &Memory) -> Result<Self> {
        let mut upper_of = Counted::new(memory);
        upper_of.reserve_exact(levels.len())?;
        let mut lists = 0;
        for &level in levels.iter() {
            upper_of.push(if level == 0 { NOTHING } else { lists })?;
            lists += u32::from(level);
        }
        let zero = || AtomicU32::new(0);
        let base = Counted::filled(memory, levels.len() * (slots.lowest + 1), zero)?;
        let upper = Counted::filled(memory, lists as usize * (slots.upper + 1), zero)?;
        Ok(Self { slots, levels, base, upper_of, upper, entry })
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

    /// The neighbours of a node on one of its levels: the nearest first where the build has just chosen them, and the others as `select_by` orders them.
    #[inline]
    pub fn links(&self, node: u32, level: u8) -> impl ExactSizeIterator<Item = u32> + '_ {
        let list = self.list(node, level);
        let count = (list[0].load(Relaxed) & COUNT) as usize;
        list[1..=count].iter().map(|link| link.load(Relaxed))
    }

    /// Brings a list closer to the processor, which will be asked for it soon.
    #[inline]
    pub(super) fn prefetch(&self, node: u32, level: u8) {
        let list = self.list(node, level);
        kite_kernels::prefetch(list.as_ptr().cast(), size_of_val(list));
    }

    /// The most links on a level.
    pub(super) fn capacity(&self, level: u8) -> usize {
        if level == 0 { self.slots.lowest } else { self.slots.upper }
    }

    /// How many of the links, from the first on, the heuristic has compared with each other: each of them was kept beside the
    /// others, and would be again.
    pub(super) fn apart(&self, node: u32, level: u8) -> usize {
        (self.list(node, level)[0].load(Relaxed) >> 16) as usize
    }

    /// Replaces the links, of which the first `apart` have been compared with each other.
    pub(super) fn set_links(&self, node: u32, level: u8, links: &[u32], apart: usize) {
        let list = self.list(node, level);
        for (place, link) in list[1..].iter().zip(links) {
            place.store(*link, Relaxed);
        }
        list[0].store((apart as u32) << 16 | links.len() as u32, Relaxed);
    }

    #[inline]
    fn list(&self, node: u32, level: u8) -> &[AtomicU32] {
        if level == 0 {
            let size = self.slots.lowest + 1;
            &self.base[node as usize * size..][..size]
        } else {
            let size = self.slots.upper + 1;
            let list = self.upper_of[node as usize] as usize + usize::from(level) - 1;
            &self.upper[list * size..][..size]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_do_not_overlap() {
        let memory = Memory::new(usize::MAX);
        let mut levels = Counted::new(&memory);
        [0, 2, 0, 1].into_iter().for_each(|level| levels.push(level).unwrap());
        let graph = Graph::new(Slots { lowest: 6, upper: 3 }, levels, 1, &memory).unwrap();
        assert_eq!((graph.len(), graph.entry(), graph.level(1)), (4, 1, 2));
        let lists = [(0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (3, 0), (3, 1)];
        for (n, &(node, level)) in (10..).zip(&lists) {
            assert_eq!(graph.links(node, level).len(), 0);
            graph.set_links(node, level, &vec![n; graph.capacity(level)], usize::from(level));
        }
        for (n, &(node, level)) in (10..).zip(&lists) {
            assert!(graph.links(node, level).all(|link| link == n));
            assert_eq!(graph.links(node, level).len(), if level == 0 { 6 } else { 3 });
            assert_eq!(graph.apart(node, level), usize::from(level));
        }
        graph.set_links(1, 1, &[7], 0);
        assert_eq!((graph.links(1, 1).collect::<Vec<_>>(), graph.apart(1, 1)), (vec![7], 0));
    }
}
