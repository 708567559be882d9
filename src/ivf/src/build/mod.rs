//! Building an index from all of its rows at once.
//!
//! [`Builder`] takes the rows one by one. Then come the centroids, by k-means on a sample; the assignment of all rows to them, and their
//! codes; and the pages, list by list. What does not fit memory goes by way of temporary files, which are divided by lists.

mod assign;
mod builder;
mod finder;
mod kmeans;
mod learn;
mod pages;
mod partitions;
mod records;
mod sample;
mod table;
mod write;

pub use builder::{Builder, Built};
pub use learn::auto_lists;

#[cfg(test)]
mod tests;
