//! Rows as entities: an SQL expression that makes the JSON object of the fields that are asked for.
//!
//! | field | in JSON |
//! |---|---|
//! | numbers, strings, booleans, JSON, arrays | themselves; NULL is `null`, NaN and infinities are strings |
//! | dense vectors | a list of numbers |
//! | sparse vectors | `{"index": value}`, indices from 0 |
//! | binary vectors | a list of bytes |
//! | `$meta`, keys of the dynamic field | beside the fields, those that the row has |

use super::catalog::{Collection, Column};
use super::sql::{ident, literal};
use super::table::META;
use kite_schema::{Code, DataType, Error, Result};

/// Pairs of one call: a function has at most 100 arguments.
const PAIRS: usize = 49;

/// The expression for these output fields, `None` where there are none of them: `*` is all fields, `$meta` all keys of the dynamic
/// field, and a name that no field has is one of those. Columns are named behind `alias`.
///
/// # Errors
/// For a name that is not known, without a dynamic field.
pub(super) fn expression(collection: &Collection, names: &[String], alias: &str) -> Result<Option<String>> {
    let mut fields: Vec<&Column> = Vec::new();
    let mut keys: Vec<&str> = Vec::new();
    let mut whole_meta = false;
    for name in names {
        match name.as_str() {
            "*" => {
                fields.clone_from(&collection.fields.iter().collect());
                whole_meta = collection.is_dynamic;
            }
            META if collection.is_dynamic => whole_meta = true,
            name => match collection.field(name) {
                Some(column) if fields.iter().any(|known| std::ptr::eq(*known, column)) => {}
                Some(column) => fields.push(column),
                None if collection.is_dynamic => keys.push(name),
                None => {
                    return Err(Error::new(Code::FieldNotFound, format!("field {name} not exist")));
                }
            },
        }
    }
    let meta = format!("{}.{}", ident(alias), ident(META));
    let mut parts = Vec::new();
    if whole_meta {
        parts.push(meta);
    } else {
        keys.sort_unstable();
        keys.dedup();
        parts.extend(keys.iter().map(|key| {
            let key = literal(key);
            format!(
                "CASE WHEN {meta} OPERATOR(pg_catalog.?) {key} THEN pg_catalog.jsonb_build_object({key}, {meta} OPERATOR(pg_catalog.->) {key}) ELSE '{{}}'::pg_catalog.jsonb END"
            )
        }));
    }
    // Behind the dynamic keys, so that a field goes before a key of its name.
    parts.extend(fields.chunks(PAIRS).map(|fields| {
        let pairs: Vec<String> = fields
            .iter()
            .map(|column| format!("{}, {}", literal(&column.field.name), value(column, alias)))
            .collect();
        format!("pg_catalog.jsonb_build_object({})", pairs.join(", "))
    }));
    Ok((!parts.is_empty()).then(|| parts.join(" OPERATOR(pg_catalog.||) ")))
}

/// A field's value, to be made JSON.
fn value(column: &Column, alias: &str) -> String {
    let name = format!("{}.{}", ident(alias), ident(&column.name));
    match column.field.data_type {
        DataType::SparseFloatVector => format!(
            "CASE WHEN {name} IS NOT NULL THEN (SELECT COALESCE(pg_catalog.jsonb_object_agg(\
             CAST(CAST(pg_catalog.split_part(e, ':', 1) AS pg_catalog.int8) OPERATOR(pg_catalog.-) 1 AS pg_catalog.text), \
             CAST(pg_catalog.split_part(e, ':', 2) AS pg_catalog.float4)), '{{}}'::pg_catalog.jsonb) \
             FROM pg_catalog.unnest(pg_catalog.string_to_array(pg_catalog.split_part(\
             pg_catalog.ltrim(CAST({name} AS pg_catalog.text), '{{'), '}}', 1), ',')) AS e) END"
        ),
        DataType::BinaryVector => format!(
            "CASE WHEN {name} IS NOT NULL THEN (SELECT pg_catalog.jsonb_agg(\
             CAST(pg_catalog.\"substring\"({name}, b, 8) AS pg_catalog.int4) ORDER BY b) \
             FROM pg_catalog.generate_series(1, pg_catalog.length({name}), 8) AS b) END"
        ),
        kind if kind.is_vector() => format!("CAST({name} AS pg_catalog.float4[])"),
        _ => name,
    }
}
