//! What a search of a graph costs: the startup is the search for the first `hnsw.ef_search` rows.
//!
//! Figures are those of benches/RESULTS-graph.md: a search with codes expands 1.4 vertices per row of `ef` and some on its way down,
//! one page read each; without codes it reads those neighbours, too, that it has not met before.

use super::Hnsw;
use super::scan::ef_for;
use crate::am::cost::{Planned, Priced};
use crate::am::method::Method;
use crate::guc;
use kite_hnsw::Order;
use pgrx::pg_sys::{self, Cost, Relation};

/// Vertices that are expanded for a row.
const EXPANDED_PER_ROW: f64 = 1.4;
/// Vertices that are read where there are no codes, for each that is expanded, as a share of m.
const READ_PER_EXPANDED: f64 = 0.5;
/// Processor time in units of `cpu_operator_cost`, which stands for 7.5 ns: of a vertex that is expanded by codes (the page look-up,
/// the estimates of its list, the distance), besides a share by its bytes; and of one that is only read.
const OPERATORS_PER_EXPANDED: f64 = 115.0;
const OPERATORS_PER_BYTE: f64 = 1.0 / 23.0;
const OPERATORS_PER_READ: f64 = 70.0;
/// What a search costs that may turn to the table, at most, as a multiple of reading the whole table.
const HOPED: f64 = 0.9;
/// The same of one that its budget will end.
const ENDED: f64 = 2.0;

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

impl Priced for Hnsw {
    unsafe fn price(index: Option<Relation>, scan: &Planned<'_>) -> (Cost, Cost) {
        let mut graph = Graph { rows: scan.rows, pages: scan.pages, m: 16.0, has_codes: true };
        // SAFETY: the caller's promise.
        let options = index.and_then(|index| unsafe { Self::resolve(index) }.ok());
        if let Some(options) = &options {
            graph.m = options.m as f64;
            graph.has_codes = options.spec.code_bits > 0;
        }
        let patience = scan.patience(options.as_ref().map(|options| &options.spec));
        cost(&graph, patience, ef_for(scan.limit, scan.share) as f64, guc::max_scan_tuples() as f64, scan)
    }
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

    /// Of as many rows, each of which is tested: those that a search has met are what it has expanded.
    fn tested(&self, rows: f64) -> Visits {
        self.visits(rows.min(self.rows))
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

/// Startup and total cost of a scan.
fn cost(graph: &Graph, patience: f64, ef: f64, furthest: f64, scan: &Planned<'_>) -> (Cost, Cost) {
    let operator = scan.operator;
    let of = |visits: Visits| graph.operators(visits) * operator + scan.scattered(visits.read, graph.pages);
    // The upper levels are small and every search reads them: they are in the cache.
    let far = furthest.clamp(1.0, graph.rows.max(1.0));
    let descent = graph.operators(graph.descent()) * operator;
    let sought = scan.share.sought();
    let tests_rows = scan.share.is_few() && guc::iterative_scan() != Order::Off;
    let met = if tests_rows { (ef / sought).min(far).max(ef) } else { ef };
    let tests = if tests_rows { scan.tests(met) } else { 0.0 };
    let search = if tests_rows { graph.tested(met) } else { graph.beam(met) };
    let startup = descent + of(search) + tests;
    // A row's share of what a scan reads that goes as far as it may.
    let per_row = of(graph.beam(far)) / far;
    let total = startup + per_row * (graph.rows - ef).max(0.0);
    // The planner adds a LIMIT's share of the rest, and of the table's rows, though the first search finds what the LIMIT is for and
    // has tested it: that much is taken off beforehand.
    let found = (scan.limit as f64 / scan.share.kept() / sought).min(met);
    let twice = per_row * found + tests * found / met.max(1.0);
    let mut first = startup - twice;
    if tests_rows && patience < furthest {
        // It turns to the table when its patience is at an end. Then it has cost a share more than reading the table at once; but if those near
        // the query match it costs a fraction, and nothing says beforehand which it will be. Where another index finds them there is a better choice.
        if scan.limit > 0 && !scan.has_other {
            first = first.min(HOPED * scan.whole_table() - twice);
        }
    } else if tests_rows && graph.beam(ef / sought).expanded > furthest {
        // Its budget will end it before it has found what it looks for, so that it gives too few rows, or wrong ones. Whatever has all of them is
        // the better plan; among those that are switched off the index still wins.
        first = first.max(ENDED * scan.whole_table());
    }
    let first = first.max(descent);
    (first, total.max(first))
}
