//! Indexes of kite-hnsw over rows of a set.

use super::kite::tid;
use super::layout::Way;
use super::link::{Building, Watch, spec};
use super::set::Set;
use anyhow::{Result, bail};
use kite_codecs::{PayloadKind, Value};
use kite_hnsw::{Builder, Built, Options, Resources, TempFiles};
use kite_pages::MemStore;
use std::ops::Range;

/// More than there is: a build within memory.
pub(super) const AMPLE: usize = 1 << 40;

/// What distinguishes one index over a set from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) payload: PayloadKind,
    /// Bits per dimension.
    pub(super) codes: u8,
}

impl Kind {
    /// That of a layout, and how many vertices it expands together.
    pub(super) fn of(way: Way) -> Result<(Self, usize)> {
        match way {
            Way::Kite { payload, codes, width } => Ok((Self { payload, codes }, width)),
            other => bail!("{other} is no index of kite-hnsw"),
        }
    }

    pub(super) fn options(self, set: &Set<'_>, building: &Building) -> Options {
        let spec = spec(set, self.payload, self.codes);
        let parameters = building.parameters(&spec);
        Options { spec, m: parameters.m, ef_construction: parameters.ef_construction, seed: parameters.seed }
    }

    /// Builds an index over some of the rows in an empty store, with so much memory.
    pub(super) fn build(
        self,
        set: &Set<'_>,
        rows: Range<usize>,
        building: &Building,
        memory: usize,
        store: &MemStore,
    ) -> Result<Built> {
        let resources = Resources { threads: building.threads, memory };
        let host = Watch::new("building the index", rows.len());
        let mut builder = Builder::new(&self.options(set, building), resources, TempFiles::default())?;
        for row in rows {
            builder.push(tid(row), Value::F32(set.rows.get(row)))?;
        }
        Ok(builder.finish(store, &host)?)
    }
}
