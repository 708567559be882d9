//! Throw-away PostgreSQL servers for tests, benches and the demo.
//!
//! [`PrivateTree`] is a copy of the machine's PostgreSQL installation under `target/`, so that the extension is installed
//! into, and servers run from, folders that nobody else uses. [`Cluster`] is one server on such a tree: a fresh data
//! folder, a free port, and an end when it is dropped.
//!
//! ```no_run
//! use kite_cluster::{Cluster, PrivateTree};
//!
//! let tree = PrivateTree::open(15, PrivateTree::OWN)?;
//! let cluster = Cluster::builder(&tree).setting("work_mem", "64MB").start()?;
//! let answer: i32 = cluster.connect()?.query_one("SELECT 6 * 7", &[])?.get(0);
//! assert_eq!(answer, 42);
//! # anyhow::Ok(())
//! ```
//!
//! PostgreSQL refuses to run as root. Where the caller is root, servers run as the system user `postgres`; everywhere else
//! they run as the caller. Several processes may use the same trees and start clusters at the same time.

mod cluster;
mod extensions;
mod folders;
mod place;
mod process;
mod replica;
mod template;
mod tools;
mod tree;
mod user;

pub use cluster::{Builder, Cluster, Shutdown};
pub use place::workspace_root;
pub use process::run;
pub use tree::{DEFAULT_MAJOR, PrivateTree};
pub use user::ServerUser;
