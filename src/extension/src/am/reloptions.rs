//! Options of indexes (`WITH (…)`), as Postgres parses them.

use super::Refusal;
use pgrx::{
    PgSqlErrorCode,
    pg_sys::{self, Datum, relopt_parse_elt, relopt_type},
};
use std::{
    ffi::{CStr, c_int, c_void},
    ptr,
};

/// Values of an enum option in the form that Postgres keeps for the life of the process.
pub(in crate::am) fn enum_values(
    values: impl Iterator<Item = (&'static CStr, c_int)>,
) -> *mut pg_sys::relopt_enum_elt_def {
    let value = |string_val, symbol_val| pg_sys::relopt_enum_elt_def { string_val, symbol_val };
    let values = values.map(|(name, number)| value(name.as_ptr(), number));
    let values: Vec<_> = values.chain([value(ptr::null(), 0)]).collect();
    values.leak().as_mut_ptr()
}

mod raw {
    use super::{Datum, c_int, c_void, pg_sys};

    unsafe extern "C-unwind" {
        pub(super) fn build_reloptions(
            options: Datum,
            validate: bool,
            kind: pg_sys::relopt_kind::Type,
            size: usize,
            table: *const pg_sys::relopt_parse_elt,
            count: c_int,
        ) -> *mut c_void;
    }
}

/// An option that is a number, and where it is to be stored.
pub(in crate::am) fn int(name: &'static CStr, offset: usize) -> relopt_parse_elt {
    option(name, relopt_type::RELOPT_TYPE_INT, offset)
}

/// An option of which there are some values.
pub(in crate::am) fn choice(name: &'static CStr, offset: usize) -> relopt_parse_elt {
    option(name, relopt_type::RELOPT_TYPE_ENUM, offset)
}

fn option(name: &'static CStr, opttype: relopt_type::Type, offset: usize) -> relopt_parse_elt {
    relopt_parse_elt {
        optname: name.as_ptr(),
        opttype,
        offset: offset as c_int,
        #[cfg(feature = "pg18")]
        isset_offset: 0,
    }
}

/// Options as a varlena of `size` bytes, or NULL. An ERROR jumps over this frame, which has nothing to drop.
///
/// # Safety
/// `options` is what `amoptions` is given; the table says where in so many bytes each option has its place.
pub(in crate::am) unsafe fn build(
    options: Datum,
    validate: bool,
    kind: pg_sys::relopt_kind::Type,
    size: usize,
    table: &[relopt_parse_elt],
) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { raw::build_reloptions(options, validate, kind, size, table.as_ptr(), table.len() as c_int) }
}

/// Why options go with no index.
pub(in crate::am) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message)
}
