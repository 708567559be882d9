//! A lower bound is never above what an operator computes, and not far below it.

use crate::operators::least_value;
use crate::vectors::{embedding, pairs};
use crate::{DENSE, PAYLOADS, spec};
use fastrand::Rng;
use kite_codecs::{Error, Metric, PayloadKind, Scorer, Value, VectorType};
use kite_kernels::{available, f16};
use kite_vectors::sparse::SparseBuf;

/// Checks the bound of one pair on every set of kernels.
fn check(
    name: &str,
    vector_type: VectorType,
    metric: Metric,
    q: Value<'_>,
    x: Value<'_>,
    dims: usize,
    least: f64,
) {
    for payload_kind in PAYLOADS {
        let dense = matches!(vector_type, VectorType::Vector | VectorType::Halfvec);
        if !dense && payload_kind != PayloadKind::Full {
            continue;
        }
        for kernels in available() {
            let spec = spec(vector_type, metric, payload_kind, 0, dims);
            let scorer = Scorer::with_kernels(spec, None, kernels).unwrap();
            let query = scorer.prepare(Some(q)).unwrap();
            let mut payload = Vec::new();
            match scorer.encode(x, &mut payload) {
                Err(Error::Zero) => continue,
                result => result.unwrap(),
            }
            let bound = scorer.lower_bound(&query, &payload).unwrap();
            // NaN is above everything in SQL.
            assert!(
                bound <= least || least.is_nan(),
                "{name}, {dims} dimensions, {spec:?}, {}: {bound:e} is above {least:e}",
                kernels.name
            );
            let exact = scorer.exact(&query, &payload).unwrap();
            assert!(!exact.is_nan());
            let operator = scorer.operator(&query, &payload).unwrap();
            if let Some(value) = operator {
                assert!(bound <= value || value.is_nan());
            }
            let (key, at_least) = scorer.ranked(&query, &payload).unwrap();
            assert_eq!(at_least.to_bits(), operator.unwrap_or(bound).to_bits(), "{spec:?}");
            // The operator has another formula for the cosine of a lossless payload, and rounds otherwise.
            let slack = if metric == Metric::Cosine { 1e-5 + 1e-3 * exact.abs() } else { 0.0 };
            assert!(key == exact || (key - exact).abs() <= slack, "{name}, {spec:?}: {key} is not {exact}");
        }
    }
}

fn check_vectors(dims: usize, rng: &mut Rng) {
    for (name, q, x) in pairs(dims, rng) {
        for metric in DENSE {
            let least = least_value(metric, &q, &x);
            check(name, VectorType::Vector, metric, Value::F32(&q), Value::F32(&x), dims, least);
        }
        let narrow = |values: &[f32]| -> Option<Vec<f16>> {
            let halves: Vec<_> = values.iter().map(|x| f16::from_f32(*x)).collect();
            halves.iter().all(|x| x.is_finite()).then_some(halves)
        };
        if let (Some(q), Some(x)) = (narrow(&q), narrow(&x)) {
            for metric in DENSE {
                let least = least_value(metric, &q, &x);
                check(name, VectorType::Halfvec, metric, Value::F16(&q), Value::F16(&x), dims, least);
            }
        }
        let sparse = |values: &[f32]| SparseBuf::from_dense(values.iter().copied()).unwrap();
        let (qs, xs) = (sparse(&q), sparse(&x));
        for metric in DENSE {
            let least = least_value(metric, &q, &x);
            let (q, x) = (Value::Sparse(qs.as_ref()), Value::Sparse(xs.as_ref()));
            check(name, VectorType::Sparsevec, metric, q, x, dims, least);
        }
    }
}

#[test]
fn short_vectors() {
    let mut rng = Rng::with_seed(1);
    for dims in [1, 2, 3, 5, 8, 17, 64, 100] {
        for _ in 0..3 {
            check_vectors(dims, &mut rng);
        }
    }
}

#[test]
fn vectors_of_models() {
    let mut rng = Rng::with_seed(2);
    for dims in [128, 384, 513, 768, 1536] {
        check_vectors(dims, &mut rng);
    }
}

#[test]
fn long_vectors() {
    let mut rng = Rng::with_seed(3);
    for dims in [4_096, 16_000] {
        check_vectors(dims, &mut rng);
    }
}

/// How far the bounds of embeddings are below the operator's values, on the average and relative to them.
#[test]
fn bounds_are_tight() {
    const PAIRS: usize = 50;
    for dims in [128, 768] {
        for metric in DENSE {
            // By payload: full, half, sq8. Inner products are relative to the lengths, which are 1.
            let allowed = match metric {
                Metric::L2 => [1e-4, 4e-4, 0.015],
                Metric::InnerProduct => [1e-4, 4e-4, 0.015],
                Metric::Cosine => [2e-4, 4e-4, 0.015],
                _ => [2e-4, 4e-4, 0.015],
            };
            for (payload_kind, allowed) in PAYLOADS.into_iter().zip(allowed) {
                let scorer =
                    Scorer::new(spec(VectorType::Vector, metric, payload_kind, 0, dims), None).unwrap();
                let mut rng = Rng::with_seed(5);
                let mut gap = 0.0;
                for _ in 0..PAIRS {
                    let (q, x) = (embedding(dims, &mut rng), embedding(dims, &mut rng));
                    let query = scorer.prepare(Some(Value::F32(&q))).unwrap();
                    let mut payload = Vec::new();
                    scorer.encode(Value::F32(&x), &mut payload).unwrap();
                    let value = least_value(metric, &q, &x);
                    let scale = if metric == Metric::InnerProduct { 1.0 } else { value };
                    gap += (value - scorer.lower_bound(&query, &payload).unwrap()) / scale / PAIRS as f64;
                }
                println!("{dims} {metric} {payload_kind}: {gap:.2e}");
                assert!(gap < allowed, "{dims} {metric} {payload_kind}: {gap:e}");
            }
        }
    }
}

/// The nearer two vectors, the smaller the loss: of a cosine distance d no more than about e·√(2d) is given away.
#[test]
fn bounds_of_near_vectors_are_tighter() {
    let mut rng = Rng::with_seed(6);
    let scorer =
        Scorer::new(spec(VectorType::Vector, Metric::Cosine, PayloadKind::Sq8, 0, 768), None).unwrap();
    let x = embedding(768, &mut rng);
    let far = embedding(768, &mut rng);
    let mut payload = Vec::new();
    scorer.encode(Value::F32(&x), &mut payload).unwrap();
    let gap = |part: f32| {
        let q: Vec<f32> = x.iter().zip(&far).map(|(x, y)| x + part * y).collect();
        let query = scorer.prepare(Some(Value::F32(&q))).unwrap();
        least_value(Metric::Cosine, &q, &x) - scorer.lower_bound(&query, &payload).unwrap()
    };
    let (near, far) = (gap(0.05), gap(100.0));
    assert!(near < 0.2 * far, "{near} {far}");
}
