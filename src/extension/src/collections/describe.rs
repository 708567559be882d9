//! `kite.has_collection`, `list_collections` and `describe_collection`.

use super::access::{check_readable, may_read};
use super::database::Database;
use super::{cache, catalog};
use crate::{call::Call, rows};
use kite_schema::{Error, Result};
use pgrx::pg_sys::Datum;
use pgrx::{IntoDatum, JsonB};
use serde_json::{Map, Value, json};

export! { Error;
    "kite_has_collection" => has,
    "kite_list_collections" => list,
    "kite_describe_collection" => describe,
}

fn has(call: &Call) -> Result<bool> {
    let name: String = call.get(0).unwrap_or_default();
    let (database, name) = Database::split(&name, None)?;
    let found = cache::named(&database, name).or_else(|| cache::aliased(&database, name));
    Ok(found.is_some_and(|collection| may_read(collection.oid)))
}

fn list(call: &Call) -> Result<Datum> {
    let database = Database::find(call.get::<String>(0).as_deref())?;
    let collections =
        catalog::tables().into_iter().filter(|table| may_read(*table)).filter_map(cache::of_table);
    let here = collections.filter(|collection| collection.namespace == database.oid);
    let mut names: Vec<String> = here.map(|collection| collection.name.clone()).collect();
    names.sort_unstable();
    rows::answer(call, names.into_iter().map(|name| [name.into_datum()]));
    Ok(Datum::null())
}

fn describe(call: &Call) -> Result<JsonB> {
    let name: String = call.get(0).unwrap_or_default();
    let collection = cache::find(&name)?;
    check_readable(collection.oid);
    let field = |(number, column): (u32, &catalog::Column)| {
        let mut field = column.field.to_json();
        // Milvus numbers the fields of users from 100 on.
        field["field_id"] = (100 + number).into();
        field["type"] = column.field.data_type.number().into();
        field["column"] = column.name.as_str().into();
        field
    };
    let partitions = catalog::partitions(collection.oid);
    let described = json!({
        "collection_name": collection.name,
        "database": collection.database,
        "table": format!("{}.{}", super::sql::ident(&collection.schema), super::sql::ident(&collection.table)),
        "collection_id": collection.oid.to_u32(),
        "description": collection.description,
        "auto_id": collection.primary().is_some_and(|column| column.field.auto_id),
        "enable_dynamic_field": collection.is_dynamic,
        "num_shards": 1,
        "partitioning": collection.partitioning.name(),
        "num_partitions": partitions.len(),
        "consistency_level": collection.consistency_level,
        "aliases": catalog::aliases(collection.oid),
        "properties": Value::Object(properties(&collection.properties)),
        "fields": (0..).zip(&collection.fields).map(field).collect::<Vec<_>>(),
        "functions": [],
    });
    Ok(JsonB(described))
}

/// Milvus's properties are strings.
fn properties(properties: &Map<String, Value>) -> Map<String, Value> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    properties.iter().map(|(key, value)| (key.clone(), text(value).into())).collect()
}
