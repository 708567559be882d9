//! Searching a graph.

use super::Hnsw;
use crate::am::error::Failure;
use crate::am::scan::{Asked, Distance, Row, Search, work_mem};
use crate::am::scans::Limit;
use crate::am::store::PgStore;
use crate::guc;
use kite_codecs::Value;
use kite_hnsw::{Order, Scan, ScanOptions};
use kite_pages::ItemPointer;

/// What is looked for at once for the sake of a LIMIT, at most: the highest `hnsw.ef_search`. A scan that has to go on all the same begins as it is
/// set to: of what it finds first it hands out half before it knows how far bounds are off, so that strict order would lose more.
const MOST_FOR_LIMIT: usize = 1000;

impl Search for Hnsw {
    type Scan<'s> = Scan<'s, PgStore>;

    fn search<'s>(
        index: &mut Self::Index<'s>,
        query: Option<Value<'_>>,
        asked: Asked,
    ) -> Result<Self::Scan<'s>, Failure> {
        let ef = ef_for(asked.rows);
        // A condition may refuse what is found, so that more is asked for.
        let wanted = if asked.rows == asked.limit { asked.limit } else { 0 };
        Ok(index.scan(query, ScanOptions { within: asked.within, ef, wanted, ..options() })?)
    }

    fn next_row_if(
        scan: &mut Scan<'_, PgStore>,
        mut filter: impl FnMut(ItemPointer) -> bool,
    ) -> Result<Option<Row>, Failure> {
        // Where nothing is to come after the first rows a filter leaves some of these, as in pgvector.
        let goes_on = scan.order() != Order::Off;
        let row = scan.next_row_if(|tid| Ok(!goes_on || filter(tid)))?;
        Ok(row.map(|row| Row { tid: row.tid, distance: row.distance.into() }))
    }

    fn ended_by(scan: &Scan<'_, PgStore>) -> Option<Limit> {
        Some(match scan.ended_by()? {
            kite_hnsw::Limit::Visits => Limit::MaxScanTuples,
            kite_hnsw::Limit::Memory => Limit::Memory,
        })
    }

    fn until(scan: &Scan<'_, PgStore>, limit: Limit) -> (String, &'static str) {
        let setting = match limit {
            Limit::Memory => "hnsw.scan_mem_multiplier or work_mem",
            _ => "hnsw.max_scan_tuples",
        };
        (format!("{} vertices", scan.visits()), setting)
    }
}

impl From<kite_hnsw::Distance> for Distance {
    fn from(distance: kite_hnsw::Distance) -> Self {
        match distance {
            kite_hnsw::Distance::Exact(value) => Self::Exact(value),
            kite_hnsw::Distance::AtLeast(bound) => Self::AtLeast(bound),
            kite_hnsw::Distance::Unordered => Self::Unordered,
        }
    }
}

/// How many rows a search looks for at once: `hnsw.ef_search`, and where a scan may go on no fewer than twice as many as it will be asked for.
///
/// Up to half of what was found is held back for the search that goes on, and going on costs more than beginning wider: of 20,000 vectors of
/// the real set 100 rows took 972 pages and 2.0 ms by 40 or 166, 456 pages and 0.8 ms by 200.
pub(super) fn ef_for(rows: usize) -> usize {
    let ef = guc::ef_search();
    match guc::iterative_scan() {
        Order::Off => ef,
        Order::Strict | Order::Relaxed => {
            let (wide, most) = (rows.saturating_mul(2), MOST_FOR_LIMIT.min(guc::max_scan_tuples()));
            if wide <= most { ef.max(wide) } else { ef }
        }
    }
}

/// How far a scan goes by the settings of the session.
fn options() -> ScanOptions {
    ScanOptions {
        order: guc::iterative_scan(),
        max_visits: guc::max_scan_tuples(),
        memory: (work_mem() as f64 * guc::scan_mem_multiplier()) as usize,
        ..ScanOptions::default()
    }
}
