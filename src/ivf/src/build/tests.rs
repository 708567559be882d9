use super::*;
use crate::testing::{Alone, ENOUGH, build, built, kinds, options, recall, rows, tid, values};
use crate::{Codes, Error, Index, Options, Order, Payload, Resources, ScanOptions, TempFiles};
use kite_codecs::{Metric, OwnedValue, VectorType};
use kite_pages::{MemStore, PageStore};

const DIMS: usize = 40;

fn all() -> ScanOptions {
    ScanOptions { probes: usize::MAX, epsilon: f32::INFINITY, ..ScanOptions::default() }
}

/// With all lists read and all payloads looked at the answer is exact; with some of them it is nearly so.
#[test]
fn every_kind_of_index_answers() {
    let data = values(VectorType::Vector, 1600, DIMS, 1);
    let queries = values(VectorType::Vector, 20, DIMS, 1);
    for metric in [Metric::L2, Metric::InnerProduct, Metric::Cosine, Metric::L1] {
        for (codes, payload) in kinds() {
            let options = options(metric, codes, payload, DIMS);
            if options.settle().is_err() {
                assert!(metric == Metric::L1 && !matches!(codes, Codes::None | Codes::Sq8));
                continue;
            }
            let store = MemStore::new();
            let mut index = built(&store, &options, &data);
            let report = index.check().unwrap();
            assert!(report.is_clean() && report.rows == 1600, "{metric} {codes:?} {payload:?}: {report:?}");
            let exact = recall(&mut index, &data, &queries, all(), 10);
            let least = match (options.settle().unwrap().payload, codes) {
                (Payload::None, Codes::RabitQ { bits: 1 } | Codes::Pq { .. }) => 0.3,
                (Payload::None, _) => 0.6,
                _ => 1.0,
            };
            assert!(exact >= least, "{metric} {codes:?} {payload:?}: {exact}");
            let some = ScanOptions { probes: 4, ..ScanOptions::default() };
            let near = recall(&mut index, &data, &queries, some, 10);
            assert!(near > exact - 0.25, "{metric} {codes:?} {payload:?}: {near} of {exact}");
        }
    }
}

#[test]
fn every_type_answers() {
    for (vector_type, metrics) in [
        (VectorType::Halfvec, vec![Metric::L2, Metric::InnerProduct, Metric::Cosine, Metric::L1]),
        (VectorType::Bit, vec![Metric::Hamming, Metric::Jaccard]),
    ] {
        let data = values(vector_type, 900, DIMS, 3);
        let queries = values(vector_type, 10, DIMS, 3);
        for metric in metrics {
            let codes = match (vector_type, metric) {
                (VectorType::Bit, _) | (_, Metric::L1) => Codes::None,
                _ => Codes::RabitQ { bits: 2 },
            };
            let options = Options { vector_type, ..options(metric, codes, Payload::Full, DIMS) };
            let store = MemStore::new();
            let mut index = built(&store, &options, &data);
            assert!(index.check().unwrap().is_clean());
            assert_eq!(recall(&mut index, &data, &queries, all(), 10), 1.0, "{vector_type} {metric}");
            assert_eq!(index.lists(), 12);
        }
    }
}

#[test]
fn payloads_longer_than_a_page_are_kept() {
    for (dims, codes, payload) in [
        (2600, Codes::None, Payload::Full),
        (4200, Codes::RabitQ { bits: 1 }, Payload::Half),
        (9000, Codes::Sq8, Payload::Full),
        (2100, Codes::RabitQ { bits: 2 }, Payload::Sq8),
    ] {
        let data = values(VectorType::Vector, 60, dims, 5);
        let options = Options { lists: 3, ..options(Metric::L2, codes, payload, dims) };
        let store = MemStore::new();
        let mut index = built(&store, &options, &data);
        let report = index.check().unwrap();
        assert!(report.is_clean() && report.orphans == 0 && report.gone == 0, "{report:?}");
        assert_eq!(recall(&mut index, &data, &data[..5], all(), 5), 1.0);
    }
}

