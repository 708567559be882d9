//! Queries against exact search.

use super::*;
use crate::testing::{Exact, built, crowd, number, spec, tid, vectors};
use crate::{Error, Index, Options};
use kite_codecs::{Metric, PayloadKind, Spec, Value};
use kite_pages::{ItemPointer, MemStore};

const DIMS: usize = 24;

fn options(spec: Spec) -> Options {
    Options { spec, m: 8, ef_construction: 40, seed: 3 }
}

fn rows(index: &mut Index<'_, MemStore>, query: &[f32], options: ScanOptions, most: usize) -> Vec<Row> {
    let mut scan = index.scan(Some(Value::F32(query)), options).unwrap();
    std::iter::from_fn(|| scan.next_row().unwrap()).take(most).collect()
}

/// Of the `k` nearest, the share found among the first `k` by what the executor's recheck makes of them.
fn recall(index: &mut Index<'_, MemStore>, data: &[Vec<f32>], scan: ScanOptions, k: usize) -> f64 {
    let exact = Exact::new(index.options().spec, data);
    let queries = vectors(60, DIMS, 99);
    let mut hits = 0;
    for query in &queries {
        let found: Vec<usize> = rows(index, query, scan, scan.ef).iter().map(|row| number(row.tid)).collect();
        let found = exact.nearest(query, k, |n| found.contains(&n));
        let truth = exact.nearest(query, k, |_| true);
        hits += truth.iter().filter(|n| found.contains(n)).count();
    }
    hits as f64 / (queries.len() * k) as f64
}

#[test]
fn all_payloads_codes_and_widths_find_the_nearest() {
    let data = vectors(1500, DIMS, 1);
    for (metric, payload, bits, least) in [
        (Metric::L2, PayloadKind::Sq8, 0, 0.94),
        (Metric::L2, PayloadKind::Sq8, 1, 0.93),
        (Metric::Cosine, PayloadKind::Half, 2, 0.95),
        // Few vectors are the nearest of most queries, and the heuristic passes them over.
        (Metric::InnerProduct, PayloadKind::Full, 2, 0.85),
        (Metric::L1, PayloadKind::Sq8, 0, 0.9),
    ] {
        let store = MemStore::new();
        let mut index = built(&store, &options(spec(metric, payload, bits, DIMS)), &data);
        for width in [1, 4] {
            let scan = ScanOptions { ef: 60, width, ..ScanOptions::default() };
            let recall = recall(&mut index, &data, scan, 10);
            assert!(recall >= least, "{metric} {payload:?} {bits} bits, width {width}: {recall}");
        }
    }
}

#[test]
fn a_scan_does_not_go_on_for_rows_that_nobody_wants() {
    let data = vectors(1500, DIMS, 1);
    let store = MemStore::new();
    let mut index = built(&store, &options(spec(Metric::L2, PayloadKind::Sq8, 1, DIMS)), &data);
    let first = |index: &mut Index<'_, MemStore>, wanted, order| {
        let mut scan = index
            .scan(Some(Value::F32(&data[7])), ScanOptions { ef: 20, wanted, order, ..ScanOptions::default() })
            .unwrap();
        let rows: Vec<Row> = std::iter::from_fn(|| scan.next_row().unwrap()).take(20).collect();
        let visits = scan.visits();
        (rows, visits, std::iter::from_fn(|| scan.next_row().unwrap()).count())
    };
    let (batch, visits, rest) = first(&mut index, 0, Order::Off);
    assert_eq!((batch.len(), rest), (20, 0));
    // The whole batch is no more than what a recheck of ten rows may ask for.
    let (rows, seen, rest) = first(&mut index, 10, Order::Strict);
    assert_eq!((&rows, seen), (&batch, visits));
    // Who asks for more all the same gets it.
    assert!(rest >= 1200, "{rest}");
    // What a recheck asks for beyond that was read, too.
    let mut recheck = |order| {
        let options = ScanOptions { ef: 12, wanted: 10, order, ..ScanOptions::default() };
        let mut scan = index.scan(Some(Value::F32(&data[7])), options).unwrap();
        let batch: Vec<Row> = (0..12).map_while(|_| scan.next_row().unwrap()).collect();
        let visits = scan.visits();
        let more: Vec<Row> = (0..12).map_while(|_| scan.next_row().unwrap()).collect();
        (batch, more, visits, scan.visits(), std::iter::from_fn(|| scan.next_row().unwrap()).count())
    };
    let (batch, more, before, after, rest) = recheck(Order::Strict);
    assert_eq!((batch.len(), more.len(), before), (12, 12, after));
    assert_eq!(recheck(Order::Off).0, batch);
    assert!(rest >= 1200, "{rest}");
    let bound = |row: &Row| match row.distance {
        Distance::AtLeast(bound) => bound,
        other => panic!("{other:?}"),
    };
    assert!(batch.iter().chain(&more).map(bound).is_sorted());
    // Where fifteen are wanted nothing is held back, either; where nothing is known, or few are, some is.
    assert_eq!(first(&mut index, 15, Order::Strict).1, visits);
    assert!(first(&mut index, 0, Order::Strict).1 > visits);
    assert!(first(&mut index, 5, Order::Strict).1 > visits);
    // A scan that goes on anyway holds back as much as one of which nothing is known: rows would come too late else.
    assert_eq!(first(&mut index, 1500, Order::Strict).1, first(&mut index, 0, Order::Strict).1);
}

