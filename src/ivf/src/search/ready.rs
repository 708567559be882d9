//! Rows that wait to be handed out.

use kite_pages::ItemPointer;
use std::cmp::Ordering;

/// A row whose distance is known; the nearest is the greatest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready {
    /// In the operator's unit.
    pub(super) value: f64,
    pub(super) tid: ItemPointer,
}

impl Ord for Ready {
    fn cmp(&self, other: &Self) -> Ordering {
        other.value.total_cmp(&self.value).then(other.tid.cmp(&self.tid))
    }
}

impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ready {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ready {}
