//! What scans work with, kept from one to the next for its allocations.

use super::beam::Beam;
use super::found::Found;
use super::probe::Limits;
use std::mem;
use std::sync::Mutex;

/// The most bytes that are kept, and the least part of a scan's memory that they may be: what was allocated counts towards that.
const KEPT: usize = 1 << 20;
const PART: usize = 8;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<Option<(Beam, Found)>>);

impl Desk {
    /// Takes what the last scan has left, unless another one works with it; else new ones.
    pub(super) fn take(&self, limits: Limits) -> (Beam, Found) {
        let left = self.0.try_lock().ok().and_then(|mut desk| desk.take());
        let fits = |(beam, found): &(Beam, Found)| beam.bytes() + found.bytes() <= limits.memory / PART;
        let Some((mut beam, mut found)) = left.filter(fits) else {
            return (Beam::new(limits), Found::default());
        };
        beam.forget();
        beam.limit(limits);
        found.clear();
        (beam, found)
    }

    /// Keeps them for the next one.
    pub(super) fn leave(&self, beam: &mut Beam, found: &mut Found) {
        let used = (mem::replace(beam, Beam::new(beam.limits())), mem::take(found));
        if used.0.bytes() + used.1.bytes() <= KEPT
            && let Ok(mut desk) = self.0.try_lock()
        {
            *desk = Some(used);
        }
    }
}
