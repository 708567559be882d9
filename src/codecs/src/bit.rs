//! `bit` payloads: the bits. They are their own code, too.

use crate::bytes::{CONTENT, LENGTH, key};
use crate::codec::Codec;
use crate::{Error, Metric, OwnedValue, Result, Value};
use kite_kernels::Kernels;
use kite_vectors::bits::jaccard;

#[derive(Debug, Clone)]
pub(crate) struct Bit {
    metric: Metric,
    dims: usize,
    kernels: &'static Kernels,
}

#[derive(Debug, Clone)]
pub(crate) struct BitQuery(Vec<u8>);

impl Bit {
    pub(crate) fn new(metric: Metric, dims: usize, kernels: &'static Kernels) -> Self {
        Self { metric, dims, kernels }
    }

    pub(crate) fn payload_len(&self) -> usize {
        self.dims.div_ceil(8)
    }

    #[inline]
    fn distance(&self, a: &[u8], b: &[u8]) -> f64 {
        match self.metric {
            Metric::Jaccard => jaccard(&self.kernels.bits, a, b),
            _ => (self.kernels.bits.hamming)(a, b) as f64,
        }
    }

    #[inline]
    fn parse<'a>(&self, payload: &'a [u8]) -> Result<&'a [u8]> {
        if payload.len() == self.payload_len() { Ok(payload) } else { Err(LENGTH) }
    }

    /// The keys of codes that lie one after the other, as many as `out` holds.
    pub(crate) fn estimate(&self, query: &BitQuery, codes: &[u8], out: &mut [f32]) {
        for (code, out) in codes.chunks_exact(self.payload_len()).zip(out) {
            *out = key(self.distance(&query.0, code));
        }
    }
}

impl Codec for Bit {
    type Query = BitQuery;

    fn encode(&self, value: Value<'_>, out: &mut Vec<u8>) -> Result<()> {
        let Value::Bits(bits) = value else { return Err(Error::ForeignQuery) };
        out.extend_from_slice(bits);
        Ok(())
    }

    fn prepare(&self, query: Value<'_>) -> Result<Option<BitQuery>> {
        let Value::Bits(bits) = query else { return Err(Error::ForeignQuery) };
        Ok(Some(BitQuery(bits.to_vec())))
    }

    #[inline]
    fn exact(&self, query: &BitQuery, payload: &[u8]) -> Result<f32> {
        Ok(key(self.distance(&query.0, self.parse(payload)?)))
    }

    fn lower_bound(&self, query: &BitQuery, payload: &[u8]) -> Result<f64> {
        // Counts of bits are exact, and the quotient is the operator's own.
        Ok(self.distance(&query.0, self.parse(payload)?))
    }

    fn operator(&self, query: &BitQuery, payload: &[u8]) -> Result<Option<f64>> {
        self.lower_bound(query, payload).map(Some)
    }

    #[inline]
    fn ranked(&self, query: &BitQuery, payload: &[u8]) -> Result<(f32, f64)> {
        let distance = self.distance(&query.0, self.parse(payload)?);
        Ok((key(distance), distance))
    }

    #[inline]
    fn between(&self, a: &[u8], b: &[u8]) -> Result<f32> {
        Ok(key(self.distance(self.parse(a)?, self.parse(b)?)))
    }

    fn decode(&self, payload: &[u8]) -> Result<OwnedValue> {
        let bits = self.parse(payload)?;
        let unused = (8 - self.dims % 8) % 8;
        let tail = bits.last().map_or(0, |last| last & ((1u16 << unused) - 1) as u8);
        if tail == 0 { Ok(OwnedValue::Bits(bits.to_vec())) } else { Err(CONTENT) }
    }
}
