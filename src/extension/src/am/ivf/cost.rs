//! What a search of lists costs: the startup is the first probes, which are read whole; a row more is a few payloads that are looked at,
//! and its share of the lists behind.
//!
//! Figures are those of the table in kite-ivf's README.

use super::Lists;
use super::scan::Probes;
use crate::am::cost::{Planned, Priced};
use crate::am::method::Method;
use crate::am::store::PgStore;
use kite_ivf::{Codes, Index, Payload, auto_lists};
use pgrx::pg_sys::{Cost, Relation};

/// Processor time in units of `cpu_operator_cost`: of a row that is scanned, and besides by its bytes; the same for a centroid.
const OPERATORS_PER_SCANNED: f64 = 2.5;
const OPERATORS_PER_BYTE: f64 = 0.011;
/// Payloads that are looked at for a row that is handed out, and what each takes besides its page.
const RANKED_PER_ROW: f64 = 2.5;
const OPERATORS_PER_RANKED: f64 = 70.0;

/// What the cost of a scan depends on.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    lists: f64,
    probes: f64,
    /// Bytes that are scanned of a row.
    bytes: f64,
    /// Bytes of a centroid.
    centroid: f64,
    /// Whether there are payloads beside what is scanned.
    ranks: bool,
}

impl<const FLAT: bool> Priced for Lists<FLAT> {
    unsafe fn price(index: Option<Relation>, scan: &Planned<'_>) -> (Cost, Cost) {
        // SAFETY: the caller's promise.
        let (options, lists) = index.map_or((None, None), |index| unsafe {
            let store = PgStore::new(index);
            (Self::resolve(index).ok(), Index::lists_in(&store).ok())
        });
        let asked = options.map(|options| options.lists).filter(|&lists| lists > 0);
        let lists = lists.or(asked).unwrap_or_else(|| auto_lists(scan.rows.max(0.0) as u64));
        let probes = Probes::of_method::<FLAT>().of(lists).min(lists);
        let sizes = Sizes {
            lists: lists.max(1) as f64,
            probes: probes.max(1) as f64,
            bytes: options.map_or(0.0, |options| options.scanned_bytes() as f64),
            centroid: options.map_or(0.0, |options| 4.0 * options.dims as f64),
            ranks: options
                .is_some_and(|options| options.payload != Payload::None && options.codes != Codes::None),
        };
        sizes.cost(scan)
    }
}

impl Sizes {
    /// Startup and total cost of a scan.
    fn cost(&self, scan: &Planned<'_>) -> (Cost, Cost) {
        let operators = |bytes: f64| (OPERATORS_PER_SCANNED + OPERATORS_PER_BYTE * bytes) * scan.operator;
        let pages = (scan.rows * self.bytes / f64::from(pgrx::pg_sys::BLCKSZ)).min(scan.pages);
        let list = scan.rows / self.lists * operators(self.bytes)
            + pages / self.lists * scan.sequential
            + scan.random;
        let startup = self.lists * operators(self.centroid) + self.probes * list;
        let ranked = if self.ranks {
            let reads = RANKED_PER_ROW * scan.rows;
            reads * OPERATORS_PER_RANKED * scan.operator + scan.scattered(reads, scan.pages - pages)
        } else {
            0.0
        };
        // Where few rows match they are tested as they are met, in the order of what codes say.
        let (mut tests, mut scattered) = (0.0, 0.0);
        if scan.share.is_few() {
            tests = scan.tests(scan.rows);
            // Those that a LIMIT is for meet a page each, at first; all of them together meet the same pages over and over.
            let few = (scan.limit as f64 / scan.share.sought()).min(scan.rows);
            scattered = (scan.tests(few) - few / scan.rows.max(1.0) * tests).max(0.0);
        }
        let startup = startup + scattered;
        (startup, startup + ranked + tests + (self.lists - self.probes).max(0.0) * list)
    }
}
