//! `kite.insert`, `kite.upsert` and `kite.delete`.

use super::access::{check_writable, may_delete};
use super::batch::{Batch, Cell, Verb, key};
use super::catalog::Collection;
use super::query::{ALIAS, Conditions, check_partitions, keys_datum, primary};
use super::rowset::{self, NAME};
use super::spi::{Effect, Spi};
use super::sql::{ident, qualified};
use super::table::{INSERTED_AT, META, PARTITION};
use super::{cache, expiry, spi};
use crate::call::Call;
use kite_schema::{Code, Error, Partitioning, Result};
use pgrx::pg_sys;
use pgrx::{IntoDatum, JsonB};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

mod typed;

export! { Error;
    "kite_insert" => insert,
    "kite_upsert" => upsert,
    "kite_delete" => delete,
}

/// The collection of the first argument, locked against changes of its definition, as a statement that writes locks it.
fn open(call: &Call) -> Result<Rc<Collection>> {
    let collection = cache::find(&call.get::<String>(0).unwrap_or_default())?;
    check_writable(collection.oid);
    // SAFETY: locks are given back when the transaction ends. Waiting for one lets changes of the table be seen, so that the
    // collection is looked up again.
    unsafe { pg_sys::LockRelationOid(collection.oid, pg_sys::RowExclusiveLock as i32) };
    match cache::of_table(collection.oid) {
        Some(collection) => Ok(collection),
        // Dropped while this waited; there may be another of that name by now.
        None => open(call),
    }
}

/// The partition that an argument names.
fn partition(call: &Call, argument: usize, collection: &Collection) -> Result<Option<String>> {
    let name = call.get::<String>(argument).filter(|name| !name.is_empty());
    if let Some(name) = &name {
        check_partitions(collection, std::slice::from_ref(name))?;
    }
    Ok(name)
}

/// The text of the rows, lent from the argument. A `json` is stored as a `text` is.
fn data(call: &Call) -> Result<&str> {
    call.get::<&str>(1).ok_or_else(|| Error::new(Code::ParameterMissing, "data are needed"))
}

fn insert(call: &Call) -> Result<JsonB> {
    let collection = open(call)?;
    let partition = partition(call, 2, &collection)?;
    let text = data(call)?;
    spi::connect(|spi| {
        let mut batch = Batch::new(&collection, Verb::Insert)?;
        batch.read(text, false)?;
        insert_batch(spi, &mut batch, partition.as_deref())
    })
}

/// Inserts a batch, and says how many rows there are now, and their keys.
fn insert_batch(spi: &Spi, batch: &mut Batch<'_>, partition: Option<&str>) -> Result<JsonB> {
    let rows: Vec<usize> = (0..batch.len()).collect();
    let keys = batch.keys()?;
    let returns = keys.iter().any(Value::is_null);
    make_way(spi, batch.collection, &keys)?;
    let statement = Statement::new(batch, &rows, partition)?;
    let returning = if returns {
        format!(" RETURNING {}", ident(&batch.collection.fields[batch.primary()?].name))
    } else {
        String::new()
    };
    let (count, made) = statement.run(spi, batch, &rows, &returning)?;
    Ok(JsonB(json!({ "insert_count": count, "ids": if returns { made } else { keys } })))
}

/// Removes rows that have expired and have one of these keys: to the caller they are gone, and a new row may take the key. Without the
/// rights to do so they are in the way until they are compacted.
fn make_way(spi: &Spi, collection: &Collection, keys: &[Value]) -> Result<()> {
    let Some(expired) = expiry::expired(collection, Some(ALIAS)) else { return Ok(()) };
    if keys.iter().all(Value::is_null) || !may_delete(collection.oid) {
        return Ok(());
    }
    let (kind, ids) = keys_datum(collection, keys)?;
    let sql = format!(
        "DELETE FROM {} AS {ALIAS} WHERE {} OPERATOR(pg_catalog.=) ANY ($1) AND {expired}",
        qualified(&collection.schema, &collection.table),
        primary(collection)?
    );
    let plan = spi.plan(&sql, &[kind]);
    spi.execute(&plan, &[Some(ids)], Effect::Writes, 0);
    Ok(())
}

