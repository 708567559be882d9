//! Vacuum against exact search, and the states that it may leave.

mod crashes;
mod damage;
mod inserts;
pub(crate) mod mixed;

use super::*;
use crate::testing::{Exact, built, number, spec, vectors};
use crate::{Options, Order, Report, ScanOptions};
use kite_codecs::{Metric, PayloadKind, Spec, Value};
use kite_pages::MemStore;
use mixed::{Mixed, dead, vector_of};

const DIMS: usize = 24;

fn options(spec: Spec) -> Options {
    Options { spec, m: 8, ef_construction: 40, seed: 3 }
}

fn found<S: PageStore>(index: &mut Index<'_, S>, query: &[f32], ef: usize) -> Vec<usize> {
    let scan = ScanOptions { ef, order: Order::Off, ..ScanOptions::default() };
    let mut scan = index.scan(Some(Value::F32(query)), scan).unwrap();
    std::iter::from_fn(|| scan.next_row().unwrap()).map(|row| number(row.tid)).collect()
}

/// Of the ten nearest live rows, the share among `ef` that are found. Dead ones are not found.
fn recall(
    index: &mut Index<'_, MemStore>,
    data: &[Vec<f32>],
    ef: usize,
    alive: impl Fn(usize) -> bool,
) -> f64 {
    let exact = Exact::new(index.options().spec, data);
    let queries = vectors(100, DIMS, 99);
    let mut hits = 0;
    for query in &queries {
        let found = found(index, query, ef);
        assert!(found.iter().all(|&n| alive(n)));
        let truth = exact.nearest(query, 10, &alive);
        hits += truth.iter().filter(|n| found.contains(n)).count();
    }
    hits as f64 / (10 * queries.len()) as f64
}

fn vacuum<S: PageStore>(index: &mut Index<'_, S>, dead: impl Fn(usize) -> bool) -> Result<VacuumStats> {
    index.vacuum(&VacuumOptions::default(), &mut |tid| dead(number(tid)))
}

/// Lets all searches end and cleans up, so that dead vertices are freed. Their numbers still wait.
fn cleanup_later(store: &MemStore, index: &mut Index<'_, MemStore>) -> VacuumStats {
    store.tick();
    index.cleanup(&VacuumOptions::default()).unwrap()
}

/// The report of a check that finds no damage.
fn clean<S: PageStore>(index: &mut Index<'_, S>) -> Report {
    let report = index.check().unwrap();
    assert!(report.is_clean(), "{report:?}");
    report
}

fn bytes(store: &MemStore) -> Vec<u8> {
    (0..store.len()).flat_map(|block| *store.read(block).unwrap().bytes()).collect()
}

/// Items whose numbers cannot be used again yet.
fn freed(store: &MemStore) -> usize {
    let freed = |block| store.read(block).unwrap().sound().unwrap().freed().count();
    (0..store.len()).map(freed).sum()
}

#[test]
fn recall_is_no_lower_after_a_fifth_is_deleted() {
    let data = vectors(1200, DIMS, 1);
    // Here and there, and two of ten clusters.
    let scattered = |n: usize| (n / 10).is_multiple_of(5);
    let clusters = |n: usize| n.is_multiple_of(5);
    for (metric, payload, bits, dead) in [
        (Metric::L2, PayloadKind::Sq8, 1, &scattered as &dyn Fn(usize) -> bool),
        (Metric::L2, PayloadKind::Full, 0, &clusters),
        (Metric::Cosine, PayloadKind::Sq8, 2, &scattered),
        (Metric::InnerProduct, PayloadKind::Half, 0, &scattered),
    ] {
        let store = MemStore::new();
        let mut index = built(&store, &options(spec(metric, payload, bits, DIMS)), &data);
        let before = recall(&mut index, &data, 20, |_| true);
        let lost = clean(&mut index).unreachable;
        let stats = vacuum(&mut index, dead).unwrap();
        let after = recall(&mut index, &data, 20, |n| !dead(n));
        assert!(after >= before - 0.01, "{metric}: {before} before, {after} after");
        assert_eq!((stats.dead_rows, stats.waiting, stats.rows, stats.vertices), (240, 240, 960, 960));
        let report = clean(&mut index);
        assert_eq!((report.dead, report.unlinked, report.stale, report.rows), (240, 240, 0, 960));
        assert_eq!(cleanup_later(&store, &mut index).freed, 240);
        let report = clean(&mut index);
        assert_eq!((report.dead, report.stale, report.orphans, report.rows), (0, 0, 0, 960));
        // Under inner product some vectors are the nearest of none.
        assert!(report.unreachable <= lost + 5, "{lost} before, {report:?}");
        assert!(bits == 0 || report.codes > 30);
        assert_eq!((index.meta.vertices, index.meta.rows), (960, 960));
    }
}