#[test]
fn what_a_scan_has_left_is_nothing_to_the_next() {
    let data = vectors(1200, DIMS, 1);
    let store = MemStore::new();
    let spec = spec(Metric::L2, PayloadKind::Sq8, 1, DIMS);
    let mut kept = built(&store, &options(spec), &data);
    let mut random = fastrand::Rng::with_seed(7);
    for query in vectors(80, DIMS, 98) {
        let order = [Order::Off, Order::Relaxed, Order::Strict][random.usize(..3)];
        let (ef, most) = (random.usize(1..120), random.usize(0..300));
        // Too little memory for what is kept, and enough.
        let memory = if random.bool() { usize::MAX } else { 100_000 };
        let scan = ScanOptions { ef, order, memory, ..ScanOptions::default() };
        let fresh = rows(&mut Index::open(&store).unwrap(), &query, scan, most);
        if memory == usize::MAX {
            assert_eq!(rows(&mut kept, &query, scan, most), fresh, "{scan:?}");
        } else {
            let found = rows(&mut kept, &query, scan, most);
            assert!(found.iter().zip(&fresh).all(|(a, b)| a == b), "{scan:?}");
        }
        // Two at a time.
        let mut other = kept.scan(Some(Value::F32(&data[0])), scan).unwrap();
        assert_eq!(other.next_row().unwrap().map(|row| number(row.tid)), Some(0));
        rows(&mut kept, &query, scan, most);
        assert!(most == 0 || other.next_row().unwrap().is_some() || ef == 1);
    }
}

#[test]
fn a_dense_cluster_is_searched_though_its_codes_are_alike() {
    let dims = 64;
    let data = crowd(1000, 400, dims, 8);
    let exact = Exact::new(spec(Metric::L2, PayloadKind::Full, 0, dims), &data);
    for (payload, bits, least) in [(PayloadKind::Full, 0, 0.98), (PayloadKind::Sq8, 1, 0.9)] {
        let options = Options { m: 16, ..options(spec(Metric::L2, payload, bits, dims)) };
        let store = MemStore::new();
        let mut index = built(&store, &options, &data);
        let found_by = |index: &mut Index<'_, MemStore>| {
            let mut hits = 0;
            for query in data[1000..].iter().step_by(10) {
                let scan = ScanOptions { ef: 40, order: Order::Off, ..ScanOptions::default() };
                let found: Vec<usize> =
                    rows(index, query, scan, 40).iter().map(|row| number(row.tid)).collect();
                hits += exact.nearest(query, 10, |_| true).iter().filter(|n| found.contains(n)).count();
            }
            hits as f64 / 400.0
        };
        let recall = found_by(&mut index);
        assert!(recall >= least, "built, {bits} bits: {recall}");

        let store = MemStore::new();
        let mut index = Index::create(&store, &options).unwrap();
        for (n, row) in data.iter().enumerate() {
            index.insert(tid(n), Value::F32(row)).unwrap();
        }
        let recall = found_by(&mut index);
        assert!(recall >= least, "inserted, {bits} bits: {recall}");
    }
}