/// An INSERT of rows of a batch.
struct Statement {
    /// Places in a row of the columns that are written.
    places: Vec<usize>,
    partition: Option<String>,
}

impl Statement {
    /// Columns that no row speaks of are left to the table; where some rows do and others do not, those get the column's default here.
    fn new(batch: &mut Batch<'_>, rows: &[usize], partition: Option<&str>) -> Result<Self> {
        let mut places = Vec::new();
        for place in 0..batch.width() {
            let given = |row: &&usize| matches!(batch.cell(**row, place), Cell::Value(_) | Cell::Null);
            let count = rows.iter().filter(given).count();
            if count == 0 {
                continue;
            }
            if count < rows.len() {
                rowset::fill_defaults(batch, rows, place);
            }
            places.push(place);
        }
        if places.is_empty() {
            // A row has to say something: its key.
            let key = batch.primary()?;
            rowset::fill_defaults(batch, rows, key);
            places.push(key);
        }
        Ok(Self { places, partition: partition.map(str::to_owned) })
    }

    /// Runs the statement, with `ending` behind it. Answers how many rows it wrote, and the keys that it returned.
    fn run(&self, spi: &Spi, batch: &Batch<'_>, rows: &[usize], ending: &str) -> Result<(u64, Vec<Value>)> {
        if rows.is_empty() {
            return Ok((0, Vec::new()));
        }
        let collection = batch.collection;
        let mut columns: Vec<String> = self.places.iter().map(|place| name(batch, *place)).collect();
        let mut values: Vec<String> = columns.iter().map(|column| format!("r.{column}")).collect();
        let (mut types, mut parameters) = (Vec::new(), Vec::new());
        if let Some(partition) = &self.partition {
            columns.push(ident(PARTITION));
            values.push("$1".into());
            types.push(pg_sys::TEXTOID);
            parameters.push(partition.as_str().into_datum());
        }
        let sql = format!(
            "INSERT INTO {} AS {ALIAS} ({}) SELECT {} FROM {NAME} AS r{ending}",
            qualified(&collection.schema, &collection.table),
            columns.join(", "),
            values.join(", ")
        );
        Ok(rowset::lend(spi, batch, rows, || {
            let plan = spi.plan(&sql, &types);
            let done = spi.execute(&plan, &parameters, Effect::Writes, 0);
            let is_integer = collection.has_integer_ids();
            // SAFETY: the only column is the primary key, whose type was checked.
            let keys = (0..done.len())
                .map(|row| done.value(row, 0).map_or(Value::Null, |datum| unsafe { key(datum, is_integer) }));
            (done.processed(), keys.collect())
        }))
    }
}

/// The column of a place, quoted.
fn name(batch: &Batch<'_>, place: usize) -> String {
    ident(batch.column(place).map_or(META, |column| &column.name))
}

fn upsert(call: &Call) -> Result<JsonB> {
    let collection = open(call)?;
    let partition = partition(call, 2, &collection)?;
    let verb = if call.get(3).unwrap_or(false) { Verb::Partial } else { Verb::Upsert };
    let text = data(call)?;
    spi::connect(|spi| {
        let mut batch = Batch::new(&collection, verb)?;
        batch.read(text, false)?;
        let keys = batch.keys()?;
        batch.check_unique(&keys)?;
        let is_auto = collection.primary().is_some_and(|column| column.field.auto_id);
        let known = if is_auto || verb == Verb::Partial {
            lock_existing(spi, &collection, &keys)?
        } else {
            HashSet::new()
        };
        let (there, new): (Vec<usize>, Vec<usize>) =
            (0..batch.len()).partition(|row| known.contains(&keys[*row]));
        if is_auto {
            // A row that is not there gets a key from the server, so that no later one meets it.
            let key = batch.primary()?;
            new.iter().for_each(|row| batch.set(*row, key, Cell::Default));
            rowset::fill_defaults(&mut batch, &new, key);
        }
        let count = if verb == Verb::Partial {
            batch.check_whole(&new)?;
            update(spi, &mut batch, &there, partition.as_deref())?
                + replace(spi, &mut batch, &new, partition.as_deref())?
        } else {
            let all: Vec<usize> = (0..batch.len()).collect();
            replace(spi, &mut batch, &all, partition.as_deref())?
        };
        Ok(JsonB(json!({ "upsert_count": count, "ids": batch.keys()? })))
    })
}

