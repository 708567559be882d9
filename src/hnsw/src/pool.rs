//! The best nodes that a search has found so far, in order.
//!
//! For the few hundred nodes of a search a sorted array is faster than the two heaps of the paper: an insertion moves some
//! cache lines, and the next node to expand is found by going on from the last one.

use crate::search::Ranked;
use std::cmp::Ordering;

/// A node and its distance from what is searched for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) distance: f32,
    pub(crate) node: u32,
}

impl Candidate {
    /// Nearest first; of equally near ones the lower number.
    #[inline]
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        self.distance.total_cmp(&other.distance).then(self.node.cmp(&other.node))
    }
}

/// At most `capacity` nodes with their distances, each expanded or not. Of equally near ones the lower number comes first, so
/// that nothing depends on the order in which they were found.
#[derive(Debug)]
pub(crate) struct Pool {
    capacity: usize,
    ranked: Vec<Ranked>,
    expanded: Vec<bool>,
    /// All before this place are expanded.
    next: usize,
}

impl Pool {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            ranked: Vec::with_capacity(capacity + 1),
            expanded: Vec::with_capacity(capacity + 1),
            next: 0,
        }
    }

    /// Empties the pool, to hold so many from now on.
    pub(crate) fn start(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.ranked.clear();
        self.expanded.clear();
        self.next = 0;
    }

    /// Takes a node in if it is among the best. Answers whether it is the one to be expanded next, as things are.
    #[inline]
    pub(crate) fn offer(&mut self, ranked: Ranked) -> bool {
        if self.ranked.len() == self.capacity {
            match self.ranked.last() {
                Some(&worst) if ranked < worst => {
                    self.ranked.pop();
                    self.expanded.pop();
                }
                _ => return false,
            }
        }
        let place = self.ranked.partition_point(|&other| other < ranked);
        self.ranked.insert(place, ranked);
        self.expanded.insert(place, false);
        let is_next = place <= self.next;
        self.next = self.next.min(place);
        is_next
    }

    /// The nearest node that was not handed out yet.
    #[inline]
    pub(crate) fn expand(&mut self) -> Option<Ranked> {
        let nearest = self.peek()?;
        self.expanded[self.next] = true;
        self.next += 1;
        Some(nearest)
    }

    /// The nearest node that was not handed out yet, which stays where it is.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<Ranked> {
        while *self.expanded.get(self.next)? {
            self.next += 1;
        }
        self.ranked.get(self.next).copied()
    }

    /// All nodes, nearest first.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = Candidate> {
        self.ranked.iter().map(|ranked| Candidate { distance: ranked.key(), node: ranked.node() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_stay_in_order() {
        let mut pool = Pool::new(3);
        for (distance, node) in [(5.0, 1), (3.0, 2), (4.0, 3), (9.0, 4), (3.0, 0), (1.0, 9)] {
            pool.offer(Ranked::new(distance, node));
        }
        let nodes: Vec<u32> = pool.candidates().map(|candidate| candidate.node).collect();
        assert_eq!(nodes, [9, 0, 2]);
        pool.start(1);
        assert!(
            pool.expand().is_none() && pool.offer(Ranked::new(2.0, 5)) && !pool.offer(Ranked::new(3.0, 6))
        );
        assert_eq!(pool.candidates().count(), 1);
    }

    #[test]
    fn the_nearest_is_expanded_next_also_if_it_came_late() {
        let mut pool = Pool::new(4);
        pool.offer(Ranked::new(2.0, 2));
        pool.offer(Ranked::new(3.0, 3));
        assert_eq!(pool.expand().map(Ranked::node), Some(2));
        assert!(!pool.offer(Ranked::new(4.0, 4)) && pool.offer(Ranked::new(1.0, 1)));
        let rest: Vec<u32> = std::iter::from_fn(|| pool.expand()).map(Ranked::node).collect();
        assert_eq!(rest, [1, 3, 4]);
    }
}