#[test]
fn a_scan_goes_on_to_the_last_row_in_order_and_gives_each_once() {
    let data = vectors(700, DIMS, 2);
    for (payload, bits) in [(PayloadKind::Sq8, 1), (PayloadKind::Full, 0)] {
        let store = MemStore::new();
        let mut index = built(&store, &options(spec(Metric::L2, payload, bits, DIMS)), &data);
        let query = &vectors(1, DIMS, 5)[0];
        let far = ScanOptions { ef: 20, order: Order::Relaxed, ..ScanOptions::default() };
        let relaxed = rows(&mut index, query, far, 10_000);
        let mut numbers: Vec<usize> = relaxed.iter().map(|row| number(row.tid)).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..700).collect::<Vec<_>>());

        let strict = rows(&mut index, query, ScanOptions { order: Order::Strict, ..far }, 10_000);
        // One bit of 24 dimensions says little, so that the first batch of 20 has missed some.
        let (most, near) = if payload == PayloadKind::Full { (690, 95) } else { (680, 90) };
        let truth = Exact::new(index.options().spec, &data).nearest(query, 100, |_| true);
        let hits = strict.iter().take(100).filter(|row| truth.contains(&number(row.tid))).count();
        assert!(strict.len() >= most && hits >= near, "{payload:?}: {}, {hits}", strict.len());
        let bound = |row: &Row| match row.distance {
            Distance::AtLeast(bound) | Distance::Exact(bound) => bound,
            Distance::Unordered => panic!("the query has an order"),
        };
        assert!(strict.is_sorted_by(|a, b| bound(a) <= bound(b)));
        assert_eq!(matches!(strict[0].distance, Distance::Exact(_)), payload == PayloadKind::Full);
        let off = rows(&mut index, query, ScanOptions { order: Order::Off, ..far }, 10_000);
        // What a scan that goes on may change is the farther half.
        assert_eq!((off.len(), &off[..10]), (20, &strict[..10]));
    }
}

#[test]
fn a_filter_that_refuses_ends_the_search_at_once() {
    let data = vectors(1000, DIMS, 3);
    let store = MemStore::new();
    let mut index = built(&store, &options(spec(Metric::L2, PayloadKind::Sq8, 1, DIMS)), &data);
    let query = &vectors(1, DIMS, 6)[0];
    let mut visits = |refusing: bool| {
        let (mut asked, options) = (0, ScanOptions { ef: 200, ..ScanOptions::default() });
        let mut scan = index.scan(Some(Value::F32(query)), options).unwrap();
        let answer = scan.next_row_if(|_| {
            asked += 1;
            if refusing && asked == 20 { Err(Error::Interrupted) } else { Ok(asked > 20) }
        });
        assert_eq!(answer.err(), refusing.then_some(Error::Interrupted));
        scan.visits()
    };
    let (ended, whole) = (visits(true), visits(false));
    assert!(ended < 60 && whole > 200, "{ended} of {whole}");
    // The next one works with what it has left.
    assert_eq!(visits(false), whole);
}

#[test]
fn a_filter_gets_as_many_rows_as_there_are_until_the_budget_ends() {
    let data = vectors(1000, DIMS, 3);
    let store = MemStore::new();
    let mut index = built(&store, &options(spec(Metric::L2, PayloadKind::Sq8, 1, DIMS)), &data);
    let query = &vectors(1, DIMS, 6)[0];
    let even = |tid: ItemPointer| Ok(number(tid).is_multiple_of(20));
    let scan = ScanOptions { ef: 10, ..ScanOptions::default() };
    let filtered = |index: &mut Index<'_, MemStore>, scan| {
        let mut scan = index.scan(Some(Value::F32(query)), scan).unwrap();
        let found: Vec<usize> =
            std::iter::from_fn(|| scan.next_row_if(even).unwrap()).map(|row| number(row.tid)).collect();
        (found, scan.visits(), scan.ended_by())
    };
    let (found, _, ended) = filtered(&mut index, ScanOptions { order: Order::Relaxed, ..scan });
    assert_eq!((found.len(), ended), (50, None));
    let exact = Exact::new(index.options().spec, &data);
    assert_eq!(found[..5], exact.nearest(query, 5, |n| n.is_multiple_of(20)));
    let (found, visits, ended) = filtered(&mut index, ScanOptions { max_visits: 100, ..scan });
    assert!(found.len() < 20 && visits < 200, "{} rows of {visits} vertices", found.len());
    assert_eq!(ended, Some(Limit::Visits));
    let (_, small, ended) = filtered(&mut index, ScanOptions { memory: 1, ..scan });
    assert!(small < 80, "{small}");
    assert_eq!(ended, Some(Limit::Memory));
    // Nothing has ended what was not asked to go on.
    let mut first = index.scan(Some(Value::F32(query)), ScanOptions { max_visits: 30, ..scan }).unwrap();
    assert!((0..3).all(|_| first.next_row().unwrap().is_some()) && first.ended_by().is_none());
}