/// Locks the rows that have one of these keys, and answers which keys those are.
fn lock_existing(spi: &Spi, collection: &Collection, keys: &[Value]) -> Result<HashSet<Value>> {
    let (kind, ids) = keys_datum(collection, keys)?;
    let key_column = primary(collection)?;
    // A row that has expired is not there: what takes its place has to be whole.
    let alive =
        expiry::alive(collection, Some(ALIAS)).map_or_else(String::new, |alive| format!(" AND {alive}"));
    let sql = format!(
        "SELECT {key_column} FROM {} AS {ALIAS} WHERE {key_column} OPERATOR(pg_catalog.=) ANY ($1){alive} ORDER BY {key_column} FOR UPDATE",
        qualified(&collection.schema, &collection.table)
    );
    let plan = spi.plan(&sql, &[kind]);
    let found = spi.execute(&plan, &[Some(ids)], Effect::Writes, 0);
    let is_integer = collection.has_integer_ids();
    // SAFETY: the only column is the primary key, whose type was checked.
    let key = |row| found.value(row, 0).map_or(Value::Null, |datum| unsafe { key(datum, is_integer) });
    Ok((0..found.len()).map(key).collect())
}

/// Puts whole rows in the place of those with the same key, or beside all others.
fn replace(spi: &Spi, batch: &mut Batch<'_>, rows: &[usize], partition: Option<&str>) -> Result<u64> {
    if rows.is_empty() {
        return Ok(0);
    }
    let statement = Statement::new(batch, rows, partition)?;
    let collection = batch.collection;
    let key_place = batch.primary()?;
    let key_name = name(batch, key_place);
    let divided = match collection.partitioning {
        Partitioning::Column => None,
        Partitioning::List => Some(ident(PARTITION)),
        Partitioning::Hash(_) => {
            let column = collection.fields.iter().find(|column| column.field.is_partition_key);
            column.map(|column| ident(&column.name))
        }
    };
    if let Some(column) = &divided {
        remove_elsewhere(spi, batch, rows, (&key_name, column), partition)?;
    }
    let mut assigned: Vec<String> = (0..batch.width())
        .filter(|place| *place != key_place)
        .map(|place| name(batch, place))
        .chain(collection.has_partition_column().then(|| ident(PARTITION)))
        .chain(collection.has_inserted_at.then(|| ident(INSERTED_AT)))
        .filter(|column| Some(column) != divided.as_ref())
        .collect();
    if assigned.is_empty() {
        assigned.push(key_name.clone());
    }
    let assignments: Vec<String> =
        assigned.iter().map(|column| format!("{column} = EXCLUDED.{column}")).collect();
    let target: Vec<String> = [key_name].into_iter().chain(divided).collect();
    let ending = format!(" ON CONFLICT ({}) DO UPDATE SET {}", target.join(", "), assignments.join(", "));
    Ok(statement.run(spi, batch, rows, &ending)?.0)
}

/// Where each partition is a table, a key is unique in its own only: rows that move leave the partition that they were in.
fn remove_elsewhere(
    spi: &Spi,
    batch: &Batch<'_>,
    rows: &[usize],
    (key, column): (&str, &str),
    partition: Option<&str>,
) -> Result<()> {
    let collection = batch.collection;
    let by_name = collection.has_partition_column();
    let new = if by_name { "$1".to_owned() } else { format!("r.{column}") };
    let sql = format!(
        "DELETE FROM {} AS {ALIAS} USING {NAME} AS r \
         WHERE {ALIAS}.{key} OPERATOR(pg_catalog.=) r.{key} AND {ALIAS}.{column} OPERATOR(pg_catalog.<>) {new}",
        qualified(&collection.schema, &collection.table)
    );
    let partition = partition.unwrap_or("_default").into_datum();
    let (types, values): (&[_], &[_]) = if by_name { (&[pg_sys::TEXTOID], &[partition]) } else { (&[], &[]) };
    rowset::lend(spi, batch, rows, || {
        let plan = spi.plan(&sql, types);
        spi.execute(&plan, values, Effect::Writes, 0);
    });
    Ok(())
}

