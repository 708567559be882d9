//! Round trips, hostile bytes, keys that agree with each other, queries without an order.

use crate::vectors::{embedding, gaussian, pairs};
use crate::{DENSE, PAYLOADS, spec};
use fastrand::Rng;
use kite_codecs::{Error, Frame, Metric, OwnedValue, PayloadKind, Scorer, Spec, Value, VectorType};
use kite_kernels::f16;
use kite_vectors::sparse::SparseBuf;
use proptest::prelude::*;

/// Every kind of scorer of a few dimensions, with a frame where it takes one.
fn every_spec(dims: usize) -> Vec<Spec> {
    let mut specs = Vec::new();
    for metric in DENSE {
        for payload in PAYLOADS {
            for bits in 0..=2 {
                for vector_type in [VectorType::Vector, VectorType::Halfvec] {
                    specs.push(spec(vector_type, metric, payload, bits, dims));
                }
            }
        }
        specs.push(spec(VectorType::Sparsevec, metric, PayloadKind::Full, 0, dims));
    }
    for metric in [Metric::Hamming, Metric::Jaccard] {
        for bits in 0..=1 {
            specs.push(spec(VectorType::Bit, metric, PayloadKind::Full, bits, dims));
        }
    }
    specs.retain(|spec| spec.check().is_ok());
    specs
}

fn scorer(spec: Spec) -> Scorer {
    let frame = Frame::new(vec![0.01; spec.dims], 7).unwrap();
    Scorer::new(spec, Some(frame)).unwrap()
}

fn value_of(spec: &Spec, rng: &mut Rng) -> OwnedValue {
    let dense = embedding(spec.dims, rng);
    match spec.vector_type {
        VectorType::Vector => OwnedValue::F32(dense),
        VectorType::Halfvec => OwnedValue::F16(dense.into_iter().map(f16::from_f32).collect()),
        VectorType::Sparsevec => {
            // One element at least.
            let values = dense.iter().enumerate().map(|(i, x)| if i == 0 { 0.5 } else { x.max(0.0) });
            OwnedValue::Sparse(SparseBuf::from_dense(values.collect::<Vec<_>>().into_iter()).unwrap())
        }
        VectorType::Bit => {
            let mut bytes: Vec<u8> = (0..spec.dims.div_ceil(8)).map(|_| rng.u8(..)).collect();
            let unused = (8 - spec.dims % 8) % 8;
            *bytes.last_mut().unwrap() &= 255 << unused;
            OwnedValue::Bits(bytes)
        }
    }
}

fn payload(scorer: &Scorer, value: &OwnedValue) -> Vec<u8> {
    let mut payload = Vec::new();
    scorer.encode(value.as_ref(), &mut payload).unwrap();
    payload
}

#[test]
fn payloads_come_back() {
    let mut rng = Rng::with_seed(1);
    for dims in [1, 7, 100, 768] {
        for spec in every_spec(dims) {
            let (scorer, value) = (scorer(spec), value_of(&spec, &mut rng));
            let payload = payload(&scorer, &value);
            assert!(scorer.payload_len().is_none_or(|length| length == payload.len()), "{spec:?}");
            let back = scorer.value(&payload).unwrap();
            if scorer.is_lossless() {
                assert_eq!(back, value, "{spec:?}");
            } else {
                let OwnedValue::F32(back) = back else { panic!("{spec:?}") };
                let original: Vec<f32> = match value {
                    OwnedValue::F32(values) => values,
                    OwnedValue::F16(values) => values.iter().map(|x| x.to_f32()).collect(),
                    _ => panic!("{spec:?}"),
                };
                // The values lie within ±0.6 at the outside, and a step is a 255th of the range.
                let norm = original.iter().map(|x| x * x).sum::<f32>().sqrt();
                let factor = if spec.metric == Metric::Cosine { norm } else { 1.0 };
                let range = original.iter().fold(0f32, |max, x| max.max(x.abs()));
                let allowed = range / if spec.payload == PayloadKind::Sq8 { 250.0 } else { 2000.0 };
                for (a, b) in original.iter().zip(back) {
                    assert!((a - b * factor).abs() <= allowed, "{spec:?}: {a} {b}");
                }
            }
        }
    }
}

