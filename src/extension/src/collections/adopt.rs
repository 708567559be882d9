//! `kite.adopt_collection`: a table that is there becomes a collection. Its columns stay what they are; those of types that Milvus does
//! not have are no fields, and it gets the columns that every collection has.

use super::access::check_owner;
use super::change;
use super::error::notice;
use super::sql::{ident, qualified};
use super::table::{INSERTED_AT, META, PARTITION, meta_column};
use super::{cache, catalog, database, expiry, record, state};
use crate::call::Call;
use kite_schema::{Code, DataType, Definition, Entity, Error, Field, MAX_LENGTH, Result, check_name};
use pgrx::JsonB;
use pgrx::pg_sys::{self, Oid};
use serde_json::Value;

export! { Error;
    "kite_adopt_collection" => adopt,
}

fn adopt(call: &Call) -> Result<()> {
    let table: Oid = call.get(0).unwrap_or(pg_sys::InvalidOid);
    check_owner(table);
    let found = catalog::class(table, |form| {
        (
            pgrx::name_data_to_str(&form.relname).to_owned(),
            form.relnamespace,
            form.relkind as u8,
            form.relpersistence as u8,
        )
    });
    let Some((name, namespace, kind, persistence)) = found else {
        return Err(Error::new(Code::CollectionNotFound, "there is no such table"));
    };
    let Some((schema, database)) = database::names(namespace) else {
        return Err(Error::new(Code::CollectionNotFound, "the table has no schema"));
    };
    // Raises where the schema is none for collections.
    let database = database::Database::find(Some(&database))?;
    if kind != b'r' || persistence == b't' {
        return Err(Error::invalid(format!("\"{name}\" is no ordinary table")));
    }
    check_name(Entity::Collection, &name)?;
    let whole = qualified(&schema, &name);
    change::run(&[format!("LOCK TABLE ONLY {whole} IN SHARE UPDATE EXCLUSIVE MODE")]);
    if cache::of_table(table).is_some() {
        return Err(Error::new(Code::CollectionExists, format!("\"{name}\" is a collection already")));
    }
    if cache::aliased(&database, &name).is_some() {
        return Err(Error::new(
            Code::AliasCollectionNameConflict,
            format!("collection name [{name}] conflicts with an existing alias, please choose a unique name"),
        ));
    }
    let columns = columns(table);
    let has =
        |wanted: &str, kind: &str| columns.iter().any(|column| column.name == wanted && column.kind == kind);
    let mut definition = definition(&columns, &catalog::types_schema())?;
    definition.description = call.get::<String>(1).unwrap_or_default();
    definition.is_dynamic = call.get::<bool>(2).unwrap_or(false) || has(META, "jsonb");
    definition.check()?;
    if let Some(JsonB(given)) = call.get::<JsonB>(3) {
        let Value::Object(given) = given else {
            return Err(Error::invalid("properties should be a JSON object"));
        };
        if given.contains_key("partitioning") {
            return Err(Error::invalid("the partitions of an adopted table are values of a column"));
        }
        definition.set_properties(&given)?;
    }
    let mut statements = Vec::new();
    if definition.is_dynamic && !has(META, "jsonb") {
        statements.push(format!("ALTER TABLE {whole} ADD COLUMN {}", meta_column()));
    }
    if !has(PARTITION, "text") {
        let column = ident(PARTITION);
        statements.push(format!(
            "ALTER TABLE {whole} ADD COLUMN {column} pg_catalog.text NOT NULL DEFAULT '_default'"
        ));
        statements.push(format!("CREATE INDEX ON {whole} ({column})"));
    }
    if expiry::seconds(&definition.properties).is_some() && !has(INSERTED_AT, "timestamptz") {
        statements.push(format!("ALTER TABLE {whole} ADD COLUMN {}", expiry::column()));
    }
    change::run(&statements);
    record::collection(table, &name, &definition, "Bounded", &[]);
    // It has been read before: whether its vectors have indexes does not matter.
    if let Some(collection) = cache::of_table(table) {
        state::set_loaded(&collection, true);
    }
    Ok(())
}

/// A column of a table, as the server sees it.
struct Described {
    name: String,
    /// Its type, or that of its elements.
    kind: String,
    /// Whether the type is one of the vector types' schema.
    kind_schema: String,
    is_array: bool,
    modifier: i64,
    is_nullable: bool,
    is_primary: bool,
    is_generated: bool,
    /// A default that is a constant.
    constant: Option<Value>,
}

