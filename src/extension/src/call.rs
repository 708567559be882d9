//! The boundary between the function manager and Rust: arguments in, a result or an error out.

use kite_vectors::{Error, SqlState};
use pgrx::{
    FromDatum, IntoDatum, JsonB, PgLogLevel, PgSqlErrorCode,
    pg_sys::{self, Datum, FunctionCallInfo, panic::ErrorReport, varlena},
    varlena::{set_varsize_4b, varatt_is_1b, varatt_is_1b_e, varatt_is_4b_u, vardata_1b, varsize_any_exhdr},
};
use std::{
    ffi::{CStr, c_void},
    mem::MaybeUninit,
    ptr,
};

/// The arguments of one call. Functions are STRICT, so that no argument is NULL, but those of schema `kite` that ask
/// [`Call::is_null`] first.
pub(crate) struct Call {
    fcinfo: FunctionCallInfo,
    /// The first arguments, detoasted ahead of the body; NULL where the body does it by itself.
    plain: [*const varlena; 2],
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

    /// Whether the n-th argument, from 0, is NULL.
    pub(crate) fn is_null(&self, n: usize) -> bool {
        // SAFETY: as for `datum`.
        let args = unsafe {
            let fcinfo = &*self.fcinfo;
            fcinfo.args.as_slice(usize::from(fcinfo.nargs.unsigned_abs()))
        };
        args[n].isnull
    }

    /// The n-th argument as a value of its own; `None` for NULL. `T` stands for the argument's SQL type.
    pub(crate) fn get<T: FromDatum>(&self, n: usize) -> Option<T> {
        if self.is_null(n) {
            return None;
        }
        // SAFETY: the caller names the Rust type of what the SQL declaration says, and the value is not NULL.
        unsafe { T::from_datum(self.datum(n), false) }
    }

    /// The type of the n-th argument as the calling expression has it; `InvalidOid` where no expression calls.
    pub(crate) fn argument_type(&self, n: usize) -> pg_sys::Oid {
        // SAFETY: `fcinfo` and the function's info in it are valid; no expression is answered as such.
        unsafe { pg_sys::get_fn_expr_argtype((*self.fcinfo).flinfo, n as i32) }
    }

