//! What an index sees of its vectors.

use crate::bit::{Bit, BitQuery};
use crate::codec::Codec;
use crate::full::{Full, FullQuery};
use crate::half::{Half, HalfQuery};
use crate::rabitq::{CodeQuery, Coder, FACTORS};
use crate::sparse::{SparseQuery, Sparsely};
use crate::sq8::{Sq8, Sq8Query};
use crate::value::{all_finite, norm};
use crate::{Error, Frame, Metric, OwnedValue, PayloadKind, Result, Spec, Value, VectorType};
use ::half::f16;
use kite_kernels::{Element, Kernels};

/// Stores the vectors of one index as opaque bytes and computes with them.
///
/// *Keys* are what an index ranks by: smaller is nearer, never NaN. [`Metric`] says how they relate to what SQL computes.
///
/// Payloads must be aligned to 4 bytes, or their lengths do not match and the like: all of that is [`Error::Corrupt`]. Bytes that
/// nobody wrote give arbitrary keys, or an error, but never a panic; [`Scorer::value`] looks closer.
#[derive(Debug, Clone)]
pub struct Scorer {
    spec: Spec,
    kernels: &'static Kernels,
    store: Store,
    coder: Option<Coder>,
}

/// A query, prepared by a [`Scorer`] for itself and its clones.
#[derive(Debug, Clone)]
pub struct PreparedQuery {
    /// `None` where the query orders nothing.
    body: Option<Body>,
    code: Option<CodeQuery>,
}

#[derive(Debug, Clone)]
enum Store {
    F32(Full<f32>),
    F16(Full<f16>),
    Half(Half),
    Sq8(Sq8),
    Bit(Bit),
    Sparse(Sparsely),
}

#[derive(Debug, Clone)]
enum Body {
    F32(FullQuery<f32>),
    F16(FullQuery<f16>),
    Half(HalfQuery),
    Sq8(Sq8Query),
    Bit(BitQuery),
    Sparse(SparseQuery),
}

/// `$call` with the codec, whichever it is.
macro_rules! each {
    ($store:expr, $codec:ident => $call:expr) => {
        match $store {
            Store::F32($codec) => $call,
            Store::F16($codec) => $call,
            Store::Half($codec) => $call,
            Store::Sq8($codec) => $call,
            Store::Bit($codec) => $call,
            Store::Sparse($codec) => $call,
        }
    };
}

/// `$call` with codec and query, which must be of one kind.
macro_rules! pair {
    ($store:expr, $body:expr, $codec:ident, $query:ident => $call:expr) => {
        match ($store, $body) {
            (Store::F32($codec), Body::F32($query)) => $call,
            (Store::F16($codec), Body::F16($query)) => $call,
            (Store::Half($codec), Body::Half($query)) => $call,
            (Store::Sq8($codec), Body::Sq8($query)) => $call,
            (Store::Bit($codec), Body::Bit($query)) => $call,
            (Store::Sparse($codec), Body::Sparse($query)) => $call,
            _ => Err(Error::ForeignQuery),
        }
    };
}

impl Scorer {
    /// The scorer of an index. Without a frame there are no codes yet (for `bit` there are: its codes need none).
    pub fn new(spec: Spec, frame: Option<Frame>) -> Result<Self> {
        Self::with_kernels(spec, frame, kite_kernels::kernels())
    }

    /// The same with a given set of kernels, for comparisons.
    pub fn with_kernels(spec: Spec, frame: Option<Frame>, kernels: &'static Kernels) -> Result<Self> {
        spec.check()?;
        let Spec { vector_type, metric, payload, code_bits, dims } = spec;
        let store = match (vector_type, payload) {
            (VectorType::Bit, _) => Store::Bit(Bit::new(metric, dims, kernels)),
            (VectorType::Sparsevec, _) => Store::Sparse(Sparsely::new(metric, kernels)),
            (_, PayloadKind::Sq8) => Store::Sq8(Sq8::new(metric, dims, kernels)),
            (VectorType::Vector, PayloadKind::Full) => Store::F32(Full::new(metric, dims, kernels)),
            (VectorType::Vector, PayloadKind::Half) => Store::Half(Half::new(metric, dims, kernels)),
            (VectorType::Halfvec, _) => Store::F16(Full::new(metric, dims, kernels)),
        };
        let coder = match frame {
            Some(frame) if code_bits > 0 && vector_type != VectorType::Bit => {
                if frame.dims() != dims {
                    return Err(Error::Corrupt("the frame of the codes has other dimensions than the index"));
                }
                Some(Coder::new(metric, code_bits, frame, kernels))
            }
            _ => None,
        };
        Ok(Self { spec, kernels, store, coder })
    }

