//! The k nearest of many.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A row and its distance; the order is by distance, then by row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neighbour {
    pub(crate) distance: f64,
    pub(crate) id: u32,
}

impl Ord for Neighbour {
    fn cmp(&self, other: &Self) -> Ordering {
        self.distance.total_cmp(&other.distance).then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Neighbour {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Neighbour {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Neighbour {}

/// Keeps the k least of what it is offered.
#[derive(Debug, Clone)]
pub(super) struct Nearest {
    k: usize,
    heap: BinaryHeap<Neighbour>,
}

impl Nearest {
    pub(super) fn new(k: usize) -> Self {
        Self { k, heap: BinaryHeap::with_capacity(k) }
    }

    /// The distance above which nothing is kept any more.
    pub(super) fn limit(&self) -> f64 {
        let full = self.heap.len() >= self.k;
        self.heap.peek().filter(|_| full).map_or(f64::INFINITY, |last| last.distance)
    }

    /// Whether the limit may have changed.
    pub(super) fn offer(&mut self, neighbour: Neighbour) -> bool {
        if self.heap.len() < self.k {
            self.heap.push(neighbour);
            return self.heap.len() == self.k;
        }
        match self.heap.peek_mut() {
            Some(mut last) if neighbour < *last => {
                *last = neighbour;
                true
            }
            _ => false,
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        other.heap.into_iter().for_each(|neighbour| {
            self.offer(neighbour);
        });
    }

    /// Nearest first.
    pub(super) fn sorted(self) -> Vec<Neighbour> {
        self.heap.into_sorted_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_are_kept() {
        let mut random = fastrand::Rng::with_seed(3);
        let all: Vec<Neighbour> =
            (0..500).map(|id| Neighbour { distance: f64::from(random.u8(..)), id }).collect();
        let mut sorted = all.clone();
        sorted.sort();
        for k in [1, 7, 499, 500, 501] {
            let (mut one, mut other) = (Nearest::new(k), Nearest::new(k));
            for (n, &neighbour) in all.iter().enumerate() {
                let to = if n % 3 == 0 { &mut one } else { &mut other };
                let before = to.limit();
                let changed = to.offer(neighbour);
                assert!(changed || to.limit() == before);
            }
            one.merge(other);
            assert_eq!(one.sorted(), sorted[..k.min(500)]);
        }
    }
}