fn columns(table: Oid) -> Vec<Described> {
    let rows = change::ask(
        "SELECT a.attname::text, t.typname::text, n.nspname::text, (a.attndims > 0 OR b.typcategory = 'A')::text, a.atttypmod::text,
             (NOT a.attnotnull)::text,
             coalesce(i.indnkeyatts = 1 AND i.indkey[0] = a.attnum, false)::text,
             (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%')::text,
             CASE WHEN a.attgenerated = '' AND pg_get_expr(d.adbin, d.adrelid) ~ '^(''[^(]*|[0-9.]+|true|false)$' THEN pg_get_expr(d.adbin, d.adrelid) END
         FROM pg_attribute a
         JOIN pg_type b ON b.oid = a.atttypid
         JOIN pg_type t ON t.oid = CASE WHEN b.typcategory = 'A' AND b.typelem <> 0 THEN b.typelem ELSE b.oid END
         JOIN pg_namespace n ON n.oid = t.typnamespace
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
         WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        &[change::table(table)],
    );
    rows.into_iter().map(described).collect()
}

fn described(row: Vec<Option<String>>) -> Described {
    let mut row = row.into_iter();
    let mut next = || row.next().flatten();
    let is = |value: Option<String>| value.as_deref() == Some("true");
    Described {
        name: next().unwrap_or_default(),
        kind: next().unwrap_or_default(),
        kind_schema: next().unwrap_or_default(),
        is_array: is(next()),
        modifier: next().and_then(|text| text.parse().ok()).unwrap_or(-1),
        is_nullable: is(next()),
        is_primary: is(next()),
        is_generated: is(next()),
        // It calls nothing: a literal, perhaps with a cast.
        constant: next().and_then(|expression| {
            let json = change::ask_one(&format!("SELECT to_jsonb({expression})::text"), &[])?;
            serde_json::from_str(&json).ok().filter(|value: &Value| !value.is_null())
        }),
    }
}

fn definition(columns: &[Described], types: &str) -> Result<Definition> {
    let mut fields = Vec::new();
    let mut left = Vec::new();
    for column in
        columns.iter().filter(|column| ![META, PARTITION, INSERTED_AT].contains(&column.name.as_str()))
    {
        match field(column, types) {
            Some(field) => fields.push(field),
            None if column.is_primary => {
                return Err(Error::invalid("the data type of primary key should be Int64 or VarChar")
                    .with_hint(format!(
                        "ALTER TABLE … ALTER COLUMN {} TYPE bigint makes one of a smaller whole number.",
                        ident(&column.name)
                    )));
            }
            None => left.push(column.name.as_str()),
        }
    }
    if !left.is_empty() {
        notice(format!("columns that are no fields: {}", left.join(", ")));
    }
    Ok(Definition::new(fields))
}

/// The field that a column can be.
fn field(column: &Described, types: &str) -> Option<Field> {
    if check_name(Entity::Field, &column.name).is_err() {
        return None;
    }
    let is_vector = column.kind_schema == types && !column.is_array;
    let kind = match column.kind.as_str() {
        "vector" if is_vector => DataType::FloatVector,
        "halfvec" if is_vector => DataType::Float16Vector,
        "sparsevec" if is_vector => DataType::SparseFloatVector,
        _ if column.kind_schema != "pg_catalog" => return None,
        "bool" => DataType::Bool,
        "int2" => DataType::Int16,
        "int4" => DataType::Int32,
        "int8" => DataType::Int64,
        "float4" => DataType::Float,
        "float8" => DataType::Double,
        "text" | "varchar" => DataType::VarChar,
        "jsonb" if !column.is_array => DataType::Json,
        "timestamptz" if !column.is_array => DataType::Timestamptz,
        "bit" if !column.is_array => DataType::BinaryVector,
        _ => return None,
    };
    let mut field = Field::new(column.name.clone(), if column.is_array { DataType::Array } else { kind });
    if column.is_array {
        field.element_type = Some(kind);
        field.max_capacity = Some(kite_schema::MAX_CAPACITY);
    }
    if kind == DataType::VarChar {
        field.max_length = Some(MAX_LENGTH);
    }
    if kind.has_dim() {
        field.dim = Some(u32::try_from(column.modifier).ok()?);
    }
    field.is_primary = column.is_primary;
    field.auto_id = column.is_primary && column.is_generated;
    field.nullable = column.is_nullable;
    field.default_value = column.constant.clone().filter(|_| !column.is_primary);
    let mut checked = field.clone();
    if checked.check().is_err() {
        // A default that Milvus does not have.
        checked = Field { default_value: None, ..field };
        if !checked.is_primary && checked.check().is_err() {
            return None;
        }
    }
    let sizes_fit = checked.check().is_ok();
    sizes_fit.then_some(checked)
}