/// A query sees a stored vector where another stored vector sees it, and where the operator does.
#[test]
fn keys_agree() {
    let mut rng = Rng::with_seed(2);
    for dims in [3, 100, 768] {
        for spec in every_spec(dims) {
            let scorer = scorer(spec);
            let full = Scorer::new(Spec { payload: PayloadKind::Full, code_bits: 0, ..spec }, None).unwrap();
            for _ in 0..5 {
                let (q, x) = (value_of(&spec, &mut rng), value_of(&spec, &mut rng));
                let query = scorer.prepare(Some(q.as_ref())).unwrap();
                let exact = scorer.exact(&query, &payload(&scorer, &x)).unwrap();
                let (a, b) = (payload(&scorer, &q), payload(&scorer, &x));
                let between = scorer.between(&a, &b).unwrap();
                let itself = scorer.between(&a, &a).unwrap();
                let others = [(&b, between), (&a, itself)].into_iter().cycle();
                for count in 0..10 {
                    let mut many = vec![0.5];
                    let payloads = others.clone().take(count).map(|(payload, _)| &**payload);
                    scorer.between_each(&a, payloads, &mut many).unwrap();
                    let keys = others.clone().take(count).map(|(_, key)| key);
                    assert!(many.iter().copied().eq([0.5].into_iter().chain(keys)), "{spec:?}: {many:?}");
                }
                let full_query = full.prepare(Some(q.as_ref())).unwrap();
                let operator = full.operator(&full_query, &payload(&full, &x)).unwrap().unwrap();
                let distance = spec.metric.distance_of_key(exact);
                let scale = if spec.metric == Metric::L1 { (dims as f64).sqrt() } else { 1.0 };
                let allowed = if scorer.is_lossless() { 1e-5 } else { 0.02 } * operator.abs().max(scale);
                assert!((distance - operator).abs() <= allowed, "{spec:?}: {distance} {operator}");
                let between = spec.metric.distance_of_key(between);
                assert!((between - operator).abs() <= 2.0 * allowed, "{spec:?}: {between} {operator}");
            }
        }
    }
}

/// Estimates are near the keys, those of many codes at once are those of each, and a code from a payload is nearly the same.
#[test]
fn codes_steer() {
    let mut rng = Rng::with_seed(3);
    for spec in every_spec(384) {
        let scorer = scorer(spec);
        if scorer.code_len() == 0 {
            continue;
        }
        let values: Vec<_> = (0..70).map(|_| value_of(&spec, &mut rng)).collect();
        let (mut codes, mut factors) = (Vec::new(), Vec::new());
        for value in &values {
            let mut code = Vec::new();
            scorer.encode_code(value.as_ref(), &mut code).unwrap();
            assert_eq!(code.len(), scorer.code_len() + scorer.factors_len());
            let mut again = Vec::new();
            scorer.encode_code_of(&payload(&scorer, value), &mut again).unwrap();
            let differ: u32 = code.iter().zip(&again).map(|(a, b)| (a ^ b).count_ones()).sum();
            assert!(differ as usize <= code.len() / 3, "{spec:?}: {differ} bits differ");
            codes.extend_from_slice(&code[..scorer.code_len()]);
            factors.extend_from_slice(&code[scorer.code_len()..]);
        }
        let query = scorer.prepare(Some(value_of(&spec, &mut rng).as_ref())).unwrap();
        let mut keys = vec![0.0; values.len()];
        scorer.estimate(&query, &codes, &factors, &mut keys).unwrap();
        let mut within = 0;
        for (i, value) in values.iter().enumerate() {
            let (code, factor) = (scorer.code_len(), scorer.factors_len());
            let (code, factor) = (&codes[i * code..(i + 1) * code], &factors[i * factor..(i + 1) * factor]);
            let mut key = [0.0];
            scorer.estimate(&query, code, factor, &mut key).unwrap();
            assert_eq!(key[0], keys[i]);
            let exact = scorer.exact(&query, &payload(&scorer, value)).unwrap();
            let error = scorer.estimate_error(&query, factor, 3.0).unwrap() + 0.01 * exact.abs().max(0.1);
            within += u8::from((key[0] - exact).abs() <= error);
        }
        assert!(within >= 68, "{spec:?}: {within} of 70 estimates are near");
        assert!(scorer.estimate(&query, &codes[1..], &factors, &mut keys).is_err());
    }
}

