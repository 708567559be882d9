//! `ORDER BY`.

use pgrx::{pg_guard, pg_sys};

/// `ambeginscan`
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn begin(
    _index: pg_sys::Relation,
    _keys: i32,
    _order_bys: i32,
) -> pg_sys::IndexScanDesc {
    pgrx::error!("not there yet")
}

/// `amrescan`
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn rescan(
    _scan: pg_sys::IndexScanDesc,
    _keys: pg_sys::ScanKey,
    _key_count: i32,
    _order_bys: pg_sys::ScanKey,
    _order_by_count: i32,
) {
    pgrx::error!("not there yet");
}

/// `amgettuple`
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn next(
    _scan: pg_sys::IndexScanDesc,
    _direction: pg_sys::ScanDirection::Type,
) -> bool {
    pgrx::error!("not there yet")
}

/// `amendscan`
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn end(_scan: pg_sys::IndexScanDesc) {
    pgrx::error!("not there yet");
}
