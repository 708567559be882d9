//! Product quantisation: Jégou, Douze & Schmid, *Product quantization for nearest neighbor search*, TPAMI 2011.
//!
//! The residual r = x − c of a vector from the centre of its list is cut into m parts, and each part is replaced by the nearest of 2ᴮ
//! codewords that were learned for it. With y the vector of these codewords,
//!
//! | metric | base(list) | add | mul |
//! | --- | --- | --- | --- |
//! | l2, squared | \|q − c\|² | \|y\|² + 2c·y | −2 |
//! | −inner product | −c·q | 0 | −1 |
//! | cosine distance (q, x of length 1) | 1 − c·q | 0 | −1 |
//!
//! the key is base + add + mul·Σ table[part][code], where the table has the products of the query with all codewords. It does not
//! depend on the list, and so is made once a query.
//!
//! ```text
//! code      m fields of B bits; of 4 bits the first of two is the lower half of the byte
//! factors   add, |r − y|: f32 each
//! ```

use crate::bytes::float;
use crate::{Error, Metric, Result};
use kite_kernels::Kernels;
use std::ops::Range;

/// Bytes of the factors of a code.
const FACTORS: usize = 8;

/// Makes and reads the codes of one codebook.
#[derive(Debug, Clone)]
pub struct ProductCoder {
    metric: Metric,
    dims: usize,
    parts: usize,
    bits: u8,
    /// By part, then by code.
    codebook: Vec<f32>,
    kernels: &'static Kernels,
}

/// A query: its products with all codewords, and how the list at hand lies to it.
#[derive(Debug, Clone, Default)]
pub struct ProductQuery {
    table: Vec<f32>,
    base: f32,
    /// |q − c|
    norm: f32,
}

impl ProductCoder {
    /// Bytes of a codebook's floats are `4 · dims · 2ᴮ`: `codebook` has, one part after the other, its 2ᴮ codewords.
    ///
    /// # Errors
    /// Numbers that do not go together, and codewords that are no numbers.
    pub fn new(metric: Metric, dims: usize, parts: usize, bits: u8, codebook: Vec<f32>) -> Result<Self> {
        Self::check(metric, dims, parts, bits)?;
        if codebook.len() != dims << bits || !codebook.iter().all(|x| x.is_finite()) {
            return Err(Error::Corrupt("the codebook of the codes is damaged"));
        }
        Ok(Self { metric, dims, parts, bits, codebook, kernels: kite_kernels::kernels() })
    }

    /// Refuses what does not go together.
    ///
    /// # Errors
    /// Bits other than 4 and 8, more parts than dimensions, metrics that have no such codes.
    pub fn check(metric: Metric, dims: usize, parts: usize, bits: u8) -> Result<()> {
        let products = matches!(metric, Metric::L2 | Metric::InnerProduct | Metric::Cosine);
        if matches!(bits, 4 | 8) && (1..=dims).contains(&parts) && products {
            Ok(())
        } else {
            Err(Error::Corrupt("a product quantiser of these parts, bits or distance does not exist"))
        }
    }

    /// The elements that a part has of a vector of `dims`.
    #[must_use]
    pub fn part(dims: usize, parts: usize, part: usize) -> Range<usize> {
        part * dims / parts..(part + 1) * dims / parts
    }

    /// The codewords.
    #[must_use]
    pub fn codebook(&self) -> &[f32] {
        &self.codebook
    }

    /// Bytes of a code of so many parts.
    #[must_use]
    pub fn code_len(parts: usize, bits: u8) -> usize {
        (parts * usize::from(bits)).div_ceil(8)
    }

    /// Bytes of the factors of a code.
    #[must_use]
    pub fn factors_len() -> usize {
        FACTORS
    }

    fn words(&self, part: usize) -> (Range<usize>, std::slice::ChunksExact<'_, f32>) {
        let range = Self::part(self.dims, self.parts, part);
        let (begin, end) = (range.start << self.bits, range.end << self.bits);
        let len = range.len();
        (range, self.codebook[begin..end].chunks_exact(len))
    }

