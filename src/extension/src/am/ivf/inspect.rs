//! Lists seen from outside.

use super::Lists;
use crate::am::error::Failure;
use crate::am::inspect::{Damage, Inspect};
use crate::am::scans::Limit;
use crate::am::store::PgStore;
use kite_ivf::{Codes, Index, Info, Options};
use serde_json::{Map, Value, json};

impl<const FLAT: bool> Inspect for Lists<FLAT> {
    const LIMITS: &'static [Limit] = &[Limit::MaxProbes];

    fn info(store: &PgStore) -> Result<Value, Failure> {
        Ok(info(&Index::open(store)?.info()?))
    }

    fn check(store: &PgStore) -> Result<Damage, Failure> {
        let report = Index::open(store)?.check()?;
        let problems = report.problems.into_iter().map(|problem| (problem.block, problem.what)).collect();
        Ok(Damage { problems, more: report.more })
    }
}

/// The figures of an index under the names that [`Info`] has for them, and its drift.
fn info(info: &Info) -> Value {
    let &Info {
        options,
        codes,
        pages,
        bytes,
        free_bytes,
        rows,
        lists,
        empty_lists,
        longest_list,
        blocks,
        spare_entries,
        waiting_blocks,
        row_items,
        chunks,
        built_rows,
        built_error,
        error,
    } = info;
    let mut value = json!({
        "options": options_json(&options),
        "pages": pages,
        "bytes": bytes,
        "free_bytes": free_bytes,
        "rows": rows,
        "lists": lists,
        "empty_lists": empty_lists,
        "longest_list": longest_list,
        "blocks": blocks,
        "spare_entries": spare_entries,
        "waiting_blocks": waiting_blocks,
        "row_items": row_items,
        "chunks": chunks,
        "built_rows": built_rows,
        "built_error": built_error,
        "error": error,
        "drift": info.drift(),
    });
    extend(&mut value, codes_json(codes));
    value
}

/// The options as `WITH (…)` spells them, and what the operator class and the column have decided.
fn options_json(options: &Options) -> Value {
    let mut value = json!({
        "lists": options.lists,
        "payload": super::options::payload_name(options.payload),
        "type": options.vector_type.to_string(),
        "metric": options.metric.to_string(),
        "dimensions": options.dims,
    });
    extend(&mut value, codes_json(options.codes));
    value
}

fn codes_json(codes: Codes) -> Value {
    match codes {
        Codes::None => json!({"codes": "none"}),
        Codes::Sq8 => json!({"codes": "sq8"}),
        Codes::RabitQ { bits } => json!({"codes": "rabitq", "nbits": bits}),
        Codes::Pq { parts, bits } => json!({"codes": "pq", "m": parts, "nbits": bits}),
    }
}

fn extend(value: &mut Value, more: Value) {
    let more: Map<String, Value> = if let Value::Object(more) = more { more } else { Map::new() };
    if let Value::Object(value) = value {
        value.extend(more);
    }
}
