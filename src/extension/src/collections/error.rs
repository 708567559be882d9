//! Refusals as ERRORs: Milvus's message, the SQLSTATE nearest to its code, and the code in the DETAIL.

use crate::call::Raise;
use kite_schema::Error;
use pgrx::{
    PgLogLevel, PgSqlErrorCode,
    pg_sys::{self, panic::ErrorReport},
};

impl Raise for Error {
    #[cold]
    fn raise(&self) -> ! {
        let code = packed(self.code.sqlstate());
        let mut report = ErrorReport::new(code, self.message.clone(), "pgkite").set_detail(format!(
            "Milvus's code is {} ({:?}).",
            self.code.number(),
            self.code
        ));
        if let Some(hint) = &self.hint {
            report = report.set_hint(hint.clone());
        }
        report.report(PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }
}

/// An SQLSTATE as the server packs it: six bits a letter (`MAKE_SQLSTATE` of `utils/elog.h`).
fn packed(sqlstate: &str) -> PgSqlErrorCode {
    let bits = sqlstate.bytes().enumerate();
    PgSqlErrorCode::from(bits.fold(0_i32, |code, (place, letter)| {
        code | (i32::from(letter.wrapping_sub(b'0') & 0x3F) << (6 * place))
    }))
}

/// Says something that is no error.
pub(super) fn notice(message: String) {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, message, "pgkite")
        .report(PgLogLevel::NOTICE);
}

/// Raises what cannot happen as long as the server keeps its promises.
#[cold]
pub(super) fn internal(message: String) -> ! {
    ErrorReport::new(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, message, "pgkite").report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

/// Raises the server's own refusal of a right on a table.
#[cold]
pub(super) fn denied(result: pg_sys::AclResult::Type, table: &std::ffi::CStr) -> ! {
    // SAFETY: the name is copied; the call raises an ERROR since the result is not ACLCHECK_OK.
    unsafe { pg_sys::aclcheck_error(result, pg_sys::ObjectType::OBJECT_TABLE, table.as_ptr()) };
    unreachable!("an ERROR does not return")
}
