//! Where a list begins. It never moves, so that the directory need not change.
//!
//! ```text
//! 0    ItemHead   tag ANCHOR
//! 12   list       u32
//! 16   chains     Link each: the first block of each chain
//! 56   run        u32: the second block of the first chain lies on this page,
//! 60   run_len    u32: and those behind it on the next ones, so many in all: a hint what to fetch ahead
//! ```
//!
//! The first chain is what a build has written. Inserts add their blocks before the first of one of the others: all writers to the
//! same one, until they meet there, and then each to its own as far as there are as many.

use super::{ANCHOR, Link};
use kite_pages::{BlockNo, Defect, ItemHead, ItemPointer, ItemReader, NO_BLOCK};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian};

/// Chains of a list.
pub(crate) const CHAINS: usize = 5;

/// See the module's head.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Anchor {
    head: ItemHead,
    list: little_endian::U32,
    pub(crate) chains: [Link; CHAINS],
    run: little_endian::U32,
    run_len: little_endian::U32,
}

const _: () = assert!(size_of::<Anchor>() == 64);

impl Anchor {
    /// Of a list without entries.
    pub(crate) fn new(list: u32, generation: u32) -> Self {
        Self {
            head: ItemHead::new(ANCHOR, 0, ItemPointer::NONE, generation),
            list: list.into(),
            chains: [Link::NONE; CHAINS],
            run: NO_BLOCK.into(),
            run_len: 0.into(),
        }
    }

    /// Takes an item apart; `None` for one of another sort.
    pub(crate) fn parse(item: &[u8]) -> Result<Option<&Self>, Defect> {
        if item.first() == Some(&ANCHOR) { ItemReader::new(item).one().map(Some) } else { Ok(None) }
    }

    pub(crate) fn generation(&self) -> u32 {
        self.head.generation()
    }

    /// The number of the list.
    pub(crate) fn list(&self) -> u32 {
        self.list.get()
    }

    /// Where blocks can be expected, and how many.
    pub(crate) fn run(&self) -> (BlockNo, u32) {
        (self.run.get(), self.run_len.get())
    }

    pub(crate) fn set_run(&mut self, run: BlockNo, len: u32) {
        (self.run, self.run_len) = (run.into(), len.into());
    }
}
