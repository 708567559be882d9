//! Which candidates a repaired list leads to.

use crate::Result;
use kite_codecs::{Metric, Scorer};

/// By how much a way over another neighbour may be longer before a direct link is worth a slot; Singh et al., "FreshDiskANN",
/// 2021. At 1.0 a list loses with every repair, since it keeps only what the paper's heuristic would have chosen.
const ALPHA: f32 = 1.2;

/// A candidate for a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    /// The key as seen from the vertex of the list.
    pub(super) key: f32,
    pub(super) payload: &'a [u8],
    /// Its place among those that were met.
    pub(super) place: usize,
}

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

    /// Chooses at most `most` of the candidates for the list of `owner`: from the nearest on, each that no neighbour chosen before is α times
    /// nearer to than `owner` is. Puts the chosen ones first, nearest first, and answers how many they are.
    pub(super) fn choose(
        &self,
        owner: &[u8],
        candidates: &mut [Candidate<'_>],
        most: usize,
    ) -> Result<usize> {
        for candidate in candidates.iter_mut() {
            candidate.key = self.scorer.between(owner, candidate.payload)?;
        }
        candidates.sort_unstable_by(|a, b| a.key.total_cmp(&b.key).then(a.place.cmp(&b.place)));
        let longest = self.longest(owner, candidates)?;
        let mut chosen = 0;
        for next in 0..candidates.len() {
            if chosen == most {
                break;
            }
            if !self.is_hidden(candidates, chosen, next, longest)? {
                candidates.swap(chosen, next);
                chosen += 1;
            }
        }
        Ok(chosen)
    }

    /// Whether one of the `chosen` first is so near to the candidate that the way over it will do.
    fn is_hidden(
        &self,
        candidates: &[Candidate<'_>],
        chosen: usize,
        next: usize,
        longest: f32,
    ) -> Result<bool> {
        let candidate = candidates[next];
        let floor = if self.rule.product { -longest * self.norm(candidate.payload)? } else { 0.0 };
        let direct = candidate.key - floor;
        for other in &candidates[..chosen] {
            let between = self.scorer.between(other.payload, candidate.payload)? - floor;
            if self.rule.factor * between.max(0.0) <= direct {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The largest norm, where it matters.
    fn longest(&self, owner: &[u8], candidates: &[Candidate<'_>]) -> Result<f32> {
        if !self.rule.product {
            return Ok(0.0);
        }
        let all = candidates.iter().map(|candidate| candidate.payload).chain([owner]);
        all.map(|payload| self.norm(payload)).try_fold(0.0, |longest, norm| Ok(f32::max(longest, norm?)))
    }

    /// From the key that a vector has as seen from itself, which is the negative square of its norm.
    fn norm(&self, payload: &[u8]) -> Result<f32> {
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
        let mut candidates: Vec<Candidate<'_>> = payloads
            .iter()
            .enumerate()
            .map(|(place, payload)| Candidate { key: 0.0, payload, place })
            .collect();
        let count = Pruning::new(&scorer).choose(&encode(&owner), &mut candidates, most).unwrap();
        candidates[..count].iter().map(|candidate| candidate.place).collect()
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
