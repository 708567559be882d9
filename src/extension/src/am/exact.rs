//! Reading the whole table, to which a scan turns whose matches do not lie near the query.
//!
//! No statistics say how a condition goes along with the vectors. A search that tests rows as it meets them is done at once if those near the
//! query match, and may meet most of an index if they do not. So it is given patience: a share of what reading the table takes. When that is at
//! an end, and what is missing would take longer than half of the table, the table is read: matches and their exact distances, as the plan
//! without the index would have it. So a wrong guess costs a share of the time, and of the answers only those that strict order has no place for: nearer than
//! what was handed out before. (Trying the cheap way up to a share of the sure one's price
//! is what is known as the ski-rental problem; Karlin, Manasse, Rudolph, Sleator: "Competitive snoopy caching", 1988.)
//!
//! `enable_seqscan = off` is obeyed: it stays with the index then.

use super::error::Failure;
use super::quals::Quals;
use super::scan::{Distance, Row, work_mem};
use super::store;
use super::tid;
use kite_pages::ItemPointer;
use pgrx::check_for_interrupts;
use pgrx::pg_sys::{
    self, Datum, ExprContext, ExprState, IndexScanDesc, MemoryContext, Relation, ScanDirection,
    TableScanDesc, TupleTableSlot,
};
use std::cmp::Ordering;
use std::ptr;

/// Rows are read in the time in which one is met and tested: of 1,000,000 × 128 in the row 124 ms against 4 µs, of 61,440 × 384 in the row
/// 15 ms against 2 µs, in TOAST 4 ms against 2 µs (`bench filter` on an Intel Xeon, everything in memory). In units of such a test, a row and a page.
const TESTS_PER_ROW: f64 = 0.02;
const TESTS_PER_PAGE: f64 = 0.3;
/// The share of reading the table after which a search asks itself whether it should go on, and what may be missing then.
const SHARE_SPENT: f64 = 0.25;
const SHARE_MISSING: f64 = 0.5;
/// The most keys of an index.
const KEYS: usize = pg_sys::INDEX_MAX_KEYS as usize;
/// Rows that are read between looks for a cancel.
const STRIDE: usize = 1000;
/// Rows that are kept of a reading, at least. At most it is what `work_mem` holds twice, since the farthest are dropped now and then only.
const FEWEST_KEPT: usize = 64;

unsafe extern "C-unwind" {
    /// Without a jump point of its own.
    fn MemoryContextReset(context: MemoryContext);
}

/// How long a search tests rows before its scan turns to the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Tests in the time of reading the table.
    table: f64,
    /// Matches that are looked for.
    sought: f64,
}

impl Patience {
    /// For a search for so many matches. `None` where the table is not to be read, or can't be.
    ///
    /// # Safety
    /// The table is open.
    pub(super) unsafe fn of(table: Relation, sought: usize) -> Option<Self> {
        // SAFETY: the caller's promise; settings are read by the server's only thread.
        unsafe {
            let is_heap = ptr::eq((*table).rd_tableam, pg_sys::GetHeapamTableAmRoutine());
            if !pg_sys::enable_seqscan || !is_heap {
                return None;
            }
            let pages = pg_sys::RelationGetNumberOfBlocksInFork(table, pg_sys::ForkNumber::MAIN_FORKNUM);
            let (known, rows) = ((*(*table).rd_rel).relpages, (*(*table).rd_rel).reltuples);
            let rows = if known > 0 && rows >= 0.0 { f64::from(rows) / f64::from(known) } else { 0.0 };
            let table = table_in_tests(f64::from(pages), rows * f64::from(pages));
            Some(Self { table, sought: sought as f64 })
        }
    }

    /// Whether it is at an end, after so many tests and matches.
    #[inline]
    pub(super) fn is_at_end(&self, tested: u32, matched: u32) -> bool {
        let (tested, matched) = (f64::from(tested), f64::from(matched));
        tested >= SHARE_SPENT * self.table
            && (self.sought - matched) * tested / matched.max(1.0) > SHARE_MISSING * self.table
    }
}

/// How many tests take as long as reading a table of so many pages and rows.
fn table_in_tests(pages: f64, rows: f64) -> f64 {
    TESTS_PER_PAGE * pages + TESTS_PER_ROW * rows
}

/// How far a search gets before its scan turns to a table of so many pages and rows, in tests.
pub(super) fn patience(pages: f64, rows: f64) -> f64 {
    SHARE_SPENT * table_in_tests(pages, rows)
}

