//! `ambulkdelete` and `amvacuumcleanup`.

use crate::am::cache::Remembered;
use crate::am::error::{Failure, OrRaise};
use crate::am::method::Method;
use crate::am::store::PgStore;
use crate::am::tid;
use kite_pages::{ItemPointer, PageStore};
use pgrx::pg_sys::{self, IndexBulkDeleteCallback, IndexBulkDeleteResult, IndexVacuumInfo};
use pgrx::prelude::*;
use std::ffi::{c_int, c_void};

/// How an access method takes dead rows out of an index. Memory is what may be taken, in bytes.
pub(in crate::am) trait Vacuum: Method {
    /// Removes the rows for which `is_dead` says so.
    fn vacuum(
        index: &mut Self::Index<'_>,
        memory: usize,
        is_dead: &mut dyn FnMut(ItemPointer) -> bool,
    ) -> Result<Done, Failure>;

    /// Whether a cleanup has nothing to do.
    fn is_tidy(index: &mut Self::Index<'_>) -> Result<bool, Failure>;

    /// Does what is left to do besides.
    fn cleanup(index: &mut Self::Index<'_>, memory: usize) -> Result<Done, Failure>;
}

/// What a vacuum has found and done.
#[derive(Debug, Clone, Copy)]
pub(in crate::am) struct Done {
    /// Pages of the index.
    pub(in crate::am) pages: u64,
    /// Rows that are left.
    pub(in crate::am) rows: u64,
    /// Rows that were removed.
    pub(in crate::am) dead_rows: u64,
}

/// Removes the rows that the callback says are dead. `CREATE INDEX CONCURRENTLY` comes here to see all rows.
#[pg_guard]
pub(in crate::am) unsafe extern "C-unwind" fn bulk_delete<M: Vacuum>(
    info: *mut IndexVacuumInfo,
    stats: *mut IndexBulkDeleteResult,
    callback: IndexBulkDeleteCallback,
    state: *mut c_void,
) -> *mut IndexBulkDeleteResult {
    // SAFETY: vacuum passes an open index and a callback that may be asked about any row.
    unsafe {
        let index = (*info).index;
        let store = store(&*info);
        let mut opened = Remembered::of(index).open::<M>(&store).or_raise(index);
        let mut is_dead = |row| {
            let mut row = tid::to_server(row);
            // It may raise an ERROR: one of them writes what it is asked about to disk.
            pg_sys::ffi::pg_guard_ffi_boundary(|| {
                callback.is_some_and(|is_dead| is_dead(&raw mut row, state))
            })
        };
        let done = M::vacuum(&mut opened, memory(), &mut is_dead).or_raise(index);
        record(stats, done)
    }
}

/// Does what `bulk_delete` has left, or what it would have found had there been dead rows. An index that nobody has deleted from is
/// not read: for one that only grows, a vacuum is cheap.
#[pg_guard]
pub(in crate::am) unsafe extern "C-unwind" fn cleanup<M: Vacuum>(
    info: *mut IndexVacuumInfo,
    stats: *mut IndexBulkDeleteResult,
) -> *mut IndexBulkDeleteResult {
    // SAFETY: vacuum passes an open index, and what `bulk_delete` answered or NULL.
    unsafe {
        if (*info).analyze_only {
            return stats;
        }
        let index = (*info).index;
        let store = store(&*info);
        let mut opened = Remembered::of(index).open::<M>(&store).or_raise(index);
        // Where `bulk_delete` found dead rows, what is left waits for searches under way.
        let done = stats.as_ref().is_some_and(|stats| stats.tuples_removed > 0.0);
        let stats = if done || M::is_tidy(&mut opened).or_raise(index) {
            stats
        } else {
            let done = M::cleanup(&mut opened, memory()).or_raise(index);
            record(stats, Done { dead_rows: 0, ..done })
        };
        // What inserts have noted, too.
        store.publish_space();
        if let Some(stats) = stats.as_mut() {
            stats.num_pages = store.len();
        }
        stats
    }
}

/// The pages of an index that is vacuumed.
unsafe fn store(info: &IndexVacuumInfo) -> PgStore {
    // SAFETY: the index is open for the call, and so is the table where it is given.
    unsafe {
        let store = Remembered::of(info.index).store(info.index).vacuuming(info.strategy);
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        let store = store.of_table(info.heaprel);
        store
    }
}

unsafe extern "C" {
    /// In kilobytes; -1: as `maintenance_work_mem`.
    static autovacuum_work_mem: c_int;
}

/// What may be taken: `autovacuum_work_mem` in a worker, if it is set, else `maintenance_work_mem`.
fn memory() -> usize {
    // SAFETY: settings and state of this process, read by its only thread.
    let kilobytes = unsafe {
        let is_worker = pg_sys::MyBackendType == pg_sys::BackendType::B_AUTOVAC_WORKER;
        if is_worker && autovacuum_work_mem >= 0 { autovacuum_work_mem } else { pg_sys::maintenance_work_mem }
    };
    kilobytes.max(64) as usize * 1024
}

/// Adds to what vacuum is told.
unsafe fn record(stats: *mut IndexBulkDeleteResult, done: Done) -> *mut IndexBulkDeleteResult {
    // SAFETY: the statistics come from an earlier call, or are allocated here, where the caller wants them.
    unsafe {
        let stats = if stats.is_null() {
            pg_sys::palloc0(size_of::<IndexBulkDeleteResult>()).cast::<IndexBulkDeleteResult>()
        } else {
            stats
        };
        (*stats).num_pages = u32::try_from(done.pages).unwrap_or(u32::MAX);
        (*stats).num_index_tuples = done.rows as f64;
        (*stats).estimated_count = false;
        (*stats).tuples_removed += done.dead_rows as f64;
        stats
    }
}
