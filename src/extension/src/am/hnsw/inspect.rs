//! A graph seen from outside.

use super::Hnsw;
use crate::am::error::Failure;
use crate::am::inspect::{Damage, Inspect};
use crate::am::scans::Limit;
use crate::am::store::PgStore;
use kite_hnsw::{Index, Info, Level, Options};
use serde_json::{Value, json};

impl Inspect for Hnsw {
    const LIMITS: &'static [Limit] = &[Limit::MaxScanTuples, Limit::Memory, Limit::Table];

    fn info(store: &PgStore) -> Result<Value, Failure> {
        Ok(info(Index::open(store)?.info()?))
    }

    fn check(store: &PgStore) -> Result<Damage, Failure> {
        let report = Index::open(store)?.check()?;
        let problems = report.problems.into_iter().map(|problem| (problem.block, problem.what)).collect();
        Ok(Damage { problems, more: report.more })
    }
}

/// The figures of an index under the names that [`Info`] has for them.
fn info(info: Info) -> Value {
    let Info {
        options,
        pages,
        bytes,
        free_bytes,
        rows,
        dead_vertices,
        unlinked_vertices,
        levels,
        coded_lists,
        bare_lists,
        postings,
        chunks,
        frame,
    } = info;
    json!({
        "options": options_json(&options),
        "pages": pages,
        "bytes": bytes,
        "free_bytes": free_bytes,
        "rows": rows,
        "dead_vertices": dead_vertices,
        "unlinked_vertices": unlinked_vertices,
        "levels": levels.iter().map(level_json).collect::<Vec<_>>(),
        "coded_lists": coded_lists,
        "bare_lists": bare_lists,
        "postings": postings,
        "chunks": chunks,
        "frame": frame,
    })
}

/// The options as `WITH (…)` spells them, and what the operator class and the column have decided.
fn options_json(options: &Options) -> Value {
    let spec = &options.spec;
    json!({
        "m": options.m,
        "ef_construction": options.ef_construction,
        "payload": spec.payload.to_string(),
        "codes": spec.code_bits,
        "type": spec.vector_type.to_string(),
        "metric": spec.metric.to_string(),
        "dimensions": spec.dims,
    })
}

fn level_json(level: &Level) -> Value {
    json!({
        "vertices": level.vertices,
        "mean_degree": level.mean_degree(),
        "degrees": level.degrees,
    })
}
