//! Values as they come from SQL and as they come back out of payloads.

use ::half::f16;
use kite_kernels::{Element, Kernels};
use kite_vectors::{Sparse, sparse::SparseBuf};
use std::borrow::Cow;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A borrowed value of one of the types.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// `vector`
    F32(&'a [f32]),
    /// `halfvec`
    F16(&'a [f16]),
    /// `bit`: first bit in the highest place of the first byte; bits past the end are zero.
    Bits(&'a [u8]),
    /// `sparsevec`
    Sparse(Sparse<'a>),
}

/// What a payload decodes to. A lossy payload of either dense type gives `F32`; under cosine distance that is the unit vector.
#[derive(Debug, Clone, PartialEq)]
pub enum OwnedValue {
    /// `vector`, or what is left of a dense vector.
    F32(Vec<f32>),
    /// `halfvec`
    F16(Vec<f16>),
    /// `bit`
    Bits(Vec<u8>),
    /// `sparsevec`
    Sparse(SparseBuf),
}

impl OwnedValue {
    /// Borrows it.
    pub fn as_ref(&self) -> Value<'_> {
        match self {
            OwnedValue::F32(values) => Value::F32(values),
            OwnedValue::F16(values) => Value::F16(values),
            OwnedValue::Bits(bytes) => Value::Bits(bytes),
            OwnedValue::Sparse(sparse) => Value::Sparse(sparse.as_ref()),
        }
    }
}

/// An element type of dense vectors, as bytes too.
pub(crate) trait Dense: Element + FromBytes + IntoBytes + Immutable {
    fn slice<'a>(of: Value<'a>) -> Option<&'a [Self]>;
    fn owned(values: Vec<Self>) -> OwnedValue;
    /// In single precision.
    fn widened<'a>(values: &'a [Self], kernels: &'static Kernels) -> Cow<'a, [f32]>;
}

impl Dense for f32 {
    fn slice<'a>(of: Value<'a>) -> Option<&'a [f32]> {
        if let Value::F32(values) = of { Some(values) } else { None }
    }
    fn owned(values: Vec<f32>) -> OwnedValue {
        OwnedValue::F32(values)
    }
    fn widened<'a>(values: &'a [f32], _: &'static Kernels) -> Cow<'a, [f32]> {
        Cow::Borrowed(values)
    }
}

impl Dense for f16 {
    fn slice<'a>(of: Value<'a>) -> Option<&'a [f16]> {
        if let Value::F16(values) = of { Some(values) } else { None }
    }
    fn owned(values: Vec<f16>) -> OwnedValue {
        OwnedValue::F16(values)
    }
    fn widened<'a>(values: &'a [f16], kernels: &'static Kernels) -> Cow<'a, [f32]> {
        let mut widened = vec![0.0; values.len()];
        (kernels.f16_to_f32)(values, &mut widened);
        Cow::Owned(widened)
    }
}

/// |x|, in `f64`: off by at most (d + 2)·2⁻⁵³ of it.
pub(crate) fn norm<E: Element>(kernels: &'static Kernels, values: &[E]) -> f64 {
    (E::of(kernels).norm_squared)(values).sqrt()
}

pub(crate) fn all_finite<E: Element>(values: &[E]) -> bool {
    values.iter().fold(true, |finite, x| finite & x.to_f32().is_finite())
}
