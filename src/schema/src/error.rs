//! Refusals, with Milvus's code for its clients and an SQLSTATE for everybody else.

use std::fmt;

/// The result of whatever may be refused.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something was refused, in Milvus's classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are Milvus's")]
pub enum Code {
    CollectionNotFound,
    CollectionNotLoaded,
    CollectionNumLimitExceeded,
    CollectionIllegalSchema,
    CollectionSchemaMismatch,
    /// Milvus answers this by `ParameterInvalid`; SQL has a class of its own for it.
    CollectionExists,
    PartitionNotFound,
    PartitionNotLoaded,
    IndexNotFound,
    IndexNotSupported,
    IndexDuplicate,
    DatabaseNotFound,
    DatabaseNumLimitExceeded,
    DatabaseInvalidName,
    ParameterInvalid,
    ParameterMissing,
    ParameterTooLarge,
    PrivilegeNotPermitted,
    AliasNotFound,
    AliasCollectionNameConflict,
    AliasAlreadyExist,
    FieldNotFound,
    FieldInvalidName,
    /// Something that Milvus has and this does not; Milvus's clients see a `ServiceUnimplemented`.
    Unsupported,
    /// What other objects depend on; Milvus answers by `UnexpectedError`.
    InUse,
}

impl Code {
    /// Milvus's number, as in `status.code`.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::CollectionNotFound => 100,
            Self::CollectionNotLoaded => 101,
            Self::CollectionNumLimitExceeded => 102,
            Self::CollectionIllegalSchema => 105,
            Self::CollectionSchemaMismatch => 109,
            Self::CollectionExists | Self::ParameterInvalid => 1100,
            Self::PartitionNotFound => 200,
            Self::PartitionNotLoaded => 201,
            Self::IndexNotFound => 700,
            Self::IndexNotSupported => 701,
            Self::IndexDuplicate => 702,
            Self::DatabaseNotFound => 800,
            Self::DatabaseNumLimitExceeded => 801,
            Self::DatabaseInvalidName => 802,
            Self::ParameterMissing => 1101,
            Self::ParameterTooLarge => 1102,
            Self::PrivilegeNotPermitted => 1401,
            Self::AliasNotFound => 1600,
            Self::AliasCollectionNameConflict => 1601,
            Self::AliasAlreadyExist => 1602,
            Self::FieldNotFound => 1700,
            Self::FieldInvalidName => 1701,
            Self::Unsupported => 10,
            Self::InUse => 65535,
        }
    }

    /// The SQLSTATE nearest to it.
    #[must_use]
    pub fn sqlstate(self) -> &'static str {
        match self {
            Self::CollectionNotFound => "42P01",
            Self::CollectionExists => "42P07",
            Self::CollectionNotLoaded | Self::PartitionNotLoaded => "55000",
            Self::CollectionNumLimitExceeded | Self::DatabaseNumLimitExceeded | Self::ParameterTooLarge => {
                "54000"
            }
            Self::CollectionIllegalSchema | Self::ParameterInvalid | Self::ParameterMissing => "22023",
            Self::CollectionSchemaMismatch => "42804",
            Self::PartitionNotFound | Self::IndexNotFound | Self::AliasNotFound => "42704",
            Self::IndexNotSupported | Self::Unsupported => "0A000",
            Self::IndexDuplicate | Self::AliasCollectionNameConflict | Self::AliasAlreadyExist => "42710",
            Self::DatabaseNotFound => "3F000",
            Self::DatabaseInvalidName | Self::FieldInvalidName => "42602",
            Self::PrivilegeNotPermitted => "42501",
            Self::FieldNotFound => "42703",
            Self::InUse => "2BP01",
        }
    }
}

/// A refusal. `Display` is the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Its class.
    pub code: Code,
    /// What is wrong, in Milvus's words where it has some.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Error {
    /// A refusal without a hint.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// A parameter that cannot be what it is.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::ParameterInvalid, message)
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
