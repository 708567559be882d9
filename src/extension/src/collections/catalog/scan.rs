//! Catalogs read row by row, by a scan of an index, as the server reads its own.

use crate::collections::error::internal;
use pgrx::{
    FromDatum,
    pg_sys::{self, Datum, Oid, Relation},
};
use std::ffi::CStr;

/// The most columns that a catalog has: `pg_index`.
const COLUMNS: usize = 24;

/// The OID of a catalog, or of one of its indexes.
pub(in crate::collections) fn catalog_oid(name: &CStr) -> Oid {
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

/// The key that a catalog is searched by, its first column.
pub(super) enum Key<'a> {
    /// A table.
    Table(Oid),
    /// A text.
    Text(&'a str),
    /// No key: every row.
    All,
}

/// A row of a catalog; `None` is NULL.
pub(super) type Row = [Option<Datum>; COLUMNS];

/// Calls `each` with the columns of every row under a key of a catalog of schema `kite`, by a scan of the primary key's index.
pub(super) fn scan(catalog: &CStr, index: &CStr, key: &Key<'_>, each: impl FnMut(&Row)) {
    scan_by(catalog_oid(catalog), catalog_oid(index), (1, key), each);
}

/// The same of the indexes of a table in `pg_index`.
pub(super) fn scan_indexes(table: Oid, each: impl FnMut(&Row)) {
    let column = pg_sys::Anum_pg_index_indrelid as i16;
    scan_by(pg_sys::IndexRelationId, pg_sys::IndexIndrelidIndexId.into(), (column, &Key::Table(table)), each);
}

fn scan_by(catalog: Oid, index: Oid, (column, key): (i16, &Key<'_>), mut each: impl FnMut(&Row)) {
    // SAFETY: the relation and the scan are open while they are used; values are lent until the next row. An ERROR closes both.
    // The keys' functions are those of the columns' types, `regclass` being compared as `oid`, and text by the collation C, which
    // `ScanKeyInit` assumes and the catalogs declare.
    unsafe {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let relation: Relation = pg_sys::table_open(catalog, lock);
        let mut entry = pg_sys::ScanKeyData::default();
        let mut init = |function: u32, value: Datum| {
            pg_sys::ScanKeyInit(
                &raw mut entry,
                column,
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
        let scan =
            pg_sys::systable_beginscan(relation, index, true, std::ptr::null_mut(), keys, &raw mut entry);
        let columns = usize::try_from((*(*relation).rd_att).natts).unwrap_or(0);
        if columns > COLUMNS {
            internal(format!("catalog {} has {columns} columns", catalog.to_u32()));
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
pub(super) fn get<T: FromDatum>(row: &Row, column: usize) -> Option<T> {
    let value = row.get(column).copied().flatten()?;
    // SAFETY: callers name the Rust type of the column, as `sql/collections/catalogs.sql` or the server declares it.
    unsafe { T::from_datum(value, false) }
}

/// A column of type `name`.
pub(super) fn get_name(row: &Row, column: usize) -> String {
    let value = row.get(column).copied().flatten();
    // SAFETY: callers name a column of that type, which is a string that ends with NUL.
    value.map_or_else(String::new, |value| unsafe {
        CStr::from_ptr(value.cast_mut_ptr()).to_string_lossy().into_owned()
    })
}
