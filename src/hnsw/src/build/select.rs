//! Which of the nearest nodes become neighbours.

use super::Distances;
use crate::pool::Candidate;
use std::convert::Infallible;

/// [`select_by`] among the nodes of a build.
pub(super) fn select(
    distances: &impl Distances,
    candidates: &[Candidate],
    most: usize,
    chosen: &mut Vec<Candidate>,
) {
    let Ok(()) = select_by(candidates, most, chosen, |a, b| Ok::<_, Infallible>(distances.between(a, b)));
}

/// The heuristic of the paper (its algorithm 4): from the nearest on, a candidate becomes a neighbour unless it is nearer to a
/// neighbour chosen before than to the node itself, since then that neighbour leads to it. Links so point into different
/// directions, and stay fewer than `most` where the data has few of them.
///
/// `candidates` are in order, nearest first; `between` is asked for the distance of two of them.
pub(crate) fn select_by<E>(
    candidates: &[Candidate],
    most: usize,
    chosen: &mut Vec<Candidate>,
    mut between: impl FnMut(u32, u32) -> Result<f32, E>,
) -> Result<(), E> {
    chosen.clear();
    for &candidate in candidates {
        if chosen.len() == most {
            break;
        }
        let mut hidden = false;
        for other in chosen.iter() {
            hidden = between(candidate.node, other.node)? < candidate.distance;
            if hidden {
                break;
            }
        }
        if !hidden {
            chosen.push(candidate);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points on a line.
    struct Line(Vec<f32>);

    impl Distances for Line {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn between(&self, a: u32, b: u32) -> f32 {
            (self.0[a as usize] - self.0[b as usize]).abs()
        }
        fn prefetch(&self, _: u32) {}
    }

    #[test]
    fn what_a_neighbour_leads_to_is_left_out() {
        let line = Line(vec![0.0, 1.0, 2.0, -3.0, -3.5]);
        let candidates: Vec<Candidate> =
            (1..5).map(|node| Candidate { distance: line.between(0, node), node }).collect();
        let mut chosen = Vec::new();
        select(&line, &candidates, 8, &mut chosen);
        let nodes: Vec<u32> = chosen.iter().map(|candidate| candidate.node).collect();
        assert_eq!(nodes, [1, 3]);
        select(&line, &candidates, 1, &mut chosen);
        assert_eq!(chosen.len(), 1);
    }
}
