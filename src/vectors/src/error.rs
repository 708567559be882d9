//! Every way in which a vector can be refused, with the words and SQLSTATEs that clients of pgvector expect.

/// What went wrong. `Display` is the message, [`Error::detail`] the DETAIL line, [`Error::sqlstate`] the code.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the message of each variant is its documentation")]
pub enum Error {
    #[error("different {kind} dimensions {left} and {right}")]
    DifferentDimensions { kind: &'static str, left: usize, right: usize },
    #[error("different bit lengths {left} and {right}")]
    DifferentBitLengths { left: usize, right: usize },
    #[error("expected {expected} dimensions, not {found}")]
    UnexpectedDimensions { expected: i32, found: usize },
    #[error("{kind} must have at least 1 dimension")]
    NoDimensions { kind: &'static str },
    #[error("{kind} cannot have more than {max} dimensions")]
    TooManyDimensions { kind: &'static str, max: usize },
    #[error("sparsevec cannot have negative number of elements")]
    NegativeElements,
    #[error("sparsevec cannot have more than {max} non-zero elements")]
    TooManyElements { max: usize },
    #[error("sparsevec cannot have more elements than dimensions")]
    MoreElementsThanDimensions,
    #[error("sparsevec index out of bounds")]
    IndexOutOfBounds,
    #[error("sparsevec indices must be in ascending order")]
    IndicesNotAscending,
    #[error("sparsevec indices must not contain duplicates")]
    DuplicateIndices,
    #[error("binary representation of sparsevec cannot contain zero values")]
    ZeroValue,
    #[error("NaN not allowed in {kind}")]
    NotANumber { kind: &'static str },
    #[error("infinite value not allowed in {kind}")]
    Infinite { kind: &'static str },
    #[error("\"{text}\" is out of range for type {kind}")]
    OutOfRange { kind: &'static str, text: String },
    #[error("value out of range: overflow")]
    Overflow,
    #[error("value out of range: underflow")]
    Underflow,
    #[error("invalid input syntax for type {kind}: \"{literal}\"")]
    Syntax { kind: &'static str, literal: String, detail: Option<&'static str> },
    #[error("expected unused to be 0, not {found}")]
    UnusedNotZero { found: i32 },
    #[error("insufficient data left in message")]
    Truncated,
    #[error("{kind}_{function}: expected state array")]
    NotAState { kind: &'static str, function: &'static str },
    #[error("invalid type modifier")]
    InvalidTypeModifier,
    #[error("dimensions for type {kind} must be at least 1")]
    TypeModifierTooSmall { kind: &'static str },
    #[error("dimensions for type {kind} cannot exceed {max}")]
    TypeModifierTooLarge { kind: &'static str, max: usize },
    #[error("array must be 1-D")]
    ArrayNotOneDimensional,
    #[error("array must not contain nulls")]
    ArrayWithNulls,
    #[error("unsupported array type")]
    UnsupportedArray,
    #[error("stored {kind} is damaged: {what}")]
    Damaged { kind: &'static str, what: &'static str },
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// The SQLSTATE classes that vectors raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlState {
    /// 08P01
    ProtocolViolation,
    /// 22000
    DataException,
    /// 22003
    NumericValueOutOfRange,
    /// 22004
    NullValueNotAllowed,
    /// 22023
    InvalidParameterValue,
    /// 22P02
    InvalidTextRepresentation,
    /// 54000
    ProgramLimitExceeded,
    /// XX000
    InternalError,
    /// XX001
    DataCorrupted,
}

impl Error {
    /// The SQLSTATE that belongs to this error.
    pub fn sqlstate(&self) -> SqlState {
        match self {
            Self::Truncated => SqlState::ProtocolViolation,
            Self::OutOfRange { .. } | Self::Overflow | Self::Underflow => SqlState::NumericValueOutOfRange,
            Self::ArrayWithNulls => SqlState::NullValueNotAllowed,
            Self::InvalidTypeModifier
            | Self::TypeModifierTooSmall { .. }
            | Self::TypeModifierTooLarge { .. } => SqlState::InvalidParameterValue,
            Self::Syntax { .. } => SqlState::InvalidTextRepresentation,
            Self::TooManyDimensions { .. }
            | Self::TooManyElements { .. }
            | Self::MoreElementsThanDimensions => SqlState::ProgramLimitExceeded,
            Self::NotAState { .. } => SqlState::InternalError,
            Self::Damaged { .. } => SqlState::DataCorrupted,
            _ => SqlState::DataException,
        }
    }

    /// The DETAIL line, where there is one.
    pub fn detail(&self) -> Option<&'static str> {
        match self {
            Self::Syntax { detail, .. } => *detail,
            _ => None,
        }
    }
}
