//! Pages with room: the free-space map, and what it cannot tell at once.
//!
//! A change of the map is not seen from its root before a vacuum has spread it, so a page that was half filled just now would not be
//! found again. As the heap does, a backend remembers the pages that it wrote to last, asks the map around the last of them, and
//! tries the last page of the relation before it adds one.

use kite_pages::BlockNo;
use pgrx::pg_sys::{self, Relation};
use std::cell::{Cell, RefCell};

/// Pages that are remembered.
const TARGETS: usize = 4;

/// Where there may be room.
#[derive(Debug, Default)]
pub(in crate::am) struct Targets {
    /// The page written to last is at the end.
    pages: RefCell<Vec<Target>>,
    /// The last page of the relation as of when it was tried.
    tried: Cell<Option<BlockNo>>,
}

/// A page, and the room on it.
#[derive(Debug, Clone, Copy)]
struct Target {
    block: BlockNo,
    room: usize,
    /// What the map was told.
    told: usize,
}

impl Targets {
    /// A page that probably has room for `bytes`; `pages` tells how many there are.
    pub(super) fn find(
        &self,
        relation: Relation,
        pages: impl FnOnce() -> BlockNo,
        bytes: usize,
    ) -> Option<BlockNo> {
        let known = self.pages.borrow();
        if let Some(target) = known.iter().rev().find(|target| target.room >= bytes) {
            return Some(target.block);
        }
        let last = known.last().copied();
        drop(known);
        // Else it would answer one of these.
        self.tell(relation);
        // SAFETY: the relation is open; the map answers InvalidBlockNumber or any block number, which the caller verifies.
        let hint = unsafe {
            match last {
                Some(Target { block, room, .. }) => {
                    pg_sys::RecordAndGetPageWithFreeSpace(relation, block, room, bytes)
                }
                None => pg_sys::GetPageWithFreeSpace(relation, bytes),
            }
        };
        if hint != pg_sys::InvalidBlockNumber {
            return Some(hint);
        }
        // Block 0 is not for items.
        let end = pages().checked_sub(1).filter(|&end| end > 0 && self.tried.get() != Some(end))?;
        self.tried.set(Some(end));
        (!self.pages.borrow().iter().any(|target| target.block == end)).then_some(end)
    }

    /// A page has so much room now.
    ///
    /// While rows fill a page that is remembered, the map is not told of each: it is told once nothing that is remembered has room, as the
    /// heap does. It says too much until then, and whoever takes it at its word finds that under the lock of the page, and says so.
    pub(super) fn note(&self, relation: Relation, block: BlockNo, room: usize) {
        // Too little for most of what will be asked for.
        const LITTLE: usize = 256;
        let mut pages = self.pages.borrow_mut();
        let known = pages.iter().position(|target| target.block == block).map(|place| pages.remove(place));
        let told = match known {
            Some(Target { told, .. }) if (LITTLE..=told).contains(&room) => told,
            _ => {
                // SAFETY: the relation is open.
                unsafe { pg_sys::RecordPageWithFreeSpace(relation, block, room) };
                room
            }
        };
        if room < LITTLE {
            return;
        }
        if pages.len() == TARGETS {
            let first = pages.remove(0);
            if first.told != first.room {
                // SAFETY: as above.
                unsafe { pg_sys::RecordPageWithFreeSpace(relation, first.block, first.room) };
            }
        }
        pages.push(Target { block, room, told });
    }

    /// Tells the map of every page that it has not heard of.
    pub(super) fn tell(&self, relation: Relation) {
        for target in self.pages.borrow_mut().iter_mut().filter(|target| target.told != target.room) {
            // SAFETY: the relation is open.
            unsafe { pg_sys::RecordPageWithFreeSpace(relation, target.block, target.room) };
            target.told = target.room;
        }
    }
}
