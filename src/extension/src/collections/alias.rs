//! `kite.create_alias` and its neighbours. An alias belongs to the database of its collection.

use super::access::{as_owner, check_owner, check_readable, may_read};
use super::change::{self, text};
use super::database::Database;
use super::{cache, catalog, spi};
use crate::{call::Call, rows};
use kite_schema::{Code, Entity, Error, Result, check_name};
use pgrx::pg_sys::Datum;
use pgrx::{IntoDatum, JsonB};
use serde_json::json;

export! { Error;
    "kite_create_alias" => create,
    "kite_drop_alias" => drop,
    "kite_alter_alias" => alter,
    "kite_describe_alias" => describe,
    "kite_list_aliases" => list,
}

/// Whoever makes an alias looks first whether there is one, with nobody else between. Others may take aliases away meanwhile.
fn alone() {
    as_owner(|| spi::connect(|spi| spi.run("LOCK TABLE kite.alias IN SHARE UPDATE EXCLUSIVE MODE")));
}

fn not_found(database: &Database, alias: &str) -> Error {
    Error::new(Code::AliasNotFound, format!("alias not found[database={}][alias={alias}]", database.name))
}

/// The alias without its database, which is the collection's.
fn own_name<'a>(alias: &'a str, database: &Database) -> Result<&'a str> {
    let (named, name) = Database::split(alias, Some(&database.name))?;
    check_name(Entity::Alias, name)?;
    if named.oid != database.oid {
        return Err(Error::invalid("an alias belongs to the database of its collection"));
    }
    Ok(name)
}

fn create(call: &Call) -> Result<()> {
    let collection = change::owned(&call.get::<String>(0).unwrap_or_default())?;
    let alias: String = call.get(1).unwrap_or_default();
    let database = Database::find(Some(&collection.database))?;
    let alias = own_name(&alias, &database)?;
    alone();
    if cache::named(&database, alias).is_some() {
        return Err(Error::new(
            Code::AliasCollectionNameConflict,
            format!("alias and collection name conflict[database={}][alias={alias}]", database.name),
        ));
    }
    match cache::aliased(&database, alias) {
        Some(same) if same.oid == collection.oid => return Ok(()),
        Some(other) => {
            return Err(Error::new(
                Code::AliasAlreadyExist,
                format!("{alias} is alias to another collection: {}", other.name),
            ));
        }
        None => {}
    }
    change::record(
        "INSERT INTO kite.alias (alias, collection) VALUES ($2, $1)",
        &[change::table(collection.oid), text(alias)],
    );
    Ok(())
}

fn drop(call: &Call) -> Result<()> {
    let alias: String = call.get(0).unwrap_or_default();
    let (database, alias) = Database::split(&alias, None)?;
    // As in Milvus, one that is not there is none the less gone.
    let Some(collection) = cache::aliased(&database, alias) else { return Ok(()) };
    check_owner(collection.oid);
    change::record(
        "DELETE FROM kite.alias WHERE collection = $1 AND alias = $2",
        &[change::table(collection.oid), text(alias)],
    );
    Ok(())
}

/// Moves an alias from one collection to another, at once for all who look.
fn alter(call: &Call) -> Result<()> {
    let collection = change::owned(&call.get::<String>(0).unwrap_or_default())?;
    let alias: String = call.get(1).unwrap_or_default();
    let database = Database::find(Some(&collection.database))?;
    let alias = own_name(&alias, &database)?;
    alone();
    let before = cache::aliased(&database, alias).ok_or_else(|| not_found(&database, alias))?;
    check_owner(before.oid);
    change::record(
        "UPDATE kite.alias SET collection = $2 WHERE collection = $1 AND alias = $3",
        &[change::table(before.oid), change::table(collection.oid), text(alias)],
    );
    Ok(())
}

fn describe(call: &Call) -> Result<JsonB> {
    let alias: String = call.get(0).unwrap_or_default();
    let (database, alias) = Database::split(&alias, None)?;
    let collection = cache::aliased(&database, alias).ok_or_else(|| not_found(&database, alias))?;
    check_readable(collection.oid);
    Ok(JsonB(json!({
        "alias": alias, "collection_name": collection.name, "db_name": database.name,
    })))
}

fn list(call: &Call) -> Result<Datum> {
    let tables = match call.get::<String>(0) {
        Some(name) => {
            let collection = cache::find(&name)?;
            check_readable(collection.oid);
            vec![collection.oid]
        }
        None => {
            let database = Database::find(None)?;
            let here =
                |table: &_| cache::of_table(*table).is_some_and(|found| found.namespace == database.oid);
            catalog::tables().into_iter().filter(|table| may_read(*table)).filter(here).collect()
        }
    };
    let mut names: Vec<String> = tables.into_iter().flat_map(catalog::aliases).collect();
    names.sort_unstable();
    rows::answer(call, names.into_iter().map(|name| [name.into_datum()]));
    Ok(Datum::null())
}
