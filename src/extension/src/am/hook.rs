//! A scan learns what its query asks of a row besides the order.
//!
//! The executor fetches a row, computes its exact distance where an index gives a bound only, and tests the query's conditions last: a row
//! that is not wanted has cost all of it, and a graph does not learn how many matches it has found. So when a statement starts, each of its
//! scans of our indexes is given the conditions, compiled once more, the range of distances if there is one, and the LIMIT that is above it. Nothing is taken from the executor:
//! it tests the conditions all the same, and without the hook the answers are the same.
//!
//! No preloading is needed: a plan that scans one of our indexes was made by asking the access method, which loads this library.

use super::hnsw::Hnsw;
use super::ivf::{Ivf, IvfFlat};
use super::quals::Quals;
use super::scan;
use pgrx::pg_sys::{self, LimitState, LimitStateCond, NodeTag, PlanState, QueryDesc, Relation};
use pgrx::prelude::*;
use std::cell::{Cell, OnceCell};
use std::ffi::{c_int, c_void};
use std::ptr::{self, NonNull};

thread_local! {
    /// The hook that was there before ours.
    static PREVIOUS: OnceCell<pg_sys::ExecutorStart_hook_type> = const { OnceCell::new() };
    /// For the scan that is begun at the moment.
    static PENDING: Cell<Option<Told>> = const { Cell::new(None) };
}

/// What a scan knows of its query.
#[derive(Debug)]
pub(super) struct Told {
    /// The conditions, if there are any that could be of use.
    pub(super) quals: Option<Quals>,
    /// The LIMIT that asks for its rows, if there is one.
    pub(super) limit: Option<Limited>,
}

/// A LIMIT above a scan.
#[derive(Debug)]
pub(super) struct Limited(NonNull<LimitState>);

impl Limited {
    /// How many rows the LIMIT asks for, those that an OFFSET skips included; 0 where it asks for all. That is computed before it asks for the
    /// first one (`ExecLimit` in nodeLimit.c), each time that the scan begins anew: whatever the number comes from, a subquery or a column of
    /// another table, it is known by then.
    ///
    /// # Safety
    /// The statement runs.
    pub(super) unsafe fn rows(&self) -> usize {
        // SAFETY: the executor's node lives as long as the statement, and nobody changes it meanwhile.
        let limit = unsafe { self.0.as_ref() };
        let known = limit.lstate != LimitStateCond::LIMIT_INITIAL && !limit.noCount;
        let rows = known.then(|| usize::try_from(limit.count.saturating_add(limit.offset)));
        rows.transpose().ok().flatten().unwrap_or(0)
    }
}

/// Sets the hook. Called once a process.
pub(crate) fn install() {
    PREVIOUS.with(|previous| {
        previous.get_or_init(|| {
            // SAFETY: the only thread of the backend reads and writes the hook.
            unsafe {
                let previous = pg_sys::ExecutorStart_hook;
                pg_sys::ExecutorStart_hook = Some(start);
                previous
            }
        });
    });
}

/// What the scan that is begun now is to know of its query.
pub(super) fn pending() -> Option<Told> {
    PENDING.take()
}

/// Forgets what a scan was to know that was not begun: an ERROR came before.
struct Forget;

impl Drop for Forget {
    fn drop(&mut self) {
        PENDING.take();
    }
}

/// The hook.
#[pg_guard]
unsafe extern "C-unwind" fn start(query: *mut QueryDesc, flags: c_int) {
    // SAFETY: the executor passes a query that is to be started, and what it makes of it is there afterwards.
    unsafe {
        match PREVIOUS.with(|previous| previous.get().copied().flatten()) {
            Some(previous) => pg_sys::ffi::pg_guard_ffi_boundary(|| previous(query, flags)),
            None => pg_sys::standard_ExecutorStart(query, flags),
        }
        if flags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as c_int == 0 && !(*query).planstate.is_null() {
            tell_all((*query).planstate, ptr::null_mut());
        }
    }
}

/// Tells all scans of a tree of plan nodes.
#[pg_guard]
unsafe extern "C-unwind" fn tell_all(node: *mut PlanState, context: *mut c_void) -> bool {
    // SAFETY: the executor's nodes say what they are.
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            NodeTag::T_LimitState => tell_limited((*node).lefttree, node.cast()),
            NodeTag::T_IndexScanState => tell(node.cast(), ptr::null_mut()),
            _ => {}
        }
        pg_sys::planstate_tree_walker(node, Some(tell_all), context)
    }
}

