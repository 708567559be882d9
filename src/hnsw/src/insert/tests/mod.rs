//! Indexes that only inserts have made.

mod crash;
mod dead;
mod kinds;
mod rows;
mod threads;
mod walk;

use crate::testing::{Exact, built, number, spec, tid, vectors};
use crate::{Index, Options, ScanOptions};
use kite_codecs::{Metric, PayloadKind, Spec, Value};
use kite_pages::{MemStore, PageStore};
use walk::walk;

const DIMS: usize = 24;

fn options(spec: Spec) -> Options {
    Options { spec, m: 8, ef_construction: 40, seed: 3 }
}

/// Inserts vectors as rows from `first` on.
fn insert<S: PageStore>(index: &mut Index<'_, S>, first: usize, data: &[Vec<f32>]) {
    for (n, vector) in (first..).zip(data) {
        assert!(index.insert(tid(n), Value::F32(vector)).unwrap());
    }
}

/// The numbers of the rows that a search finds.
fn found<S: PageStore>(index: &mut Index<'_, S>, query: &[f32], ef: usize) -> Vec<usize> {
    let options = ScanOptions { ef, ..ScanOptions::default() };
    let mut scan = index.scan(Some(Value::F32(query)), options).unwrap();
    std::iter::from_fn(|| scan.next_row().unwrap()).take(ef).map(|row| number(row.tid)).collect()
}

/// Of the ten nearest, the share found among `ef`.
fn recall<S: PageStore>(index: &mut Index<'_, S>, data: &[Vec<f32>], ef: usize) -> f64 {
    let exact = Exact::new(index.options().spec, data);
    let queries = vectors(100, DIMS, 99);
    let hits = |query: &Vec<f32>| {
        let found = found(index, query, ef);
        exact.nearest(query, 10, |_| true).iter().filter(|n| found.contains(n)).count()
    };
    queries.iter().map(hits).sum::<usize>() as f64 / (queries.len() * 10) as f64
}

#[test]
fn inserted_rows_are_found_as_well_as_built_ones() {
    let data = vectors(1200, DIMS, 1);
    for (metric, payload, bits) in [(Metric::L2, PayloadKind::Sq8, 0), (Metric::Cosine, PayloadKind::Half, 1)]
    {
        let (store, other) = (MemStore::new(), MemStore::new());
        let options = options(spec(metric, payload, bits, DIMS));
        let mut index = Index::create(&store, &options).unwrap();
        insert(&mut index, 0, &data[..600]);
        index.learn().unwrap();
        insert(&mut index, 600, &data[600..]);
        let mut built = built(&other, &options, &data);
        let (inserted, built) = (recall(&mut index, &data, 40), recall(&mut built, &data, 40));
        assert!(inserted >= built - 0.005, "{metric}: {inserted} inserted, {built} built");
        let walk = walk(&index);
        assert_eq!(walk.rows, (0..1200).map(tid).collect::<Vec<_>>());
        assert_eq!((walk.vertices, walk.orphans), (1200, 0));
        // Lists as short as these do not always have a slot for one that nothing else leads to.
        assert!(walk.unreached.len() <= 2, "{:?}", walk.unreached);
        assert!(walk.apart < 600, "{} lists are apart from their vertices", walk.apart);
    }
}

/// An index that begins empty has no frame for its codes. It learns one as it grows, and then all lists get codes.
#[test]
fn an_index_that_began_empty_learns_its_frame() {
    let data = vectors(2400, DIMS, 2);
    let store = MemStore::new();
    let mut index = Index::create(&store, &options(spec(Metric::L2, PayloadKind::Sq8, 1, DIMS))).unwrap();
    insert(&mut index, 0, &data[..1000]);
    let before = walk(&index);
    assert_eq!((index.meta.frame, before.coded), (0, 0));
    insert(&mut index, 1000, &data[1000..]);
    let after = walk(&index);
    assert_eq!((index.meta.frame, after.codeless, after.orphans), (1, 0, 0));
    assert!(recall(&mut index, &data, 60) >= 0.90);
}

/// Two frames are learned at once: one is used, and the other's chain is given back.
#[test]
fn a_frame_that_came_too_late_is_given_up() {
    let data = vectors(600, DIMS, 3);
    let store = MemStore::new();
    let options = options(spec(Metric::L2, PayloadKind::Sq8, 1, DIMS));
    let mut late = Index::create(&store, &options).unwrap();
    insert(&mut late, 0, &data);
    let mut early = Index::open(&store).unwrap();
    early.learn().unwrap();
    let frame = early.scorer().frame().cloned();
    assert!(frame.is_some() && late.meta.frame == 0);
    late.learn().unwrap();
    assert_eq!((late.meta.frame, late.scorer().frame().cloned()), (1, frame));
    assert_eq!((late.meta.frame_chain, walk(&late).codeless), (early.meta.frame_chain, 0));
}

/// A list without codes that a link is added to gets codes then.
#[test]
fn lists_without_codes_are_recoded_when_they_are_touched() {
    let data = vectors(600, DIMS, 4);
    let store = MemStore::new();
    let options = options(spec(Metric::L2, PayloadKind::Sq8, 2, DIMS));
    let mut index = Index::create(&store, &options).unwrap();
    insert(&mut index, 0, &data[..300]);
    assert!(index.set_frame().unwrap());
    assert_eq!(walk(&index).coded, 0);
    insert(&mut index, 300, &data[300..]);
    let walk = walk(&index);
    assert!(walk.coded > 10 * walk.codeless, "{} coded, {} not", walk.coded, walk.codeless);
    assert!(recall(&mut index, &data, 40) >= 0.90);
}

#[test]
fn what_is_not_indexed_is_refused_or_passed_over() {
    let store = MemStore::new();
    let options = options(spec(Metric::Cosine, PayloadKind::Sq8, 1, DIMS));
    let mut index = Index::create(&store, &options).unwrap();
    assert_eq!(index.insert(tid(0), Value::F32(&[0.0; DIMS])), Ok(false));
    assert!(index.insert(tid(0), Value::F32(&[1.0; DIMS - 1])).is_err());
    assert!(index.insert(tid(0), Value::F32(&[f32::NAN; DIMS])).is_err());
    assert!(index.insert(tid(0), Value::Bits(&[0; 3])).is_err());
    assert_eq!(walk(&index).rows, []);
    assert_eq!(index.insert(tid(0), Value::F32(&[1.0; DIMS])), Ok(true));
    assert_eq!(found(&mut index, &[0.5; DIMS], 5), [0]);
}
