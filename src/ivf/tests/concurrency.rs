//! Inserts, deletes, searches and vacuums at once. `MemStore` watches the order of locks meanwhile.
//!
//! `KITE_STRESS_SECONDS=600 cargo test --release -p kite-ivf --test concurrency` runs so long.

mod world;

use kite_codecs::Value;
use kite_ivf::{Codes, Index, Payload, ScanOptions, VacuumOptions};
use kite_pages::{MemStore, PageStore, Stamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use world::{
    BUILT, KINDS, Recall, build, distance, everything, judge, number, options, rows, setting, tid, vector,
};

/// The table. Numbers of rows are used again once vacuum has removed them from the index, as Postgres does with heap TIDs.
#[derive(Debug, Default)]
struct Table {
    rows: BTreeMap<u32, TableRow>,
    free: Vec<u32>,
    next: u32,
}

#[derive(Debug, Clone)]
struct TableRow {
    vector: Vec<f32>,
    committed: bool,
    deleted: Option<Stamp>,
}

struct World {
    store: MemStore,
    table: Mutex<Table>,
    over: AtomicBool,
    inserts: AtomicU64,
    /// Those that had rows to find, and were judged by them.
    searches: AtomicU64,
    vacuums: AtomicU64,
}

/// Rows that the table is kept at.
const ROWS: usize = 1800;

impl World {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert_rows(&self, seed: u64) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut index = Index::open(&self.store).unwrap();
        while !self.over.load(Relaxed) {
            if self.table().rows.len() >= ROWS {
                thread::yield_now();
                continue;
            }
            // A transaction that runs holds back what counts as past.
            let running = self.store.snapshot();
            let value = vector(&mut rng);
            let row = {
                let mut table = self.table();
                let row = table.free.pop().unwrap_or(table.next);
                table.next = table.next.max(row + 1);
                table.rows.insert(row, TableRow { vector: value.clone(), committed: false, deleted: None });
                row
            };
            assert!(index.insert(tid(row), Value::F32(&value)).unwrap());
            self.table().rows.get_mut(&row).unwrap().committed = true;
            drop(running);
            self.store.tick();
            self.inserts.fetch_add(1, Relaxed);
        }
    }

    fn delete_and_vacuum(&self, seed: u64) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut index = Index::open(&self.store).unwrap();
        while !self.over.load(Relaxed) {
            if self.table().rows.len() < ROWS * 3 / 4 {
                thread::yield_now();
                continue;
            }
            let now = self.store.now();
            {
                let mut table = self.table();
                let waiting = table.rows.values().any(|row| row.deleted.is_some());
                for row in table.rows.values_mut().filter(|row| row.committed && !waiting) {
                    row.deleted = (rng.u8(..5) == 0).then_some(now);
                }
            }
            self.store.tick();
            let past = |row: &TableRow| row.deleted.is_some_and(|stamp| self.store.is_past(stamp));
            let dead: BTreeSet<u32> =
                self.table().rows.iter().filter(|(_, row)| past(row)).map(|(&row, _)| row).collect();
            index.vacuum(&VacuumOptions::default(), &mut |tid| dead.contains(&number(tid))).unwrap();
            index.cleanup(&VacuumOptions::default()).unwrap();
            let mut table = self.table();
            table.rows.retain(|row, _| !dead.contains(row));
            table.free.extend(dead);
            self.vacuums.fetch_add(1, Relaxed);
        }
    }

    fn search(&self, seed: u64) -> Recall {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut index = Index::open(&self.store).unwrap();
        let mut recall = Recall::default();
        while !self.over.load(Relaxed) {
            let query = vector(&mut rng);
            let (_snapshot, visible) = {
                let table = self.table();
                let visible = |row: &TableRow| row.committed && row.deleted.is_none();
                let rows = table.rows.iter().filter(|(_, row)| visible(row));
                let rows: BTreeMap<u32, Vec<f32>> =
                    rows.map(|(&row, found)| (row, found.vector.clone())).collect();
                (self.store.snapshot(), rows)
            };
            // All that there is; or the nearest few lists.
            let all = rng.bool();
            let options =
                if all { everything() } else { ScanOptions { probes: 2, ..ScanOptions::default() } };
            let mut found = rows(&mut index, &query, options);
            // What the snapshot does not see the heap would hide.
            found.retain(|(row, _)| visible.contains_key(row));
            let mut near: Vec<(f64, u32)> =
                visible.iter().map(|(&row, vector)| (distance(&query, vector), row)).collect();
            near.sort_by(|a, b| a.0.total_cmp(&b.0));
            let must: Vec<u32> = near.iter().take(10).map(|&(_, row)| row).collect();
            let judged = judge(&found, &query, |row| visible.get(&row).cloned(), &must);
            if all {
                recall.add(judged);
                self.searches.fetch_add(u64::from(!must.is_empty()), Relaxed);
            }
        }
        recall
    }
}