#[test]
fn who_only_looks_sees_every_row_once_and_nothing_is_written() {
    let Mixed { store, rows, .. } = Mixed::new();
    let mut index = Index::open(&store).unwrap();
    let before = bytes(&store);
    let mut seen = Vec::new();
    let collect = &mut |tid| {
        seen.push(number(tid));
        false
    };
    let stats = index.vacuum(&VacuumOptions::default(), collect).unwrap();
    seen.sort_unstable();
    assert_eq!(seen, rows);
    assert_eq!((stats.rows, stats.dead_rows), (rows.len() as u64, 0));
    assert!(bytes(&store) == before);
}

#[test]
fn every_row_is_asked_about_once_also_when_some_are_dead() {
    let Mixed { store, rows, .. } = Mixed::new();
    let mut index = Index::open(&store).unwrap();
    let mut seen = Vec::new();
    let ask = &mut |tid| {
        seen.push(number(tid));
        dead(number(tid))
    };
    let stats = index.vacuum(&VacuumOptions::default(), ask).unwrap();
    seen.sort_unstable();
    assert_eq!(seen, rows);
    let left = rows.iter().filter(|&&n| !dead(n)).count() as u64;
    assert_eq!((stats.rows, clean(&mut index).rows), (left, left));
}

#[test]
fn what_was_freed_is_taken_back_once_no_snapshot_sees_it() {
    let Mixed { store, .. } = Mixed::new();
    let mut index = Index::open(&store).unwrap();
    store.tick();
    let options = VacuumOptions::default();
    let before = {
        let _searching = store.snapshot();
        vacuum(&mut index, dead).unwrap();
        let waits = bytes(&store);
        let info = index.info().unwrap();
        assert!(info.unlinked_vertices > 20 && info.unlinked_vertices == info.dead_vertices, "{info:?}");
        assert_eq!(cleanup_later(&store, &mut index).waiting, info.unlinked_vertices);
        assert!(bytes(&store) == waits);
        info
    };
    // Vertices go first, and what was freed with them when nobody has seen that.
    let reading = store.snapshot();
    assert_eq!(index.cleanup(&options).unwrap().freed, before.unlinked_vertices);
    assert_eq!(index.info().unwrap().dead_vertices, 0);
    let numbers = freed(&store);
    assert!(numbers > 50);
    cleanup_later(&store, &mut index);
    assert_eq!(freed(&store), numbers);
    drop(reading);
    index.cleanup(&options).unwrap();
    let after = index.info().unwrap();
    assert_eq!((freed(&store), after.rows), (0, before.rows));
    assert!(after.postings < before.postings && after.free_bytes > before.free_bytes);
    clean(&mut index);
    // Then there is nothing left to do.
    let before = bytes(&store);
    index.cleanup(&options).unwrap();
    assert!(bytes(&store) == before);
}

/// A search expands lists that lead to vertices which die then; it finds only by those what it has not met yet.
#[test]
fn a_search_under_way_goes_on_through_vertices_that_die_meanwhile() {
    let data = vectors(1200, DIMS, 1);
    for bits in [0, 1] {
        let store = MemStore::new();
        let spec = spec(Metric::L2, PayloadKind::Sq8, bits, DIMS);
        let mut index = built(&store, &options(spec), &data);
        let dead = |n: usize| !n.is_multiple_of(4);
        let searching = store.snapshot();
        let mut vacuuming = Index::open(&store).unwrap();
        let ask =
            ScanOptions { ef: 12, order: Order::Relaxed, max_visits: usize::MAX, ..ScanOptions::default() };
        let mut scan = index.scan(Some(Value::F32(&data[5])), ask).unwrap();
        let mut rows = vec![number(scan.next_row().unwrap().unwrap().tid)];
        vacuum(&mut vacuuming, dead).unwrap();
        let waiting = cleanup_later(&store, &mut vacuuming).waiting;
        while let Some(row) = scan.next_row().unwrap() {
            rows.push(number(row.tid));
        }
        let missing = (0..data.len()).filter(|n| !dead(*n) && !rows.contains(n)).count();
        assert_eq!((missing, waiting), (0, 900), "with {bits} bits, of {}", rows.len());
        drop((scan, searching));
        assert_eq!(vacuuming.cleanup(&VacuumOptions::default()).unwrap().freed, 900);
        assert!(clean(&mut vacuuming).dead == 0);
    }
}

#[test]
fn an_index_that_loses_all_rows_is_empty_and_its_pages_are_free() {
    let Mixed { store, data, .. } = Mixed::new();
    let mut index = Index::open(&store).unwrap();
    store.tick();
    vacuum(&mut index, |_| true).unwrap();
    assert_eq!(found(&mut index, &data[0], 10), [0; 0]);
    assert!(index.meta.entry.is_none());
    assert!(cleanup_later(&store, &mut index).freed > 0);
    let stats = cleanup_later(&store, &mut index);
    assert_eq!((stats.rows, stats.vertices, stats.dead_vertices), (0, 0, 0));
    assert_eq!(clean(&mut index).vertices, 0);
    for block in 1..store.len() {
        assert_eq!(store.read(block).unwrap().sound().unwrap().room(), Ok(kite_pages::MAX_ITEM));
    }
    assert!(store.find_space(8000).unwrap().is_some());
}

