//! What became of the scans of this session. Before PostgreSQL 17 only a preloaded library gets shared memory, so that there is no sum
//! over sessions.

use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// What can end a search while there is more to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::am) enum Limit {
    /// `hnsw.max_scan_tuples`
    MaxScanTuples,
    /// `hnsw.scan_mem_multiplier` times `work_mem`
    Memory,
    /// `ivfflat.max_probes`, and of `ivf` `kite.ivf_max_probes`
    MaxProbes,
    /// Reading the table was faster than to go on.
    Table,
}

impl Limit {
    /// As `kite.index_info` names it.
    pub(in crate::am) fn name(self) -> &'static str {
        match self {
            Self::MaxScanTuples => "max_scan_tuples",
            Self::Memory => "memory",
            Self::MaxProbes => "max_probes",
            Self::Table => "table",
        }
    }
}

/// Counts of the scans of one index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::am) struct Scans {
    /// Searches that were begun; each rescan is one.
    pub(in crate::am) started: u64,
    /// Those that a limit has ended, by [`Limit`].
    ended: [u64; 4],
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
        Self::change(index, |scans| scans.ended[limit as usize] += 1);
    }

    /// Searches that the limit has ended.
    pub(in crate::am) fn ended_by(&self, limit: Limit) -> u64 {
        self.ended[limit as usize]
    }

    fn change(index: Oid, change: impl FnOnce(&mut Self)) {
        SCANS.with_borrow_mut(|scans| change(scans.entry(index.to_u32()).or_default()));
    }
}
