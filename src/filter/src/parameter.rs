//! The constants of a printed condition.

use crate::schema::Scalar;
use crate::value::Value;
use std::fmt::Write as _;

/// A constant with its SQL type. The names are PostgreSQL's, whose `Int8` has eight *bytes* (Milvus's is [`Scalar::Int8`]).
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names are the types")]
pub enum Parameter {
    Bool(bool),
    Int2(i16),
    Int4(i32),
    Int8(i64),
    Float4(f32),
    Float8(f64),
    Text(String),
    /// The text of a JSON value.
    Jsonb(String),
    BoolArray(Vec<bool>),
    Int2Array(Vec<i16>),
    Int4Array(Vec<i32>),
    Int8Array(Vec<i64>),
    Float4Array(Vec<f32>),
    Float8Array(Vec<f64>),
    TextArray(Vec<String>),
    /// The texts of JSON values.
    JsonbArray(Vec<String>),
}

/// The SQL type of a parameter, by PostgreSQL's names: `Int8` is `bigint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the types")]
pub enum SqlType {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Text,
    Jsonb,
    BoolArray,
    Int2Array,
    Int4Array,
    Int8Array,
    Float4Array,
    Float8Array,
    TextArray,
    JsonbArray,
}

impl SqlType {
    /// The type's name in SQL.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Int2 => "smallint",
            Self::Int4 => "integer",
            Self::Int8 => "bigint",
            Self::Float4 => "real",
            Self::Float8 => "double precision",
            Self::Text => "text",
            Self::Jsonb => "jsonb",
            Self::BoolArray => "boolean[]",
            Self::Int2Array => "smallint[]",
            Self::Int4Array => "integer[]",
            Self::Int8Array => "bigint[]",
            Self::Float4Array => "real[]",
            Self::Float8Array => "double precision[]",
            Self::TextArray => "text[]",
            Self::JsonbArray => "jsonb[]",
        }
    }
}

impl Parameter {
    /// The type it has to be bound with: operators are found by it.
    #[must_use]
    pub fn sql_type(&self) -> SqlType {
        match self {
            Self::Bool(_) => SqlType::Bool,
            Self::Int2(_) => SqlType::Int2,
            Self::Int4(_) => SqlType::Int4,
            Self::Int8(_) => SqlType::Int8,
            Self::Float4(_) => SqlType::Float4,
            Self::Float8(_) => SqlType::Float8,
            Self::Text(_) => SqlType::Text,
            Self::Jsonb(_) => SqlType::Jsonb,
            Self::BoolArray(_) => SqlType::BoolArray,
            Self::Int2Array(_) => SqlType::Int2Array,
            Self::Int4Array(_) => SqlType::Int4Array,
            Self::Int8Array(_) => SqlType::Int8Array,
            Self::Float4Array(_) => SqlType::Float4Array,
            Self::Float8Array(_) => SqlType::Float8Array,
            Self::TextArray(_) => SqlType::TextArray,
            Self::JsonbArray(_) => SqlType::JsonbArray,
        }
    }

    /// The constant as a literal with its type: a text that is safe in any statement.
    #[must_use]
    pub fn literal(&self) -> String {
        let value = match self {
            Self::Bool(value) => return value.to_string(),
            Self::Int2(value) => quoted(&value.to_string()),
            Self::Int4(value) => quoted(&value.to_string()),
            Self::Int8(value) => quoted(&value.to_string()),
            Self::Float4(value) => quoted(&float(f64::from(*value), &value.to_string())),
            Self::Float8(value) => quoted(&float(*value, &value.to_string())),
            Self::Text(value) | Self::Jsonb(value) => quoted(value),
            Self::BoolArray(values) => array(values.iter().map(ToString::to_string)),
            Self::Int2Array(values) => array(values.iter().map(ToString::to_string)),
            Self::Int4Array(values) => array(values.iter().map(ToString::to_string)),
            Self::Int8Array(values) => array(values.iter().map(ToString::to_string)),
            Self::Float4Array(values) => array(values.iter().map(|x| float(f64::from(*x), &x.to_string()))),
            Self::Float8Array(values) => array(values.iter().map(|x| float(*x, &x.to_string()))),
            Self::TextArray(values) | Self::JsonbArray(values) => array(values.iter().cloned()),
        };
        format!("{value}::pg_catalog.{}", self.sql_type().internal_name())
    }

