use crate::format::{BODY, Link};
use crate::testing::{built, kinds, number, options, recall, rows, tid, values};
use crate::{Codes, Index, Options, Order, Payload, ScanOptions};
use kite_codecs::{Metric, OwnedValue, Value, VectorType};
use kite_pages::{FaultStore, MemStore, PageStore};

const DIMS: usize = 24;

fn everything() -> ScanOptions {
    ScanOptions { order: Order::Relaxed, ..ScanOptions::default() }
}

#[test]
fn rows_are_found_as_in_a_built_index() {
    let data = values(VectorType::Vector, 1200, DIMS, 1);
    let queries = values(VectorType::Vector, 10, DIMS, 1);
    for (codes, payload) in kinds() {
        for built_first in [true, false] {
            let options = options(Metric::Cosine, codes, payload, DIMS);
            let store = MemStore::new();
            let first = if built_first { 700 } else { 0 };
            let mut index = built(&store, &options, &data[..first]);
            for (n, value) in data.iter().enumerate().skip(first) {
                assert!(index.insert(tid(n), value.as_ref()).unwrap());
            }
            let report = index.check().unwrap();
            assert!(report.is_clean() && report.rows == 1200, "{report:?}");
            let all = ScanOptions { probes: usize::MAX, epsilon: f32::INFINITY, ..ScanOptions::default() };
            let found = recall(&mut index, &data, &queries, all, 10);
            let least = if options.settle().unwrap().payload == Payload::None { 0.2 } else { 1.0 };
            assert!(found >= least, "{codes:?} {payload:?} {built_first}: {found}");
        }
    }
}

#[test]
fn payloads_longer_than_a_page() {
    for (codes, payload) in [(Codes::None, Payload::Full), (Codes::RabitQ { bits: 1 }, Payload::Full)] {
        let data = values(VectorType::Vector, 25, 2500, 3);
        let store = MemStore::new();
        let mut index = built(&store, &options(Metric::L2, codes, payload, 2500), &data[..5]);
        for (n, value) in data.iter().enumerate().skip(5) {
            index.insert(tid(n), value.as_ref()).unwrap();
        }
        let report = index.check().unwrap();
        assert!(report.is_clean() && report.orphans == 0 && report.gone == 0, "{report:?}");
        assert_eq!(rows(&mut index, &data[7], everything(), 1)[0].tid, tid(7));
    }
}

#[test]
fn a_row_is_one_record() {
    let data = values(VectorType::Vector, 600, DIMS, 5);
    let store = MemStore::logged();
    Index::create(&store, &options(Metric::L2, Codes::RabitQ { bits: 1 }, Payload::Sq8, DIMS)).unwrap();
    let mut index = Index::open(&store).unwrap();
    for (n, value) in data.iter().enumerate() {
        let before = store.records();
        index.insert(tid(n), value.as_ref()).unwrap();
        assert_eq!(store.records(), before + 1);
    }
}

/// Whichever operation of the store fails, the index stays sound, and has all rows whose inserts have succeeded.
#[test]
fn failures_leave_a_sound_index() {
    for (codes, payload, dims) in [
        (Codes::RabitQ { bits: 1 }, Payload::Sq8, DIMS),
        (Codes::None, Payload::Full, DIMS),
        (Codes::RabitQ { bits: 1 }, Payload::Full, 2500),
    ] {
        let data = values(VectorType::Vector, 40, dims, 7);
        let mem = MemStore::new();
        built(&mem, &Options { lists: 2, ..options(Metric::L2, codes, payload, dims) }, &data[..10]);
        let store = FaultStore::new(mem);
        let mut index = Index::open(&store).unwrap();
        let (mut failed, mut there) = (0, 10);
        for (n, value) in data.iter().enumerate().skip(10) {
            for operation in 0.. {
                store.fail_at(Some(operation));
                let outcome = index.insert(tid(n), value.as_ref());
                store.fail_at(None);
                let report = index.check().unwrap();
                let again = outcome.is_err() && report.rows == there + 1;
                assert!(report.is_clean(), "{report:?}");
                if outcome.is_ok() || again {
                    there += 1;
                    break;
                }
                failed += 1;
                assert_eq!(report.rows, there);
            }
        }
        assert!(failed > 50, "{failed}");
    }
}

