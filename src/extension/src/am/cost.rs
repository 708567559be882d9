//! What the planner is told of a scan.
//!
//! Rows come in order, and each further one costs about as much as the one before. So the cost of a scan has two parts: the
//! startup cost is a search for the first rows, and the rest, up to all rows of the table, is at the price of a
//! row that a scan finds as it goes on. A LIMIT takes its share of that, as the planner does for every path; a filter that lets few
//! rows pass makes the LIMIT reach far, and then another index and a sort win. What settings cut off is priced all
//! the same, as the rows are wanted.
//!
//! Where a query's conditions let few rows pass, a scan tests rows as it meets them ([`quals`](super::quals)) and looks for as many *matches* as it
//! otherwise looks for rows. So its first rows cost that much more, and so many rows of the table are read to be tested.

use crate::am::method::Method;
use crate::am::patience::Table;
use crate::am::quals::Share;
use kite_codecs::Spec;
use pgrx::pg_sys::{self, Cost, Relation, Selectivity};

/// Dearer than any other plan, `enable_seqscan = off` (1e10) included; finite, since the planner subtracts costs from each other.
const PRICED_OUT: Cost = 1e100;
/// Near rows share pages: of the pages that so many reads in random order would fetch, a search of a graph fetched 0.4 to 0.6 (20,000
/// rows of 16 dimensions, 40,000 of 384; with and without codes).
const SHARE_OF_PAGES: f64 = 0.5;
/// What such a page costs, as a share of `random_page_cost`: searches share many of an index's pages, which stay in the cache as those of
/// a b-tree above its leaves do.
const SHARE_OF_READ: f64 = 0.25;
/// What a page of the table costs that is read to test a row, likewise.
const SHARE_OF_TESTED: f64 = 0.5;
/// Processor time to fetch a row by its place and to test it, in units of `cpu_operator_cost`: about a microsecond.
const OPERATORS_PER_TEST: f64 = 130.0;
/// The most that a search's scattered reads cost, as a share of reading those pages from end to end: the pages of a small index stay in
/// the cache from search to search.
const SHARE_OF_SMALL: f64 = 0.25;

/// How an access method prices a scan.
pub(in crate::am) trait Priced: Method {
    /// Startup and total cost of a scan of all rows. An index that is only imagined is `None`.
    ///
    /// # Safety
    /// The index is open.
    unsafe fn price(index: Option<Relation>, scan: &Planned<'_>) -> (Cost, Cost);
}

/// What the planner knows of a scan of an index.
pub(in crate::am) struct Planned<'a> {
    /// Rows of the index.
    pub(in crate::am) rows: f64,
    /// Its pages.
    pub(in crate::am) pages: f64,
    /// `cpu_operator_cost`, which stands for 7.5 ns.
    pub(in crate::am) operator: Cost,
    /// `random_page_cost` of its table space.
    pub(in crate::am) random: Cost,
    /// `seq_page_cost` of its table space.
    pub(in crate::am) sequential: Cost,
    /// The share of rows that the planner expects to match.
    pub(in crate::am) share: Share,
    /// Rows that a LIMIT asks for; 0 where there is none, or something is between.
    pub(in crate::am) limit: usize,
    /// Whether another index may find the rows that match.
    pub(in crate::am) has_other: bool,
    /// Pages that so many reads in random order fetch, in view of the cache and of how often the plan repeats the scan.
    fetched: &'a dyn Fn(f64) -> f64,
    /// The same of the table's pages.
    tested: &'a dyn Fn(f64) -> f64,
    /// Pages of the table.
    table: f64,
    /// `cpu_tuple_cost`.
    tuple: Cost,
    /// What the query's conditions cost for a row.
    conditions: Cost,
}

impl Planned<'_> {
    /// What so many reads cost of near rows, which lie scattered over so many pages.
    pub(in crate::am) fn scattered(&self, reads: f64, pages: f64) -> Cost {
        let fetched = SHARE_OF_PAGES * (self.fetched)(reads);
        (fetched * self.random * SHARE_OF_READ).min(pages * self.sequential * SHARE_OF_SMALL)
    }

    /// What it costs to read so many rows of the table and to test them.
    pub(in crate::am) fn tests(&self, rows: f64) -> Cost {
        let pages = (self.tested)(rows) * self.random * SHARE_OF_TESTED;
        let pages = pages.min(self.table * self.sequential);
        pages + rows * (self.tuple + OPERATORS_PER_TEST * self.operator)
    }

    /// Tests of rows after which a scan of an index of such values turns to the table, if it may.
    pub(in crate::am) fn patience(&self, values: Option<&Spec>) -> f64 {
        Table::new(self.table, self.rows, values).patience(self.share)
    }

    /// What it costs to read the whole table and to test all rows (`cost_seqscan`).
    pub(in crate::am) fn whole_table(&self) -> Cost {
        self.table * self.sequential + self.rows * (self.tuple + self.conditions)
    }
}

/// Pages of a relation that so many reads fetch.
///
/// # Safety
/// `root` and `index` are what `amcostestimate` is given.
unsafe fn fetched(
    root: *mut pg_sys::PlannerInfo,
    index: *const pg_sys::IndexOptInfo,
    relation: pg_sys::BlockNumber,
    loops: f64,
    reads: f64,
) -> f64 {
    // SAFETY: by the caller's promise.
    unsafe {
        // In random order, in view of the cache; the function wants a page at least.
        let pages = f64::from((*index).pages);
        let fetched = pg_sys::index_pages_fetched((reads * loops).max(1.0), relation, pages, root);
        fetched.min(reads * loops) / loops
    }
}

