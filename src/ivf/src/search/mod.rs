//! Searching the index.

mod candidates;
mod options;
mod scan;

pub use options::{Distance, Limit, Order, Row, ScanOptions};
pub use scan::Scan;

#[cfg(test)]
mod tests;
