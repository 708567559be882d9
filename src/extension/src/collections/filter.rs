//! Filter expressions as conditions on a collection's table: kite-filter reads, checks and prints them, here columns and constants
//! become the server's.

use super::catalog::Collection;
use super::sql::jsonb;
use super::table::META;
use kite_filter::{ErrorKind, Parameter, SqlOptions, SqlType};
use kite_schema::{Code, DataType, Error, Result};
use pgrx::IntoDatum;
use pgrx::pg_sys::{self, Datum, Oid};
use serde_json::{Map, Value};

/// A condition for a WHERE, with its parameters.
pub(super) struct Condition {
    /// A boolean expression in SQL; the text depends on the shape of the filter alone, so that its plan can be kept.
    pub(super) sql: String,
    /// The types of its parameters.
    pub(super) types: Vec<Oid>,
    /// Their values, in the memory context of the call.
    pub(super) values: Vec<Option<Datum>>,
}

/// Reads a filter, checks it against the collection, and binds template variables to `params`, an object. Columns are named behind
/// `alias`, parameters are numbered from `first_parameter` on. An empty filter is true for every row.
///
/// # Errors
/// What is wrong with the filter, and at which byte of it.
pub(super) fn condition(
    collection: &Collection,
    text: &str,
    params: Option<&Value>,
    alias: &str,
    first_parameter: usize,
) -> Result<Condition> {
    let checked = check(collection, text, params)?;
    let sql = checked.to_sql(&SqlOptions { table_alias: Some(alias), first_parameter });
    Ok(Condition {
        types: sql.parameters.iter().map(|parameter| type_oid(parameter.sql_type())).collect(),
        values: sql.parameters.into_iter().map(datum).collect(),
        sql: sql.text,
    })
}

/// Reads a filter and checks it against the collection, as [`condition`] does.
///
/// # Errors
/// What is wrong with the filter, and at which byte of it.
pub(super) fn check(
    collection: &Collection,
    text: &str,
    params: Option<&Value>,
) -> Result<kite_filter::CheckedFilter> {
    let none = Map::new();
    let params = match params {
        None | Some(Value::Null) => &none,
        Some(Value::Object(params)) => params,
        Some(_) => return Err(Error::invalid("filter_params should be a JSON object")),
    };
    let filter = kite_filter::parse(text).map_err(|error| refusal(&error))?;
    filter.check(&schema(collection), params).map_err(|error| refusal(&error))
}

/// Milvus has one code for whatever is wrong with an expression.
fn refusal(error: &kite_filter::Error) -> Error {
    let code = match error.kind() {
        ErrorKind::Unsupported => Code::Unsupported,
        ErrorKind::Limit => Code::ParameterTooLarge,
        _ => Code::ParameterInvalid,
    };
    Error::new(code, error.to_string())
}

fn schema(collection: &Collection) -> kite_filter::Schema {
    let fields = collection.fields.iter().map(|column| kite_filter::Field {
        name: column.field.name.clone(),
        column: column.name.clone(),
        data_type: data_type(column.field.data_type, column.field.element_type),
        nullable: column.field.nullable,
        primary_key: column.field.is_primary,
    });
    kite_filter::Schema {
        fields: fields.collect(),
        dynamic_column: collection.is_dynamic.then(|| META.to_owned()),
    }
}

fn data_type(data_type: DataType, element: Option<DataType>) -> kite_filter::DataType {
    let opaque = || kite_filter::DataType::Opaque(data_type.label().to_owned());
    match data_type {
        DataType::Json => kite_filter::DataType::Json,
        DataType::Array => element.and_then(scalar).map_or_else(opaque, kite_filter::DataType::Array),
        other => scalar(other).map_or_else(opaque, kite_filter::DataType::Scalar),
    }
}

fn scalar(data_type: DataType) -> Option<kite_filter::Scalar> {
    use kite_filter::Scalar;
    Some(match data_type {
        DataType::Bool => Scalar::Bool,
        DataType::Int8 => Scalar::Int8,
        DataType::Int16 => Scalar::Int16,
        DataType::Int32 => Scalar::Int32,
        DataType::Int64 => Scalar::Int64,
        DataType::Float => Scalar::Float,
        DataType::Double => Scalar::Double,
        DataType::VarChar => Scalar::VarChar,
        _ => return None,
    })
}

fn type_oid(kind: SqlType) -> Oid {
    match kind {
        SqlType::Bool => pg_sys::BOOLOID,
        SqlType::Int2 => pg_sys::INT2OID,
        SqlType::Int4 => pg_sys::INT4OID,
        SqlType::Int8 => pg_sys::INT8OID,
        SqlType::Float4 => pg_sys::FLOAT4OID,
        SqlType::Float8 => pg_sys::FLOAT8OID,
        SqlType::Text => pg_sys::TEXTOID,
        SqlType::Jsonb => pg_sys::JSONBOID,
        SqlType::BoolArray => pg_sys::BOOLARRAYOID,
        SqlType::Int2Array => pg_sys::INT2ARRAYOID,
        SqlType::Int4Array => pg_sys::INT4ARRAYOID,
        SqlType::Int8Array => pg_sys::INT8ARRAYOID,
        SqlType::Float4Array => pg_sys::FLOAT4ARRAYOID,
        SqlType::Float8Array => pg_sys::FLOAT8ARRAYOID,
        SqlType::TextArray => pg_sys::TEXTARRAYOID,
        SqlType::JsonbArray => pg_sys::JSONBARRAYOID,
    }
}

fn datum(parameter: Parameter) -> Option<Datum> {
    match parameter {
        Parameter::Bool(value) => value.into_datum(),
        Parameter::Int2(value) => value.into_datum(),
        Parameter::Int4(value) => value.into_datum(),
        Parameter::Int8(value) => value.into_datum(),
        Parameter::Float4(value) => value.into_datum(),
        Parameter::Float8(value) => value.into_datum(),
        Parameter::Text(value) => value.into_datum(),
        Parameter::Jsonb(value) => Some(jsonb(&value)),
        Parameter::BoolArray(values) => values.into_datum(),
        Parameter::Int2Array(values) => values.into_datum(),
        Parameter::Int4Array(values) => values.into_datum(),
        Parameter::Int8Array(values) => values.into_datum(),
        Parameter::Float4Array(values) => values.into_datum(),
        Parameter::Float8Array(values) => values.into_datum(),
        Parameter::TextArray(values) => values.into_datum(),
        Parameter::JsonbArray(values) => Some(jsonb_array(&values)),
    }
}

fn jsonb_array(values: &[String]) -> Datum {
    let mut elements: Vec<Datum> = values.iter().map(|value| jsonb(value)).collect();
    // SAFETY: the elements are values of `jsonb`, a varlena that is aligned as an integer; they are copied.
    unsafe {
        Datum::from(pg_sys::construct_array(
            elements.as_mut_ptr(),
            elements.len() as i32,
            pg_sys::JSONBOID,
            -1,
            false,
            pg_sys::TYPALIGN_INT as std::ffi::c_char,
        ))
    }
}
