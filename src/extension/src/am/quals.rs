//! What a query asks of a row besides the order, tested within the scan.
//!
//! Of the conditions of the plan's node those are taken that stand first, up to the first that may not be tested here: one that
//! is volatile, one that runs a subquery, or the range of distances itself. Never one behind those: the planner has put conditions of
//! row-level security before those that could give rows away, and cheap ones before dear ones.
//!
//! **When a row is tested.** Always before it is handed out: what does not match costs no exact distance. While many rows match this is enough,
//! and tests few. Where few do, rows are tested while the search meets them, so that it goes on until it has found as many *matches* as it looks
//! for. The planner's estimate decides how a scan begins, and what is seen of rows how it goes on, since a
//! condition is often as rare near the query as it is frequent elsewhere.

use super::other::{self, Conditions};
use super::patience::Patience;
use super::tid;
use kite_pages::ItemPointer;
use pgrx::pg_sys::{
    self, Expr, ExprContext, ExprState, IndexScanDesc, IndexScanState, List, Node, NodeTag, Oid, OpExpr,
    TupleTableSlot,
};
use pgrx::{FromDatum, PgList};
use std::ptr;

/// `float8 <`, `<=`, `>`, `>=` (`pg_operator.dat`).
const LESS: Oid = Oid::from_u32(672);
const AT_MOST: Oid = Oid::from_u32(673);
const MORE: Oid = Oid::from_u32(674);
const AT_LEAST: Oid = Oid::from_u32(675);

/// Below this share of rows that match, they are tested while they are met.
const FEW: f64 = 0.3;

/// The share of rows that is expected to match.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share(f64);

impl Share {
    /// Nothing is asked of them.
    pub(super) const ALL: Self = Self(1.0);

    pub(super) fn new(share: f64) -> Self {
        Self(share)
    }

    /// Whether a search looks for matches only, not for whatever is near.
    pub(super) fn is_few(self) -> bool {
        self.0 < FEW
    }

    /// As a number between 0 and 1.
    pub(super) fn of_all(self) -> f64 {
        self.0.clamp(0.0, 1.0)
    }

    /// Of all rows, the share that a search looks for.
    pub(super) fn sought(self) -> f64 {
        if self.is_few() { self.0 } else { 1.0 }
    }

    /// Of the rows that a search finds, the share that it hands out.
    pub(super) fn kept(self) -> f64 {
        if self.is_few() { 1.0 } else { self.0.min(1.0) }
    }
}

/// Tests before their outcome says more than the planner's estimate.
const TELLING: u32 = 32;

/// Conditions, compiled for the rows of a scan's table. All that it points to lives as long as the statement.
#[derive(Debug)]
pub(super) struct Quals {
    node: *mut IndexScanState,
    context: *mut ExprContext,
    /// Whether a row matches; NULL if there is nothing to test.
    test: *mut ExprState,
    slot: *mut TupleTableSlot,
    /// The conditions that it tests, as expressions.
    conditions: *mut List,
    /// The farthest that a row may be; NULL if that is open.
    within: *mut ExprState,
    /// What the planner expects.
    expected: Share,
    tested: u32,
    matched: u32,
    /// How long few matches are looked for by the index.
    patience: Option<Patience>,
    /// Rows that another index has found for the conditions, in order of their place.
    found: Option<Vec<ItemPointer>>,
    /// The scan is to turn to these, or to the table.
    turned: bool,
}