#[test]
fn threads_change_nothing() {
    let data = values(VectorType::Vector, 1500, DIMS, 9);
    for (codes, payload) in
        [(Codes::RabitQ { bits: 1 }, Payload::Sq8), (Codes::Pq { parts: 8, bits: 4 }, Payload::Full)]
    {
        let pages = |threads| {
            let store = MemStore::new();
            let resources = Resources { threads, ..ENOUGH };
            build(&store, &options(Metric::Cosine, codes, payload, DIMS), resources, &data);
            (0..store.len()).map(|block| *store.read(block).unwrap().bytes()).collect::<Vec<_>>()
        };
        assert!(pages(1) == pages(3));
    }
}

#[test]
fn what_does_not_fit_memory_goes_by_files() {
    let data = values(VectorType::Vector, 4000, DIMS, 11);
    let queries = values(VectorType::Vector, 10, DIMS, 11);
    for (codes, payload) in [
        (Codes::RabitQ { bits: 1 }, Payload::Sq8),
        (Codes::None, Payload::Full),
        (Codes::RabitQ { bits: 2 }, Payload::None),
    ] {
        let options = options(Metric::L2, codes, payload, DIMS);
        let store = MemStore::new();
        let resources = Resources { threads: 2, memory: 160 << 10 };
        let result = build(&store, &options, resources, &data);
        assert!(result.spilled && result.rows == 4000, "{result:?}");
        assert!(result.memory <= resources.memory, "{result:?}");
        let mut index = Index::open(&store).unwrap();
        let report = index.check().unwrap();
        assert!(report.is_clean() && report.rows == 4000, "{report:?}");
        let least = if payload == Payload::None { 0.5 } else { 1.0 };
        let found = recall(&mut index, &data, &queries, all(), 10);
        assert!(found >= least, "{codes:?} {payload:?}: {found}");
    }
}

#[test]
fn memory_that_does_not_hold_the_centroids_is_refused() {
    let data = values(VectorType::Vector, 600, DIMS, 1);
    let options = Options { lists: 500, ..options(Metric::L2, Codes::None, Payload::Full, DIMS) };
    let resources = Resources { threads: 1, memory: 64 << 10 };
    let mut builder = Builder::new(&options, resources, TempFiles::default()).unwrap();
    for (n, value) in data.iter().enumerate() {
        builder.push(tid(n), value.as_ref()).unwrap();
    }
    let store = MemStore::new();
    let refused = builder.finish(&store, &Alone);
    assert!(matches!(refused, Err(Error::Memory { .. })), "{refused:?}");
    assert!(Index::open(&store).is_err());
}

#[test]
fn empty_and_tiny_tables_work() {
    for count in [0, 1, 2, 7, 40] {
        for (codes, payload) in kinds() {
            let options = options(Metric::Cosine, codes, payload, DIMS);
            let data = values(VectorType::Vector, count, DIMS, 2);
            let store = MemStore::new();
            let mut index = built(&store, &options, &data);
            let report = index.check().unwrap();
            assert!(report.is_clean() && report.rows == count as u64, "{report:?}");
            let query = &values(VectorType::Vector, 1, DIMS, 4)[0];
            let going_on = ScanOptions { order: Order::Relaxed, ..ScanOptions::default() };
            assert_eq!(rows(&mut index, query, going_on, 100).len(), count);
        }
    }
}

#[test]
fn equal_rows_are_all_there() {
    let one = OwnedValue::F32(vec![0.5; DIMS]);
    let data: Vec<OwnedValue> = (0..700).map(|_| one.clone()).collect();
    let store = MemStore::new();
    let options = options(Metric::L2, Codes::RabitQ { bits: 1 }, Payload::Sq8, DIMS);
    let mut index = built(&store, &options, &data);
    assert!(index.check().unwrap().is_clean());
    let going_on = ScanOptions { order: Order::Relaxed, ..ScanOptions::default() };
    assert_eq!(rows(&mut index, &one, going_on, 1000).len(), 700);
}

