//! Collections: what schema `kite` offers to those who come from Milvus, on ordinary tables.
//!
//! | file | what |
//! |---|---|
//! | `define` | create, drop, rename |
//! | `describe` | has, list, describe |
//! | `index` | indexes, by Milvus's names |
//! | `state` | load, release, flush, compact |
//! | `partition`, `alias` | partitions and aliases |
//! | `alter` | properties, a new field, truncate, statistics |
//! | `adopt` | a table that is there becomes a collection |
//! | `database`, `databases` | a database is a schema; its verbs |
//! | `change` | what those verbs have in common |
//! | `write` | insert, upsert, delete |
//! | `batch`, `value` | rows in JSON as datums |
//! | `expiry` | rows that outlive their collection's TTL |
//! | `rowset` | datums as rows that a statement reads |
//! | `query` | get, query |
//! | `output`, `show` | rows as JSON objects |
//! | `catalog` | the catalogs of schema `kite`, read |
//! | `record` | the same, written as the extension's owner |
//! | `cache` | what a backend remembers of collections |
//! | `table` | the statements that make a collection's table |
//! | `sql` | identifiers and literals in statements |
//! | `spi` | statements inside of a function, plans that are kept |
//! | `access` | whose rights a piece of work has |
//! | `filter` | filter expressions as conditions |
//! | `search` | search, hybrid search |
//! | `error` | refusals as ERRORs |
//!
//! Data functions run with the caller's rights, so that GRANT and row-level security decide. A statement made here names
//! everything with its schema; where that cannot be (a definition, the catalogs), its search path is pinned (`access::pinned`).

mod access;
mod adopt;
mod alias;
mod alter;
mod batch;
mod cache;
mod catalog;
mod change;
mod database;
mod databases;
mod define;
mod describe;
mod error;
mod expiry;
mod filter;
mod index;
mod output;
mod partition;
mod query;
mod record;
mod rowset;
mod search;
mod show;
mod spi;
mod sql;
mod state;
mod table;
mod value;
mod write;

pub(crate) use cache::watch_changes;
