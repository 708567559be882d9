//! The three types as data: names and limits, and the checks that all of them share.

use crate::{Error, Result, number::shortest};
use half::f16;
use kite_kernels::Element;

/// Name and limit of a vector type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The SQL name.
    pub name: &'static str,
    /// The most dimensions a value may have.
    pub max_dims: usize,
}

/// `vector`: single precision, dense.
pub const VECTOR: Kind = Kind { name: "vector", max_dims: 16_000 };
/// `halfvec`: half precision, dense.
pub const HALFVEC: Kind = Kind { name: "halfvec", max_dims: 16_000 };
/// `sparsevec`: single precision, zeros left out.
pub const SPARSEVEC: Kind = Kind { name: "sparsevec", max_dims: 1_000_000_000 };

impl Kind {
    /// Refuses a number of dimensions outside `1..=max_dims`. Negative numbers arrive from the wire.
    pub fn check_dims(&self, dims: i64) -> Result<usize> {
        match usize::try_from(dims) {
            Ok(0) | Err(_) => Err(Error::NoDimensions { kind: self.name }),
            Ok(dims) if dims > self.max_dims => {
                Err(Error::TooManyDimensions { kind: self.name, max: self.max_dims })
            }
            Ok(dims) => Ok(dims),
        }
    }

    /// Refuses two values whose dimensions differ.
    pub fn check_same_dims(&self, left: usize, right: usize) -> Result<()> {
        if left == right { Ok(()) } else { Err(Error::DifferentDimensions { kind: self.name, left, right }) }
    }

    /// Refuses NaN and infinities, which no vector may hold.
    pub fn check_element(&self, value: f32) -> Result<()> {
        if value.is_finite() {
            Ok(())
        } else if value.is_nan() {
            Err(Error::NotANumber { kind: self.name })
        } else {
            Err(Error::Infinite { kind: self.name })
        }
    }

    /// The type modifier that `type(n)` stands for, from the parsed modifiers.
    pub fn type_modifier(&self, modifiers: &[i32]) -> Result<i32> {
        let &[dims] = modifiers else {
            return Err(Error::InvalidTypeModifier);
        };
        if dims < 1 {
            return Err(Error::TypeModifierTooSmall { kind: self.name });
        }
        if usize::try_from(dims).is_ok_and(|dims| dims > self.max_dims) {
            return Err(Error::TypeModifierTooLarge { kind: self.name, max: self.max_dims });
        }
        Ok(dims)
    }
}

/// Refuses a value that does not have the dimensions its column declares; `-1` declares none.
pub fn check_type_modifier(modifier: i32, dims: usize) -> Result<()> {
    if modifier == -1 || usize::try_from(modifier) == Ok(dims) {
        Ok(())
    } else {
        Err(Error::UnexpectedDimensions { expected: modifier, found: dims })
    }
}

/// An element of a dense vector type.
pub trait Scalar: Element {
    /// The SQL type made of such elements.
    const KIND: Kind;
    /// Bytes of one element on the wire.
    const WIRE_BYTES: usize;

    /// Rounds a finite number to this type, or refuses one that would become infinite.
    fn narrow(value: f32) -> Result<Self>;
    /// Reads big-endian bytes; the slice has [`Scalar::WIRE_BYTES`] bytes.
    fn from_wire(bytes: &[u8]) -> Self;
    /// Appends big-endian bytes.
    fn to_wire(self, out: &mut Vec<u8>);
}

impl Scalar for f32 {
    const KIND: Kind = VECTOR;
    const WIRE_BYTES: usize = 4;

    fn narrow(value: f32) -> Result<Self> {
        Ok(value)
    }
    fn from_wire(bytes: &[u8]) -> Self {
        bytes.try_into().map_or(f32::NAN, f32::from_be_bytes)
    }
    fn to_wire(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

impl Scalar for f16 {
    const KIND: Kind = HALFVEC;
    const WIRE_BYTES: usize = 2;

    fn narrow(value: f32) -> Result<Self> {
        let narrowed = f16::from_f32(value);
        if narrowed.is_infinite() && value.is_finite() {
            return Err(Error::OutOfRange { kind: HALFVEC.name, text: shortest(value) });
        }
        Ok(narrowed)
    }
    fn from_wire(bytes: &[u8]) -> Self {
        bytes.try_into().map_or(f16::NAN, f16::from_be_bytes)
    }
    fn to_wire(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}
