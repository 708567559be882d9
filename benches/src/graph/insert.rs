//! `graph insert`: rows into a built index.

use super::Indexes;
use super::contest::{Contender, warm_up};
use super::index::{AMPLE, Kind};
use super::kite::{Kite, tid};
use super::layout::Ways;
use super::run::{Bench, on_all_data};
use super::set::Set;
use crate::data::{Filter, Truth};
use crate::interrupt;
use crate::record::{Insert, Record};
use anyhow::{Result, anyhow, ensure};
use clap::Args;
use kite_codecs::Value;
use kite_hnsw::Index;
use kite_pages::MemStore;
use std::ops::Range;
use std::sync::Barrier;
use std::time::Instant;

/// What is inserted.
#[derive(Debug, Clone, Args)]
pub(super) struct Options {
    #[command(flatten)]
    indexes: Indexes,
    /// Numbers of threads that insert at the same time
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    writers: Vec<usize>,
    /// Rows that are inserted: the last of the set
    #[arg(long, default_value_t = 5000)]
    rows: usize,
}

/// Width of the beam at which recall is told.
const EF: usize = 40;

/// Keeps the last rows back and inserts them into an index of the others, as often as there are numbers of writers.
pub(super) fn run(options: &Options) -> Result<()> {
    on_all_data("graph-insert", &options.indexes.common, &[], |bench| measure(bench, options))
}

fn measure(bench: &mut Bench<'_>, options: &Options) -> Result<()> {
    let set = bench.set;
    let building = &options.indexes.common.building;
    ensure!(0 < options.rows && options.rows < set.rows.len(), "--rows must leave rows to build on");
    ensure!(options.writers.iter().all(|&writers| writers > 0), "--writers must be at least 1");
    let first = set.rows.len() - options.rows;
    let before = Filter::rows_where(set.data, format!("first {first}"), |row| row < first);
    let before = Truth::cached(set.data, set.data.metric(), set.k, Some(&before), &|_, _| ())?;
    for way in Ways::all(&options.indexes.layout)? {
        let (kind, width) = Kind::of(way)?;
        let name = way.to_string();
        bench.enter(&name, &[])?;
        for &writers in &options.writers {
            let store = MemStore::new();
            kind.build(set, 0..first, building, AMPLE, &store)?;
            let recall_before = recall(set, &before, &store, width)?;
            let seconds = insert(set, first..set.rows.len(), &store, writers)?;
            let wal = if writers == 1 { Some(log(bench, options, kind, first)?) } else { None };
            bench.journal.write(&Record::Insert(Insert {
                run: bench.journal.run_id().into(),
                arm: name.clone(),
                repeat: 0,
                writers,
                batch: 1,
                rows: options.rows,
                seconds,
                rows_per_second: options.rows as f64 / seconds,
                wal_bytes: wal.map(|(bytes, _)| bytes),
                wal_records: wal.map(|(_, records)| records),
                recall_before: Some(recall_before),
                recall_after: Some(recall(set, &set.truth, &store, width)?),
            }))?;
        }
    }
    Ok(())
}

/// Inserts rows by several threads, each its share, and answers the seconds from the first to the last.
pub(super) fn insert(set: &Set<'_>, rows: Range<usize>, store: &MemStore, writers: usize) -> Result<f64> {
    let ready = Barrier::new(writers);
    let spans = std::thread::scope(|scope| {
        let write = |writer: usize| {
            let (rows, ready) = (rows.clone(), &ready);
            scope.spawn(move || -> Result<(Instant, Instant)> {
                let index = Index::open(store);
                ready.wait();
                let (mut index, begin) = (index?, Instant::now());
                for row in rows.skip(writer).step_by(writers) {
                    interrupt::check()?;
                    index.insert(tid(row), Value::F32(set.rows.get(row)))?;
                }
                Ok((begin, Instant::now()))
            })
        };
        let threads: Vec<_> = (0..writers).map(write).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a writer panicked"))?)
            .collect::<Result<Vec<_>>>()
    })?;
    let first = spans.iter().map(|span| span.0).min();
    let last = spans.iter().map(|span| span.1).max();
    Ok(first.zip(last).map_or(0.0, |(first, last)| last.duration_since(first).as_secs_f64()))
}

/// Does the same once more where all records are kept: bytes of pages in them, and their number.
fn log(bench: &Bench<'_>, options: &Options, kind: Kind, first: usize) -> Result<(u64, u64)> {
    let set = bench.set;
    let store = MemStore::logged();
    kind.build(set, 0..first, &options.indexes.common.building, AMPLE, &store)?;
    let (bytes, records) = (store.record_bytes(), store.records());
    insert(set, first..set.rows.len(), &store, 1)?;
    Ok(((store.record_bytes() - bytes) as u64, (store.records() - records) as u64))
}

/// What is found of the nearest rows.
pub(super) fn recall(set: &Set<'_>, truth: &Truth, store: &MemStore, width: usize) -> Result<f64> {
    let layout = Box::new(Kite::open(set, store, width)?);
    let mut contender = Contender { name: "the index".into(), layout };
    let known = warm_up(set, truth, &mut contender, &[EF])?;
    Ok(known.first().map_or(0.0, |known| known.quality.recall))
}
