//! Building an index of kite-hnsw over a set.

use super::link::Building;
use super::set::Set;
use anyhow::{Result, bail};
use kite_codecs::PayloadKind;
use kite_pages::MemStore;

/// Builds an index over all rows in an empty store.
pub(super) fn build(
    _set: &Set<'_>,
    payload: PayloadKind,
    codes: u8,
    _building: &Building,
    _store: &MemStore,
) -> Result<()> {
    bail!("kite-hnsw has no builder yet for {payload} payloads and codes of {codes} bits")
}