    /// What it was made from.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The frame of the codes, once there is one.
    pub fn frame(&self) -> Option<&Frame> {
        self.coder.as_ref().map(Coder::frame)
    }

    /// Bytes of a payload, the same for all vectors; `None` where it depends on the vector.
    pub fn payload_len(&self) -> Option<usize> {
        match &self.store {
            Store::F32(codec) => Some(codec.payload_len()),
            Store::F16(codec) => Some(codec.payload_len()),
            Store::Half(codec) => Some(codec.payload_len()),
            Store::Sq8(codec) => Some(codec.payload_len()),
            Store::Bit(codec) => Some(codec.payload_len()),
            Store::Sparse(_) => None,
        }
    }

    /// Bytes of a code, 0 where there are none.
    pub fn code_len(&self) -> usize {
        match (&self.coder, &self.store) {
            (Some(_), _) | (None, Store::Bit(_)) => self.spec.code_len(),
            _ => 0,
        }
    }

    /// Bytes of the factors that belong to a code, 0 where it has none.
    pub fn factors_len(&self) -> usize {
        if self.coder.is_some() { FACTORS } else { 0 }
    }

    /// Whether payloads have all of the value, so that [`Scorer::operator`] gives what SQL computes.
    pub fn is_lossless(&self) -> bool {
        !matches!(self.store, Store::Half(_) | Store::Sq8(_))
    }

    /// Appends the payload of a value. [`Error::Zero`] for what a cosine index does not hold.
    pub fn encode(&self, value: Value<'_>, payload: &mut Vec<u8>) -> Result<()> {
        self.check(value)?;
        each!(&self.store, codec => codec.encode(value, payload))
    }

    /// Appends code and factors of a value, nothing where there are no codes.
    pub fn encode_code(&self, value: Value<'_>, out: &mut Vec<u8>) -> Result<()> {
        self.check(value)?;
        if let Some(coder) = &self.coder {
            coder.encode(&self.point(value).ok_or(Error::Zero)?, out);
        } else if let (Value::Bits(bits), true) = (value, self.spec.code_bits > 0) {
            out.extend_from_slice(bits);
        }
        Ok(())
    }

    /// The same from a payload, for vectors that are older than the frame. Lossy payloads give slightly other codes.
    pub fn encode_code_of(&self, payload: &[u8], out: &mut Vec<u8>) -> Result<()> {
        if self.code_len() == 0 {
            return Ok(());
        }
        let value = self.value(payload)?;
        match (&self.coder, value.as_ref()) {
            // What a lossy payload decodes to need not be of the indexed type.
            (Some(coder), value) => coder.encode(&self.point(value).ok_or(Error::Zero)?, out),
            (None, value) => self.encode_code(value, out)?,
        }
        Ok(())
    }

