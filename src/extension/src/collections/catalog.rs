//! The catalogs of schema `kite`, read. They are read as the server reads its own, without a query and whatever the caller is granted:
//! what may be shown is decided by his rights on the collection's table.

mod index;
mod scan;
mod system;

use super::database;
use super::table::INSERTED_AT;
use kite_schema::{DataType, Field, Metric, Partitioning};
use pgrx::{JsonB, pg_sys::Oid};
use scan::{Key, get, get_name, scan};
use serde_json::{Map, Value};

pub(super) use index::{Index, indexes};
pub(super) use scan::catalog_oid;
pub(super) use system::{class, column_number, has_default, owner, relation, type_oid, types_schema};

/// A collection.
#[derive(Debug)]
pub(super) struct Collection {
    /// Its table.
    pub(super) oid: Oid,
    /// The schema of the table.
    pub(super) namespace: Oid,
    /// The name of that schema.
    pub(super) schema: String,
    /// The same as a database's.
    pub(super) database: String,
    /// The name of the table.
    pub(super) table: String,
    /// The name of the collection: the table's, or the long one that it stands for.
    pub(super) name: String,
    /// Its fields, in their order, without those whose columns are gone.
    pub(super) fields: Vec<Column>,
    /// Whether rows may have keys that no field has, in the column `"$meta"`.
    pub(super) is_dynamic: bool,
    /// How its rows are divided.
    pub(super) partitioning: Partitioning,
    /// A remark.
    pub(super) description: String,
    /// What Milvus's clients read and write by; every level is strong on a primary.
    pub(super) consistency_level: String,
    /// Whether it is loaded: else nothing is searched in it.
    pub(super) is_loaded: bool,
    /// Those of its partitions that are not loaded.
    pub(super) released: Vec<String>,
    /// Whether rows have a column `"$inserted_at"`.
    pub(super) has_inserted_at: bool,
    /// Its properties.
    pub(super) properties: Map<String, Value>,
}

/// A field and its column.
#[derive(Debug)]
pub(super) struct Column {
    /// The field.
    pub(super) field: Field,
    /// The name of the column.
    pub(super) name: String,
    /// Its number in the table.
    pub(super) number: i16,
    /// Its type.
    pub(super) type_oid: Oid,
    /// Its type's modifier.
    pub(super) type_modifier: i32,
    /// The metric of its index, where it has one.
    pub(super) metric: Option<Metric>,
}

impl Collection {
    /// The field of this name.
    pub(super) fn field(&self, name: &str) -> Option<&Column> {
        self.fields.iter().find(|column| column.field.name == name)
    }

    /// The primary key; `None` only where its column was dropped by plain SQL.
    pub(super) fn primary(&self) -> Option<&Column> {
        self.fields.iter().find(|column| column.field.is_primary)
    }

    /// Its vector fields.
    pub(super) fn vectors(&self) -> impl Iterator<Item = &Column> {
        self.fields.iter().filter(|column| column.field.data_type.is_vector())
    }

    /// Whether rows have a column `"$partition"`.
    pub(super) fn has_partition_column(&self) -> bool {
        !matches!(self.partitioning, Partitioning::Hash(_))
    }

    /// Whether keys of this type are numbers.
    pub(super) fn has_integer_ids(&self) -> bool {
        self.primary().is_some_and(|column| column.field.data_type == DataType::Int64)
    }
}

/// Reads a collection by its table.
pub(super) fn read(table: Oid) -> Option<Collection> {
    let (relname, namespace) =
        class(table, |form| (pgrx::name_data_to_str(&form.relname).to_owned(), form.relnamespace))?;
    let (schema, database) = database::names(namespace)?;
    let mut found = None;
    scan(c"collection", c"collection_pkey", &Key::Table(table), |row| {
        let long: Option<String> = get(row, 1);
        let partitions = get::<i32>(row, 5).and_then(|number| u32::try_from(number).ok());
        found = Some(Collection {
            oid: table,
            namespace,
            name: long.filter(|long| kite_schema::fit(long) == relname).unwrap_or_else(|| relname.clone()),
            fields: Vec::new(),
            is_dynamic: get(row, 3).unwrap_or(false),
            partitioning: match get::<String>(row, 4).as_deref() {
                Some("list") => Partitioning::List,
                Some("hash") => Partitioning::Hash(partitions.unwrap_or(0)),
                _ => Partitioning::Column,
            },
            description: get(row, 2).unwrap_or_default(),
            consistency_level: get(row, 6).unwrap_or_default(),
            is_loaded: get(row, 7).unwrap_or(false),
            released: Vec::new(),
            has_inserted_at: column_number(table, INSERTED_AT) > 0,
            properties: match get::<JsonB>(row, 8) {
                Some(JsonB(Value::Object(map))) => map,
                _ => Map::new(),
            },
            schema: schema.clone(),
            database: database.clone(),
            table: relname.clone(),
        });
    });
    let mut collection = found?;
    collection.fields = columns(table);
    scan(c"partition", c"partition_pkey", &Key::Table(table), |row| {
        if get::<bool>(row, 3) == Some(false) {
            collection.released.extend(get::<String>(row, 1));
        }
    });
    Some(collection)
}

/// The fields of a table in their order, with what the server says of their columns.
fn columns(table: Oid) -> Vec<Column> {
    let indexes = indexes(table);
    let mut fields = fields(table);
    fields.sort_by_key(|(_, position, _)| *position);
    let column = |(name, _, field): (String, i16, Field)| {
        let (number, type_oid, type_modifier) = system::attribute(table, &name)?;
        let index = indexes.iter().find(|index| index.column == name);
        let metric = index.and_then(|index| Metric::read(index.text("metric_type"), field.data_type).ok());
        Some(Column { field, name, number, type_oid, type_modifier, metric })
    };
    fields.into_iter().filter_map(column).collect()
}

/// The fields of a table: column, position and definition.
fn fields(table: Oid) -> Vec<(String, i16, Field)> {
    let mut fields = Vec::new();
    scan(c"field", c"field_pkey", &Key::Table(table), |row| {
        let json: Option<pgrx::Json> = get(row, 4);
        if let Some(field) = json.and_then(|json| Field::read(&json.0).ok()) {
            fields.push((get_name(row, 1), get(row, 3).unwrap_or(0), field));
        }
    });
    fields
}

/// The tables of all collections.
pub(super) fn tables() -> Vec<Oid> {
    let mut tables = Vec::new();
    scan(c"collection", c"collection_pkey", &Key::All, |row| tables.extend(get::<Oid>(row, 0)));
    tables
}

/// The tables that have this alias, each in another database.
pub(super) fn aliased(alias: &str) -> Vec<Oid> {
    let mut tables = Vec::new();
    scan(c"alias", c"alias_pkey", &Key::Text(alias), |row| tables.extend(get::<Oid>(row, 1)));
    tables
}

/// The aliases of a table, in order.
pub(super) fn aliases(table: Oid) -> Vec<String> {
    let mut aliases = Vec::new();
    scan(c"alias", c"alias_pkey", &Key::All, |row| {
        if get::<Oid>(row, 1) == Some(table) {
            aliases.extend(get::<String>(row, 0));
        }
    });
    aliases
}

/// The partitions of a table by name, with their tables where they have any.
pub(super) fn partitions(table: Oid) -> Vec<(String, Option<Oid>)> {
    let mut partitions = Vec::new();
    scan(c"partition", c"partition_pkey", &Key::Table(table), |row| {
        partitions.push((get(row, 1).unwrap_or_default(), get::<Oid>(row, 2)));
    });
    partitions
}
