//! The centroids, in order, on pages of their own; behind them the codewords of `pq`.
//!
//! Every entry has the same length, so that its place follows from its number: several to a page, or one on as many pages as it takes.
//!
//! ```text
//! 0    tag      CENTRE
//! 1    0        3 bytes
//! 4    number   u32
//! 8    anchor   Link, of a centroid
//! 16   values   f32 each, or bits
//! ```

use super::{CENTRE, Link};
use kite_pages::{BlockNo, Defect, ItemNo, ItemReader, MAX_ITEM};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian};

/// What stands before the values.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct CentreHead {
    tag: u8,
    reserved: [u8; 3],
    number: little_endian::U32,
    pub(crate) anchor: Link,
}

const HEAD: usize = size_of::<CentreHead>();

impl CentreHead {
    pub(crate) fn new(number: u32, anchor: Link) -> Self {
        Self { tag: CENTRE, reserved: [0; 3], number: number.into(), anchor }
    }

    /// Takes the item of entry `number` apart.
    pub(crate) fn parse(item: &[u8], number: u32) -> Result<(&Self, &[u8]), Defect> {
        let mut reader = ItemReader::new(item);
        let head: &Self = reader.one()?;
        if head.tag != CENTRE || head.number.get() != number {
            return Err(Defect("a centroid is not where it should be"));
        }
        Ok((head, reader.rest()))
    }
}

/// How entries of some bytes are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DirectoryShape {
    /// Bytes of the values.
    pub(crate) bytes: usize,
    per_page: usize,
    /// Pages of an entry.
    pub(crate) parts: usize,
}

impl DirectoryShape {
    pub(crate) fn new(bytes: usize) -> Self {
        const LINE: usize = 4;
        let size = (HEAD + bytes).next_multiple_of(8);
        let parts = bytes.div_ceil(MAX_ITEM - HEAD).max(1);
        let per_page = if parts > 1 { 1 } else { ((MAX_ITEM + LINE) / (size + LINE)).max(1) };
        Self { bytes, per_page, parts }
    }

    /// The first page of an entry, counted from the directory's first, and the number of its item.
    pub(crate) fn place(&self, number: usize) -> (BlockNo, ItemNo) {
        if self.parts > 1 {
            ((number * self.parts) as BlockNo, 1)
        } else {
            ((number / self.per_page) as BlockNo, (number % self.per_page + 1) as ItemNo)
        }
    }

    /// The part of an entry's bytes that its page number `part` has.
    pub(crate) fn part(&self, part: usize) -> std::ops::Range<usize> {
        let most = MAX_ITEM - HEAD;
        part * most..((part + 1) * most).min(self.bytes)
    }

    /// Pages of so many entries.
    pub(crate) fn pages(&self, entries: usize) -> BlockNo {
        if self.parts > 1 {
            (entries * self.parts) as BlockNo
        } else {
            entries.div_ceil(self.per_page) as BlockNo
        }
    }
}
