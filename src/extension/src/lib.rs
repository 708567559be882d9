//! pgkite: vector search as a first-class part of PostgreSQL. This crate is the only one that knows Postgres: it turns
//! datums into slices, calls the pure crates, and turns their errors into `ERROR`s.
//!
//! The SQL side is written in `sql/` and composed by `kite-script`. Every function there names a C symbol that
//! `export!` (in `call`) makes here.

#![allow(unsafe_code, reason = "the boundary to Postgres; each block proves its own safety")]

use pgrx::prelude::*;

#[macro_use]
mod call;
mod am;
mod collections;
mod datum;
mod guc;
mod neighbours;
mod operators;
mod plain;
mod planner;
mod rows;
mod types;

pgrx::pg_module_magic!();

include!(concat!(env!("OUT_DIR"), "/install.rs"));

/// Called once when a session loads the library.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    neighbours::refuse_foreign_settings();
    guc::define();
    am::define_options();
    am::hook::install();
    collections::watch_changes();
    // Resolve the CPU's kernels now rather than in the first row of the first query.
    kite_kernels::kernels();
}

export! {
    "kite_version" => |_| Ok(call::Text(env!("CARGO_PKG_VERSION"))),
    "kite_kernels" => |_| Ok(call::Text(kite_kernels::kernels().name)),
}

#[cfg(any(test, feature = "pg_test"))]
#[path = "../../../pgrx-tests/backend/mod.rs"]
mod backend;

/// What `cargo pgrx test` asks of the crate.
#[cfg(test)]
pub mod pg_test {
    /// Called once before the first test.
    pub fn setup(_options: Vec<&str>) {}

    /// Lines for the test server's `postgresql.conf`.
    pub fn postgresql_conf_options() -> Vec<&'static str> {
        vec!["max_parallel_workers_per_gather = 2"]
    }
}
