//! What changes a collection that is there: `kite.alter_collection_properties`, `drop_collection_properties`, `add_collection_field`,
//! `truncate_collection`; and `get_collection_stats`.

use super::access::check_readable;
use super::catalog::Collection;
use super::change::{self, text, whole};
use super::sql::{ident, literal, scalar};
use super::table::{META, checks, collation, column_type};
use super::{cache, catalog, expiry};
use crate::call::Call;
use kite_schema::{Code, DataType, Definition, Error, Field, MAX_FIELDS, Result, fit};
use pgrx::pg_sys;
use pgrx::{IntoDatum, JsonB};
use serde_json::{Map, Value, json};

export! { Error;
    "kite_alter_collection_properties" => alter_properties,
    "kite_drop_collection_properties" => drop_properties,
    "kite_add_collection_field" => add_field,
    "kite_truncate_collection" => truncate,
    "kite_get_collection_stats" => stats,
}

/// The name of the property that turns on keys that no field has.
const DYNAMIC: &str = "dynamicfield.enabled";

fn alter_properties(call: &Call) -> Result<()> {
    let collection = change::owned(&call.get::<String>(0).unwrap_or_default())?;
    let Some(JsonB(Value::Object(mut given))) = call.get::<JsonB>(1) else {
        return Err(Error::invalid("properties should be a JSON object"));
    };
    for fixed in ["partitioning", "num_partitions"] {
        if given.contains_key(fixed) {
            return Err(Error::invalid(format!("{fixed} is decided when the collection is made")));
        }
    }
    if let Some(description) = given.remove("collection.description") {
        let description = description.as_str().unwrap_or_default();
        change::run(&[format!("COMMENT ON TABLE {} IS {}", whole(&collection), literal(description))]);
        change::record(
            "UPDATE kite.collection SET description = $2 WHERE collection = $1",
            &[change::table(collection.oid), text(description)],
        );
    }
    if let Some(dynamic) = given.remove(DYNAMIC) {
        enable_dynamic(&collection, &dynamic)?;
    }
    // Checked as those of a new collection are.
    let mut checked = Definition::new(Vec::new());
    checked.set_properties(&given)?;
    if expiry::seconds(&checked.properties).is_some() && !collection.has_inserted_at {
        change::run(&[format!("ALTER TABLE {} ADD COLUMN {}", whole(&collection), expiry::column())]);
    }
    let mut properties = collection.properties.clone();
    properties.extend(checked.properties);
    set_properties(&collection, properties);
    Ok(())
}

fn enable_dynamic(collection: &Collection, value: &Value) -> Result<()> {
    let on = value.as_bool().or_else(|| value.as_str()?.parse().ok());
    match on {
        Some(true) if collection.is_dynamic => return Ok(()),
        Some(true) => {}
        Some(false) if !collection.is_dynamic => return Ok(()),
        _ => return Err(Error::invalid("dynamic schema cannot supported to be disabled")),
    }
    change::run(&[format!("ALTER TABLE {} ADD COLUMN {}", whole(collection), super::table::meta_column())]);
    change::record(
        "UPDATE kite.collection SET is_dynamic = true WHERE collection = $1",
        &[change::table(collection.oid)],
    );
    Ok(())
}

fn drop_properties(call: &Call) -> Result<()> {
    let collection = change::owned(&call.get::<String>(0).unwrap_or_default())?;
    let mut properties = collection.properties.clone();
    for key in call.get::<Vec<String>>(1).unwrap_or_default() {
        properties.remove(&key);
    }
    set_properties(&collection, properties);
    Ok(())
}

fn set_properties(collection: &Collection, properties: Map<String, Value>) {
    change::record(
        "UPDATE kite.collection SET properties = $2 WHERE collection = $1",
        &[change::table(collection.oid), (pg_sys::JSONBOID, JsonB(Value::Object(properties)).into_datum())],
    );
}

fn add_field(call: &Call) -> Result<()> {
    let collection = change::owned(&call.get::<String>(0).unwrap_or_default())?;
    let JsonB(given) = call.get::<JsonB>(1).ok_or_else(|| Error::invalid("field should be a JSON object"))?;
    let mut field = Field::read(&given)?;
    field.check()?;
    check_added(&collection, &field)?;
    let column = fit(&field.name);
    let mut element =
        format!("{} {}{}", ident(&column), column_type(&field, &catalog::types_schema()), collation(&field));
    if let Some(value) = &field.default_value {
        element += &format!(" DEFAULT {}::{}", scalar(value), column_type(&field, &catalog::types_schema()));
    }
    if !field.nullable {
        element += " NOT NULL";
    }
    let checks = checks(&field, &column).into_iter().map(|check| format!(", ADD {check}"));
    change::run(&[format!(
        "ALTER TABLE {} ADD COLUMN {element}{}",
        whole(&collection),
        checks.collect::<String>()
    )]);
    change::record(
        "INSERT INTO kite.field (collection, column_name, position, definition)
         SELECT $1, $2::text::name, coalesce(max(position), 0) + 1, $3::text::json FROM kite.field WHERE collection = $1",
        &[change::table(collection.oid), text(&column), text(&field.to_json().to_string())],
    );
    Ok(())
}

/// Rows that are there must get a value from somewhere.
fn check_added(collection: &Collection, field: &Field) -> Result<()> {
    let name = &field.name;
    if field.is_primary || field.auto_id {
        return Err(Error::invalid(format!("not support to add pk field, field name = {name}")));
    }
    if field.is_partition_key {
        return Err(Error::invalid(format!("not support to add partition key field, field name  = {name}")));
    }
    if !field.nullable && field.default_value.is_none() {
        return Err(Error::invalid(format!(
            "added field must be nullable, please check it, field name = {name}"
        ))
        .with_hint("Or it has a default_value, which the rows that are there get."));
    }
    if collection.field(name).is_some() {
        return Err(Error::invalid(format!("duplicate field name: {name}")));
    }
    if collection.fields.len() >= MAX_FIELDS {
        return Err(Error::new(
            Code::ParameterTooLarge,
            format!("The number of fields has reached the maximum value {MAX_FIELDS}"),
        ));
    }
    if field.data_type == DataType::Json && field.name == META {
        return Err(Error::invalid(format!("duplicate field name: {name}")));
    }
    Ok(())
}

fn truncate(call: &Call) -> Result<()> {
    let collection = cache::find(&call.get::<String>(0).unwrap_or_default())?;
    // Whoever is granted TRUNCATE may.
    change::run_on_rows(&format!("TRUNCATE TABLE {}", whole(&collection)));
    Ok(())
}

/// The number of rows that the caller may see, or what the server believes there are.
fn stats(call: &Call) -> Result<JsonB> {
    let collection = cache::find(&call.get::<String>(0).unwrap_or_default())?;
    check_readable(collection.oid);
    if call.get::<bool>(1) == Some(false) {
        let rows = change::ask_one(
            "SELECT sum(greatest(reltuples, 0))::bigint::text FROM pg_class
             WHERE oid IN (SELECT relid FROM pg_partition_tree($1) WHERE isleaf UNION SELECT $1) AND relkind = 'r'",
            &[change::table(collection.oid)],
        );
        return Ok(JsonB(json!({ "row_count": number(rows), "exact": false })));
    }
    let condition =
        expiry::alive(&collection, None).map_or_else(String::new, |alive| format!(" WHERE {alive}"));
    Ok(JsonB(json!({ "row_count": change::count(&collection, &condition, &[]) })))
}

fn number(text: Option<String>) -> i64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}
