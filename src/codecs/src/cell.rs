//! The codes of RaBitQ relative to a centre of their own cell: what an inverted file scans.
//!
//! `rabitq.rs` has the formulas. What is different here: points and centres come rotated (see [`Space`](crate::Space)), so that
//! the residual of a query from the centre of a list is one subtraction, and no list costs a rotation; and the error of an estimate is taken off
//! at once, since it decides what is looked at exactly.
//!
//! ```text
//! code      planes of B bits per dimension (see `kite_kernels::Codes`)
//! factors   add, mul: bf16 each. The key is base + add + mul·(y·(q − c))
//! ```

use crate::rabitq::FACTORS;
use crate::{Error, Metric, Result};
use ::half::bf16;
use kite_kernels::{Kernels, arrange_one_bit, arrange_two_bits};

/// Codes whose products are kept on the stack.
const BATCH: usize = 64;
/// Adding it leaves a float whose lowest bits are the nearest whole number.
const ROUND: f32 = 12_582_912.0;

/// Makes and reads codes of one or two bits per dimension, relative to a centre that each call names.
#[derive(Debug, Clone)]
pub struct CellCoder {
    metric: Metric,
    bits: usize,
    dims: usize,
    kernels: &'static Kernels,
    score: fn(&[i8], &[u8], &mut [i32]),
    make: fn(&[f32], &mut [u8]) -> f64,
}

/// Where a thread prepares queries.
#[derive(Debug, Clone, Default)]
pub struct CellDesk {
    residual: Vec<f32>,
    elements: Vec<i8>,
}

/// A query as it is seen from the centre of a list. It can be used for one list after the other.
#[derive(Debug, Clone, Default)]
pub struct CellQuery {
    /// Signed bytes as the kernel takes them.
    arranged: Vec<i8>,
    step: f32,
    /// What the products are too large by, since fields are not negative.
    excess: f32,
    base: f32,
    /// |q − c|
    norm: f32,
}

impl CellCoder {
    /// For points of so many elements, a multiple of eight.
    ///
    /// # Errors
    /// Other numbers of bits, metrics that have no codes, other numbers of elements.
    pub fn new(metric: Metric, bits: u8, dims: usize) -> Result<Self> {
        let kernels = kite_kernels::kernels();
        let products = matches!(metric, Metric::L2 | Metric::InnerProduct | Metric::Cosine);
        if !(1..=2).contains(&bits) || !products || !dims.is_multiple_of(8) || dims == 0 {
            return Err(Error::Corrupt("codes of these dimensions, bits or distance do not exist"));
        }
        let score = if bits == 1 { kernels.codes.one_bit } else { kernels.codes.two_bits };
        let make = if bits == 1 { kernels.encode_one_bit } else { kernels.encode_two_bits };
        Ok(Self { metric, bits: usize::from(bits), dims, kernels, score, make })
    }

    /// Bytes of a code.
    #[must_use]
    pub fn code_len(&self) -> usize {
        self.dims * self.bits / 8
    }

    /// Bytes of the factors of a code.
    #[must_use]
    pub fn factors_len(&self) -> usize {
        FACTORS
    }

    /// Appends code and factors of a point, relative to a centre. `residual` is room to work in.
    ///
    /// # Panics
    /// When point and centre have other lengths than the coder's.
    pub fn encode(&self, point: &[f32], centre: &[f32], residual: &mut Vec<f32>, out: &mut Vec<u8>) {
        assert!(point.len() == self.dims && centre.len() == self.dims, "points of this coder's length");
        residual.clear();
        residual.extend(point.iter().zip(centre).map(|(x, c)| x - c));
        let squared = (self.kernels.f32.norm_squared)(residual) as f32;
        let start = out.len();
        out.resize(start + self.code_len(), 0);
        let product = (self.make)(residual, &mut out[start..]);
        // A point at the centre is known by its distance alone.
        let f = if product > 0.0 { (f64::from(squared) / product) as f32 } else { 0.0 };
        let (add, mul) = match self.metric {
            Metric::InnerProduct | Metric::Cosine => (-(self.kernels.f32.dot)(centre, residual), -f),
            _ => (squared, -2.0 * f),
        };
        for factor in [add, mul] {
            // Finite, so that what is far out of range is only estimated badly.
            let factor = bf16::from_f32(factor).clamp(bf16::MIN, bf16::MAX);
            out.extend_from_slice(&factor.to_bits().to_ne_bytes());
        }
    }

