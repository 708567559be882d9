//! Vacuum and inserts, one after the other and at once.

use super::*;
use crate::testing::tid;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn insert<S: PageStore>(index: &mut Index<'_, S>, data: &[Vec<f32>], row: usize) {
    assert!(index.insert(tid(row), Value::F32(&data[row])).unwrap());
}

#[test]
fn rows_that_come_and_go_take_no_more_pages() {
    let data = vectors(1400, DIMS, 11);
    let store = MemStore::new();
    let mut index = Index::create(&store, &options(spec(Metric::L2, PayloadKind::Sq8, 0, DIMS))).unwrap();
    (0..400).for_each(|row| insert(&mut index, &data, row));
    let mut most = 0;
    for first in (0..1000).step_by(100) {
        vacuum(&mut index, |row| row < first + 100).unwrap();
        cleanup_later(&store, &mut index);
        (first + 400..first + 500).for_each(|row| insert(&mut index, &data, row));
        if first == 200 {
            most = store.len();
        }
    }
    assert!(store.len() <= most + most / 10, "{} pages, {most} before", store.len());
    let report = clean(&mut index);
    assert_eq!((report.vertices, report.rows, report.dead), (400, 400, 0));
    assert!(report.unreachable <= 2, "{report:?}");
    let recall = recall(&mut index, &data, 20, |row| (1000..1400).contains(&row));
    assert!(recall > 0.9, "{recall}");
}

#[test]
fn an_emptied_index_takes_rows_again() {
    let data = vectors(300, DIMS, 12);
    let store = MemStore::new();
    let mut index = Index::create(&store, &options(spec(Metric::L2, PayloadKind::Sq8, 0, DIMS))).unwrap();
    for round in 0..3 {
        (0..300).for_each(|row| insert(&mut index, &data, row));
        let report = clean(&mut index);
        assert_eq!((report.rows, report.unreachable), (300, 0), "{round}");
        vacuum(&mut index, |_| true).unwrap();
        assert_eq!(clean(&mut index).vertices, 0);
    }
}

/// An insert may have searched before a vacuum and write after it. So it is let in at every question that the vacuum asks.
#[test]
fn rows_inserted_between_any_two_questions_are_found() {
    let data = vectors(160, DIMS, 13);
    let store = MemStore::new();
    let options = options(spec(Metric::L2, PayloadKind::Sq8, 0, DIMS));
    let mut index = Index::create(&store, &options).unwrap();
    (0..80).for_each(|row| insert(&mut index, &data, row));
    let mut next = 80;
    let mut ask = |tid| {
        if next < 160 {
            insert(&mut Index::open(&store).unwrap(), &data, next);
            next += 1;
        }
        number(tid) < 80
    };
    let stats = index.vacuum(&VacuumOptions::default(), &mut ask).unwrap();
    assert_eq!((next, stats.dead_rows, stats.waiting), (160, 80, 80));
    assert_eq!(cleanup_later(&store, &mut index).freed, 80);
    let report = clean(&mut index);
    assert_eq!((report.rows, report.dead, report.unreachable), (80, 0, 0));
}

/// Equal vectors share a vertex, but not one that is on its way out.
#[test]
fn a_row_with_the_vector_of_a_dead_vertex_gets_a_vertex_of_its_own() {
    let data = vectors(60, DIMS, 16);
    let store = MemStore::new();
    let mut index = Index::create(&store, &options(spec(Metric::L2, PayloadKind::Sq8, 0, DIMS))).unwrap();
    (0..60).for_each(|row| insert(&mut index, &data, row));
    let before = mixed::vertices(&store);
    vacuum(&mut index, |row| row < 20).unwrap();
    for (row, vector) in data.iter().enumerate().take(20) {
        index.insert(tid(row + 100), Value::F32(vector)).unwrap();
    }
    // Also who has found one alive, and comes back to it, finds it dead.
    for (link, vertex) in before.iter().filter(|(_, vertex)| number(vertex.tids[0]) < 20) {
        let equal = crate::insert::Equal { vertex: *link, postings: vertex.postings, chain: None };
        assert_eq!(index.add_row(equal, &vertex.payload, tid(999)), Ok(false));
    }
    let report = clean(&mut index);
    assert_eq!((report.vertices, report.rows, report.dead, report.unlinked), (60, 60, 20, 20));
    assert_eq!(cleanup_later(&store, &mut index).freed, 20);
    let report = clean(&mut index);
    assert_eq!((report.vertices, report.rows, report.dead, report.unreachable), (60, 60, 0, 0));
    for (row, vector) in data.iter().enumerate().take(20) {
        assert!(found(&mut index, vector, 10).contains(&(row + 100)));
    }
}