    /// The relation whose trigger makes this call, or `None` for a plain call.
    pub(crate) fn trigger_relation(&self) -> Option<pg_sys::Oid> {
        // SAFETY: `fcinfo` is valid; its context is NULL or a node, and one of this type is a trigger's.
        unsafe {
            let context = (*self.fcinfo).context;
            if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
                return None;
            }
            Some((*(*context.cast::<pg_sys::TriggerData>()).tg_relation).rd_id)
        }
    }

    /// The n-th argument, a varlena that was detoasted ahead of the body (see [`guard`]).
    #[inline]
    pub(crate) fn plain(&self, n: usize) -> Option<*const varlena> {
        self.plain.get(n).copied().filter(|pointer| !pointer.is_null())
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

    /// Where a function that returns a set puts it; NULL, or a node of another type, where nobody expects a set.
    pub(crate) fn result_info(&self) -> *mut pg_sys::ReturnSetInfo {
        // SAFETY: `fcinfo` is valid.
        unsafe { (*self.fcinfo).resultinfo.cast() }
    }

    /// The columns of a function that returns rows, in the current memory context.
    pub(crate) fn result_descriptor(&self) -> pg_sys::TupleDesc {
        let mut descriptor = std::ptr::null_mut();
        // SAFETY: `fcinfo` is valid; the functions that ask are declared to return columns of fixed types.
        unsafe { pg_sys::get_call_result_type(self.fcinfo, std::ptr::null_mut(), &raw mut descriptor) };
        descriptor
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

impl Return for () {
    fn into_datum(self, _: &Call) -> Datum {
        Datum::null()
    }
}

impl Return for String {
    fn into_datum(self, _: &Call) -> Datum {
        IntoDatum::into_datum(self).unwrap_or_else(Datum::null)
    }
}

impl Return for JsonB {
    fn into_datum(self, _: &Call) -> Datum {
        IntoDatum::into_datum(self).unwrap_or_else(Datum::null)
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

/// Postgres's functions as they are. pgrx's bindings save the signal mask and set a jump point around every call, which costs
/// more than a distance of a short vector; these may only be called where no Rust frame between here and Postgres has
/// anything to drop, as an ERROR jumps over it.
mod raw {
    use super::{c_void, varlena};

    unsafe extern "C-unwind" {
        pub(super) fn pg_detoast_datum(datum: *mut varlena) -> *mut varlena;
        pub(super) fn pfree(pointer: *mut c_void);
    }
}

/// Room for a value of a one-byte header (at most 126 bytes behind it) with a header of four, aligned for any type.
#[repr(C, align(8))]
struct Widened([u8; 4 + 126]);

/// Copies a value with a one-byte header, which stands at any address, to an aligned place, with a header of four bytes.
///
/// # Safety
/// `short` is such a value. What is answered points into `place` and lives as long.
#[inline]
unsafe fn widen(short: *const varlena, place: &mut MaybeUninit<Widened>) -> *const varlena {
    let pointer: *mut u8 = place.as_mut_ptr().cast();
    // SAFETY: a one-byte header counts at most 127 bytes, itself included, so the rest fits behind four bytes of header; the
    // places do not overlap, as one of them is on the stack.
    unsafe {
        let length = varsize_any_exhdr(short);
        ptr::copy_nonoverlapping(vardata_1b(short).cast(), pointer.add(4), length);
        set_varsize_4b(pointer.cast(), 4 + length as i32);
    }
    pointer.cast()
}

/// Runs the body of a function: its errors, and any panic, become an `ERROR`. The first `PLAIN` arguments are varlenas that
/// are detoasted before, and freed after, outside the guard.
///
/// # Safety
/// `fcinfo` is what the function manager passed to an `extern "C-unwind"` function that calls this and nothing else, and its
/// first `PLAIN` arguments are of varlena types and not NULL.
#[inline]
pub(crate) unsafe fn guard<const PLAIN: usize, R: Return, E: Raise>(
    fcinfo: FunctionCallInfo,
    body: impl Fn(&Call) -> Result<R, E>,
) -> Datum {
    let mut call = Call { fcinfo, plain: [ptr::null(); 2] };
    let mut widened = [const { MaybeUninit::<Widened>::uninit() }; PLAIN];
    let mut detoasted = [false; PLAIN];
    for n in 0..PLAIN {
        let pointer: *mut varlena = call.datum(n).cast_mut_ptr();
        // SAFETY: the argument is a varlena, by the caller's promise. An ERROR leaves this frame and the one above by a jump:
        // neither holds anything that wants dropping (`Call` is plain data, the body is a function or borrows nothing).
        call.plain[n] = unsafe {
            if varatt_is_4b_u(pointer) {
                pointer
            } else if varatt_is_1b(pointer) && !varatt_is_1b_e(pointer) {
                widen(pointer, &mut widened[n])
            } else {
                detoasted[n] = true;
                raw::pg_detoast_datum(pointer)
            }
        };
    }
    // SAFETY: the frame above is an `extern "C-unwind"` function without destructors, as the caller promises.
    let result = unsafe {
        pg_sys::panic::pgrx_extern_c_guard(|| match body(&call) {
            Ok(value) => value.into_datum(&call),
            Err(error) => error.raise(),
        })
    };
    for (pointer, _) in call.plain.iter().zip(detoasted).filter(|(_, detoasted)| *detoasted) {
        // SAFETY: detoasting allocated it, as the argument was neither plain nor short, and the body, which borrowed it, is over.
        unsafe { raw::pfree(pointer.cast_mut().cast()) }
    }
    result
}

/// An error that a function may end with.
pub(crate) trait Raise {
    /// Raises it as an ERROR with its SQLSTATE.
    fn raise(&self) -> !;
}

impl Raise for Error {
    #[cold]
    fn raise(&self) -> ! {
        raise(self)
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
/// `fn(&Call) -> kite_vectors::Result<impl Return>`. With `export!([2] …)` the first two arguments, which must be varlenas, are
/// detoasted the fast way, and no result may point into them; with `export!(Error; …)` the bodies fail with errors of that type.
/// The symbols are prefixed so that they never meet those of pgvector's library, should both be loaded into one process.
macro_rules! export {
    (@functions $plain:literal, $error:ty, $($symbol:expr => $body:expr),*) => {$(
        const _: () = {
            #[unsafe(export_name = $symbol)]
            unsafe extern "C-unwind" fn function(
                fcinfo: ::pgrx::pg_sys::FunctionCallInfo,
            ) -> ::pgrx::pg_sys::Datum {
                // SAFETY: this is the whole of an `extern "C-unwind"` function that the function manager calls, with
                // arguments of the types that `sql/` declares; those that are detoasted here are not NULL, as it is STRICT.
                unsafe { $crate::call::guard::<$plain, _, $error>(fcinfo, $body) }
            }

            #[unsafe(export_name = concat!("pg_finfo_", $symbol))]
            extern "C" fn convention() -> &'static ::pgrx::pg_sys::Pg_finfo_record {
                &::pgrx::pg_sys::Pg_finfo_record { api_version: 1 }
            }
        };
    )*};
    ([$plain:literal] $($symbol:expr => $body:expr),* $(,)?) => {
        export! { @functions $plain, ::kite_vectors::Error, $($symbol => $body),* }
    };
    ($error:ty; $($symbol:expr => $body:expr),* $(,)?) => {
        export! { @functions 0, $error, $($symbol => $body),* }
    };
    ($($symbol:expr => $body:expr),* $(,)?) => {
        export! { [0] $($symbol => $body),* }
    };
}
