//! `kite.load_collection`, `release_collection`, `get_load_state`, `flush` and `compact`. A table of the server is always there to be
//! read: loading is a state that the functions which read keep to, as Milvus does, and a chance to fill the server's cache.

use super::access::check_readable;
use super::catalog::Collection;
use super::change::{self, text, whole};
use super::error::notice;
use super::{cache, catalog, expiry};
use crate::call::Call;
use kite_schema::{Code, Error, Result};
use pgrx::IntoDatum;
use pgrx::JsonB;
use pgrx::pg_sys;
use serde_json::{Value, json};

export! { Error;
    "kite_load_collection" => load,
    "kite_release_collection" => release,
    "kite_load_partitions" => load_partitions,
    "kite_release_partitions" => release_partitions,
    "kite_get_load_state" => load_state,
    "kite_flush" => flush,
    "kite_compact" => compact,
}

fn load(call: &Call) -> Result<JsonB> {
    let collection = change::owned(&call.get::<String>(0).unwrap_or_default())?;
    check_indexed(&collection)?;
    set_loaded(&collection, true);
    Ok(JsonB(prewarmed(&collection)))
}

fn release(call: &Call) -> Result<()> {
    let collection = change::owned(&call.get::<String>(0).unwrap_or_default())?;
    set_loaded(&collection, false);
    Ok(())
}

/// The partitions that a reader may look at: those that he names, or where he names none and not all are loaded, those that are. None
/// means all.
///
/// # Errors
/// Where the collection is not loaded, or a partition that is named.
pub(super) fn loaded(collection: &Collection, named: Vec<String>) -> Result<Vec<String>> {
    if collection.is_loaded && collection.released.is_empty() {
        return Ok(named);
    }
    check_readable(collection.oid);
    let name = &collection.name;
    if !collection.is_loaded {
        return Err(Error::new(
            Code::CollectionNotLoaded,
            format!("collection not loaded[collection={name}]"),
        )
        .with_hint("kite.load_collection loads it. Plain SQL reads the table in any case."));
    }
    if let Some(partition) = named.iter().find(|name| collection.released.contains(name)) {
        return Err(Error::new(
            Code::PartitionNotLoaded,
            format!("partition not loaded[collection={name}][partition={partition}]"),
        ));
    }
    if !named.is_empty() || !collection.has_partition_column() {
        return Ok(named);
    }
    let all = catalog::partitions(collection.oid).into_iter().map(|(name, _)| name);
    Ok(all.filter(|name| !collection.released.contains(name)).collect())
}

/// Marks a collection and all its partitions.
pub(super) fn set_loaded(collection: &Collection, loaded: bool) {
    for statement in [
        "UPDATE kite.collection SET is_loaded = $2 WHERE collection = $1",
        "UPDATE kite.partition SET is_loaded = $2 WHERE collection = $1",
    ] {
        change::record(statement, &[change::table(collection.oid), (pg_sys::BOOLOID, loaded.into_datum())]);
    }
}

/// Milvus loads no collection whose vectors have no index; `FLAT` is one.
pub(super) fn check_indexed(collection: &Collection) -> Result<()> {
    let indexes = catalog::indexes(collection.oid);
    match collection.vectors().find(|column| !indexes.iter().any(|index| index.column == column.name)) {
        None => Ok(()),
        Some(column) => Err(Error::new(
            Code::IndexNotFound,
            format!(
                "there is no vector index on field: [{}], please create index firstly",
                column.field.name
            ),
        )),
    }
}

/// Reads what fits into the server's cache, indexes first and long vectors last, where pg_prewarm is installed.
fn prewarmed(collection: &Collection) -> Value {
    let schema = change::ask_one(
        "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
         JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = 'pg_prewarm'
         WHERE e.extname = 'pg_prewarm' AND has_function_privilege(p.oid, 'EXECUTE')",
        &[],
    );
    let Some(schema) = schema else {
        return json!({
            "state": "Loaded", "prewarmed_blocks": 0,
            "note": "The cache is filled by what is read. CREATE EXTENSION pg_prewarm lets a load fill it."
        });
    };
    let blocks = change::ask_one(
        &format!(
            "WITH parts AS (SELECT relid FROM pg_partition_tree($1) WHERE isleaf UNION SELECT $1),
             relations AS (
                 SELECT i.indexrelid AS relation, 0 AS turn FROM parts JOIN pg_index i ON i.indrelid = parts.relid
                 UNION ALL SELECT relid, 1 FROM parts
                 UNION ALL SELECT c.reltoastrelid, 2 FROM parts JOIN pg_class c ON c.oid = parts.relid),
             sized AS (
                 SELECT relation, sum(pg_relation_size(relation)) OVER (ORDER BY turn, relation) AS until
                 FROM relations JOIN pg_class c ON c.oid = relation AND c.relkind IN ('r', 'i', 't'))
             SELECT coalesce(sum({schema}.pg_prewarm(relation)), 0)::text FROM sized
             WHERE until <= (SELECT setting::bigint * current_setting('block_size')::bigint FROM pg_settings WHERE name = 'shared_buffers')"
        ),
        &[change::table(collection.oid)],
    );
    let blocks: i64 = blocks.and_then(|blocks| blocks.parse().ok()).unwrap_or(0);
    json!({ "state": "Loaded", "prewarmed_blocks": blocks })
}

