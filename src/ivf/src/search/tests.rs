use super::*;
use crate::testing::{Exact, built, kinds, number, options, rows, values};
use crate::{Codes, Index, Payload};
use kite_codecs::{Metric, OwnedValue, Value, VectorType};
use kite_pages::MemStore;

const DIMS: usize = 32;

fn index<'s>(
    store: &'s MemStore,
    metric: Metric,
    codes: Codes,
    payload: Payload,
) -> (Index<'s, MemStore>, Vec<OwnedValue>) {
    let data = values(VectorType::Vector, 1500, DIMS, 1);
    (built(store, &options(metric, codes, payload, DIMS), &data), data)
}

fn numbers(found: &[Row]) -> Vec<usize> {
    let mut numbers: Vec<usize> = found.iter().map(|row| number(row.tid)).collect();
    numbers.sort_unstable();
    numbers
}

/// What a row is ordered by.
fn value(row: &Row) -> f64 {
    match row.distance {
        Distance::Exact(value) | Distance::AtLeast(value) | Distance::Estimate(value) => value,
        Distance::Unordered => panic!("the query has an order"),
    }
}

#[test]
fn a_scan_that_goes_on_gives_every_row_once() {
    for (codes, payload) in kinds() {
        let store = MemStore::new();
        let (mut index, data) = index(&store, Metric::L2, codes, payload);
        let options = ScanOptions { probes: 2, order: Order::Relaxed, ..ScanOptions::default() };
        let found = rows(&mut index, &data[3], options, usize::MAX);
        assert_eq!(numbers(&found), (0..1500).collect::<Vec<_>>(), "{codes:?} {payload:?}");
    }
}

#[test]
fn strict_order_is_kept_over_all_lists() {
    for (codes, payload) in kinds() {
        let store = MemStore::new();
        let (mut index, data) = index(&store, Metric::Cosine, codes, payload);
        let options = ScanOptions { probes: 2, order: Order::Strict, ..ScanOptions::default() };
        let mut last = f64::NEG_INFINITY;
        let found = rows(&mut index, &data[3], options, usize::MAX);
        for row in &found {
            assert!(value(row) >= last);
            last = value(row);
        }
        // Rows are the same for the executor, however many codes made out to be farther than they are.
        assert!(found.len() >= 1480, "{codes:?} {payload:?}: {}", found.len());
    }
}

/// Where it is known how many rows are wanted, as many come, in order, though the first lists have fewer and codes err; with a
/// filter, too.
#[test]
fn a_known_limit_gets_its_rows_in_strict_order() {
    for (codes, payload) in kinds() {
        let store = MemStore::new();
        let (mut index, data) = index(&store, Metric::L2, codes, payload);
        for (limit, share) in
            [(10, 1), (10, 100), (15, 100), (16, 100), (1000, 1), (1499, 1), (1500, 1), (5000, 1)]
        {
            let options = ScanOptions { probes: 1, order: Order::Strict, limit, ..ScanOptions::default() };
            let options = ScanOptions { rows: if share == 1 { limit } else { 0 }, ..options };
            let mut scan = index.scan(Some(data[3].as_ref()), options).unwrap();
            let (mut last, mut tids) = (f64::NEG_INFINITY, Vec::new());
            while tids.len() < limit
                && let Some(row) = scan.next_row_if(|tid| Ok(number(tid).is_multiple_of(share))).unwrap()
            {
                assert!(value(&row) >= last);
                last = value(&row);
                tids.push(number(row.tid));
            }
            assert_eq!(tids.len(), limit.min(1500 / share), "{codes:?} {payload:?} {limit} of {share}");
            tids.sort_unstable();
            tids.dedup();
            assert_eq!(tids.len(), limit.min(1500 / share));
        }
    }
}

#[test]
fn probes_bound_what_is_read() {
    let store = MemStore::new();
    let (mut index, data) = index(&store, Metric::L2, Codes::RabitQ { bits: 1 }, Payload::Sq8);
    let mut ends = Vec::new();
    for (probes, max_probes, order) in [
        (1, 100, Order::Off),
        (3, 100, Order::Off),
        (3, 2, Order::Off),
        (2, 5, Order::Relaxed),
        (2, 100, Order::Relaxed),
    ] {
        let options = ScanOptions { probes, max_probes, order, ..ScanOptions::default() };
        let mut scan = index.scan(Some(data[0].as_ref()), options).unwrap();
        let mut count = 0;
        while scan.next_row().unwrap().is_some() {
            count += 1;
        }
        assert!(count > 0 && count <= scan.scanned());
        ends.push((scan.probed(), scan.ended_by()));
    }
    assert_eq!(ends, [(1, None), (3, None), (2, None), (5, Some(Limit::Probes)), (12, None)]);
}

