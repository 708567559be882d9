//! Building an index of kite-hnsw over a set.

use super::kite::tid;
use super::link::{Building, spec};
use super::set::Set;
use anyhow::Result;
use kite_codecs::PayloadKind;
use kite_hnsw::Options;
use kite_pages::MemStore;

pub(super) fn build(set: &Set<'_>, payload: PayloadKind, codes: u8, building: &Building, store: &MemStore) -> Result<()> {
    let seed = kite_hnsw::Parameters::default().seed;
    let options = Options { spec: spec(set, payload, codes), m: building.m, ef_construction: building.ef_construction, seed };
    let vectors: Vec<Vec<f32>> = set.rows.iter().map(<[f32]>::to_vec).collect();
    kite_hnsw::testing::built(store, &options, &vectors, tid);
    Ok(())
}
