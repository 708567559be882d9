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

/// The part that stays free, of the slots beyond [`SMALL`], where candidates in all directions would fill them: with none, each further
/// link back to a list has all of it looked at again, for hardly better links. Small lists need all of theirs.
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
    /// Whether slots that α would fill before the last candidates go to those in other directions first.
    pub spread: bool,
}

impl Choice {
    /// The paper's, but for short lists.
    pub const PLAIN: Self = Self { alpha: 1.0, few: FEW, enough: ENOUGH, spread: false };

    /// What is best for values and a metric.
    ///
    /// The keys of L2 and cosine distance grow with the square of the length. A negative inner product is no length at all: a long
    /// vector is nearer to all others than these are to each other, so that the heuristic would leave each with a link to
    /// the longest around and no other, and searches with nowhere to go from there.
    #[must_use]
    pub fn of(spec: &Spec) -> Self {
        let alpha = match spec.metric {
            Metric::L2 | Metric::Cosine => ALPHA * ALPHA,
            Metric::L1 | Metric::Hamming | Metric::Jaccard => ALPHA,
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
/// of what the keys hold. Together they take less time, but the first may be enough, so it is for [`FAN`] at most.
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
    // Of the chosen ones those that are not apart.
    let mut unknown = Vec::new();
    let mut rest: &[Candidate] = &[];
    for (n, &candidate) in candidates.iter().enumerate() {
        if chosen.len() == most {
            rest = &candidates[n..];
            break;
        }
        let is_apart = apart.get(n) == Some(&true);
        let rivals: &[Candidate] = if is_apart { &unknown } else { chosen };
        if !hidden(candidate, rivals, choice.alpha, &mut keys, &mut each)? {
            chosen.push(candidate);
            if !is_apart && !apart.is_empty() {
                unknown.push(candidate);
            }
        }
    }
    if !rest.is_empty() && choice.spread && choice.alpha > 1.0 {
        return spread(rest, most, chosen, each);
    }
    let mut compared = chosen.len();
    if chosen.len() < candidates.len().min((most / choice.few).max(2)) {
        let most = (most / choice.enough).max(ENOUGH_LINKS).min(most);
        // Those chosen so far are in the order of the candidates.
        let selected = chosen.len();
        for candidate in candidates {
            if chosen.len() == most {
                break;
            }
            if chosen[..selected].iter().all(|other| other.node != candidate.node) {
                chosen.push(*candidate);
            }
        }
        chosen.sort_unstable_by(Candidate::order);
        compared = 0;
    }
    Ok(compared)
}

/// Chooses again where α > 1 has filled all slots before the last candidates, `rest`, were looked at.
///
/// Where the data has many dimensions, distances hardly differ and α hides little: the nearest take all slots, and those in other
/// directions get none, which searches would need most. So of the chosen and the rest first come those that the paper's rule leaves,
/// then the nearest of the other chosen ones. Answers how many, from the first on, are apart by α.
fn spread<E>(
    rest: &[Candidate],
    most: usize,
    chosen: &mut Vec<Candidate>,
    mut each: impl FnMut(u32, &[Candidate], &mut Vec<f32>) -> Result<(), E>,
) -> Result<usize, E> {
    let most = most - most.saturating_sub(SMALL) / FREE;
    let crowd = std::mem::take(chosen);
    let (mut near, mut keys) = (Vec::new(), Vec::with_capacity(FAN));
    // The chosen ones are nearer than the rest.
    let mut apart = 0;
    for (n, &candidate) in crowd.iter().chain(rest).enumerate() {
        if chosen.len() == most {
            break;
        }
        let was_chosen = n < crowd.len();
        if !hidden(candidate, chosen, 1.0, &mut keys, &mut each)? {
            chosen.push(candidate);
            apart += usize::from(was_chosen);
        } else if was_chosen {
            near.push(candidate);
        }
    }
    near.truncate(most - chosen.len());
    apart += near.len();
    chosen.append(&mut near);
    chosen.sort_unstable_by(Candidate::order);
    Ok(apart)
}

/// Whether one of the rivals is nearer to a candidate, `alpha` times, than the node itself is.
#[inline]
fn hidden<E>(
    candidate: Candidate,
    rivals: &[Candidate],
    alpha: f32,
    keys: &mut Vec<f32>,
    each: &mut impl FnMut(u32, &[Candidate], &mut Vec<f32>) -> Result<(), E>,
) -> Result<bool, E> {
    for others in rivals.chunks(FAN) {
        each(candidate.node, others, keys)?;
        if keys.iter().any(|key| alpha * key < candidate.distance) {
            return Ok(true);
        }
    }
    Ok(false)
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
        for (most, filled) in [(12, vec![1, 2, 3, 4]), (8, vec![1, 3]), (2, vec![1, 3])] {
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
        // The far one has been compared with only the first of the crowd.
        assert_eq!(choose(4, 1.1), (vec![0, 1, 2, far], 3));
        assert_eq!(choose(16, 1.1), ((0..15).chain([far]).collect(), 15));
        // Of slots beyond sixteen a quarter stays free.
        assert_eq!(choose(20, 1.1), ((0..18).chain([far]).collect(), 18));
        assert_eq!(choose(1, 1.1), (vec![0], 1));
        // All have a slot, or the paper's rule leaves no more than two.
        assert_eq!(choose(21, 1.1), ((0..=far).collect(), 21));
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
        assert_eq!(of(Metric::L1, VectorType::Vector).alpha, ALPHA);
        // Where keys are negative, a factor above 1 would prune more.
        for vector_type in [VectorType::Vector, VectorType::Sparsevec] {
            let products = Choice { few: FEW_PRODUCTS, enough: ENOUGH_PRODUCTS, ..Choice::PLAIN };
            assert_eq!(of(Metric::InnerProduct, vector_type), products);
        }
    }
}
