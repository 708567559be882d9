//! Builds of every type, metric and payload, in memory and beyond it.

use super::*;
use kite_codecs::Scorer;
use kite_kernels::f16;
use kite_vectors::sparse::SparseBuf;

/// Builds in memory and in parts, and looks for some of the rows: each is its own nearest.
fn built_and_found(spec: Spec, values: &[OwnedValue]) {
    let options = options(spec);
    let refs = || values.iter().map(OwnedValue::as_ref);
    let in_memory = build(&options, Resources { threads: 2, memory: ENOUGH }, refs());
    assert_eq!(in_memory.1.parts, 1);
    let memory = in_memory.1.memory * 2 / 3;
    let in_parts = build(&options, Resources { threads: 2, memory }, refs());
    assert!(in_parts.1.parts > 1 && in_parts.1.memory <= memory, "{:?} of {memory}", in_parts.1);
    for (store, built) in [in_memory, in_parts] {
        let walk = Walk::of(&store);
        assert_eq!(rows_of(&walk), (0..values.len()).collect::<Vec<_>>());
        assert_eq!(built.vertices, walk.vertices.len() as u64);
        let mut index = crate::Index::open(&store).unwrap();
        let scorer = Scorer::new(spec, None).unwrap();
        let key = |query: &OwnedValue, found: usize| {
            let mut payload = Vec::new();
            scorer.encode(values[found].as_ref(), &mut payload).unwrap();
            scorer.exact(&scorer.prepare(Some(query.as_ref())).unwrap(), &payload).unwrap()
        };
        let mut missed = 0;
        for (n, query) in values.iter().enumerate().step_by(values.len() / 40) {
            let mut scan =
                index.scan(Some(query.as_ref()), ScanOptions { ef: 80, ..ScanOptions::default() }).unwrap();
            let first = scan.next_row().unwrap().unwrap();
            missed += usize::from(key(query, row(first.tid)) > key(query, n));
        }
        assert!(missed <= 2, "{missed} rows are not found: {spec:?} {built:?}");
    }
}

fn floats(rows: usize, dims: usize) -> Vec<OwnedValue> {
    clustered(rows, dims, 31).chunks_exact(dims).map(|row| OwnedValue::F32(row.to_vec())).collect()
}

#[test]
fn full_payloads_without_codes() {
    built_and_found(Spec { payload: PayloadKind::Full, code_bits: 0, ..spec(16) }, &floats(1100, 16));
}

#[test]
fn half_payloads_under_inner_product() {
    let spec = Spec { metric: Metric::InnerProduct, payload: PayloadKind::Half, ..spec(16) };
    built_and_found(spec, &floats(1100, 16));
}

#[test]
fn byte_payloads_under_cosine_distance_with_two_bits() {
    built_and_found(Spec { metric: Metric::Cosine, code_bits: 2, ..spec(16) }, &floats(1100, 16));
}

#[test]
fn vectors_under_taxicab_distance() {
    built_and_found(Spec { metric: Metric::L1, code_bits: 0, ..spec(16) }, &floats(1100, 16));
}

#[test]
fn half_vectors() {
    let halves = |values: OwnedValue| match values {
        OwnedValue::F32(values) => OwnedValue::F16(values.into_iter().map(f16::from_f32).collect()),
        other => other,
    };
    let values: Vec<OwnedValue> = floats(1100, 16).into_iter().map(halves).collect();
    let spec = Spec {
        vector_type: VectorType::Halfvec,
        metric: Metric::Cosine,
        payload: PayloadKind::Full,
        ..spec(16)
    };
    built_and_found(spec, &values);
}

#[test]
fn bit_strings() {
    let mut random = fastrand::Rng::with_seed(32);
    let values: Vec<OwnedValue> =
        (0..1100).map(|_| OwnedValue::Bits((0..16).map(|_| random.u8(..)).collect())).collect();
    for (metric, code_bits) in [(Metric::Hamming, 1), (Metric::Jaccard, 0)] {
        let spec =
            Spec { vector_type: VectorType::Bit, metric, payload: PayloadKind::Full, code_bits, dims: 128 };
        built_and_found(spec, &values);
    }
}

