//! Dividing rows into parts that fit memory: each row goes to the nearest of some centres, and rows between two centres to both
//! (as in DiskANN: Jayaram Subramanya et al., "DiskANN: Fast Accurate Billion-point Nearest Neighbor Search on a Single Node",
//! NeurIPS 2019, section 3.2.3). What is linked in two parts joins them.

use super::Host;
use super::link::mix;
use super::memory::{Counted, Memory};
use super::rows::Rows;
use crate::Result;
use kite_codecs::{Metric, OwnedValue, Scorer, Spec, Value, VectorType};
use kite_kernels::f16;

/// Rounds of k-means.
const ROUNDS: usize = 8;
/// Steps towards parts of equal size, in each round and after the last.
const STEPS: usize = 4;
const LAST_STEPS: usize = 60;
/// The centres of the parts.
#[derive(Debug)]
pub(super) struct Centres {
    scorer: Scorer,
    centres: Rows,
    /// What distances from a centre are multiplied by: more for those that too many rows are near to.
    weights: Vec<f32>,
    /// A row belongs to its second nearest centre as well if that is not farther than the nearest by more than this factor.
    close: f32,
    /// The share of the rows that the largest part has, those of other parts included.
    largest: f64,
    /// From a row to every centre.
    measured: Vec<f32>,
}

/// Where a row belongs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Nearest {
    pub(super) first: u32,
    /// If the row is close enough to it.
    pub(super) second: Option<u32>,
}

impl Centres {
    /// At most `count` centres for rows like those of the sample, of which a share of `overlap` is to belong to two.
    pub(super) fn learn(
        spec: &Spec,
        sample: &Rows,
        (count, overlap): (usize, f64),
        seed: u64,
        memory: &Memory,
        host: &impl Host,
    ) -> Result<Self> {
        // By inner product every row would be nearest to the longest centre.
        let metric = if spec.metric == Metric::InnerProduct { Metric::L2 } else { spec.metric };
        let scorer = Scorer::new(Spec { metric, code_bits: 0, ..*spec }, None)?;
        let count = count.min(sample.len());
        let mut learned = Self {
            centres: Rows::new(memory, scorer.payload_len()),
            scorer,
            weights: vec![1.0; count],
            close: 0.0,
            largest: 1.0,
            measured: Vec::new(),
        };
        let mut order: Vec<u32> = (0..sample.len() as u32).collect();
        order.sort_unstable_by_key(|&row| mix(seed ^ 2, row.into()));
        order.iter().take(count).try_for_each(|&row| learned.centres.push(sample.get(row)))?;
        if matches!(spec.vector_type, VectorType::Vector | VectorType::Halfvec) {
            for _ in 0..ROUNDS {
                let nearest = learned.balance(&learned.distances(sample, memory, host)?, STEPS);
                learned.improve(sample, &nearest, memory)?;
            }
        }
        let distances = learned.distances(sample, memory, host)?;
        learned.balance(&distances, LAST_STEPS);
        let two: Vec<TwoNearest> =
            distances.chunks_exact(count).map(|row| two_nearest(row, &learned.weights)).collect();
        learned.close = factor_within(&two, overlap);
        let mut sizes = vec![0_usize; count];
        for nearest in two.iter().map(|two| learned.belongs(two)) {
            [Some(nearest.first), nearest.second]
                .into_iter()
                .flatten()
                .for_each(|part| sizes[part as usize] += 1);
        }
        learned.largest = sizes.into_iter().max().unwrap_or(0) as f64 / two.len().max(1) as f64;
        Ok(learned)
    }

    /// The share of the rows that the largest part has, those included that belong elsewhere first of all.
    pub(super) fn largest(&self) -> f64 {
        self.largest
    }

    pub(super) fn len(&self) -> usize {
        self.centres.len()
    }

    /// How far each row is from each centre, before weights.
    fn distances(&self, sample: &Rows, memory: &Memory, host: &impl Host) -> Result<Counted<f32>> {
        let mut distances = Counted::new(memory);
        distances.reserve_exact(sample.len() * self.len())?;
        for row in 0..sample.len() as u32 {
            host.go_on()?;
            for centre in 0..self.len() as u32 {
                distances.push(self.distance(sample.get(row), centre))?;
            }
        }
        Ok(distances)
    }

    /// Moves the weights towards parts of equal size, and answers the nearest centre of each row.
    fn balance(&mut self, distances: &[f32], steps: usize) -> Vec<u32> {
        let count = self.len();
        let rows = || distances.chunks_exact(count);
        let mean = rows().len() as f32 / count as f32;
        let mut best = (usize::MAX, self.weights.clone());
        for step in 0..=steps {
            let two: Vec<TwoNearest> = rows().map(|row| two_nearest(row, &self.weights)).collect();
            let mut sizes = vec![0_usize; count];
            two.iter().for_each(|&((_, nearest), _)| sizes[nearest as usize] += 1);
            let largest = sizes.iter().copied().max().unwrap_or(0);
            if largest < best.0 {
                best = (largest, self.weights.clone());
            }
            let relaxed = 1.0 / (1.0 + step as f32 / 4.0);
            let pace = relaxed * (factor_within(&two, 0.5) - 1.0).clamp(0.0, 1.0);
            for (weight, &size) in self.weights.iter_mut().zip(&sizes) {
                *weight *= 1.0 + pace * (size as f32 / mean - 1.0).clamp(-0.9, 1.0);
            }
        }
        self.weights = best.1;
        rows().map(|row| two_nearest(row, &self.weights).0.1).collect()
    }

