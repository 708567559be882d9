//! Searching the index.

mod candidates;
mod options;
mod ready;
mod scan;
mod waiting;

pub use options::{Distance, Limit, Order, Row, ScanOptions};
pub use scan::Scan;

#[cfg(test)]
mod tests;
