//! What a `Scorer` promises, for every type, metric and payload, on every set of kernels.

mod bounds;
mod operators;
mod scorers;
mod vectors;

use kite_codecs::{Metric, PayloadKind, Spec, VectorType};

const DENSE: [Metric; 4] = [Metric::L2, Metric::InnerProduct, Metric::Cosine, Metric::L1];
const PAYLOADS: [PayloadKind; 3] = [PayloadKind::Full, PayloadKind::Half, PayloadKind::Sq8];

fn spec(vector_type: VectorType, metric: Metric, payload: PayloadKind, code_bits: u8, dims: usize) -> Spec {
    Spec { vector_type, metric, payload, code_bits, dims }
}
