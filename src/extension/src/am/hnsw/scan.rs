//! Searching a graph.

use super::Hnsw;
use crate::am::error::Failure;
use crate::am::quals::Share;
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
/// So many rows are looked for as set; of more a search looks for twice as many, and for four times as many of those beyond.
const FEW_ROWS: usize = 10;
/// How many times as many rows more it looks for where all that it finds would be refused, and a share of that where a share is.
const DEEPER: f64 = 2.0;
/// How many times as many matches it looks for where it looks for no other rows.
const DEEPER_OF_MATCHES: f64 = 1.5;

impl Search for Hnsw {
    type Scan<'s> = Scan<'s, PgStore>;

    fn search<'s>(
        index: &mut Self::Index<'s>,
        query: Option<Value<'_>>,
        asked: Asked,
    ) -> Result<Self::Scan<'s>, Failure> {
        let ef = ef_for(asked.limit, asked.share);
        let wanted = asked.rows();
        Ok(index.scan(query, ScanOptions { within: asked.within, ef, wanted, ..options() })?)
    }

    fn next_row_if(
        scan: &mut Scan<'_, PgStore>,
        mut filter: impl FnMut(ItemPointer) -> Option<bool>,
    ) -> Result<Option<Row>, Failure> {
        // Where nothing is to come after the first rows a filter leaves some of these, as in pgvector.
        let goes_on = scan.order() != Order::Off;
        let mut filter =
            |tid| if goes_on { filter(tid).ok_or(kite_hnsw::Error::Interrupted) } else { Ok(true) };
        let row = scan.next_row_if(&mut filter)?;
        Ok(row.map(|row| Row { tid: row.tid, distance: row.distance.into() }))
    }

    fn ended_by(scan: &Scan<'_, PgStore>) -> Option<Limit> {
        Some(match scan.ended_by()? {
            kite_hnsw::Limit::Visits => Limit::MaxScanTuples,
            kite_hnsw::Limit::Memory => Limit::Memory,
        })
    }

    fn sought(asked: &Asked) -> Option<usize> {
        (guc::iterative_scan() != Order::Off).then(|| ef_for(asked.limit, asked.share).max(asked.limit))
    }

    fn keeps_order(scan: &Scan<'_, PgStore>) -> bool {
        scan.order() == Order::Strict
    }

    fn coming(scan: &Scan<'_, PgStore>, after: usize) -> Option<ItemPointer> {
        scan.coming(after)
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

/// How many rows a search looks for at once, of which it hands out this share, for so many that are wanted: `hnsw.ef_search` that match,
/// and where a scan may go on more than it will be asked for, since going on costs more than beginning wider: up to four times as many for
/// many, as 40 are for ten. Of a million vectors of 128 dimensions 100 rows took 1,187 pages by 200 with
/// recall 0.94, 1,051 by 250, and 1,492 by 400 with 0.97.
///
/// Where not all match, the nearest that do are the nearest of more, which a search finds less well: so more of them.
pub(super) fn ef_for(limit: usize, share: Share) -> usize {
    let ef = guc::ef_search();
    if guc::iterative_scan() == Order::Off {
        return ef;
    }
    let deeper = if share.is_few() { DEEPER_OF_MATCHES } else { 1.0 + DEEPER * (1.0 - share.kept()) };
    let found = |rows: f64| (rows / share.kept()) as usize;
    let most = MOST_FOR_LIMIT.min(guc::max_scan_tuples());
    let begins_wider = found(2.0 * limit as f64) <= most;
    let wide = match limit {
        _ if !begins_wider => 0,
        ..=FEW_ROWS => limit,
        _ => 4 * limit - 2 * FEW_ROWS,
    };
    // What is found for a LIMIT is wide already.
    let wider = (1.0 + deeper) / 2.0;
    found((deeper * ef as f64).max(wider * wide as f64)).min(most).max(ef)
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