    /// Looks at a query from the centre of a list.
    ///
    /// # Panics
    /// As [`CellCoder::encode`].
    pub fn prepare(&self, point: &[f32], centre: &[f32], desk: &mut CellDesk, query: &mut CellQuery) {
        assert!(point.len() == self.dims && centre.len() == self.dims, "points of this coder's length");
        let CellDesk { residual, elements } = desk;
        residual.clear();
        residual.extend(point.iter().zip(centre).map(|(x, c)| x - c));
        let (least, most) = (self.kernels.range)(residual);
        let largest = most.max(-least).max(0.0);
        let squared = (self.kernels.f32.norm_squared)(residual) as f32;
        let across = || -(self.kernels.f32.dot)(centre, point);
        query.base = match self.metric {
            Metric::InnerProduct => across(),
            Metric::Cosine => 1.0 + across(),
            _ => squared,
        };
        query.norm = squared.sqrt();
        query.step = largest / 127.0;
        let inverse = if query.step > 0.0 { 127.0 / largest } else { 0.0 };
        elements.clear();
        elements.extend(residual.iter().map(|x| (x * inverse + ROUND).to_bits() as i8));
        let sum: i32 = elements.iter().map(|&x| i32::from(x)).sum();
        let middle = ((1 << self.bits) - 1) as f32 / 2.0;
        query.excess = middle * sum as f32;
        let arrange = if self.bits == 1 { arrange_one_bit } else { arrange_two_bits };
        query.arranged = arrange(elements);
    }

    /// What the keys of as many codes as `out` holds are at least, but for a share of them that falls with `epsilon` (the papers
    /// take 1.9); with 0, their unbiased estimates. Codes lie one after the other, and so do their factors.
    ///
    /// The error is taken at its mean for a vector that a random rotation has spread, and a tenth more.
    ///
    /// # Errors
    /// Codes and factors that do not match.
    pub fn at_least(
        &self,
        query: &CellQuery,
        codes: &[u8],
        factors: &[u8],
        epsilon: f32,
        out: &mut [f32],
    ) -> Result<()> {
        let size = self.code_len();
        let (factors, rest) = factors.as_chunks::<FACTORS>();
        if codes.len() != size * out.len() || factors.len() != out.len() || !rest.is_empty() {
            return Err(Error::Corrupt("codes and factors of a list do not match"));
        }
        let dims = self.dims as f32;
        let spread = if self.bits == 1 { 0.302 } else { 0.329 };
        let (mut error, mut rounding, mut rounding_mul) = (0.0, 0.0, 0.0);
        if epsilon > 0.0 {
            error = 1.1 * spread * epsilon * query.norm * (dims / (dims - 1.0)).sqrt();
            // Of the factors.
            rounding = 1.0 / 512.0;
            rounding_mul = dims.sqrt() * query.norm / 512.0;
        }
        let mut products = [0; BATCH];
        let batches = codes.chunks(BATCH * size).zip(factors.chunks(BATCH)).zip(out.chunks_mut(BATCH));
        for ((codes, factors), out) in batches {
            let products = &mut products[..out.len()];
            (self.score)(&query.arranged, codes, products);
            for ((out, product), factors) in out.iter_mut().zip(products).zip(factors) {
                let [add, mul] = read(factors);
                let estimate = query.base + add + mul * (query.step * (*product as f32 - query.excess));
                *out = estimate - mul.abs() * (error + rounding_mul) - add.abs() * rounding;
            }
        }
        Ok(())
    }
}

