//! How far a query goes, and what it gives.

use kite_pages::ItemPointer;

/// What may come after the first `ef` rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Nothing.
    Off,
    /// Further rows, each no nearer than the one before; those found too late are passed over.
    Strict,
    /// Further rows, each batch of `ef` in order.
    Relaxed,
}

/// How far a query goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScanOptions {
    /// `hnsw.ef_search`: how many of the nearest are kept while searching.
    pub ef: usize,
    /// `hnsw.iterative_scan`.
    pub order: Order,
    /// How many vertices are expanded together.
    pub width: usize,
    /// `hnsw.max_scan_tuples`: how many vertices may be read before a scan that goes on ends.
    pub max_visits: usize,
    /// How many bytes may be taken before a scan that goes on ends.
    pub memory: usize,
    /// Rows beyond this distance are not wanted, so that the scan ends when it finds no others. In the operator's unit.
    pub within: f64,
    /// How many rows will be wanted, about; 0 where nothing is known.
    pub wanted: usize,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            ef: 40,
            order: Order::Strict,
            width: 4,
            max_visits: 20_000,
            memory: 4 << 20,
            within: f64::INFINITY,
            wanted: 0,
        }
    }
}

/// What is known of a row's distance, in the operator's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distance {
    /// What the operator computes in this process.
    Exact(f64),
    /// The operator computes no less: rows come in the order of these, and a recheck gives the exact one.
    AtLeast(f64),
    /// The query orders nothing.
    Unordered,
}

/// A row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Where it is in the heap.
    pub tid: ItemPointer,
    /// How far it is.
    pub distance: Distance,
}

/// A limit of [`ScanOptions`] that ends a query which could go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`ScanOptions::max_visits`].
    Visits,
    /// [`ScanOptions::memory`].
    Memory,
}
