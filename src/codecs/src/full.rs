//! `full` payloads of dense vectors.
//!
//! ```text
//! 0   norm       f64
//! 8   elements   f32 or f16, as many as dimensions
//! ```

use crate::bound::{Slack, norm_range, sound};
use crate::bytes::{CONTENT, elements, key, split};
use crate::codec::Codec;
use crate::value::{Dense, all_finite, norm};
use crate::{Error, Metric, OwnedValue, Result, Value};
use kite_kernels::Kernels;
use zerocopy::IntoBytes;

const HEADER: usize = 8;

#[derive(Debug, Clone)]
pub(crate) struct Full<E: 'static> {
    metric: Metric,
    dims: usize,
    kernels: &'static Kernels,
    element: &'static kite_kernels::Dense<E>,
    slack: Slack,
}

#[derive(Debug, Clone)]
pub(crate) struct FullQuery<E> {
    values: Vec<E>,
    norm: f64,
}

impl<E: Dense> Full<E> {
    pub(crate) fn new(metric: Metric, dims: usize, kernels: &'static Kernels) -> Self {
        Self { metric, dims, kernels, element: E::of(kernels), slack: Slack::of(dims) }
    }

    pub(crate) fn payload_len(&self) -> usize {
        HEADER + self.dims * size_of::<E>()
    }

    #[inline]
    fn parse<'a>(&self, payload: &'a [u8]) -> Result<(f64, &'a [E])> {
        let (header, rest) = split::<HEADER>(payload, self.dims * size_of::<E>())?;
        Ok((f64::from_ne_bytes(*header), elements(rest)?))
    }

    #[inline]
    fn key(&self, (a_norm, a): (f64, &[E]), (b_norm, b): (f64, &[E])) -> f32 {
        match self.metric {
            Metric::InnerProduct => key(-f64::from((self.element.dot)(a, b))),
            Metric::Cosine => {
                key(1.0 - (f64::from((self.element.dot)(a, b)) / (a_norm * b_norm)).clamp(-1.0, 1.0))
            }
            Metric::L1 => key((self.element.l1)(a, b).into()),
            _ => key((self.element.l2_squared)(a, b).into()),
        }
    }
}

impl<E: Dense> Full<E> {
    /// What the operator computes, squared for l2.
    #[inline]
    fn computed(&self, query: &FullQuery<E>, payload: &[u8]) -> Result<f64> {
        let (_, values) = self.parse(payload)?;
        let query = &query.values;
        Ok(match self.metric {
            Metric::InnerProduct => -f64::from((self.element.dot)(values, query)),
            Metric::Cosine => kite_vectors::dense::cosine_distance(self.element, values, query),
            Metric::L1 => (self.element.l1)(values, query).into(),
            _ => (self.element.l2_squared)(values, query).into(),
        })
    }
}

impl<E: Dense> Codec for Full<E> {
    type Query = FullQuery<E>;

    fn encode(&self, value: Value<'_>, out: &mut Vec<u8>) -> Result<()> {
        let values = E::slice(value).ok_or(Error::ForeignQuery)?;
        let norm = norm(self.kernels, values);
        if self.metric == Metric::Cosine && norm == 0.0 {
            return Err(Error::Zero);
        }
        out.extend_from_slice(&norm.to_ne_bytes());
        out.extend_from_slice(values.as_bytes());
        Ok(())
    }

    fn prepare(&self, query: Value<'_>) -> Result<Option<FullQuery<E>>> {
        let values = E::slice(query).ok_or(Error::ForeignQuery)?.to_vec();
        let norm = norm(self.kernels, &values);
        Ok((self.metric != Metric::Cosine || norm > 0.0).then_some(FullQuery { values, norm }))
    }

    #[inline]
    fn exact(&self, query: &FullQuery<E>, payload: &[u8]) -> Result<f32> {
        Ok(self.key((query.norm, &query.values), self.parse(payload)?))
    }

    fn lower_bound(&self, query: &FullQuery<E>, payload: &[u8]) -> Result<f64> {
        let (x_norm, values) = self.parse(payload)?;
        let (q, x) = (norm_range(query.norm), norm_range(x_norm));
        let dot_high = || {
            let dot = f64::from((self.element.dot)(values, &query.values));
            dot + self.slack.gamma * q.1 * x.1 + self.slack.tiny
        };
        Ok(match self.metric {
            Metric::InnerProduct => self.slack.inner_product(sound_high(dot_high()), q.1, x.1),
            Metric::Cosine => self.slack.cosine(sound_high(dot_high() / (q.0 * x.0)), q, x),
            Metric::L1 => {
                let computed = (self.element.l1)(values, &query.values);
                sound(self.slack.l1(self.slack.at_least(computed)))
            }
            _ => {
                let computed = (self.element.l2_squared)(values, &query.values);
                self.slack.l2(self.slack.at_least(computed).sqrt())
            }
        })
    }

    fn operator(&self, query: &FullQuery<E>, payload: &[u8]) -> Result<Option<f64>> {
        Ok(Some(self.metric.of_computed(self.computed(query, payload)?)))
    }

    #[inline]
    fn ranked(&self, query: &FullQuery<E>, payload: &[u8]) -> Result<(f32, f64)> {
        let computed = self.computed(query, payload)?;
        // The operator's norms are of single precision, which the squares of such vectors leave.
        let key = if computed.is_nan() { self.exact(query, payload)? } else { key(computed) };
        Ok((key, self.metric.of_computed(computed)))
    }

    #[inline]
    fn between(&self, a: &[u8], b: &[u8]) -> Result<f32> {
        Ok(self.key(self.parse(a)?, self.parse(b)?))
    }

    fn decode(&self, payload: &[u8]) -> Result<OwnedValue> {
        let (stored, values) = self.parse(payload)?;
        let norm = norm(self.kernels, values);
        if !all_finite(values) || (stored - norm).abs() > 1e-9 * norm || !stored.is_finite() {
            return Err(CONTENT);
        }
        Ok(E::owned(values.to_vec()))
    }
}

/// An upper bound that is no number is none.
fn sound_high(high: f64) -> f64 {
    if high.is_nan() { f64::INFINITY } else { high }
}
