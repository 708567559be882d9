//! HNSW (Malkov & Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World
//! graphs", TPAMI 2020) on the pages of a [`kite_pages::PageStore`].
//!
//! The README beside this crate has the page map, the order of locks, and the states that a crash leaves.

mod build;
mod error;
mod format;
mod index;
mod pool;
mod search;
#[cfg(test)]
mod testing;
mod visited;

pub use build::{Distances, Graph, Host, Parameters, Stopped, link};
pub use error::{Error, Result};
pub use index::{Index, Options};
pub use search::{Distance, Order, Row, Scan, ScanOptions};
