//! The rows that another index of the table finds for the conditions of a scan.
//!
//! What the planner does for a plan (`indxpath.c`) is done here for a scan that runs: a condition that compares a column with what stays the same
//! for the scan can be asked of an index that begins with the column, of whatever access method. Only conditions that a scan tests itself are
//! asked, so that rows that do not match do no harm. They are looked up in order of their place, as a bitmap scan does it, which is safe for the
//! same reason: the snapshot keeps what it sees from being vacuumed and its place from being used again.

use super::quals::is_fixed;
use super::scan::work_mem;
use super::tid;
use kite_pages::ItemPointer;
use pgrx::pg_sys::{
    self, Datum, Expr, ExprContext, IndexScanDesc, IndexScanState, InvalidOid, NodeTag, Oid, Relation,
    ScanDirection, ScanKeyData, Var,
};
use pgrx::{PgList, check_for_interrupts};
use std::ptr;

/// Rows that are read between looks for a cancel.
const STRIDE: usize = 1000;

unsafe extern "C-unwind" {
    /// Without a jump point of its own.
    fn index_getnext_tid(scan: IndexScanDesc, direction: ScanDirection::Type) -> pg_sys::ItemPointer;
}

/// The conditions of a scan's node that the scan tests, and where they are evaluated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conditions {
    pub(super) node: *mut IndexScanState,
    pub(super) context: *mut ExprContext,
    /// A list of expressions.
    pub(super) list: *mut pg_sys::List,
}

/// What is compared with a column, and how.
struct Comparison {
    column: *mut Expr,
    value: *mut Expr,
    operator: Oid,
    collation: Oid,
    /// The value is an array, one of whose elements has to compare.
    is_any: bool,
}

/// Of the rows that other indexes find the fewest, in order of their place; at most so many. `None` if there is no such index, or its rows are
/// more, or too many for the memory.
///
/// # Safety
/// The scan is the node's, the statement runs, and nothing is locked.
pub(super) unsafe fn rows(
    scan: IndexScanDesc,
    conditions: Conditions,
    most: usize,
) -> Option<Vec<ItemPointer>> {
    // SAFETY: the caller's promise; a list of indexes holds their object identifiers.
    unsafe {
        let (table, own) = ((*scan).heapRelation, (*(*scan).indexRelation).rd_id);
        if (*(*scan).xs_snapshot).snapshot_type != pg_sys::SnapshotType::SNAPSHOT_MVCC {
            return None;
        }
        // Twice as many while their array grows.
        let most = most.min(work_mem() / (2 * size_of::<ItemPointer>()));
        let indexes = pg_sys::RelationGetIndexList(table);
        let count = if indexes.is_null() { 0 } else { usize::try_from((*indexes).length).unwrap_or(0) };
        let mut best: Option<Vec<ItemPointer>> = None;
        for n in 0..count {
            let other = (*(*indexes).elements.add(n)).oid_value;
            let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
            // One that is being built anew is not waited for; the lock on the table keeps it from being dropped. As of an index of a plan the
            // lock is kept until the transaction ends.
            if other == own || !pg_sys::ConditionalLockRelationOid(other, lock) {
                continue;
            }
            let index = pg_sys::index_open(other, pg_sys::NoLock as pg_sys::LOCKMODE);
            let mut keys = keys(index, conditions);
            if !keys.is_empty() {
                let most = best.as_ref().map_or(most, Vec::len);
                best = read(scan, index, &mut keys, most).or(best);
            }
            pg_sys::index_close(index, pg_sys::NoLock as pg_sys::LOCKMODE);
        }
        if let Some(rows) = &mut best {
            rows.sort_unstable_by_key(|row| (row.block(), row.no()));
        }
        best
    }
}

/// What the conditions ask of the first column of an index; nothing if it is none that answers.
unsafe fn keys(index: Relation, conditions: Conditions) -> Vec<ScanKeyData> {
    // SAFETY: the index is open, and has one column at least.
    unsafe {
        let (form, routine) = ((*index).rd_index, (*index).rd_indam);
        let column = *(*form).indkey.values.as_ptr();
        // One that was made beside older snapshots may not have what they see.
        let is_usable = (*form).indisvalid && !(*form).indcheckxmin && (*routine).amgettuple.is_some();
        if !is_usable || column <= 0 || !pg_sys::RelationGetIndexPredicate(index).is_null() {
            return Vec::new();
        }
        let list = PgList::<Expr>::from_pg(conditions.list);
        // An operator is asked of rows that an earlier condition may have to hide. The first may be asked of all of them.
        let asked = list.iter_ptr().enumerate().filter_map(|(n, condition)| {
            let comparison = comparison(condition)?;
            key(index, column, conditions, &comparison, n == 0)
        });
        asked.collect()
    }
}

/// What a condition compares; `None` if it is no comparison.
unsafe fn comparison(condition: *mut Expr) -> Option<Comparison> {
    // SAFETY: the caller passes an expression of a plan; nodes say what they are.
    unsafe {
        match (*condition).type_ {
            NodeTag::T_OpExpr => {
                let condition = condition.cast::<pg_sys::OpExpr>();
                let operands = PgList::<Expr>::from_pg((*condition).args);
                let (column, value) = (operands.get_ptr(0)?, operands.get_ptr(1)?);
                let (operator, collation) = ((*condition).opno, (*condition).inputcollid);
                let is_turned = is_fixed(column);
                let (column, value) = if is_turned { (value, column) } else { (column, value) };
                let operator = if is_turned { pg_sys::get_commutator(operator) } else { operator };
                Some(Comparison { column, value, operator, collation, is_any: false })
            }
            NodeTag::T_ScalarArrayOpExpr => {
                let condition = condition.cast::<pg_sys::ScalarArrayOpExpr>();
                let operands = PgList::<Expr>::from_pg((*condition).args);
                let (column, value) = (operands.get_ptr(0)?, operands.get_ptr(1)?);
                let (operator, collation) = ((*condition).opno, (*condition).inputcollid);
                let any = Comparison { column, value, operator, collation, is_any: true };
                (*condition).useOr.then_some(any)
            }
            _ => None,
        }
    }
}

