//! Collections: what schema `kite` offers to those who come from Milvus, on ordinary tables.
//!
//! | file | what |
//! |---|---|
//! | `define` | create, drop, rename |
//! | `describe` | has, list, describe |
//! | `write` | insert, upsert, delete |
//! | `batch`, `value` | rows in JSON as datums |
//! | `rowset` | datums as rows that a statement reads |
//! | `query` | get, query |
//! | `output`, `show` | rows as JSON objects |
//! | `database` | a database is a schema |
//! | `catalog` | the catalogs of schema `kite`, read |
//! | `record` | the same, written as the extension's owner |
//! | `cache` | what a backend remembers of collections |
//! | `table` | the statements that make a collection's table |
//! | `sql` | identifiers and literals in statements |
//! | `spi` | statements inside of a function, plans that are kept |
//! | `access` | whose rights a piece of work has |
//! | `filter` | filter expressions as conditions |
//! | `error` | refusals as ERRORs |
//!
//! Data functions run with the caller's rights, so that GRANT and row-level security decide. A statement made here names
//! everything with its schema; where that cannot be (a definition, the catalogs), its search path is pinned (`access::pinned`).

mod access;
mod batch;
mod cache;
mod catalog;
mod database;
mod define;
mod describe;
mod error;
mod filter;
mod output;
mod query;
mod record;
mod rowset;
mod show;
mod spi;
mod sql;
mod table;
mod value;
mod write;

pub(crate) use cache::watch_changes;
