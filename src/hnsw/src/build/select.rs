//! Which of the nearest nodes become neighbours.

use super::Distances;
use crate::pool::Candidate;
use kite_codecs::{Metric, Spec, VectorType};
use kite_kernels::FAN;
use std::convert::Infallible;

/// How many times nearer a neighbour has to be to a candidate than the node itself is, if the node is to do without a link of its
/// own to the candidate (the α of Subramanya et al., "DiskANN", NeurIPS 2019). At the paper's 1 most slots of a list stay empty. At
/// 1.025 a list has a quarter to a third more links, and a search finds more while it reads as many pages. At 1.05 it has half more,
/// which gains at most half of that again, but indexes that grow by inserts would be larger than pgvector's.
const ALPHA: f32 = 1.025;

/// The part that stays free, of the slots beyond [`SMALL`], where `spread` candidates would fill them: with none, each further link back
/// to a list has all of it looked at again, for hardly better links. Small lists need all of theirs.
const FREE: usize = 4;
const SMALL: usize = 16;

/// The part of the slots below which links are few. A row in the middle of a dense cluster is nearer to each of the others than these
/// are to each other, so that the heuristic would leave them a link to that row and no other, and that row has no slots for all of
/// them.
const FEW: usize = 8;
/// The part of the slots that is enough where links would be few. What all of them would cost stands in the README.
const ENOUGH: usize = 4;
/// In small lists so many are.
const ENOUGH_LINKS: usize = 8;
/// The same for inner products, where such rows are the rule, and need all slots.
const FEW_PRODUCTS: usize = 4;
const ENOUGH_PRODUCTS: usize = 1;

/// How neighbours are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// How many times nearer, in keys, a neighbour has to be to a candidate than the node itself is, if it is to lead there
    /// instead. 1 in the paper.
    pub alpha: f32,
    /// Where the heuristic would leave one link, or links for less than this part of the slots, the nearest of the others are added
    /// (the paper's `keepPrunedConnections`),
    pub few: usize,
    /// up to this part of the slots, or eight.
    pub enough: usize,
    /// Whether slots go to those in directions of their own first, as the paper's rule has them, and then to the nearest that only
    /// `alpha` keeps. Where not all of these have a slot, some slots stay free.
    pub spread: bool,
}

impl Choice {
    /// The paper's, but for short lists.
    pub const PLAIN: Self = Self { alpha: 1.0, few: FEW, enough: ENOUGH, spread: false };

    /// What is best for values and a metric.
    ///
    /// The keys of L2, cosine and Hamming distance grow with the square of the length. A negative inner product is no length at all: a long
    /// vector is nearer to all others than these are to each other, so that the heuristic would leave each with a link to
    /// the longest around and no other, and searches with nowhere to go from there.
    #[must_use]
    pub fn of(spec: &Spec) -> Self {
        let alpha = match spec.metric {
            Metric::L2 | Metric::Cosine | Metric::Hamming => ALPHA * ALPHA,
            Metric::L1 | Metric::Jaccard => ALPHA,
            Metric::InnerProduct => {
                return Self { few: FEW_PRODUCTS, enough: ENOUGH_PRODUCTS, ..Self::PLAIN };
            }
        };
        // Of the sets that were measured (see the README) only sparse ones gain.
        Self { alpha, spread: spec.vector_type == VectorType::Sparsevec, ..Self::PLAIN }
    }
}

/// [`select_by`] among the nodes of a build. Those that are `apart` are the ones that it has chosen for the same node before, and
/// need not be compared with each other again. Answers how many of those chosen, from the first on, are apart from now on.
pub(super) fn select(
    distances: &impl Distances,
    (candidates, apart): (&[Candidate], &[bool]),
    (most, choice): (usize, Choice),
    chosen: &mut Vec<Candidate>,
) -> usize {
    let mut nodes = Vec::with_capacity(FAN);
    let each = |node, others: &[Candidate], keys: &mut Vec<f32>| {
        nodes.clear();
        nodes.extend(others.iter().map(|other| other.node));
        distances.each(node, &nodes, keys);
        Ok::<_, Infallible>(())
    };
    let Ok(apart) = select_known((candidates, apart), (most, choice), chosen, each);
    apart
}

/// The heuristic of the paper (its algorithm 4): from the nearest on, a candidate becomes a neighbour unless it is nearer to a
/// neighbour chosen before, `alpha` times, than to the node itself, since then that neighbour leads to it. Links so point into
/// different directions, and stay fewer than `most` where the data has few of them.
///
/// `candidates` are in order, nearest first; `each` is asked for the distances of several of them from one, in their order, in place
/// of what the keys hold. Together they take less time, but the first may be enough, so dense ones are asked for by [`FAN`]. Those in
/// directions of their own come first in `chosen`, nearest first.
pub(crate) fn select_by<E>(
    candidates: &[Candidate],
    (most, choice): (usize, Choice),
    chosen: &mut Vec<Candidate>,
    each: impl FnMut(u32, &[Candidate], &mut Vec<f32>) -> Result<(), E>,
) -> Result<(), E> {
    select_known((candidates, &[]), (most, choice), chosen, each).map(|_| ())
}

