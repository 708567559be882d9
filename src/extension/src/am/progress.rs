//! What `pg_stat_progress_create_index` shows of a build.

use pgrx::pg_sys;
use std::ffi::{CStr, c_char};

/// What a build is at. The numbers are what `pg_stat_progress_create_index` turns into names, so they stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub(crate) enum Phase {
    /// Options are looked at; Postgres itself reports this one.
    Initializing = pg_sys::PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE as i64,
    /// Rows of the table are read.
    Loading,
    /// Rows that did not fit memory are divided into parts.
    Dividing,
    /// Vectors are linked.
    Linking,
    /// Pages are written.
    Writing,
    /// Centroids are found.
    Clustering,
    /// Vectors are assigned to lists.
    Assigning,
}

impl Phase {
    const ALL: [(Self, &CStr); 7] = [
        (Self::Initializing, c"initializing"),
        (Self::Loading, c"loading tuples"),
        (Self::Dividing, c"dividing"),
        (Self::Linking, c"linking"),
        (Self::Writing, c"writing pages"),
        (Self::Clustering, c"performing k-means"),
        (Self::Assigning, c"assigning tuples"),
    ];
}

impl From<kite_build::Phase> for Phase {
    fn from(phase: kite_build::Phase) -> Self {
        match phase {
            kite_build::Phase::Dividing => Self::Dividing,
            kite_build::Phase::Linking => Self::Linking,
            kite_build::Phase::Writing => Self::Writing,
            kite_build::Phase::Clustering => Self::Clustering,
            kite_build::Phase::Assigning => Self::Assigning,
        }
    }
}

/// `ambuildphasename`.
#[pgrx::pg_guard]
pub(super) unsafe extern "C-unwind" fn phase_name(number: i64) -> *mut c_char {
    let named = Phase::ALL.iter().find(|(phase, _)| *phase as i64 == number);
    // Postgres copies the name into a text.
    named.map_or(std::ptr::null_mut(), |(_, name)| name.as_ptr().cast_mut())
}

/// Says what begins.
pub(crate) fn phase(phase: Phase) {
    report(pg_sys::PROGRESS_CREATEIDX_SUBPHASE, phase as i64);
}

/// Says how many rows there are to do, 0 where that is not known.
pub(crate) fn tuples_total(count: u64) {
    report(pg_sys::PROGRESS_CREATEIDX_TUPLES_TOTAL, number(count));
}

/// Says how many rows are done.
pub(crate) fn tuples_done(count: u64) {
    report(pg_sys::PROGRESS_CREATEIDX_TUPLES_DONE, number(count));
}

/// Says how many pages are done.
pub(crate) fn blocks_done(count: u64) {
    report(pg_sys::PROGRESS_SCAN_BLOCKS_DONE, number(count));
}

fn report(parameter: u32, value: i64) {
    // SAFETY: the parameter is one of the twenty that a backend has.
    unsafe { pg_sys::pgstat_progress_update_param(parameter as i32, value) }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
