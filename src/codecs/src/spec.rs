//! What an index is asked to hold: type, metric, payload, code bits, dimensions.

use crate::rabitq::FACTORS;
use crate::rotation::Rotation;
use crate::{Error, Result};
use std::fmt;

/// A SQL type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VectorType {
    /// `vector`: single precision.
    Vector,
    /// `halfvec`: half precision.
    Halfvec,
    /// `bit(n)`.
    Bit,
    /// `sparsevec`.
    Sparsevec,
}

/// What an operator computes. The *key* by which an index ranks is smaller where the operator's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// `<->`; the key is its square.
    L2,
    /// `<#>`, the negative inner product; the key is the same.
    InnerProduct,
    /// `<=>`; the key is the same.
    Cosine,
    /// `<+>`; the key is the same.
    L1,
    /// `<~>`; the key is the same.
    Hamming,
    /// `<%>`; the key is the same.
    Jaccard,
}

/// How an index stores a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadKind {
    /// As it is.
    Full,
    /// Half precision with a scale per vector.
    Half,
    /// A byte per dimension with offset and step per vector.
    Sq8,
}

/// Everything that a scorer depends on, but for the frame of its codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spec {
    /// The type of the indexed values.
    pub vector_type: VectorType,
    /// The operator.
    pub metric: Metric,
    /// What ranks.
    pub payload: PayloadKind,
    /// Bits per dimension of what steers: 0, 1 or 2. For `bit`, whose code is the value itself, 0 or 1.
    pub code_bits: u8,
    /// Dimensions (bits, for `bit`). For `sparsevec`, 0 allows any.
    pub dims: usize,
}

impl VectorType {
    /// The most dimensions of a value.
    pub fn max_dims(self) -> usize {
        match self {
            VectorType::Vector => kite_vectors::VECTOR.max_dims,
            VectorType::Halfvec => kite_vectors::HALFVEC.max_dims,
            // Keys are `f32`, which counts exactly so far.
            VectorType::Bit => 1 << 24,
            VectorType::Sparsevec => kite_vectors::SPARSEVEC.max_dims,
        }
    }
}

impl Metric {
    /// The operator's value, approximately, where the key is `key`.
    pub fn distance_of_key(self, key: f32) -> f64 {
        match self {
            Metric::L2 => f64::from(key.max(0.0)).sqrt(),
            _ => f64::from(key),
        }
    }

    /// The operator's value from what it computes, which for l2 is the square of it.
    #[inline]
    pub(crate) fn of_computed(self, computed: f64) -> f64 {
        if self == Self::L2 { computed.sqrt() } else { computed }
    }
}

impl Spec {
    /// The most bits per dimension that codes may have.
    pub fn max_code_bits(&self) -> u8 {
        match (self.vector_type, self.metric) {
            (VectorType::Sparsevec, _) | (_, Metric::L1) => 0,
            (VectorType::Bit, _) => 1,
            _ => 2,
        }
    }

    /// Bytes of a code once there is a frame (or now, for `bit`, whose codes need none); 0 where there are no codes.
    pub fn code_len(&self) -> usize {
        match (self.code_bits, self.vector_type) {
            (0, _) => 0,
            (_, VectorType::Bit) => self.dims.div_ceil(8),
            (bits, _) => Rotation::padded(self.dims) * usize::from(bits) / 8,
        }
    }

    /// Bytes of the factors that belong to such a code.
    pub fn factors_len(&self) -> usize {
        if self.code_bits == 0 || self.vector_type == VectorType::Bit { 0 } else { FACTORS }
    }

    /// Refuses what does not go together.
    pub fn check(&self) -> Result<()> {
        let Spec { vector_type, metric, payload, code_bits: bits, dims } = *self;
        if matches!(metric, Metric::Hamming | Metric::Jaccard) != (vector_type == VectorType::Bit) {
            return Err(Error::Metric(vector_type, metric));
        }
        let stores = match vector_type {
            VectorType::Vector => true,
            // Half precision is what a halfvec is, so that `half` means `full`.
            VectorType::Halfvec => true,
            VectorType::Bit | VectorType::Sparsevec => payload == PayloadKind::Full,
        };
        if !stores {
            return Err(Error::Payload(vector_type, payload));
        }
        let max = self.max_code_bits();
        if bits > max {
            return Err(Error::CodeBits { bits, max, vector_type, metric });
        }
        if dims > vector_type.max_dims() || dims == 0 && vector_type != VectorType::Sparsevec {
            return Err(Error::Dims(vector_type, dims));
        }
        Ok(())
    }
}

impl fmt::Display for VectorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            VectorType::Vector => "vector",
            VectorType::Halfvec => "halfvec",
            VectorType::Bit => "bit",
            VectorType::Sparsevec => "sparsevec",
        })
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Metric::L2 => "l2",
            Metric::InnerProduct => "inner product",
            Metric::Cosine => "cosine",
            Metric::L1 => "l1",
            Metric::Hamming => "hamming",
            Metric::Jaccard => "jaccard",
        })
    }
}

impl fmt::Display for PayloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PayloadKind::Full => "full",
            PayloadKind::Half => "half",
            PayloadKind::Sq8 => "sq8",
        })
    }
}
