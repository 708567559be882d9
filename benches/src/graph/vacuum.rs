//! `graph vacuum`: a fifth of the rows deleted and vacuumed, then as many inserted.

use super::Indexes;
use super::contest::{Contender, Known, Searching, pinned, time, warm_up};
use super::index::{AMPLE, Kind};
use super::kite::{Kite, row, tid};
use super::layout::Ways;
use super::run::{Bench, Built, on_all_data};
use super::set::Set;
use crate::data::{Filter, Truth};
use crate::interrupt;
use crate::record::{BuildMode, Record, Vacuum};
use crate::stats::median;
use crate::vacuum::goes;
use anyhow::{Context, Result};
use kite_codecs::Value;
use kite_hnsw::{Index, VacuumOptions, VacuumStats};
use kite_pages::{MemStore, PAGE_SIZE, PageStore};
use std::time::Instant;

/// Of the rows, so many are deleted.
const SHARE: f64 = 0.2;

/// Whether a row is one of them.
pub(super) fn deleted(row: usize) -> bool {
    goes(row, SHARE)
}

/// Builds, deletes, vacuums and refills each index.
pub(super) fn run(options: &Indexes) -> Result<()> {
    on_all_data("graph-vacuum", &options.common, &[], |bench| measure(bench, options))
}

fn measure(bench: &mut Bench<'_>, options: &Indexes) -> Result<()> {
    let set = bench.set;
    let stay = Filter::rows_where(set.data, format!("{SHARE} deleted"), |row| !deleted(row));
    let left = Truth::cached(set.data, set.data.metric(), set.k, Some(&stay), &|_, _| ())?;
    for way in Ways::all(&options.layout)? {
        let (kind, width) = Kind::of(way)?;
        let (store, begin) = (MemStore::new(), Instant::now());
        kind.build(set, 0..set.rows.len(), &options.common.building, AMPLE, &store)?;
        let name = way.to_string();
        bench.enter(&name, &[])?;
        let built = Built {
            seconds: begin.elapsed().as_secs_f64(),
            index_bytes: bytes(&store),
            peak_memory_bytes: None,
        };
        bench.built(&name, BuildMode::AfterLoad, &built)?;
        let upkeep = pinned(|| upkeep(set, &store, width, &left, &options.common.searching))
            .with_context(|| format!("vacuuming {name}"))?;
        for record in upkeep.records(bench.journal.run_id(), &name) {
            bench.journal.write(&Record::Vacuum(record))?;
        }
    }
    Ok(())
}

/// What was seen of an index while rows went and came.
pub(super) struct Upkeep {
    seconds: f64,
    pub(super) stats: VacuumStats,
    /// Of the index: before, after, and refilled.
    pub(super) bytes: [u64; 3],
    pub(super) before: Vec<Asked>,
    /// With the deleted rows still in the index.
    between: Vec<Asked>,
    pub(super) after: Vec<Asked>,
}

/// All queries at one width of the beam.
pub(super) struct Asked {
    ef: usize,
    pub(super) recall: f64,
    mean_us: f64,
}

/// Asks before, between and after; `left` are the right answers among the rows that stay.
pub(super) fn upkeep(
    set: &Set<'_>,
    store: &MemStore,
    width: usize,
    left: &Truth,
    searching: &Searching,
) -> Result<Upkeep> {
    let before = ask(set, &set.truth, Kite::open(set, store, width)?, searching)?;
    let between = ask(set, left, Kite::open(set, store, width)?.deleted(deleted), searching)?;
    let bytes_before = bytes(store);
    let mut index = Index::open(store)?;
    let begin = searching.clock.here()?;
    let stats =
        index.vacuum(&VacuumOptions::default(), &mut |tid| usize::try_from(row(tid)).is_ok_and(deleted))?;
    let seconds = (searching.clock.here()? - begin).as_secs_f64();
    let bytes_after = bytes(store);
    let after = ask(set, left, Kite::open(set, store, width)?, searching)?;
    // Nobody can be on the way to what is dead any more, nor see what was freed.
    for _ in 0..2 {
        store.tick();
        index.cleanup(&VacuumOptions::default())?;
    }
    for row in (0..set.rows.len()).filter(|&row| deleted(row)) {
        interrupt::check()?;
        index.insert(tid(row), Value::F32(set.rows.get(row)))?;
    }
    Ok(Upkeep { seconds, stats, bytes: [bytes_before, bytes_after, bytes(store)], before, between, after })
}

impl Upkeep {
    /// A record for each width at which all three were asked.
    fn records<'a>(&'a self, run: &'a str, name: &'a str) -> Vec<Vacuum> {
        let asked = self.before.iter().zip(&self.between).zip(&self.after);
        asked
            .map(|((before, between), after)| Vacuum {
                run: run.into(),
                arm: name.into(),
                repeat: 0,
                deleted_share: SHARE,
                seconds: self.seconds,
                index_bytes_before: self.bytes[0],
                index_bytes_after: self.bytes[1],
                index_bytes_refilled: Some(self.bytes[2]),
                lists_repaired: Some(self.stats.lists_repaired),
                wal_bytes: None,
                value: Some(before.ef as f64),
                recall_before: before.recall,
                recall_deleted: between.recall,
                recall_after: after.recall,
                mean_us_before: before.mean_us,
                mean_us_after: after.mean_us,
            })
            .collect()
    }
}

/// Asks all queries at each width, and answers the median of the repeats' mean times.
fn ask(set: &Set<'_>, truth: &Truth, kite: Kite<'_>, searching: &Searching) -> Result<Vec<Asked>> {
    let mut contender = Contender { name: "the index".into(), layout: Box::new(kite) };
    let known = warm_up(set, truth, &mut contender, &searching.ef)?;
    let mut all = Vec::new();
    for known in &known {
        let mean = |_| -> Result<f64> {
            let mut seconds = vec![0.0; set.queries.len()];
            time(&mut contender, known, 0..set.queries.len(), searching.clock, &mut seconds)?;
            Ok(1e6 * seconds.iter().sum::<f64>() / seconds.len() as f64)
        };
        let means = (0..searching.repeats).map(mean).collect::<Result<Vec<_>>>()?;
        let Known { ef, quality, .. } = known;
        all.push(Asked { ef: *ef, recall: quality.recall, mean_us: median(&means) });
    }
    Ok(all)
}

fn bytes(store: &MemStore) -> u64 {
    u64::from(store.len()) * PAGE_SIZE as u64
}
