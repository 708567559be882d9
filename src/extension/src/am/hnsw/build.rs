//! `CREATE INDEX`.

use crate::am::options::options_of;
use pgrx::{pg_guard, pg_sys};

/// `ambuild`
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn build(
    _table: pg_sys::Relation,
    index: pg_sys::Relation,
    _info: *mut pg_sys::IndexInfo,
) -> *mut pg_sys::IndexBuildResult {
    // SAFETY: the index is open and is of this access method.
    let _options = unsafe { options_of(index) };
    pgrx::error!("not there yet")
}

/// `ambuildempty`
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn build_empty(_index: pg_sys::Relation) {
    pgrx::error!("not there yet");
}