#[test]
fn frames_are_learned() {
    let mut rng = Rng::with_seed(4);
    for metric in [Metric::L2, Metric::Cosine] {
        let scorer = Scorer::new(spec(VectorType::Vector, metric, PayloadKind::Sq8, 1, 32), None).unwrap();
        assert_eq!((scorer.code_len(), scorer.factors_len()), (0, 0));
        let values: Vec<Vec<f32>> =
            (0..500).map(|_| (0..32).map(|i| (i as f32 + gaussian(&mut rng)) * 3.0).collect()).collect();
        let mut sample: Vec<_> = values.iter().map(|value| Value::F32(value)).collect();
        let zero = [0.0; 32];
        if metric == Metric::Cosine {
            sample.push(Value::F32(&zero));
        }
        let frame = scorer.learn(sample, 9).unwrap();
        let framed = Scorer::new(*scorer.spec(), Some(frame.clone())).unwrap();
        assert_eq!((framed.code_len(), framed.factors_len()), (4, 4));
        assert_eq!(Frame::from_bytes(&frame.to_bytes()).as_ref(), Ok(&frame));
        assert_eq!(framed.frame(), Some(&frame));
        let other = Frame::new(vec![0.0; 31], 9).unwrap();
        assert!(Scorer::new(*scorer.spec(), Some(other)).is_err());
    }
}

/// From payloads comes the same frame as from the values, as nearly as the payloads tell.
#[test]
fn frames_are_learned_from_payloads() {
    let mut rng = Rng::with_seed(6);
    for spec in
        every_spec(24).into_iter().filter(|spec| spec.code_bits > 0 && spec.vector_type != VectorType::Bit)
    {
        let scorer = Scorer::new(spec, None).unwrap();
        let values: Vec<OwnedValue> = (0..100).map(|_| value_of(&spec, &mut rng)).collect();
        let payloads: Vec<Vec<u8>> = values.iter().map(|value| payload(&scorer, value)).collect();
        let of_values = scorer.learn(values.iter().map(OwnedValue::as_ref), 9).unwrap().to_bytes();
        let of_payloads = scorer.learn_of(payloads.iter().map(Vec::as_slice), 9).unwrap().to_bytes();
        assert_eq!(of_values[..16], of_payloads[..16]);
        for (a, b) in of_values[16..].chunks_exact(4).zip(of_payloads[16..].chunks_exact(4)) {
            let [a, b] = [a, b].map(|bytes| f32::from_ne_bytes(bytes.try_into().unwrap()));
            assert!((a - b).abs() < 0.01, "{spec:?}: {a} and {b}");
        }
    }
    let scorer = Scorer::new(spec(VectorType::Vector, Metric::L2, PayloadKind::Sq8, 1, 24), None).unwrap();
    assert!(matches!(scorer.learn_of([&[1, 2, 3][..]], 9), Err(Error::Corrupt(_))));
}

