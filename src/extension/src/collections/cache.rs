//! What a backend remembers of collections, so that a call finds its own by three look-ups in caches. Whatever changes a table, a
//! schema or the catalogs sends an invalidation, to every backend, when its transaction commits, and to its own at once.

use super::catalog::{self, Collection};
use super::database::Database;
use kite_schema::{Code, Error, Result, fit};
use pgrx::pg_sys::{self, Datum, Oid, SysCacheIdentifier};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// Collections that are remembered; beyond that all are forgotten.
const MOST: usize = 1024;

#[derive(Default)]
struct Known {
    collections: HashMap<Oid, Rc<Collection>>,
    /// By database and alias.
    aliases: HashMap<(Oid, Box<str>), Oid>,
    /// The catalogs that these were read from: a change of one of them forgets everything.
    catalogs: Vec<Oid>,
}

thread_local! {
    // Only the thread that runs the backend has any. Nothing of the server is called while this is borrowed, so that an
    // invalidation, which comes in the middle of anything, can always borrow it.
    static KNOWN: RefCell<Known> = RefCell::default();
    /// Counts invalidations: what was read while one came in is not remembered.
    static CHANGES: Cell<u64> = const { Cell::new(0) };
}

/// Asks the server to be told of changes. Called once, when a session loads the library.
pub(crate) fn watch_changes() {
    // SAFETY: the callbacks stay as long as the library, which is never unloaded.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), Datum::null());
        pg_sys::CacheRegisterSyscacheCallback(
            SysCacheIdentifier::NAMESPACEOID as i32,
            Some(schema_changed),
            Datum::null(),
        );
    }
}

/// Called by the server, also while a transaction is aborted: touches nothing but this module's own memory.
unsafe extern "C-unwind" fn relation_changed(_: Datum, relation: Oid) {
    CHANGES.set(CHANGES.get() + 1);
    KNOWN.with(|known| {
        let Ok(mut known) = known.try_borrow_mut() else { return };
        if relation == pg_sys::InvalidOid || known.catalogs.contains(&relation) {
            *known = Known::default();
        } else if known.collections.remove(&relation).is_some() {
            // It may have gone to another schema.
            known.aliases.retain(|_, table| *table != relation);
        }
    });
}

/// As [`relation_changed`].
unsafe extern "C-unwind" fn schema_changed(_: Datum, _: i32, _: u32) {
    CHANGES.set(CHANGES.get() + 1);
    KNOWN.with(|known| {
        if let Ok(mut known) = known.try_borrow_mut() {
            *known = Known::default();
        }
    });
}

/// The collection of a table, if it is one.
pub(super) fn of_table(table: Oid) -> Option<Rc<Collection>> {
    if let Some(known) = KNOWN.with_borrow(|known| known.collections.get(&table).cloned()) {
        return Some(known);
    }
    let before = CHANGES.get();
    let catalogs = catalogs();
    let read = Rc::new(catalog::read(table)?);
    if CHANGES.get() == before {
        KNOWN.with_borrow_mut(|known| {
            if known.collections.len() >= MOST {
                *known = Known::default();
            }
            known.catalogs = catalogs;
            known.collections.insert(table, Rc::clone(&read));
        });
    }
    Some(read)
}

fn catalogs() -> Vec<Oid> {
    [c"collection", c"field", c"partition", c"alias", c"index"].map(catalog::catalog_oid).to_vec()
}

/// The collection of this name in a database, not by an alias.
pub(super) fn named(database: &Database, name: &str) -> Option<Rc<Collection>> {
    of_table(database.relation(&fit(name))?).filter(|collection| collection.name == name)
}

/// The collection that has this alias in a database.
pub(super) fn aliased(database: &Database, alias: &str) -> Option<Rc<Collection>> {
    let key = (database.oid, alias.into());
    if let Some(table) = KNOWN.with_borrow(|known| known.aliases.get(&key).copied()) {
        return of_table(table);
    }
    let before = CHANGES.get();
    let tables = catalog::aliased(alias).into_iter().filter_map(of_table);
    let found = tables.into_iter().find(|collection| collection.namespace == database.oid)?;
    if CHANGES.get() == before {
        KNOWN.with_borrow_mut(|known| known.aliases.insert(key, found.oid));
    }
    Some(found)
}

/// The collection of this name or alias: `name`, in the database that `kite.database` sets, or `database.name`.
///
/// # Errors
/// Where there is none.
pub(super) fn find(name: &str) -> Result<Rc<Collection>> {
    let (database, name) = Database::split(name, None)?;
    named(&database, name).or_else(|| aliased(&database, name)).ok_or_else(|| not_found(&database, name))
}

/// What is said where there is no such collection.
pub(super) fn not_found(database: &Database, name: &str) -> Error {
    Error::new(
        Code::CollectionNotFound,
        format!("can't find collection[database={}][collection={name}]", database.name),
    )
}