#[test]
fn vacuum_inserts_and_searches_at_once() {
    const ROWS: usize = 900;
    let data = vectors(ROWS, DIMS, 14);
    let store = MemStore::new();
    let spec = spec(Metric::L2, PayloadKind::Sq8, 1, DIMS);
    let mut index = built(&store, &options(spec), &data[..300]);
    let next = AtomicUsize::new(300);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut index = Index::open(&store).unwrap();
                loop {
                    let row = next.fetch_add(1, Relaxed);
                    if row >= ROWS {
                        break;
                    }
                    insert(&mut index, &data, row);
                    // Every third is a second row of a vector that the index may have.
                    if row.is_multiple_of(3) {
                        index.insert(tid(row + 10_000), Value::F32(&data[row / 2])).unwrap();
                    }
                    found(&mut index, &data[row], 10);
                }
            });
        }
        scope.spawn(|| {
            let mut index = Index::open(&store).unwrap();
            while next.load(Relaxed) < ROWS {
                let below = next.load(Relaxed).saturating_sub(250).min(600);
                vacuum(&mut index, |row| row < below).unwrap();
                store.tick();
                index.cleanup(&VacuumOptions::default()).unwrap();
            }
        });
    });
    vacuum(&mut index, |row| row < 600).unwrap();
    let report = clean(&mut index);
    let seconds = (300..ROWS).filter(|row| row.is_multiple_of(3)).count() as u64;
    assert_eq!((report.rows, report.dead), (300 + seconds, report.unlinked), "{report:?}");
    assert!(report.unreachable <= 3, "{report:?}");
    let missing = (600..ROWS).filter(|&row| !found(&mut index, &data[row], 20).contains(&row)).count();
    assert!(missing <= 3, "{missing}");
    store.tick();
    index.cleanup(&VacuumOptions::default()).unwrap();
    let report = clean(&mut index);
    assert_eq!((report.orphans, report.dead), (0, 0));
}

/// The row of an insert that a crash cut off is dead. Its payload is longer than a page, so that chunks may be left over too.
#[test]
fn what_a_cut_off_insert_leaves_is_taken_away() {
    let data = vectors(24, 2100, 15);
    let store = MemStore::logged();
    let spec = spec(Metric::L2, PayloadKind::Full, 0, 2100);
    let mut index = Index::create(&store, &Options { m: 4, ef_construction: 12, ..options(spec) }).unwrap();
    let mut ends = Vec::new();
    for row in 0..data.len() {
        insert(&mut index, &data, row);
        ends.push(store.records());
    }
    let (mut orphans, mut cut) = (0, 0);
    for count in (ends[0]..ends[data.len() - 1]).filter(|count| count % 2 == 0) {
        let store = store.replay(count);
        store.tick();
        let whole = ends.partition_point(|&end| end <= count);
        let mut index = Index::open(&store).unwrap();
        orphans += clean(&mut index).orphans;
        cut += vacuum(&mut index, |row| row >= whole).unwrap().dead_rows;
        cleanup_later(&store, &mut index);
        let report = clean(&mut index);
        let left = (report.rows, report.orphans, report.dead, report.unreachable);
        assert_eq!(left, (whole as u64, 0, 0, 0), "record {count}");
    }
    assert!(orphans > 10 && cut > 10, "{orphans} orphans, {cut} rows");
}
