//! `half` payloads of `vector`: half precision times a power of two, since half precision ends at 65,504.
//!
//! ```text
//! 0    scale      f32, a power of two
//! 4    error      f32, |x − x̂|, rounded up; for l1 Σ|x − x̂|
//! 8    norm       f32, |x|, rounded up (under cosine distance, whose payload is x/|x|, that of x)
//! 12   0          u32
//! 16   elements   dims · f16
//! ```
//!
//! x̂ᵢ is scale·elementᵢ, rounded to `f32`.

use crate::bound::{Products, Slack, WIDE, longest, norm_range, round_up, stored_norm_range};
use crate::bytes::{CONTENT, elements, float, integer, key, split};
use crate::codec::Codec;
use crate::value::norm;
use crate::{Error, Metric, OwnedValue, Result, Value};
use ::half::f16;
use kite_kernels::Kernels;
use zerocopy::IntoBytes;

const HEADER: usize = 16;
/// Elements that are widened at a time, on the stack.
const CHUNK: usize = 512;
/// The largest element. The next ones up to 32,768 might make x̂ infinite.
const LARGEST: f32 = 32_752.0;

#[derive(Debug, Clone)]
pub(crate) struct Half {
    metric: Metric,
    dims: usize,
    kernels: &'static Kernels,
    slack: Slack,
    chunk_slack: Slack,
}

#[derive(Debug, Clone)]
pub(crate) struct HalfQuery {
    /// x, or x/|x| under cosine distance.
    values: Vec<f32>,
    /// Of x.
    norm: (f64, f64),
    /// By which `values` may be off.
    error: f64,
}

struct Stored<'a> {
    scale: f32,
    error: f64,
    norm: f32,
    elements: &'a [f16],
}

impl Half {
    pub(crate) fn new(metric: Metric, dims: usize, kernels: &'static Kernels) -> Self {
        Self { metric, dims, kernels, slack: Slack::of(dims), chunk_slack: Slack::of(CHUNK.min(dims)) }
    }

    pub(crate) fn payload_len(&self) -> usize {
        HEADER + 2 * self.dims
    }

    #[inline]
    fn parse<'a>(&self, payload: &'a [u8]) -> Result<Stored<'a>> {
        let (header, rest) = split::<HEADER>(payload, 2 * self.dims)?;
        Ok(Stored {
            scale: float(header, 0),
            error: f64::from(float(header, 4)),
            norm: float(header, 8),
            elements: elements(rest)?,
        })
    }

    /// Calls `visit(start, chunk of x̂)`.
    #[inline]
    fn widened(&self, of: &Stored<'_>, mut visit: impl FnMut(usize, &[f32])) {
        let mut buffer = [0.0; CHUNK];
        for (i, halves) in of.elements.chunks(CHUNK).enumerate() {
            let chunk = &mut buffer[..halves.len()];
            (self.kernels.f16_to_f32)(halves, chunk);
            if of.scale != 1.0 {
                for value in chunk.iter_mut() {
                    *value *= of.scale;
                }
            }
            visit(i * CHUNK, chunk);
        }
    }

    /// Sum over the chunks of what `kernel` makes of each.
    #[inline]
    fn sum(&self, values: &[f32], of: &Stored<'_>, kernel: fn(&[f32], &[f32]) -> f32) -> f64 {
        let mut sum = 0.0;
        self.widened(of, |start, chunk| {
            sum += f64::from(kernel(&values[start..start + chunk.len()], chunk));
        });
        sum
    }

    /// The same at least, where the kernel adds magnitudes.
    fn sum_at_least(&self, values: &[f32], of: &Stored<'_>, kernel: fn(&[f32], &[f32]) -> f32) -> f64 {
        let mut sum = 0.0;
        self.widened(of, |start, chunk| {
            sum += self.chunk_slack.at_least(kernel(&values[start..start + chunk.len()], chunk));
        });
        sum * (1.0 - WIDE)
    }

    /// `values` are off by `error`. A squared distance from x̂ is on the average |x − x̂|² larger than one from x; it is taken
    /// off, so that a vector is at distance 0 from itself.
    #[inline]
    fn key(&self, values: &[f32], error: f64, of: &Stored<'_>) -> f32 {
        let f32 = &self.kernels.f32;
        let squared = || {
            let squared = self.sum(values, of, f32.l2_squared);
            (squared - error * error - of.error * of.error).max(0.0)
        };
        key(match self.metric {
            Metric::InnerProduct => -self.sum(values, of, f32.dot),
            Metric::Cosine => squared() / 2.0,
            Metric::L1 => self.sum(values, of, f32.l1),
            _ => squared(),
        })
    }

    fn values(&self, of: &Stored<'_>) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.dims);
        self.widened(of, |_, chunk| values.extend_from_slice(chunk));
        values
    }
}

/// The power of two that brings `largest` below 2^15, or 1 where that serves: elements from 2⁻³ to 2^15 lose nothing to it.
fn scale_for(largest: f64) -> f32 {
    if (0.125..LARGEST.into()).contains(&largest) || largest == 0.0 {
        return 1.0;
    }
    // 2^(e + 1) > largest, and the scale stays a normal number.
    let exponent = (largest.log2().floor() as i32 + 1 - 15).max(-126);
    2f32.powi(exponent)
}