/// What a comparison asks of an index whose first column is this one, with the value as it is now.
unsafe fn key(
    index: Relation,
    column: i16,
    conditions: Conditions,
    comparison: &Comparison,
    may_leak: bool,
) -> Option<ScanKeyData> {
    // SAFETY: the caller's promise: the index is open, expressions are those of the node's plan, and the statement runs.
    unsafe {
        let node = conditions.node;
        let plan = (*node).ss.ps.plan.cast::<pg_sys::Scan>();
        let mut compared = comparison.column;
        if (*compared).type_ == NodeTag::T_RelabelType {
            compared = (*compared.cast::<pg_sys::RelabelType>()).arg;
        }
        if (*compared).type_ != NodeTag::T_Var || !is_fixed(comparison.value) {
            return None;
        }
        let var = compared.cast::<Var>();
        let is_column = i64::from((*var).varno) == i64::from((*plan).scanrelid) && (*var).varattno == column;
        let (family, sorted) = (*(*index).rd_opfamily, *(*index).rd_indcollation);
        let is_sorted_so = sorted == InvalidOid || sorted == comparison.collation;
        let may_be_array = !comparison.is_any || (*(*index).rd_indam).amsearcharray;
        if !is_column || !is_sorted_so || !may_be_array || comparison.operator == InvalidOid {
            return None;
        }
        let function = pg_sys::get_opcode(comparison.operator);
        if pg_sys::get_op_opfamily_strategy(comparison.operator, family) == 0
            || !(may_leak || pg_sys::get_func_leakproof(function))
        {
            return None;
        }
        let (mut strategy, mut left, mut right) = (0, InvalidOid, InvalidOid);
        pg_sys::get_op_opfamily_properties(
            comparison.operator,
            family,
            false,
            &raw mut strategy,
            &raw mut left,
            &raw mut right,
        );
        // All of this lives until the next row is tested, which is after the index has been read. Without its node an expression that is
        // evaluated once is not compiled to machine code.
        let outer = pg_sys::MemoryContextSwitchTo((*conditions.context).ecxt_per_tuple_memory);
        let value = pg_sys::ExecInitExpr(comparison.value, ptr::null_mut());
        let mut is_null = false;
        let value = pg_sys::ExecEvalExprSwitchContext(value, conditions.context, &raw mut is_null);
        pg_sys::MemoryContextSwitchTo(outer);
        let mut key = ScanKeyData::default();
        let flags = if is_null { pg_sys::SK_ISNULL } else { 0 }
            | if comparison.is_any { pg_sys::SK_SEARCHARRAY } else { 0 };
        pg_sys::ScanKeyEntryInitialize(
            &raw mut key,
            flags as i32,
            1,
            strategy as pg_sys::StrategyNumber,
            right,
            comparison.collation,
            function,
            if is_null { Datum::null() } else { value },
        );
        Some(key)
    }
}

/// What an index finds for the keys, if that is at most so many rows.
unsafe fn read(
    scan: IndexScanDesc,
    index: Relation,
    keys: &mut [ScanKeyData],
    most: usize,
) -> Option<Vec<ItemPointer>> {
    let mut rows = Vec::new();
    // Comparing with NULL is never true.
    if keys.iter().any(|key| key.sk_flags & pg_sys::SK_ISNULL as i32 != 0) {
        return Some(rows);
    }
    let count = keys.len() as i32;
    // SAFETY: the caller's promise: table and index are open and locked. The closure holds nothing to drop: an ERROR jumps over it to the guard.
    unsafe {
        let (table, snapshot) = ((*scan).heapRelation, (*scan).xs_snapshot);
        #[cfg(not(feature = "pg18"))]
        let other = pg_sys::index_beginscan(table, index, snapshot, count, 0);
        #[cfg(feature = "pg18")]
        let other = pg_sys::index_beginscan(table, index, snapshot, ptr::null_mut(), count, 0);
        pg_sys::index_rescan(other, keys.as_mut_ptr(), count, ptr::null_mut(), 0);
        let fits = loop {
            check_for_interrupts!();
            let mut found = [ItemPointer::NONE; STRIDE];
            let place: *mut [ItemPointer; STRIDE] = &raw mut found;
            let read = pg_sys::ffi::pg_guard_ffi_boundary(|| {
                let mut read = 0;
                while read < STRIDE {
                    let next = index_getnext_tid(other, ScanDirection::ForwardScanDirection);
                    if next.is_null() {
                        break;
                    }
                    (*place)[read] = tid::from_server(&*next);
                    read += 1;
                }
                read
            });
            if rows.len() + read > most || rows.try_reserve(read).is_err() {
                break false;
            }
            rows.extend_from_slice(&found[..read]);
            if read < STRIDE {
                break true;
            }
        };
        pg_sys::index_endscan(other);
        fits.then_some(rows)
    }
}