/// Tells the scans that a LIMIT asks for their rows, as far as the nodes between hand on what they get, row by row: of several tables each may
/// have to give all of them. The planner prices the same where it knows the number (`limit_tuples` in [`cost`](super::cost)).
unsafe fn tell_limited(node: *mut PlanState, limit: *mut LimitState) {
    // SAFETY: the caller passes nodes that the executor has made, the first one perhaps NULL; nodes say what they are.
    unsafe {
        let Some(state) = node.as_ref() else { return };
        let each = |nodes: *mut *mut PlanState, count: c_int| {
            for n in 0..usize::try_from(count).unwrap_or(0) {
                tell_limited(*nodes.add(n), limit);
            }
        };
        match state.type_ {
            NodeTag::T_IndexScanState => tell(node.cast(), limit),
            NodeTag::T_MergeAppendState => {
                let merge = node.cast::<pg_sys::MergeAppendState>();
                each((*merge).mergeplans, (*merge).ms_nplans);
            }
            NodeTag::T_AppendState => {
                let append = node.cast::<pg_sys::AppendState>();
                each((*append).appendplans, (*append).as_nplans);
            }
            // What computes columns, and what locks rows. One that tests conditions takes more rows than it gives.
            NodeTag::T_ResultState | NodeTag::T_LockRowsState if state.qual.is_null() => {
                tell_limited(state.lefttree, limit);
            }
            _ => {}
        }
    }
}

/// Tells a scan of ours what its query asks for, if there is something to tell.
unsafe fn tell(node: *mut pg_sys::IndexScanState, limit: *mut LimitState) {
    // SAFETY: the node was made by the executor for the statement that starts, and its relations are open until that ends. What is made for it
    // lives in the statement's memory, as the scan does.
    unsafe {
        // One that was begun already, or that is shared by workers, has been set up by others.
        let idle = (*node).iss_ScanDesc.is_null() && !(*(*node).ss.ps.plan).parallel_aware;
        let index = (*node).iss_RelationDesc;
        if !idle || (*node).iss_NumOrderByKeys != 1 || index.is_null() || !is_ours(index) {
            return;
        }
        let estate = (*node).ss.ps.state;
        let context = pg_sys::MemoryContextSwitchTo((*estate).es_query_cxt);
        let quals = Quals::of(node);
        let limit = NonNull::new(limit).map(Limited);
        if quals.is_some() || limit.is_some() {
            let _forget = Forget;
            PENDING.set(Some(Told { quals, limit }));
            // As the node itself would do it for its first row (nodeIndexscan.c): it does not if the scan is there already.
            let scan = begin(node, (*estate).es_snapshot);
            (*node).iss_ScanDesc = scan;
            if (*node).iss_NumRuntimeKeys == 0 {
                let (keys, count) = ((*node).iss_ScanKeys, (*node).iss_NumScanKeys);
                pg_sys::index_rescan(scan, keys, count, (*node).iss_OrderByKeys, (*node).iss_NumOrderByKeys);
            }
        }
        pg_sys::MemoryContextSwitchTo(context);
    }
}

unsafe fn begin(
    node: *mut pg_sys::IndexScanState,
    snapshot: pg_sys::Snapshot,
) -> *mut pg_sys::IndexScanDescData {
    // SAFETY: the caller's node is one that `tell` has been passed.
    unsafe {
        let (table, index) = ((*node).ss.ss_currentRelation, (*node).iss_RelationDesc);
        let (keys, order_bys) = ((*node).iss_NumScanKeys, (*node).iss_NumOrderByKeys);
        #[cfg(not(feature = "pg18"))]
        return pg_sys::index_beginscan(table, index, snapshot, keys, order_bys);
        #[cfg(feature = "pg18")]
        return pg_sys::index_beginscan(
            table,
            index,
            snapshot,
            &raw mut (*node).iss_Instrument,
            keys,
            order_bys,
        );
    }
}

/// Whether an index is of one of our access methods: whether this library begins its scans. Unlike what a catalog says of the handler, that
/// takes no look-up in a statement, and stays true whatever becomes of the extension meanwhile.
///
/// # Safety
/// The index is open.
unsafe fn is_ours(index: Relation) -> bool {
    type Begin = unsafe extern "C-unwind" fn(Relation, c_int, c_int) -> pg_sys::IndexScanDesc;
    let ours: [Begin; 3] = [scan::begin::<Hnsw>, scan::begin::<Ivf>, scan::begin::<IvfFlat>];
    // SAFETY: by the caller's promise; an index's relation has the routine of its access method.
    let begin = unsafe { (*index).rd_indam.as_ref() }.and_then(|routine| routine.ambeginscan);
    begin.is_some_and(|begin| ours.iter().any(|&one| ptr::fn_addr_eq(one, begin)))
}
