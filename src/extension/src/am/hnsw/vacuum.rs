//! `VACUUM`.

use pgrx::{pg_guard, pg_sys};
use std::ffi::c_void;

/// `ambulkdelete`
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn bulk_delete(
    _info: *mut pg_sys::IndexVacuumInfo,
    _stats: *mut pg_sys::IndexBulkDeleteResult,
    _callback: pg_sys::IndexBulkDeleteCallback,
    _state: *mut c_void,
) -> *mut pg_sys::IndexBulkDeleteResult {
    pgrx::error!("not there yet")
}

/// `amvacuumcleanup`
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn cleanup(
    _info: *mut pg_sys::IndexVacuumInfo,
    _stats: *mut pg_sys::IndexBulkDeleteResult,
) -> *mut pg_sys::IndexBulkDeleteResult {
    pgrx::error!("not there yet")
}
