//! `kite.create_collection`, `drop_collection` and `rename_collection`.

use super::access::{check_owner, pinned};
use super::database::Database;
use super::error::{internal, notice};
use super::sql::{ident, qualified};
use super::{cache, catalog, index, record, spi, state, table};
use crate::call::Call;
use kite_schema::{
    Code, Definition, Entity, Error, IndexRequest, Metric, QuickForm, Result, check_name, fit,
};
use pgrx::JsonB;
use pgrx::pg_sys::Oid;
use serde_json::Value;

export! { Error;
    "kite_create_collection" => create,
    "kite_drop_collection" => drop,
    "kite_rename_collection" => rename,
    "kite_catalog_changed" => catalog_changed,
}

fn create(call: &Call) -> Result<()> {
    let name: String = call.get(0).unwrap_or_default();
    let asked: Option<String> = call.get(10);
    let (database, name) = Database::split(&name, asked.as_deref())?;
    check_name(Entity::Collection, name)?;
    let definition = definition(call)?;
    let consistency_level = consistency_level(call.get(12))?;
    check_indexes(call, &definition)?;
    if cache::aliased(&database, name).is_some() {
        return Err(Error::new(
            Code::AliasCollectionNameConflict,
            format!("collection name [{name}] conflicts with an existing alias, please choose a unique name"),
        ));
    }
    if let Some(oid) = database.relation(&fit(name)) {
        return refuse_unless_same(oid, name, &definition, consistency_level);
    }
    let relation = fit(name);
    let statements = table::statements(&database, &relation, &definition, &catalog::types_schema());
    pinned(|| spi::connect(|spi| statements.iter().for_each(|statement| spi.run(statement))));
    let made = |name: &str| {
        database.relation(name).unwrap_or_else(|| internal(format!("table {name} was not made")))
    };
    let parts = definition.first_partitions();
    let parts = parts.iter().map(|part| database.relation(&table::partition_table(&relation, part)));
    record::collection(made(&relation), name, &definition, consistency_level, &parts.collect::<Vec<_>>());
    make_indexes(call, made(&relation))
}

/// Makes the indexes that the arguments ask for, and in the quick form one of the vector. A collection is loaded when all its vectors
/// have one, as in Milvus.
fn make_indexes(call: &Call, table: Oid) -> Result<()> {
    let collection =
        cache::of_table(table).unwrap_or_else(|| internal("the collection was not recorded".into()));
    let mut requests = match call.get::<JsonB>(8) {
        Some(JsonB(requests)) => IndexRequest::read_all(&requests)?,
        None => Vec::new(),
    };
    if !call.is_null(1) {
        let metric: String = call.get(5).unwrap_or_else(|| "COSINE".to_owned());
        for vector in collection.vectors().map(|column| &column.field.name) {
            match requests.iter_mut().find(|request| &request.field == vector) {
                Some(request) => _ = request.metric_type.get_or_insert_with(|| metric.clone()),
                None => requests.push(IndexRequest::automatic(vector, &metric)),
            }
        }
    }
    for request in &requests {
        index::make(&collection, request)?;
    }
    let has_index =
        |column: &catalog::Column| requests.iter().any(|request| request.field == column.field.name);
    if collection.vectors().all(has_index) {
        state::set_loaded(&collection, true);
    }
    Ok(())
}

/// The definition that the arguments ask for, in either form.
fn definition(call: &Call) -> Result<Definition> {
    let text = |n: usize, otherwise: &str| call.get::<String>(n).unwrap_or_else(|| otherwise.to_owned());
    let mut definition = match (call.get::<i32>(1), call.get::<JsonB>(7)) {
        (Some(_), Some(_)) => return Err(Error::invalid("dimension and schema exclude each other")),
        (None, None) => {
            return Err(Error::new(Code::ParameterMissing, "either dimension or schema is needed"));
        }
        (None, Some(JsonB(schema))) => Definition::read(&schema)?,
        (Some(dimension), None) => Definition::quick(&QuickForm {
            dimension,
            primary_field: &text(2, "id"),
            id_type: &text(3, "int"),
            max_length: call.get::<i32>(11).map(|length| u32::try_from(length).unwrap_or(0)),
            vector_field: &text(4, "vector"),
            auto_id: call.get(6).unwrap_or(false),
        })?,
    };
    match call.get::<JsonB>(9) {
        None => definition.set_properties(&serde_json::Map::new())?,
        Some(JsonB(Value::Object(properties))) => definition.set_properties(&properties)?,
        Some(JsonB(other)) => {
            return Err(Error::invalid(format!("properties should be a JSON object, not {other}")));
        }
    }
    Ok(definition)
}

/// Checks the metric of the quick form, and that indexes are asked for on fields that are there.
fn check_indexes(call: &Call, definition: &Definition) -> Result<()> {
    let find = |name: &str| definition.fields.iter().find(|field| field.name == name);
    if !call.is_null(1) {
        let metric: String = call.get(5).unwrap_or_else(|| "COSINE".to_owned());
        Metric::read(&metric, kite_schema::DataType::FloatVector)?;
    }
    let Some(JsonB(requests)) = call.get::<JsonB>(8) else { return Ok(()) };
    for request in IndexRequest::read_all(&requests)? {
        let field = find(&request.field).ok_or_else(|| {
            Error::new(
                Code::FieldNotFound,
                format!("cannot create index on non-exist field: {}", request.field),
            )
        })?;
        if let Some(metric) = &request.metric_type {
            Metric::read(metric, field.data_type)?;
        }
    }
    Ok(())
}

