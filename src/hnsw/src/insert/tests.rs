//! Indexes that only inserts have made.

use crate::testing::{Exact, number, spec, tid, vectors};
use crate::{Index, Options, Row, ScanOptions};
use kite_codecs::{Metric, PayloadKind, Spec, Value};
use kite_pages::MemStore;

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
fn inserted_rows_are_found_as_well_as_built_ones() {
    let data = vectors(1500, DIMS, 1);
    for (metric, payload, bits) in [(Metric::L2, PayloadKind::Sq8, 0), (Metric::Cosine, PayloadKind::Sq8, 1)]
    {
        let store = MemStore::new();
        let mut index = Index::create(&store, &options(spec(metric, payload, bits, DIMS))).unwrap();
        for (n, vector) in data.iter().enumerate() {
            assert!(index.insert(tid(n), Value::F32(vector)).unwrap());
        }
        let other = MemStore::new();
        let mut built = crate::testing::built(&other, &options(spec(metric, payload, bits, DIMS)), &data);
        let scan = ScanOptions { ef: 30, ..ScanOptions::default() };
        let (found, truth) = (recall(&mut index, &data, scan, 10), recall(&mut built, &data, scan, 10));
        println!("{found} {truth}");
        assert!(found >= truth - 0.005);
    }
}
