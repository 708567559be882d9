//! Collections: what schema `kite` offers to those who come from Milvus, on ordinary tables.
//!
//! | file | what |
//! |---|---|
//! | `define` | create, drop, rename |
//! | `describe` | has, list, describe |
//! | `database` | a database is a schema |
//! | `catalog` | the catalogs of schema `kite`, read |
//! | `record` | the same, written as the extension's owner |
//! | `cache` | what a backend remembers of collections |
//! | `table` | the statements that make a collection's table |
//! | `sql` | identifiers and literals in statements |
//! | `spi` | statements inside of a function, plans that are kept |
//! | `access` | whose rights a piece of work has |
//! | `filter` | filter expressions as conditions |
//! | `entity` | rows as JSON |
//! | `search` | search, hybrid search |
//! | `error` | refusals as ERRORs |
//!
//! Data functions run with the caller's rights, so that GRANT and row-level security decide. A statement made here names
//! everything with its schema; where that cannot be (a definition, the catalogs), its search path is pinned (`access::pinned`).

mod access;
mod cache;
mod catalog;
mod database;
mod define;
mod describe;
mod entity;
mod error;
mod filter;
mod record;
mod search;
mod spi;
mod sql;
mod table;

pub(crate) use cache::watch_changes;
