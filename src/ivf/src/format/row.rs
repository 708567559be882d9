//! The item of a row: its payload, where lists hold codes.
//!
//! ```text
//! 0   tag       ROW
//! 1   0
//! 2   tid       ItemPointer
//! 8   payload   or ItemRef, if the payload is a chain of chunks
//! ```
//!
//! It needs no generation: its number is not given out while a snapshot is older, and whoever comes by an older pointer sees another
//! row's TID.

use super::{ROW, Shape};
use kite_pages::{Defect, ItemPointer, ItemReader, ItemRef};
use zerocopy::IntoBytes;

/// Bytes before the payload.
pub(crate) const ROW_HEAD: usize = 8;

/// A row's item, taken apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowItem<'a> {
    pub(crate) tid: ItemPointer,
    /// The payload, or the bytes of a reference to it.
    pub(crate) rest: &'a [u8],
}

impl<'a> RowItem<'a> {
    /// Takes an item apart; `None` for one of another sort.
    #[inline]
    pub(crate) fn parse(item: &'a [u8]) -> Result<Option<Self>, Defect> {
        if item.first() != Some(&ROW) {
            return Ok(None);
        }
        let mut reader = ItemReader::new(item);
        let _: &[u8; 2] = reader.one()?;
        Ok(Some(Self { tid: *reader.one()?, rest: reader.rest() }))
    }

    /// The reference to the payload, where that is a chain.
    pub(crate) fn chain(&self) -> Result<ItemRef, Defect> {
        ItemReader::new(self.rest).one().copied()
    }
}

/// The item of a row. `payload` is the payload, or the bytes of a reference.
pub(crate) fn row_item(shape: &Shape, tid: ItemPointer, payload: &[u8], item: &mut Vec<u8>) {
    item.clear();
    item.reserve(shape.row_size());
    item.extend_from_slice(&[ROW, 0]);
    item.extend_from_slice(tid.as_bytes());
    item.extend_from_slice(payload);
}
