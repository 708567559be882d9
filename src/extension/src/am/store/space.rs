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
    /// Pages and the room on them, the one written to last at the end.
    pages: RefCell<Vec<(BlockNo, usize)>>,
    /// The last page of the relation as of when it was tried.
    tried: Cell<Option<BlockNo>>,
}

impl Targets {
    /// A page that probably has room for `bytes`; `pages` is how many there are.
    pub(super) fn find(&self, relation: Relation, pages: BlockNo, bytes: usize) -> Option<BlockNo> {
        let known = self.pages.borrow();
        if let Some(&(block, _)) = known.iter().rev().find(|(_, room)| *room >= bytes) {
            return Some(block);
        }
        let last = known.last().copied();
        drop(known);
        // SAFETY: the relation is open; the map answers InvalidBlockNumber or any block number, which the caller verifies.
        let hint = unsafe {
            match last {
                Some((block, room)) => pg_sys::RecordAndGetPageWithFreeSpace(relation, block, room, bytes),
                None => pg_sys::GetPageWithFreeSpace(relation, bytes),
            }
        };
        if hint != pg_sys::InvalidBlockNumber {
            return Some(hint);
        }
        // Block 0 is not for items.
        let end = pages.checked_sub(1).filter(|&end| end > 0 && self.tried.get() != Some(end))?;
        self.tried.set(Some(end));
        (!self.pages.borrow().iter().any(|&(block, _)| block == end)).then_some(end)
    }

    /// A page has so much room now.
    pub(super) fn note(&self, relation: Relation, block: BlockNo, room: usize) {
        // Too little for most of what will be asked for.
        const LITTLE: usize = 256;
        // SAFETY: the relation is open.
        unsafe { pg_sys::RecordPageWithFreeSpace(relation, block, room) };
        let mut pages = self.pages.borrow_mut();
        pages.retain(|&(known, _)| known != block);
        if room >= LITTLE {
            if pages.len() == TARGETS {
                pages.remove(0);
            }
            pages.push((block, room));
        }
    }
}
