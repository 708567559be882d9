//! `sq8` payloads of dense vectors: a byte per dimension.
//!
//! ```text
//! 0    offset    f32
//! 4    step      f32, not negative
//! 8    error     f32, |x − x̂|, rounded up; for l1 Σ|x − x̂|
//! 12   norm      f32, |x|, rounded up (under cosine distance, whose payload is x/|x|, that of x)
//! 16   sum       u32, Σ codeᵢ
//! 20   squares   u32, Σ codeᵢ²
//! 24   codes     dims · u8
//! ```
//!
//! x̂ᵢ is offset + step·codeᵢ: as a real number where products are taken, which then are exact sums of integers and a few `f64`
//! operations; and with both operations rounded to `f32` under l1.

use crate::bound::{Products, Slack, UP, WIDE, norm_range, round_up, stored_norm_range};
use crate::bytes::{CONTENT, float, integer, key, split};
use crate::codec::Codec;
use crate::value::{Dense, norm};
use crate::{Error, Metric, OwnedValue, Result, Value};
use kite_kernels::{Affine, Affines, FAN, KEYS, Kernels, KeyForm, Steps};

const HEADER: usize = 24;
/// Elements that are decoded at a time, on the stack.
const CHUNK: usize = 512;
/// The largest magnitude of a query's 16-bit element whose halves are both signed bytes.
const LARGEST: f64 = 32_512.0;
/// Elements of a query that are rounded together.
const TOGETHER: usize = 8;
/// Relative error of the `f64` arithmetic below, of the squares of the magnitudes that meet in it.
const ROUNDING: f64 = 1.0 / (1u64 << 47) as f64;

#[derive(Debug, Clone)]
pub(crate) struct Sq8 {
    metric: Metric,
    dims: usize,
    kernels: &'static Kernels,
    slack: Slack,
    chunk_slack: Slack,
}

/// A query of 16 bits per dimension, or as it is under l1.
#[derive(Debug, Clone)]
pub(crate) struct Sq8Query {
    values: Vec<f32>,
    /// The halves of the 16-bit elements: 256·high + low.
    high: Vec<i8>,
    low: Vec<i8>,
    step: f64,
    /// Of the 16-bit elements.
    sum: f64,
    /// |q̃|²
    squared: f64,
    /// |q − q̃| at most.
    error: f64,
    /// |q| at least and at most; under cosine distance before q is made a unit vector.
    norm: (f64, f64),
}

#[derive(Clone, Copy)]
struct Stored<'a> {
    offset: f64,
    step: f64,
    error: f64,
    norm: f32,
    sum: u32,
    squares: u32,
    codes: &'a [u8],
}

impl Stored<'_> {
    /// |x̂|²
    #[inline]
    fn squared(&self) -> f64 {
        let (sum, squares) = (f64::from(self.sum), f64::from(self.squares));
        self.codes.len() as f64 * self.offset * self.offset
            + self.step * (2.0 * self.offset * sum + self.step * squares)
    }

    /// No less than |x̂| and the norms of what it is made of.
    fn magnitude(&self) -> f64 {
        (self.codes.len() as f64).sqrt() * (self.offset.abs() + 255.0 * self.step)
    }
}

impl Sq8 {
    pub(crate) fn new(metric: Metric, dims: usize, kernels: &'static Kernels) -> Self {
        Self { metric, dims, kernels, slack: Slack::of(dims), chunk_slack: Slack::of(CHUNK.min(dims)) }
    }

    pub(crate) fn payload_len(&self) -> usize {
        HEADER + self.dims
    }

