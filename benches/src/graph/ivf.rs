//! The lists on the pages of kite-ivf, searched as the extension is to search them, and the recheck behind it.

use super::kite::{row, tid};
use super::layout::{Fetches, Layout};
use super::link::{Building, Watch, spec};
use super::recheck::{pages_of_row, reorder};
use super::set::Set;
use anyhow::{Result, bail};
use kite_codecs::{PayloadKind, Value};
use kite_ivf::{Builder, Codes, Distance, Index, Options, Payload, Resources, Row, ScanOptions, TempFiles};
use kite_pages::{MemStore, PAGE_SIZE, PageStore};
use std::fmt;

/// What distinguishes one index from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) lists: usize,
    pub(super) codes: Codes,
    pub(super) payload: Payload,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = match self.payload {
            Payload::Full => "full",
            Payload::Half => "half",
            Payload::Sq8 => "sq8",
            Payload::None => "none",
        };
        write!(f, "ivf,lists={},codes=", self.lists)?;
        match self.codes {
            Codes::None => write!(f, "none")?,
            Codes::Sq8 => write!(f, "sq8")?,
            Codes::RabitQ { bits } => write!(f, "rabitq{bits}")?,
            Codes::Pq { parts: 0, bits } => write!(f, "pq{bits}")?,
            Codes::Pq { parts, bits } => write!(f, "pq{parts}x{bits}")?,
        }
        write!(f, ",payload={payload}")
    }
}

impl Kind {
    /// Builds an index over all rows in an empty store.
    pub(super) fn build(
        self,
        set: &Set<'_>,
        building: &Building,
        memory: usize,
        store: &MemStore,
    ) -> Result<()> {
        let Self { lists, codes, payload } = self;
        let spec = spec(set, PayloadKind::Full, 0);
        let (vector_type, metric, dims) = (spec.vector_type, spec.metric, spec.dims);
        let options = Options { vector_type, metric, dims, lists, codes, payload, seed: 7 };
        let resources = Resources { threads: building.threads, memory };
        let host = Watch::new("building the lists", set.rows.len());
        let mut builder = Builder::new(&options, resources, TempFiles::default())?;
        for row in 0..set.rows.len() {
            builder.push(tid(row), Value::F32(set.rows.get(row)))?;
        }
        builder.finish(store, &host)?;
        Ok(())
    }
}

/// An open index.
pub(super) struct Ivf<'a> {
    set: &'a Set<'a>,
    store: &'a MemStore,
    index: Index<'a, MemStore>,
    /// In hundredths.
    epsilon: u32,
    pages_of_row: u64,
}

impl<'a> Ivf<'a> {
    pub(super) fn open(set: &'a Set<'a>, store: &'a MemStore, epsilon: u32) -> Result<Self> {
        let pages_of_row = pages_of_row(set.rows.dims);
        Ok(Self { set, store, index: Index::open(store)?, epsilon, pages_of_row })
    }
}

impl Layout for Ivf<'_> {
    /// `ef` is how many lists are read.
    fn search(&mut self, query: usize, ef: usize, found: &mut Vec<i64>) -> Result<Fetches> {
        let Set { k, ranking, rows, queries, .. } = self.set;
        let values = queries.get(query);
        let epsilon = self.epsilon as f32 / 100.0;
        let options = ScanOptions { probes: ef, epsilon, ..ScanOptions::default() };
        let mut scan = self.index.scan(Some(Value::F32(values)), options)?;
        let mut next = || -> Result<Option<(i64, f64)>> {
            let Some(Row { tid, distance }) = scan.next_row()? else { return Ok(None) };
            match distance {
                Distance::AtLeast(distance) | Distance::Exact(distance) | Distance::Estimate(distance) => {
                    Ok(Some((row(tid), distance)))
                }
                Distance::Unordered => bail!("query {query} orders nothing"),
            }
        };
        let has_bounds = self.index.options().payload != Payload::None && !self.index.scorer().is_lossless();
        if !has_bounds {
            while found.len() < *k
                && let Some((row, _)) = next()?
            {
                found.push(row);
            }
            return Ok(Fetches::default());
        }
        let exact = |row: i64| Ok(ranking.operator(values, rows.get(usize::try_from(row)?)));
        reorder(*k, next, exact, self.pages_of_row, found)
    }

    fn take_reads(&self) -> u64 {
        self.store.take_reads().pins
    }

    fn bytes(&self) -> u64 {
        u64::from(self.store.len()) * PAGE_SIZE as u64
    }
}