/// The same where something is known of candidates, see [`select`].
fn select_known<E>(
    (candidates, apart): (&[Candidate], &[bool]),
    (most, choice): (usize, Choice),
    chosen: &mut Vec<Candidate>,
    mut each: impl FnMut(u32, &[Candidate], &mut Vec<f32>) -> Result<(), E>,
) -> Result<usize, E> {
    chosen.clear();
    let mut keys = Vec::with_capacity(FAN);
    let (mut unknown, mut between) = (Vec::new(), Vec::new());
    let slots = choice.slots(most);
    for (n, &candidate) in candidates.iter().enumerate() {
        if chosen.len() == slots {
            break;
        }
        // Of the chosen ones those that are not apart.
        let is_apart = apart.get(n) == Some(&true);
        let rivals: &[Candidate] = if is_apart { &unknown } else { chosen };
        match choice.place(candidate, rivals, &mut keys, &mut each)? {
            Place::Hidden => {}
            Place::Between => between.push(candidate),
            Place::Apart => {
                chosen.push(candidate);
                if !is_apart && !apart.is_empty() {
                    unknown.push(candidate);
                }
            }
        }
    }
    let selected = chosen.len();
    let most = if selected + between.len() > most { slots } else { most };
    chosen.extend(between.iter().take(most - selected));
    if chosen.len() < candidates.len().min((most / choice.few).max(2)) {
        let most = (most / choice.enough).max(ENOUGH_LINKS).min(most);
        let known = chosen.len();
        for candidate in candidates {
            if chosen.len() == most {
                break;
            }
            if chosen[..known].iter().all(|other| other.node != candidate.node) {
                chosen.push(*candidate);
            }
        }
    }
    Ok(selected)
}

/// Where a candidate lies beside those that have been chosen.
enum Place {
    /// One of them leads to it.
    Hidden,
    /// One of them is nearer to it than the node itself, but not α times.
    Between,
    /// In a direction of its own.
    Apart,
}

impl Choice {
    /// The slots, but for those that stay free where all would be filled.
    fn slots(&self, most: usize) -> usize {
        if self.spread { most - most.saturating_sub(SMALL) / FREE } else { most }
    }

    #[inline]
    fn place<E>(
        &self,
        candidate: Candidate,
        rivals: &[Candidate],
        keys: &mut Vec<f32>,
        each: &mut impl FnMut(u32, &[Candidate], &mut Vec<f32>) -> Result<(), E>,
    ) -> Result<Place, E> {
        let mut place = Place::Apart;
        // A sparse vector is laid out for each call, which costs more than a distance that was not needed.
        for others in rivals.chunks(if self.spread { usize::MAX } else { FAN }) {
            each(candidate.node, others, keys)?;
            if keys.iter().any(|key| self.alpha * key < candidate.distance) {
                return Ok(Place::Hidden);
            }
            if self.spread && keys.iter().any(|&key| key < candidate.distance) {
                place = Place::Between;
            }
        }
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kite_codecs::PayloadKind;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

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
        let mut nodes = |most, alpha| {
            select(&line, (&candidates, &[]), (most, Choice { alpha, ..Choice::PLAIN }), &mut chosen);
            chosen.iter().map(|candidate| candidate.node).collect::<Vec<u32>>()
        };
        assert_eq!(nodes(8, 1.0), [1, 3]);
        assert_eq!(nodes(1, 1.0), [1]);
        // The second point is at a distance of 2, and of 1 from the first.
        assert_eq!(nodes(8, 1.9), [1, 3]);
        assert_eq!(nodes(8, 2.0), [1, 2, 3]);
        let few = Choice { few: 4, enough: 1, ..Choice::PLAIN };
        for (most, filled) in [(12, vec![1, 3, 2, 4]), (8, vec![1, 3]), (2, vec![1, 3])] {
            select(&line, (&candidates, &[]), (most, few), &mut chosen);
            assert_eq!(chosen.iter().map(|candidate| candidate.node).collect::<Vec<u32>>(), filled);
        }
        // One link is few, whatever the number of slots.
        select(
            &line,
            (&candidates[2..], &[]),
            (4, Choice { few: 4, enough: 1, ..Choice::PLAIN }),
            &mut chosen,
        );
        assert_eq!(chosen.iter().map(|candidate| candidate.node).collect::<Vec<u32>>(), [3, 4]);
    }

    /// Points of a plane, which counts how often it is asked.
    struct Plane(Vec<(f32, f32)>, AtomicUsize);

