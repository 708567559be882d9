//! The graph that all layouts share: linked by kite-hnsw over `sq8` payloads.

use super::set::Set;
use crate::interrupt;
use crate::metric;
use crate::progress::Progress;
use anyhow::{Context, Result};
use clap::Args;
use kite_codecs::{Metric, PayloadKind, Scorer, Spec, Value, VectorType};
use kite_hnsw::{Choice, Distances, Graph, Host, Parameters, Stopped, link};
use kite_kernels::prefetch;
use std::time::Instant;

/// How graphs are built.
#[derive(Debug, Clone, Args)]
pub(super) struct Building {
    /// The most links of a node on the levels above 0; on level 0 twice as many
    #[arg(long, default_value_t = 16)]
    pub(super) m: usize,
    /// How many near nodes are found for a new one to choose its links from
    #[arg(long, default_value_t = 64)]
    pub(super) ef_construction: usize,
    /// Threads that link
    #[arg(long, default_value_t = 2)]
    pub(super) threads: usize,
}

impl Building {
    pub(super) fn parameters(&self, spec: &Spec) -> Parameters {
        let Self { m, ef_construction, threads } = *self;
        Parameters { m, ef_construction, choice: Choice::of(spec), threads, ..Parameters::default() }
    }
}

/// What an index over the set is asked to hold.
pub(super) fn spec(set: &Set<'_>, payload: PayloadKind, code_bits: u8) -> Spec {
    let metric = match set.data.metric() {
        metric::Metric::L2 => Metric::L2,
        metric::Metric::Ip => Metric::InnerProduct,
        metric::Metric::Cosine => Metric::Cosine,
        metric::Metric::L1 => Metric::L1,
        metric::Metric::Hamming => Metric::Hamming,
        metric::Metric::Jaccard => Metric::Jaccard,
    };
    Spec { vector_type: VectorType::Vector, metric, payload, code_bits, dims: set.rows.dims }
}

/// A graph over the rows by their numbers, and the seconds that encoding and linking took.
pub(super) fn linked(set: &Set<'_>, building: &Building) -> Result<(Graph, f64)> {
    let begin = Instant::now();
    let payloads = Payloads::encode(set)?;
    let host = Watch::new("linking the graph", set.rows.len());
    let parameters = building.parameters(payloads.scorer.spec());
    let graph = link(&payloads, &parameters, &host).map_err(kite_hnsw::Error::from)?;
    Ok((graph, begin.elapsed().as_secs_f64()))
}

/// `sq8` payloads one after the other.
struct Payloads {
    scorer: Scorer,
    size: usize,
    bytes: Vec<u8>,
}

impl Payloads {
    fn encode(set: &Set<'_>) -> Result<Self> {
        let scorer = Scorer::new(spec(set, PayloadKind::Sq8, 0), None)?;
        let size = scorer.payload_len().context("sq8 payloads are of one length")?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size * set.rows.len())?;
        for (n, row) in set.rows.iter().enumerate() {
            scorer.encode(Value::F32(row), &mut bytes).with_context(|| format!("row {n}"))?;
        }
        Ok(Self { scorer, size, bytes })
    }

    fn get(&self, node: u32) -> &[u8] {
        &self.bytes[node as usize * self.size..][..self.size]
    }
}

impl Distances for Payloads {
    fn len(&self) -> usize {
        self.bytes.len() / self.size
    }

    fn between(&self, a: u32, b: u32) -> f32 {
        // Both were written by this scorer, so there is nothing that it could refuse.
        self.scorer.between(self.get(a), self.get(b)).unwrap_or(f32::INFINITY)
    }

    fn prefetch(&self, node: u32) {
        prefetch(self.get(node).as_ptr(), self.size);
    }
}

/// Shows how far a build is, and ends it when the run is to end.
pub(super) struct Watch {
    progress: Progress,
    total: usize,
}

impl Watch {
    pub(super) fn new(what: &str, total: usize) -> Self {
        Self { progress: Progress::new(what), total }
    }
}

impl Host for Watch {
    fn go_on(&self) -> Result<(), Stopped> {
        if interrupt::asked() { Err(Stopped::Interrupted) } else { Ok(()) }
    }

    fn linked(&self, nodes: usize) {
        self.progress.say("nodes", nodes as u64, self.total as u64);
    }
}
