//! `graph build`: threads and memory.

use super::index::{AMPLE, Kind};
use super::kite::{Entrant, compete_all};
use super::layout::Ways;
use super::link::Building;
use super::run::{Bench, Built, on_all_data};
use super::{Indexes, hnswlib};
use crate::record::BuildMode;
use anyhow::{Context, Result};
use clap::Args;
use kite_pages::{MemStore, PAGE_SIZE};
use std::time::Instant;

/// What is built.
#[derive(Debug, Clone, Args)]
pub(super) struct Options {
    #[command(flatten)]
    indexes: Indexes,
    /// Memory of the last build, in bytes [default: a quarter of the vectors]
    #[arg(long)]
    memory: Option<usize>,
    #[command(flatten)]
    beside: hnswlib::Beside,
}

/// Builds on one thread, on as many as asked for, and with little memory; then searches all that was built.
pub(super) fn run(options: &Options) -> Result<()> {
    on_all_data("graph-build", &options.indexes.common, &options.beside.absent(), |bench| {
        measure(bench, options)
    })
}

fn measure(bench: &mut Bench<'_>, options: &Options) -> Result<()> {
    let set = bench.set;
    let Options { indexes: Indexes { common, layout }, beside, .. } = options;
    let mut library = beside.build(bench, &common.building)?;
    let little = options.memory.unwrap_or(size_of_val(set.rows.values.as_slice()) / 4);
    let threads = common.building.threads;
    let mut entrants = Vec::new();
    for way in Ways::all(layout)? {
        let (kind, width) = Kind::of(way)?;
        let builds = [
            (format!("{way},threads=1"), 1, AMPLE),
            (format!("{way},threads={threads}"), threads, AMPLE),
            (format!("{way},threads={threads},memory={} MiB", little >> 20), threads, little),
        ];
        for (name, threads, memory) in builds {
            let building = Building { threads, ..common.building.clone() };
            let (store, begin) = (MemStore::new(), Instant::now());
            let built = kind
                .build(set, 0..set.rows.len(), &building, memory, &store)
                .with_context(|| format!("building {name}"))?;
            let seconds = begin.elapsed().as_secs_f64();
            bench.enter(&name, &[("parts", built.parts.to_string())])?;
            let index_bytes = u64::from(built.pages) * PAGE_SIZE as u64;
            let peak_memory_bytes = Some(built.memory as u64);
            bench.built(&name, BuildMode::AfterLoad, &Built { seconds, index_bytes, peak_memory_bytes })?;
            entrants.push(Entrant { name, width, store });
        }
    }
    compete_all(bench, &entrants, &common.searching)?;
    library.as_mut().map_or(Ok(()), |library| library.search(bench, &common.searching))
}