impl Quals {
    /// Those of a plan's node; `None` if there are none that could be of use.
    ///
    /// # Safety
    /// The node has been made for a statement that runs, orders by one key, and the statement's memory is the current one.
    pub(super) unsafe fn of(node: *mut IndexScanState) -> Option<Self> {
        // SAFETY: the caller's promise; a node's lists hold expressions.
        unsafe {
            let parent = &raw mut (*node).ss.ps;
            let plan = (*node).ss.ps.plan.cast::<pg_sys::IndexScan>();
            let order = PgList::<Expr>::from_pg((*plan).indexorderbyorig).get_ptr(0)?;
            let conditions = PgList::<Expr>::from_pg((*plan).scan.plan.qual);
            let mut within: *mut ExprState = ptr::null_mut();
            let mut tested = PgList::<Expr>::new();
            let mut first = true;
            for condition in conditions.iter_ptr() {
                if let Some(limit) = limit_of(condition, order) {
                    if within.is_null() {
                        within = pg_sys::ExecInitExpr(limit, parent);
                    }
                    first = false;
                } else if first && may_be_tested(condition) {
                    tested.push(condition);
                } else {
                    first = false;
                }
            }
            if tested.is_empty() && within.is_null() {
                return None;
            }
            let (table, state) = ((*node).ss.ss_currentRelation, (*parent).state);
            let (mut test, mut slot) = (ptr::null_mut(), ptr::null_mut());
            let is_empty = tested.is_empty();
            let tested: *mut List = tested.into_pg();
            if !is_empty {
                test = pg_sys::ExecInitQual(tested, parent);
                let kind = pg_sys::table_slot_callbacks(table);
                slot = pg_sys::ExecInitExtraTupleSlot(state, (*table).rd_att, kind);
            }
            // An index of a part of the table has fewer rows, of which more match.
            let rows = f64::from((*(*(*node).iss_RelationDesc).rd_rel).reltuples);
            let expected =
                if rows > 0.0 { Share::new((*plan).scan.plan.plan_rows / rows) } else { Share::ALL };
            let context = pg_sys::CreateExprContext(state);
            Some(Self {
                node,
                context,
                test,
                slot,
                conditions: tested,
                within,
                expected,
                tested: 0,
                matched: 0,
                patience: None,
                found: None,
                turned: false,
            })
        }
    }

    /// The farthest that a row may be, for the parameters as they are. Where that is NULL no row matches.
    ///
    /// # Safety
    /// The statement runs.
    pub(super) unsafe fn within(&self) -> f64 {
        if self.within.is_null() {
            return f64::INFINITY;
        }
        let mut is_null = false;
        // SAFETY: the caller's promise; the expression has type `float8`.
        unsafe {
            let limit = pg_sys::ExecEvalExprSwitchContext(self.within, self.context, &raw mut is_null);
            let limit = f64::from_datum(limit, is_null);
            pg_sys::MemoryContextReset((*self.context).ecxt_per_tuple_memory);
            limit.unwrap_or(f64::NEG_INFINITY)
        }
    }

    /// The share of rows that the planner expects to match.
    pub(super) fn share(&self) -> Share {
        if self.test.is_null() { Share::ALL } else { self.expected }
    }

    /// Begins anew: what rows were like near one query says nothing of another.
    pub(super) fn reset(&mut self) {
        (self.tested, self.matched, self.turned, self.found) = (0, 0, false, None);
    }

    /// How long the search that begins is to go on where few match.
    pub(super) fn set_patience(&mut self, patience: Option<Patience>) {
        self.patience = patience;
    }

    /// Whether the scan may turn to the table.
    pub(super) fn has_patience(&self) -> bool {
        self.patience.is_some()
    }

    /// Whether the scan is to turn to the table. The search is of no use any more.
    pub(super) fn has_turned(&self) -> bool {
        self.turned
    }

    /// The rows to turn to; `None` where it is the table.
    pub(super) fn found(&self) -> Option<&[ItemPointer]> {
        self.found.as_deref()
    }

    /// The test, and the slot and the context that it is compiled for.
    pub(super) fn compiled(&self) -> (*mut ExprState, *mut TupleTableSlot, *mut ExprContext) {
        (self.test, self.slot, self.context)
    }

    /// Whether the search should find this row: all of them as long as many match. `None`: the scan is to turn, so that the search ends.
    ///
    /// # Safety
    /// The scan is the one that these are of, the row's block is one of the table, and nothing is locked.
    #[inline]
    pub(super) unsafe fn steers(&mut self, scan: IndexScanDesc, row: ItemPointer) -> Option<bool> {
        if !self.are_few() {
            return Some(true);
        }
        // SAFETY: the caller's promise.
        let matches = unsafe { self.count(scan, row) };
        // SAFETY: the caller's promise.
        self.turned = unsafe { self.is_at_end(scan) };
        (!self.turned).then_some(matches)
    }

    /// Whether the scan's patience is at an end.
    unsafe fn is_at_end(&mut self, scan: IndexScanDesc) -> bool {
        let Some(patience) = &mut self.patience else { return false };
        if patience.asks_index(self.tested, self.matched) {
            let conditions = Conditions { node: self.node, context: self.context, list: self.conditions };
            // SAFETY: the caller's promise.
            self.found = unsafe { other::rows(scan, conditions, patience.most_found()) };
            if let Some(found) = &self.found {
                patience.have_found(found.len());
            }
        }
        patience.is_at_end(self.tested, self.matched)
    }

