//! The catalogs of schema `kite`, read. They are read as the server reads its own, without a query and whatever the caller is granted:
//! what may be shown is decided by his rights on the collection's table.

use super::database;
use super::error::internal;
use kite_schema::{DataType, Field, Metric, Partitioning};
use pgrx::{
    FromDatum, JsonB,
    pg_sys::{self, Datum, Oid, Relation, SysCacheIdentifier},
};
use serde_json::{Map, Value};
use std::ffi::{CStr, CString};

/// The most columns that a catalog has.
const COLUMNS: usize = 12;

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
    /// Whether it is loaded, as Milvus sees it.
    #[allow(dead_code, reason = "for those who search")]
    pub(super) is_loaded: bool,
    /// Its properties.
    pub(super) properties: Map<String, Value>,
}

/// A field and its column.
#[derive(Debug)]
#[allow(dead_code, reason = "for those who write and search")]
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
    /// The metric of its index, where one was asked for.
    pub(super) metric: Option<Metric>,
}

#[allow(dead_code, reason = "for those who write and search")]
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

/// The OID of a catalog, or of one of its indexes.
pub(super) fn catalog_oid(name: &CStr) -> Oid {
    // SAFETY: catalog look-ups.
    let oid = unsafe {
        let schema = pg_sys::get_namespace_oid(c"kite".as_ptr(), true);
        pg_sys::get_relname_relid(name.as_ptr(), schema)
    };
    if oid == pg_sys::InvalidOid {
        internal(format!("the catalog kite.{} is missing", name.to_string_lossy()));
    }
    oid
}

/// The owner of the catalogs, who may write them.
pub(super) fn owner() -> Oid {
    class(catalog_oid(c"collection"), |form| form.relowner)
        .unwrap_or_else(|| internal("no owner of the catalogs".into()))
}

/// Reads something from a relation's row in `pg_class`.
pub(super) fn class<R>(relation: Oid, read: impl FnOnce(&pg_sys::FormData_pg_class) -> R) -> Option<R> {
    // SAFETY: a plain catalog look-up; what is read is no reference, as `R` does not depend on the row's lifetime.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(SysCacheIdentifier::RELOID as i32, Datum::from(relation));
        if tuple.is_null() {
            return None;
        }
        let form: *const pg_sys::FormData_pg_class = pg_sys::heap_tuple_get_struct(tuple);
        let result = read(&*form);
        pg_sys::ReleaseSysCache(tuple);
        Some(result)
    }
}

/// The key that a catalog is searched by, its first column.
enum Key<'a> {
    Table(Oid),
    Text(&'a str),
    All,
}

/// Calls `each` with the columns of every row under a key, by a scan of the primary key's index.
fn scan(catalog: &CStr, index: &CStr, key: &Key<'_>, mut each: impl FnMut(&[Option<Datum>])) {
    // SAFETY: the relation and the scan are open while they are used; values are lent until the next row. An ERROR closes both.
    // The keys' functions are those of the columns' types, `regclass` being compared as `oid`, and text by the collation C, which
    // `ScanKeyInit` assumes and the catalogs declare.
    unsafe {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let relation: Relation = pg_sys::table_open(catalog_oid(catalog), lock);
        let mut entry = pg_sys::ScanKeyData::default();
        let mut init = |function: u32, value: Datum| {
            pg_sys::ScanKeyInit(
                &raw mut entry,
                1,
                pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
                function.into(),
                value,
            );
        };
        let keys = match key {
            Key::Table(oid) => {
                init(pg_sys::F_OIDEQ, Datum::from(*oid));
                1
            }
            Key::Text(text) => {
                init(pg_sys::F_TEXTEQ, pgrx::IntoDatum::into_datum(*text).unwrap_or_else(Datum::null));
                1
            }
            Key::All => 0,
        };
        let scan = pg_sys::systable_beginscan(
            relation,
            catalog_oid(index),
            true,
            std::ptr::null_mut(),
            keys,
            &raw mut entry,
        );
        let columns = usize::try_from((*(*relation).rd_att).natts).unwrap_or(0);
        if columns > COLUMNS {
            internal(format!("the catalog kite.{} has {columns} columns", catalog.to_string_lossy()));
        }
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            let (mut values, mut nulls) = ([Datum::null(); COLUMNS], [true; COLUMNS]);
            pg_sys::heap_deform_tuple(tuple, (*relation).rd_att, values.as_mut_ptr(), nulls.as_mut_ptr());
            let mut row = [None; COLUMNS];
            for (place, value) in row.iter_mut().enumerate() {
                *value = (!nulls[place]).then_some(values[place]);
            }
            each(&row);
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, lock);
    }
}

/// A column's value. `T` stands for its SQL type.
fn get<T: FromDatum>(row: &[Option<Datum>], column: usize) -> Option<T> {
    let value = row.get(column).copied().flatten()?;
    // SAFETY: callers name the Rust type of the column, as `sql/collections/catalogs.sql` declares it.
    unsafe { T::from_datum(value, false) }
}

/// A column of type `name`.
fn get_name(row: &[Option<Datum>], column: usize) -> String {
    let value = row.get(column).copied().flatten();
    // SAFETY: callers name a column of that type, which is a string that ends with NUL.
    value.map_or_else(String::new, |value| unsafe {
        CStr::from_ptr(value.cast_mut_ptr()).to_string_lossy().into_owned()
    })
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
    collection.fields = fields(table);
    Some(collection)
}

