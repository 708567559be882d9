//! What the planner is told of a scan.
//!
//! Rows come in order, and each further one costs about as much as the one before. So the cost of a scan has two parts: the
//! startup cost is a search for the first `hnsw.ef_search` rows, and the rest, up to all rows of the table, is at the price of a
//! row that a scan finds as it goes on. A LIMIT takes its share of that, as the planner does for every path; a filter that lets few
//! rows pass makes the LIMIT reach far, and then another index and a sort win. What `hnsw.iterative_scan = off` cuts off is priced all
//! the same, as the rows are wanted.
//!
//! Figures are those of benches/RESULTS-graph.md: a search with codes expands 1.4 vertices per row of `ef` and some on its way down,
//! one page read each; without codes it reads those neighbours, too, that it has not met before.

use super::options;
use crate::guc;
use pgrx::pg_sys::{self, Cost, Selectivity};

/// Dearer than any other plan, `enable_seqscan = off` (1e10) included; finite, since the planner subtracts costs from each other.
const PRICED_OUT: Cost = 1e100;

/// Vertices that are expanded for a row.
const EXPANDED_PER_ROW: f64 = 1.4;
/// Vertices that are read where there are no codes, for each that is expanded, as a share of m.
const READ_PER_EXPANDED: f64 = 0.5;
/// Processor time in units of `cpu_operator_cost`, which stands for 7.5 ns: of a vertex that is expanded by codes (the page look-up,
/// the estimates of its list, the distance), besides a share by its bytes; and of one that is only read.
const OPERATORS_PER_EXPANDED: f64 = 115.0;
const OPERATORS_PER_BYTE: f64 = 1.0 / 23.0;
const OPERATORS_PER_READ: f64 = 70.0;
/// Near vertices share pages: of the pages that so many reads in random order would fetch, a search fetched 0.4 to 0.6 (20,000 rows
/// of 16 dimensions, 40,000 of 384; with and without codes).
const SHARE_OF_PAGES: f64 = 0.5;
/// The most that a search costs, as a share of reading the index from end to end: the pages of a small one stay in the cache from
/// search to search.
const SHARE_OF_SMALL: f64 = 0.25;

/// What the cost of a scan depends on.
#[derive(Debug, Clone, Copy)]
struct Graph {
    rows: f64,
    pages: f64,
    m: f64,
    has_codes: bool,
}

/// Vertices that a scan looks at.
#[derive(Debug, Clone, Copy)]
struct Visits {
    expanded: f64,
    /// Pages that are read, the same ones again included.
    read: f64,
}

impl Graph {
    /// Of the way down to the lowest level.
    fn descent(&self) -> Visits {
        self.visits(2.0 * self.rows.max(1.0).ln())
    }

    /// Of as many rows, on the lowest level.
    fn beam(&self, rows: f64) -> Visits {
        self.visits(EXPANDED_PER_ROW * rows.min(self.rows))
    }

    fn visits(&self, expanded: f64) -> Visits {
        let read = if self.has_codes { 1.0 } else { (READ_PER_EXPANDED * self.m).max(1.0) };
        // There are no more vertices than rows, and each is read once.
        Visits { expanded, read: (expanded * read).min(self.rows).max(expanded) }
    }

    /// Processor time, in units of `cpu_operator_cost`.
    fn operators(&self, visits: Visits) -> f64 {
        if self.has_codes {
            let bytes = self.pages * f64::from(pg_sys::BLCKSZ) / self.rows.max(1.0);
            visits.expanded * (OPERATORS_PER_EXPANDED + OPERATORS_PER_BYTE * bytes)
        } else {
            visits.read * OPERATORS_PER_READ
        }
    }
}

/// Startup and total cost of a scan, of an operator at this price. `fetch` answers what so many page reads cost.
fn cost(graph: &Graph, ef: f64, furthest: f64, operator: Cost, fetch: impl Fn(f64) -> Cost) -> (Cost, Cost) {
    let of = |visits: Visits| graph.operators(visits) * operator + fetch(visits.read);
    // The upper levels are small and every search reads them: they are in the cache.
    let startup = graph.operators(graph.descent()) * operator + of(graph.beam(ef));
    // A row's share of what a scan reads that goes as far as it may.
    let far = furthest.clamp(1.0, graph.rows.max(1.0));
    let per_row = of(graph.beam(far)) / far;
    (startup, startup + per_row * (graph.rows - ef).max(0.0))
}

/// What page reads of one scan cost, of as many scans as the plan repeats it.
///
/// # Safety
/// `root` and `index` are what `amcostestimate` is given.
unsafe fn fetch(
    root: *mut pg_sys::PlannerInfo,
    index: *const pg_sys::IndexOptInfo,
    loops: f64,
    reads: f64,
) -> Cost {
    let (mut random, mut sequential) = (0.0, 0.0);
    // SAFETY: by the caller's promise.
    unsafe {
        pg_sys::get_tablespace_page_costs((*index).reltablespace, &raw mut random, &raw mut sequential);
        let pages = f64::from((*index).pages);
        // In random order, in view of the cache; the function wants a page at least.
        let fetched = pg_sys::index_pages_fetched((reads * loops).max(1.0), (*index).pages, pages, root);
        let fetched = SHARE_OF_PAGES * fetched.min(reads * loops) / loops;
        (fetched * random).min(pages * sequential * SHARE_OF_SMALL)
    }
}

/// `amcostestimate`
///
/// # Safety
/// As Postgres calls it.
#[pgrx::pg_guard]
#[allow(clippy::too_many_arguments, reason = "Postgres's signature")]
pub(super) unsafe extern "C-unwind" fn estimate(
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
        let graph = graph(index);
        let (ef, furthest) = (guc::ef_search() as f64, guc::max_scan_tuples() as f64);
        let fetch = |reads| fetch(root, index, loop_count.max(1.0), reads);
        (*startup_cost, *total_cost) = cost(&graph, ef, furthest, pg_sys::cpu_operator_cost, fetch);
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

/// # Safety
/// `info` is the planner's description of an index of ours that it holds a lock on.
unsafe fn graph(info: *const pg_sys::IndexOptInfo) -> Graph {
    // SAFETY: by the caller's promise. An index that is only imagined cannot be opened.
    unsafe {
        let mut graph =
            Graph { rows: (*info).tuples, pages: f64::from((*info).pages), m: 16.0, has_codes: true };
        if !(*info).hypothetical {
            let index = pg_sys::index_open((*info).indexoid, pg_sys::NoLock as pg_sys::LOCKMODE);
            if let Ok(options) = options::resolve(index) {
                graph.m = options.m as f64;
                graph.has_codes = options.spec.code_bits > 0;
            }
            pg_sys::index_close(index, pg_sys::NoLock as pg_sys::LOCKMODE);
        }
        graph
    }
}