/// A bf16 is the upper half of an f32. (Of one word, so that the compiler makes vectors of it.)
#[inline]
fn read(factors: &[u8; FACTORS]) -> [f32; 2] {
    let word = u32::from_ne_bytes(*factors);
    let [low, high] = [word << 16, word & 0xffff_0000].map(f32::from_bits);
    if cfg!(target_endian = "little") { [low, high] } else { [high, low] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Space, Value};
    use fastrand::Rng;

    fn gaussian(rng: &mut Rng) -> f32 {
        (0..12).map(|_| rng.f32()).sum::<f32>() - 6.0
    }

    fn truth(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
        let sum = |f: fn(f64, f64) -> f64| -> f64 {
            a.iter().zip(b).map(|(a, b)| f(f64::from(*a), f64::from(*b))).sum()
        };
        match metric {
            Metric::InnerProduct => -sum(|a, b| a * b),
            Metric::Cosine => 1.0 - sum(|a, b| a * b),
            _ => sum(|a, b| (a - b) * (a - b)),
        }
    }

    /// Estimates are right on the average, and 19 in 20 keys lie above what they are said to be at least.
    #[test]
    fn estimates_are_unbiased_and_bounds_hold() {
        for dims in [64, 100, 384] {
            for bits in [1, 2] {
                for metric in [Metric::L2, Metric::InnerProduct, Metric::Cosine] {
                    let (mut sum, mut squares, mut above, mut count) = (0.0, 0.0, 0, 0);
                    for seed in 0..40 {
                        let mut rng = Rng::with_seed(seed);
                        let space = Space::new(metric, dims, Some(seed));
                        let coder = CellCoder::new(metric, bits, space.len()).unwrap();
                        let middle: Vec<f32> = (0..dims).map(|_| gaussian(&mut rng)).collect();
                        let mut draw = |spread: f32| {
                            let values: Vec<f32> =
                                middle.iter().map(|c| c + spread * gaussian(&mut rng)).collect();
                            let mut point = Vec::new();
                            assert!(space.point(Value::F32(&values), &mut point));
                            point
                        };
                        let (centre, point) = (draw(0.3), draw(0.5));
                        let mut query = CellQuery::default();
                        coder.prepare(&point, &centre, &mut CellDesk::default(), &mut query);
                        for _ in 0..20 {
                            let x = draw(0.5);
                            let mut bytes = Vec::new();
                            coder.encode(&x, &centre, &mut Vec::new(), &mut bytes);
                            let (code, factors) = bytes.split_at(coder.code_len());
                            let (mut estimate, mut least) = ([0.0], [0.0]);
                            coder.at_least(&query, code, factors, 0.0, &mut estimate).unwrap();
                            coder.at_least(&query, code, factors, 1.9, &mut least).unwrap();
                            let exact = truth(metric, &x, &point);
                            let error = f64::from(estimate[0]) - exact;
                            sum += error;
                            squares += error * error;
                            above += usize::from(exact >= f64::from(least[0]));
                            count += 1;
                        }
                    }
                    let (mean, deviation) = (sum / f64::from(count), (squares / f64::from(count)).sqrt());
                    assert!(mean.abs() < 0.25 * deviation, "{dims} {bits} {metric}: {mean} of {deviation}");
                    let share = above as f64 / f64::from(count);
                    assert!(share > 0.95, "{dims} {bits} {metric}: {share}");
                }
            }
        }
    }

    #[test]
    fn a_point_at_the_centre_and_lengths_that_do_not_match() {
        let coder = CellCoder::new(Metric::L2, 1, 16).unwrap();
        let (centre, mut bytes) = (vec![1.0; 16], Vec::new());
        coder.encode(&centre, &centre, &mut Vec::new(), &mut bytes);
        let mut query = CellQuery::default();
        coder.prepare(&[3.0; 16], &centre, &mut CellDesk::default(), &mut query);
        let mut key = [0.0];
        let (code, factors) = bytes.split_at(coder.code_len());
        coder.at_least(&query, code, factors, 0.0, &mut key).unwrap();
        assert_eq!(key, [64.0]);
        assert!(coder.at_least(&query, code, &factors[1..], 0.0, &mut key).is_err());
        assert!(CellCoder::new(Metric::L1, 1, 16).is_err() && CellCoder::new(Metric::L2, 3, 16).is_err());
    }
}
