//! HNSW (Malkov & Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World
//! graphs", TPAMI 2020): the graph in memory, while it is built.

mod build;
mod pool;
mod visited;

pub use build::{Distances, Graph, Host, Parameters, Stopped, link};
