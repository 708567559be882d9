//! `sparsevec` payloads.
//!
//! ```text
//! 0    norm      f64
//! 8    dims      u32
//! 12   count     u32
//! 16   indices   count · i32, ascending, from 0
//!      values    count · f32, none of them zero
//! ```

use crate::bound::{Slack, norm_range};
use crate::bytes::{CONTENT, LENGTH, elements, integer, key};
use crate::codec::Codec;
use crate::scatter::{Scattered, scattered};
use crate::value::all_finite;
use crate::{Error, Metric, OwnedValue, Result, Value};
use kite_kernels::{FAN, Kernels};
use kite_vectors::{Sparse, sparse::SparseBuf};
use zerocopy::IntoBytes;

const HEADER: usize = 16;

#[derive(Debug, Clone)]
pub(crate) struct Sparsely {
    metric: Metric,
    kernels: &'static Kernels,
}

#[derive(Debug, Clone)]
pub(crate) struct SparseQuery {
    values: SparseBuf,
    /// The same, for products.
    scattered: Option<Scattered>,
    norm: f64,
}

impl Sparsely {
    pub(crate) fn new(metric: Metric, kernels: &'static Kernels) -> Self {
        Self { metric, kernels }
    }

    #[inline]
    fn parse<'a>(&self, payload: &'a [u8]) -> Result<(f64, Sparse<'a>)> {
        let (header, rest) = payload.split_first_chunk::<HEADER>().ok_or(LENGTH)?;
        let norm = header.first_chunk().map_or(f64::NAN, |bytes| f64::from_ne_bytes(*bytes));
        let (dims, count) = (integer(header, 8) as usize, integer(header, 12) as usize);
        if !rest.len().is_multiple_of(8) || rest.len() / 8 != count {
            return Err(LENGTH);
        }
        let (indices, values) = rest.split_at(rest.len() / 2);
        Ok((norm, Sparse { dims, indices: elements(indices)?, values: elements(values)? }))
    }

    #[inline]
    fn key(&self, (a_norm, a): (f64, Sparse<'_>), (b_norm, b): (f64, Sparse<'_>)) -> f32 {
        match self.metric {
            Metric::InnerProduct | Metric::Cosine => self.key_of_dot(a.dot(b), a_norm * b_norm),
            Metric::L1 => key(a.l1(b).into()),
            _ => key(a.l2_squared(b).into()),
        }
    }

    /// For metrics by inner products.
    #[inline]
    fn key_of_dot(&self, dot: f32, norms: f64) -> f32 {
        key(match self.metric {
            Metric::Cosine => 1.0 - (f64::from(dot) / norms).clamp(-1.0, 1.0),
            _ => -f64::from(dot),
        })
    }

    /// Appends the keys of others, in their order, by their products with a vector of this norm.
    #[inline]
    fn keys_of_dots<'b>(
        &self,
        (norm, vector): (f64, &Scattered),
        others: &mut impl Iterator<Item = Result<(f64, Sparse<'b>)>>,
        keys: &mut Vec<f32>,
    ) -> Result<()> {
        loop {
            let mut fan = [(0.0, Sparse { dims: 0, indices: &[], values: &[] }); FAN];
            let mut count = 0;
            for other in others.by_ref().take(FAN) {
                fan[count] = other?;
                count += 1;
            }
            if count == 0 {
                return Ok(());
            }
            let dots = vector.dots(fan.map(|(_, b)| b));
            keys.extend(dots.iter().zip(fan).take(count).map(|(&dot, b)| self.key_of_dot(dot, norm * b.0)));
        }
    }

    /// What the operator computes, squared for l2.
    #[inline]
    fn computed(&self, query: &SparseQuery, payload: &[u8]) -> Result<f64> {
        let (_, x) = self.parse(payload)?;
        let values = query.values.as_ref();
        let dot = || query.scattered.as_ref().map_or_else(|| x.dot(values), |query| query.dot(x));
        Ok(match self.metric {
            Metric::InnerProduct => -f64::from(dot()),
            Metric::Cosine => x.cosine_distance_of(values, dot(), &self.kernels.f32),
            Metric::L1 => x.l1(values).into(),
            _ => x.l2_squared(values).into(),
        })
    }

    fn norm(&self, of: Sparse<'_>) -> f64 {
        of.norm(&self.kernels.f32)
    }
}

impl Codec for Sparsely {
    type Query = SparseQuery;