    #[inline]
    fn parse<'a>(&self, payload: &'a [u8]) -> Result<Stored<'a>> {
        let (header, codes) = split::<HEADER>(payload, self.dims)?;
        Ok(Stored {
            offset: f64::from(float(header, 0)),
            step: f64::from(float(header, 4)),
            error: f64::from(float(header, 8)),
            norm: float(header, 12),
            sum: integer(header, 16),
            squares: integer(header, 20),
            codes,
        })
    }

    /// Calls `visit(start, chunk of x̂)`.
    #[inline]
    fn decoded(of: &Stored<'_>, mut visit: impl FnMut(usize, &[f32])) {
        let mut buffer = [0.0; CHUNK];
        let (offset, step) = (of.offset as f32, of.step as f32);
        for (i, codes) in of.codes.chunks(CHUNK).enumerate() {
            let chunk = &mut buffer[..codes.len()];
            for (value, &code) in chunk.iter_mut().zip(codes) {
                *value = offset + step * f32::from(code);
            }
            visit(i * CHUNK, chunk);
        }
    }

    fn values(&self, of: &Stored<'_>) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.dims);
        Self::decoded(of, |_, chunk| values.extend_from_slice(chunk));
        values
    }

    fn l1(&self, values: &[f32], of: &Stored<'_>) -> f64 {
        let mut sum = 0.0;
        Self::decoded(of, |start, chunk| {
            sum += f64::from((self.kernels.f32.l1)(&values[start..start + chunk.len()], chunk));
        });
        sum
    }

    fn l1_at_least(&self, values: &[f32], of: &Stored<'_>) -> f64 {
        let mut sum = 0.0;
        Self::decoded(of, |start, chunk| {
            let computed = (self.kernels.f32.l1)(&values[start..start + chunk.len()], chunk);
            sum += self.chunk_slack.at_least(computed);
        });
        sum * (1.0 - WIDE)
    }

    /// q̃·x̂
    #[inline]
    fn dot(&self, query: &Sq8Query, x: &Stored<'_>) -> f64 {
        let integers = (self.kernels.codes.dot_split)(x.codes, &query.high, &query.low);
        query.step * (x.offset * query.sum + x.step * integers as f64)
    }

    /// The key from a dot product, both squared norms and both errors. A squared distance from x̂ is on the average |x − x̂|²
    /// larger than one from x; it is taken off, so that a vector is at distance 0 from itself.
    #[inline]
    fn key(&self, dot: f64, squared: f64, error_squared: f64) -> f32 {
        key(match self.metric {
            Metric::InnerProduct => -dot,
            Metric::Cosine => ((squared - error_squared) / 2.0 - dot).max(0.0),
            _ => (squared - error_squared - 2.0 * dot).max(0.0),
        })
    }

    /// What the operator computes at least, from q̃·x̂ and |x̂|²; not for l1.
    #[inline]
    fn bound(&self, query: &Sq8Query, x: &Stored<'_>, dot: f64, squared: f64) -> f64 {
        let magnitudes = (query.squared.sqrt() + x.magnitude()).powi(2) * ROUNDING;
        let near = (query.squared + squared - 2.0 * dot - magnitudes).max(0.0).sqrt();
        if !matches!(self.metric, Metric::InnerProduct | Metric::Cosine) {
            return self.slack.l2(near - x.error - query.error);
        }
        let approximate = (squared + magnitudes).max(0.0).sqrt() * UP;
        let dot = dot + magnitudes;
        let products = Products { dot, near, approximate, q_error: query.error, x_error: x.error };
        products.lower_bound(self.metric, self.slack, query.norm, stored_norm_range(x.norm))
    }

    /// What the keys of others are computed from; not for l1.
    #[inline]
    fn affine(&self, of: &Stored<'_>) -> Affine {
        let dims = self.dims as f64;
        Affine {
            dims,
            offset: of.offset,
            step: of.step,
            total: dims * of.offset + of.step * f64::from(of.sum),
            squared: of.squared(),
            error_squared: of.error * of.error,
        }
    }

    /// Enters a payload as one of several, and answers its codes.
    #[inline]
    fn enter<'a>(&self, payload: &'a [u8], into: &mut Affines, place: usize) -> Result<&'a [u8]> {
        let (header, codes) = split::<HEADER>(payload, self.dims)?;
        into.offsets[place] = float(header, 0);
        into.steps[place] = float(header, 4);
        into.errors[place] = float(header, 8);
        into.sums[place] = integer(header, 16);
        into.squares[place] = integer(header, 20);
        Ok(codes)
    }

    fn form(&self) -> KeyForm {
        match self.metric {
            Metric::InnerProduct => KeyForm::Product,
            Metric::Cosine => KeyForm::HalfSquared,
            _ => KeyForm::Squared,
        }
    }

    fn encode_dense<E: Dense>(&self, values: &[E], out: &mut Vec<u8>) -> Result<()> {
        let norm = norm(self.kernels, values);
        let factor = self.factor(norm).ok_or(Error::Zero)?;
        let values = E::widened(values, self.kernels);
        let (least, most) = (self.kernels.range)(&values);
        // Adding 0 makes −0 a +0, so that equal vectors have equal payloads.
        let offset = (f64::from(least) * factor) as f32 + 0.0;
        let step = ((f64::from(most) * factor - f64::from(offset)).max(0.0) / 255.0) as f32;
        let (wide_offset, wide_step) = (f64::from(offset), f64::from(step));
        let inverse = if step > 0.0 { 1.0 / wide_step } else { 0.0 };
        let start = out.len();
        out.resize(start + HEADER + values.len(), 0);
        let steps = Steps { factor, offset, step, inverse };
        let found = (self.kernels.quantise)(&values, &steps, &mut out[start + HEADER..]);
        let magnitude = (values.len() as f64).sqrt() * (wide_offset.abs() + 255.0 * wide_step);
        let error = match self.metric {
            Metric::L1 => found.magnitudes * (1.0 + WIDE),
            // x·factor is off by a little, too.
            Metric::Cosine => found.residual.sqrt() * (1.0 + WIDE) + magnitude * ROUNDING + WIDE,
            _ => found.residual.sqrt() * (1.0 + WIDE) + magnitude * ROUNDING,
        };
        let header = [offset, step, round_up(error), round_up(norm)].map(f32::to_ne_bytes);
        let header = [
            header[0],
            header[1],
            header[2],
            header[3],
            found.sum.to_ne_bytes(),
            found.squares.to_ne_bytes(),
        ];
        out[start..start + HEADER].copy_from_slice(header.as_flattened());
        Ok(())
    }

    /// What the elements are multiplied by before anything else; `None` where that is impossible.
    fn factor(&self, norm: f64) -> Option<f64> {
        match self.metric {
            Metric::Cosine => (norm > 0.0).then(|| 1.0 / norm),
            _ => Some(1.0),
        }
    }

    fn prepare_dense<E: Dense>(&self, values: &[E]) -> Option<Sq8Query> {
        let norm = norm(self.kernels, values);
        let factor = self.factor(norm)?;
        let mut query = Sq8Query {
            values: Vec::new(),
            high: Vec::new(),
            low: Vec::new(),
            step: 0.0,
            sum: 0.0,
            squared: 0.0,
            error: 0.0,
            norm: norm_range(norm),
        };
        if self.metric == Metric::L1 {
            query.values = values.iter().map(|x| x.to_f32()).collect();
            return Some(query);
        }
        let largest = values.iter().fold(0f32, |max, x| max.max(x.to_f32().abs()));
        query.step = f64::from(largest) * factor / LARGEST;
        let inverse = if query.step > 0.0 { 1.0 / query.step } else { 0.0 };
        let (mut sum, mut squares) = (0i64, 0i64);
        query.high.resize(values.len(), 0);
        query.low.resize(values.len(), 0);
        // Several sums at once: one after the other, additions wait for each other.
        let mut errors = [0.0; TOGETHER];
        let halves = query.high.chunks_mut(TOGETHER).zip(query.low.chunks_mut(TOGETHER));
        for (values, (high, low)) in values.chunks(TOGETHER).zip(halves) {
            for (((x, error), high), low) in values.iter().zip(&mut errors).zip(high).zip(low) {
                let x = f64::from(x.to_f32()) * factor;
                let element = nearest(x * inverse);
                let upper = (element + 128) >> 8;
                *high = upper as i8;
                *low = (element - 256 * upper) as i8;
                sum += i64::from(element);
                squares += i64::from(element * element);
                let residual = x - query.step * f64::from(element);
                *error += residual * residual;
            }
        }
        query.sum = sum as f64;
        query.squared = query.step * query.step * squares as f64;
        query.error = errors.iter().sum::<f64>().sqrt() * (1.0 + WIDE) + (norm * factor) * ROUNDING;
        if self.metric == Metric::Cosine {
            query.error += WIDE;
        }
        Some(query)
    }
}