#[test]
fn the_first_ef_rows_are_found_whatever_the_budget() {
    let data = vectors(1000, DIMS, 3);
    for bits in [0, 1] {
        let store = MemStore::new();
        let mut index = built(&store, &options(spec(Metric::L2, PayloadKind::Sq8, bits, DIMS)), &data);
        let query = vectors(1, DIMS, 6).remove(0);
        for order in [Order::Off, Order::Relaxed] {
            let scan = ScanOptions { ef: 100, order, ..ScanOptions::default() };
            let all = rows(&mut index, &query, scan, 100);
            assert_eq!(all.len(), 100);
            for spent in [ScanOptions { max_visits: 1, ..scan }, ScanOptions { memory: 1, ..scan }] {
                let found = rows(&mut index, &query, spent, 100);
                assert!(found == all, "{order:?}, {bits} bits: {} rows", found.len());
                let mut unordered = index.scan(None, spent).unwrap();
                assert!((0..100).all(|_| unordered.next_row().unwrap().is_some()), "{order:?}, {bits} bits");
            }
        }
    }
}

#[test]
fn a_range_ends_the_scan() {
    let data = vectors(2000, DIMS, 4);
    let store = MemStore::new();
    let mut index = built(&store, &options(spec(Metric::L2, PayloadKind::Full, 1, DIMS)), &data);
    let query = &vectors(1, DIMS, 7)[0];
    let scan = ScanOptions { ef: 20, ..ScanOptions::default() };
    let all = rows(&mut index, query, scan, 60);
    let Distance::Exact(within) = all[49].distance else { panic!("full payloads are exact") };
    let mut scan = index.scan(Some(Value::F32(query)), ScanOptions { within, ..scan }).unwrap();
    let found: Vec<Row> = std::iter::from_fn(|| scan.next_row().unwrap()).collect();
    assert_eq!(found, all[..50]);
    assert!(scan.visits() < 1200, "{}", scan.visits());
}

#[test]
fn without_rows_or_order() {
    let store = MemStore::new();
    let options = options(spec(Metric::Cosine, PayloadKind::Sq8, 1, DIMS));
    let mut index = Index::create(&store, &options).unwrap();
    assert_eq!(rows(&mut index, &[1.0; DIMS], ScanOptions::default(), 10), []);

    let store = MemStore::new();
    let mut index = built(&store, &options, &vectors(300, DIMS, 4));
    let mut scan = index.scan(None, ScanOptions::default()).unwrap();
    let found: Vec<Row> = std::iter::from_fn(|| scan.next_row().unwrap()).collect();
    assert_eq!(found.len(), 300);
    assert!(found.iter().all(|row| row.distance == Distance::Unordered));
    assert_eq!(rows(&mut index, &[0.0; DIMS], ScanOptions::default(), 400).len(), 300);
    // The upper levels take nothing of what may be visited.
    let few = ScanOptions { ef: 30, max_visits: 40, ..ScanOptions::default() };
    assert!(rows(&mut index, &[0.0; DIMS], few, 400).len() >= 30);
    assert!(index.scan(Some(Value::F32(&[1.0])), ScanOptions::default()).is_err());
}

/// A payload longer than a page is fetched from its chain; see `insert` for indexes of them.
#[test]
fn rows_are_numbered() {
    assert!((0..1000).all(|n| number(tid(n)) == n));
}

/// Rows are held back by their keys and handed out by their bounds, which are below those by as much as the payload is off: that
/// differs from row to row, and in few dimensions many rows are nearer to each other.
#[test]
fn rows_whose_payloads_are_off_by_more_are_not_late() {
    let mut rng = fastrand::Rng::with_seed(10);
    let data: Vec<Vec<f32>> = (0..30_000).map(|_| (0..3).map(|_| rng.f32()).collect()).collect();
    let store = MemStore::new();
    let options = Options { m: 16, ..options(spec(Metric::L2, PayloadKind::Sq8, 0, 3)) };
    let mut index = built(&store, &options, &data);
    let scan = ScanOptions {
        ef: 40,
        order: Order::Strict,
        max_visits: usize::MAX,
        memory: usize::MAX,
        ..ScanOptions::default()
    };
    let found = rows(&mut index, &data[0], scan, usize::MAX).len();
    assert!(found >= 29_970, "{found}");
}