fn run((codes, payload): (Codes, Payload), built: bool, seconds: u64) {
    let world = World {
        store: MemStore::new(),
        table: Mutex::default(),
        over: AtomicBool::new(false),
        inserts: AtomicU64::new(0),
        searches: AtomicU64::new(0),
        vacuums: AtomicU64::new(0),
    };
    let options = options(codes, payload);
    if built {
        let rows = build(&world.store, &options, &mut fastrand::Rng::with_seed(1));
        let row = |(row, vector)| (row, TableRow { vector, committed: true, deleted: None });
        let mut table = world.table();
        table.next = BUILT;
        table.rows = rows.into_iter().map(row).collect();
    } else {
        Index::create(&world.store, &options).unwrap();
    }
    let begin = Instant::now();
    let recall = thread::scope(|scope| {
        let searchers: Vec<_> = (0..2)
            .map(|n| {
                scope.spawn({
                    let world = &world;
                    move || world.search(n)
                })
            })
            .collect();
        let mut others: Vec<_> = (0..2)
            .map(|n| {
                scope.spawn({
                    let world = &world;
                    move || world.insert_rows(10 + n)
                })
            })
            .collect();
        others.push(scope.spawn(|| world.delete_and_vacuum(20)));
        let done = |world: &World| {
            let (inserts, vacuums) = (world.inserts.load(Relaxed), world.vacuums.load(Relaxed));
            let searches = world.searches.load(Relaxed);
            inserts > 1500 && vacuums > 3 && searches > 200 && begin.elapsed() >= Duration::from_secs(seconds)
        };
        // One that ends by itself has failed: `join` says how.
        let failed = || {
            searchers.iter().any(thread::ScopedJoinHandle::is_finished)
                || others.iter().any(thread::ScopedJoinHandle::is_finished)
        };
        while !done(&world) && !failed() {
            thread::sleep(Duration::from_millis(20));
        }
        world.over.store(true, Relaxed);
        let mut recall = Recall::default();
        searchers.into_iter().for_each(|searcher| recall.add(searcher.join().unwrap()));
        others.into_iter().for_each(|other| other.join().unwrap());
        recall
    });
    eprintln!(
        "{codes:?}, {payload:?}: {recall:?} in {:?} searches beside {:?} inserts and {:?} vacuums; {} pages",
        world.searches,
        world.inserts,
        world.vacuums,
        world.store.len()
    );
    let mut index = Index::open(&world.store).unwrap();
    index.cleanup(&VacuumOptions::default()).unwrap();
    let report = index.check().unwrap();
    eprintln!("{report:?}");
    assert_eq!(recall.share(), 1.0, "{recall:?}");
    assert!(report.is_clean() && report.gone == 0 && report.orphans == 0, "{report:?}");
    // 1,800 small rows and what turned over meanwhile: space is used again.
    assert!(world.store.len() < 150, "{} pages", world.store.len());
}

#[test]
fn readers_writers_and_vacuum_at_once() {
    let seconds = setting("KITE_STRESS_SECONDS", 0);
    for (kind, built) in KINDS.into_iter().zip([true, true, false, true]) {
        run(kind, built, seconds / 4);
    }
}