/// A match.
#[derive(Debug, Clone, Copy)]
struct Match {
    distance: f64,
    row: ItemPointer,
}

impl Match {
    /// Nearest first; rows that are as far, by their place.
    fn order(&self, other: &Self) -> Ordering {
        self.distance.total_cmp(&other.distance).then(place(self.row).cmp(&place(other.row)))
    }
}

/// In the order of the table.
fn place(row: ItemPointer) -> (u32, u16) {
    (row.block(), row.no())
}

/// The rest of a scan.
#[derive(Debug)]
pub(super) struct Exact {
    /// The nearest that have not been handed out, from the end.
    matches: Vec<Match>,
    /// How many are kept of a reading.
    kept: usize,
    /// The last one of a reading that has found more than it could keep.
    more: Option<Match>,
    /// Rows that were handed out before, in order.
    before: Vec<ItemPointer>,
    /// What is nearer comes too late.
    nearest: f64,
}

impl Exact {
    /// For a scan that has handed these rows out, and may hand out none that is nearer; so many are wanted, 0 where nothing is known.
    pub(super) fn new(mut before: Vec<ItemPointer>, nearest: f64, limit: usize) -> Self {
        before.sort_unstable_by_key(|&row| place(row));
        let most = (work_mem() / (2 * size_of::<Match>())).max(FEWEST_KEPT);
        let kept = if limit > 0 { limit.saturating_mul(2).clamp(FEWEST_KEPT, most) } else { most };
        let start = Match { distance: f64::NEG_INFINITY, row: ItemPointer::NONE };
        Self { matches: Vec::new(), kept, more: Some(start), before, nearest }
    }

    /// The next row.
    ///
    /// # Errors
    /// No memory.
    ///
    /// # Safety
    /// The scan is the one that the conditions are of; its relations are open, and its key is not NULL.
    pub(super) unsafe fn next(&mut self, scan: IndexScanDesc, quals: &Quals) -> Result<Option<Row>, Failure> {
        if self.matches.is_empty()
            && let Some(after) = self.more.take()
        {
            // SAFETY: the caller's promise.
            unsafe { self.read(scan, quals, after)? };
        }
        let next = self.matches.pop();
        Ok(next.map(|next| Row { tid: next.row, distance: Distance::Exact(next.distance) }))
    }

    /// Reads the table for matches beyond one.
    unsafe fn read(&mut self, scan: IndexScanDesc, quals: &Quals, after: Match) -> Result<(), Failure> {
        let kept = self.kept;
        // SAFETY: the caller's promise. The slot and the test are the statement's, what is made here lives in an execution state of its own;
        // after an ERROR the statement's memory and resources go with it.
        unsafe {
            let (table, index) = ((*scan).heapRelation, (*scan).indexRelation);
            let key = (*scan).orderByData;
            let (function, collation, query) =
                (&raw mut (*key).sk_func, (*key).sk_collation, (*key).sk_argument);
            let within = quals.within();
            let info = pg_sys::BuildIndexInfo(index);
            let state = pg_sys::CreateExecutorState();
            let context = pg_sys::MakePerTupleExprContext(state);
            let predicate = pg_sys::ExecPrepareQual((*info).ii_Predicate, state);
            let reading = Reading::begin(table, (*scan).xs_snapshot, quals);
            (*context).ecxt_scantuple = reading.slot;
            let (mut values, mut nulls) = ([Datum::null(); KEYS], [true; KEYS]);
            while reading.next(quals) {
                if !predicate.is_null() && !pg_sys::ExecQualAndReset(predicate, context) {
                    continue;
                }
                let outer = pg_sys::MemoryContextSwitchTo((*context).ecxt_per_tuple_memory);
                pg_sys::FormIndexDatum(info, reading.slot, state, values.as_mut_ptr(), nulls.as_mut_ptr());
                if !nulls[0] {
                    let distance = pg_sys::FunctionCall2Coll(function, collation, values[0], query);
                    self.consider(f64::from_bits(distance.value() as u64), &reading, within, &after)?;
                }
                pg_sys::MemoryContextSwitchTo(outer);
                pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
            }
            reading.end();
            pg_sys::FreeExecutorState(state);
        }
        self.cut(kept);
        self.matches.sort_unstable_by(|a, b| b.order(a));
        if self.more.is_some() {
            self.more = self.matches.first().copied();
        }
        Ok(())
    }

