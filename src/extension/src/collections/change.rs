//! What the verbs that change a collection have in common: whose it must be, who waits for whom, and how questions are asked.

use super::access::{as_owner, check_owner, pinned};
use super::catalog::Collection;
use super::spi::{self, Effect};
use super::sql::qualified;
use super::{cache, catalog};
use kite_schema::Result;
use pgrx::pg_sys::{self, Datum, Oid};
use pgrx::{FromDatum, IntoDatum};
use std::rc::Rc;

/// A parameter of a statement.
pub(super) type Parameter = (Oid, Option<Datum>);

/// A text as a parameter.
pub(super) fn text(value: &str) -> Parameter {
    (pg_sys::TEXTOID, value.into_datum())
}

/// A table as a parameter.
pub(super) fn table(oid: Oid) -> Parameter {
    (pg_sys::REGCLASSOID, oid.into_datum())
}

/// The collection of this name or alias, which the caller owns, and which nobody else changes until the transaction ends: a lock
/// that only others of its kind, VACUUM and definitions wait for.
///
/// # Errors
/// Where there is none.
pub(super) fn owned(name: &str) -> Result<Rc<Collection>> {
    let collection = cache::find(name)?;
    check_owner(collection.oid);
    run(&[format!("LOCK TABLE ONLY {} IN SHARE UPDATE EXCLUSIVE MODE", whole(&collection))]);
    // Whoever had the lock may have renamed it.
    cache::find(name)
}

/// The table of a collection, as statements name it.
pub(super) fn whole(collection: &Collection) -> String {
    qualified(&collection.schema, &collection.table)
}

/// Runs definitions with the caller's rights.
pub(super) fn run(statements: &[String]) {
    pinned(|| spi::connect(|spi| statements.iter().for_each(|statement| spi.run(statement))));
}

/// Runs a statement on rows. Its search path is the caller's, as triggers and policies look names up on it.
pub(super) fn run_on_rows(statement: &str) {
    spi::connect(|spi| spi.run(statement));
}

/// Deletes the rows of a collection under a condition that names everything with its schema, and answers how many there were.
pub(super) fn delete(collection: &Collection, condition: &str) -> u64 {
    let sql = format!("DELETE FROM {} WHERE {condition}", whole(collection));
    spi::connect(|spi| spi.execute(&spi.plan(&sql, &[]), &[], Effect::Writes, 0).processed())
}

/// Counts the rows of a collection that the caller may see, under a condition that names everything with its schema.
pub(super) fn count(collection: &Collection, condition: &str, parameters: &[Parameter]) -> i64 {
    let sql = format!("SELECT pg_catalog.count(*)::pg_catalog.text FROM {}{condition}", whole(collection));
    let rows = query(&sql, parameters);
    let first = rows.into_iter().next().and_then(|row| row.into_iter().next()?);
    first.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// Writes the catalogs. Who may do so is decided before.
pub(super) fn record(sql: &str, parameters: &[Parameter]) {
    as_owner(|| spi::connect(|spi| _ = spi.write(sql, parameters)));
}

/// Rows of a question asked with the caller's rights; every column is a text.
pub(super) fn ask(sql: &str, parameters: &[Parameter]) -> Vec<Vec<Option<String>>> {
    pinned(|| query(sql, parameters))
}

fn query(sql: &str, parameters: &[Parameter]) -> Vec<Vec<Option<String>>> {
    spi::connect(|spi| {
        let types: Vec<Oid> = parameters.iter().map(|(kind, _)| *kind).collect();
        let values: Vec<Option<Datum>> = parameters.iter().map(|(_, value)| *value).collect();
        let rows = spi.execute(&spi.plan(sql, &types), &values, Effect::Reads, 0);
        let value = |row, column| {
            // SAFETY: the statements given here make texts only.
            rows.value(row, column).and_then(|value| unsafe { String::from_datum(value, false) })
        };
        (0..rows.len()).map(|row| (0..rows.columns()).map(|column| value(row, column)).collect()).collect()
    })
}

/// The first column of the first row of a question.
pub(super) fn ask_one(sql: &str, parameters: &[Parameter]) -> Option<String> {
    ask(sql, parameters).into_iter().next()?.into_iter().next()?
}

/// A name for a relation that none in the schema has, made of these parts.
pub(super) fn free_name(collection: &Collection, parts: &[&str]) -> String {
    let base = parts.join("_");
    let taken = |name: &str| catalog::relation(collection.namespace, name).is_some();
    let numbered = (1..).map(|number: u64| kite_schema::fit(&format!("{base}{number}")));
    let mut names = std::iter::once(kite_schema::fit(&base)).chain(numbered);
    names.find(|name| !taken(name)).unwrap_or(base)
}
