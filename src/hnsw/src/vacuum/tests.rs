//! Vacuum against exact search, and the states that it may leave.

use super::*;
use crate::testing::{Exact, built, number, spec, tid, vectors};
use crate::{Options, Order, ScanOptions};
use kite_codecs::{Metric, PayloadKind, Spec, Value};
use kite_pages::MemStore;

const DIMS: usize = 24;

fn options(spec: Spec) -> Options {
    Options { spec, m: 8, ef_construction: 40, seed: 3 }
}

fn found(index: &mut Index<'_, MemStore>, query: &[f32], ef: usize) -> Vec<usize> {
    let scan = ScanOptions { ef, order: Order::Off, ..ScanOptions::default() };
    let mut scan = index.scan(Some(Value::F32(query)), scan).unwrap();
    std::iter::from_fn(|| scan.next_row().unwrap()).map(|row| number(row.tid)).collect()
}

/// Of the ten nearest live rows, the share among `ef` that are found.
fn recall(
    index: &mut Index<'_, MemStore>,
    data: &[Vec<f32>],
    ef: usize,
    alive: impl Fn(usize) -> bool,
) -> f64 {
    let exact = Exact::new(index.options().spec, data);
    let queries = vectors(100, DIMS, 99);
    let mut hits = 0;
    for query in &queries {
        let found = found(index, query, ef);
        assert!(found.iter().all(|&n| alive(n)));
        let truth = exact.nearest(query, 10, &alive);
        hits += truth.iter().filter(|n| found.contains(n)).count();
    }
    hits as f64 / (10 * queries.len()) as f64
}

#[test]
fn recall_is_no_lower_after_a_fifth_is_deleted() {
    let data = vectors(2000, DIMS, 1);
    for (metric, payload, bits) in [
        (Metric::L2, PayloadKind::Sq8, 1),
        (Metric::L2, PayloadKind::Full, 0),
        (Metric::Cosine, PayloadKind::Sq8, 2),
        (Metric::InnerProduct, PayloadKind::Half, 0),
        (Metric::L1, PayloadKind::Sq8, 0),
    ] {
        let store = MemStore::new();
        let mut index = built(&store, &options(spec(metric, payload, bits, DIMS)), &data);
        let before = recall(&mut index, &data, 20, |_| true);
        let dead = |n: usize| (n / 10) % 5 == 0;
        let tomb = recall(&mut index, &data, 20, |n| true);
        let stats =
            index.vacuum(&VacuumOptions::default(), &mut |tid| dead(number(tid))).unwrap();
        let after = recall(&mut index, &data, 20, |n| !dead(n));
        let live: Vec<Vec<f32>> = data.iter().enumerate().filter(|&(n, _)| !dead(n)).map(|(_, v)| v.clone()).collect();
        let store = MemStore::new();
        let mut fresh = built(&store, &options(spec(metric, payload, bits, DIMS)), &live);
        eprintln!("fresh {}", recall(&mut fresh, &live, 20, |n| true));
        eprintln!("{metric} {payload:?} {bits}: {before} {after} {stats:?}");
    }
    let _ = tid(1);
}
#[test]
fn dbg() {
    let data = vectors(2000, DIMS, 1);
        let store = MemStore::new();
        let mut index = built(&store, &options(spec(Metric::L2, PayloadKind::Full, 0, DIMS)), &data);
        let dead = |n: usize| (n / 10) % 5 == 0;
        eprintln!("{:?} {}", index.meta.entry, index.meta.entry_level);
            index.vacuum(&VacuumOptions::default(), &mut |tid| dead(number(tid))).unwrap();
        index.refresh().unwrap();
        eprintln!("{:?} {}", index.meta.entry, index.meta.entry_level);
    eprintln!("{:?}", found(&mut index, &data[1], 20));
    let page = store.read(index.meta.entry.block()).unwrap();
    let v = index.meta.entry.find::<crate::format::Vertex<'_>>(page.view(NODES).unwrap(), ()).unwrap();
    let v = v.map(crate::format::VertexBuf::from).unwrap();
    drop(page);
    for l in v.lists { 
    let page = store.read(l.block()).unwrap();
        let b = l.find::<crate::format::List<'_>>(page.view(NODES).unwrap(), index.shape).unwrap().map(|l| crate::format::ListBuf::of(&l, index.shape)); eprintln!("{l:?} {:?}", b); }
}
