//! In which buffer a page was found last.
//!
//! Looking a page up in the buffer manager's hash table costs more than the page once both are out of the processor's caches: see the
//! figures in kite-pages' README. `ReadRecentBuffer` goes to a remembered buffer at once and verifies it.

use kite_pages::BlockNo;
use pgrx::pg_sys::{self, Buffer};
use std::cell::Cell;

/// The most pages that are remembered: 2 MiB for an index of 2 GiB and more.
const MOST: usize = 1 << 18;

/// Each how many reads a page is looked up the long way: only that tells the clock that evicts buffers of the page's use.
const REMIND: u8 = 32;

/// A table from block to buffer, in which a page takes the place of another 2ⁿ blocks away.
#[derive(Debug, Default)]
pub(in crate::am) struct Recent {
    places: Vec<Cell<Place>>,
    turn: Cell<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    block: BlockNo,
    buffer: Buffer,
}

impl Recent {
    const NOTHING: Place = Place { block: BlockNo::MAX, buffer: pg_sys::InvalidBuffer as Buffer };

    /// A table for an index of so many pages; without memory for it, one that remembers nothing.
    pub(in crate::am) fn for_pages(pages: BlockNo) -> Self {
        let size = (pages as usize).next_power_of_two().clamp(64, MOST);
        let mut places = Vec::new();
        if places.try_reserve_exact(size).is_ok() {
            places.resize(size, Cell::new(Self::NOTHING));
        }
        Self { places, turn: Cell::new(0) }
    }

    /// Whether the index has outgrown the table.
    pub(in crate::am) fn is_small_for(&self, pages: BlockNo) -> bool {
        self.places.len() < MOST && (pages as usize) > 2 * self.places.len()
    }

    /// Where the page was, unless it is time to look it up.
    #[inline]
    pub(super) fn get(&self, block: BlockNo) -> Option<Buffer> {
        let turn = self.turn.get().wrapping_add(1);
        self.turn.set(turn);
        let place = self.places.get(block as usize & self.places.len().wrapping_sub(1))?.get();
        (place.block == block && !turn.is_multiple_of(REMIND)).then_some(place.buffer)
    }

    /// Where the page was, for who takes that for a hint.
    #[inline]
    pub(super) fn last(&self, block: BlockNo) -> Option<Buffer> {
        let place = self.places.get(block as usize & self.places.len().wrapping_sub(1))?.get();
        (place.block == block).then_some(place.buffer)
    }

    /// Remembers a shared buffer.
    #[inline]
    pub(super) fn set(&self, block: BlockNo, buffer: Buffer) {
        if let Some(place) = self.places.get(block as usize & self.places.len().wrapping_sub(1))
            && buffer > 0
        {
            place.set(Place { block, buffer });
        }
    }
}