/// The share of the index's rows that match. An index of a part of the table has only rows that match its own predicate.
///
/// # Safety
/// `path` is what `amcostestimate` is given: the planner has estimated its rows by then (`cost_index`).
unsafe fn share(path: *const pg_sys::IndexPath) -> Share {
    // SAFETY: by the caller's promise.
    let (rows, all) = unsafe { ((*path).path.rows, (*(*path).indexinfo).tuples.max(1.0)) };
    Share::new(rows.max(1.0) / all)
}

/// How many rows a LIMIT asks for, as far as the hook will know of it, too.
///
/// # Safety
/// `root` is what `amcostestimate` is given.
unsafe fn limit(root: *const pg_sys::PlannerInfo) -> usize {
    // SAFETY: by the caller's promise. -1 stands for no LIMIT.
    unsafe {
        let (rows, tables) = ((*root).limit_tuples, pg_sys::bms_num_members((*root).all_baserels));
        if tables == 1 && rows > 0.0 { rows as usize } else { 0 }
    }
}

/// Whether another index of the table begins with a column that a condition speaks of.
///
/// # Safety
/// `path` is what `amcostestimate` is given.
unsafe fn has_other(path: *const pg_sys::IndexPath) -> bool {
    // SAFETY: by the caller's promise: the planner's lists hold what their names say, and an index has a key at least.
    unsafe {
        let index = (*path).indexinfo;
        let table = (*index).rel;
        let mut columns = std::ptr::null_mut();
        for condition in pgrx::PgList::<pg_sys::RestrictInfo>::from_pg((*table).baserestrictinfo).iter_ptr() {
            pg_sys::pull_varattnos((*condition).clause.cast(), (*table).relid, &raw mut columns);
        }
        pgrx::PgList::<pg_sys::IndexOptInfo>::from_pg((*table).indexlist).iter_ptr().any(|other| {
            let first = *(*other).indexkeys;
            other != index
                && first != 0
                && (*other).amhasgetbitmap
                && pg_sys::bms_is_member(first - pg_sys::FirstLowInvalidHeapAttributeNumber, columns)
        })
    }
}

/// What pages of the index's table space cost in random order, and one after the other.
///
/// # Safety
/// `index` is the planner's description of an index.
unsafe fn page_costs(index: *const pg_sys::IndexOptInfo) -> (Cost, Cost) {
    let (mut random, mut sequential) = (0.0, 0.0);
    // SAFETY: by the caller's promise.
    unsafe {
        pg_sys::get_tablespace_page_costs((*index).reltablespace, &raw mut random, &raw mut sequential);
    }
    (random, sequential)
}

/// `amcostestimate`
///
/// # Safety
/// As Postgres calls it.
#[pgrx::pg_guard]
#[allow(clippy::too_many_arguments, reason = "Postgres's signature")]
pub(super) unsafe extern "C-unwind" fn estimate<M: Priced>(
    root: *mut pg_sys::PlannerInfo,
    path: *mut pg_sys::IndexPath,
    loop_count: f64,
    startup_cost: *mut Cost,
    total_cost: *mut Cost,
    selectivity: *mut Selectivity,
    correlation: *mut f64,
    pages: *mut f64,
) {
    // SAFETY: by the contract of `amcostestimate`: all pointers are valid, and the planner holds a lock on the index.
    unsafe {
        *correlation = 0.0;
        if pgrx::PgList::<pg_sys::Node>::from_pg((*path).indexorderbys).len() != 1 {
            price_out(path);
            (*startup_cost, *total_cost) = (PRICED_OUT, PRICED_OUT);
            (*selectivity, *pages) = (0.0, 0.0);
            return;
        }
        let mut generic = pg_sys::GenericCosts::default();
        pg_sys::genericcostestimate(root, path, loop_count, &raw mut generic);
        let index = (*path).indexinfo;
        let (table, loops) = ((*(*index).rel).pages, loop_count.max(1.0));
        let share = share(path);
        let scan = Planned {
            rows: (*index).tuples,
            pages: f64::from((*index).pages),
            operator: pg_sys::cpu_operator_cost,
            share,
            limit: limit(root),
            has_other: has_other(path),
            fetched: &|reads| fetched(root, index, (*index).pages, loops, reads),
            tested: &|reads| fetched(root, index, table, loops, reads),
            table: f64::from(table),
            tuple: pg_sys::cpu_tuple_cost,
            conditions: (*(*index).rel).baserestrictcost.per_tuple,
            random: page_costs(index).0,
            sequential: page_costs(index).1,
        };
        (*startup_cost, *total_cost) = opened(index, |index| M::price(index, &scan));
        (*selectivity, *pages) = (generic.indexSelectivity, generic.numIndexPages);
    }
}

/// Tells versions that count disabled nodes before they compare costs.
///
/// # Safety
/// `path` is valid.
#[cfg_attr(not(feature = "pg18"), allow(unused_variables, reason = "only PostgreSQL 18 has the field"))]
unsafe fn price_out(path: *mut pg_sys::IndexPath) {
    #[cfg(feature = "pg18")]
    // SAFETY: by the caller's promise. One more than a sequential scan has that is switched off.
    unsafe {
        (*path).path.disabled_nodes = 2;
    }
}

/// What is made of the index, which is open meanwhile. One that is only imagined cannot be opened.
///
/// # Safety
/// `info` is the planner's description of an index that it holds a lock on.
unsafe fn opened<T>(info: *const pg_sys::IndexOptInfo, make: impl FnOnce(Option<Relation>) -> T) -> T {
    // SAFETY: by the caller's promise.
    unsafe {
        if (*info).hypothetical {
            return make(None);
        }
        let index = pg_sys::index_open((*info).indexoid, pg_sys::NoLock as pg_sys::LOCKMODE);
        let made = make(Some(index));
        pg_sys::index_close(index, pg_sys::NoLock as pg_sys::LOCKMODE);
        made
    }
}