/// Changes the fields that rows speak of, in rows that are there and locked. Rows that speak of the same fields share a statement.
fn update(spi: &Spi, batch: &mut Batch<'_>, rows: &[usize], partition: Option<&str>) -> Result<u64> {
    let key_place = batch.primary()?;
    let mut groups: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
    for &row in rows {
        let places =
            (0..batch.width()).filter(|place| *place != key_place && batch.cell(row, *place).is_given());
        groups.entry(places.collect()).or_default().push(row);
    }
    let mut count = 0;
    for (places, rows) in groups {
        let mut assignments = Vec::new();
        for &place in &places {
            let has_default = |row: &usize| matches!(batch.cell(*row, place), Cell::Default);
            if rows.iter().any(has_default) {
                rowset::fill_defaults(batch, &rows, place);
            }
            let column = name(batch, place);
            assignments.push(if batch.column(place).is_some() {
                format!("{column} = r.{column}")
            } else {
                format!("{column} = {ALIAS}.{column} OPERATOR(pg_catalog.||) r.{column}")
            });
        }
        let (mut types, mut values) = (Vec::new(), Vec::new());
        if let Some(partition) = partition {
            assignments.push(format!("{} = $1", ident(PARTITION)));
            types.push(pg_sys::TEXTOID);
            values.push(partition.into_datum());
        }
        if batch.collection.has_inserted_at {
            assignments.push(format!("{} = DEFAULT", ident(INSERTED_AT)));
        }
        if assignments.is_empty() {
            count += rows.len() as u64;
            continue;
        }
        let (collection, key) = (batch.collection, name(batch, key_place));
        let sql = format!(
            "UPDATE {} AS {ALIAS} SET {} FROM {NAME} AS r WHERE {ALIAS}.{key} OPERATOR(pg_catalog.=) r.{key}",
            qualified(&collection.schema, &collection.table),
            assignments.join(", ")
        );
        count += rowset::lend(spi, batch, &rows, || {
            let plan = spi.plan(&sql, &types);
            spi.execute(&plan, &values, Effect::Writes, 0).processed()
        });
    }
    Ok(count)
}

fn delete(call: &Call) -> Result<JsonB> {
    let collection = open(call)?;
    let ids = call.get::<JsonB>(1).map(|JsonB(ids)| ids).filter(|ids| !ids.is_null());
    let text = call.get::<String>(2).filter(|text| !text.trim().is_empty());
    let params = call.get::<JsonB>(3).map(|JsonB(params)| params);
    let mut conditions = Conditions::default();
    match (&ids, &text) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid("ids and filter cannot be used together"));
        }
        (None, None) => {
            return Err(Error::new(Code::ParameterMissing, "either ids or a filter is needed"));
        }
        (Some(ids), None) => conditions.by_ids(&collection, ids)?,
        (None, Some(text)) => conditions.by_filter(&collection, text, params.as_ref())?,
    }
    let partition = partition(call, 4, &collection)?;
    conditions.by_partitions(&collection, partition.as_slice())?;
    conditions.alive(&collection);
    let sql = format!(
        "DELETE FROM {} AS {ALIAS}{}",
        qualified(&collection.schema, &collection.table),
        conditions.clause()
    );
    let count = spi::connect(|spi| {
        let plan = spi.plan(&sql, &conditions.types);
        spi.execute(&plan, &conditions.values, Effect::Writes, 0).processed()
    });
    Ok(JsonB(json!({ "delete_count": count })))
}