    /// Moves every centre to the mean of the sample's rows that are nearest to it.
    fn improve(&mut self, sample: &Rows, nearest: &[u32], memory: &Memory) -> Result<()> {
        let dims = self.scorer.spec().dims;
        let _sums = memory.charge(self.len() * dims * size_of::<f64>());
        let mut sums = vec![vec![0.0_f64; dims]; self.len()];
        let mut counts = vec![0_usize; self.len()];
        for (row, &nearest) in (0..).zip(nearest) {
            let (payload, nearest) = (sample.get(row), nearest as usize);
            counts[nearest] += 1;
            match self.scorer.value(payload)? {
                OwnedValue::F32(values) => add(&mut sums[nearest], values.iter().copied()),
                OwnedValue::F16(values) => add(&mut sums[nearest], values.iter().map(|x| x.to_f32())),
                OwnedValue::Bits(_) | OwnedValue::Sparse(_) => {}
            }
        }
        let mut centres = Rows::new(memory, self.scorer.payload_len());
        let mut payload = Vec::new();
        for (centre, (sums, &count)) in (0..).zip(sums.iter().zip(&counts)) {
            let mean = sums.iter().map(|sum| sum / count.max(1) as f64);
            payload.clear();
            let encoded = match self.scorer.spec().vector_type {
                VectorType::Halfvec => {
                    let mean: Vec<f16> = mean.map(f16::from_f64).collect();
                    self.scorer.encode(Value::F16(&mean), &mut payload)
                }
                _ => {
                    let mean: Vec<f32> = mean.map(|x| x as f32).collect();
                    self.scorer.encode(Value::F32(&mean), &mut payload)
                }
            };
            // A centre without rows, or whose rows cancel out, stays where it is.
            let stays = count == 0 || encoded.is_err();
            centres.push(if stays { self.centres.get(centre) } else { &payload })?;
        }
        self.centres = centres;
        Ok(())
    }

    /// Where a row belongs.
    pub(super) fn nearest(&mut self, payload: &[u8]) -> Nearest {
        self.measure(payload);
        self.belongs(&two_nearest(&self.measured, &self.weights))
    }

    fn belongs(&self, &((near, first), (far, second)): &TwoNearest) -> Nearest {
        Nearest { first, second: (far <= near * self.close).then_some(second) }
    }

    /// All centres, nearest first.
    pub(super) fn by_distance(&mut self, payload: &[u8]) -> Vec<u32> {
        self.measure(payload);
        let mut centres: Vec<u32> = (0..self.len() as u32).collect();
        let distance = |centre: u32| self.measured[centre as usize] * self.weights[centre as usize];
        centres.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
        centres
    }

    fn measure(&mut self, payload: &[u8]) {
        self.measured.clear();
        for centre in 0..self.len() as u32 {
            let distance = self.distance(payload, centre);
            self.measured.push(distance);
        }
    }

    /// How far a row is from a centre, before weights.
    fn distance(&self, payload: &[u8], centre: u32) -> f32 {
        self.scorer.between(payload, self.centres.get(centre)).unwrap_or(f32::INFINITY)
    }
}

/// A centre and its distance, of the nearest and the second nearest.
type TwoNearest = ((f32, u32), (f32, u32));

fn two_nearest(distances: &[f32], weights: &[f32]) -> TwoNearest {
    let (mut first, mut second) = ((f32::INFINITY, 0), (f32::INFINITY, 0));
    for (centre, (distance, weight)) in (0..).zip(distances.iter().zip(weights)) {
        let distance = distance * weight;
        if distance < first.0 {
            (first, second) = ((distance, centre), first);
        } else if distance < second.0 {
            second = (distance, centre);
        }
    }
    (first, second)
}

/// The factor between the distances from the two nearest centres that a share of the rows is within.
fn factor_within(rows: &[TwoNearest], share: f64) -> f32 {
    let factors = rows.iter().map(|((near, _), (far, _))| far / near);
    let mut factors: Vec<f32> = factors.filter(|factor| !factor.is_nan()).collect();
    factors.sort_unstable_by(f32::total_cmp);
    let place = (factors.len() as f64 * share) as usize;
    factors.get(place.min(factors.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

fn add(sums: &mut [f64], values: impl Iterator<Item = f32>) {
    sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += f64::from(x));
}
