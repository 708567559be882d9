//! Searching a graph.

use super::Hnsw;
use crate::am::error::Failure;
use crate::am::scan::{Distance, Row, Search, work_mem};
use crate::am::scans::Limit;
use crate::am::store::PgStore;
use crate::guc;
use kite_codecs::Value;
use kite_hnsw::{Order, Scan, ScanOptions};
use kite_pages::ItemPointer;

impl Search for Hnsw {
    type Scan<'s> = Scan<'s, PgStore>;

    fn search<'s>(
        index: &mut Self::Index<'s>,
        query: Option<Value<'_>>,
        within: f64,
    ) -> Result<Self::Scan<'s>, Failure> {
        Ok(index.scan(query, ScanOptions { within, ..options() })?)
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

/// How far a scan goes by the settings of the session.
fn options() -> ScanOptions {
    ScanOptions {
        ef: guc::ef_search(),
        order: guc::iterative_scan(),
        max_visits: guc::max_scan_tuples(),
        memory: (work_mem() as f64 * guc::scan_mem_multiplier()) as usize,
        ..ScanOptions::default()
    }
}