#[test]
fn queries_without_an_order() {
    for spec in every_spec(16) {
        let scorer = scorer(spec);
        let mut rng = Rng::with_seed(5);
        let value = value_of(&spec, &mut rng);
        let payload = payload(&scorer, &value);
        let mut code = Vec::new();
        scorer.encode_code(value.as_ref(), &mut code).unwrap();
        let (code, factors) = code.split_at(scorer.code_len());
        let zero = match value {
            OwnedValue::F32(_) => Some(OwnedValue::F32(vec![0.0; 16])),
            OwnedValue::F16(_) => Some(OwnedValue::F16(vec![f16::ZERO; 16])),
            OwnedValue::Sparse(_) => {
                Some(OwnedValue::Sparse(SparseBuf { dims: 16, indices: vec![], values: vec![] }))
            }
            OwnedValue::Bits(_) => None,
        };
        let mut queries = vec![scorer.prepare(None).unwrap()];
        if let (Some(zero), Metric::Cosine) = (&zero, spec.metric) {
            queries.push(scorer.prepare(Some(zero.as_ref())).unwrap());
            assert_eq!(scorer.encode(zero.as_ref(), &mut Vec::new()), Err(Error::Zero));
        }
        for query in queries {
            assert!(!query.orders());
            assert_eq!(scorer.exact(&query, &payload), Ok(0.0));
            assert_eq!(scorer.lower_bound(&query, &payload), Ok(f64::NEG_INFINITY));
            let mut keys = [1.0];
            scorer.estimate(&query, code, factors, &mut keys).unwrap();
            assert_eq!(keys, [0.0]);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |spec: Spec| assert!(Scorer::new(spec, None).is_err(), "{spec:?}");
    refused(spec(VectorType::Vector, Metric::Hamming, PayloadKind::Full, 0, 8));
    refused(spec(VectorType::Bit, Metric::L2, PayloadKind::Full, 0, 8));
    refused(spec(VectorType::Sparsevec, Metric::L2, PayloadKind::Sq8, 0, 8));
    refused(spec(VectorType::Vector, Metric::L1, PayloadKind::Sq8, 1, 8));
    refused(spec(VectorType::Vector, Metric::L2, PayloadKind::Sq8, 3, 8));
    refused(spec(VectorType::Vector, Metric::L2, PayloadKind::Sq8, 0, 0));
    refused(spec(VectorType::Vector, Metric::L2, PayloadKind::Sq8, 0, 16_001));
    let scorer = Scorer::new(spec(VectorType::Vector, Metric::L2, PayloadKind::Sq8, 0, 3), None).unwrap();
    assert!(scorer.encode(Value::F32(&[1.0]), &mut Vec::new()).is_err());
    assert!(scorer.encode(Value::F16(&[f16::ONE; 3]), &mut Vec::new()).is_err());
    assert_eq!(scorer.encode(Value::F32(&[1.0, f32::NAN, 2.0]), &mut Vec::new()), Err(Error::NotFinite));
    assert!(scorer.prepare(Some(Value::F32(&[1.0]))).is_err());
    let other = Scorer::new(spec(VectorType::Vector, Metric::L2, PayloadKind::Full, 0, 3), None).unwrap();
    let query = other.prepare(Some(Value::F32(&[1.0, 2.0, 3.0]))).unwrap();
    let mut payload = Vec::new();
    scorer.encode(Value::F32(&[1.0, 2.0, 3.0]), &mut payload).unwrap();
    assert_eq!(scorer.exact(&query, &payload), Err(Error::ForeignQuery));
}

/// A vector is at distance 0 from itself, also where a byte per dimension does not hold it.
#[test]
fn equal_vectors_are_at_distance_zero() {
    let mut rng = Rng::with_seed(8);
    for payload_kind in PAYLOADS {
        for metric in [Metric::L2, Metric::Cosine] {
            let scorer = Scorer::new(spec(VectorType::Vector, metric, payload_kind, 0, 384), None).unwrap();
            for (name, _, x) in pairs(384, &mut rng) {
                if !matches!(name, "embeddings" | "pixels" | "integers" | "constants") {
                    continue;
                }
                let payload = payload(&scorer, &OwnedValue::F32(x.clone()));
                let norm: f32 = x.iter().map(|x| x * x).sum();
                let scale = if metric == Metric::L2 { norm } else { 1.0 };
                let query = scorer.prepare(Some(Value::F32(&x))).unwrap();
                let exact = scorer.exact(&query, &payload).unwrap();
                let between = scorer.between(&payload, &payload).unwrap();
                assert!(
                    exact <= 1e-5 * scale && between <= 1e-5 * scale,
                    "{name} {metric} {payload_kind}: {exact}"
                );
            }
        }
    }
}

proptest! {
    /// Bytes that nobody wrote: an error or a number, never a panic.
    #[test]
    fn hostile_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..120), cut in 0usize..120) {
        let mut rng = Rng::with_seed(6);
        for spec in every_spec(9) {
            let scorer = scorer(spec);
            let value = value_of(&spec, &mut rng);
            let valid = payload(&scorer, &value);
            let query = scorer.prepare(Some(value.as_ref())).unwrap();
            bytes.truncate(cut.max(1));
            // As they are, of the right length, and with a valid beginning.
            let mut padded = bytes.clone();
            padded.resize(valid.len(), 0xff);
            let mut mixed = valid.clone();
            for (byte, other) in mixed.iter_mut().skip(cut % valid.len()).zip(&bytes) {
                *byte = *other;
            }
            for payload in [&bytes, &padded, &mixed] {
                if let Ok(key) = scorer.exact(&query, payload) {
                    prop_assert!(!key.is_nan());
                }
                if let Ok(bound) = scorer.lower_bound(&query, payload) {
                    prop_assert!(!bound.is_nan());
                }
                if let Ok(key) = scorer.between(payload, &valid) {
                    prop_assert!(!key.is_nan());
                }
                let _ = scorer.value(payload);
                let _ = scorer.operator(&query, payload);
                let _ = scorer.encode_code_of(payload, &mut Vec::new());
                let mut keys = [0.0; 2];
                let _ = scorer.estimate(&query, payload, payload, &mut keys);
                let _ = scorer.estimate_error(&query, payload, 1.9);
                let _ = Frame::from_bytes(payload);
            }
        }
    }

    /// A payload that is cut or too long is refused.
    #[test]
    fn other_lengths(length in 0usize..200) {
        let mut rng = Rng::with_seed(7);
        for spec in every_spec(9) {
            let scorer = scorer(spec);
            let value = value_of(&spec, &mut rng);
            let mut bytes = payload(&scorer, &value);
            if bytes.len() != length {
                bytes.resize(length, 0);
                let query = scorer.prepare(Some(value.as_ref())).unwrap();
                prop_assert!(scorer.exact(&query, &bytes).is_err());
                prop_assert!(scorer.value(&bytes).is_err());
            }
        }
    }
}
