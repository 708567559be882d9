//! Codes of one or two bits per dimension with an unbiased estimate of the distance: RaBitQ (Gao & Long, SIGMOD 2024) and its
//! extension to more bits (Gao et al., SIGMOD 2025).
//!
//! A vector x is seen from the centroid, r = x − c, and rotated, r' = Pr. Its code is the vector y of fields uᵢ − (2ᴮ − 1)/2
//! whose direction is nearest to that of r'. With f = |r|²/(y·r') the estimate r·v ≈ f·(y·Pv) is unbiased over rotations, and
//! its error is at most ε·f·|y|·√(1 − κ²)·|v|/√(D − 1), κ the cosine of y and r', but for a share of cases that falls as
//! exp(−c·ε²). The query side v is q − c, rotated and rounded to signed bytes.
//!
//! ```text
//! code      planes of B bits per dimension (see `kite_kernels::Codes`), dimensions padded to a multiple of 8
//! factors   add, mul: bf16 each. The key is base(query) + add + mul·(y·P(q − c))
//! ```
//!
//! | metric | base | add | mul |
//! | --- | --- | --- | --- |
//! | l2, squared | \|q − c\|² | \|r\|² | −2f |
//! | −inner product | −c·q | −c·r | −f |
//! | cosine distance (q, x of length 1) | 1 − c·q | −c·r | −f |

use crate::rotation::Rotation;
use crate::{Error, Frame, Metric, Result};
use ::half::bf16;
use kite_kernels::{Kernels, arrange_one_bit, arrange_two_bits};

/// Bytes of the factors of a code.
pub(crate) const FACTORS: usize = 4;
/// Codes whose products are kept on the stack.
const BATCH: usize = 64;

/// Makes and reads the codes of one frame.
#[derive(Debug, Clone)]
pub(crate) struct Coder {
    metric: Metric,
    bits: usize,
    frame: Frame,
    rotation: Rotation,
    kernels: &'static Kernels,
    score: fn(&[i8], &[u8], &mut [i32]),
}

/// A query, ready to meet codes.
#[derive(Debug, Clone)]
pub(crate) struct CodeQuery {
    elements: Vec<i8>,
    step: f32,
    /// What the products are too large by, since fields are not negative.
    excess: f32,
    base: f32,
    /// |q − c|
    norm: f32,
}

impl Coder {
    pub(crate) fn new(metric: Metric, bits: u8, frame: Frame, kernels: &'static Kernels) -> Self {
        let rotation = Rotation::new(frame.dims(), frame.seed);
        let score = if bits == 1 { kernels.codes.one_bit } else { kernels.codes.two_bits };
        Self { metric, bits: usize::from(bits), frame, rotation, kernels, score }
    }

    pub(crate) fn frame(&self) -> &Frame {
        &self.frame
    }

    pub(crate) fn code_len(&self) -> usize {
        Rotation::padded(self.frame.dims()) * self.bits / 8
    }

    /// x − c, padded, and the rotation of it.
    fn residual(&self, values: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let mut residual: Vec<f32> = values.iter().zip(&self.frame.centroid).map(|(x, c)| x - c).collect();
        residual.resize(Rotation::padded(values.len()), 0.0);
        let mut rotated = residual.clone();
        self.rotation.apply(&mut rotated);
        residual.truncate(values.len());
        (residual, rotated)
    }

    /// Appends code and factors of a vector (of length 1 under cosine distance).
    pub(crate) fn encode(&self, values: &[f32], out: &mut Vec<u8>) {
        let (residual, rotated) = self.residual(values);
        let squared = (self.kernels.f32.norm_squared)(&residual) as f32;
        let start = out.len();
        out.resize(start + self.code_len(), 0);
        let make = if self.bits == 1 { self.kernels.encode_one_bit } else { self.kernels.encode_two_bits };
        let product = make(&rotated, &mut out[start..]);
        // A vector at the centroid is known by its distance alone.
        let f = if product > 0.0 { (f64::from(squared) / product) as f32 } else { 0.0 };
        let across = || -(self.kernels.f32.dot)(&self.frame.centroid, &residual);
        let (add, mul) = match self.metric {
            Metric::InnerProduct | Metric::Cosine => (across(), -f),
            _ => (squared, -2.0 * f),
        };
        for factor in [add, mul] {
            // Finite, so that what is far out of range is only estimated badly.
            let factor = bf16::from_f32(factor).clamp(bf16::MIN, bf16::MAX);
            out.extend_from_slice(&factor.to_bits().to_ne_bytes());
        }
    }