/// The nearest integer of a number below 2³¹, without a call: added to this one, a fraction has no place left, and is rounded away.
#[inline]
fn nearest(x: f64) -> i32 {
    const NO_FRACTION: f64 = (3u64 << 51) as f64;
    (x + NO_FRACTION).to_bits() as i32
}

impl Codec for Sq8 {
    type Query = Sq8Query;

    fn encode(&self, value: Value<'_>, out: &mut Vec<u8>) -> Result<()> {
        match value {
            Value::F32(values) => self.encode_dense(values, out),
            Value::F16(values) => self.encode_dense(values, out),
            _ => Err(Error::ForeignQuery),
        }
    }

    fn prepare(&self, query: Value<'_>) -> Result<Option<Sq8Query>> {
        match query {
            Value::F32(values) => Ok(self.prepare_dense(values)),
            Value::F16(values) => Ok(self.prepare_dense(values)),
            _ => Err(Error::ForeignQuery),
        }
    }

    #[inline]
    fn exact(&self, query: &Sq8Query, payload: &[u8]) -> Result<f32> {
        let x = self.parse(payload)?;
        Ok(match self.metric {
            Metric::L1 => key(self.l1(&query.values, &x)),
            _ => self.key(self.dot(query, &x), query.squared + x.squared(), x.error * x.error),
        })
    }

