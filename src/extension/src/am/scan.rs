//! `ambeginscan`, `amrescan`, `amgettuple`, `amendscan`: rows, nearest first.

use crate::am::cache::Remembered;
use crate::am::error::{OrRaise, damage, name_of};
use crate::am::scans::Scans;
use crate::am::store::PgStore;
use crate::am::tid;
use crate::am::value::{Detoasted, refuse};
use crate::guc;
use kite_hnsw::{Distance, Limit, Row, ScanOptions};
use pgrx::pg_sys::{
    self, Datum, IndexScanDesc, Relation, ScanDirection, ScanKey, SnapshotType, panic::ErrorReport,
};
use pgrx::prelude::*;
use pgrx::{PgMemoryContexts, PgSqlErrorCode};
use std::ffi::c_int;
use std::ptr;

/// What a scan keeps between calls. Dropped with the scan's memory context, after an ERROR too, when it touches nothing of
/// Postgres.
#[derive(Default)]
struct State {
    /// Begun by the first call for a row. It borrows the store, and so is dropped before it.
    scan: Option<kite_hnsw::Scan<'static, PgStore>>,
    store: Option<Box<PgStore>>,
    /// Blocks that the table has had.
    table_blocks: u32,
    /// Whether it has been told that a limit has ended the search.
    told: bool,
}

impl State {
    fn reset(&mut self) {
        self.scan = None;
        self.store = None;
        self.table_blocks = 0;
        self.told = false;
    }
}

/// Begins a scan.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn begin(
    index: Relation,
    keys: c_int,
    order_bys: c_int,
) -> IndexScanDesc {
    // SAFETY: the executor passes an open relation. The memory context lives as long as the scan, and arrays of as many values as
    // there are order-by keys are what the executor expects to find filled.
    unsafe {
        let scan = pg_sys::RelationGetIndexScan(index, keys, order_bys);
        let count = order_bys.max(1) as usize;
        (*scan).xs_orderbyvals = pg_sys::palloc0(count * size_of::<Datum>()).cast();
        (*scan).xs_orderbynulls = pg_sys::palloc0(count * size_of::<bool>()).cast();
        (*scan).opaque =
            PgMemoryContexts::CurrentMemoryContext.leak_and_drop_on_delete(State::default()).cast();
        scan
    }
}

/// Begins the scan anew, with other keys.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn rescan(
    scan: IndexScanDesc,
    keys: ScanKey,
    key_count: c_int,
    order_bys: ScanKey,
    order_by_count: c_int,
) {
    // SAFETY: the scan is one of ours, and has room for as many keys as it was begun with, which come in these arrays or are NULL.
    unsafe {
        state_of(scan).reset();
        if !keys.is_null() && key_count > 0 {
            ptr::copy(keys, (*scan).keyData, key_count as usize);
        }
        if !order_bys.is_null() && order_by_count > 0 {
            ptr::copy(order_bys, (*scan).orderByData, order_by_count as usize);
        }
    }
}

/// The next row.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn next(scan: IndexScanDesc, direction: ScanDirection::Type) -> bool {
    // SAFETY: the scan is one of ours, its relation is open.
    unsafe {
        debug_assert_eq!(direction, ScanDirection::ForwardScanDirection);
        let index = (*scan).indexRelation;
        let state = state_of(scan);
        if state.scan.is_none() {
            start(state, scan);
        }
        let Some(rows) = &mut state.scan else { return false };
        let row = rows.next_row().or_raise(index);
        if let (Some(limit), false) = (rows.ended_by(), state.told) {
            state.told = true;
            tell_of_end(index, limit, rows.visits());
        }
        let Some(row) = row else { return false };
        if row.tid.block() >= state.table_blocks {
            let fork = pg_sys::ForkNumber::MAIN_FORKNUM;
            state.table_blocks = pg_sys::RelationGetNumberOfBlocksInFork((*scan).heapRelation, fork);
            if row.tid.block() >= state.table_blocks {
                refuse_row(index, row.tid.block());
            }
        }
        hand_out(scan, row);
        true
    }
}

/// Ends a scan.
#[pg_guard]
pub(super) unsafe extern "C-unwind" fn end(scan: IndexScanDesc) {
    // SAFETY: the scan is one of ours. The state itself goes with the memory context.
    unsafe { state_of(scan).reset() }
}

/// # Safety
/// The scan was begun by [`begin`], and nothing else borrows its state.
unsafe fn state_of<'a>(scan: IndexScanDesc) -> &'a mut State {
    // SAFETY: `begin` has put a `State` there, which lives as long as the scan.
    unsafe { &mut *(*scan).opaque.cast::<State>() }
}

/// Begins the search for the query of the scan.
unsafe fn start(state: &mut State, scan: IndexScanDesc) {
    // SAFETY: the scan is one of ours, its relation is open until its end, and the key's argument stays in place for the scan.
    unsafe {
        let index = (*scan).indexRelation;
        refuse_unusable(scan);
        count_scan(index);
        let remembered = Remembered::of(index);
        let store = state.store.insert(Box::new(remembered.store(index)));
        let mut opened = remembered.open(store).or_raise(index);
        let key = &*(*scan).orderByData;
        let is_null = key.sk_flags & pg_sys::SK_ISNULL as c_int != 0;
        let argument = (!is_null).then(|| Detoasted::new(key.sk_argument));
        let spec = opened.options().spec;
        let query = argument.as_ref();
        let query =
            query.map(|query| query.value(&spec).unwrap_or_else(|error| refuse(&error, &spec, index)));
        let begun = opened.scan(query, options()).or_raise(index);
        remembered.keep(&opened);
        // The scan borrows the store alone, which stands in a box of the same state, and is dropped after it.
        let begun =
            std::mem::transmute::<kite_hnsw::Scan<'_, PgStore>, kite_hnsw::Scan<'static, PgStore>>(begun);
        state.scan = Some(begun);
    }
}