    /// Appends code and factors of a point, relative to a centre. `residual` is room to work in.
    ///
    /// # Panics
    /// When point and centre have other lengths than the coder's.
    pub fn encode(&self, point: &[f32], centre: &[f32], residual: &mut Vec<f32>, out: &mut Vec<u8>) {
        assert!(point.len() == self.dims && centre.len() == self.dims, "points of this coder's length");
        residual.clear();
        residual.extend(point.iter().zip(centre).map(|(x, c)| x - c));
        let start = out.len();
        out.resize(start + Self::code_len(self.parts, self.bits), 0);
        let (mut squared, mut across, mut error) = (0.0, 0.0, 0.0);
        for part in 0..self.parts {
            let (range, words) = self.words(part);
            let rest = &residual[range.clone()];
            let (mut best, mut nearest) = (f32::INFINITY, 0);
            for (code, word) in words.enumerate() {
                let distance = (self.kernels.f32.l2_squared)(rest, word);
                if distance < best {
                    (best, nearest) = (distance, code);
                }
            }
            let word = self.words(part).1.nth(nearest).unwrap_or_default();
            squared += f64::from((self.kernels.f32.dot)(word, word));
            across += f64::from((self.kernels.f32.dot)(word, &centre[range]));
            error += f64::from(best);
            self.set(&mut out[start..], part, nearest as u8);
        }
        let add = match self.metric {
            Metric::InnerProduct | Metric::Cosine => 0.0,
            _ => squared + 2.0 * across,
        };
        for factor in [add as f32, error.sqrt() as f32] {
            out.extend_from_slice(&factor.clamp(f32::MIN, f32::MAX).to_ne_bytes());
        }
    }

    fn set(&self, code: &mut [u8], part: usize, value: u8) {
        if self.bits == 8 {
            code[part] = value;
        } else {
            code[part / 2] |= value << (part % 2 * 4);
        }
    }

    /// Makes the table of a query.
    ///
    /// # Panics
    /// When the point has another length than the coder's.
    pub fn prepare(&self, point: &[f32], query: &mut ProductQuery) {
        assert!(point.len() == self.dims, "points of this coder's length");
        query.table.clear();
        for part in 0..self.parts {
            let (range, words) = self.words(part);
            let of_query = &point[range];
            query.table.extend(words.map(|word| (self.kernels.f32.dot)(of_query, word)));
        }
    }

    /// Turns to a list.
    ///
    /// # Panics
    /// As [`ProductCoder::encode`].
    pub fn turn_to(&self, point: &[f32], centre: &[f32], query: &mut ProductQuery) {
        let squared = (self.kernels.f32.l2_squared)(point, centre);
        let across = || -(self.kernels.f32.dot)(centre, point);
        query.base = match self.metric {
            Metric::InnerProduct => across(),
            Metric::Cosine => 1.0 + across(),
            _ => squared,
        };
        query.norm = squared.sqrt();
    }

    /// As [`CellCoder::at_least`](crate::CellCoder::at_least); here the share of keys that are less is not known beforehand, since
    /// what a codeword leaves over is not random.
    ///
    /// # Errors
    /// Codes and factors that do not match.
    pub fn at_least(
        &self,
        query: &ProductQuery,
        codes: &[u8],
        factors: &[u8],
        epsilon: f32,
        out: &mut [f32],
    ) -> Result<()> {
        let size = Self::code_len(self.parts, self.bits);
        let (factors, rest) = factors.as_chunks::<FACTORS>();
        if codes.len() != size * out.len() || factors.len() != out.len() || !rest.is_empty() {
            return Err(Error::Corrupt("codes and factors of a list do not match"));
        }
        if query.table.len() != self.parts << self.bits {
            return Err(Error::ForeignQuery);
        }
        let mul = if self.metric == Metric::L2 { -2.0 } else { -1.0 };
        let error = -mul * epsilon * query.norm / (self.dims as f32).sqrt();
        for ((out, code), factors) in out.iter_mut().zip(codes.chunks_exact(size)).zip(factors) {
            let (add, left) = (float(factors, 0), float(factors, 4));
            // Of a query near x itself the products miss (r − y)·(r − y), which is no chance.
            let squared = if epsilon > 0.0 { left * left } else { 0.0 };
            *out = query.base + add + mul * self.product(&query.table, code) - error * left - squared;
        }
        Ok(())
    }

