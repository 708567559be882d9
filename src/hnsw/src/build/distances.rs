//! How far payloads are from each other.

use super::Distances;
use super::rows::Rows;
use kite_codecs::{Metric, PayloadKind, Scorer, Spec, VectorType};

/// Payloads under the scorer that made them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) scorer: &'a Scorer,
    pub(super) rows: &'a Rows,
}

impl Distances for Stored<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    #[inline]
    fn between(&self, a: u32, b: u32) -> f32 {
        // Payloads that the scorer has just made are in order.
        self.scorer.between(self.rows.get(a), self.rows.get(b)).unwrap_or(f32::INFINITY)
    }

    #[inline]
    fn each(&self, a: u32, nodes: &[u32], keys: &mut Vec<f32>) {
        keys.clear();
        let payloads = nodes.iter().map(|&node| self.rows.get(node));
        let _in_order = self.scorer.between_each(self.rows.get(a), payloads, keys);
        keys.resize(nodes.len(), f32::INFINITY);
    }

    #[inline]
    fn prefetch(&self, node: u32) {
        self.rows.prefetch(node);
    }
}

/// What vectors are linked by where it is not what the index stores: a byte per dimension, which takes less time and memory
/// traffic, and finds the same neighbours.
pub(super) fn linking_spec(spec: &Spec) -> Option<Spec> {
    let dense = matches!(spec.vector_type, VectorType::Vector | VectorType::Halfvec);
    (dense && spec.metric != Metric::L1 && spec.payload != PayloadKind::Sq8).then_some(Spec {
        payload: PayloadKind::Sq8,
        code_bits: 0,
        ..*spec
    })
}