impl Codec for Half {
    type Query = HalfQuery;

    fn encode(&self, value: Value<'_>, out: &mut Vec<u8>) -> Result<()> {
        let Value::F32(values) = value else { return Err(Error::ForeignQuery) };
        let norm = norm(self.kernels, values);
        if self.metric == Metric::Cosine && norm == 0.0 {
            return Err(Error::Zero);
        }
        let factor = if self.metric == Metric::Cosine { 1.0 / norm } else { 1.0 };
        let largest = values.iter().fold(0f32, |max, x| max.max(x.abs()));
        let scale = scale_for(f64::from(largest) * factor);
        let (mut squares, mut magnitudes) = (0.0, 0.0);
        let elements: Vec<f16> = values
            .iter()
            .map(|&x| {
                let x = f64::from(x) * factor;
                let element =
                    f16::from_f64((x / f64::from(scale)).clamp(-f64::from(LARGEST), LARGEST.into()));
                let residual = (x - f64::from(element.to_f32() * scale)).abs();
                squares += residual * residual;
                magnitudes += residual;
                element
            })
            .collect();
        // The last term is what x·factor is off by; a square that underflows is far below it.
        let error = match self.metric {
            Metric::L1 => magnitudes,
            Metric::Cosine => squares.sqrt() + WIDE,
            _ => squares.sqrt(),
        };
        out.extend_from_slice(&scale.to_ne_bytes());
        out.extend_from_slice(&round_up(error * (1.0 + WIDE)).to_ne_bytes());
        out.extend_from_slice(&round_up(norm).to_ne_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(elements.as_bytes());
        Ok(())
    }

    fn prepare(&self, query: Value<'_>) -> Result<Option<HalfQuery>> {
        let Value::F32(values) = query else { return Err(Error::ForeignQuery) };
        let norm = norm(self.kernels, values);
        let (mut values, mut squares) = (values.to_vec(), 0.0);
        if self.metric == Metric::Cosine {
            if norm == 0.0 {
                return Ok(None);
            }
            for value in &mut values {
                let unit = f64::from(*value) / norm;
                *value = unit as f32;
                squares += (unit - f64::from(*value)).powi(2);
            }
            squares += WIDE * WIDE;
        }
        Ok(Some(HalfQuery { values, norm: norm_range(norm), error: squares.sqrt() * (1.0 + WIDE) }))
    }

    #[inline]
    fn exact(&self, query: &HalfQuery, payload: &[u8]) -> Result<f32> {
        Ok(self.key(&query.values, 0.0, &self.parse(payload)?))
    }

    fn lower_bound(&self, query: &HalfQuery, payload: &[u8]) -> Result<f64> {
        let x = self.parse(payload)?;
        let f32 = &self.kernels.f32;
        if self.metric == Metric::L1 {
            let near = self.sum_at_least(&query.values, &x, f32.l1) - x.error;
            return Ok(self.slack.l1(near));
        }
        let near = self.sum_at_least(&query.values, &x, f32.l2_squared).sqrt() * (1.0 - WIDE);
        if !matches!(self.metric, Metric::InnerProduct | Metric::Cosine) {
            return Ok(self.slack.l2(near - x.error));
        }
        let norm = stored_norm_range(x.norm);
        let approximate = longest(self.metric, norm) + x.error;
        let dot = self.sum(&query.values, &x, f32.dot);
        let magnitude = (longest(self.metric, query.norm) + query.error) * approximate;
        let dot = dot + (self.chunk_slack.gamma + WIDE) * magnitude + self.slack.tiny;
        // A sum that has overflowed bounds nothing; the distance still may.
        let dot = if dot.is_nan() { f64::INFINITY } else { dot };
        let products = Products { dot, near, approximate, q_error: query.error, x_error: x.error };
        Ok(products.lower_bound(self.metric, self.slack, query.norm, norm))
    }

    fn operator(&self, _: &HalfQuery, _: &[u8]) -> Result<Option<f64>> {
        Ok(None)
    }

    #[inline]
    fn between(&self, a: &[u8], b: &[u8]) -> Result<f32> {
        let (a, b) = (self.parse(a)?, self.parse(b)?);
        Ok(self.key(&self.values(&a), a.error, &b))
    }

    fn decode(&self, payload: &[u8]) -> Result<OwnedValue> {
        let stored = self.parse(payload)?;
        let reserved = split::<HEADER>(payload, 2 * self.dims).map(|(header, _)| integer(header, 12))?;
        let scale = stored.scale;
        let power = scale.is_normal() && scale > 0.0 && scale.to_bits() & 0x7f_ffff == 0;
        let sound = power && stored.error >= 0.0 && stored.norm >= 0.0 && reserved == 0;
        let values = self.values(&stored);
        if sound && values.iter().all(|x| x.is_finite()) { Ok(OwnedValue::F32(values)) } else { Err(CONTENT) }
    }
}
