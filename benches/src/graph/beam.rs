//! The best nodes that a search has found so far, and which of them it has not gone on from.

/// At most `ef` nodes in order of their distance, each with what the search needs to go on from it.
///
/// The paper's rule, go on from the nearest candidate until that is farther than the worst of the `ef` best, is the same as
/// to go on from the first of these that is left: a candidate beyond the worst is not among them.
#[derive(Debug)]
pub(super) struct Beam<T> {
    ef: usize,
    nodes: Vec<(f32, T)>,
    done: Vec<bool>,
    /// All before this place are done with.
    next: usize,
}

impl<T: Copy> Beam<T> {
    pub(super) fn new() -> Self {
        Self { ef: 0, nodes: Vec::new(), done: Vec::new(), next: 0 }
    }

    /// Empties it, to hold so many from now on.
    pub(super) fn start(&mut self, ef: usize) {
        self.ef = ef;
        self.nodes.clear();
        self.done.clear();
        self.next = 0;
    }

    /// What a node must be nearer than to be taken in.
    #[inline]
    pub(super) fn limit(&self) -> f32 {
        if self.nodes.len() < self.ef {
            f32::INFINITY
        } else {
            self.nodes.last().map_or(0.0, |worst| worst.0)
        }
    }

    /// Takes a node in if it is among the best. Of equally distant ones the first that came stays.
    #[inline]
    pub(super) fn offer(&mut self, distance: f32, node: T) {
        if self.nodes.len() == self.ef {
            if distance >= self.limit() {
                return;
            }
            self.nodes.pop();
            self.done.pop();
        }
        let place = self.nodes.partition_point(|other| other.0 <= distance);
        self.nodes.insert(place, (distance, node));
        self.done.insert(place, false);
        self.next = self.next.min(place);
    }

    /// The nearest node that was not answered yet.
    #[inline]
    pub(super) fn expand(&mut self) -> Option<T> {
        while *self.done.get(self.next)? {
            self.next += 1;
        }
        self.done[self.next] = true;
        self.next += 1;
        Some(self.nodes[self.next - 1].1)
    }

    /// All nodes with their distances, nearest first.
    pub(super) fn nodes(&self) -> &[(f32, T)] {
        &self.nodes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_stay_and_each_is_expanded_once() {
        let mut beam = Beam::new();
        beam.start(3);
        assert_eq!((beam.expand(), beam.limit()), (None, f32::INFINITY));
        for (distance, node) in [(5.0, 'a'), (3.0, 'b'), (9.0, 'c'), (3.0, 'd'), (9.0, 'e')] {
            beam.offer(distance, node);
        }
        assert_eq!(beam.nodes(), [(3.0, 'b'), (3.0, 'd'), (5.0, 'a')]);
        assert_eq!((beam.expand(), beam.limit()), (Some('b'), 5.0));
        // A nearer one comes next, and the last drops out before its turn.
        beam.offer(1.0, 'f');
        let rest: Vec<char> = std::iter::from_fn(|| beam.expand()).collect();
        assert_eq!(rest, ['f', 'd']);
    }

    #[test]
    fn starting_anew_forgets() {
        let mut beam = Beam::new();
        beam.start(2);
        beam.offer(1.0, 1);
        beam.expand();
        beam.start(1);
        beam.offer(2.0, 2);
        beam.offer(3.0, 3);
        assert_eq!((beam.expand(), beam.expand()), (Some(2), None));
    }
}
