//! What a query is told, and what it answers.

use kite_pages::ItemPointer;

/// What may come after the rows of the first `probes` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Nothing. Rows come in order; one that its code made out to be farther than it is, by more than
    /// [`epsilon`](ScanOptions::epsilon) allows for, may be found too late, and is passed over.
    Off,
    /// Rows of further lists, each no nearer than the one before; those found too late are passed over. Rows that a
    /// [`limit`](ScanOptions::limit) asks for wait for each other, and others for lists enough: see there.
    Strict,
    /// Rows of further lists, those of each `probes` lists in order but for those found late. Every row comes in the end.
    Relaxed,
}

/// How far a query goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScanOptions {
    /// `ivfflat.probes`: how many lists are read at first, and at a time.
    pub probes: usize,
    /// `ivfflat.max_probes`: how many may be read in all.
    pub max_probes: usize,
    /// `ivfflat.iterative_scan`.
    pub order: Order,
    /// How sure it has to be that a row is not nearer than its code says, before its payload is not looked at: in deviations of the
    /// codes' error, of which the papers take 1.9. Infinite looks at all.
    pub epsilon: f32,
    /// How many rows the first lists are to have together, where a scan may go on: if those of `probes` lists are fewer, further ones are
    /// read with them.
    pub rows: usize,
    /// How many rows will be asked for, if that is known, else 0. In strict order, where the first lists might not have
    /// as many that the filter lets pass, none is handed out before so many are found (or there are no others, or `memory` is full of
    /// them), so that none comes too late. Of what is asked for beyond, a row goes out when some hundred times as many were
    /// looked at as went out before.
    pub limit: usize,
    /// Bytes that may be taken for rows that were found. With less, lists are read several times.
    pub memory: usize,
    /// Rows beyond this distance are not wanted, so that the scan ends when it finds no others. In the operator's unit.
    pub within: f64,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            probes: 1,
            max_probes: usize::MAX,
            order: Order::Off,
            epsilon: 1.9,
            rows: 0,
            limit: 0,
            memory: 4 << 20,
            within: f64::INFINITY,
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
    /// What codes say, where there are no payloads. It may be more or less.
    Estimate(f64),
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
    /// [`ScanOptions::max_probes`].
    Probes,
}