#[test]
fn the_entry_point_moves_to_the_highest_vertex_that_is_left() {
    let data = vectors(400, DIMS, 6);
    let store = MemStore::new();
    let mut index = built(&store, &options(spec(Metric::L2, PayloadKind::Sq8, 0, DIMS)), &data);
    let mut alive: Vec<bool> = vec![true; data.len()];
    for _ in 0..8 {
        index.refresh().unwrap();
        let entry = index.meta.entry;
        let page = store.read(entry.block()).unwrap();
        let vertex = entry.find::<crate::format::Vertex<'_>>(page.view(NODES).unwrap(), ()).unwrap().unwrap();
        let row = number(vertex.tids[0]);
        drop(page);
        alive[row] = false;
        vacuum(&mut index, |n| n == row).unwrap();
        // The old entry point waits, so that searches that begin there go on.
        assert_eq!(cleanup_later(&store, &mut index).freed, 1);
        index.refresh().unwrap();
        let levels = index.info().unwrap().levels;
        assert_eq!(usize::from(index.meta.entry_level) + 1, levels.len());
        assert!(index.meta.entry != entry && clean(&mut index).unreachable == 0);
    }
    assert!(recall(&mut index, &data, 30, |n| alive[n]) > 0.8);
}

#[test]
fn little_memory_means_more_passes_and_nothing_else() {
    let data = vectors(1000, DIMS, 7);
    let store = MemStore::new();
    let mut index = built(&store, &options(spec(Metric::L2, PayloadKind::Sq8, 1, DIMS)), &data);
    let dead = |n: usize| !n.is_multiple_of(4);
    let options = VacuumOptions { memory: 0 };
    let stats = index.vacuum(&options, &mut |tid| dead(number(tid))).unwrap();
    assert_eq!((stats.dead_rows, stats.waiting, stats.dead_vertices), (750, 750, 750));
    let report = clean(&mut index);
    assert_eq!((report.vertices, report.unlinked, report.stale), (250, 750, 0));
    store.tick();
    assert_eq!(index.cleanup(&options).unwrap().freed, 750);
    assert!(recall(&mut index, &data, 20, |n| !dead(n)) > 0.8);
}

#[test]
fn lists_get_the_codes_of_the_frame() {
    let data = vectors(600, DIMS, 9);
    let store = MemStore::new();
    let mut index = built(&store, &options(spec(Metric::L2, PayloadKind::Sq8, 1, DIMS)), &data);
    mixed::strip_codes(&store, &index);
    let bare = index.info().unwrap().bare_lists;
    let stats = index.cleanup(&VacuumOptions::default()).unwrap();
    let info = index.info().unwrap();
    assert!(bare > 600);
    assert_eq!((stats.lists_recoded, info.coded_lists, info.bare_lists), (bare, bare, 0));
    assert!(clean(&mut index).codes > 30);
    assert!(recall(&mut index, &data, 30, |_| true) > 0.8);
}

#[test]
fn searches_go_on_meanwhile_and_find_every_row_of_a_vertex_once() {
    let Mixed { store, data, rows } = Mixed::new();
    let wanted: Vec<usize> = rows.iter().copied().filter(|&n| !dead(n)).collect();
    let done = std::sync::atomic::AtomicBool::new(false);
    let search = |turn: usize| {
        let mut index = Index::open(&store).unwrap();
        let mut searches = 0;
        while searches < 20 || !done.load(std::sync::atomic::Ordering::Relaxed) {
            let vector = (7 * searches + turn) % data.len();
            // As every scan of the server has one: without it what the search is on its way to may be freed.
            let _snapshot = store.snapshot();
            let mut found: Vec<usize> = found(&mut index, &data[vector], 10);
            found.retain(|&n| vector_of(n) == vector);
            found.sort_unstable();
            assert!(found.is_sorted_by(|a, b| a < b), "twice: {found:?}");
            let missing = wanted.iter().find(|&&n| vector_of(n) == vector && !found.contains(&n));
            assert_eq!(missing, None, "{found:?}");
            searches += 1;
        }
    };
    std::thread::scope(|scope| {
        for turn in 0..3 {
            scope.spawn(move || search(turn));
        }
        let mut index = Index::open(&store).unwrap();
        for tenth in 1..=10 {
            vacuum(&mut index, |n| dead(n) && n % 10 < tenth).unwrap();
            store.tick();
            index.cleanup(&VacuumOptions::default()).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let mut index = Index::open(&store).unwrap();
    assert_eq!(clean(&mut index).rows, wanted.len() as u64);
}