    /// A constant for a column, when the column's type has it.
    pub(crate) fn scalar(scalar: Scalar, value: &Value) -> Option<Self> {
        Some(match (scalar, value) {
            (Scalar::Bool, Value::Bool(value)) => Self::Bool(*value),
            (Scalar::Int8 | Scalar::Int16, Value::Int(value)) => Self::Int2(i16::try_from(*value).ok()?),
            (Scalar::Int32, Value::Int(value)) => Self::Int4(i32::try_from(*value).ok()?),
            (Scalar::Int64, Value::Int(value)) => Self::Int8(*value),
            (Scalar::Float, value) => Self::Float4(value.as_float()? as f32),
            (Scalar::Double, value) => Self::Float8(value.as_float()?),
            (Scalar::VarChar, Value::Text(value)) => Self::Text(value.clone()),
            _ => return None,
        })
    }

    /// Constants for a column, those left out that the column's type has not: no row is equal to one of them.
    pub(crate) fn scalars(scalar: Scalar, values: &[Value]) -> Self {
        let integers = || {
            values.iter().filter_map(|value| match value {
                Value::Int(value) => Some(*value),
                _ => None,
            })
        };
        match scalar {
            Scalar::Bool => Self::BoolArray(values.iter().filter_map(boolean).collect()),
            Scalar::Int8 | Scalar::Int16 => {
                Self::Int2Array(integers().filter_map(|x| i16::try_from(x).ok()).collect())
            }
            Scalar::Int32 => Self::Int4Array(integers().filter_map(|x| i32::try_from(x).ok()).collect()),
            Scalar::Int64 => Self::Int8Array(integers().collect()),
            Scalar::Float => {
                Self::Float4Array(values.iter().filter_map(Value::as_float).map(|x| x as f32).collect())
            }
            Scalar::Double => Self::Float8Array(values.iter().filter_map(Value::as_float).collect()),
            Scalar::VarChar => Self::TextArray(values.iter().filter_map(text).collect()),
        }
    }
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(value) => Some(value.clone()),
        _ => None,
    }
}

impl SqlType {
    /// The type's name in `pg_catalog`, which is not always a keyword of the grammar.
    fn internal_name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int2 => "int2",
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Float4 => "float4",
            Self::Float8 => "float8",
            Self::BoolArray => "bool[]",
            Self::Int2Array => "int2[]",
            Self::Int4Array => "int4[]",
            Self::Int8Array => "int8[]",
            Self::Float4Array => "float4[]",
            Self::Float8Array => "float8[]",
            other => other.name(),
        }
    }
}

/// A string literal that means the same whatever `standard_conforming_strings` is.
pub(crate) fn quoted(text: &str) -> String {
    let prefix = if text.contains('\\') { "E" } else { "" };
    format!("{prefix}'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// An identifier, always in quotes.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn float(value: f64, text: &str) -> String {
    if value.is_infinite() {
        if value > 0.0 { "Infinity".into() } else { "-Infinity".into() }
    } else {
        text.into()
    }
}

/// The literal of an array, every element in double quotes.
fn array(elements: impl Iterator<Item = String>) -> String {
    let mut text = String::from("{");
    for (i, element) in elements.enumerate() {
        let element = element.replace('\\', "\\\\").replace('"', "\\\"");
        // Writing to a string does not fail.
        let _ = write!(text, "{}\"{element}\"", if i == 0 { "" } else { "," });
    }
    text.push('}');
    quoted(&text)
}
