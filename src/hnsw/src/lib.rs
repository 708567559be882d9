//! HNSW (Malkov & Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World
//! graphs", TPAMI 2020) on the pages of a [`kite_pages::PageStore`].
//!
//! The README beside this crate has the page map, the order of locks, and the states that a crash leaves.

mod build;
mod check;
mod error;
mod format;
mod index;
mod info;
mod insert;
mod lists;
mod payloads;
mod pool;
mod reachable;
mod recode;
mod search;
#[cfg(test)]
mod testing;
mod vacuum;
mod visited;

use kite_pages::grow;

pub use build::{
    Builder, Built, Choice, Distances, Graph, Host, Parameters, Phase, Resources, Scratch, ScratchFile,
    Stopped, TempFiles, link,
};
pub use check::{Problem, Report};
pub use error::{Error, Result};
pub use index::{Index, Kept, Options};
pub use info::{Info, Level};
pub use search::{Distance, Limit, Order, Row, Scan, ScanOptions};
pub use vacuum::{VacuumOptions, VacuumStats};
