//! What an index looks like on its pages: the one place that knows the bytes of its items.
//!
//! Block 0 is the meta page. All other pages are of one kind and hold whatever fits: vertices, their lists, postings, chunks
//! of payloads. So a vertex and its list can share a page, and free space is free space.

mod list;
mod meta;
mod posting;
mod vertex;

pub(crate) use list::{Entry, List, ListBuf, Shape, append};
pub(crate) use meta::Meta;
pub(crate) use posting::{Posting, PostingBuf, append_row};
pub(crate) use vertex::{INLINE, Place, Vertex, VertexBuf, vertices};

use kite_pages::{BlockNo, Defect, ItemNo, ItemPointer, ItemRef, PageKind, View, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian};

/// The kind of block 0.
pub(crate) const META: PageKind = PageKind { code: 1, version: 1 };
/// The kind of all others.
pub(crate) const NODES: PageKind = PageKind { code: 2, version: 1 };

/// Where the meta page is.
pub(crate) const META_BLOCK: BlockNo = 0;

/// Tags of items, as in their [`kite_pages::ItemHead`].
pub(crate) const VERTEX: u8 = 1;
pub(crate) const LIST: u8 = 2;
pub(crate) const POSTING: u8 = 3;
pub(crate) const CHUNK: u8 = 4;

/// How payloads longer than a page are kept.
pub(crate) const CHUNKS: payload::Format = payload::Format { kind: NODES, tag: CHUNK };

/// The highest level that a vertex can have.
pub(crate) const HIGHEST: u8 = 31;

/// Refers to an item: its place, and enough of its generation that a later item in the same place is taken for it once in
/// 65,536 times. Even then no answer is wrong: what a search returns it reads from the vertex that it found. Eight bytes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub(crate) struct Link {
    pub(crate) pointer: ItemPointer,
    generation: little_endian::U16,
}

impl Link {
    pub(crate) const NONE: Self = Self::new(ItemPointer::NONE, 0);

    /// To the item of this generation.
    pub(crate) const fn new(pointer: ItemPointer, generation: u32) -> Self {
        Self { pointer, generation: little_endian::U16::new(generation as u16) }
    }

    pub(crate) const fn block(self) -> BlockNo {
        self.pointer.block()
    }

    pub(crate) const fn no(self) -> ItemNo {
        self.pointer.no()
    }

    pub(crate) const fn is_none(self) -> bool {
        self.pointer.is_none()
    }

    /// Whether an item of this generation is meant.
    pub(crate) const fn fits(self, generation: u32) -> bool {
        self.generation.get() == generation as u16
    }

    /// A number that no other place has.
    pub(crate) const fn place(self) -> u64 {
        (self.block() as u64) << 16 | self.no() as u64
    }

    /// The item, if it is still there and of this sort. The page is the right one.
    #[inline]
    pub(crate) fn find<'a, T: Item<'a>>(self, view: View<'a>, with: T::With) -> Result<Option<T>, Defect> {
        let Some(item) = view.find(self.no())? else { return Ok(None) };
        if item.first() != Some(&T::TAG) {
            return Ok(None);
        }
        let item = T::parse(item, with)?;
        Ok(self.fits(item.generation()).then_some(item))
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::NONE
    }
}

impl From<ItemRef> for Link {
    fn from(item: ItemRef) -> Self {
        Self::new(item.pointer, item.generation())
    }
}

/// What can be looked up by a [`Link`].
pub(crate) trait Item<'a>: Sized {
    /// Its tag.
    const TAG: u8;
    /// What taking it apart depends on.
    type With: Copy;
    /// Takes an item of this tag apart.
    fn parse(item: &'a [u8], with: Self::With) -> Result<Self, Defect>;
    fn generation(&self) -> u32;
}

#[cfg(test)]
mod tests;