    /// Σ table[part][code], in four sums that do not wait for each other.
    #[inline]
    fn product(&self, table: &[f32], code: &[u8]) -> f32 {
        let mut sums = [0f32; 4];
        if self.bits == 8 {
            for (part, (&code, row)) in code.iter().zip(table.chunks_exact(256)).enumerate() {
                sums[part % 4] += row[usize::from(code)];
            }
        } else {
            for (part, row) in table.chunks_exact(16).enumerate() {
                let field = code[part / 2] >> (part % 2 * 4) & 15;
                sums[part % 4] += row[usize::from(field)];
            }
        }
        (sums[0] + sums[1]) + (sums[2] + sums[3])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a codebook that holds every residual, keys are exact.
    #[test]
    fn codewords_that_fit_give_exact_keys() {
        let dims = 10;
        let mut rng = fastrand::Rng::with_seed(4);
        let mut draw = |len: usize| -> Vec<f32> { (0..len).map(|_| rng.f32() - 0.5).collect() };
        for (bits, parts) in [(4, 3), (8, 10), (8, 4), (4, 5)] {
            for metric in [Metric::L2, Metric::InnerProduct, Metric::Cosine] {
                let coder = ProductCoder::new(metric, dims, parts, bits, draw(dims << bits)).unwrap();
                let (centre, point) = (draw(dims), draw(dims));
                let mut x = centre.clone();
                for part in 0..parts {
                    let (range, mut words) = coder.words(part);
                    for (x, w) in x[range].iter_mut().zip(words.nth(part * 5 % 16).unwrap()) {
                        *x += w;
                    }
                }
                let mut bytes = Vec::new();
                coder.encode(&x, &centre, &mut Vec::new(), &mut bytes);
                let (code, factors) = bytes.split_at(ProductCoder::code_len(parts, bits));
                let (mut query, mut key) = (ProductQuery::default(), [0.0]);
                coder.prepare(&point, &mut query);
                coder.turn_to(&point, &centre, &mut query);
                coder.at_least(&query, code, factors, 0.0, &mut key).unwrap();
                let pairs = || x.iter().zip(&point);
                let exact: f32 = match metric {
                    Metric::L2 => pairs().map(|(a, b)| (a - b) * (a - b)).sum(),
                    Metric::Cosine => 1.0 - pairs().map(|(a, b)| a * b).sum::<f32>(),
                    _ => -pairs().map(|(a, b)| a * b).sum::<f32>(),
                };
                assert!((key[0] - exact).abs() < 1e-5, "{bits} {parts} {metric}: {key:?} {exact}");
                let mut least = [0.0];
                coder.at_least(&query, code, factors, 1.9, &mut least).unwrap();
                assert!(least[0] <= key[0]);
            }
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        assert!(ProductCoder::new(Metric::L2, 4, 2, 8, vec![0.0; 4 << 8]).is_ok());
        for (dims, parts, bits, floats) in [(4, 5, 8, 4 << 8), (4, 2, 7, 4 << 7), (4, 2, 8, 1000)] {
            assert!(ProductCoder::new(Metric::L2, dims, parts, bits, vec![0.0; floats]).is_err());
        }
        assert!(ProductCoder::new(Metric::L2, 1, 1, 4, vec![f32::NAN; 16]).is_err());
        let coder = ProductCoder::new(Metric::L2, 4, 2, 8, vec![0.0; 4 << 8]).unwrap();
        let mut key = [0.0];
        assert_eq!(
            coder.at_least(&ProductQuery::default(), &[0; 2], &[0; 8], 0.0, &mut key),
            Err(Error::ForeignQuery)
        );
    }
}