    fn lower_bound(&self, query: &Sq8Query, payload: &[u8]) -> Result<f64> {
        let x = self.parse(payload)?;
        if self.metric == Metric::L1 {
            return Ok(self.slack.l1(self.l1_at_least(&query.values, &x) - x.error));
        }
        Ok(self.bound(query, &x, self.dot(query, &x), x.squared()))
    }

    #[inline]
    fn ranked(&self, query: &Sq8Query, payload: &[u8]) -> Result<(f32, f64)> {
        if self.metric == Metric::L1 {
            return Ok((self.exact(query, payload)?, self.lower_bound(query, payload)?));
        }
        let x = self.parse(payload)?;
        let (dot, squared) = (self.dot(query, &x), x.squared());
        let key = self.key(dot, query.squared + squared, x.error * x.error);
        Ok((key, self.bound(query, &x, dot, squared)))
    }

    fn operator(&self, _: &Sq8Query, _: &[u8]) -> Result<Option<f64>> {
        Ok(None)
    }

    fn between(&self, a: &[u8], b: &[u8]) -> Result<f32> {
        let a = self.parse(a)?;
        if self.metric == Metric::L1 {
            return Ok(key(self.l1(&self.values(&a), &self.parse(b)?)));
        }
        let mut one = Affines::default();
        let codes = self.enter(b, &mut one, 0)?;
        one.products[0] = (self.kernels.u8.dot)(a.codes, codes);
        Ok((self.kernels.affine_keys)(self.form(), &self.affine(&a), &one)[0])
    }

    #[inline]
    fn between_each<'b>(
        &self,
        a: &[u8],
        mut others: impl Iterator<Item = &'b [u8]>,
        keys: &mut Vec<f32>,
    ) -> Result<()> {
        let a = self.parse(a)?;
        if self.metric == Metric::L1 {
            let values = self.values(&a);
            for b in others {
                keys.push(key(self.l1(&values, &self.parse(b)?)));
            }
            return Ok(());
        }
        let (one, form) = (self.affine(&a), self.form());
        loop {
            let (mut several, mut count) = (Affines::default(), 0_usize);
            // `a` stands for those that are missing in the last turn.
            let mut codes = [a.codes; KEYS];
            for (n, b) in others.by_ref().take(KEYS).enumerate() {
                codes[n] = self.enter(b, &mut several, n)?;
                count += 1;
            }
            if count == 0 {
                return Ok(());
            }
            if count == 1 {
                several.products[0] = (self.kernels.u8.dot)(a.codes, codes[0]);
            } else {
                let (fans, _) = codes.as_chunks::<FAN>();
                let (products, _) = several.products.as_chunks_mut::<FAN>();
                for (products, &codes) in products.iter_mut().zip(fans).take(count.div_ceil(FAN)) {
                    *products = (self.kernels.u8.dots)(a.codes, codes);
                }
            }
            keys.extend_from_slice(&(self.kernels.affine_keys)(form, &one, &several)[..count]);
            if count < KEYS {
                return Ok(());
            }
        }
    }

    fn decode(&self, payload: &[u8]) -> Result<OwnedValue> {
        let x = self.parse(payload)?;
        // The sum of a chunk fits, so that the loop becomes vectors.
        let chunk = |codes: &[u8]| u64::from(codes.iter().map(|&code| u32::from(code)).sum::<u32>());
        let sums = x.codes.chunks(CHUNK).map(chunk).sum::<u64>() == u64::from(x.sum)
            && u64::from((self.kernels.u8.dot)(x.codes, x.codes)) == u64::from(x.squares);
        let values = self.values(&x);
        // The largest element may have been rounded up past the largest number, by a rounding.
        let finite = x.offset.is_finite() && x.step.is_finite() && x.step >= 0.0;
        if sums && finite && x.error >= 0.0 && x.norm >= 0.0 {
            Ok(OwnedValue::F32(values.into_iter().map(|x| x.clamp(f32::MIN, f32::MAX)).collect()))
        } else {
            Err(CONTENT)
        }
    }
}
