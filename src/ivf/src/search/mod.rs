//! Searching the index.

mod candidates;
mod scan;

pub use scan::{Distance, Limit, Order, Row, Scan, ScanOptions};

#[cfg(test)]
mod tests;
