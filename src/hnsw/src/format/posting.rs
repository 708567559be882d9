//! Further heap TIDs of a vertex that many equal rows share: a chain of postings, the newest first.
//!
//! ```text
//! 0    ItemHead   tag POSTING, flags UNLINKED, owner: the vertex
//! 12   count      u16
//! 14   reserved   2 bytes, 0
//! 16   next       Link to the posting behind this one, or none
//! 24   stamp      u64: when it was unlinked
//! 32   tids       6 bytes each, as many as the item has room for; `count` of them mean something
//! ```
//!
//! A posting that vacuum has emptied is unlinked from the chain but stays for a while, with its link to the next, for readers
//! that were on their way to it. It is freed once its stamp is past.

use super::{Item, Link, POSTING};
use kite_pages::{Defect, ItemHead, ItemPointer, ItemReader, ItemWriter, Stamp};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian};

const UNLINKED: u8 = 1;

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    head: ItemHead,
    count: little_endian::U16,
    reserved: [u8; 2],
    next: Link,
    stamp: little_endian::U64,
}

const HEADER: usize = size_of::<Header>();
const _: () = assert!(HEADER == 32);

/// A posting, taken apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Posting<'a> {
    header: &'a Header,
    pub(crate) tids: &'a [ItemPointer],
    /// How many TIDs it has room for.
    pub(crate) capacity: usize,
}

impl<'a> Item<'a> for Posting<'a> {
    const TAG: u8 = POSTING;
    type With = ();

    fn parse(item: &'a [u8], (): ()) -> Result<Self, Defect> {
        let mut reader = ItemReader::new(item);
        let header: &Header = reader.one()?;
        let capacity = reader.rest().len() / size_of::<ItemPointer>();
        Ok(Self { header, tids: reader.many(usize::from(header.count.get()))?, capacity })
    }

    fn generation(&self) -> u32 {
        self.header.head.generation()
    }
}

impl Posting<'_> {
    /// The vertex that it belongs to.
    pub(crate) fn owner(&self) -> ItemPointer {
        self.header.head.owner
    }

    pub(crate) fn next(&self) -> Link {
        self.header.next
    }

    /// When it was taken out of its chain, if it was.
    pub(crate) fn unlinked(&self) -> Option<Stamp> {
        (self.header.head.flags & UNLINKED != 0).then(|| Stamp::from_raw(self.header.stamp.get()))
    }
}

/// Adds a TID to a posting where it stands. `false` when the posting is full.
pub(crate) fn append_row(item: &mut [u8], tid: ItemPointer) -> Result<bool, Defect> {
    let capacity = PostingBuf::capacity_of(item.len());
    let mut writer = ItemWriter::new(item);
    let header: &mut Header = writer.one()?;
    let count = usize::from(header.count.get());
    let tids: &mut [ItemPointer] = writer.many(capacity)?;
    let Some(slot) = tids.get_mut(count) else { return Ok(false) };
    *slot = tid;
    header.count = (count as u16 + 1).into();
    Ok(true)
}

/// A posting to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PostingBuf {
    pub(crate) generation: u32,
    pub(crate) owner: ItemPointer,
    pub(crate) next: Link,
    pub(crate) unlinked: Option<Stamp>,
    /// At least the number of TIDs.
    pub(crate) capacity: usize,
    pub(crate) tids: Vec<ItemPointer>,
}

impl From<Posting<'_>> for PostingBuf {
    fn from(posting: Posting<'_>) -> Self {
        Self {
            generation: posting.generation(),
            owner: posting.owner(),
            next: posting.next(),
            unlinked: posting.unlinked(),
            capacity: posting.capacity,
            tids: posting.tids.to_vec(),
        }
    }
}

impl PostingBuf {
    /// Bytes of a posting item.
    pub(crate) fn size(capacity: usize) -> usize {
        HEADER + capacity * size_of::<ItemPointer>()
    }

    /// How many TIDs an item of so many bytes has room for.
    pub(crate) fn capacity_of(bytes: usize) -> usize {
        bytes.saturating_sub(HEADER) / size_of::<ItemPointer>()
    }

    /// The item.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Defect> {
        let mut bytes = vec![0; Self::size(self.capacity)];
        let mut writer = ItemWriter::new(&mut bytes);
        let flags = if self.unlinked.is_some() { UNLINKED } else { 0 };
        *writer.one::<Header>()? = Header {
            head: ItemHead::new(POSTING, flags, self.owner, self.generation),
            count: (self.tids.len() as u16).into(),
            reserved: [0; 2],
            next: self.next,
            stamp: self.unlinked.map_or(0, Stamp::to_raw).into(),
        };
        writer.put(self.tids.as_slice())?;
        Ok(bytes)
    }
}
