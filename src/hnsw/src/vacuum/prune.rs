//! Which candidates a repaired list leads to.

use crate::Result;
use crate::pool::Candidate;
use kite_codecs::{Metric, Scorer};
use kite_kernels::FAN;

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
    /// A negative inner product is no length, and scaling it by α would prune more where it is negative. What stands in for it
    /// is R|p| − ⟨x, p⟩ for a candidate p, where R is the largest norm around: it is never negative, and it is, up to a factor
    /// that depends on p alone, the square of the distance between x and p after the usual reduction of inner products to
    /// distances, in which each x gets a further coordinate √(R² − |x|²). For unit vectors it is the cosine distance.
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

    /// Chooses at most `most` of the nodes, whose payloads `payload` lends, for the list of the vertex with the payload `own`.
    ///
    /// First what the paper's heuristic chooses, then, from the nearest on, each to which no one chosen is α times nearer than
    /// the vertex is. In one turn at α, near candidates would take all slots where the data has many dimensions, since distances
    /// hardly differ there, and none would be left for those in other directions.
    pub(super) fn choose<'p>(
        &self,
        own: &[u8],
        nodes: Vec<u32>,
        payload: impl Fn(u32) -> &'p [u8],
        most: usize,
    ) -> Result<Vec<Candidate>> {
        let mut distances = Vec::with_capacity(nodes.len());
        self.scorer.between_each(own, nodes.iter().map(|&node| payload(node)), &mut distances)?;
        let mut longest = self.norm(own)?;
        let mut candidates = Vec::with_capacity(nodes.len());
        for (node, distance) in nodes.into_iter().zip(distances) {
            let norm = self.norm(payload(node))?;
            longest = longest.max(norm);
            candidates.push((Candidate { distance, node }, norm));
        }
        candidates.sort_unstable_by(|(a, _), (b, _)| a.order(b));
        let all = candidates.into_iter().map(|(node, norm)| Waiting::new(node, -longest * norm)).collect();
        let mut contest = Contest { scorer: self.scorer, payload, all, chosen: Vec::new(), keys: Vec::new() };
        contest.by_columns(most)?;
        contest.by_rows(self.rule.factor, most)?;
        Ok(contest.chosen)
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

/// A candidate.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    candidate: Candidate,
    /// What its keys lie above.
    floor: f32,
    is_chosen: bool,
    /// How near the nearest of the first `compared` of the chosen is.
    nearest: f32,
    compared: usize,
}

impl Waiting {
    fn new(candidate: Candidate, floor: f32) -> Self {
        Self { candidate, floor, is_chosen: false, nearest: f32::INFINITY, compared: 0 }
    }

    /// Takes note of how near the next of the chosen is.
    #[inline]
    fn meet(&mut self, key: f32) {
        self.nearest = self.nearest.min((key - self.floor).max(0.0));
    }

    /// Whether the way over the nearest of the chosen will do.
    #[inline]
    fn is_hidden(&self, factor: f32) -> bool {
        factor * self.nearest < self.candidate.distance - self.floor
    }
}

/// Candidates, nearest first, and what has been chosen of them. No two are compared twice.
struct Contest<'a, F> {
    scorer: &'a Scorer,
    payload: F,
    all: Vec<Waiting>,
    chosen: Vec<Candidate>,
    keys: Vec<f32>,
}

impl<'p, F: Fn(u32) -> &'p [u8]> Contest<'_, F> {
    /// Chooses those that none of the chosen hides, until there are `most`.
    ///
    /// These are few, so that all candidates are looked at, and each of the chosen is compared with all that are left at once. One
    /// candidate after the other, the processor would wait for each result to know whether to go on.
    fn by_columns(&mut self, most: usize) -> Result<()> {
        let mut open: Vec<usize> = (0..self.all.len()).collect();
        while let Some(&first) = open.first()
            && self.chosen.len() < most
        {
            open.remove(0);
            let Candidate { node, .. } = self.choose(first);
            let payloads = open.iter().map(|&place| (self.payload)(self.all[place].candidate.node));
            self.keys.clear();
            self.scorer.between_each((self.payload)(node), payloads, &mut self.keys)?;
            let (mut keys, compared) = (self.keys.iter(), self.chosen.len());
            open.retain(|&place| {
                let waiting = &mut self.all[place];
                keys.next().into_iter().for_each(|&key| waiting.meet(key));
                waiting.compared = compared;
                !waiting.is_hidden(1.0)
            });
        }
        Ok(())
    }

    /// Chooses of the others those that none of the chosen hides by this factor. Most are hidden by those that they have met, and
    /// many are never looked at, so that one comes after the other.
    fn by_rows(&mut self, factor: f32, most: usize) -> Result<()> {
        for place in 0..self.all.len() {
            if self.chosen.len() >= most {
                break;
            }
            if !self.all[place].is_chosen && !self.is_hidden(place, factor)? {
                self.choose(place);
            }
        }
        Ok(())
    }

    fn choose(&mut self, place: usize) -> Candidate {
        let chosen = &mut self.all[place];
        chosen.is_chosen = true;
        self.chosen.push(chosen.candidate);
        chosen.candidate
    }

    /// Whether one of the chosen hides a candidate. Several are compared with it at a time: together they cost less, but the first may
    /// be enough.
    fn is_hidden(&mut self, place: usize, factor: f32) -> Result<bool> {
        let waiting = &mut self.all[place];
        while !waiting.is_hidden(factor) {
            let next = self.chosen[waiting.compared..].iter().take(FAN);
            if next.len() == 0 {
                return Ok(false);
            }
            let others = next.map(|other| (self.payload)(other.node));
            self.keys.clear();
            self.scorer.between_each((self.payload)(waiting.candidate.node), others, &mut self.keys)?;
            self.keys.iter().for_each(|&key| waiting.meet(key));
            waiting.compared += self.keys.len();
        }
        Ok(true)
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
    fn other_directions_come_before_what_alpha_adds() {
        let points = [[1.0, 0.0], [0.71, 0.957], [-3.0, 0.0]];
        assert_eq!(chosen(Metric::L2, [0.0, 0.0], &points, 2), [0, 2]);
        assert_eq!(chosen(Metric::L2, [0.0, 0.0], &points, 3), [0, 2, 1]);
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
