//! The best nodes that a search has found so far, in order.
//!
//! For the few hundred nodes of a search a sorted array is faster than the two heaps of the paper: an insertion moves some
//! cache lines, and the next node to expand is found by going on from the last one.

/// A node and its distance from what is searched for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) distance: f32,
    pub(crate) node: u32,
}

impl Candidate {
    /// Nearer first; of equal ones the lower number, so that nothing depends on the order in which they were found.
    pub(crate) fn before(self, other: Self) -> bool {
        (self.distance, self.node) < (other.distance, other.node)
    }
}

/// At most `capacity` candidates, each expanded or not.
#[derive(Debug)]
pub(crate) struct Pool {
    capacity: usize,
    candidates: Vec<Candidate>,
    expanded: Vec<bool>,
    /// All before this place are expanded.
    next: usize,
}

impl Pool {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            candidates: Vec::with_capacity(capacity + 1),
            expanded: Vec::with_capacity(capacity + 1),
            next: 0,
        }
    }

    /// Empties the pool, to hold so many from now on.
    pub(crate) fn start(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.candidates.clear();
        self.expanded.clear();
        self.next = 0;
    }

    /// Takes a candidate in if it is among the best.
    pub(crate) fn offer(&mut self, candidate: Candidate) {
        if self.candidates.len() == self.capacity {
            match self.candidates.last() {
                Some(&worst) if candidate.before(worst) => {
                    self.candidates.pop();
                    self.expanded.pop();
                }
                _ => return,
            }
        }
        let place = self.candidates.partition_point(|&other| other.before(candidate));
        self.candidates.insert(place, candidate);
        self.expanded.insert(place, false);
        self.next = self.next.min(place);
    }

    /// The nearest candidate that was not handed out yet.
    pub(crate) fn expand(&mut self) -> Option<Candidate> {
        while *self.expanded.get(self.next)? {
            self.next += 1;
        }
        self.expanded[self.next] = true;
        self.next += 1;
        Some(self.candidates[self.next - 1])
    }

    /// All candidates, nearest first.
    pub(crate) fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(distance: f32, node: u32) -> Candidate {
        Candidate { distance, node }
    }

    #[test]
    fn the_best_stay_in_order() {
        let mut pool = Pool::new(3);
        for (distance, node) in [(5.0, 1), (3.0, 2), (4.0, 3), (9.0, 4), (3.0, 0), (1.0, 9)] {
            pool.offer(candidate(distance, node));
        }
        let nodes: Vec<u32> = pool.candidates().iter().map(|candidate| candidate.node).collect();
        assert_eq!(nodes, [9, 0, 2]);
    }

    #[test]
    fn each_is_expanded_once_and_nearer_ones_first() {
        let mut pool = Pool::new(4);
        pool.offer(candidate(5.0, 5));
        pool.offer(candidate(7.0, 7));
        assert_eq!(pool.expand().unwrap().node, 5);
        pool.offer(candidate(2.0, 2));
        pool.offer(candidate(6.0, 6));
        let rest: Vec<u32> = std::iter::from_fn(|| pool.expand()).map(|candidate| candidate.node).collect();
        assert_eq!(rest, [2, 6, 7]);
        // What drops out is never expanded.
        pool.start(1);
        pool.offer(candidate(5.0, 5));
        pool.offer(candidate(4.0, 4));
        assert_eq!((pool.expand().unwrap().node, pool.expand()), (4, None));
    }
}
