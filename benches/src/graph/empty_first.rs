//! `graph empty-first`: an index that is there before its rows, beside one built after them.

use super::Indexes;
use super::index::{AMPLE, Kind};
use super::kite::{Entrant, compete_all, tid};
use super::layout::Ways;
use super::run::{Bench, Built, on_all_data};
use crate::interrupt;
use crate::progress::Progress;
use crate::record::BuildMode;
use anyhow::{Context, Result};
use kite_codecs::Value;
use kite_hnsw::Index;
use kite_pages::{MemStore, PAGE_SIZE, PageStore};
use std::time::Instant;

/// Makes each index in both orders, and searches both.
pub(super) fn run(options: &Indexes) -> Result<()> {
    on_all_data("graph-empty-first", &options.common, &[], |bench| measure(bench, options))
}

fn measure(bench: &mut Bench<'_>, options: &Indexes) -> Result<()> {
    let (set, building) = (bench.set, &options.common.building);
    let mut entrants = Vec::new();
    for way in Ways::all(&options.layout)? {
        let (kind, width) = Kind::of(way)?;
        for mode in [BuildMode::AfterLoad, BuildMode::EmptyFirst] {
            let (store, begin) = (MemStore::new(), Instant::now());
            let name = match mode {
                BuildMode::AfterLoad => {
                    kind.build(set, 0..set.rows.len(), building, AMPLE, &store)?;
                    way.to_string()
                }
                BuildMode::EmptyFirst => {
                    let mut index = Index::create(&store, &kind.options(set, building))?;
                    let progress = Progress::new("inserting all rows");
                    for (row, vector) in set.rows.iter().enumerate() {
                        index.insert(tid(row), Value::F32(vector)).with_context(|| format!("row {row}"))?;
                        interrupt::check()?;
                        progress.say("rows", row as u64, set.rows.len() as u64);
                    }
                    format!("{way} (empty first)")
                }
            };
            let seconds = begin.elapsed().as_secs_f64();
            let index_bytes = u64::from(store.len()) * PAGE_SIZE as u64;
            bench.enter(&name, &[])?;
            bench.built(&name, mode, &Built { seconds, index_bytes, peak_memory_bytes: None })?;
            entrants.push(Entrant { name, width, store });
        }
    }
    compete_all(bench, &entrants, &options.common.searching)
}
