//! From the entry point down to a level, greedily.

use super::beam::Beam;
use super::probe::{Limits, Probe, Sink};
use crate::Result;
use crate::format::{Link, Meta, Vertex};
use kite_pages::PageStore;

/// Takes whatever is there, dead or not: a way is all that is sought.
#[derive(Debug)]
pub(crate) struct Anything;

impl Sink for Anything {
    fn meet(&mut self, _: u32, _: &Vertex<'_>) -> kite_pages::Result<bool> {
        Ok(true)
    }

    fn admits(&mut self, _: u32) -> Result<bool> {
        Ok(true)
    }
}

/// The vertex nearest to what is sought among those that greedy steps lead to, on the levels from the entry's down to just above
/// `level`; on each it begins with what the one above found. The entry itself where there is no such level.
///
/// The entry, too, for a query that orders nothing: to it every vertex is as near as the next, and greed would read them all.
///
/// None when the entry point is gone: then the meta page tells of another.
pub(crate) fn descend<S: PageStore>(
    probe: &Probe<'_, S>,
    meta: &Meta,
    level: u8,
    beam: &mut Beam,
) -> Result<Link> {
    // However little a query may take, it gets as far as the level where it begins.
    let (visits, memory) = (usize::MAX, usize::MAX);
    let limits = Limits { ef: 1, width: 1, resumable: false, keep_codes: false, visits, memory };
    let mut entry = meta.entry;
    if !probe.query.orders() {
        return Ok(entry);
    }
    let mut best = Vec::new();
    for above in (level + 1..=meta.entry_level).rev() {
        beam.begin(above, limits, [entry])?;
        beam.run(probe, &mut Anything)?;
        beam.take_best(&mut best);
        match best.first() {
            Some(nearest) => entry = beam.link(nearest.node()),
            None => return Ok(Link::NONE),
        }
    }
    Ok(entry)
}
