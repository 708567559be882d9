//! What an index looks like on its pages: the one place that knows the bytes of its items.
//!
//! Block 0 is the meta page. Directory pages hold the centroids, and never change once they are written. All other pages are of one kind
//! and hold whatever fits: anchors and blocks of lists, payloads of rows, chunks of longer ones. So free space is free space.

mod anchor;
mod block;
mod directory;
mod meta;
mod row;
mod shape;

pub(crate) use anchor::{Anchor, CHAINS};
pub(crate) use block::{Block, BlockBuf, Entries, append, close, forget, retain, set_next, set_replaced};
pub(crate) use directory::{CentreHead, DirectoryShape};
pub(crate) use meta::Meta;
pub(crate) use row::{ROW_HEAD, RowItem, row_item};
pub(crate) use shape::{LONGEST_BLOCK, LONGEST_BODY, Scanned, Shape};

use kite_pages::{BlockNo, Defect, ItemNo, ItemPointer, PageKind, View, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian};

/// The kind of block 0.
pub(crate) const META: PageKind = PageKind { code: 11, version: 1 };
/// The kind of pages with centroids.
pub(crate) const DIRECTORY: PageKind = PageKind { code: 12, version: 1 };
/// The kind of all others.
pub(crate) const BODY: PageKind = PageKind { code: 13, version: 1 };

/// Where the meta page is, and the number of its item.
pub(crate) const META_BLOCK: BlockNo = 0;
pub(crate) const META_ITEM: ItemNo = 1;

/// Tags of items.
pub(crate) const ANCHOR: u8 = 1;
pub(crate) const BLOCK: u8 = 2;
pub(crate) const ROW: u8 = 3;
pub(crate) const CHUNK: u8 = 4;
pub(crate) const CENTRE: u8 = 5;

/// How payloads longer than a page are kept.
pub(crate) const CHUNKS: payload::Format = payload::Format { kind: BODY, tag: CHUNK };

/// Refers to an anchor or a block: its place, and half of its generation. Eight bytes.
///
/// Numbers of freed items are not given out while a snapshot is older, so that the generation only tells damage, and on a standby
/// what has been replayed meanwhile.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub(crate) struct Link {
    pointer: ItemPointer,
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

    pub(crate) const fn pointer(self) -> ItemPointer {
        self.pointer
    }

    pub(crate) const fn is_none(self) -> bool {
        self.pointer.is_none()
    }

    /// Whether an item of this generation is meant.
    pub(crate) const fn fits(self, generation: u32) -> bool {
        self.generation.get() == generation as u16
    }

    /// The link, unless it leads nowhere.
    pub(crate) fn some(self) -> Option<Self> {
        (!self.is_none()).then_some(self)
    }

    /// The anchor, if it is there.
    pub(crate) fn anchor(self, view: View<'_>) -> Result<Option<&Anchor>, Defect> {
        let Some(item) = view.find(self.no())? else { return Ok(None) };
        let Some(anchor) = Anchor::parse(item)? else { return Ok(None) };
        Ok(self.fits(anchor.generation()).then_some(anchor))
    }

    /// The block, if it is there.
    #[inline]
    pub(crate) fn list_block<'a>(self, view: View<'a>, shape: &Shape) -> Result<Option<Block<'a>>, Defect> {
        let Some(item) = view.find(self.no())? else { return Ok(None) };
        let Some(block) = Block::parse(item, shape)? else { return Ok(None) };
        Ok(self.fits(block.generation()).then_some(block))
    }
}

#[cfg(test)]
mod tests;