#[test]
fn thousands_of_lists_are_found_in_two_steps() {
    let data = values(VectorType::Vector, 6000, 8, 13);
    let options = Options { lists: 1500, ..options(Metric::L2, Codes::None, Payload::Full, 8) };
    let store = MemStore::new();
    let mut index = built(&store, &options, &data);
    let info = index.info().unwrap();
    assert_eq!((info.lists, info.rows), (1500, 6000));
    assert!(info.longest_list < 200 && info.drift() > 0.99 && info.drift() < 1.01, "{info:?}");
    let some = ScanOptions { probes: 60, ..ScanOptions::default() };
    let found = recall(&mut index, &data, &values(VectorType::Vector, 20, 8, 13), some, 10);
    assert!(found > 0.9, "{found}");
}

#[test]
fn lists_are_chosen_from_the_number_of_rows() {
    assert_eq!([0, 1, 100, 1024, 61_440, 1_000_000].map(auto_lists), [1, 1, 3, 32, 248, 1000]);
    let data = values(VectorType::Vector, 2000, 8, 1);
    let options = Options { lists: 0, ..options(Metric::L2, Codes::None, Payload::Full, 8) };
    let store = MemStore::new();
    assert_eq!(build(&store, &options, ENOUGH, &data).lists, 45);
}

/// The mean squared distance from centroids is near that of the clusters that the vectors were made in.
#[test]
fn centroids_fit_the_rows() {
    let data = values(VectorType::Vector, 3000, DIMS, 17);
    let store = MemStore::new();
    let options = Options { lists: 10, ..options(Metric::L2, Codes::None, Payload::Full, DIMS) };
    let info = built(&store, &options, &data).info().unwrap();
    // 40 dimensions of 0.36 times four uniform variances.
    let clusters = 40.0 * 0.36 * 4.0 / 12.0;
    assert!(info.built_error < 1.5 * clusters && info.built_error > 0.8 * clusters, "{info:?}");
    assert_eq!(info.empty_lists, 0);
}

#[test]
fn a_host_that_says_stop_ends_it_without_an_index() {
    struct Impatient(std::cell::Cell<u32>);
    impl crate::Host for Impatient {
        fn go_on(&self) -> Result<(), crate::Stopped> {
            self.0.set(self.0.get() - 1);
            if self.0.get() == 0 { Err(crate::Stopped::Interrupted) } else { Ok(()) }
        }
    }
    let data = values(VectorType::Vector, 1000, DIMS, 1);
    let mut stopped = 0;
    for asked in [1, 20, 100, 400, 1100, 1300, u32::MAX] {
        let options = options(Metric::L2, Codes::RabitQ { bits: 1 }, Payload::Sq8, DIMS);
        let mut builder =
            Builder::new(&options, Resources { threads: 1, ..ENOUGH }, TempFiles::default()).unwrap();
        for (n, value) in data.iter().enumerate() {
            builder.push(tid(n), value.as_ref()).unwrap();
        }
        let store = MemStore::new();
        let built = builder.finish(&store, &Impatient(std::cell::Cell::new(asked)));
        stopped += usize::from(built.is_err());
        assert_eq!(built.is_err(), Index::open(&store).is_err());
    }
    assert!((3..7).contains(&stopped), "{stopped}");
}

#[test]
fn zero_vectors_have_no_direction() {
    let options = options(Metric::Cosine, Codes::RabitQ { bits: 1 }, Payload::Sq8, DIMS);
    let mut builder = Builder::new(&options, ENOUGH, TempFiles::default()).unwrap();
    let zero = OwnedValue::F32(vec![0.0; DIMS]);
    assert!(!builder.push(tid(0), zero.as_ref()).unwrap());
    let store = MemStore::new();
    assert_eq!(builder.finish(&store, &Alone).unwrap().rows, 0);
    let mut index = Index::open(&store).unwrap();
    assert!(!index.insert(tid(1), zero.as_ref()).unwrap());
}
