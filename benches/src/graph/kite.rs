//! The graph on the pages of kite-hnsw, searched as the extension searches it, and the recheck behind it.

use super::contest::{Contender, Searching, compete};
use super::layout::{Fetches, Layout};
use super::recheck::{pages_of_row, reorder};
use super::run::Bench;
use super::set::Set;
use anyhow::{Result, bail};
use kite_codecs::Value;
use kite_hnsw::{Distance, Index, Row, ScanOptions};
use kite_pages::{ItemPointer, MemStore, PAGE_SIZE, PageStore};

/// Where the n-th row is said to lie.
pub(super) fn tid(row: usize) -> ItemPointer {
    ItemPointer::new(row as u32, 1)
}

/// The number of a row.
pub(super) fn row(tid: ItemPointer) -> i64 {
    i64::from(tid.block())
}

/// An open index.
pub(super) struct Kite<'a> {
    set: &'a Set<'a>,
    store: &'a MemStore,
    index: Index<'a, MemStore>,
    /// Vertices that are expanded together.
    width: usize,
    pages_of_row: u64,
    /// Rows that the executor finds deleted when it fetches them.
    deleted: Option<fn(usize) -> bool>,
}

impl<'a> Kite<'a> {
    pub(super) fn open(set: &'a Set<'a>, store: &'a MemStore, width: usize) -> Result<Self> {
        let pages_of_row = pages_of_row(set.rows.dims);
        Ok(Self { set, store, index: Index::open(store)?, width, pages_of_row, deleted: None })
    }

    /// Some rows are deleted in the table, and still in the index.
    pub(super) fn deleted(self, deleted: fn(usize) -> bool) -> Self {
        Self { deleted: Some(deleted), ..self }
    }
}

/// An index that takes part in a contest.
pub(super) struct Entrant {
    pub(super) name: String,
    /// Vertices that are expanded together.
    pub(super) width: usize,
    pub(super) store: MemStore,
}

/// Searches these indexes by turns.
pub(super) fn compete_all(bench: &mut Bench<'_>, entrants: &[Entrant], searching: &Searching) -> Result<()> {
    let set = bench.set;
    let mut contenders = entrants
        .iter()
        .map(|Entrant { name, width, store }| {
            Ok(Contender { name: name.clone(), layout: Box::new(Kite::open(set, store, *width)?) })
        })
        .collect::<Result<Vec<_>>>()?;
    compete(bench, &mut contenders, searching)
}

impl Layout for Kite<'_> {
    fn search(&mut self, query: usize, ef: usize, found: &mut Vec<i64>) -> Result<Fetches> {
        let Set { k, ranking, rows, queries, .. } = self.set;
        let values = queries.get(query);
        let options = ScanOptions { ef, width: self.width, ..ScanOptions::default() };
        let mut scan = self.index.scan(Some(Value::F32(values)), options)?;
        let mut next = || -> Result<Option<(i64, f64)>> {
            while let Some(Row { tid, distance }) = scan.next_row()? {
                if self.deleted.is_some_and(|deleted| deleted(tid.block() as usize)) {
                    continue;
                }
                return match distance {
                    Distance::AtLeast(bound) | Distance::Exact(bound) => Ok(Some((row(tid), bound))),
                    Distance::Unordered => bail!("query {query} orders nothing"),
                };
            }
            Ok(None)
        };
        if self.index.scorer().is_lossless() {
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