    fn encode(&self, value: Value<'_>, out: &mut Vec<u8>) -> Result<()> {
        let Value::Sparse(sparse) = value else { return Err(Error::ForeignQuery) };
        let norm = self.norm(sparse);
        if self.metric == Metric::Cosine && norm == 0.0 {
            return Err(Error::Zero);
        }
        out.extend_from_slice(&norm.to_ne_bytes());
        out.extend_from_slice(&(sparse.dims as u32).to_ne_bytes());
        out.extend_from_slice(&(sparse.indices.len() as u32).to_ne_bytes());
        out.extend_from_slice(sparse.indices.as_bytes());
        out.extend_from_slice(sparse.values.as_bytes());
        Ok(())
    }

    fn prepare(&self, query: Value<'_>) -> Result<Option<SparseQuery>> {
        let Value::Sparse(sparse) = query else { return Err(Error::ForeignQuery) };
        let norm = self.norm(sparse);
        let values =
            SparseBuf { dims: sparse.dims, indices: sparse.indices.to_vec(), values: sparse.values.to_vec() };
        let products = matches!(self.metric, Metric::InnerProduct | Metric::Cosine);
        let scattered = if products { Scattered::of(sparse) } else { None };
        Ok((self.metric != Metric::Cosine || norm > 0.0).then_some(SparseQuery { values, scattered, norm }))
    }

    #[inline]
    fn exact(&self, query: &SparseQuery, payload: &[u8]) -> Result<f32> {
        Ok(self.key((query.norm, query.values.as_ref()), self.parse(payload)?))
    }

    fn lower_bound(&self, query: &SparseQuery, payload: &[u8]) -> Result<f64> {
        let (x_norm, x) = self.parse(payload)?;
        let values = query.values.as_ref();
        let slack = Slack::of(x.values.len() + values.values.len());
        let (q, x_norm) = (norm_range(query.norm), norm_range(x_norm));
        let dot_high = || f64::from(x.dot(values)) + slack.gamma * q.1 * x_norm.1 + slack.tiny;
        Ok(match self.metric {
            Metric::InnerProduct => slack.inner_product(dot_high(), q.1, x_norm.1),
            Metric::Cosine => slack.cosine(dot_high() / (q.0 * x_norm.0), q, x_norm),
            Metric::L1 => slack.l1(slack.at_least(x.l1(values))),
            _ => slack.l2(slack.at_least(x.l2_squared(values)).sqrt()),
        })
    }

    fn operator(&self, query: &SparseQuery, payload: &[u8]) -> Result<Option<f64>> {
        Ok(Some(self.metric.of_computed(self.computed(query, payload)?)))
    }

    #[inline]
    fn ranked(&self, query: &SparseQuery, payload: &[u8]) -> Result<(f32, f64)> {
        let computed = self.computed(query, payload)?;
        // The operator's norms are of single precision, which the squares of such vectors leave.
        let key = if computed.is_nan() { self.exact(query, payload)? } else { key(computed) };
        Ok((key, self.metric.of_computed(computed)))
    }

    #[inline]
    fn between(&self, a: &[u8], b: &[u8]) -> Result<f32> {
        Ok(self.key(self.parse(a)?, self.parse(b)?))
    }

    #[inline]
    fn between_each<'b>(
        &self,
        a: &[u8],
        others: impl Iterator<Item = &'b [u8]>,
        keys: &mut Vec<f32>,
    ) -> Result<()> {
        let a = self.parse(a)?;
        let mut others = others.map(|b| self.parse(b));
        let mut outcome = Ok(());
        if matches!(self.metric, Metric::InnerProduct | Metric::Cosine) {
            scattered(a.1, |laid_out| {
                outcome = self.keys_of_dots((a.0, laid_out), &mut others, keys);
            });
        }
        // Those that could not be taken that way.
        outcome.and_then(|()| others.try_for_each(|b| b.map(|b| keys.push(self.key(a, b)))))
    }

    fn decode(&self, payload: &[u8]) -> Result<OwnedValue> {
        let (norm, x) = self.parse(payload)?;
        let within = |index: Option<&i32>| index.is_none_or(|&i| i >= 0 && (i as usize) < x.dims);
        let ascending = x.indices.is_sorted_by(|a, b| a < b);
        let stored = x.values.iter().all(|value| *value != 0.0) && all_finite(x.values);
        let sound = within(x.indices.first()) && within(x.indices.last()) && ascending && stored;
        if !sound || norm.to_bits() != self.norm(x).to_bits() && (norm - self.norm(x)).abs() > 1e-9 * norm {
            return Err(CONTENT);
        }
        let (indices, values) = (x.indices.to_vec(), x.values.to_vec());
        Ok(OwnedValue::Sparse(SparseBuf { dims: x.dims, indices, values }))
    }
}
