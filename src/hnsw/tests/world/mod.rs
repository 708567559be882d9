//! A table with an index on it, as far as tests need one: rows that come and go, and what a query must answer.

#![allow(dead_code, unreachable_pub)] // Each test uses a part.

use kite_codecs::{Metric, PayloadKind, Spec, Value, VectorType};
use kite_hnsw::{Builder, Distance, Host, Index, Options, Order, Resources, ScanOptions, Stopped, TempFiles};
use kite_pages::{ItemPointer, PageStore};
use std::collections::{BTreeMap, HashSet};

pub const DIMS: usize = 16;

/// What an index keeps of vectors, and how wide they are.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub payload: PayloadKind,
    pub code_bits: u8,
    pub dims: usize,
    /// How many of the dimensions say something of their own. Each is there more than once if those are fewer.
    pub own: usize,
}

/// Without codes, with codes too short to be gone by, and with codes by which a repair chooses what it reads: of vectors with
/// the same neighbours as those, and of clusters that, noise in so many dimensions, lie farther from each other than their links lead.
pub const KINDS: [Kind; 5] = [
    Kind { payload: PayloadKind::Sq8, code_bits: 0, dims: DIMS, own: DIMS },
    Kind { payload: PayloadKind::Sq8, code_bits: 1, dims: DIMS, own: DIMS },
    Kind { payload: PayloadKind::Full, code_bits: 2, dims: DIMS, own: DIMS },
    Kind { payload: PayloadKind::Sq8, code_bits: 1, dims: 10 * DIMS, own: DIMS },
    Kind { payload: PayloadKind::Sq8, code_bits: 2, dims: 5 * DIMS, own: 5 * DIMS },
];

impl Kind {
    /// A small index: many levels, short lists that fill up soon.
    pub fn options(self) -> Options {
        let Self { payload, code_bits, dims, .. } = self;
        let spec = Spec { vector_type: VectorType::Vector, metric: Metric::L2, payload, code_bits, dims };
        Options { spec, m: 6, ef_construction: 32, seed: 11 }
    }

    /// A vector near one of some centres; one in four is equal to others.
    pub fn vector(self, rng: &mut fastrand::Rng) -> Vec<f32> {
        if rng.u8(..4) == 0 {
            return vec![f32::from(rng.u8(..3)); self.dims];
        }
        let centre = f32::from(rng.u8(..6));
        let own = (0..self.own).map(|n| rng.f32() + if n % 6 == centre as usize { 3.0 } else { 0.0 });
        own.flat_map(|element| std::iter::repeat_n(element, self.dims / self.own)).collect()
    }
}

pub fn tid(n: u32) -> ItemPointer {
    ItemPointer::new(n / 50, (n % 50) as u16 + 1)
}

pub fn number(tid: ItemPointer) -> u32 {
    tid.block() * 50 + u32::from(tid.no()) - 1
}

pub fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
}

/// Everything that a query comes by.
pub fn everything() -> ScanOptions {
    ScanOptions {
        ef: 40,
        order: Order::Relaxed,
        max_visits: usize::MAX,
        memory: usize::MAX,
        ..ScanOptions::default()
    }
}

/// The rows that a query returns, with what it says of their distance.
pub fn rows<S: PageStore>(index: &mut Index<'_, S>, query: &[f32], options: ScanOptions) -> Vec<(u32, f64)> {
    let mut scan = index.scan(Some(Value::F32(query)), options).unwrap();
    let mut rows = Vec::new();
    while let Some(row) = scan.next_row().unwrap() {
        let bound = match row.distance {
            Distance::Exact(bound) | Distance::AtLeast(bound) => bound,
            Distance::Unordered => panic!("the query has an order"),
        };
        rows.push((number(row.tid), bound));
    }
    rows
}

/// Holds what a query returned against the rows it may return and those it must.
///
/// # Panics
/// A row that never was, one that comes twice, or one nearer than the index says.
pub fn judge(
    found: &[(u32, f64)],
    query: &[f32],
    vector_of: impl Fn(u32) -> Option<Vec<f32>>,
    must: &[u32],
) -> Recall {
    for &(row, bound) in found {
        let vector = vector_of(row).unwrap_or_else(|| panic!("row {row} is not in the table"));
        let exact = distance(query, &vector);
        assert!(bound <= exact * (1.0 + 1e-5) + 1e-6, "row {row} is at {exact}, not beyond {bound}");
    }
    let mut once = HashSet::new();
    for &(row, _) in found {
        assert!(once.insert(row), "row {row} comes twice");
    }
    Recall { found: must.iter().filter(|row| once.contains(row)).count(), wanted: must.len() }
}

/// How many of the rows that were wanted were found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Recall {
    pub found: usize,
    pub wanted: usize,
}

impl Recall {
    pub fn add(&mut self, other: Self) {
        self.found += other.found;
        self.wanted += other.wanted;
    }

    pub fn share(self) -> f64 {
        self.found as f64 / self.wanted.max(1) as f64
    }
}

/// A number from the environment, for runs longer than a test may take.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

struct Alone;

impl Host for Alone {
    fn go_on(&self) -> Result<(), Stopped> {
        Ok(())
    }
}

/// Rows enough that an index built of them has codes.
pub const BUILT: u32 = 1500;

/// Builds an index of [`BUILT`] rows in an empty store, and answers them.
pub fn build(store: &impl PageStore, kind: Kind, rng: &mut fastrand::Rng) -> BTreeMap<u32, Vec<f32>> {
    let resources = Resources { threads: 1, memory: 64 << 20 };
    let mut builder = Builder::new(&kind.options(), resources, TempFiles::default()).unwrap();
    let rows: BTreeMap<u32, Vec<f32>> = (0..BUILT).map(|row| (row, kind.vector(rng))).collect();
    for (&row, vector) in &rows {
        assert!(builder.push(tid(row), Value::F32(vector)).unwrap());
    }
    builder.finish(store, &Alone).unwrap();
    let frame = Index::open(store).unwrap().info().unwrap().frame;
    assert_eq!(frame > 0, kind.code_bits > 0);
    rows
}
