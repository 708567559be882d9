//! Several writers at once.

use super::walk::walk;
use super::{DIMS, insert, options, recall};
use crate::testing::{spec, tid, vectors};
use crate::{Index, Options};
use kite_codecs::{Metric, PayloadKind, Value};
use kite_pages::{MemStore, PageStore};
use std::sync::Barrier;
use std::thread;

const THREADS: usize = 4;

/// An index into which threads insert these vectors at once, each every fourth.
fn inserted(store: &MemStore, options: &Options, data: &[Vec<f32>]) {
    Index::create(store, options).unwrap();
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for first in 0..THREADS {
            let start = &start;
            scope.spawn(move || {
                let mut index = Index::open(store).unwrap();
                start.wait();
                for n in (first..data.len()).step_by(THREADS) {
                    assert!(index.insert(tid(n), Value::F32(&data[n])).unwrap());
                }
            });
        }
    });
}

#[test]
fn four_threads_lose_nothing() {
    let data = vectors(2000, DIMS, 7);
    let store = MemStore::new();
    store.refuse_out_of_order(true);
    inserted(&store, &options(spec(Metric::L2, PayloadKind::Sq8, 1, DIMS)), &data);
    let mut index = Index::open(&store).unwrap();
    let walk = walk(&index);
    assert_eq!(walk.rows, (0..2000).map(tid).collect::<Vec<_>>());
    assert_eq!(walk.orphans, 0);
    assert!(walk.unreached.len() <= 4, "{:?}", walk.unreached);
    assert!(walk.coded > 20 * walk.codeless, "{} lists have codes, {} have not", walk.coded, walk.codeless);
    assert!(recall(&mut index, &data, 60) >= 0.90);
}

#[test]
fn four_threads_with_equal_vectors() {
    let data = vec![vec![3.0; DIMS]; 8000];
    let store = MemStore::new();
    inserted(&store, &options(spec(Metric::Cosine, PayloadKind::Sq8, 1, DIMS)), &data);
    let walk = walk(&Index::open(&store).unwrap());
    assert!(walk.rows == (0..8000).map(tid).collect::<Vec<_>>(), "rows are missing or doubled");
    // Those that came first at the same time have a vertex each.
    assert!(walk.vertices <= THREADS && walk.unreached.is_empty());
}

/// The first vertices come at once, and each is found.
#[test]
fn an_empty_index_has_many_firsts() {
    let data = vectors(THREADS, DIMS, 8);
    for _ in 0..100 {
        let store = MemStore::new();
        inserted(&store, &options(spec(Metric::L2, PayloadKind::Full, 0, DIMS)), &data);
        let walk = walk(&Index::open(&store).unwrap());
        assert_eq!((walk.vertices, walk.unreached, walk.orphans), (THREADS, vec![], 0));
    }
}

/// The same race, step by step: another vertex becomes the entry point after the search found none.
#[test]
fn a_first_vertex_that_comes_second_links_to_the_first() {
    let data = vectors(2, DIMS, 9);
    let store = MemStore::new();
    let mut second = Index::create(&store, &options(spec(Metric::L2, PayloadKind::Full, 0, DIMS))).unwrap();
    let mut payload = Vec::new();
    second.scorer().encode(Value::F32(&data[1]), &mut payload).unwrap();
    let mut new = second.describe(tid(1), Value::F32(&data[1]), &payload);
    let found = second.neighbourhood(&new, true).unwrap();
    new.vertex = Some(second.write_vertex(&new, tid(1), &found.levels).unwrap());
    insert(&mut Index::open(&store).unwrap(), 0, &data[..1]);
    second.link_in(&mut new, found).unwrap();
    let walk = walk(&Index::open(&store).unwrap());
    assert_eq!((walk.rows, walk.unreached), (vec![tid(0), tid(1)], vec![]));
    assert!(store.len() > 1);
}
