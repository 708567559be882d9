//! Identifiers and literals in statements that are put together here. Values of a caller never come into a statement but through
//! these, or as parameters.

use super::error::internal;
use pgrx::direct_function_call_as_datum;
use pgrx::pg_sys::{self, Datum};
use serde_json::Value;
use std::ffi::CString;

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

/// A value of `jsonb` from its text, which holds no NUL; the server's own parser raises an ERROR for what it does not take.
pub(super) fn jsonb(text: &str) -> Datum {
    let Ok(text) = CString::new(text) else { internal("the text of a JSON value holds a NUL".into()) };
    // SAFETY: the input function of `jsonb` takes one string, which it only reads.
    let value =
        unsafe { direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(Datum::from(text.as_ptr()))]) };
    value.unwrap_or_else(|| internal("jsonb_in answered NULL".into()))
}
