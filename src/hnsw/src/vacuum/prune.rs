//! Which candidates a repaired list leads to.

use crate::build::select_by;
use crate::pool::Candidate;
use crate::{Error, Result};
use kite_codecs::{Metric, Scorer};

/// By how much a way over another neighbour may be longer before a direct link is worth a slot; Singh et al., "FreshDiskANN",
/// 2021. At 1.0 a list loses with every repair, since it keeps only what the paper's heuristic would have chosen.
const ALPHA: f32 = 1.2;

/// How keys of a metric become lengths that α can scale.
#[derive(Debug, Clone, Copy)]
struct Rule {
    factor: f32,
    /// Whether keys are negative products.
    product: bool,
}

impl Rule {
    /// L2's keys are squares of distances, and cosine distance is half the square of the chord between unit vectors; so
    /// α is squared there.
    ///
    /// A negative inner product is no length, and scaling it by α would prune more where it is negative. What stands in for it is
    /// R|p| − ⟨x, p⟩ for a candidate p, where R is the largest norm around: it is never negative, and it is, up to
    /// a factor that depends on p alone, the square of the distance between x and p after the usual reduction of inner
    /// products to distances, in which each x gets a further coordinate √(R² − |x|²). For unit vectors it is the
    /// cosine distance.
    fn of(metric: Metric) -> Self {
        let (factor, product) = match metric {
            Metric::L2 | Metric::Cosine => (ALPHA * ALPHA, false),
            Metric::InnerProduct => (ALPHA * ALPHA, true),
            Metric::L1 | Metric::Hamming | Metric::Jaccard => (ALPHA, false),
        };
        Self { factor, product }
    }
}

/// Pruning for the lists of one index.
#[derive(Debug)]
pub(super) struct Pruning<'a> {
    scorer: &'a Scorer,
    rule: Rule,
}

impl<'a> Pruning<'a> {
    pub(super) fn new(scorer: &'a Scorer) -> Self {
        Self { scorer, rule: Rule::of(scorer.spec().metric) }
    }

    /// Chooses at most `most` of the nodes, whose payloads `payload` lends, for the list of the vertex with the payload `own`: from
    /// the nearest on, each that no one chosen before is α times nearer to than the vertex is.
    pub(super) fn choose<'p>(
        &self,
        own: &[u8],
        nodes: Vec<u32>,
        payload: impl Fn(u32) -> &'p [u8],
        most: usize,
    ) -> Result<Vec<Candidate>> {
        let mut candidates = Vec::with_capacity(nodes.len());
        let mut longest = self.norm(own)?;
        for node in nodes {
            candidates.push(Candidate { distance: self.scorer.between(own, payload(node))?, node });
            longest = longest.max(self.norm(payload(node))?);
        }
        candidates.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance).then(a.node.cmp(&b.node)));
        let mut chosen = Vec::with_capacity(most.min(candidates.len()));
        select_by(&candidates, most, &mut chosen, |candidate, other| {
            let candidate = payload(candidate);
            let floor = -longest * self.norm(candidate)?;
            let length = self.scorer.between(payload(other), candidate)? - floor;
            Ok::<_, Error>(self.rule.factor * length.max(0.0) + floor)
        })?;
        Ok(chosen)
    }

    /// The norm of a vector where the rule needs it, and 0 elsewhere: the key that it has as seen from itself is the negative
    /// square.
    fn norm(&self, payload: &[u8]) -> Result<f32> {
        if !self.rule.product {
            return Ok(0.0);
        }
        Ok((-self.scorer.between(payload, payload)?).max(0.0).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::spec;
    use kite_codecs::{PayloadKind, Value};

    fn chosen(metric: Metric, owner: [f32; 2], points: &[[f32; 2]], most: usize) -> Vec<usize> {
        let scorer = Scorer::new(spec(metric, PayloadKind::Full, 0, 2), None).unwrap();
        let encode = |point: &[f32]| {
            let mut payload = Vec::new();
            scorer.encode(Value::F32(point), &mut payload).unwrap();
            payload
        };
        let payloads: Vec<Vec<u8>> = points.iter().map(|point| encode(point)).collect();
        let nodes = (0..payloads.len() as u32).collect();
        let chosen = Pruning::new(&scorer)
            .choose(&encode(&owner), nodes, |node| &payloads[node as usize], most)
            .unwrap();
        chosen.iter().map(|candidate| candidate.node as usize).collect()
    }

    #[test]
    fn alpha_lengthens_distances_by_a_fifth_whatever_the_keys_are() {
        // Owner at 0, a neighbour at 1, a candidate at distance 1 from the neighbour: it is hidden from 1.2 on.
        let at = |x: f32| [x, (1.0 - (x - 1.0).powi(2)).max(0.0).sqrt()];
        let near = at(0.71);
        let far = at(0.73);
        assert!(near[0].hypot(near[1]) < 1.2 && far[0].hypot(far[1]) > 1.2);
        assert_eq!(chosen(Metric::L2, [0.0, 0.0], &[[1.0, 0.0], near], 9), [0, 1]);
        assert_eq!(chosen(Metric::L2, [0.0, 0.0], &[[1.0, 0.0], far], 9), [0]);
        // In L1 the corner at (1, x) is 1 + x away, and x from the neighbour.
        assert_eq!(chosen(Metric::L1, [0.0, 0.0], &[[1.0, 0.0], [1.0, 5.5]], 9), [0, 1]);
        assert_eq!(chosen(Metric::L1, [0.0, 0.0], &[[1.0, 0.0], [1.0, 4.5]], 9), [0]);
    }

    #[test]
    fn inner_products_of_unit_vectors_are_pruned_as_cosines() {
        let mut rng = fastrand::Rng::with_seed(4);
        let mut unit = || {
            let angle = 7.0 * rng.f32();
            [angle.cos(), angle.sin()]
        };
        for _ in 0..50 {
            let points: Vec<[f32; 2]> = (0..12).map(|_| unit()).collect();
            let owner = unit();
            let cosine = chosen(Metric::Cosine, owner, &points, 9);
            assert_eq!(chosen(Metric::InnerProduct, owner, &points, 9), cosine);
            assert!((1..9).contains(&cosine.len()));
        }
    }

    #[test]
    fn no_more_than_asked_for_and_the_nearest_first() {
        let points: Vec<[f32; 2]> = (0..8)
            .map(|n| [f32::cos(n as f32), f32::sin(n as f32)].map(|x| x * (1.0 + n as f32 / 50.0)))
            .collect();
        let all = chosen(Metric::L2, [0.0, 0.0], &points, 8);
        assert_eq!(all.first(), Some(&0));
        assert_eq!(chosen(Metric::L2, [0.0, 0.0], &points, 2), all[..2]);
        assert_eq!(chosen(Metric::L2, [0.0, 0.0], &[], 2), [0; 0]);
    }
}
