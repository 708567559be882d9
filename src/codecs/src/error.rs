//! What can be wrong with a request or with stored bytes.

use crate::{Metric, PayloadKind, VectorType};

/// A request that makes no sense, or bytes that no encoder wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A metric that the type has no operator for.
    #[error("{0} has no distance {1}")]
    Metric(VectorType, Metric),
    /// A payload that the type cannot be stored as.
    #[error("{0} cannot be stored as {1}: use full")]
    Payload(VectorType, PayloadKind),
    /// A number of code bits that is not to be had.
    #[error("{vector_type} with distance {metric} has codes of at most {max} bits per dimension, not {bits}")]
    CodeBits {
        /// What was asked for.
        bits: u8,
        /// The most there are.
        max: u8,
        /// The type.
        vector_type: VectorType,
        /// The metric.
        metric: Metric,
    },
    /// Dimensions outside of what the type may have.
    #[error("an index on {0} cannot have {1} dimensions")]
    Dims(VectorType, usize),
    /// A value of other dimensions, or of another type, than the scorer's.
    #[error("expected {expected_type} of {expected} dimensions, not {found} dimensions or another type")]
    Value {
        /// The scorer's type.
        expected_type: VectorType,
        /// The scorer's dimensions.
        expected: usize,
        /// The value's dimensions.
        found: usize,
    },
    /// An element that is infinite or not a number.
    #[error("a vector with an element that is not finite cannot be indexed")]
    NotFinite,
    /// A zero vector has no direction, so that a cosine index does not hold it.
    #[error("a zero vector has no cosine distance and is not indexed")]
    Zero,
    /// A query that was prepared by another scorer.
    #[error("the query was prepared for another index")]
    ForeignQuery,
    /// Bytes that are not what they should be.
    #[error("{0}")]
    Corrupt(&'static str),
}

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;
