//! The statement of a search, put together and executed. Its text depends on the shape of the call alone: what a caller gives are
//! parameters, so that the next call of the shape finds its plan. The number of rows stands in the text, as a plan that does not know
//! it would take a tenth of the table for it.

use super::group::Collector;
use super::options::Range;
use super::score::{self, Order};
use crate::collections::catalog::{self, Collection, Column};
use crate::collections::expiry;
use crate::collections::filter::Condition;
use crate::collections::spi::{Effect, Plan, Rows, Spi};
use crate::collections::sql::{ident, qualified};
use crate::collections::table::PARTITION;
use kite_schema::{DataType, Metric};
use pgrx::pg_sys::{self, Datum, Oid, SysCacheIdentifier};
use pgrx::{FromDatum, IntoDatum};
use std::ffi::CStr;
use std::fmt::Write as _;
use std::rc::Rc;

/// Rows that are fetched at once where nobody knows how many it takes.
const BATCH: usize = 1024;

/// The name of the table in the statement.
pub(super) const ALIAS: &str = "t";

/// A search of one field, by any query vector.
pub(super) struct Statement<'a> {
    /// The collection.
    pub(super) collection: &'a Collection,
    /// The primary key.
    pub(super) primary: &'a Column,
    /// The vector field.
    pub(super) column: &'a Column,
    /// How it is compared.
    pub(super) metric: Metric,
    /// Names of the partitions that are searched; all, where there are none.
    pub(super) partitions: &'a [String],
    /// Which scores are wanted.
    pub(super) range: Range,
    /// The expression of the entity, if any is wanted.
    pub(super) entity: Option<&'a str>,
    /// The field that rows are grouped by.
    pub(super) group: Option<&'a Column>,
}

/// The key of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    /// Of a field `INT64`.
    Number(i64),
    /// Of a field `VARCHAR`.
    Text(String),
}

/// A row that was found.
#[derive(Debug)]
pub(super) struct Hit {
    /// Its key.
    pub(super) key: Key,
    /// Milvus's score.
    pub(super) score: f64,
    /// Its entity, in SPI's memory.
    pub(super) entity: Option<Datum>,
    /// What it is grouped by, as text; NULLs are a group.
    pub(super) group: Option<String>,
}

/// A statement and its parameters but the first, the query vector.
pub(super) struct Prepared {
    sql: String,
    types: Vec<Oid>,
    values: Vec<Option<Datum>>,
}

impl Prepared {
    /// The plan, and the query vector as its first parameter.
    fn bind(&mut self, spi: &Spi, vector: Datum) -> Rc<Plan> {
        if let Some(first) = self.values.first_mut() {
            *first = Some(vector);
        }
        spi.plan(&self.sql, &self.types)
    }
}