    impl Distances for Plane {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn between(&self, a: u32, b: u32) -> f32 {
            self.1.fetch_add(1, Relaxed);
            let (a, b) = (self.0[a as usize], self.0[b as usize]);
            (a.0 - b.0).powi(2) + (a.1 - b.1).powi(2)
        }
        fn prefetch(&self, _: u32) {}
    }

    #[test]
    fn those_chosen_before_need_not_be_compared() {
        let mut random = fastrand::Rng::with_seed(11);
        let (mut asked, mut less) = (0, 0);
        for round in 0..200 {
            let points = (0..61).map(|_| (random.f32(), random.f32())).collect();
            let plane = Plane(points, AtomicUsize::new(0));
            let of = |nodes: Vec<u32>| {
                let candidate = |node| Candidate { distance: plane.between(0, node), node };
                let mut candidates: Vec<Candidate> = nodes.into_iter().map(candidate).collect();
                candidates.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance));
                candidates
            };
            let choice = Choice { alpha: 1.5, spread: round % 2 == 0, ..Choice::PLAIN };
            let (mut before, mut chosen, mut again) = (Vec::new(), Vec::new(), Vec::new());
            let apart = select(&plane, (&of((1..40).collect()), &[]), (8 + round % 8, choice), &mut before);
            assert!(apart <= before.len());
            let nodes: Vec<u32> = before.iter().map(|candidate| candidate.node).collect();
            let candidates = of(nodes.iter().copied().chain(40..61).collect());
            let known: Vec<bool> =
                candidates.iter().map(|candidate| nodes[..apart].contains(&candidate.node)).collect();
            let count = |known: &[bool], chosen: &mut Vec<Candidate>| {
                plane.1.store(0, Relaxed);
                let apart = select(&plane, (&candidates, known), (8, choice), chosen);
                (apart, plane.1.load(Relaxed))
            };
            let (plain, with) = (count(&[], &mut chosen), count(&known, &mut again));
            assert_eq!((&chosen, plain.0), (&again, with.0));
            (asked, less) = (asked + plain.1, less + with.1);
        }
        assert!(less < asked, "{less} of {asked}");
    }

    /// Candidates that lie close together but for α, and one far off in another direction.
    #[test]
    fn a_crowd_leaves_slots_for_other_directions() {
        let far = 20;
        let candidates: Vec<Candidate> = (0..=far)
            .map(|node| Candidate { distance: if node == far { 2.0 } else { 1.0 + node as f32 / 1e4 }, node })
            .collect();
        let mut chosen = Vec::new();
        let mut choose = |most, alpha| {
            let each = |node, others: &[Candidate], keys: &mut Vec<f32>| {
                keys.clear();
                keys.extend(others.iter().map(|_| if node == far { 2.5 } else { 0.99 }));
                Ok::<_, Infallible>(())
            };
            let choice = Choice { alpha, enough: 8, spread: true, ..Choice::PLAIN };
            let Ok(apart) = select_known((&candidates, &[]), (most, choice), &mut chosen, each);
            (chosen.iter().map(|candidate| candidate.node).collect::<Vec<u32>>(), apart)
        };
        let with = |near| [0, far].into_iter().chain(1..near).collect::<Vec<u32>>();
        assert_eq!(choose(4, 1.1), (with(3), 2));
        assert_eq!(choose(16, 1.1), (with(15), 2));
        // Of slots beyond sixteen a quarter stays free.
        assert_eq!(choose(20, 1.1), (with(18), 2));
        assert_eq!(choose(1, 1.1), (vec![0], 1));
        // All have a slot, or α keeps none that the paper's rule does not.
        assert_eq!(choose(21, 1.1), (with(20), 2));
        assert_eq!(choose(16, 1.0), (vec![0, far], 2));
    }

    #[test]
    fn alpha_is_squared_where_keys_are() {
        let of = |metric, vector_type| {
            let payload = PayloadKind::Full;
            Choice::of(&Spec { vector_type, metric, payload, code_bits: 0, dims: 8 })
        };
        for metric in [Metric::L2, Metric::Cosine] {
            assert_eq!(of(metric, VectorType::Vector).alpha, ALPHA * ALPHA);
            assert!(!of(metric, VectorType::Vector).spread && of(metric, VectorType::Sparsevec).spread);
        }
        assert_eq!(of(Metric::Hamming, VectorType::Bit).alpha, ALPHA * ALPHA);
        assert_eq!(of(Metric::L1, VectorType::Vector).alpha, ALPHA);
        // Where keys are negative, a factor above 1 would prune more.
        for vector_type in [VectorType::Vector, VectorType::Sparsevec] {
            let products = Choice { few: FEW_PRODUCTS, enough: ENOUGH_PRODUCTS, ..Choice::PLAIN };
            assert_eq!(of(Metric::InnerProduct, vector_type), products);
        }
    }
}