fn consistency_level(asked: Option<String>) -> Result<&'static str> {
    const LEVELS: [&str; 5] = ["Strong", "Session", "Bounded", "Eventually", "Customized"];
    let Some(asked) = asked else { return Ok("Bounded") };
    let found = LEVELS.into_iter().find(|level| level.eq_ignore_ascii_case(&asked));
    found.ok_or_else(|| {
        Error::invalid(format!("invalid consistency level: {asked}"))
            .with_hint(format!("It is one of {}.", LEVELS.join(", ")))
    })
}

/// As Milvus does: making what is there already changes nothing, making it otherwise is an error.
fn refuse_unless_same(oid: Oid, name: &str, definition: &Definition, consistency_level: &str) -> Result<()> {
    let Some(existing) = cache::of_table(oid) else {
        return Err(Error::new(
            Code::CollectionExists,
            format!("relation \"{name}\" exists and is not a collection"),
        ));
    };
    let fields = existing.fields.iter().map(|column| &column.field);
    let same = existing.name == name
        && fields.eq(definition.fields.iter())
        && existing.is_dynamic == definition.is_dynamic
        && existing.description == definition.description
        && existing.partitioning == definition.partitioning
        && existing.properties == definition.properties
        && existing.consistency_level == consistency_level;
    if same {
        notice(format!("collection \"{name}\" exists with the same definition, skipping"));
        return Ok(());
    }
    Err(Error::new(
        Code::CollectionExists,
        format!("create duplicate collection with different parameters, collection: {name}"),
    ))
}

fn drop(call: &Call) -> Result<()> {
    let name: String = call.get(0).unwrap_or_default();
    let (database, name) = Database::split(&name, None)?;
    let Some(collection) = cache::named(&database, name) else {
        if cache::aliased(&database, name).is_some() {
            return Err(Error::invalid(format!("cannot drop the collection via alias = {name}")));
        }
        notice(format!("collection \"{name}\" does not exist, skipping"));
        return Ok(());
    };
    check_owner(collection.oid);
    let aliases = catalog::aliases(collection.oid);
    if !aliases.is_empty() {
        return Err(Error::new(
            Code::InUse,
            format!(
                "unable to drop the collection [{name}] because it has associated aliases [{}], please remove all aliases before dropping the collection",
                aliases.join(" ")
            ),
        ));
    }
    let table = qualified(&collection.schema, &collection.table);
    pinned(|| spi::connect(|spi| spi.run(&format!("DROP TABLE {table}"))));
    // The event trigger has done so, unless event triggers are off.
    if cache::of_table(collection.oid).is_some() {
        record::forget(collection.oid);
    }
    Ok(())
}

fn rename(call: &Call) -> Result<()> {
    let old: String = call.get(0).unwrap_or_default();
    let new: String = call.get(1).unwrap_or_default();
    let target: Option<String> = call.get(2);
    let (database, old) = Database::split(&old, None)?;
    let Some(collection) = cache::named(&database, old) else {
        if cache::aliased(&database, old).is_some() {
            return Err(Error::invalid(format!(
                "unsupported use an alias to rename collection, alias:{old}"
            )));
        }
        return Err(cache::not_found(&database, old));
    };
    let (target, new) = Database::split(&new, Some(target.as_deref().unwrap_or(&database.name)))?;
    check_name(Entity::Collection, new)?;
    check_owner(collection.oid);
    if target.relation(&fit(new)).is_some() || cache::aliased(&target, new).is_some() {
        return Err(Error::new(
            Code::CollectionExists,
            format!(
                "duplicated new collection name {new} in database {} with other collection name or alias",
                target.name
            ),
        ));
    }
    let mut statements = Vec::new();
    let mut schema = &collection.schema;
    if target.oid != collection.namespace {
        let parts = catalog::partitions(collection.oid).into_iter().filter_map(|(_, table)| table);
        for table in parts.chain([collection.oid]) {
            let name = catalog::class(table, |form| pgrx::name_data_to_str(&form.relname).to_owned());
            let table = qualified(schema, &name.unwrap_or_default());
            statements.push(format!("ALTER TABLE {table} SET SCHEMA {}", ident(&target.schema)));
        }
        schema = &target.schema;
    }
    if fit(new) != collection.table {
        statements.push(format!(
            "ALTER TABLE {} RENAME TO {}",
            qualified(schema, &collection.table),
            ident(&fit(new))
        ));
    }
    pinned(|| spi::connect(|spi| statements.iter().for_each(|statement| spi.run(statement))));
    if fit(new) != new || fit(old) != old {
        record::rename(collection.oid, new);
    }
    Ok(())
}

/// The trigger of the catalogs: every backend forgets what it read from them.
fn catalog_changed(call: &Call) -> Result<()> {
    let Some(catalog) = call.trigger_relation() else {
        return Err(Error::invalid("kite.catalog_changed is a trigger"));
    };
    // SAFETY: the relation of a running trigger exists.
    unsafe { pgrx::pg_sys::CacheInvalidateRelcacheByRelid(catalog) };
    Ok(())
}
