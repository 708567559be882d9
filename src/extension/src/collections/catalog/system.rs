//! Look-ups in the server's own catalogs.

use super::scan::catalog_oid;
use crate::collections::database;
use crate::collections::error::internal;
use pgrx::{
    FromDatum,
    pg_sys::{self, Datum, Oid, SysCacheIdentifier},
};
use std::ffi::{CStr, CString};

/// The owner of the catalogs, who may write them.
pub(in crate::collections) fn owner() -> Oid {
    class(catalog_oid(c"collection"), |form| form.relowner)
        .unwrap_or_else(|| internal("no owner of the catalogs".into()))
}

/// Reads something from a relation's row in `pg_class`.
pub(in crate::collections) fn class<R>(
    relation: Oid,
    read: impl FnOnce(&pg_sys::FormData_pg_class) -> R,
) -> Option<R> {
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

/// Number, type and type modifier of a column that is there.
pub(super) fn attribute(table: Oid, name: &str) -> Option<(i16, Oid, i32)> {
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

/// The relation of this name in a schema.
pub(in crate::collections) fn relation(namespace: Oid, name: &str) -> Option<Oid> {
    let name = CString::new(name).ok()?;
    // SAFETY: a catalog look-up.
    let oid = unsafe { pg_sys::get_relname_relid(name.as_ptr(), namespace) };
    (oid != pg_sys::InvalidOid).then_some(oid)
}

/// The schema of the types `vector`, `halfvec` and `sparsevec`: that of the extension that owns them.
pub(in crate::collections) fn types_schema() -> String {
    let mut namespace = None;
    // SAFETY: as in `scan_by`; the extension's row is read as a struct, whose fixed part has all that is looked at.
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
pub(in crate::collections) fn type_oid(schema: &str, name: &CStr) -> Oid {
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
pub(in crate::collections) fn has_default(table: Oid, number: i16) -> bool {
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
pub(in crate::collections) fn column_number(table: Oid, name: &str) -> i16 {
    let Ok(name) = CString::new(name) else { return 0 };
    // SAFETY: a catalog look-up.
    unsafe { pg_sys::get_attnum(table, name.as_ptr()) }
}

/// The options of a relation as they were written, `name=value` each.
pub(super) fn options(relation: Oid) -> Vec<String> {
    // SAFETY: a plain catalog look-up; the array of texts is copied before the tuple is released.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(SysCacheIdentifier::RELOID as i32, Datum::from(relation));
        if tuple.is_null() {
            return Vec::new();
        }
        let mut is_null = false;
        let (cache, column) = (SysCacheIdentifier::RELOID as i32, pg_sys::Anum_pg_class_reloptions as i16);
        let value = pg_sys::SysCacheGetAttr(cache, tuple, column, &raw mut is_null);
        let options = Vec::<String>::from_datum(value, is_null).unwrap_or_default();
        pg_sys::ReleaseSysCache(tuple);
        options
    }
}

/// The name of an operator class.
pub(super) fn operator_class(class: Oid) -> Option<String> {
    // SAFETY: a plain catalog look-up; the name is copied before the tuple is released.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(SysCacheIdentifier::CLAOID as i32, Datum::from(class));
        if tuple.is_null() {
            return None;
        }
        let form: *const pg_sys::FormData_pg_opclass = pg_sys::heap_tuple_get_struct(tuple);
        let name = pgrx::name_data_to_str(&(*form).opcname).to_owned();
        pg_sys::ReleaseSysCache(tuple);
        Some(name)
    }
}

/// The name of an access method.
pub(super) fn access_method(method: Oid) -> Option<String> {
    // SAFETY: a catalog look-up; the name is NULL or a string that stays valid.
    unsafe { owned(pg_sys::get_am_name(method)) }
}

/// The name of a column.
pub(super) fn column_name(table: Oid, number: i16) -> Option<String> {
    // SAFETY: as for `access_method`.
    unsafe { owned(pg_sys::get_attname(table, number, true)) }
}

/// # Safety
/// `name` is NULL or a string that ends with NUL.
unsafe fn owned(name: *const std::ffi::c_char) -> Option<String> {
    // SAFETY: the caller's promise.
    (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
}
