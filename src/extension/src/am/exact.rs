//! What a scan goes on with that has turned from its index to another way: the matches that way reads, by their exact distances.

use super::error::Failure;
use super::quals::Quals;
use super::reading::Reading;
use super::scan::{Distance, Row, work_mem};
use kite_pages::ItemPointer;
use pgrx::pg_sys::{self, Datum, IndexScanDesc};
use std::cmp::Ordering;

/// The most keys of an index.
const KEYS: usize = pg_sys::INDEX_MAX_KEYS as usize;
/// Rows that are kept of a reading, at least. At most it is what `work_mem` holds twice, since the farthest are dropped now and then only.
const FEWEST_KEPT: usize = 64;

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

    /// Reads matches beyond one.
    unsafe fn read(&mut self, scan: IndexScanDesc, quals: &Quals, after: Match) -> Result<(), Failure> {
        let kept = self.kept;
        // SAFETY: the caller's promise. The slot and the test are the statement's, what is made here lives in an execution state of its own;
        // after an ERROR the statement's memory and resources go with it.
        unsafe {
            let index = (*scan).indexRelation;
            let key = (*scan).orderByData;
            let (function, collation, query) =
                (&raw mut (*key).sk_func, (*key).sk_collation, (*key).sk_argument);
            let within = quals.within();
            let info = pg_sys::BuildIndexInfo(index);
            let state = pg_sys::CreateExecutorState();
            let context = pg_sys::MakePerTupleExprContext(state);
            let predicate = pg_sys::ExecPrepareQual((*info).ii_Predicate, state);
            let mut reading = Reading::begin(scan, quals);
            (*context).ecxt_scantuple = reading.slot();
            let (mut values, mut nulls) = ([Datum::null(); KEYS], [true; KEYS]);
            while reading.next() {
                if !predicate.is_null() && !pg_sys::ExecQualAndReset(predicate, context) {
                    continue;
                }
                let outer = pg_sys::MemoryContextSwitchTo((*context).ecxt_per_tuple_memory);
                pg_sys::FormIndexDatum(info, reading.slot(), state, values.as_mut_ptr(), nulls.as_mut_ptr());
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
        reading: &Reading<'_>,
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