    /// Whether a row that was found is one to hand out.
    ///
    /// # Safety
    /// As of [`steers`](Self::steers).
    pub(super) unsafe fn lets_pass(&mut self, scan: IndexScanDesc, row: ItemPointer) -> bool {
        // SAFETY: the caller's promise. Where few match the row has mostly been tested, and counting it again would make them seem more.
        unsafe {
            match (self.test.is_null(), self.are_few()) {
                (true, _) => true,
                (_, true) => self.matches(scan, row),
                (_, false) => self.count(scan, row),
            }
        }
    }

    /// Whether few rows match. A search that has begun to count matches goes on to: it looks for too few rows else.
    fn are_few(&self) -> bool {
        let seen = || Share::new(f64::from(self.matched) / f64::from(self.tested));
        let few = self.expected.is_few() || self.tested >= TELLING && seen().is_few();
        !self.test.is_null() && few
    }

    /// Tests a row, and learns from it.
    unsafe fn count(&mut self, scan: IndexScanDesc, row: ItemPointer) -> bool {
        // SAFETY: the caller's promise.
        let matches = unsafe { self.matches(scan, row) };
        self.tested = self.tested.saturating_add(1);
        self.matched += u32::from(matches);
        matches
    }

    /// Whether the version of a row that the scan sees matches.
    ///
    /// # Safety
    /// As of [`steers`](Self::steers).
    pub(super) unsafe fn matches(&self, scan: IndexScanDesc, row: ItemPointer) -> bool {
        // SAFETY: the caller's promise; the slot is one for rows of this table.
        unsafe {
            let mut place = tid::to_server(row);
            let mut again = false;
            let found = pg_sys::table_index_fetch_tuple(
                (*scan).xs_heapfetch,
                &raw mut place,
                (*scan).xs_snapshot,
                self.slot,
                &raw mut again,
                ptr::null_mut(),
            );
            (*self.context).ecxt_scantuple = self.slot;
            let matches = found && pg_sys::ExecQualAndReset(self.test, self.context);
            if found && !matches {
                self.count_rejected(1);
            }
            matches
        }
    }

    /// `EXPLAIN ANALYZE` shows such rows as removed by the filter, wherever it was tested.
    pub(super) unsafe fn count_rejected(&self, rows: usize) {
        // SAFETY: the statement runs.
        if let Some(instrument) = unsafe { (*self.node).ss.ps.instrument.as_mut() } {
            instrument.nfiltered1 += rows as f64;
        }
    }
}

/// The limit of a condition that what is ordered by be less than it, as in `WHERE v <-> $1 < 0.5 ORDER BY v <-> $1`.
unsafe fn limit_of(condition: *mut Expr, order: *mut Expr) -> Option<*mut Expr> {
    // SAFETY: the caller passes expressions of a plan.
    unsafe {
        if (*condition).type_ != NodeTag::T_OpExpr {
            return None;
        }
        let condition = condition.cast::<OpExpr>();
        let operands = PgList::<Expr>::from_pg((*condition).args);
        let (left, right) = (operands.get_ptr(0)?, operands.get_ptr(1)?);
        let (distance, limit) = match (*condition).opno {
            LESS | AT_MOST => (left, right),
            MORE | AT_LEAST => (right, left),
            _ => return None,
        };
        let is_order = pg_sys::equal(distance.cast(), order.cast());
        (is_order && is_fixed(limit)).then_some(limit)
    }
}

/// Whether an expression has the same value for all rows of a scan.
///
/// # Safety
/// It is one of a plan.
pub(super) unsafe fn is_fixed(expression: *mut Expr) -> bool {
    let node = expression.cast::<Node>();
    // SAFETY: the caller passes an expression of a plan.
    unsafe { !pg_sys::contain_var_clause(node) && may_be_tested(expression) }
}

/// Whether the conditions of a node may be tested once more, elsewhere.
unsafe fn may_be_tested(expression: *mut Expr) -> bool {
    let node = expression.cast::<Node>();
    // SAFETY: the caller passes an expression of a plan.
    unsafe { !pg_sys::contain_volatile_functions(node) && !pg_sys::contain_subplans(node) }
}