#[test]
fn bad_values_are_refused() {
    let store = MemStore::new();
    let mut index = built(&store, &options(Metric::L2, Codes::None, Payload::Full, 3), &[]);
    let bad = [[1.0, 2.0].as_slice(), &[1.0, f32::NAN, 0.0], &[f32::INFINITY, 0.0, 0.0], &[0.0; 4]];
    for value in bad {
        assert!(index.insert(tid(1), Value::F32(value)).is_err());
    }
    assert!(index.insert(tid(1), OwnedValue::Bits(vec![1]).as_ref()).is_err());
    assert_eq!(index.info().unwrap().rows, 0);
    let pages = store.len();
    assert!(index.insert(tid(1), Value::F32(&[0.0; 3])).unwrap());
    assert!(store.len() <= pages + 1);
}

#[test]
fn drift_is_measured() {
    let data = values(VectorType::Vector, 1000, DIMS, 9);
    let store = MemStore::new();
    let mut index = built(&store, &options(Metric::L2, Codes::RabitQ { bits: 1 }, Payload::Sq8, DIMS), &data);
    let drift = index.info().unwrap().drift();
    assert!((drift - 1.0).abs() < 1e-3, "{drift}");
    for (n, value) in data.iter().enumerate() {
        let OwnedValue::F32(vector) = value else { panic!("dense") };
        let moved: Vec<f32> = vector.iter().map(|x| x + 3.0).collect();
        index.insert(tid(2000 + n), Value::F32(&moved)).unwrap();
    }
    let drift = index.info().unwrap().drift();
    assert!(drift > 3.0, "{drift}");
}

/// Writers add to chains of their own; readers and the check see all of it.
#[test]
fn threads_insert_into_one_list() {
    let data = values(VectorType::Vector, 800, DIMS, 11);
    let store = MemStore::new();
    Index::create(&store, &options(Metric::L2, Codes::RabitQ { bits: 1 }, Payload::Sq8, DIMS)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (store, data) = (&store, &data);
            scope.spawn(move || {
                let mut index = Index::open(store).unwrap();
                for n in (thread..800).step_by(4) {
                    assert!(index.insert(tid(n), data[n].as_ref()).unwrap());
                }
            });
        }
    });
    let mut index = Index::open(&store).unwrap();
    let report = index.check().unwrap();
    assert!(report.is_clean() && report.rows == 800, "{report:?}");
    let mut found: Vec<usize> =
        rows(&mut index, &data[0], everything(), 1000).iter().map(|row| number(row.tid)).collect();
    found.sort_unstable();
    assert_eq!(found, (0..800).collect::<Vec<_>>());
}

/// Sessions that come one after the other fill what the ones before have begun; those that have met go to chains of their own.
#[test]
fn writers_share_a_chain_until_they_meet() {
    const WRITERS: usize = 12;
    let data = values(VectorType::Vector, 2 * WRITERS, DIMS, 13);
    for (crowded, shared) in [(false, true), (true, false)] {
        let store = MemStore::new();
        Index::create(&store, &options(Metric::L2, Codes::RabitQ { bits: 1 }, Payload::Sq8, DIMS)).unwrap();
        for (writer, values) in data.chunks_exact(2).enumerate() {
            let (store, n) = (&store, 2 * writer);
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    let mut index = Index::open(store).unwrap();
                    assert!(index.insert(tid(n), values[0].as_ref()).unwrap());
                    if crowded {
                        assert!(index.quantiser.set_crowded(0) && !index.quantiser.set_crowded(0));
                        index.quantiser.set_open(0, Link::NONE);
                    }
                    assert!(index.insert(tid(n + 1), values[1].as_ref()).unwrap());
                });
            });
        }
        let index = Index::open(&store).unwrap();
        let anchor = index.quantiser.anchors[0];
        let page = store.read(anchor.block()).unwrap();
        let found = anchor.anchor(page.view(BODY).unwrap()).unwrap().unwrap();
        let others = found.chains[2..].iter().filter(|chain| !chain.is_none()).count();
        assert!(!found.chains[1].is_none() && (others == 0) == shared, "{crowded}: {others}");
        drop(page);
        let (mut index, mut all) = (index, Vec::new());
        all.extend(rows(&mut index, &data[0], everything(), 1000).iter().map(|row| number(row.tid)));
        all.sort_unstable();
        assert_eq!(all, (0..2 * WRITERS).collect::<Vec<_>>());
    }
}
