//! What an index asks of a scorer, per call.
//!
//! `cargo bench -p kite-bench --bench codecs` measures with criterion; with `-- --table` it prints the median nanoseconds per
//! call as a Markdown table.

mod meter;

use kite_codecs::{Frame, Metric, PayloadKind, PreparedQuery, Scorer, Spec, Value, VectorType};
use meter::{Meter, Run};
use std::hint::black_box;

const DIMENSIONS: [usize; 5] = [128, 384, 768, 1536, 3072];
/// Neighbours in an edge list.
const LIST: usize = 32;

fn main() {
    meter::main(&DIMENSIONS, Scorers);
}

struct Scorers;

impl Run for Scorers {
    fn run(self, meter: &mut impl Meter) {
        for metric in [Metric::L2, Metric::Cosine, Metric::L1] {
            for payload in [PayloadKind::Full, PayloadKind::Half, PayloadKind::Sq8] {
                for dims in DIMENSIONS {
                    payloads(meter, metric, payload, dims);
                }
            }
        }
        for bits in [1, 2] {
            for dims in DIMENSIONS {
                codes(meter, bits, dims);
            }
        }
    }
}

fn values(dims: usize, seed: u64) -> Vec<f32> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..dims).map(|_| rng.f32() - 0.5).collect()
}

fn payloads(meter: &mut impl Meter, metric: Metric, payload: PayloadKind, dims: usize) {
    let spec = Spec { vector_type: VectorType::Vector, metric, payload, code_bits: 0, dims };
    let scorer = Scorer::new(spec, None).expect("a scorer");
    let (query, a) = (values(dims, 1), values(dims, 2));
    let encode = |values: &[f32]| {
        let mut payload = Vec::new();
        scorer.encode(Value::F32(values), &mut payload).expect("a payload");
        // Aligned as on a page.
        let mut aligned = vec![0u64; payload.len().div_ceil(8)];
        for (word, bytes) in aligned.iter_mut().zip(payload.chunks(8)) {
            let mut eight = [0; 8];
            eight[..bytes.len()].copy_from_slice(bytes);
            *word = u64::from_ne_bytes(eight);
        }
        (aligned, payload.len())
    };
    let (a_words, length) = encode(&a);
    let (b_words, _) = encode(&query);
    let bytes =
        |words: &[u64]| words.iter().flat_map(|word| word.to_ne_bytes()).take(length).collect::<Vec<u8>>();
    let (a_bytes, b_bytes) = (bytes(&a_words), bytes(&b_words));
    let prepared = scorer.prepare(Some(Value::F32(&query))).expect("a query");
    let name = |what: &str| format!("{what}, {metric}");
    let row = payload.to_string();
    let scorer = black_box(&scorer);
    meter.time(&name("exact"), &row, dims, || scorer.exact(&prepared, black_box(&a_bytes)));
    meter.time(&name("between"), &row, dims, || scorer.between(black_box(&a_bytes), black_box(&b_bytes)));
    meter.time(&name("lower bound"), &row, dims, || scorer.lower_bound(&prepared, black_box(&a_bytes)));
    let mut out = Vec::new();
    meter.time(&name("encode"), &row, dims, || {
        out.clear();
        scorer.encode(Value::F32(black_box(&a)), &mut out)
    });
    meter.time(&name("prepare"), &row, dims, || scorer.prepare(Some(Value::F32(black_box(&query)))));
}

fn codes(meter: &mut impl Meter, bits: u8, dims: usize) {
    let (vector_type, metric, payload) = (VectorType::Vector, Metric::L2, PayloadKind::Sq8);
    let spec = Spec { vector_type, metric, payload, code_bits: bits, dims };
    let frame = Frame::new(vec![0.01; dims], 1).expect("a frame");
    let scorer = Scorer::new(spec, Some(frame)).expect("a scorer");
    let (mut codes, mut factors) = (Vec::new(), Vec::new());
    for seed in 0..LIST as u64 {
        let mut code = Vec::new();
        scorer.encode_code(Value::F32(&values(dims, seed)), &mut code).expect("a code");
        codes.extend_from_slice(&code[..scorer.code_len()]);
        factors.extend_from_slice(&code[scorer.code_len()..]);
    }
    let query = values(dims, 100);
    let prepared: PreparedQuery = scorer.prepare(Some(Value::F32(&query))).expect("a query");
    let row = format!("{bits} bits");
    let mut keys = [0.0; LIST];
    let scorer = black_box(&scorer);
    meter.time("estimate 32", &row, dims, || {
        scorer.estimate(&prepared, black_box(&codes), black_box(&factors), &mut keys)
    });
    let mut out = Vec::new();
    meter.time("encode code", &row, dims, || {
        out.clear();
        scorer.encode_code(Value::F32(black_box(&query)), &mut out)
    });
    meter.time("prepare with code", &row, dims, || scorer.prepare(Some(Value::F32(black_box(&query)))));
}