fn fields(table: Oid) -> Vec<Column> {
    let indexes = indexes(table);
    let mut columns: Vec<(i16, Column)> = Vec::new();
    scan(c"field", c"field_pkey", &Key::Table(table), |row| {
        let (name, position) = (get_name(row, 1), get(row, 3).unwrap_or(0));
        let json: Option<pgrx::Json> = get(row, 4);
        let field = json.and_then(|json| Field::read(&json.0).ok());
        if let Some((field, (number, type_oid, type_modifier))) = field.zip(attribute(table, &name)) {
            let index = indexes.iter().find(|index| index.column == name);
            let metric =
                index.and_then(|index| Metric::read(index.text("metric_type"), field.data_type).ok());
            columns.push((position, Column { field, name, number, type_oid, type_modifier, metric }));
        }
    });
    columns.sort_by_key(|(position, _)| *position);
    columns.into_iter().map(|(_, column)| column).collect()
}

/// Number, type and type modifier of a column that is there.
fn attribute(table: Oid, name: &str) -> Option<(i16, Oid, i32)> {
    let name = CString::new(name).ok()?;
    // SAFETY: a plain catalog look-up; the fields are copied before the tuple is released.
    unsafe {
        let tuple = pg_sys::SearchSysCacheAttName(table, name.as_ptr());
        if tuple.is_null() {
            return None;
        }
        let form: *const pg_sys::FormData_pg_attribute = pg_sys::heap_tuple_get_struct(tuple);
        let result = ((*form).attnum, (*form).atttypid, (*form).atttypmod);
        pg_sys::ReleaseSysCache(tuple);
        Some(result)
    }
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

/// An index as it was asked for.
#[derive(Debug)]
pub(super) struct Index {
    /// Its name: that of the field, where none is given.
    pub(super) name: String,
    /// The column.
    pub(super) column: String,
    /// `field_name`, `index_name`, `index_type`, `metric_type`, `params` and `note`.
    pub(super) request: Map<String, Value>,
    /// Its relation, in the schema of the collection.
    pub(super) relation: Option<String>,
}

impl Index {
    /// A text of the request.
    pub(super) fn text(&self, key: &str) -> &str {
        self.request.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

/// The indexes of a table, by name.
pub(super) fn indexes(table: Oid) -> Vec<Index> {
    let mut indexes = Vec::new();
    scan(c"index", c"index_pkey", &Key::Table(table), |row| {
        let request = match get::<JsonB>(row, 3) {
            Some(JsonB(Value::Object(map))) => map,
            _ => Map::new(),
        };
        let whole = request.get("index_name").and_then(Value::as_str).map(str::to_owned);
        indexes.push(Index {
            name: whole.unwrap_or_else(|| get_name(row, 1)),
            column: get_name(row, 2),
            request,
            relation: row.get(4).copied().flatten().map(|_| get_name(row, 4)),
        });
    });
    indexes
}

/// The relation of this name in a schema.
pub(super) fn relation(namespace: Oid, name: &str) -> Option<Oid> {
    let name = CString::new(name).ok()?;
    // SAFETY: a catalog look-up.
    let oid = unsafe { pg_sys::get_relname_relid(name.as_ptr(), namespace) };
    (oid != pg_sys::InvalidOid).then_some(oid)
}

/// The schema of the types `vector`, `halfvec` and `sparsevec`: that of the extension that owns them.
pub(super) fn types_schema() -> String {
    let mut namespace = None;
    // SAFETY: as in `scan`; the extension's row is read as a struct, whose fixed part has all that is looked at.
    unsafe {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let relation = pg_sys::table_open(pg_sys::ExtensionRelationId, lock);
        let scan = pg_sys::systable_beginscan(
            relation,
            pg_sys::InvalidOid,
            false,
            std::ptr::null_mut(),
            0,
            std::ptr::null_mut(),
        );
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            let form: *const pg_sys::FormData_pg_extension = pg_sys::heap_tuple_get_struct(tuple);
            match pgrx::name_data_to_str(&(*form).extname) {
                // Where it stands beside us, it is the one that stands in for pgvector.
                "vector" => {
                    namespace = Some((*form).extnamespace);
                    break;
                }
                "pgkite" => namespace = Some((*form).extnamespace),
                _ => {}
            }
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, lock);
    }
    let names = namespace.and_then(database::names);
    names
        .map_or_else(|| internal("the extension of the vector types is missing".into()), |(schema, _)| schema)
}

/// The type of this name in a schema.
pub(super) fn type_oid(schema: &str, name: &CStr) -> Oid {
    let Ok(schema) = CString::new(schema) else { return pg_sys::InvalidOid };
    // SAFETY: catalog look-ups; the column asked for is `pg_type.oid`.
    unsafe {
        pg_sys::GetSysCacheOid(
            SysCacheIdentifier::TYPENAMENSP as i32,
            pg_sys::Anum_pg_type_oid as i16,
            Datum::from(name.as_ptr()),
            Datum::from(pg_sys::get_namespace_oid(schema.as_ptr(), true)),
            Datum::null(),
            Datum::null(),
        )
    }
}

/// Whether a column has a default, or makes its values itself.
pub(super) fn has_default(table: Oid, number: i16) -> bool {
    // SAFETY: a plain catalog look-up; the fields are read before the tuple is released.
    unsafe {
        let tuple = pg_sys::SearchSysCacheAttNum(table, number);
        if tuple.is_null() {
            return false;
        }
        let form: *const pg_sys::FormData_pg_attribute = pg_sys::heap_tuple_get_struct(tuple);
        let result = (*form).atthasdef || (*form).attidentity != 0;
        pg_sys::ReleaseSysCache(tuple);
        result
    }
}

/// The number of a column; 0 where there is none.
pub(super) fn column_number(table: Oid, name: &str) -> i16 {
    let Ok(name) = CString::new(name) else { return 0 };
    // SAFETY: a catalog look-up.
    unsafe { pg_sys::get_attnum(table, name.as_ptr()) }
}
