//! Errors of the pure crates as ERRORs.

use kite_hnsw::Error;
use pgrx::{
    PgLogLevel, PgSqlErrorCode,
    pg_sys::{self, Relation, panic::ErrorReport},
};
use std::ffi::CStr;

/// Takes the value out, or raises the error.
pub(in crate::am) trait OrRaise<T> {
    /// # Safety
    /// `index` is open.
    unsafe fn or_raise(self, index: Relation) -> T;
}

impl<T, E: Into<Error>> OrRaise<T> for Result<T, E> {
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
unsafe fn raise(error: &Error, index: Relation) -> ! {
    // SAFETY: the caller's promise.
    let name = unsafe { name_of(index) };
    let report = match error {
        Error::Pages(kite_pages::Error::Corrupt { block, what }) => {
            damage(format!("index \"{name}\" is damaged at block {block}: {what}"))
        }
        Error::Codecs(kite_codecs::Error::Corrupt(what)) => {
            damage(format!("index \"{name}\" is damaged: {what}"))
        }
        Error::Interrupted => {
            // SAFETY: no lock is held once an operation has ended. It raises what the user asked for.
            unsafe { pg_sys::ProcessInterrupts() };
            ErrorReport::new(PgSqlErrorCode::ERRCODE_QUERY_CANCELED, "canceled", "pgkite")
        }
        Error::OutOfMemory { .. } | Error::Pages(kite_pages::Error::OutOfMemory { .. }) => {
            ErrorReport::new(PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY, "out of memory", "pgkite")
                .set_detail(format!("{error}, for index \"{name}\"."))
        }
        other => ErrorReport::new(sqlstate(other), format!("index \"{name}\": {other}"), "pgkite"),
    };
    report.report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

fn sqlstate(error: &Error) -> PgSqlErrorCode {
    use kite_codecs::Error as Codecs;
    match error {
        Error::Scratch(_) => PgSqlErrorCode::ERRCODE_IO_ERROR,
        Error::Options(_) => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        Error::Pages(kite_pages::Error::TooLong { .. }) | Error::Codecs(Codecs::Dims(..)) => {
            PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED
        }
        Error::Codecs(Codecs::Value { .. } | Codecs::NotFinite) => PgSqlErrorCode::ERRCODE_DATA_EXCEPTION,
        Error::Codecs(_) => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        _ => PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
    }
}
