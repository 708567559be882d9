//! A database of Milvus is a schema; `default` is the schema `public`.

use crate::guc;
use kite_schema::{Code, Error, Result, fit};
use pgrx::pg_sys::{self, Oid};
use std::ffi::{CStr, CString};

/// A schema that is a database.
#[derive(Debug, Clone)]
pub(super) struct Database {
    /// Its OID.
    pub(super) oid: Oid,
    /// Its name as a database.
    pub(super) name: String,
    /// Its name as a schema.
    pub(super) schema: String,
}

impl Database {
    /// The database of this name, or the one that `kite.database` sets.
    pub(super) fn find(name: Option<&str>) -> Result<Self> {
        let name = name.filter(|name| !name.is_empty()).map_or_else(guc::database, str::to_owned);
        let schema = if name == "default" { "public".to_owned() } else { fit(&name) };
        let oid = if is_system(&schema) { pg_sys::InvalidOid } else { namespace(&schema) };
        if oid == pg_sys::InvalidOid {
            return Err(Error::new(Code::DatabaseNotFound, format!("database not found[database={name}]")));
        }
        Ok(Self { oid, name, schema })
    }

    /// Splits `database.collection`, or takes the given database for a name without one.
    pub(super) fn split<'a>(name: &'a str, database: Option<&str>) -> Result<(Self, &'a str)> {
        match name.split_once('.') {
            Some((database, name)) => Ok((Self::find(Some(database))?, name)),
            None => Ok((Self::find(database)?, name)),
        }
    }

    /// The relation of this name in it.
    pub(super) fn relation(&self, name: &str) -> Option<Oid> {
        let name = CString::new(name).ok()?;
        // SAFETY: a catalog look-up.
        let oid = unsafe { pg_sys::get_relname_relid(name.as_ptr(), self.oid) };
        (oid != pg_sys::InvalidOid).then_some(oid)
    }
}

/// Schemas of the server and of this extension hold no collections.
pub(super) fn is_system(schema: &str) -> bool {
    schema.starts_with("pg_") || schema == "information_schema" || schema == "kite"
}

fn namespace(schema: &str) -> Oid {
    match CString::new(schema) {
        // SAFETY: a catalog look-up.
        Ok(schema) => unsafe { pg_sys::get_namespace_oid(schema.as_ptr(), true) },
        Err(_) => pg_sys::InvalidOid,
    }
}

/// The name of a schema as a schema, and as a database.
pub(super) fn names(namespace: Oid) -> Option<(String, String)> {
    // SAFETY: a catalog look-up; the name is NULL or a string that stays valid.
    let schema = unsafe {
        let name = pg_sys::get_namespace_name(namespace);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    }?;
    let database = if schema == "public" { "default".to_owned() } else { schema.clone() };
    Some((schema, database))
}