#[test]
fn a_filter_is_asked_once_and_filled() {
    let store = MemStore::new();
    let (mut index, data) = index(&store, Metric::L2, Codes::RabitQ { bits: 2 }, Payload::Sq8);
    let options = ScanOptions { probes: 1, order: Order::Relaxed, ..ScanOptions::default() };
    let mut scan = index.scan(Some(data[5].as_ref()), options).unwrap();
    let (mut asked, mut found) = (std::collections::HashSet::new(), Vec::new());
    while found.len() < 10
        && let Some(row) = scan
            .next_row_if(|tid| {
                assert!(asked.insert(tid));
                Ok(number(tid).is_multiple_of(50))
            })
            .unwrap()
    {
        found.push(number(row.tid));
    }
    assert!(found.len() == 10 && found.iter().all(|n| n % 50 == 0));
    let refused = crate::Error::Options("no");
    let mut scan = index.scan(Some(data[5].as_ref()), options).unwrap();
    assert_eq!(scan.next_row_if(|_| Err(refused)), Err(refused));
}

#[test]
fn a_range_ends_the_scan() {
    let store = MemStore::new();
    let (mut index, data) = index(&store, Metric::L2, Codes::None, Payload::Full);
    let exact = Exact::new(&index.options(), &data);
    let near = exact.nearest(&data[9], 30, |_| true);
    let within = exact.distance(&data[9], near[29]);
    let options = ScanOptions { probes: 4, order: Order::Relaxed, within, ..ScanOptions::default() };
    let mut scan = index.scan(Some(data[9].as_ref()), options).unwrap();
    let mut found = Vec::new();
    while let Some(row) = scan.next_row().unwrap() {
        found.push(row);
    }
    let mut near = near;
    near.sort_unstable();
    assert_eq!(numbers(&found), near);
    assert!(scan.probed() < 12, "{}", scan.probed());
}

#[test]
fn few_payloads_are_read() {
    let store = MemStore::new();
    let (mut index, data) = index(&store, Metric::L2, Codes::RabitQ { bits: 2 }, Payload::Sq8);
    let mut ranked = Vec::new();
    for epsilon in [0.5, 1.9, 4.0, f32::INFINITY] {
        let options = ScanOptions { probes: 12, epsilon, ..ScanOptions::default() };
        let mut scan = index.scan(Some(data[0].as_ref()), options).unwrap();
        for _ in 0..10 {
            scan.next_row().unwrap();
        }
        ranked.push(scan.ranked());
    }
    assert!(ranked.is_sorted() && ranked[1] < 400 && ranked[3] == 1500, "{ranked:?}");
}

#[test]
fn queries_without_an_order_return_all() {
    for (codes, payload) in kinds() {
        let store = MemStore::new();
        let (mut index, _) = index(&store, Metric::Cosine, codes, payload);
        for query in [None, Some(Value::F32(&[0.0; DIMS]))] {
            let options = ScanOptions { order: Order::Relaxed, ..ScanOptions::default() };
            let mut scan = index.scan(query, options).unwrap();
            let mut count = 0;
            while let Some(row) = scan.next_row().unwrap() {
                assert_eq!(row.distance, Distance::Unordered);
                count += 1;
            }
            assert_eq!(count, 1500);
        }
    }
}

#[test]
fn little_memory_changes_nothing() {
    let store = MemStore::new();
    let data = values(VectorType::Vector, 9000, 8, 2);
    let mut index = built(&store, &options(Metric::L2, Codes::RabitQ { bits: 1 }, Payload::Sq8, 8), &data);
    let scan = |index: &mut Index<'_, MemStore>, memory| {
        let options = ScanOptions { probes: 12, memory, order: Order::Relaxed, ..ScanOptions::default() };
        rows(index, &data[1], options, usize::MAX)
    };
    let (much, little) = (scan(&mut index, 1 << 30), scan(&mut index, 0));
    assert_eq!(numbers(&much), numbers(&little));
    assert_eq!(much[..20], little[..20]);
}

#[test]
fn queries_of_another_kind_are_refused() {
    let store = MemStore::new();
    let (mut index, _) = index(&store, Metric::L2, Codes::None, Payload::Full);
    assert!(index.scan(Some(Value::F32(&[1.0; 3])), ScanOptions::default()).is_err());
    assert!(index.scan(Some(Value::Bits(&[1; 4])), ScanOptions::default()).is_err());
    let kept = index.keep();
    let mut again = Index::with(&store, kept);
    assert_eq!(again.scan(Some(Value::F32(&[1.0; DIMS])), ScanOptions::default()).unwrap().probed(), 0);
}
