//! Filters on a real server: tables for a schema, rows in them, and conditions with their parameters bound.

use anyhow::{Context, Result};
use bytes::BytesMut;
use kite_filter::testing::{Row, schema};
use kite_filter::{CheckedFilter, DataType, Parameter, Scalar, SqlOptions, SqlType};
use postgres::Client;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use std::error::Error;

/// Creates `t` with the columns that the test schema maps to. Vectors are left out: no filter can name them.
///
/// # Errors
/// As the server says it.
pub fn create_table(client: &mut Client) -> Result<()> {
    let schema = schema();
    let mut columns: Vec<String> = Vec::new();
    for field in &schema.fields {
        let name = &field.column;
        match &field.data_type {
            // In another order than that of bytes, which filters have nonetheless.
            DataType::Scalar(Scalar::VarChar) => {
                columns.push(format!("\"{name}\" text COLLATE \"und-x-icu\""));
            }
            DataType::Scalar(scalar) => columns.push(format!("\"{name}\" {}", column_type(*scalar))),
            DataType::Array(element) => columns.push(format!("\"{name}\" {}[]", column_type(*element))),
            DataType::Json => columns.push(format!("\"{name}\" jsonb")),
            DataType::Opaque(_) => {}
        }
    }
    columns.push("\"$meta\" jsonb, PRIMARY KEY (id)".into());
    Ok(client.batch_execute(&format!("CREATE TABLE t ({})", columns.join(", ")))?)
}

fn column_type(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Bool => "boolean",
        Scalar::Int8 | Scalar::Int16 => "smallint",
        Scalar::Int32 => "integer",
        Scalar::Int64 => "bigint",
        Scalar::Float => "real",
        Scalar::Double => "double precision",
        Scalar::VarChar => "text",
    }
}

/// Inserts rows with these ids.
///
/// # Errors
/// As the server says it.
pub fn insert<'a>(client: &mut Client, rows: impl IntoIterator<Item = (i64, &'a Row)>) -> Result<()> {
    let statement = client.prepare_typed(
        "INSERT INTO t SELECT * FROM jsonb_populate_record(NULL::t, $1::jsonb)",
        &[Type::TEXT],
    )?;
    let mut transaction = client.transaction()?;
    for (id, row) in rows {
        let mut json = row.to_json();
        json["id"] = id.into();
        transaction.execute(&statement, &[&json.to_string()]).with_context(|| json.to_string())?;
    }
    Ok(transaction.commit()?)
}

/// The ids of the rows of `t` that match, in order.
///
/// # Errors
/// As the server says it, with the condition.
pub fn matching(client: &mut Client, filter: &CheckedFilter) -> Result<Vec<i64>> {
    let options = SqlOptions { table_alias: Some("the \"row\""), ..SqlOptions::default() };
    let sql = filter.to_sql(&options);
    let statement = format!("SELECT id FROM public.t AS \"the \"\"row\"\"\" WHERE {} ORDER BY id", sql.text);
    let ids = |rows: Vec<postgres::Row>| rows.iter().map(|row| row.get(0)).collect();
    run(client, &statement, &sql.parameters)
        .map(ids)
        .with_context(|| format!("{statement}\n{:?}", sql.parameters))
}

/// As [`matching`], by the text for people.
///
/// # Errors
/// As the server says it, with the condition.
pub fn matching_for_people(client: &mut Client, filter: &CheckedFilter) -> Result<Vec<i64>> {
    let sql = filter.to_display_sql(&SqlOptions::default());
    let statement = format!("SELECT id FROM t WHERE {sql} ORDER BY id");
    let rows = client.query(&statement, &[]).with_context(|| statement.clone())?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The plan of a search with the condition, as text.
///
/// # Errors
/// As the server says it.
pub fn plan(client: &mut Client, filter: &CheckedFilter) -> Result<String> {
    let sql = filter.to_sql(&SqlOptions::default());
    let statement = format!("EXPLAIN (COSTS OFF) SELECT id FROM t WHERE {}", sql.text);
    let rows = run(client, &statement, &sql.parameters)?;
    Ok(rows.iter().map(|row| row.get::<_, String>(0) + "\n").collect())
}

fn run(client: &mut Client, statement: &str, parameters: &[Parameter]) -> Result<Vec<postgres::Row>> {
    let types: Vec<Type> = parameters.iter().map(|parameter| wire_type(parameter.sql_type())).collect();
    let statement = client.prepare_typed(statement, &types)?;
    let bound: Vec<Bound<'_>> = parameters.iter().map(Bound).collect();
    let values: Vec<&(dyn ToSql + Sync)> = bound.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
    Ok(client.query(&statement, &values)?)
}

fn wire_type(sql_type: SqlType) -> Type {
    match sql_type {
        SqlType::Bool => Type::BOOL,
        SqlType::Int2 => Type::INT2,
        SqlType::Int4 => Type::INT4,
        SqlType::Int8 => Type::INT8,
        SqlType::Float4 => Type::FLOAT4,
        SqlType::Float8 => Type::FLOAT8,
        SqlType::Text => Type::TEXT,
        SqlType::Jsonb => Type::JSONB,
        SqlType::BoolArray => Type::BOOL_ARRAY,
        SqlType::Int2Array => Type::INT2_ARRAY,
        SqlType::Int4Array => Type::INT4_ARRAY,
        SqlType::Int8Array => Type::INT8_ARRAY,
        SqlType::Float4Array => Type::FLOAT4_ARRAY,
        SqlType::Float8Array => Type::FLOAT8_ARRAY,
        SqlType::TextArray => Type::TEXT_ARRAY,
        SqlType::JsonbArray => Type::JSONB_ARRAY,
    }
}

/// A parameter on its way to the server.
#[derive(Debug)]
struct Bound<'a>(&'a Parameter);

/// The text of a JSON value as `jsonb`: version 1 of the format, then the text.
#[derive(Debug)]
struct JsonText<'a>(&'a str);

impl ToSql for JsonText<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&[1]);
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }

    to_sql_checked!();
}

impl ToSql for Bound<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self.0 {
            Parameter::Bool(value) => value.to_sql(ty, out),
            Parameter::Int2(value) => value.to_sql(ty, out),
            Parameter::Int4(value) => value.to_sql(ty, out),
            Parameter::Int8(value) => value.to_sql(ty, out),
            Parameter::Float4(value) => value.to_sql(ty, out),
            Parameter::Float8(value) => value.to_sql(ty, out),
            Parameter::Text(value) => value.to_sql(ty, out),
            Parameter::Jsonb(value) => JsonText(value).to_sql(ty, out),
            Parameter::BoolArray(values) => values.to_sql(ty, out),
            Parameter::Int2Array(values) => values.to_sql(ty, out),
            Parameter::Int4Array(values) => values.to_sql(ty, out),
            Parameter::Int8Array(values) => values.to_sql(ty, out),
            Parameter::Float4Array(values) => values.to_sql(ty, out),
            Parameter::Float8Array(values) => values.to_sql(ty, out),
            Parameter::TextArray(values) => values.to_sql(ty, out),
            Parameter::JsonbArray(values) => {
                values.iter().map(|value| JsonText(value)).collect::<Vec<_>>().to_sql(ty, out)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
