//! Errors of the pure crates as ERRORs.

use pgrx::{
    PgLogLevel, PgSqlErrorCode,
    pg_sys::{self, Relation, panic::ErrorReport},
};
use std::ffi::CStr;

/// Why an operation on an index failed, whichever crate it is of.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(in crate::am) enum Failure {
    #[error(transparent)]
    Pages(#[from] kite_pages::Error),
    #[error(transparent)]
    Codecs(#[from] kite_codecs::Error),
    #[error(transparent)]
    Build(#[from] kite_build::Error),
    /// A build that needs more memory than it may take, in bytes.
    #[error("memory required is {} MB, maintenance_work_mem is {} MB", (needed >> 20) + 1, limit >> 20)]
    Memory { needed: usize, limit: usize },
    /// Parameters that an index cannot be made with.
    #[error("{0}")]
    Options(&'static str),
}

impl From<kite_hnsw::Error> for Failure {
    fn from(error: kite_hnsw::Error) -> Self {
        use kite_hnsw::Error;
        match error {
            Error::Pages(error) => Self::Pages(error),
            Error::Codecs(error) => Self::Codecs(error),
            Error::OutOfMemory { bytes } => Self::Build(kite_build::Error::OutOfMemory { bytes }),
            Error::Interrupted => Self::Build(kite_build::Error::Interrupted),
            Error::Scratch(kind) => Self::Build(kite_build::Error::Scratch(kind)),
            Error::Options(what) => Self::Options(what),
        }
    }
}

impl From<kite_ivf::Error> for Failure {
    fn from(error: kite_ivf::Error) -> Self {
        use kite_ivf::Error;
        match error {
            Error::Pages(error) => Self::Pages(error),
            Error::Codecs(error) => Self::Codecs(error),
            Error::Build(error) => Self::Build(error),
            Error::Memory { needed, limit } => Self::Memory { needed, limit },
            Error::Options(what) => Self::Options(what),
        }
    }
}

/// Takes the value out, or raises the error.
pub(in crate::am) trait OrRaise<T> {
    /// # Safety
    /// `index` is open.
    unsafe fn or_raise(self, index: Relation) -> T;
}

impl<T, E: Into<Failure>> OrRaise<T> for Result<T, E> {
    #[inline]
    unsafe fn or_raise(self, index: Relation) -> T {
        match self {
            Ok(value) => value,
            // SAFETY: the caller's promise.
            Err(error) => unsafe { raise(&error.into(), index) },
        }
    }
}

/// The name of a relation, for messages.
///
/// # Safety
/// The relation is open.
pub(in crate::am) unsafe fn name_of(relation: Relation) -> String {
    // SAFETY: the caller's promise; a name ends with NUL.
    unsafe { CStr::from_ptr((*(*relation).rd_rel).relname.data.as_ptr()) }.to_string_lossy().into_owned()
}

/// The report of a damaged index.
pub(in crate::am) fn damage(message: String) -> ErrorReport {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_INDEX_CORRUPTED, message, "pgkite")
        .set_hint("REINDEX rebuilds it.")
}

/// Raises an error of an operation on an index.
#[cold]
unsafe fn raise(error: &Failure, index: Relation) -> ! {
    // SAFETY: the caller's promise.
    let name = unsafe { name_of(index) };
    let report = match error {
        Failure::Pages(kite_pages::Error::Corrupt { block, what }) => {
            damage(format!("index \"{name}\" is damaged at block {block}: {what}"))
        }
        Failure::Codecs(kite_codecs::Error::Corrupt(what)) => {
            damage(format!("index \"{name}\" is damaged: {what}"))
        }
        Failure::Build(kite_build::Error::Interrupted) => {
            // SAFETY: no lock is held once an operation has ended. It raises what the user asked for.
            unsafe { pg_sys::ProcessInterrupts() };
            ErrorReport::new(PgSqlErrorCode::ERRCODE_QUERY_CANCELED, "canceled", "pgkite")
        }
        Failure::Build(kite_build::Error::OutOfMemory { .. })
        | Failure::Pages(kite_pages::Error::OutOfMemory { .. }) => {
            ErrorReport::new(PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY, "out of memory", "pgkite")
                .set_detail(format!("{error}, for index \"{name}\"."))
        }
        // In pgvector's words.
        Failure::Memory { .. } => {
            ErrorReport::new(PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED, error.to_string(), "pgkite")
        }
        other => ErrorReport::new(sqlstate(other), format!("index \"{name}\": {other}"), "pgkite"),
    };
    report.report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

fn sqlstate(error: &Failure) -> PgSqlErrorCode {
    use kite_codecs::Error as Codecs;
    match error {
        Failure::Build(kite_build::Error::Scratch(_)) => PgSqlErrorCode::ERRCODE_IO_ERROR,
        Failure::Options(_) => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        Failure::Pages(kite_pages::Error::TooLong { .. }) | Failure::Codecs(Codecs::Dims(..)) => {
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED
        }
        Failure::Codecs(Codecs::Value { .. } | Codecs::NotFinite) => PgSqlErrorCode::ERRCODE_DATA_EXCEPTION,
        Failure::Codecs(_) => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        _ => PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
    }
}
