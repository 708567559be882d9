//! Dividing rows into parts that fit memory: each row goes to the nearest of some centres, and rows between two centres to both
//! (as in DiskANN: Jayaram Subramanya et al., "DiskANN: Fast Accurate Billion-point Nearest Neighbor Search on a Single Node",
//! NeurIPS 2019, section 3.2.3). What is linked in two parts joins them.

use super::link::mix;
use super::memory::Memory;
use super::rows::Rows;
use crate::Result;
use kite_codecs::{Metric, OwnedValue, Scorer, Spec, Value, VectorType};
use kite_kernels::f16;

/// Rounds of k-means.
const ROUNDS: usize = 8;

/// The centres of the parts.
#[derive(Debug)]
pub(super) struct Centres {
    scorer: Scorer,
    centres: Rows,
    /// A row belongs to its second nearest centre as well if that is not farther than the nearest by more than this factor.
    close: f32,
}

/// Where a row belongs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Nearest {
    pub(super) first: u32,
    /// If the row is close enough to it.
    pub(super) second: Option<u32>,
}

impl Centres {
    /// `count` centres for rows like those of the sample, of which a share of `overlap` is to belong to two.
    pub(super) fn learn(
        spec: &Spec,
        sample: &Rows,
        count: usize,
        overlap: f64,
        seed: u64,
        memory: &Memory,
    ) -> Result<Self> {
        // By inner product every row would be nearest to the longest centre.
        let metric = if spec.metric == Metric::InnerProduct { Metric::L2 } else { spec.metric };
        let scorer = Scorer::new(Spec { metric, code_bits: 0, ..*spec }, None)?;
        let mut learned = Self { centres: Rows::new(memory, scorer.payload_len()), scorer, close: 0.0 };
        let mut order: Vec<u32> = (0..sample.len() as u32).collect();
        order.sort_unstable_by_key(|&row| mix(seed ^ 2, row.into()));
        order.iter().take(count).try_for_each(|&row| learned.centres.push(sample.get(row)))?;
        if matches!(spec.vector_type, VectorType::Vector | VectorType::Halfvec) {
            for _ in 0..ROUNDS {
                learned.improve(sample, memory)?;
            }
        }
        learned.close = learned.factor(sample, overlap);
        Ok(learned)
    }

    pub(super) fn len(&self) -> usize {
        self.centres.len()
    }

    /// Moves every centre to the mean of the sample's rows that are nearest to it.
    fn improve(&mut self, sample: &Rows, memory: &Memory) -> Result<()> {
        let dims = self.scorer.spec().dims;
        let _sums = memory.charge(self.len() * dims * size_of::<f64>());
        let mut sums = vec![vec![0.0_f64; dims]; self.len()];
        let mut counts = vec![0_usize; self.len()];
        for row in 0..sample.len() as u32 {
            let payload = sample.get(row);
            let nearest = self.two_nearest(payload).0.1 as usize;
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
    pub(super) fn nearest(&self, payload: &[u8]) -> Nearest {
        let ((near, first), (far, second)) = self.two_nearest(payload);
        Nearest { first, second: (far <= near * self.close).then_some(second) }
    }

    /// All centres, nearest first.
    pub(super) fn by_distance(&self, payload: &[u8]) -> Vec<u32> {
        let mut centres: Vec<(f32, u32)> =
            (0..self.len() as u32).map(|centre| (self.distance(payload, centre), centre)).collect();
        centres.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        centres.iter().map(|&(_, centre)| centre).collect()
    }

    fn two_nearest(&self, payload: &[u8]) -> ((f32, u32), (f32, u32)) {
        let (mut first, mut second) = ((f32::INFINITY, 0), (f32::INFINITY, 0));
        for centre in 0..self.len() as u32 {
            let distance = self.distance(payload, centre);
            if distance < first.0 {
                (first, second) = ((distance, centre), first);
            } else if distance < second.0 {
                second = (distance, centre);
            }
        }
        (first, second)
    }

    fn distance(&self, payload: &[u8], centre: u32) -> f32 {
        self.scorer.between(payload, self.centres.get(centre)).unwrap_or(f32::INFINITY)
    }

    /// The factor that a share of `overlap` of the sample's rows is within.
    fn factor(&self, sample: &Rows, overlap: f64) -> f32 {
        let mut factors: Vec<f32> = (0..sample.len() as u32)
            .map(|row| self.two_nearest(sample.get(row)))
            .map(|((near, _), (far, _))| far / near)
            .filter(|factor| !factor.is_nan())
            .collect();
        factors.sort_unstable_by(f32::total_cmp);
        let place = (factors.len() as f64 * overlap) as usize;
        factors.get(place.min(factors.len().saturating_sub(1))).copied().unwrap_or(0.0)
    }
}

fn add(sums: &mut [f64], values: impl Iterator<Item = f32>) {
    sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += f64::from(x));
}
