//! The pages in memory: a table that grows without moving what is in it.

use crate::{BlockNo, Page};
use kite_kernels::prefetch;
use std::sync::atomic::AtomicU32;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

/// Pages of the first segment; each of the next is twice as long, up to [`LONGEST`].
const SHORTEST: usize = 16;
const LONGEST: usize = 1024;
/// Segments shorter than [`LONGEST`].
const SHORT_SEGMENTS: usize = (LONGEST / SHORTEST).ilog2() as usize;
/// Pages in those.
const IN_SHORT: usize = LONGEST - SHORTEST;
/// Room for 64 GiB.
const SEGMENTS: usize = 8192;

/// One page and its lock.
#[derive(Debug)]
pub(super) struct Frame {
    page: RwLock<Page>,
    /// The round of counting in which it was last read.
    pub(super) round: AtomicU32,
}

// A thread that panics with a lock held has been found out already; the others go on with the page as it is, which only a
// commit changes.
impl Frame {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Page> {
        self.page.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings its lock and the headers of its page close.
    #[inline]
    pub(super) fn fetch(&self) {
        prefetch(std::ptr::from_ref(self).cast(), 1);
        prefetch(std::ptr::from_ref(self).cast::<u8>().wrapping_add(size_of::<Self>() - 1), 1);
    }

    /// Brings all of it close.
    #[inline]
    pub(super) fn fetch_page(&self) {
        prefetch(std::ptr::from_ref(self).cast(), size_of::<Self>());
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Page> {
        self.page.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn try_write(&self) -> Option<RwLockWriteGuard<'_, Page>> {
        match self.page.try_write() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Frames(Box<[OnceLock<Box<[Frame]>>]>);

impl Frames {
    pub(super) fn new() -> Self {
        Self((0..SEGMENTS).map(|_| OnceLock::new()).collect())
    }

    /// The frame of a block that is below the store's length.
    #[inline]
    pub(super) fn get(&self, block: BlockNo) -> Option<&Frame> {
        let (segment, place) = locate(block as usize);
        self.0.get(segment)?.get()?.get(place)
    }

    /// The frame of a block that is about to be added, with zeros in it.
    pub(super) fn grow(&self, block: BlockNo) -> &Frame {
        let (segment, place) = locate(block as usize);
        assert!(segment < SEGMENTS, "the store is full");
        let len = if segment < SHORT_SEGMENTS { SHORTEST << segment } else { LONGEST };
        let frame =
            |_| Frame { page: RwLock::new(zerocopy::FromZeros::new_zeroed()), round: AtomicU32::new(0) };
        &self.0[segment].get_or_init(|| (0..len).map(frame).collect())[place]
    }
}

#[inline]
fn locate(block: usize) -> (usize, usize) {
    if block >= IN_SHORT {
        let beyond = block - IN_SHORT;
        return (SHORT_SEGMENTS + beyond / LONGEST, beyond % LONGEST);
    }
    let segment = (block / SHORTEST + 1).ilog2() as usize;
    (segment, block - ((SHORTEST << segment) - SHORTEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_has_a_place_of_its_own() {
        let mut expected = (0, 0);
        for block in 0..10_000 {
            assert_eq!(locate(block), expected, "block {block}");
            expected.1 += 1;
            let len = if expected.0 < SHORT_SEGMENTS { SHORTEST << expected.0 } else { LONGEST };
            if expected.1 == len {
                expected = (expected.0 + 1, 0);
            }
        }
    }
}
