//! `kite.get` and `kite.query`, and what is common to functions that find rows by keys, filters and partitions.

use super::access::check_readable;
use super::catalog::{self, Collection};
use super::sql::{ident, qualified};
use super::table::PARTITION;
use super::{cache, expiry, filter, output, spi, state};
use crate::call::Call;
use kite_schema::{Code, Error, Result};
use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::{IntoDatum, JsonB};
use serde_json::Value;
use std::fmt::Write as _;

export! { Error;
    "kite_get" => get,
    "kite_query" => query,
}

/// The alias of the collection's table in statements.
pub(super) const ALIAS: &str = "o";

/// Conditions on the rows of a collection, with their parameters.
#[derive(Default)]
pub(super) struct Conditions {
    conditions: Vec<String>,
    /// The types of the parameters.
    pub(super) types: Vec<Oid>,
    /// Their values.
    pub(super) values: Vec<Option<Datum>>,
}

impl Conditions {
    /// Adds a parameter, and answers its name.
    pub(super) fn bind(&mut self, kind: Oid, value: Option<Datum>) -> String {
        self.types.push(kind);
        self.values.push(value);
        format!("${}", self.types.len())
    }

    /// Only rows that have one of these keys: a value or an array of them.
    pub(super) fn by_ids(&mut self, collection: &Collection, ids: &Value) -> Result<()> {
        let (kind, array) = ids_datum(collection, ids)?;
        let parameter = self.bind(kind, Some(array));
        let key = primary(collection)?;
        self.conditions.push(format!("{key} OPERATOR(pg_catalog.=) ANY ({parameter})"));
        Ok(())
    }

    /// Only rows that a filter matches.
    pub(super) fn by_filter(
        &mut self,
        collection: &Collection,
        text: &str,
        params: Option<&Value>,
    ) -> Result<()> {
        let condition = filter::condition(collection, text, params, ALIAS, self.types.len() + 1)?;
        self.conditions.push(condition.sql);
        self.types.extend(condition.types);
        self.values.extend(condition.values);
        Ok(())
    }

    /// Only rows of these partitions.
    pub(super) fn by_partitions(&mut self, collection: &Collection, names: &[String]) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        check_partitions(collection, names)?;
        let parameter = self.bind(pg_sys::TEXTARRAYOID, names.to_vec().into_datum());
        self.conditions
            .push(format!("{ALIAS}.{} OPERATOR(pg_catalog.=) ANY ({parameter})", ident(PARTITION)));
        Ok(())
    }

    /// Only rows that can be read: of partitions that are loaded, and not expired.
    fn readable(&mut self, collection: &Collection, partitions: Vec<String>) -> Result<()> {
        self.by_partitions(collection, &partitions)?;
        if partitions.is_empty() {
            self.by_partitions(collection, &state::loaded(collection, partitions)?)?;
        } else {
            state::loaded(collection, partitions)?;
        }
        self.alive(collection);
        Ok(())
    }

    /// Only rows that have not expired.
    pub(super) fn alive(&mut self, collection: &Collection) {
        self.conditions.extend(expiry::alive(collection, Some(ALIAS)));
    }

    /// ` WHERE …`, or nothing.
    pub(super) fn clause(&self) -> String {
        if self.conditions.is_empty() {
            return String::new();
        }
        format!(" WHERE {}", self.conditions.join(" AND "))
    }
}

/// Checks that a collection has these partitions, and lets its callers name them.
///
/// # Errors
/// Where it does not.
pub(super) fn check_partitions(collection: &Collection, names: &[String]) -> Result<()> {
    if !collection.has_partition_column() {
        return Err(Error::invalid(
            "not support manually specifying the partition names if partition key mode is used",
        ));
    }
    let known = catalog::partitions(collection.oid);
    match names.iter().find(|name| !known.iter().any(|(known, _)| known == *name)) {
        None => Ok(()),
        Some(name) => {
            Err(Error::new(Code::PartitionNotFound, format!("partition not found[partition={name}]")))
        }
    }
}

/// The column of the primary key, behind [`ALIAS`].
pub(super) fn primary(collection: &Collection) -> Result<String> {
    match collection.primary() {
        Some(column) => Ok(format!("{ALIAS}.{}", ident(&column.name))),
        None => Err(Error::new(
            Code::CollectionIllegalSchema,
            format!("collection {} has lost its primary key", collection.name),
        )),
    }
}

