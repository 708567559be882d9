//! Builds, looked at on the pages that they wrote.

mod beyond;
mod kinds;
mod linking;
mod odd;
mod pages;
mod walk;

use super::{Builder, Built, Host, Resources, Stopped, TempFiles};
use crate::testing::{number as row, tid};
use crate::{Options, Order, ScanOptions};
use kite_codecs::{Metric, OwnedValue, PayloadKind, Spec, Value, VectorType};
use kite_pages::MemStore;
use std::cell::Cell;
use walk::Walk;

/// Lets everything go on, or ends it after so many looks.
struct Looks(Cell<usize>);

impl Host for Looks {
    fn go_on(&self) -> Result<(), Stopped> {
        let left = self.0.get().checked_sub(1).ok_or(Stopped::Interrupted)?;
        self.0.set(left);
        Ok(())
    }
}

fn endless() -> Looks {
    Looks(Cell::new(usize::MAX))
}

/// Points near a few centres.
fn clustered(rows: usize, dims: usize, seed: u64) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    let centres: Vec<f32> = (0..20 * dims).map(|_| random.f32()).collect();
    (0..rows)
        .flat_map(|_| {
            let centre = &centres[random.usize(..20) * dims..][..dims];
            centre.iter().map(|x| x + 0.3 * random.f32()).collect::<Vec<f32>>()
        })
        .collect()
}

fn spec(dims: usize) -> Spec {
    Spec {
        vector_type: VectorType::Vector,
        metric: Metric::L2,
        payload: PayloadKind::Sq8,
        code_bits: 1,
        dims,
    }
}

fn options(spec: Spec) -> Options {
    Options { spec, m: 8, ef_construction: 40, seed: 5 }
}

const ROOMY: Resources = Resources { threads: 1, memory: usize::MAX };
/// Enough for the small builds, and not so much that pages under way are most of what is held.
const ENOUGH: usize = 1 << 20;

/// Builds an index of values, whose rows are numbered as they come.
fn build<'a>(
    options: &Options,
    resources: Resources,
    values: impl IntoIterator<Item = Value<'a>>,
) -> (MemStore, Built) {
    let store = MemStore::new();
    let built = pushed(options, resources, values).finish(&store, &endless()).unwrap();
    (store, built)
}

fn pushed<'a>(
    options: &Options,
    resources: Resources,
    values: impl IntoIterator<Item = Value<'a>>,
) -> Builder<TempFiles> {
    let mut builder = Builder::new(options, resources, TempFiles::default()).unwrap();
    for (row, value) in values.into_iter().enumerate() {
        builder.push(tid(row), value).unwrap();
    }
    builder
}

fn dense(values: &[f32], dims: usize) -> impl Iterator<Item = Value<'_>> {
    values.chunks_exact(dims).map(Value::F32)
}

/// All bytes of a store.
fn bytes(store: &MemStore) -> Vec<u8> {
    use kite_pages::PageStore;
    (0..store.len()).flat_map(|block| *store.read(block).unwrap().bytes()).collect()
}

/// The share of the ten nearest rows, by the squared Euclidean distance, that scans with this `ef` find for every 30th row.
fn recall(store: &MemStore, values: &[f32], dims: usize, ef: usize) -> f64 {
    let mut index = crate::Index::open(store).unwrap();
    let (mut hits, mut asked) = (0, 0);
    for query in values.chunks_exact(dims).step_by(30) {
        let mut exact: Vec<(f32, usize)> = values
            .chunks_exact(dims)
            .map(|row| (kite_kernels::kernels().f32.l2_squared)(query, row))
            .zip(0..)
            .collect();
        exact.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let scan = ScanOptions { ef, order: Order::Off, ..ScanOptions::default() };
        let mut scan = index.scan(Some(Value::F32(query)), scan).unwrap();
        let mut found = Vec::new();
        while let Some(hit) = scan.next_row().unwrap() {
            found.push(row(hit.tid));
        }
        hits += exact[..10].iter().filter(|(_, near)| found.contains(near)).count();
        asked += 10;
    }
    hits as f64 / f64::from(asked)
}

fn rows_of(walk: &Walk) -> Vec<usize> {
    let mut rows: Vec<usize> =
        walk.vertices.iter().flat_map(|vertex| vertex.tids.iter().map(|&tid| row(tid))).collect();
    rows.sort_unstable();
    rows
}
