//! Identifiers and literals in statements that are put together here. Values of a caller never come into a statement but through
//! these, or as parameters.

use serde_json::Value;

/// An identifier in double quotes.
pub(super) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `"schema"."name"`.
pub(super) fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", ident(schema), ident(name))
}

/// A string literal that means the same whatever `standard_conforming_strings` says.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A JSON scalar as a literal, to be cast to the type of a column.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => literal(text),
        other => literal(&other.to_string()),
    }
}
