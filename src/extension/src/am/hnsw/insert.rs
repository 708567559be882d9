//! `INSERT`.

use pgrx::{
    pg_guard,
    pg_sys::{self, Datum},
};

/// `aminsert`
#[pg_guard]
#[allow(clippy::too_many_arguments, reason = "Postgres's signature")]
pub(super) unsafe extern "C-unwind" fn insert(
    _index: pg_sys::Relation,
    _values: *mut Datum,
    _nulls: *mut bool,
    _tid: pg_sys::ItemPointer,
    _table: pg_sys::Relation,
    _unique: pg_sys::IndexUniqueCheck::Type,
    _unchanged: bool,
    _info: *mut pg_sys::IndexInfo,
) -> bool {
    pgrx::error!("not there yet")
}