/// How far a scan goes by the settings of the session.
fn options() -> ScanOptions {
    // SAFETY: a setting of the server, read by its only thread.
    let work_mem = unsafe { pg_sys::work_mem }.max(0) as usize * 1024;
    ScanOptions {
        ef: guc::ef_search(),
        order: guc::iterative_scan(),
        max_visits: guc::max_scan_tuples(),
        memory: (work_mem as f64 * guc::scan_mem_multiplier()) as usize,
        ..ScanOptions::default()
    }
}

/// Raises an ERROR for scans that cannot be answered.
unsafe fn refuse_unusable(scan: IndexScanDesc) {
    // SAFETY: the scan is one of ours; the executor sets the snapshot before the first row.
    let (order_bys, snapshot) = unsafe { ((*scan).numberOfOrderBys, (*(*scan).xs_snapshot).snapshot_type) };
    let unsupported = PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED;
    if order_bys < 1 {
        ErrorReport::new(unsupported, "cannot scan hnsw index without order", "pgkite")
            .set_hint("The index answers ORDER BY column <operator> value. For other conditions create a btree index.")
            .report(PgLogLevel::ERROR);
    }
    // Rows' places are handed out without a pin, so a snapshot must hide what takes the place of a row that vacuum removed.
    let mvcc = [SnapshotType::SNAPSHOT_MVCC, SnapshotType::SNAPSHOT_HISTORIC_MVCC];
    if !mvcc.contains(&snapshot) {
        ErrorReport::new(unsupported, "non-MVCC snapshots are not supported with hnsw", "pgkite")
            .report(PgLogLevel::ERROR);
    }
}

/// Raises an ERROR for a row where the table has none.
#[cold]
unsafe fn refuse_row(index: Relation, block: u32) -> ! {
    // SAFETY: the caller passes an open relation.
    let name = unsafe { name_of(index) };
    let message =
        format!("index \"{name}\" is damaged: it has a row at block {block}, which its table has not");
    damage(message).report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

/// Counts a search that a limit has ended, and says so to whoever listens at DEBUG1.
#[cold]
unsafe fn tell_of_end(index: Relation, limit: Limit, visits: usize) {
    // SAFETY: the caller passes an open relation.
    let (name, oid) = unsafe { (name_of(index), (*index).rd_id) };
    Scans::count_end(oid, limit);
    let (why, setting) = match limit {
        Limit::Visits => ("hnsw.max_scan_tuples", "hnsw.max_scan_tuples"),
        Limit::Memory => ("memory", "hnsw.scan_mem_multiplier or work_mem"),
    };
    let message = format!("scan of index \"{name}\" ended by {why} after {visits} vertices");
    ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, message, "pgkite")
        .set_hint(format!("Increase {setting} to scan more."))
        .report(PgLogLevel::DEBUG1);
}

/// Tells the executor of a row, and what is known of its distance.
unsafe fn hand_out(scan: IndexScanDesc, row: Row) {
    // SAFETY: the scan is one of ours, with arrays of as many values as it has order-by keys.
    unsafe {
        let scan = &mut *scan;
        let count = scan.numberOfOrderBys as usize;
        scan.xs_heaptid = tid::to_server(row.tid);
        scan.xs_recheck = false;
        let (value, is_null, recheck) = match row.distance {
            Distance::Exact(value) => (value, false, false),
            Distance::AtLeast(bound) => (bound, false, true),
            Distance::Unordered => (0.0, true, false),
        };
        *scan.xs_orderbyvals = Datum::from(value.to_bits());
        *scan.xs_orderbynulls = is_null;
        // Of further keys nothing is known.
        for place in 1..count {
            *scan.xs_orderbyvals.add(place) = Datum::from(f64::NEG_INFINITY.to_bits());
            *scan.xs_orderbynulls.add(place) = false;
        }
        scan.xs_recheckorderby = recheck || count > 1;
    }
}

/// `pgstat_count_index_scan`, and what this session counts itself.
unsafe fn count_scan(index: Relation) {
    // SAFETY: the relation is open; its counters are there or NULL.
    unsafe {
        Scans::count((*index).rd_id);
        // A session's counters of a relation come with the first count; that this may be one is for whoever counts to know.
        #[cfg(not(feature = "pg14"))]
        if (*index).pgstat_info.is_null() && (*index).pgstat_enabled {
            pg_sys::pgstat_assoc_relation(index);
        }
        if let Some(info) = (*index).pgstat_info.as_mut() {
            #[cfg(any(feature = "pg14", feature = "pg15"))]
            {
                info.t_counts.t_numscans += 1;
            }
            #[cfg(not(any(feature = "pg14", feature = "pg15")))]
            {
                info.counts.numscans += 1;
            }
        }
    }
}
