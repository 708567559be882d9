//! Searching lists.

use super::Lists;
use crate::am::error::Failure;
use crate::am::scan::{Asked, Distance, Row, Search, work_mem};
use crate::am::scans::Limit;
use crate::am::store::PgStore;
use crate::guc;
use kite_codecs::Value;
use kite_ivf::{Order, Scan, ScanOptions};
use kite_pages::ItemPointer;

/// How many lists a scan reads, by the settings of the session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probes {
    /// At first, and at a time; 0: [chosen](Probes::of).
    pub(crate) at_once: usize,
    /// In all, if the scan goes on.
    pub(crate) most: usize,
    /// What comes after the first ones.
    pub(crate) order: Order,
}

impl Probes {
    /// Those of an access method.
    pub(super) fn of_method<const FLAT: bool>() -> Self {
        if FLAT { guc::ivfflat() } else { guc::ivf() }
    }

    /// Lists that are read at first of so many. Where none are asked for it is three times the root of their number: the share of lists
    /// that is needed for a recall falls with their number. On real embeddings of text it is between 0.95 and 0.98 (1,800 rows in 43 lists,
    /// 61,440 in 250).
    pub(super) fn of(self, lists: usize) -> usize {
        match self.at_once {
            0 => (3.0 * (lists as f64).sqrt()).ceil().max(1.0) as usize,
            asked => asked,
        }
    }
}

impl<const FLAT: bool> Search for Lists<FLAT> {
    type Scan<'s> = Scan<'s, PgStore>;

    fn search<'s>(
        index: &mut Self::Index<'s>,
        query: Option<Value<'_>>,
        asked: Asked,
    ) -> Result<Self::Scan<'s>, Failure> {
        let settings = Probes::of_method::<FLAT>();
        let probes = settings.of(index.lists());
        let options = ScanOptions {
            probes,
            max_probes: settings.most.max(probes),
            order: settings.order,
            memory: work_mem(),
            within: asked.within,
            rows: asked.rows(),
            limit: asked.limit,
            ..ScanOptions::default()
        };
        Ok(index.scan(query, options)?)
    }

    fn next_row_if(
        scan: &mut Scan<'_, PgStore>,
        mut filter: impl FnMut(ItemPointer) -> Option<bool>,
    ) -> Result<Option<Row>, Failure> {
        let row = scan
            .next_row_if(|tid| filter(tid).ok_or(kite_ivf::Error::Build(kite_build::Error::Interrupted)))?;
        Ok(row.map(|row| Row { tid: row.tid, distance: row.distance.into() }))
    }

    fn ended_by(scan: &Scan<'_, PgStore>) -> Option<Limit> {
        let kite_ivf::Limit::Probes = scan.ended_by()?;
        Some(Limit::MaxProbes)
    }

    fn coming(scan: &Scan<'_, PgStore>, after: usize) -> Option<ItemPointer> {
        if after == 0 { scan.coming() } else { None }
    }

    fn until(scan: &Scan<'_, PgStore>, _: Limit) -> (String, &'static str) {
        let setting = if FLAT { "ivfflat.max_probes" } else { "kite.ivf_max_probes" };
        (format!("{} lists", scan.probed()), setting)
    }
}

impl From<kite_ivf::Distance> for Distance {
    fn from(distance: kite_ivf::Distance) -> Self {
        match distance {
            kite_ivf::Distance::Exact(value) => Self::Exact(value),
            kite_ivf::Distance::AtLeast(bound) => Self::AtLeast(bound),
            kite_ivf::Distance::Estimate(value) => Self::Estimate(value),
            kite_ivf::Distance::Unordered => Self::Unordered,
        }
    }
}
