//! What is searched: data sets from files and from a seed, exact answers, and recall.
//!
//! A [`Source`] is what a command line says of a data set, and [`Source::open`] makes a [`Dataset`] of it: rows that are read by
//! blocks, and queries in memory. Rows are kept in memory where they fit, so that nothing is made or converted twice; larger
//! sets stay where they are.

mod attributes;
mod flat;
mod generator;
mod hash;
mod hdf5;
mod memory;
mod nearest;
mod npy;
mod order;
mod parallel;
mod recall;
mod source;
mod store;
mod truth;
mod vecs;

pub(crate) use attributes::{Attributes, Correlation, Filter};
pub(crate) use nearest::Neighbour;
pub(crate) use source::Source;
pub(crate) use truth::Truth;

use crate::metric::Metric;
use anyhow::{Context, Result, ensure};
use hash::Hash;
use std::fmt::Debug;
use std::ops::Range;
use std::path::Path;

/// Values that are read at a time: 1 MiB of them.
const BLOCK: usize = 1 << 18;

/// Rows of one length that can be read from any place, by several threads at once.
trait Rows: Debug + Send + Sync {
    fn dims(&self) -> usize;

    fn len(&self) -> usize;

    /// Fills `out`, whose length is a multiple of the dimensions, with the rows from `first` on. All of them exist.
    fn read(&self, first: usize, out: &mut [f32]) -> Result<()>;

    /// Adds what tells these rows from others.
    fn identify(&self, hash: &mut Hash) -> Result<()>;
}

/// Rows to be searched, and queries to search with that are none of them.
#[derive(Debug)]
pub(crate) struct Dataset {
    name: String,
    metric: Metric,
    rows: Box<dyn Rows>,
    /// The rows that count: the first so many.
    len: usize,
    queries: Vec<f32>,
    fingerprint: String,
}

impl Dataset {
    /// The first `len` rows, in memory if there is room.
    fn new(name: String, metric: Metric, rows: Box<dyn Rows>, len: usize, queries: Vec<f32>) -> Result<Self> {
        let dims = rows.dims();
        ensure!(dims > 0 && len > 0, "{name} holds no rows");
        ensure!(len <= rows.len(), "{name} holds {} rows instead of {len}", rows.len());
        ensure!(len < u32::MAX as usize, "{name}: at most {} rows can be numbered", u32::MAX - 1);
        ensure!(!queries.is_empty() && queries.len().is_multiple_of(dims), "{name} holds no queries");
        let mut hash = Hash::default();
        hash.text(&name).number(dims as u64).number(len as u64).floats(&queries);
        rows.identify(&mut hash).with_context(|| format!("cannot tell what {name} holds"))?;
        let rows = memory::kept(rows, len).with_context(|| format!("cannot read {name}"))?;
        Ok(Self { name, metric, rows, len, queries, fingerprint: hash.hex() })
    }

    /// Generated rows and queries: the same for the same numbers.
    pub(crate) fn generate(rows: usize, queries: usize, dims: usize, seed: u64) -> Result<Self> {
        Source::generated(rows, queries, dims, seed).open()
    }

    /// What the data set is called in results: the [`Source`] that it was opened with.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The metric that the data set is meant for.
    pub(crate) fn metric(&self) -> Metric {
        self.metric
    }

    pub(crate) fn dims(&self) -> usize {
        self.rows.dims()
    }

    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn queries(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.queries.chunks_exact(self.dims())
    }

    /// The n-th query, from 0; panics if there are fewer.
    pub(crate) fn query(&self, n: usize) -> &[f32] {
        &self.queries[n * self.dims()..][..self.dims()]
    }

    /// Reads consecutive rows, as many as fit into `out`, whose length must be a multiple of the dimensions.
    pub(crate) fn read(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let (dims, len) = (self.dims(), self.len);
        ensure!(out.len().is_multiple_of(dims), "{} values are no whole rows of {dims}", out.len());
        let end = first + out.len() / dims;
        ensure!(end <= len, "{} has no row {}, only {len}", self.name, end - 1);
        self.rows.read(first, out).with_context(|| format!("cannot read {}", self.name))
    }

    /// Runs `f` with the number and the values of each row, in order, holding one block of them in memory.
    pub(crate) fn for_each_row(
        &self,
        range: Range<usize>,
        mut f: impl FnMut(usize, &[f32]) -> Result<()>,
    ) -> Result<()> {
        let rows = self.rows_per_block();
        let mut block = Vec::new();
        for first in range.clone().step_by(rows) {
            block.resize(rows.min(range.end - first) * self.dims(), 0.0);
            self.read(first, &mut block)?;
            for (n, row) in block.chunks_exact(self.dims()).enumerate() {
                f(first + n, row)?;
            }
        }
        Ok(())
    }

    /// The exact distance of a row from a query, in double precision; an error if there is no such row.
    pub(crate) fn distance(&self, metric: Metric, query: usize, id: i64) -> Result<f64> {
        let row = usize::try_from(id).ok().filter(|&row| row < self.len);
        let row = row.with_context(|| format!("{} has no row {id}", self.name))?;
        let mut values = vec![0.0; self.dims()];
        self.read(row, &mut values)?;
        Ok(metric.exact(&widen(self.query(query)), &widen(&values)))
    }

    /// Names the contents: another text for other rows or queries.
    pub(crate) fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    /// Writes the rows as `.npy` of single precision, unless the file holds them already.
    pub(crate) fn write_npy(&self, path: &Path) -> Result<()> {
        npy::write(path, &self.fingerprint, self.len, self.dims(), |write| {
            self.for_each_row(0..self.len, |_, row| write(row))
        })
    }

    /// Writes the queries as `.npy` of single precision, unless the file holds them already.
    pub(crate) fn write_queries_npy(&self, path: &Path) -> Result<()> {
        npy::write(path, &self.fingerprint, self.queries().len(), self.dims(), |write| write(&self.queries))
    }

    fn rows_per_block(&self) -> usize {
        (BLOCK / self.dims()).max(1)
    }
}

/// Exact widening of all values.
fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}
