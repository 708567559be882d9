//! The boundary between the function manager and Rust: arguments in, a result or an error out.

use kite_vectors::{Error, SqlState};
use pgrx::{
    IntoDatum, PgLogLevel, PgSqlErrorCode,
    pg_sys::{self, Datum, FunctionCallInfo, panic::ErrorReport},
};
use std::ffi::CStr;

/// The arguments of one call. Every function of the extension is STRICT, so no argument is NULL.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    fcinfo: FunctionCallInfo,
}

impl Call {
    /// The n-th argument, from 0.
    #[inline]
    pub(crate) fn datum(&self, n: usize) -> Datum {
        // SAFETY: `fcinfo` is what the function manager called us with (see `guard`), and it has `nargs` arguments behind it;
        // `as_slice` stays within the array and the index is checked against it.
        let args = unsafe {
            let fcinfo = &*self.fcinfo;
            fcinfo.args.as_slice(usize::from(fcinfo.nargs.unsigned_abs()))
        };
        args[n].value
    }

    /// The n-th argument as `int4`.
    pub(crate) fn int4(&self, n: usize) -> i32 {
        self.datum(n).value() as i32
    }

    /// The n-th argument as `int8`.
    pub(crate) fn int8(&self, n: usize) -> i64 {
        self.datum(n).value() as i64
    }

    /// The n-th argument as a `cstring`.
    pub(crate) fn cstring(&self, n: usize) -> &[u8] {
        // SAFETY: the SQL declaration types this argument `cstring`: a NUL-terminated string that lives as long as the call.
        unsafe { CStr::from_ptr(self.datum(n).cast_mut_ptr()) }.to_bytes()
    }

    /// The memory context of the aggregate that makes this call, or `None` for a plain call.
    pub(crate) fn aggregate_context(&self) -> Option<pg_sys::MemoryContext> {
        let mut context = std::ptr::null_mut();
        // SAFETY: `fcinfo` is valid, and the function only reads it and writes `context`.
        let kind = unsafe { pg_sys::AggCheckCallContext(self.fcinfo, &raw mut context) };
        (kind != 0).then_some(context)
    }

    fn return_null(&self) -> Datum {
        // SAFETY: `fcinfo` is valid and ours to write for the time of the call.
        unsafe { (*self.fcinfo).isnull = true };
        Datum::null()
    }
}

/// A result that the function manager can take.
pub(crate) trait Return {
    fn into_datum(self, call: &Call) -> Datum;
}

impl Return for Datum {
    fn into_datum(self, _: &Call) -> Datum {
        self
    }
}

impl Return for f64 {
    #[inline]
    fn into_datum(self, _: &Call) -> Datum {
        // `float8` is passed by value on every platform that pgrx knows.
        Datum::from(self.to_bits())
    }
}

impl Return for bool {
    fn into_datum(self, _: &Call) -> Datum {
        Datum::from(self)
    }
}

impl Return for i32 {
    fn into_datum(self, _: &Call) -> Datum {
        Datum::from(self)
    }
}

impl Return for i64 {
    fn into_datum(self, _: &Call) -> Datum {
        Datum::from(self)
    }
}

impl<R: Return> Return for Option<R> {
    fn into_datum(self, call: &Call) -> Datum {
        match self {
            Some(value) => value.into_datum(call),
            None => call.return_null(),
        }
    }
}

/// A `text` result.
pub(crate) struct Text(pub(crate) &'static str);

impl Return for Text {
    fn into_datum(self, _: &Call) -> Datum {
        self.0.into_datum().unwrap_or_else(Datum::null)
    }
}

/// Runs the body of a function: its errors, and any panic, become an `ERROR`.
///
/// # Safety
/// `fcinfo` is what the function manager passed to an `extern "C-unwind"` function that calls this and nothing else.
#[inline]
pub(crate) unsafe fn guard<R: Return>(
    fcinfo: FunctionCallInfo,
    body: impl Fn(&Call) -> kite_vectors::Result<R>,
) -> Datum {
    let call = Call { fcinfo };
    // SAFETY: the frame above is an `extern "C-unwind"` function without destructors, as the caller promises.
    unsafe {
        pg_sys::panic::pgrx_extern_c_guard(|| match body(&call) {
            Ok(value) => value.into_datum(&call),
            Err(error) => raise(&error),
        })
    }
}

/// Raises an error of the pure crates with its SQLSTATE.
#[cold]
pub(crate) fn raise(error: &Error) -> ! {
    let code = match error.sqlstate() {
        SqlState::ProtocolViolation => PgSqlErrorCode::ERRCODE_PROTOCOL_VIOLATION,
        SqlState::DataException => PgSqlErrorCode::ERRCODE_DATA_EXCEPTION,
        SqlState::NumericValueOutOfRange => PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        SqlState::NullValueNotAllowed => PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
        SqlState::InvalidParameterValue => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        SqlState::InvalidTextRepresentation => PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION,
        SqlState::ProgramLimitExceeded => PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        SqlState::InternalError => PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
        SqlState::DataCorrupted => PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
    };
    let mut report = ErrorReport::new(code, error.to_string(), "pgkite");
    if let Some(detail) = error.detail() {
        report = report.set_detail(detail);
    }
    report.report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

/// Makes C functions of version-1 calling convention: `"symbol" => body`, where the body is a
/// `fn(&Call) -> kite_vectors::Result<impl Return>`. The symbols are prefixed so that they never meet those of pgvector's
/// library, should both be loaded into one process.
macro_rules! export {
    ($($symbol:expr => $body:expr),* $(,)?) => {$(
        const _: () = {
            #[unsafe(export_name = $symbol)]
            unsafe extern "C-unwind" fn function(
                fcinfo: ::pgrx::pg_sys::FunctionCallInfo,
            ) -> ::pgrx::pg_sys::Datum {
                // SAFETY: this is the whole of an `extern "C-unwind"` function that the function manager calls.
                unsafe { $crate::call::guard(fcinfo, $body) }
            }

            #[unsafe(export_name = concat!("pg_finfo_", $symbol))]
            extern "C" fn convention() -> &'static ::pgrx::pg_sys::Pg_finfo_record {
                &::pgrx::pg_sys::Pg_finfo_record { api_version: 1 }
            }
        };
    )*};
}
