//! All types, and payloads of all lengths.

use super::options;
use super::walk::walk;
use crate::testing::{number, spec, tid, vectors};
use crate::{Index, Options, ScanOptions};
use kite_codecs::{Metric, PayloadKind, Spec, Value, VectorType};
use kite_pages::{MemStore, PageStore};

/// Inserts the values and asserts that each finds itself first.
fn round_trip(spec: Spec, values: &[Value<'_>]) {
    let store = MemStore::new();
    let mut index = Index::create(&store, &options(spec)).unwrap();
    for (n, &value) in values.iter().enumerate() {
        assert!(index.insert(tid(n), value).unwrap());
    }
    let walk = walk(&index);
    assert_eq!((walk.rows.len(), walk.unreached, walk.orphans), (values.len(), vec![], 0));
    for (n, &value) in values.iter().enumerate() {
        let mut scan = index.scan(Some(value), ScanOptions { ef: 20, ..ScanOptions::default() }).unwrap();
        let row = scan.next_row().unwrap().unwrap();
        assert_eq!(number(row.tid), n, "{spec:?}");
    }
}

fn of_type(vector_type: VectorType, metric: Metric, code_bits: u8, dims: usize) -> Spec {
    Spec { vector_type, metric, payload: PayloadKind::Full, code_bits, dims }
}

#[test]
fn halfvec_bit_and_sparsevec() {
    let data = vectors(150, 32, 21);
    let halves: Vec<Vec<half::f16>> =
        data.iter().map(|row| row.iter().map(|&x| half::f16::from_f32(x)).collect()).collect();
    let values: Vec<Value<'_>> = halves.iter().map(|row| Value::F16(row)).collect();
    round_trip(of_type(VectorType::Halfvec, Metric::L2, 1, 32), &values);

    let mut rng = fastrand::Rng::with_seed(22);
    let bits: Vec<Vec<u8>> = (0..150).map(|_| (0..16).map(|_| rng.u8(..)).collect()).collect();
    let values: Vec<Value<'_>> = bits.iter().map(|row| Value::Bits(row)).collect();
    for code_bits in [0, 1] {
        round_trip(of_type(VectorType::Bit, Metric::Hamming, code_bits, 128), &values);
    }
}

/// A payload of 64,032 bytes is a chain of eight chunks; rows that have it share it.
#[test]
fn payloads_longer_than_a_page() {
    let data = vectors(12, 16_000, 23);
    let values: Vec<Value<'_>> = data.iter().map(|row| Value::F32(row)).collect();
    let spec = spec(Metric::L2, PayloadKind::Full, 0, 16_000);
    round_trip(spec, &values);

    let store = MemStore::new();
    let mut index = Index::create(&store, &options(spec)).unwrap();
    for n in 0..24 {
        index.insert(tid(n), values[n % 12]).unwrap();
    }
    let pages = store.len();
    assert_eq!((walk(&index).vertices, walk(&index).rows.len()), (12, 24));
    assert!(pages < 12 * 9 + 20, "{pages} pages");
}

/// From lists that take a page each to lists of three links.
#[test]
fn few_and_many_links() {
    let data = vectors(250, 16, 24);
    for (m, ef_construction, bits) in [(3, 8, 0), (100, 200, 2)] {
        let store = MemStore::new();
        let spec = spec(Metric::L2, PayloadKind::Sq8, bits, 16);
        let mut index = Index::create(&store, &Options { spec, m, ef_construction, seed: 5 }).unwrap();
        super::insert(&mut index, 0, &data);
        let walk = walk(&index);
        assert_eq!((walk.rows.len(), walk.orphans), (250, 0));
        assert!(walk.unreached.len() <= 12, "m {m}: {} unreached", walk.unreached.len());
    }
}