#[test]
fn sparse_vectors() {
    let mut random = fastrand::Rng::with_seed(33);
    let sparse = |_| {
        let mut indices: Vec<i32> = (0..random.usize(1..20)).map(|_| random.i32(0..12)).collect();
        indices.sort_unstable();
        indices.dedup();
        let values = indices.iter().map(|_| 0.1 + random.f32()).collect();
        OwnedValue::Sparse(SparseBuf { dims: 5000, indices, values })
    };
    let values: Vec<OwnedValue> = (0..1100).map(sparse).collect();
    let spec = Spec {
        vector_type: VectorType::Sparsevec,
        metric: Metric::L2,
        payload: PayloadKind::Full,
        code_bits: 0,
        dims: 5000,
    };
    built_and_found(spec, &values);
}

#[test]
fn payloads_longer_than_a_page() {
    let values = clustered(60, 16_000, 34);
    let spec = Spec { payload: PayloadKind::Full, code_bits: 0, ..spec(16_000) };
    let (store, built) = build(&options(spec), ROOMY, dense(&values, 16_000));
    assert_eq!(built.rows, 60);
    let walk = Walk::of(&store);
    assert_eq!(rows_of(&walk), (0..60).collect::<Vec<_>>());
    let scorer = Scorer::new(spec, None).unwrap();
    for vertex in &walk.vertices {
        let at = row(vertex.tids[0]) * 16_000;
        assert_eq!(scorer.value(&vertex.payload).unwrap(), OwnedValue::F32(values[at..at + 16_000].to_vec()));
    }
}

#[test]
fn the_least_and_the_most_links() {
    let values = clustered(1100, 16, 35);
    for (m, ef_construction) in [(2, 8), (100, 200)] {
        let options = Options { m, ef_construction, ..options(Spec { code_bits: 2, ..spec(16) }) };
        let (store, built) = build(&options, ROOMY, dense(&values, 16));
        let walk = Walk::of(&store);
        let longest = walk.vertices.iter().map(|vertex| vertex.lists[0].len()).max().unwrap();
        assert!(built.rows == 1100 && longest <= 2 * m, "{longest}");
    }
}

/// Clusters narrower than a step of a byte: the first rows call for more, in memory and in parts, and the index is found by it.
#[test]
fn a_payload_is_chosen_by_the_first_rows() {
    let (rows, dims) = (3000, 16);
    let mut random = fastrand::Rng::with_seed(3);
    let centres: Vec<f32> = (0..5 * dims).map(|_| random.f32()).collect();
    let mut values = |deviation: f32| -> Vec<f32> {
        let value =
            |at: usize, random: &mut fastrand::Rng| centres[at % (5 * dims)] + deviation * random.f32();
        (0..rows * dims).map(|at| value(at, &mut random)).collect()
    };
    for (deviation, chosen) in [(0.3, PayloadKind::Sq8), (0.003, PayloadKind::Half)] {
        let values = values(deviation);
        let mut memory = usize::MAX;
        for parts in [1, 2] {
            let (options, resources) = (options(spec(dims)), Resources { threads: 1, memory });
            let mut builder = Builder::new(&options, resources, TempFiles::default())
                .unwrap()
                .choosing_payload(true)
                .unwrap();
            for (row, value) in dense(&values, dims).enumerate() {
                assert!(builder.push(tid(row), value).unwrap());
            }
            let store = MemStore::new();
            let built = builder.finish(&store, &endless()).unwrap();
            memory = built.memory / 2;
            assert!(built.rows == rows as u64 && built.parts >= parts, "{built:?}");
            let index = crate::Index::open(&store).unwrap();
            assert_eq!(index.options().spec.payload, chosen);
            let mut walked = rows_of(&Walk::of(&store));
            walked.dedup();
            assert_eq!(walked, (0..rows).collect::<Vec<_>>());
            let recall = recall(&store, &values, dims, 40);
            assert!(recall > 0.95, "{chosen}: {recall}");
        }
    }
}