    /// A frame for the codes of vectors like these. Values that the index does not hold are passed over.
    pub fn learn<'a>(&self, sample: impl IntoIterator<Item = Value<'a>>, seed: u64) -> Result<Frame> {
        let mut mean = Mean::of(self.spec.dims);
        for value in sample {
            self.check(value)?;
            self.point(value).into_iter().for_each(|point| mean.add(&point));
        }
        mean.frame(seed)
    }

    /// The same from payloads. Lossy ones give a slightly other frame.
    pub fn learn_of<'a>(&self, sample: impl IntoIterator<Item = &'a [u8]>, seed: u64) -> Result<Frame> {
        let mut mean = Mean::of(self.spec.dims);
        for payload in sample {
            self.point(self.value(payload)?.as_ref()).into_iter().for_each(|point| mean.add(&point));
        }
        mean.frame(seed)
    }

    /// Prepares a query. `None` (NULL) and a zero vector under cosine distance order nothing: every key is 0, every lower
    /// bound −∞, and [`PreparedQuery::orders`] says no.
    pub fn prepare(&self, query: Option<Value<'_>>) -> Result<PreparedQuery> {
        let Some(value) = query else { return Ok(PreparedQuery { body: None, code: None }) };
        self.check(value)?;
        let body = self.body(value)?;
        let code = match (&self.coder, &body) {
            (Some(coder), Some(_)) => self.point(value).map(|point| coder.prepare(&point)),
            _ => None,
        };
        Ok(PreparedQuery { body, code })
    }

    /// A query for what is near a stored vector. A lossy payload is searched for as it is.
    pub fn prepare_of(&self, payload: &[u8]) -> Result<PreparedQuery> {
        let value = self.value(payload)?;
        let body = self.body(value.as_ref())?;
        let code = match (&self.coder, &body) {
            (Some(coder), Some(_)) => self.point(value.as_ref()).map(|point| coder.prepare(&point)),
            _ => None,
        };
        Ok(PreparedQuery { body, code })
    }

    /// The keys of as many codes as `out` holds, estimated. Codes lie one after the other, and so do their factors.
    #[inline]
    pub fn estimate(
        &self,
        query: &PreparedQuery,
        codes: &[u8],
        factors: &[u8],
        out: &mut [f32],
    ) -> Result<()> {
        match (&self.coder, &query.code, &self.store, &query.body) {
            (Some(coder), Some(query), ..) => coder.estimate(query, codes, factors, out),
            (_, _, _, None) => {
                out.fill(0.0);
                Ok(())
            }
            (_, _, Store::Bit(codec), Some(Body::Bit(query)))
                if codes.len() == self.code_len() * out.len() =>
            {
                codec.estimate(query, codes, out);
                Ok(())
            }
            _ => Err(Error::ForeignQuery),
        }
    }

    /// By how much an estimate may be off at `epsilon` standard deviations (the papers take 1.9), from the factors of the code.
    /// 0 where codes are exact.
    pub fn estimate_error(&self, query: &PreparedQuery, factors: &[u8], epsilon: f32) -> Result<f32> {
        match (&self.coder, &query.code) {
            (Some(coder), Some(query)) => {
                let factors =
                    factors.try_into().map_err(|_| Error::Corrupt("factors of a code are cut off"))?;
                Ok(coder.error_bound(query, factors, epsilon))
            }
            _ => Ok(0.0),
        }
    }

    /// The key of a stored vector.
    #[inline]
    pub fn exact(&self, query: &PreparedQuery, payload: &[u8]) -> Result<f32> {
        let Some(body) = &query.body else { return Ok(0.0) };
        pair!(&self.store, body, codec, query => codec.exact(query, payload))
    }

    /// What the SQL operator computes at least for a stored vector, in the operator's own unit (not the key's).
    #[inline]
    pub fn lower_bound(&self, query: &PreparedQuery, payload: &[u8]) -> Result<f64> {
        let Some(body) = &query.body else { return Ok(f64::NEG_INFINITY) };
        pair!(&self.store, body, codec, query => codec.lower_bound(query, payload))
    }

    /// What the SQL operator computes with the kernels of this process, where the payload tells: see
    /// [`Scorer::is_lossless`].
    pub fn operator(&self, query: &PreparedQuery, payload: &[u8]) -> Result<Option<f64>> {
        let Some(body) = &query.body else { return Ok(None) };
        pair!(&self.store, body, codec, query => codec.operator(query, payload))
    }

    /// [`Scorer::exact`], and beside it [`Scorer::operator`] or, where that is `None`, [`Scorer::lower_bound`], in less time than both take.
    /// A query that orders nothing has the key 0 and the bound −∞.
    #[inline]
    pub fn ranked(&self, query: &PreparedQuery, payload: &[u8]) -> Result<(f32, f64)> {
        let Some(body) = &query.body else { return Ok((0.0, f64::NEG_INFINITY)) };
        pair!(&self.store, body, codec, query => codec.ranked(query, payload))
    }

    /// The key of one stored vector as seen from another.
    #[inline]
    pub fn between(&self, a: &[u8], b: &[u8]) -> Result<f32> {
        each!(&self.store, codec => codec.between(a, b))
    }

    /// The keys of many stored vectors as seen from one, appended in their order: what [`Scorer::between`] answers for each, in less
    /// time.
    #[inline]
    pub fn between_each<'b>(
        &self,
        a: &[u8],
        others: impl Iterator<Item = &'b [u8]>,
        keys: &mut Vec<f32>,
    ) -> Result<()> {
        each!(&self.store, codec => codec.between_each(a, others, keys))
    }

    /// The value of a payload, or what a lossy one has left of it. Refuses numbers that no encoder wrote.
    pub fn value(&self, payload: &[u8]) -> Result<OwnedValue> {
        each!(&self.store, codec => codec.decode(payload))
    }

    fn body(&self, value: Value<'_>) -> Result<Option<Body>> {
        Ok(match &self.store {
            Store::F32(codec) => codec.prepare(value)?.map(Body::F32),
            Store::F16(codec) => codec.prepare(value)?.map(Body::F16),
            Store::Half(codec) => codec.prepare(value)?.map(Body::Half),
            Store::Sq8(codec) => codec.prepare(value)?.map(Body::Sq8),
            Store::Bit(codec) => codec.prepare(value)?.map(Body::Bit),
            Store::Sparse(codec) => codec.prepare(value)?.map(Body::Sparse),
        })
    }

    /// Refuses values that are not of the index's type and dimensions, or not finite.
    fn check(&self, value: Value<'_>) -> Result<()> {
        let Spec { vector_type, dims, .. } = self.spec;
        let (is, found, fits) = match value {
            Value::F32(values) => (VectorType::Vector, values.len(), values.len() == dims),
            Value::F16(values) => (VectorType::Halfvec, values.len(), values.len() == dims),
            Value::Bits(bytes) => (VectorType::Bit, 8 * bytes.len(), bytes.len() == dims.div_ceil(8)),
            Value::Sparse(sparse) => (VectorType::Sparsevec, sparse.dims, dims == 0 || sparse.dims == dims),
        };
        if is != vector_type || !fits {
            return Err(Error::Value { expected_type: vector_type, expected: dims, found });
        }
        let finite = match value {
            Value::F32(values) => all_finite(values),
            Value::F16(values) => all_finite(values),
            Value::Bits(_) => true,
            Value::Sparse(sparse) => sparse.indices.len() == sparse.values.len() && all_finite(sparse.values),
        };
        if finite { Ok(()) } else { Err(Error::NotFinite) }
    }

    /// Where codes see a dense value: itself, or its direction; `None` if it has none.
    fn point(&self, value: Value<'_>) -> Option<Vec<f32>> {
        match value {
            Value::F32(values) => self.point_of(values),
            Value::F16(values) => self.point_of(values),
            _ => None,
        }
    }

    fn point_of<E: Element>(&self, values: &[E]) -> Option<Vec<f32>> {
        let factor = match self.spec.metric {
            Metric::Cosine => 1.0 / norm(self.kernels, values),
            _ => 1.0,
        };
        let scaled = |x: &E| (f64::from(x.to_f32()) * factor) as f32;
        factor.is_finite().then(|| values.iter().map(scaled).collect())
    }
}

/// The mean of points.
struct Mean {
    sums: Vec<f64>,
    count: f64,
}

impl Mean {
    fn of(dims: usize) -> Self {
        Self { sums: vec![0.0; dims], count: 0.0 }
    }

    fn add(&mut self, point: &[f32]) {
        for (sum, &x) in self.sums.iter_mut().zip(point) {
            *sum += f64::from(x);
        }
        self.count += 1.0;
    }

    /// The frame around it.
    fn frame(self, seed: u64) -> Result<Frame> {
        let count = f64::max(self.count, 1.0);
        Frame::new(self.sums.iter().map(|sum| (sum / count) as f32).collect(), seed)
    }
}

impl PreparedQuery {
    /// Whether the query orders rows. Where it does not, all of them are returned, without a recheck of their order.
    pub fn orders(&self) -> bool {
        self.body.is_some()
    }

    /// Whether [`Scorer::estimate`] works.
    pub fn has_code(&self) -> bool {
        self.code.is_some() || matches!(self.body, Some(Body::Bit(_)))
    }
}