/// Keys as an array of their type.
///
/// # Errors
/// Where one is of another type than the primary key.
pub(super) fn ids_datum(collection: &Collection, ids: &Value) -> Result<(Oid, Datum)> {
    let one = std::slice::from_ref(ids);
    let ids = ids.as_array().map_or(one, Vec::as_slice);
    let wrong = |id: &Value| {
        let kind = if collection.has_integer_ids() { "Int64" } else { "VarChar" };
        Error::invalid(format!("the type of the primary key is {kind}, which {id} is not"))
    };
    let array = if collection.has_integer_ids() {
        // As strings, too, since many a reader of JSON has only doubles.
        let number = |id: &Value| id.as_i64().or_else(|| id.as_str()?.parse().ok()).ok_or_else(|| wrong(id));
        (pg_sys::INT8ARRAYOID, ids.iter().map(number).collect::<Result<Vec<i64>>>()?.into_datum())
    } else {
        let text = |id: &Value| id.as_str().map(str::to_owned).ok_or_else(|| wrong(id));
        (pg_sys::TEXTARRAYOID, ids.iter().map(text).collect::<Result<Vec<String>>>()?.into_datum())
    };
    Ok((array.0, array.1.unwrap_or_else(Datum::null)))
}

/// Names in an array, without NULLs.
fn names(call: &Call, argument: usize) -> Option<Vec<String>> {
    call.get::<Vec<Option<String>>>(argument).map(|names| names.into_iter().flatten().collect())
}

fn find(call: &Call) -> Result<std::rc::Rc<Collection>> {
    let collection = cache::find(&call.get::<String>(0).unwrap_or_default())?;
    check_readable(collection.oid);
    Ok(collection)
}

fn get(call: &Call) -> Result<Datum> {
    let collection = find(call)?;
    let Some(JsonB(ids)) = call.get::<JsonB>(1) else {
        return Err(Error::new(Code::ParameterMissing, "ids are needed"));
    };
    let mut conditions = Conditions::default();
    conditions.by_ids(&collection, &ids)?;
    conditions.readable(&collection, names(call, 3).unwrap_or_default())?;
    answer(call, &collection, names(call, 2).as_deref(), conditions, (None, None))
}

fn query(call: &Call) -> Result<Datum> {
    let collection = find(call)?;
    let params = call.get::<JsonB>(5).map(|JsonB(params)| params);
    let mut conditions = Conditions::default();
    if let Some(text) = call.get::<String>(1).filter(|text| !text.trim().is_empty()) {
        conditions.by_filter(&collection, &text, params.as_ref())?;
    }
    conditions.readable(&collection, names(call, 6).unwrap_or_default())?;
    let (most, skip) = (call.get::<i32>(3), call.get::<i32>(4));
    if let Some(most) = most.filter(|most| *most <= 0) {
        return Err(Error::invalid(format!("limit [{most}] is invalid, should be greater than 0")));
    }
    if let Some(skip) = skip.filter(|skip| *skip < 0) {
        return Err(Error::invalid(format!(
            "offset [{skip}] is invalid, should be greater than or equal to 0"
        )));
    }
    answer(call, &collection, names(call, 2).as_deref(), conditions, (most, skip))
}

/// Makes the rows under the conditions the result of the call, in the order of their keys.
fn answer(
    call: &Call,
    collection: &Collection,
    fields: Option<&[String]>,
    mut conditions: Conditions,
    (most, skip): (Option<i32>, Option<i32>),
) -> Result<Datum> {
    let table = qualified(&collection.schema, &collection.table);
    let from = format!("FROM {table} AS {ALIAS}{}", conditions.clause());
    let counts = fields.is_some_and(|fields| fields.iter().any(|name| name.eq_ignore_ascii_case("count(*)")));
    let sql = if counts {
        if fields.is_some_and(|fields| fields.len() > 1) {
            return Err(Error::invalid("count(*) should be the only output field"));
        }
        if most.is_some() || skip.is_some_and(|skip| skip > 0) {
            return Err(Error::invalid("count entities with pagination is not allowed"));
        }
        format!(
            "SELECT pg_catalog.jsonb_build_object('count(*)'::pg_catalog.text, pg_catalog.count(*)) {from}"
        )
    } else {
        let entity = output::entity(collection, fields, ALIAS)?;
        let mut sql = format!("SELECT {entity} {from} ORDER BY {}", primary(collection)?);
        if let Some(most) = most {
            let parameter = conditions.bind(pg_sys::INT4OID, most.into_datum());
            // Writing to a string does not fail.
            let _ = write!(sql, " LIMIT {parameter}");
        }
        if let Some(skip) = skip.filter(|skip| *skip > 0) {
            let parameter = conditions.bind(pg_sys::INT4OID, skip.into_datum());
            let _ = write!(sql, " OFFSET {parameter}");
        }
        sql
    };
    spi::connect(|spi| {
        let plan = spi.plan(&sql, &conditions.types);
        spi.answer(&plan, &conditions.values, call);
    });
    Ok(Datum::null())
}

/// An array of keys for a parameter, from those of a batch.
pub(super) fn keys_datum(collection: &Collection, keys: &[Value]) -> Result<(Oid, Datum)> {
    ids_datum(collection, &Value::from(keys.iter().filter(|key| !key.is_null()).cloned().collect::<Vec<_>>()))
}
