//! `kite.create_database` and its neighbours. Any schema that the caller may use is a database; what was made here also has properties.

use super::change::{self, text};
use super::database::{self, Database};
use super::error::notice;
use super::sql::ident;
use super::{cache, catalog};
use crate::{call::Call, rows};
use kite_schema::{Code, Entity, Error, Result, check_name, fit};
use pgrx::pg_sys::{self, Datum};
use pgrx::{IntoDatum, JsonB};
use serde_json::{Map, Value, json};

export! { Error;
    "kite_create_database" => create,
    "kite_drop_database" => drop,
    "kite_list_databases" => list,
    "kite_describe_database" => describe,
    "kite_using_database" => using,
    "kite_alter_database_properties" => alter,
    "kite_drop_database_properties" => drop_properties,
}

fn create(call: &Call) -> Result<()> {
    let name: String = call.get(0).unwrap_or_default();
    check_name(Entity::Database, &name)?;
    let schema = fit(&name);
    if schema != name {
        return Err(Error::new(
            Code::DatabaseInvalidName,
            format!(
                "the name of a database is that of a schema, of at most {} bytes",
                kite_schema::IDENTIFIER_BYTES
            ),
        ));
    }
    if database::is_system(&schema) {
        return Err(Error::new(
            Code::DatabaseInvalidName,
            format!(
                "Invalid database name: {name}. The schema of this name is the server's or this extension's."
            ),
        ));
    }
    if Database::find(Some(&name)).is_ok() {
        return Err(Error::invalid(format!("database already exist: {name}")));
    }
    let properties = match call.get::<JsonB>(1) {
        None => Map::new(),
        Some(JsonB(Value::Object(properties))) => properties,
        Some(JsonB(other)) => {
            return Err(Error::invalid(format!("properties should be a JSON object, not {other}")));
        }
    };
    change::run(&[format!("CREATE SCHEMA {}", ident(&schema))]);
    set(&schema, properties);
    Ok(())
}

/// Writes properties down. Whose schema it is is decided before.
fn set(schema: &str, properties: Map<String, Value>) {
    change::record(
        "INSERT INTO kite.database (schema_name, properties) VALUES ($1::text::name, $2)
         ON CONFLICT (schema_name) DO UPDATE SET properties = EXCLUDED.properties",
        &[text(schema), (pg_sys::JSONBOID, JsonB(Value::Object(properties)).into_datum())],
    );
}

fn drop(call: &Call) -> Result<()> {
    let name: String = call.get(0).unwrap_or_default();
    let Ok(database) = Database::find(Some(&name)) else {
        notice(format!("database \"{name}\" does not exist, skipping"));
        return Ok(());
    };
    if database.schema == "public" {
        return Err(Error::invalid("can not drop default database"));
    }
    check_owner(&database)?;
    let inside = |table| cache::of_table(table).is_some_and(|found| found.namespace == database.oid);
    if catalog::tables().into_iter().any(inside) {
        return Err(Error::new(
            Code::InUse,
            format!("database:{name} not empty, must drop all collections before drop database"),
        ));
    }
    // What else is in it stops the server.
    change::run(&[format!("DROP SCHEMA {} RESTRICT", ident(&database.schema))]);
    change::record("DELETE FROM kite.database WHERE schema_name = $1::text::name", &[text(&database.schema)]);
    Ok(())
}

fn check_owner(database: &Database) -> Result<()> {
    let owns = change::ask_one(
        "SELECT 'yes' FROM pg_namespace WHERE nspname = $1::name AND pg_has_role(nspowner, 'USAGE')",
        &[text(&database.schema)],
    );
    match owns {
        Some(_) => Ok(()),
        None => Err(Error::new(
            Code::PrivilegeNotPermitted,
            format!("must be owner of schema {}", database.schema),
        )),
    }
}

/// The default database, those that were made as such, and the schemas that hold collections; of these, what the caller may use.
fn list(call: &Call) -> Result<Datum> {
    let names = change::ask(
        "SELECT CASE WHEN n.nspname = 'public' THEN 'default' ELSE n.nspname::text END FROM pg_namespace n
         WHERE has_schema_privilege(n.oid, 'USAGE') AND (n.nspname = 'public'
             OR EXISTS (SELECT FROM kite.databases d WHERE d.schema_name = n.nspname)
             OR EXISTS (SELECT FROM kite.collections c WHERE c.schema_name = n.nspname))
         ORDER BY n.nspname <> 'public', n.nspname",
        &[],
    );
    rows::answer(call, names.into_iter().flatten().map(|name| [name.into_datum()]));
    Ok(Datum::null())
}

fn properties(database: &Database) -> Map<String, Value> {
    let found = change::ask_one(
        "SELECT properties::text FROM kite.databases WHERE schema_name = $1::name",
        &[text(&database.schema)],
    );
    found.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

fn describe(call: &Call) -> Result<JsonB> {
    let database = Database::find(call.get::<String>(0).as_deref())?;
    Ok(JsonB(json!({
        "name": database.name,
        "schema": database.schema,
        "properties": properties(&database),
    })))
}

/// Sets `kite.database` for the session.
fn using(call: &Call) -> Result<()> {
    let database = Database::find(call.get::<String>(0).as_deref())?;
    change::ask_one("SELECT set_config('kite.database', $1, false)", &[text(&database.name)]);
    Ok(())
}

fn alter(call: &Call) -> Result<()> {
    let database = Database::find(call.get::<String>(0).as_deref())?;
    check_owner(&database)?;
    let Some(JsonB(Value::Object(given))) = call.get::<JsonB>(1) else {
        return Err(Error::invalid("properties should be a JSON object"));
    };
    let mut properties = properties(&database);
    properties.extend(given);
    set(&database.schema, properties);
    Ok(())
}

fn drop_properties(call: &Call) -> Result<()> {
    let database = Database::find(call.get::<String>(0).as_deref())?;
    check_owner(&database)?;
    let mut properties = properties(&database);
    for key in call.get::<Vec<String>>(1).unwrap_or_default() {
        properties.remove(&key);
    }
    set(&database.schema, properties);
    Ok(())
}