    /// The query is of length 1 under cosine distance.
    pub(crate) fn prepare(&self, values: &[f32]) -> CodeQuery {
        let (residual, rotated) = self.residual(values);
        let squared = (self.kernels.f32.norm_squared)(&residual) as f32;
        let across = || -(self.kernels.f32.dot)(&self.frame.centroid, values);
        let base = match self.metric {
            Metric::InnerProduct => across(),
            Metric::Cosine => 1.0 + across(),
            _ => squared,
        };
        let largest = rotated.iter().fold(0f32, |max, x| max.max(x.abs()));
        let step = largest / 127.0;
        // Of the least numbers the reciprocal may be infinite.
        let inverse = Some(127.0 / largest).filter(|inverse| inverse.is_finite()).unwrap_or(0.0);
        let elements: Vec<i8> = rotated.iter().map(|x| nearest(x * inverse)).collect();
        let arrange = if self.bits == 1 { arrange_one_bit } else { arrange_two_bits };
        let sum: i32 = elements.iter().map(|&x| i32::from(x)).sum();
        let middle = ((1 << self.bits) - 1) as f32 / 2.0;
        CodeQuery {
            elements: arrange(&elements),
            step,
            excess: middle * sum as f32,
            base,
            norm: squared.sqrt(),
        }
    }

    /// The keys of as many codes as `out` holds, which lie one after the other, and so do their factors.
    #[inline]
    pub(crate) fn estimate(
        &self,
        query: &CodeQuery,
        codes: &[u8],
        factors: &[u8],
        out: &mut [f32],
    ) -> Result<()> {
        let size = self.code_len();
        let (factors, rest) = factors.as_chunks::<FACTORS>();
        if codes.len() != size * out.len() || factors.len() != out.len() || !rest.is_empty() {
            return Err(Error::Corrupt("codes and factors of an edge list do not match"));
        }
        let mut products = [0; BATCH];
        let batches = codes.chunks(BATCH * size).zip(factors.chunks(BATCH)).zip(out.chunks_mut(BATCH));
        for ((codes, factors), out) in batches {
            let products = &mut products[..out.len()];
            (self.score)(&query.elements, codes, products);
            for ((out, product), factors) in out.iter_mut().zip(products).zip(factors) {
                let [add, mul] = read(factors);
                *out = query.base + add + mul * (query.step * (*product as f32 - query.excess));
            }
        }
        Ok(())
    }

    /// By how much a key of [`Coder::estimate`] may be off, from the factors of its code, at `epsilon` of the papers.
    ///
    /// |y|·√(1 − κ²) is taken at its mean for a vector that a random rotation has spread, and a tenth more.
    pub(crate) fn error_bound(&self, query: &CodeQuery, factors: [u8; FACTORS], epsilon: f32) -> f32 {
        let dims = Rotation::padded(self.frame.dims()) as f32;
        let spread = if self.bits == 1 { 0.302 } else { 0.329 };
        let [add, mul] = read(&factors);
        let rounding = (add.abs() + mul.abs() * dims.sqrt() * query.norm) / 512.0;
        1.1 * spread * epsilon * mul.abs() * query.norm * (dims / (dims - 1.0)).sqrt() + rounding
    }
}

/// The nearest integer, without a call: added to this number, a fraction has no place left, and is rounded away.
#[inline]
fn nearest(x: f32) -> i8 {
    const NO_FRACTION: f32 = (3u32 << 22) as f32;
    (x + NO_FRACTION).to_bits() as i8
}

/// A bf16 is the upper half of an f32.
#[inline]
fn read(factors: &[u8; FACTORS]) -> [f32; 2] {
    let [a, b, c, d] = *factors;
    [u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d])].map(|bits| f32::from_bits(u32::from(bits) << 16))
}

#[cfg(test)]
mod tests;
