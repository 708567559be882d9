//! Builds in memory.

use super::*;
use crate::{Error, Index};
use kite_pages::{FaultStore, PageStore};

#[test]
fn every_row_is_on_the_pages_once_and_can_be_reached() {
    let values = clustered(2000, 12, 1);
    let (store, built) = build(&options(spec(12)), ROOMY, dense(&values, 12));
    let walk = Walk::of(&store);
    assert_eq!(rows_of(&walk), (0..2000).collect::<Vec<_>>());
    assert_eq!((built.rows, built.vertices, built.parts, built.pages), (2000, 2000, 1, store.len()));
    let index = Index::open(&store).unwrap();
    assert_eq!(index.meta.frame, 1);
    assert!(walk.reachable(index.meta.entry) > 1990);
    assert!(walk.vertices.iter().all(|vertex| vertex.together));
}

#[test]
fn links_lead_both_ways_unless_a_list_was_full() {
    let values = clustered(1200, 6, 2);
    let (store, _) = build(&options(spec(6)), ROOMY, dense(&values, 6));
    let walk = Walk::of(&store);
    let (mut all, mut both) = (0, 0);
    for vertex in &walk.vertices {
        for (near, _) in &vertex.lists[0] {
            all += 1;
            both += usize::from(walk.at(*near).lists[0].iter().any(|(back, _)| *back == vertex.link));
        }
    }
    assert!(both * 10 > all * 8, "{both} of {all}");
}

#[test]
fn scans_find_the_nearest() {
    let values = clustered(1500, 12, 3);
    let (store, _) = build(&options(spec(12)), ROOMY, dense(&values, 12));
    let recall = recall(&store, &values, 12, 80);
    assert!(recall > 0.95, "{recall}");
}

#[test]
fn the_same_rows_give_the_same_bytes_whatever_the_threads() {
    let values = clustered(1500, 8, 4);
    let build = |threads| build(&options(spec(8)), Resources { threads, ..ROOMY }, dense(&values, 8)).0;
    let one = bytes(&build(1));
    assert!(one == bytes(&build(2)) && one == bytes(&build(3)));
}

#[test]
fn what_is_near_lies_near() {
    let values = clustered(2000, 16, 5);
    let (store, _) = build(&options(spec(16)), ROOMY, dense(&values, 16));
    let walk = Walk::of(&store);
    let distance = |a: &walk::Found, b: &walk::Found| {
        let row_of = |found: &walk::Found| &values[row(found.tids[0]) * 16..][..16];
        f64::from((kite_kernels::kernels().f32.l2_squared)(row_of(a), row_of(b)))
    };
    // Vertices are found in the order of the pages.
    let neighbours: f64 = walk.vertices.windows(2).map(|pair| distance(&pair[0], &pair[1])).sum();
    let strangers: f64 =
        walk.vertices.iter().zip(walk.vertices.iter().skip(1000)).map(|(a, b)| distance(a, b)).sum();
    assert!(neighbours / 1999.0 < 0.5 * strangers / 1000.0, "{neighbours} {strangers}");
}

#[test]
fn pages_are_full() {
    let values = clustered(2000, 16, 6);
    let (store, built) = build(&options(spec(16)), ROOMY, dense(&values, 16));
    let room: usize =
        (1..store.len()).map(|block| store.read(block).unwrap().sound().unwrap().room().unwrap()).sum();
    assert!(room < built.pages as usize * 8192 / 10, "{room} of {} pages", built.pages);
}

#[test]
fn equal_rows_share_a_vertex() {
    let mut values = clustered(50, 4, 7);
    // The first row again, 20,000 times.
    for _ in 0..20_000 {
        values.extend_from_within(..4);
    }
    let resources = Resources { threads: 1, memory: ENOUGH };
    let (store, built) = build(&options(spec(4)), resources, dense(&values, 4));
    assert_eq!((built.rows, built.vertices), (20_050, 50));
    assert!(built.memory < 600_000 && built.pages < 30, "{built:?}");
    let walk = Walk::of(&store);
    assert_eq!(rows_of(&walk), (0..20_050).collect::<Vec<_>>());
    assert_eq!(walk.vertices.iter().map(|vertex| vertex.tids.len()).max(), Some(20_001));
}

#[test]
fn none_and_few_rows() {
    for rows in [0, 1, 2, 9] {
        let values = clustered(rows, 5, 8);
        let (store, built) = build(&options(spec(5)), ROOMY, dense(&values, 5));
        assert_eq!(built.rows, rows as u64);
        assert_eq!(rows_of(&Walk::of(&store)), (0..rows).collect::<Vec<_>>());
        // So few vertices have no codes.
        assert_eq!(Index::open(&store).unwrap().meta.frame, 0);
    }
}

#[test]
fn zero_vectors_are_left_out_under_cosine_distance() {
    let options = options(Spec { metric: Metric::Cosine, ..spec(3) });
    let mut builder = Builder::new(&options, ROOMY, TempFiles::default()).unwrap();
    assert_eq!(builder.push(tid(0), Value::F32(&[0.0; 3])), Ok(false));
    assert_eq!(builder.push(tid(1), Value::F32(&[1.0; 3])), Ok(true));
    assert!(builder.push(tid(2), Value::F32(&[1.0; 4])).is_err());
    assert!(builder.push(tid(2), Value::F32(&[f32::NAN; 3])).is_err());
    let store = MemStore::new();
    assert_eq!(builder.finish(&store, &endless()).unwrap().rows, 1);
}

#[test]
fn the_host_ends_it() {
    let values = clustered(1500, 4, 9);
    let mut looks = 0;
    loop {
        let builder = pushed(&options(spec(4)), ROOMY, dense(&values, 4));
        let store = MemStore::new();
        match builder.finish(&store, &Looks(Cell::new(looks))) {
            Ok(_) => break,
            Err(error) => assert_eq!(error, Error::Interrupted),
        }
        assert!(Index::open(&store).is_err());
        looks = looks * 2 + 1;
    }
    assert!(looks > 1000);
}

#[test]
fn what_a_failure_leaves_is_no_index() {
    let values = clustered(300, 8, 10);
    let build = |fail_at| {
        let store = FaultStore::new(MemStore::new());
        let builder = pushed(&options(spec(8)), ROOMY, dense(&values, 8));
        store.fail_at(fail_at);
        (builder.finish(&store, &endless()), store)
    };
    let (built, store) = build(None);
    assert!(built.is_ok() && Index::open(store.inner()).is_ok());
    let operations = store.operations();
    for at in (0..operations).step_by(operations as usize / 12).chain([operations - 1]) {
        let (built, store) = build(Some(at));
        assert_eq!(built.unwrap_err(), Error::Pages(kite_pages::Error::Injected));
        assert!(Index::open(store.inner()).is_err(), "after operation {at}");
    }
}

#[test]
fn a_crash_before_the_last_record_leaves_no_index() {
    let values = clustered(300, 8, 11);
    let store = MemStore::logged();
    pushed(&options(spec(8)), ROOMY, dense(&values, 8)).finish(&store, &endless()).unwrap();
    let records = store.records();
    for count in 0..records {
        assert!(Index::open(&store.replay(count)).is_err(), "after {count} of {records} records");
    }
    assert!(Index::open(&store.replay(records)).is_ok());
}

#[test]
fn a_store_in_use_is_refused() {
    let (store, _) = build(&options(spec(2)), ROOMY, [Value::F32(&[1.0, 2.0])]);
    let builder = pushed(&options(spec(2)), ROOMY, [Value::F32(&[1.0, 2.0])]);
    assert!(matches!(builder.finish(&store, &endless()), Err(Error::Options(_))));
}
