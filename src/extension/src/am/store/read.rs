//! Pages pinned and looked at: one, or several together.

use super::PgStore;
use super::buffer::{Fork, Locked, Pin};
use kite_pages::{BlockNo, Page, Result};
use pgrx::pg_sys::{self, BufferAccessStrategy, Relation};
use std::ops::Deref;
use std::ptr;

/// Pages that are pinned together.
pub(super) const PINNED: usize = 16;

/// A page held for reading.
#[derive(Debug)]
pub(crate) struct PgRead(pub(super) Locked);

impl Deref for PgRead {
    type Target = Page;

    #[inline]
    fn deref(&self) -> &Page {
        self.0.page()
    }
}

impl PgStore {
    /// Pins a page.
    pub(super) fn pin(&self, block: BlockNo) -> Result<Pin> {
        self.pin_by(block, self.vacuum.as_ref().map_or(ptr::null_mut(), |vacuum| vacuum.strategy(block)))
    }

    /// Pins a page, by this strategy where it is not in shared buffers.
    pub(super) fn pin_by(&self, block: BlockNo, strategy: BufferAccessStrategy) -> Result<Pin> {
        self.exists(block)?;
        // SAFETY: the block exists, and the closure holds nothing to drop. A strategy is vacuum's, which outlives the store.
        Ok(unsafe { Fork::guard(|| self.pin_unguarded(block, strategy)) })
    }

    /// Pins a page where it was last, or where the buffer manager finds it.
    ///
    /// # Safety
    /// As of [`Fork::pin`].
    #[inline]
    unsafe fn pin_unguarded(&self, block: BlockNo, strategy: BufferAccessStrategy) -> Pin {
        // SAFETY: the caller's promise, and buffers that are remembered were the page's.
        unsafe {
            if let Some(pin) = self.recent.get(block).and_then(|buffer| self.fork.pin_recent(block, buffer)) {
                count_hit(self.fork.relation);
                return pin;
            }
            let pin = self.fork.pin(block, strategy);
            self.recent.set(block, pin.buffer());
            pin
        }
    }

    /// Pins pages, those that are not at hand after the kernel was told of all of them.
    pub(super) fn pin_all(
        &self,
        blocks: impl Iterator<Item = BlockNo> + Clone,
        pins: &mut [Pin; PINNED],
    ) -> Result<()> {
        blocks.clone().try_for_each(|block| self.exists(block))?;
        // SAFETY: the blocks exist; the closure holds numbers and references alone.
        unsafe {
            Fork::guard(|| {
                let mut missing = 0;
                for (pin, block) in pins.iter_mut().zip(blocks.clone()) {
                    let buffer = self.recent.get(block);
                    match buffer.and_then(|buffer| self.fork.pin_recent(block, buffer)) {
                        Some(there) => {
                            count_hit(self.fork.relation);
                            *pin = there;
                        }
                        None => {
                            *pin = Pin::NONE;
                            missing += 1;
                        }
                    }
                }
                if missing == 0 {
                    return;
                }
                let is_missing = |pin: &Pin| pin.buffer() == Pin::NONE.buffer();
                if missing > 1 && pg_sys::effective_io_concurrency > 0 {
                    for (pin, block) in pins.iter().zip(blocks.clone()) {
                        if is_missing(pin) {
                            pg_sys::PrefetchBuffer(self.fork.relation, self.fork.number, block);
                        }
                    }
                }
                for (pin, block) in pins.iter_mut().zip(blocks) {
                    if is_missing(pin) {
                        *pin = self.fork.pin(block, ptr::null_mut());
                        self.recent.set(block, pin.buffer());
                    }
                }
            });
        }
        Ok(())
    }

    /// Locks, visits and unlocks pinned pages one by one.
    pub(super) fn visit_all(
        pins: &[Pin],
        place: usize,
        visit: &mut impl FnMut(usize, &Page) -> Result<()>,
    ) -> Result<()> {
        for (at, pin) in pins.iter().enumerate() {
            let page = pin.lock();
            if let Err(error) = visit(place + at, page.page()) {
                pins[at + 1..].iter().for_each(|pin| pin.release());
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Counts a page found in a remembered buffer, which `ReadRecentBuffer` does for EXPLAIN but not for `pg_statio`.
#[inline]
pub(super) unsafe fn count_hit(relation: Relation) {
    // SAFETY: the caller passes an open relation, whose counters are there or NULL.
    unsafe {
        if let Some(info) = (*relation).pgstat_info.as_mut() {
            #[cfg(any(feature = "pg14", feature = "pg15"))]
            {
                info.t_counts.t_blocks_fetched += 1;
                info.t_counts.t_blocks_hit += 1;
            }
            #[cfg(not(any(feature = "pg14", feature = "pg15")))]
            {
                info.counts.blocks_fetched += 1;
                info.counts.blocks_hit += 1;
            }
        }
    }
}
