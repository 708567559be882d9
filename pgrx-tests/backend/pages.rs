//! The page store over shared buffers and generic WAL is put through what every page store must do.

use crate::am::store::PgStore;
use kite_pages::{PageStore, conformance};
use pgrx::{
    Spi, pg_schema,
    pg_sys::{self, Oid},
    pg_test,
};

/// A store on a fresh relation of this persistence, which any table is as good for as an index.
fn store(persistence: &str, number: usize) -> (PgStore, pg_sys::Relation) {
    let name = format!("pages_{persistence}_{number}");
    Spi::run(&format!("CREATE {persistence} TABLE {name} ()")).unwrap();
    let oid =
        Spi::get_one::<Oid>(&format!("SELECT '{name}'::regclass::oid")).unwrap().expect("the table is there");
    // SAFETY: the relation exists, and stays open until `close`.
    unsafe {
        let relation = pg_sys::relation_open(oid, pg_sys::AccessExclusiveLock as i32);
        (PgStore::new(relation), relation)
    }
}

fn conforms(persistence: &str) {
    for (number, case) in conformance::cases::<PgStore>().into_iter().enumerate() {
        let (store, relation) = store(persistence, number);
        eprintln!("conformance: {}", case.name);
        (case.run)(&store);
        store.check_interrupts().unwrap();
        drop(store);
        // SAFETY: opened above.
        unsafe { pg_sys::relation_close(relation, pg_sys::NoLock as i32) };
    }
}

#[pg_schema]
mod tests {
    use super::*;

    #[pg_test]
    fn pages_of_a_logged_relation_conform() {
        conforms("");
    }

    #[pg_test]
    fn pages_of_an_unlogged_relation_conform() {
        conforms("UNLOGGED");
    }

    #[pg_test]
    fn pages_of_a_temporary_relation_conform() {
        conforms("TEMP");
    }
}
