//! Which vertices become the neighbours of one, by their payloads.

use crate::build::{Choice, select_by};
use crate::pool::Candidate;
use kite_codecs::{Result, Scorer};

/// How far the nodes with these payloads are from the vertex with the payload `own`, in their order.
pub(super) fn candidates<'p>(
    scorer: &Scorer,
    own: &[u8],
    nodes: impl Iterator<Item = u32> + Clone,
    payload: impl Fn(u32) -> &'p [u8],
) -> Result<Vec<Candidate>> {
    let mut distances = Vec::new();
    scorer.between_each(own, nodes.clone().map(payload), &mut distances)?;
    Ok(nodes.zip(distances).map(|(node, distance)| Candidate { distance, node }).collect())
}

/// Sorts candidates, nearest first, and chooses at most `slots` of them.
pub(super) fn choose<'p>(
    scorer: &Scorer,
    candidates: &mut [Candidate],
    slots: usize,
    payload: impl Fn(u32) -> &'p [u8],
) -> Result<Vec<Candidate>> {
    candidates.sort_unstable_by(Candidate::order);
    let mut chosen = Vec::new();
    let choice = Choice::of(scorer.spec());
    select_by(candidates, (slots, choice), &mut chosen, |node, others, keys| {
        keys.clear();
        scorer.between_each(payload(node), others.iter().map(|other| payload(other.node)), keys)
    })?;
    Ok(chosen)
}
