//! What became of the scans of this session. Before PostgreSQL 17 only a preloaded library gets shared memory, so that there is no sum
//! over sessions.

use kite_hnsw::Limit;
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Counts of the scans of one index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::am) struct Scans {
    /// Searches that were begun; each rescan is one.
    pub(in crate::am) started: u64,
    /// Those that `hnsw.max_scan_tuples` has ended.
    pub(in crate::am) ended_by_max_scan_tuples: u64,
    /// Those that `hnsw.scan_mem_multiplier` times `work_mem` has ended.
    pub(in crate::am) ended_by_memory: u64,
}

thread_local! {
    /// By the index's OID, and not beside what is remembered of its file: that is forgotten when other indexes are used.
    static SCANS: RefCell<BTreeMap<u32, Scans>> = const { RefCell::new(BTreeMap::new()) };
}

impl Scans {
    /// Those of an index, in this session so far.
    pub(in crate::am) fn of(index: Oid) -> Self {
        SCANS.with_borrow(|scans| scans.get(&index.to_u32()).copied().unwrap_or_default())
    }

    /// Counts a search that begins.
    pub(in crate::am) fn count(index: Oid) {
        Self::change(index, |scans| scans.started += 1);
    }

    /// Counts a search that a limit has ended.
    pub(in crate::am) fn count_end(index: Oid, limit: Limit) {
        Self::change(index, |scans| match limit {
            Limit::Visits => scans.ended_by_max_scan_tuples += 1,
            Limit::Memory => scans.ended_by_memory += 1,
        });
    }

    fn change(index: Oid, change: impl FnOnce(&mut Self)) {
        SCANS.with_borrow_mut(|scans| change(scans.entry(index.to_u32()).or_default()));
    }
}
