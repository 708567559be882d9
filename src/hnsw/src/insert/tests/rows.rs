//! Equal vectors.

use super::walk::walk;
use super::{DIMS, found, insert, options};
use crate::Index;
use crate::testing::{built, spec, tid, vectors};
use kite_codecs::{Metric, PayloadKind, Value};
use kite_pages::{MemStore, PageStore};

#[test]
fn equal_vectors_share_a_vertex_and_all_are_found() {
    let data = vectors(50, DIMS, 5);
    let store = MemStore::new();
    let mut index = Index::create(&store, &options(spec(Metric::L2, PayloadKind::Sq8, 0, DIMS))).unwrap();
    for round in 0..20 {
        insert(&mut index, 50 * round, &data);
    }
    let walk = walk(&index);
    assert_eq!((walk.vertices, walk.orphans), (50, 0));
    assert_eq!(walk.rows, (0..1000).map(tid).collect::<Vec<_>>());
    let mut rows = found(&mut index, &data[7], 20);
    rows.sort_unstable();
    assert_eq!(rows, (0..20).map(|round| 50 * round + 7).collect::<Vec<_>>());
}

/// A new version of a row with the same vector ends its search where it meets the old one.
#[test]
fn a_vector_that_is_there_is_found_soon() {
    let data = vectors(2100, DIMS, 7);
    let store = MemStore::new();
    let mut index = built(&store, &options(spec(Metric::L2, PayloadKind::Sq8, 1, DIMS)), &data[..2000]);
    let pages = |index: &mut Index<'_, MemStore>, first, rows: &[Vec<f32>]| {
        store.take_reads();
        insert(index, first, rows);
        store.take_reads().pins
    };
    let again = pages(&mut index, 2000, &data[1000..1100]);
    let new = pages(&mut index, 2100, &data[2000..]);
    assert!(again * 8 < new, "{again} pages for rows with known vectors, {new} for others");
    assert_eq!((walk(&index).vertices, walk(&index).rows.len()), (2100, 2200));
}

/// What an insert costs does not grow with the rows that have the vector, nor does the index by more than their TIDs.
#[test]
fn thirty_thousand_equal_vectors() {
    const ROWS: usize = 30_000;
    let store = MemStore::new();
    let mut index = Index::create(&store, &options(spec(Metric::L2, PayloadKind::Full, 1, DIMS))).unwrap();
    insert(&mut index, ROWS, &vectors(4, DIMS, 6));
    let mut pins = Vec::new();
    for n in 0..ROWS {
        assert!(index.insert(tid(n), Value::F32(&[7.0; DIMS])).unwrap());
        if n % (ROWS / 2) == 1000 {
            store.take_reads();
        } else if n % (ROWS / 2) == 2000 {
            pins.push(store.take_reads().pins);
        }
    }
    assert!(pins[1] <= pins[0] + 100, "{pins:?} pages read by a thousand inserts");
    let walk = walk(&index);
    assert_eq!((walk.vertices, walk.orphans), (5, 0));
    let rows: Vec<_> = (0..ROWS + 4).map(tid).collect();
    assert!(walk.rows == rows, "rows are missing or doubled");
    let least = ROWS * 6 / 8192;
    assert!(store.len() as usize <= least + least / 10 + 10, "{} pages, at least {least}", store.len());
    assert_eq!(found(&mut index, &[7.0; DIMS], ROWS).len(), ROWS);
}
