//! Very many equal vectors: four threads insert them, search among them, and search on while vacuum takes half of them away.
//!
//! `KITE_EQUAL_ROWS=1000000 cargo test --release -p kite-hnsw --test equal -- --nocapture` takes so many, and prints times.

mod world;

use kite_codecs::Value;
use kite_hnsw::{Index, Order, ScanOptions, VacuumOptions};
use kite_pages::{MemStore, PageStore};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Instant;
use world::{DIMS, KINDS, everything, number, rows, setting, tid};

const THREADS: u32 = 4;
/// Rows of other vectors, with numbers above those of the equal ones.
const OTHERS: u32 = 100;

/// What all the equal rows have; none of the others is near.
const EQUAL: [f32; DIMS] = [50.0; DIMS];

/// Inserts rows of the equal vector by all threads, each its share.
fn insert(store: &MemStore, numbers: &[u32]) {
    thread::scope(|scope| {
        for worker in 0..THREADS as usize {
            scope.spawn(move || {
                let mut index = Index::open(store).unwrap();
                for &row in numbers.iter().skip(worker).step_by(THREADS as usize) {
                    assert!(index.insert(tid(row), Value::F32(&EQUAL)).unwrap());
                }
            });
        }
    });
}

/// Reads the ten nearest rows a thousand times by each thread, and answers the microseconds that one query took.
fn search(store: &MemStore, is_row: impl Fn(u32) -> bool + Sync) -> f64 {
    const QUERIES: u32 = 1000;
    let begin = Instant::now();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut index = Index::open(store).unwrap();
                for _ in 0..QUERIES {
                    assert_eq!(nearest(&mut index, 10, &is_row), 10);
                }
            });
        }
    });
    begin.elapsed().as_secs_f64() * 1e6 / f64::from(QUERIES)
}

/// How many of the first rows are equal ones; it fails if one of those is no row or comes twice.
fn nearest(index: &mut Index<'_, MemStore>, count: usize, is_row: &impl Fn(u32) -> bool) -> usize {
    let near = ScanOptions { ef: 20, order: Order::Strict, ..ScanOptions::default() };
    let mut scan = index.scan(Some(Value::F32(&EQUAL)), near).unwrap();
    let found = std::iter::from_fn(|| scan.next_row().unwrap()).take(count);
    let mut found: Vec<u32> = found.map(|row| number(row.tid)).collect();
    assert!(found.iter().all(|&row| is_row(row)), "{found:?}");
    found.sort_unstable();
    found.dedup();
    found.len()
}

/// All rows of the equal vector that a query returns.
fn equal_rows(store: &MemStore, below: u32) -> Vec<u32> {
    let found = rows(&mut Index::open(store).unwrap(), &EQUAL, everything());
    let mut found: Vec<u32> = found.into_iter().map(|(row, _)| row).filter(|&row| row < below).collect();
    found.sort_unstable();
    found
}

#[test]
fn equal_rows_are_inserted_searched_and_vacuumed_by_four_threads() {
    let count = setting("KITE_EQUAL_ROWS", 20_000) as u32;
    let store = MemStore::new();
    let mut index = Index::create(&store, &KINDS[0].options()).unwrap();
    let mut rng = fastrand::Rng::with_seed(31);
    for row in count..count + OTHERS {
        assert!(index.insert(tid(row), Value::F32(&KINDS[0].vector(&mut rng))).unwrap());
    }

    let all: Vec<u32> = (0..count).collect();
    let begin = Instant::now();
    insert(&store, &all);
    let inserting = begin.elapsed();
    let pages = store.len();
    let searching = search(&store, |row| row < count);
    assert!(equal_rows(&store, count) == all, "rows are missing or doubled");

    // Every second row goes, while the others of the threads search.
    let over = AtomicBool::new(false);
    let begin = Instant::now();
    let stats = thread::scope(|scope| {
        for _ in 1..THREADS {
            scope.spawn(|| {
                let mut index = Index::open(&store).unwrap();
                while !over.load(Relaxed) {
                    assert_eq!(nearest(&mut index, 10, &|row| row < count), 10);
                }
            });
        }
        let dead = |row: u32| row < count && row % 2 == 1;
        let stats = index.vacuum(&VacuumOptions::default(), &mut |tid| dead(number(tid)));
        over.store(true, Relaxed);
        stats.unwrap()
    });
    let vacuuming = begin.elapsed();
    assert_eq!((stats.dead_rows, stats.freed), (u64::from(count / 2), 0));
    let (left, gone): (Vec<u32>, Vec<u32>) = all.iter().partition(|&row| row % 2 == 0);
    assert!(equal_rows(&store, count) == left, "rows are missing or doubled");

    store.tick();
    insert(&store, &gone);
    eprintln!(
        "{count} equal rows on {pages} pages, {} after half were vacuumed and inserted again: insert {:.2} µs a row, \
         search {searching:.1} µs a query of each thread, vacuum of half beside searches {vacuuming:.2?}",
        store.len(),
        inserting.as_secs_f64() * 1e6 / f64::from(count),
    );
    assert!(equal_rows(&store, count) == all, "rows are missing or doubled");
    let report = index.check().unwrap();
    assert!(report.is_clean() && report.rows == u64::from(count + OTHERS), "{report:?}");
    // Two that begin at once may each make a vertex of the vector; not many do.
    let distinct = u64::from(OTHERS + THREADS);
    assert!(report.vertices <= distinct, "{report:?}");
    // Postings that are half empty now are not filled again: what was inserted took as many pages as the first time, and
    // threads that begin a posting at once a few more.
    assert!(store.len() <= pages + pages * 3 / 5 + 4, "{} pages, {pages} before", store.len());
}