impl Statement<'_> {
    /// The parameter from which a filter counts.
    pub(super) fn first_of_filter(&self) -> usize {
        2 + self.partitions.len() + usize::from(self.range.inner.is_some())
    }

    /// The statement for at most so many rows.
    pub(super) fn prepare(&self, filter: Option<&Condition>, rows: i64) -> Prepared {
        let name = |column: &Column| format!("{ALIAS}.{}", ident(&column.name));
        let mut types = vec![self.column.type_oid];
        let mut values = vec![None];
        let operator = |operator: &str| format!("OPERATOR({}.{operator})", ident(&types_schema(self.column)));
        let mut conditions = Vec::new();
        let distance = match score::order(self.metric) {
            Order::Distance(symbol) => format!("({} {} $1)", name(self.column), operator(symbol)),
            Order::Match(symbol) => {
                conditions.push(format!("($1 {} {})", operator(symbol), name(self.column)));
                "0::pg_catalog.float8".to_owned()
            }
        };
        if self.column.field.nullable {
            conditions.push(format!("{} IS NOT NULL", name(self.column)));
        }
        conditions.extend(expiry::alive(self.collection, Some(ALIAS)));
        if !self.partitions.is_empty() {
            let mut list = Vec::new();
            for partition in self.partitions {
                types.push(pg_sys::TEXTOID);
                values.push(partition.as_str().into_datum());
                list.push(format!("${}", types.len()));
            }
            let column = format!("{ALIAS}.{}", ident(PARTITION));
            conditions.push(match list.as_slice() {
                [one] => format!("{column} OPERATOR(pg_catalog.=) {one}"),
                // Not a single array: a plan leaves out tables by the elements.
                many => format!("{column} OPERATOR(pg_catalog.=) ANY (ARRAY[{}])", many.join(", ")),
            });
        }
        if let Some(inner) = self.range.inner {
            types.push(pg_sys::FLOAT8OID);
            values.push(inner.into_datum());
            let (score, least) = (score::score_sql(self.metric, &distance), self.metric.larger_is_better());
            let than = if least { "<=" } else { ">=" };
            conditions.push(format!("{score} OPERATOR(pg_catalog.{than}) ${}", types.len()));
        }
        if let Some(filter) = filter {
            conditions.push(filter.sql.clone());
            types.extend(&filter.types);
            values.extend(&filter.values);
        }
        let mut sql = format!("SELECT {}, {distance}", name(self.primary));
        // Writing to a string does not fail.
        let _ = write!(sql, ", {}", self.entity.unwrap_or("NULL"));
        if let Some(group) = self.group {
            let _ = write!(sql, ", CAST({} AS pg_catalog.text)", name(group));
        }
        let table = qualified(&self.collection.schema, &self.collection.table);
        let _ = write!(sql, " FROM {table} AS {ALIAS}");
        for (place, condition) in conditions.iter().enumerate() {
            let _ = write!(sql, " {} {condition}", if place == 0 { "WHERE" } else { "AND" });
        }
        if matches!(score::order(self.metric), Order::Distance(_)) {
            let _ = write!(sql, " ORDER BY {distance}");
        }
        let _ = write!(sql, " LIMIT {rows}");
        Prepared { sql, types, values }
    }

    /// What the statement finds for one query vector, the best first, and in the order of keys where scores are equal. Scores beyond
    /// the range's outer end are left out. Entities live as long as the rows.
    pub(super) fn run<'spi>(
        &self,
        spi: &'spi Spi,
        prepared: &mut Prepared,
        vector: Datum,
    ) -> (Vec<Hit>, Rows<'spi>) {
        let plan = prepared.bind(spi, vector);
        let rows = spi.execute(&plan, &prepared.values, Effect::Reads, 0);
        let mut hits = Vec::with_capacity(rows.len());
        for row in 0..rows.len() {
            let Some(hit) = self.hit(&rows, row) else { continue };
            // Rows come in their order: behind the first that is too far, all are. A NaN is beyond any range.
            if self.range.outer.is_some_and(|outer| !score::is_better(self.metric, hit.score, outer)) {
                break;
            }
            hits.push(hit);
        }
        for equal in hits.chunk_by_mut(|a, b| a.score.total_cmp(&b.score).is_eq()) {
            equal.sort_by(|a, b| a.key.cmp(&b.key));
        }
        (hits, rows)
    }

    /// Puts the rows that the statement finds into groups, batch by batch, until that is done. Answers how many rows there were.
    pub(super) fn collect(
        &self,
        spi: &Spi,
        prepared: &mut Prepared,
        vector: Datum,
        collector: &mut Collector,
    ) -> usize {
        let plan = prepared.bind(spi, vector);
        let cursor = spi.cursor(&plan, &prepared.values);
        let mut seen = 0;
        while !collector.is_complete() {
            let rows = cursor.fetch(BATCH);
            if rows.len() == 0 {
                break;
            }
            seen += rows.len();
            for row in 0..rows.len() {
                let Some(mut hit) = self.hit(&rows, row) else { continue };
                if collector.wants(&hit.group) {
                    // SAFETY: a `jsonb` of the row; the copy lives as long as the connection.
                    hit.entity = hit.entity.map(|entity| unsafe {
                        Datum::from(pg_sys::pg_detoast_datum_copy(entity.cast_mut_ptr()))
                    });
                    collector.offer(hit);
                    if collector.is_complete() {
                        break;
                    }
                }
            }
            rows.free();
        }
        cursor.close();
        seen
    }

    fn hit(&self, rows: &Rows<'_>, row: usize) -> Option<Hit> {
        // SAFETY: the columns are those of `prepare`: an operator of a metric answers `float8`, the group was cast to `text`.
        let (distance, group) = unsafe {
            let distance = f64::from_datum(rows.value(row, 1)?, false)?;
            let group = self.group.and_then(|_| rows.value(row, 3));
            (distance, group.and_then(|group| String::from_datum(group, false)))
        };
        Some(Hit {
            key: key(self.primary, rows.value(row, 0)?)?,
            score: score::score(self.metric, distance),
            entity: rows.value(row, 2),
            group,
        })
    }
}

/// The key of a row, from its column.
pub(super) fn key(primary: &Column, value: Datum) -> Option<Key> {
    // SAFETY: a primary key of the one type is a `bigint`, of the other `text`.
    unsafe {
        match primary.field.data_type {
            DataType::Int64 => i64::from_datum(value, false).map(Key::Number),
            _ => String::from_datum(value, false).map(Key::Text),
        }
    }
}

/// The schema of a vector type's operators. Those of `bit`, a type of the server's, are with the other vector types.
fn types_schema(column: &Column) -> String {
    if score::is_binary(column.field.data_type) {
        return catalog::types_schema();
    }
    // SAFETY: catalog look-ups; the struct is read before the tuple is released, and the name is copied.
    let name = unsafe {
        let tuple = pg_sys::SearchSysCache1(SysCacheIdentifier::TYPEOID as i32, Datum::from(column.type_oid));
        if tuple.is_null() {
            return catalog::types_schema();
        }
        let form: *const pg_sys::FormData_pg_type = pg_sys::heap_tuple_get_struct(tuple);
        let namespace = (*form).typnamespace;
        pg_sys::ReleaseSysCache(tuple);
        let name = pg_sys::get_namespace_name(namespace);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    };
    name.unwrap_or_else(catalog::types_schema)
}
