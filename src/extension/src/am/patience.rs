//! How long a scan looks for few matches with its own index.
//!
//! No statistics say how a condition goes along with the vectors. A search that tests rows as it meets them is done at once if those near the
//! query match, and may meet most of an index if they do not. So it is given patience: a share of what another way takes, which is to read the
//! rows that another index finds for the conditions, or else the whole table. When that is at an end, and what is missing would take longer than
//! half of the other way, the scan turns to it: matches and their exact distances, as the plan without this index would have it. So a wrong guess
//! costs a share of the time, and of the answers only those that strict order has no place for: nearer than what was handed out before. (Trying
//! the cheap way up to a share of the sure one's price is what is known as the ski-rental problem; Karlin, Manasse, Rudolph, Sleator:
//! "Competitive snoopy caching", 1988.)
//!
//! `enable_seqscan = off` and `enable_bitmapscan = off` are obeyed: the scan stays with its index then.

use super::quals::Share;
use super::store::is_heap;
use kite_codecs::{Spec, VectorType};
use pgrx::pg_sys::{self, Relation};

/// What reading takes in the time in which a row is met and tested: of 1,000,000 × 128 in the row 124 ms for all against 4 us, of
/// 61,440 × 384 in the row 10 to 15 ms against 2 to 5 us, in TOAST 4 to 6 ms against 2 to 3 us (`bench filter` on an Intel Xeon, everything in memory).
const TESTS_PER_ROW: f64 = 0.02;
const TESTS_PER_PAGE: f64 = 0.2;
/// A match's distance, and that of one whose vector is in TOAST: 3.6 us of 384 dimensions against 2.1 to 2.7 us for a test, 5.7 us of 128 among
/// 1,000,000 against 4 us, a row that another index has found included.
const TESTS_PER_MATCH: f64 = 0.1;
const TESTS_PER_TOASTED: f64 = 1.2;
/// A row that another index has found, besides: 1 to 1.6 us.
const TESTS_PER_FOUND: f64 = 0.4;
/// The share of the other way after which a search asks itself whether it should go on, and what may be missing then.
const SHARE_SPENT: f64 = 0.25;
const SHARE_MISSING: f64 = 0.5;
/// Tests before their outcome says anything.
const TELLING: f64 = 32.0;

/// What reading a table takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pages: f64,
    rows: f64,
    /// What computing a match's distance takes.
    per_match: f64,
}

impl Table {
    /// One with so many pages and rows, whose vectors are such values as far as is known.
    pub(super) fn new(pages: f64, rows: f64, values: Option<&Spec>) -> Self {
        let bytes = values.map_or(0.0, |values| {
            let each = match values.vector_type {
                VectorType::Vector => 4.0,
                VectorType::Halfvec => 2.0,
                VectorType::Bit => 0.125,
                // It depends.
                VectorType::Sparsevec => 0.0,
            };
            values.dims as f64 * each
        });
        let is_toasted = bytes * rows > pages * f64::from(pg_sys::BLCKSZ);
        Self { pages, rows, per_match: if is_toasted { TESTS_PER_TOASTED } else { TESTS_PER_MATCH } }
    }

    /// How many tests take as long as reading all of it, if this share of rows matches.
    fn whole(&self, share: f64) -> f64 {
        TESTS_PER_PAGE * self.pages + (TESTS_PER_ROW + share * self.per_match) * self.rows
    }

    /// The same of a row that another index has found.
    fn per_found(&self) -> f64 {
        TESTS_PER_FOUND + self.per_match
    }

    /// How far a search gets, in tests, before its scan turns to the table.
    pub(super) fn patience(&self, share: Share) -> f64 {
        // SAFETY: a setting of the server, read by its only thread.
        if unsafe { pg_sys::enable_seqscan } {
            SHARE_SPENT * self.whole(share.of_all())
        } else {
            f64::INFINITY
        }
    }
}

/// How long a search tests rows before its scan turns to the other way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    table: Table,
    /// Matches that are looked for.
    sought: f64,
    /// Tests in the time of the other way that is known.
    otherwise: f64,
    /// The same of an index that may be there, by estimate, as long as none was asked.
    by_index: Option<f64>,
}

impl Patience {
    /// For a search for so many matches in an index of such values, of whose rows the planner expects this share to match.
    ///
    /// # Safety
    /// The table is open.
    pub(super) unsafe fn of(table: Relation, values: &Spec, share: Share, sought: usize) -> Self {
        // SAFETY: the caller's promise; settings are read by the server's only thread.
        unsafe {
            let may_read = pg_sys::enable_seqscan && is_heap(table);
            let pages = pg_sys::RelationGetNumberOfBlocksInFork(table, pg_sys::ForkNumber::MAIN_FORKNUM);
            let (known, rows) = ((*(*table).rd_rel).relpages, (*(*table).rd_rel).reltuples);
            let rows = if known > 0 && rows >= 0.0 { f64::from(rows) / f64::from(known) } else { 0.0 };
            let pages = f64::from(pages);
            let table = Table::new(pages, rows * pages, Some(values));
            let share = share.of_all();
            let by_index = pg_sys::enable_bitmapscan.then(|| share * table.rows * table.per_found());
            let otherwise = if may_read { table.whole(share) } else { f64::INFINITY };
            Self { table, sought: sought as f64, otherwise, by_index }
        }
    }

    /// Whether another index is to be asked, after so many tests and matches: once.
    #[inline]
    pub(super) fn asks_index(&mut self, tested: u32, matched: u32) -> bool {
        let asks = self.by_index.is_some_and(|takes| {
            takes < self.otherwise && self.is_spent(f64::from(tested), f64::from(matched), takes)
        });
        if asks {
            self.by_index = None;
        }
        asks
    }

    /// With how many rows another index is the better way, at most.
    pub(super) fn most_found(&self) -> usize {
        (self.otherwise / self.table.per_found()) as usize
    }

    /// Another index has found so many, not more than that.
    pub(super) fn have_found(&mut self, rows: usize) {
        self.otherwise = rows as f64 * self.table.per_found();
    }

    /// Whether it is at an end, after so many tests and matches.
    #[inline]
    pub(super) fn is_at_end(&self, tested: u32, matched: u32) -> bool {
        self.is_spent(f64::from(tested), f64::from(matched), self.otherwise)
    }

    fn is_spent(&self, tested: f64, matched: f64, otherwise: f64) -> bool {
        tested >= (SHARE_SPENT * otherwise).max(TELLING)
            && (self.sought - matched) * tested / matched.max(1.0) > SHARE_MISSING * otherwise
    }
}
