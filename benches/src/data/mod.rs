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
mod search;
mod shape;
mod source;
mod sparse;
mod store;
mod truth;
mod typed;
mod vecs;

pub(crate) use attributes::{Attributes, Correlation, Filter};
pub(crate) use source::Source;
pub(crate) use truth::Truth;

use crate::metric::{Column, Element, Metric};
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
    element: Element,
    metric: Metric,
    rows: Box<dyn Rows>,
    /// The rows that count: the first so many.
    len: usize,
    queries: Vec<f32>,
    fingerprint: String,
}

impl Dataset {
    /// The first `len` rows, in memory if there is room.
    fn new(
        name: String,
        (element, metric): (Element, Metric),
        rows: Box<dyn Rows>,
        len: usize,
        queries: Vec<f32>,
    ) -> Result<Self> {
        let dims = rows.dims();
        ensure!(dims > 0 && len > 0, "{name} holds no rows");
        ensure!(len <= rows.len(), "{name} holds {} rows instead of {len}", rows.len());
        ensure!(len < u32::MAX as usize, "{name}: at most {} rows can be numbered", u32::MAX - 1);
        ensure!(!queries.is_empty() && queries.len().is_multiple_of(dims), "{name} holds no queries");
        let mut hash = Hash::default();
        hash.text(&name).number(dims as u64).number(len as u64).floats(&queries);
        rows.identify(&mut hash).with_context(|| format!("cannot tell what {name} holds"))?;
        let rows = memory::kept(rows, len).with_context(|| format!("cannot read {name}"))?;
        Ok(Self { name, element, metric, rows, len, queries, fingerprint: hash.hex() })
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

    /// The type of the column that the rows are meant for, whose values they have.
    pub(crate) fn element(&self) -> Element {
        self.element
    }

    pub(crate) fn dims(&self) -> usize {
        self.rows.dims()
    }

    /// What a table has to hold the rows, and what it is searched by.
    pub(crate) fn column(&self) -> Column {
        Column { element: self.element, dims: self.dims(), metric: self.metric }
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

#[cfg(test)]
mod tests {
    use super::generator::Generator;
    use super::*;

    /// Rows and queries as they are given, and no more than that.
    pub(super) fn of(rows: Box<dyn Rows>, queries: Vec<f32>, metric: Metric) -> Dataset {
        let (len, fingerprint) = (rows.len(), "test".into());
        Dataset { name: "test".into(), element: Element::Vector, metric, rows, len, queries, fingerprint }
    }

    pub(super) fn by_hand(dims: usize, rows: Vec<f32>, queries: Vec<f32>, metric: Metric) -> Dataset {
        of(Box::new(memory::Memory { dims, values: rows }), queries, metric)
    }

    #[test]
    fn rows_are_the_same_in_memory_and_where_they_are() {
        // More than a block.
        let (rows, dims) = (9000, 33);
        let kept = Dataset::generate(rows, 2, dims, 5).unwrap();
        let made = of(Box::new(Generator::new(rows, dims, 5).unwrap()), vec![0.0; dims], Metric::Cosine);
        let mut all = Vec::new();
        made.for_each_row(0..rows, |n, row| {
            ensure!(n == all.len() / dims, "out of order");
            all.extend_from_slice(row);
            Ok(())
        })
        .unwrap();
        kept.for_each_row(7990..8010, |n, row| {
            assert_eq!(row, &all[n * dims..][..dims]);
            Ok(())
        })
        .unwrap();
        let mut some = vec![0.0; 3 * dims];
        kept.read(rows - 3, &mut some).unwrap();
        assert_eq!(some, all[all.len() - some.len()..]);
        for (first, length) in [(rows - 2, 3 * dims), (0, dims + 1)] {
            assert!(kept.read(first, &mut vec![0.0; length]).is_err());
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.npy");
        made.write_npy(&path).unwrap();
        let file = npy::open(&path).unwrap();
        let mut read = vec![0.0; rows * dims];
        file.read(0, &mut read).unwrap();
        assert!(read == all);
    }

    #[test]
    fn fingerprints_tell_data_apart() {
        let of = |text: &str| text.parse::<Source>().unwrap().open().unwrap().fingerprint();
        assert_eq!(of("generated:50x4"), of("generated:50x4,seed=1"));
        let texts = ["generated:50x4", "generated:51x4", "generated:50x5", "generated:50x4,seed=2"];
        let more = ["generated:50x4,queries=3", "generated:50x4,rows=49", "generated:50x4,metric=l2"];
        let mut all: Vec<String> = texts.iter().chain(&more).map(|text| of(text)).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 7);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let mut values = vec![1.0; 200];
        let mut put = |place: usize| {
            values[place] += 1.0;
            npy::write(&path, &format!("{place}"), 100, 2, |write| write(&values)).unwrap();
            of(&format!("{},queries=10", path.display()))
        };
        assert_ne!(put(0), put(199));
    }

    #[test]
    fn distances_are_those_of_the_values() {
        let data = by_hand(2, vec![3.0, 0.0, 0.0, 4.0], vec![0.0, 1.0], Metric::L2);
        assert_eq!(data.distance(Metric::L2, 0, 1).unwrap(), 3.0);
        assert_eq!(data.distance(Metric::Cosine, 0, 0).unwrap(), 1.0);
        for id in [-1, 2] {
            assert!(data.distance(Metric::L2, 0, id).unwrap_err().to_string().contains("no row"));
        }
    }
}
