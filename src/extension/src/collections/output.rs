//! Rows as clients see them: a JSON object each, made by the server from the columns that were asked for.

use super::catalog::{Collection, Column};
use super::sql::{ident, literal};
use super::table::META;
use kite_schema::{Code, DataType, Error, Result};

/// Fields of an object that one call of `jsonb_build_object` makes; a function has at most 100 arguments.
const AT_ONCE: usize = 50;

/// The expression of the object that a row becomes: the primary key, and the fields that are asked for. `*`, or nothing, is all of them
/// and all dynamic keys; a name that no field has is a dynamic key, which only those rows show that have it; `$meta` is all of these.
///
/// # Errors
/// For a name that no field has, where there are no dynamic keys.
pub(super) fn entity(collection: &Collection, names: Option<&[String]>, alias: &str) -> Result<String> {
    let names = names.unwrap_or(&[]);
    object(collection, names, names.is_empty(), true, alias)
}

/// The same of nothing but what is asked for; `None` where that is nothing.
///
/// # Errors
/// As [`entity`].
pub(super) fn asked(collection: &Collection, names: &[String], alias: &str) -> Result<Option<String>> {
    if names.is_empty() {
        return Ok(None);
    }
    object(collection, names, false, false, alias).map(Some)
}

fn object(
    collection: &Collection,
    names: &[String],
    all: bool,
    with_key: bool,
    alias: &str,
) -> Result<String> {
    let all = all || names.iter().any(|name| name == "*");
    let asked =
        |column: &&Column| all || (with_key && column.field.is_primary) || names.contains(&column.field.name);
    let fields: Vec<String> =
        collection.fields.iter().filter(asked).map(|column| member(column, alias)).collect();
    let mut objects = Vec::new();
    let meta = format!("{}.{}", ident(alias), ident(META));
    let unknown = || names.iter().filter(|name| *name != "*" && collection.field(name).is_none());
    if !collection.is_dynamic {
        if let Some(name) = unknown().next() {
            return Err(Error::new(Code::FieldNotFound, format!("field {name} not exist")));
        }
    } else if all || unknown().any(|name| name == META) {
        objects.push(meta);
    } else {
        objects.extend(unknown().map(|key| {
            let key = literal(key);
            format!(
                "CASE WHEN {meta} OPERATOR(pg_catalog.?) {key} \
                 THEN pg_catalog.jsonb_build_object({key}::pg_catalog.text, {meta} OPERATOR(pg_catalog.->) {key}) \
                 ELSE '{{}}'::pg_catalog.jsonb END"
            )
        }));
    }
    // Behind the dynamic keys, as the latter of two values of a key is taken.
    objects.extend(
        fields.chunks(AT_ONCE).map(|part| format!("pg_catalog.jsonb_build_object({})", part.join(", "))),
    );
    Ok(objects.join(" OPERATOR(pg_catalog.||) "))
}

/// A field's name and value.
fn member(column: &Column, alias: &str) -> String {
    let value = format!("{}.{}", ident(alias), ident(&column.name));
    let value = match column.field.data_type {
        DataType::FloatVector | DataType::BFloat16Vector | DataType::Float16Vector | DataType::Int8Vector => {
            format!("{value}::pg_catalog.float4[]")
        }
        DataType::SparseFloatVector | DataType::BinaryVector => format!("kite.to_json({value})"),
        _ => value,
    };
    format!("{}::pg_catalog.text, {value}", literal(&column.field.name))
}
