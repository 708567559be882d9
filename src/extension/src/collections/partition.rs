//! `kite.create_partition` and its neighbours. A partition is a value of the column `"$partition"`, or a table, as the collection was
//! made; the partitions of a partition key are fixed.

use super::access::check_readable;
use super::catalog::Collection;
use super::change::{self, text, whole};
use super::error::notice;
use super::sql::{ident, literal, qualified};
use super::table::{PARTITION, partition_table};
use super::{cache, catalog, expiry};
use crate::{call::Call, rows};
use kite_schema::{Code, Entity, Error, MAX_PARTITIONS, Partitioning, Result, check_name};
use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::{IntoDatum, JsonB};
use serde_json::json;

export! { Error;
    "kite_create_partition" => create,
    "kite_drop_partition" => drop,
    "kite_has_partition" => has,
    "kite_list_partitions" => list,
    "kite_get_partition_stats" => stats,
}

/// What is said where a collection has no such partition.
pub(super) fn not_found(name: &str) -> Error {
    Error::new(Code::PartitionNotFound, format!("partition not found[partition={name}]"))
}

fn of_collection(collection: &Collection, name: &str) -> Option<(String, Option<Oid>)> {
    catalog::partitions(collection.oid).into_iter().find(|(known, _)| known == name)
}

fn create(call: &Call) -> Result<()> {
    let collection = change::owned(&call.get::<String>(0).unwrap_or_default())?;
    let name: String = call.get(1).unwrap_or_default();
    check_name(Entity::Partition, &name)?;
    refuse_for_key(&collection, "create")?;
    let known = catalog::partitions(collection.oid);
    if known.iter().any(|(known, _)| known == &name) {
        notice(format!("partition \"{name}\" exists, skipping"));
        return Ok(());
    }
    if known.len() >= MAX_PARTITIONS as usize {
        return Err(Error::new(
            Code::ParameterTooLarge,
            format!("partition number ({}) exceeds max configuration ({MAX_PARTITIONS})", known.len()),
        ));
    }
    let table = match collection.partitioning {
        Partitioning::List => Some(make_table(&collection, &name)),
        _ => None,
    };
    change::record(
        "INSERT INTO kite.partition (collection, partition, partition_table, is_loaded) VALUES ($1, $2, $3, $4)",
        &[
            change::table(collection.oid),
            text(&name),
            (pg_sys::REGCLASSOID, table.into_datum()),
            (pg_sys::BOOLOID, collection.is_loaded.into_datum()),
        ],
    );
    Ok(())
}

/// Makes the table of a partition.
fn make_table(collection: &Collection, name: &str) -> Oid {
    let table = partition_table(&collection.table, name);
    // A collection that took the name of a renamed one may meet the tables of the other.
    let table = match catalog::relation(collection.namespace, &table) {
        None => table,
        Some(_) => change::free_name(collection, &[&table]),
    };
    change::run(&[format!(
        "CREATE TABLE {} PARTITION OF {} FOR VALUES IN ({})",
        qualified(&collection.schema, &table),
        whole(collection),
        literal(name)
    )]);
    catalog::relation(collection.namespace, &table)
        .unwrap_or_else(|| super::error::internal(format!("table {table} was not made")))
}

fn refuse_for_key(collection: &Collection, what: &str) -> Result<()> {
    match collection.partitioning {
        Partitioning::Hash(_) => {
            Err(Error::invalid(format!("disable {what} partition if partition key mode is used")))
        }
        _ => Ok(()),
    }
}

fn drop(call: &Call) -> Result<()> {
    let collection = change::owned(&call.get::<String>(0).unwrap_or_default())?;
    let name: String = call.get(1).unwrap_or_default();
    refuse_for_key(&collection, "drop")?;
    if name == "_default" {
        return Err(Error::invalid("default partition cannot be deleted"));
    }
    let Some((_, table)) = of_collection(&collection, &name) else {
        notice(format!("partition \"{name}\" does not exist, skipping"));
        return Ok(());
    };
    let table = table
        .and_then(|table| catalog::class(table, |form| pgrx::name_data_to_str(&form.relname).to_owned()));
    match table {
        Some(table) => change::run(&[format!("DROP TABLE {}", qualified(&collection.schema, &table))]),
        None => change::run_on_rows(&format!(
            "DELETE FROM {} WHERE {} OPERATOR(pg_catalog.=) {}",
            whole(&collection),
            ident(PARTITION),
            literal(&name)
        )),
    }
    change::record(
        "DELETE FROM kite.partition WHERE collection = $1 AND partition = $2",
        &[change::table(collection.oid), text(&name)],
    );
    Ok(())
}

fn has(call: &Call) -> Result<bool> {
    let collection = cache::find(&call.get::<String>(0).unwrap_or_default())?;
    check_readable(collection.oid);
    Ok(of_collection(&collection, &call.get::<String>(1).unwrap_or_default()).is_some())
}

fn list(call: &Call) -> Result<Datum> {
    let collection = cache::find(&call.get::<String>(0).unwrap_or_default())?;
    check_readable(collection.oid);
    let names = catalog::partitions(collection.oid).into_iter().map(|(name, _)| name);
    rows::answer(call, names.map(|name| [name.into_datum()]));
    Ok(Datum::null())
}

/// Counts the rows that the caller may see. By the parent, on which GRANT and row-level security are.
fn stats(call: &Call) -> Result<JsonB> {
    let collection = cache::find(&call.get::<String>(0).unwrap_or_default())?;
    let name: String = call.get(1).unwrap_or_default();
    check_readable(collection.oid);
    let (_, table) = of_collection(&collection, &name).ok_or_else(|| not_found(&name))?;
    let (mut condition, parameter) = match (collection.has_partition_column(), table) {
        (false, Some(table)) => {
            (" WHERE tableoid OPERATOR(pg_catalog.=) $1::pg_catalog.oid".to_owned(), change::table(table))
        }
        _ => (format!(" WHERE {} OPERATOR(pg_catalog.=) $1", ident(PARTITION)), text(&name)),
    };
    if let Some(alive) = expiry::alive(&collection, None) {
        condition += &format!(" AND {alive}");
    }
    let rows = change::count(&collection, &condition, &[parameter]);
    Ok(JsonB(json!({ "row_count": rows })))
}
