//! Indexes of collections: those that were asked for here, and those of vectors that plain SQL has made.

use super::scan::{Key, Row, get, get_name, scan, scan_indexes};
use super::{fields, system};
use kite_schema::Metric;
use pgrx::{
    JsonB,
    pg_sys::{self, Oid},
};
use serde_json::{Map, Value, json};

/// An index as it was asked for.
#[derive(Debug)]
pub(in crate::collections) struct Index {
    /// Its name: that of the field, where none is given.
    pub(in crate::collections) name: String,
    /// The column.
    pub(in crate::collections) column: String,
    /// `field_name`, `index_name`, `index_type`, `metric_type`, `params` and `note`.
    pub(in crate::collections) request: Map<String, Value>,
    /// Its relation, in the schema of the collection.
    pub(in crate::collections) relation: Option<String>,
}

impl Index {
    /// A text of the request.
    pub(in crate::collections) fn text(&self, key: &str) -> &str {
        self.request.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

/// The indexes of a table, by name; those of plain SQL, which nobody asked for here, bear the name of their field.
pub(in crate::collections) fn indexes(table: Oid) -> Vec<Index> {
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
    add_built(table, &mut indexes);
    indexes
}

/// Adds the indexes of plain SQL: the oldest of each vector field that has none which was asked for. Their metric is that of their
/// operator class.
fn add_built(table: Oid, indexes: &mut Vec<Index>) {
    let mut built: Vec<(Oid, String, String)> = Vec::new();
    scan_indexes(table, |row| built.extend(vector_index(table, row)));
    if built.iter().all(|(_, column, _)| indexes.iter().any(|index| &index.column == column)) {
        return;
    }
    built.sort_by_key(|(relation, ..)| relation.to_u32());
    let fields = fields(table);
    for (relation, column, class) in built {
        if indexes.iter().any(|index| index.column == column) {
            continue;
        }
        let Some((_, _, field)) = fields.iter().find(|(name, ..)| *name == column) else { continue };
        let metric = class.split('_').nth(1).and_then(|name| Metric::read(name, field.data_type).ok());
        let found = class_of(relation).zip(metric);
        let Some(((name, method), metric)) = found else { continue };
        let request = json!({
            "field_name": field.name,
            "index_name": field.name,
            "index_type": if method == "hnsw" { "HNSW" } else { "IVF_FLAT" },
            "metric_type": metric.name(),
            "params": params(&system::options(relation)),
        });
        let Value::Object(request) = request else { continue };
        indexes.push(Index { name: field.name.clone(), column, request, relation: Some(name) });
    }
}

/// Relation, column and operator class of an index that is valid, whole, and of one column.
fn vector_index(table: Oid, row: &Row) -> Option<(Oid, String, String)> {
    let place = |column: u32| column as usize - 1;
    let is_whole = row[place(pg_sys::Anum_pg_index_indpred)].is_none()
        && get(row, place(pg_sys::Anum_pg_index_indisvalid)) == Some(true)
        && get::<i16>(row, place(pg_sys::Anum_pg_index_indnatts)) == Some(1);
    if !is_whole {
        return None;
    }
    let relation = get(row, place(pg_sys::Anum_pg_index_indexrelid))?;
    let (_, method) = class_of(relation)?;
    if !["hnsw", "ivf", "ivfflat"].contains(&method.as_str()) {
        return None;
    }
    let (keys, classes) =
        (row[place(pg_sys::Anum_pg_index_indkey)]?, row[place(pg_sys::Anum_pg_index_indclass)]?);
    // SAFETY: the columns are an `int2vector` and an `oidvector`, which are stored plain, of one element each as the index has one
    // column.
    let (key, class) = unsafe {
        let (keys, classes) =
            (keys.cast_mut_ptr::<pg_sys::int2vector>(), classes.cast_mut_ptr::<pg_sys::oidvector>());
        (*(*keys).values.as_ptr(), *(*classes).values.as_ptr())
    };
    Some((relation, system::column_name(table, key)?, system::operator_class(class)?))
}

/// Name and access method of a relation.
fn class_of(relation: Oid) -> Option<(String, String)> {
    let (name, method) =
        system::class(relation, |form| (pgrx::name_data_to_str(&form.relname).to_owned(), form.relam))?;
    Some((name, system::access_method(method)?))
}

/// Options of an index under Milvus's names.
fn params(options: &[String]) -> Map<String, Value> {
    let pairs = options.iter().filter_map(|option| option.split_once('='));
    let named = pairs.filter_map(|(name, value)| {
        let name = match name {
            "m" => "M",
            "ef_construction" => "efConstruction",
            "lists" => "nlist",
            _ => return None,
        };
        Some((name.to_owned(), value.parse::<i64>().ok()?.into()))
    });
    named.collect()
}