    /// Adds the match that is read, if it is one to come, and drops the farthest now and then.
    ///
    /// # Safety
    /// The reading is at a row.
    unsafe fn consider(
        &mut self,
        distance: f64,
        reading: &Reading,
        within: f64,
        after: &Match,
    ) -> Result<(), Failure> {
        // What is no number comes last, whatever its sign.
        let distance = if distance.is_nan() { f64::NAN } else { distance };
        if distance < self.nearest || distance > within {
            return Ok(());
        }
        // SAFETY: the caller's promise.
        let found = Match { distance, row: unsafe { reading.root() } };
        let is_new = self.before.binary_search_by_key(&place(found.row), |&row| place(row)).is_err();
        if is_new && found.order(after) == Ordering::Greater {
            self.matches.try_reserve(1).map_err(|_| {
                let bytes = 2 * self.matches.len() * size_of::<Match>();
                Failure::Build(kite_build::Error::OutOfMemory { bytes })
            })?;
            self.matches.push(found);
            if self.matches.len() >= 2 * self.kept {
                self.cut(self.kept);
            }
        }
        Ok(())
    }

    /// Keeps so many of the nearest. That there were others is noted.
    fn cut(&mut self, kept: usize) {
        if self.matches.len() > kept {
            self.matches.select_nth_unstable_by(kept, Match::order);
            self.matches.truncate(kept);
            self.more = self.matches.first().copied();
        }
    }
}

/// A sequential scan, of the rows that the conditions let pass.
struct Reading {
    rows: TableScanDesc,
    slot: *mut TupleTableSlot,
    test: *mut ExprState,
    context: *mut ExprContext,
}

impl Reading {
    /// # Safety
    /// The table is open, the conditions are compiled for its rows.
    unsafe fn begin(table: Relation, snapshot: pg_sys::Snapshot, quals: &Quals) -> Self {
        let (test, slot, context) = quals.compiled();
        // SAFETY: the caller's promise.
        unsafe {
            let rows = pg_sys::table_beginscan(table, snapshot, 0, ptr::null_mut());
            (*context).ecxt_scantuple = slot;
            Self { rows, slot, test, context }
        }
    }

    /// Goes to the next row that matches.
    unsafe fn next(&self, quals: &Quals) -> bool {
        loop {
            check_for_interrupts!();
            // SAFETY: the scan, the slot and the compiled test are valid until the statement ends. The closure holds nothing to drop: an ERROR
            // jumps over it to the guard.
            let (read, found) = unsafe {
                let advance = (*(*(*self.rows).rs_rd).rd_tableam).scan_getnextslot;
                let (Some(advance), Some(test)) = (advance, (*self.test).evalfunc) else { return false };
                let (rows, slot, state, context) = (self.rows, self.slot, self.test, self.context);
                let memory = (*context).ecxt_per_tuple_memory;
                pg_sys::ffi::pg_guard_ffi_boundary(|| {
                    let outer = pg_sys::CurrentMemoryContext;
                    let (mut read, mut found) = (0, Some(false));
                    while read < STRIDE {
                        if !advance(rows, ScanDirection::ForwardScanDirection, slot) {
                            found = None;
                            break;
                        }
                        read += 1;
                        let mut is_null = false;
                        pg_sys::CurrentMemoryContext = memory;
                        let matches = test(state, context, &raw mut is_null);
                        pg_sys::CurrentMemoryContext = outer;
                        MemoryContextReset(memory);
                        if matches.value() != 0 {
                            found = Some(true);
                            break;
                        }
                    }
                    (read, found)
                })
            };
            // SAFETY: the statement runs.
            unsafe { quals.count_rejected(read - usize::from(found == Some(true))) };
            match found {
                Some(true) => return true,
                Some(false) => {}
                None => return false,
            }
        }
    }

    /// Where an index has the row that it is at: the head of its chain of versions.
    unsafe fn root(&self) -> ItemPointer {
        // SAFETY: the slot holds a row of a heap, whose page it pins.
        unsafe {
            let slot = self.slot.cast::<pg_sys::BufferHeapTupleTableSlot>();
            let place = tid::from_server(&(*self.slot).tts_tid);
            let flags = u32::from((*(*(*slot).base.tuple).t_data).t_infomask2);
            if flags & pg_sys::HEAP_ONLY_TUPLE == 0 {
                return place;
            }
            let root = store::root_of((*slot).buffer, place.no());
            if root == 0 { place } else { ItemPointer::new(place.block(), root) }
        }
    }

    unsafe fn end(self) {
        // SAFETY: it was begun and not ended.
        unsafe {
            pg_sys::ExecClearTuple(self.slot);
            pg_sys::table_endscan(self.rows);
        }
    }
}