fn load_partitions(call: &Call) -> Result<()> {
    let collection = change::owned(&call.get::<String>(0).unwrap_or_default())?;
    check_indexed(&collection)?;
    mark_partitions(&collection, &call.get::<Vec<String>>(1).unwrap_or_default(), true)
}

fn release_partitions(call: &Call) -> Result<()> {
    let collection = change::owned(&call.get::<String>(0).unwrap_or_default())?;
    mark_partitions(&collection, &call.get::<Vec<String>>(1).unwrap_or_default(), false)
}

/// Marks partitions; a collection is loaded as long as one of its partitions is.
fn mark_partitions(collection: &Collection, names: &[String], loaded: bool) -> Result<()> {
    let known = catalog::partitions(collection.oid);
    for name in names {
        if !known.iter().any(|(known, _)| known == name) {
            return Err(super::partition::not_found(name));
        }
        change::record(
            "UPDATE kite.partition SET is_loaded = $3 WHERE collection = $1 AND partition = $2",
            &[change::table(collection.oid), text(name), (pg_sys::BOOLOID, loaded.into_datum())],
        );
    }
    change::record(
        "UPDATE kite.collection c SET is_loaded = EXISTS (SELECT FROM kite.partition p WHERE p.collection = $1 AND p.is_loaded)
         WHERE c.collection = $1",
        &[change::table(collection.oid)],
    );
    Ok(())
}

fn load_state(call: &Call) -> Result<JsonB> {
    let Ok(collection) = cache::find(&call.get::<String>(0).unwrap_or_default()) else {
        return Ok(JsonB(json!({ "state": "NotExist" })));
    };
    check_readable(collection.oid);
    let Some(partition) = call.get::<String>(1) else {
        return Ok(JsonB(json!({ "state": if collection.is_loaded { "Loaded" } else { "NotLoad" } })));
    };
    let state = change::ask_one(
        "SELECT CASE WHEN p.is_loaded THEN 'Loaded' ELSE 'NotLoad' END FROM kite.partitions p WHERE p.collection = $1 AND p.partition = $2",
        &[change::table(collection.oid), text(&partition)],
    );
    let state = state.ok_or_else(|| super::partition::not_found(&partition))?;
    Ok(JsonB(json!({ "state": state })))
}

/// Nothing waits to be written: says whether a commit is on disk when it returns.
fn flush(call: &Call) -> Result<JsonB> {
    let collection = cache::find(&call.get::<String>(0).unwrap_or_default())?;
    check_readable(collection.oid);
    let setting =
        |name: &str| change::ask_one("SELECT current_setting($1)", &[text(name)]).unwrap_or_default();
    let durable = setting("fsync") == "on" && setting("synchronous_commit") != "off";
    let note = if durable {
        "Rows are on disk once their transaction has committed; those of this one will be."
    } else {
        "fsync or synchronous_commit is off: a crash may lose rows of committed transactions."
    };
    Ok(JsonB(json!({ "flushed": durable, "note": note })))
}

/// Deletes rows that have expired. VACUUM, which gives space back, runs in no function: says how much there is to do for it, and how it
/// is called.
fn compact(call: &Call) -> Result<JsonB> {
    let collection = change::owned(&call.get::<String>(0).unwrap_or_default())?;
    let statement = format!("VACUUM {}", whole(&collection));
    let expired = expiry::expired(&collection, None);
    let expired = expired.map_or(0, |expired| change::delete(&collection, &expired));
    let rows = change::ask(
        "SELECT sum(pg_stat_get_live_tuples(relid))::bigint::text, sum(pg_stat_get_dead_tuples(relid))::bigint::text
         FROM (SELECT relid FROM pg_partition_tree($1) WHERE isleaf UNION SELECT $1) AS parts",
        &[change::table(collection.oid)],
    );
    let number = |column: usize| {
        let value = rows.first().and_then(|row| row.get(column)?.as_deref()?.parse::<i64>().ok());
        value.map_or(Value::Null, Value::from)
    };
    notice(format!("autovacuum compacts by itself; to do so now, run {statement}"));
    Ok(JsonB(json!({
        "compacted": false, "expired_rows": expired, "live_rows": number(0), "dead_rows": number(1), "statement": statement,
    })))
}
