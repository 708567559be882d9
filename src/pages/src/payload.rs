//! Values longer than a page: chains of chunks, written once.
//!
//! A chain is written from its tail, a record per chunk, and nothing refers to it before its first chunk is there. So a crash
//! or an error in between leaves chunks that nobody refers to, never a chain that ends too early. Each carries the stamp of
//! its writing: a sweep may [free](free_chunk) a chunk that no chain contains once that stamp is past, since by then its
//! writer has either referred to it or failed.

use crate::{
    At, Defect, Error, ItemHead, ItemPointer, ItemReader, ItemRef, ItemWriter, MAX_ITEM, Page, PageKind,
    PageStore, PageTxn, Result, Stamp, with_room,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, little_endian};

/// The longest payload. The longest vector type takes an eighth of it.
pub const MAX_BYTES: usize = 1 << 20;

/// The most bytes of payload that a chunk holds. It leaves room for some freed numbers on the page, twelve bytes each, so
/// that the next chunk of this length can take a page before they are past.
pub const CHUNK_BYTES: usize = MAX_ITEM - 80 - size_of::<Header>();

/// Set in the head's flags of the first chunk of a chain.
const FIRST: u8 = 1;

/// How an index keeps its payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// The pages that chunks lie on. They may hold other items too.
    pub kind: PageKind,
    /// The tag in the [`ItemHead`] of a chunk.
    pub tag: u8,
}

/// Begin of a chunk item, before its part of the payload.
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    head: ItemHead,
    /// Bytes of payload in this chunk and those behind it.
    left: little_endian::U32,
    next: ItemRef,
    reserved: [u8; 6],
    stamp: little_endian::U64,
}

const _: () = assert!(size_of::<Header>() == 40);

/// One chunk, taken apart.
#[derive(Debug, Clone, Copy)]
pub struct Chunk<'a> {
    /// What the writer gave as the owner.
    pub owner: ItemPointer,
    /// Whether a chain begins here.
    pub is_first: bool,
    /// Bytes of payload from here to the end of the chain.
    pub left: usize,
    /// The chunk behind this one.
    pub next: Option<ItemRef>,
    /// When it was written.
    pub stamp: Stamp,
    /// The generation of this chunk.
    pub generation: u32,
    /// Its part of the payload.
    pub bytes: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// Takes an item apart; `None` for one with another tag.
    ///
    /// # Errors
    /// A chunk that does not hold what it says.
    pub fn parse(item: &'a [u8], tag: u8) -> Result<Option<Self>, Defect> {
        if item.first() != Some(&tag) {
            return Ok(None);
        }
        let mut reader = ItemReader::new(item);
        let header: &Header = reader.one()?;
        let (bytes, left) = (reader.rest(), header.left.get() as usize);
        let fits = if header.next.is_none() { left == bytes.len() } else { left > bytes.len() };
        if !fits || left > MAX_BYTES || (bytes.is_empty() && left > 0) {
            return Err(Defect("a chunk does not hold what it says"));
        }
        Ok(Some(Self {
            owner: header.head.owner,
            is_first: header.head.flags & FIRST != 0,
            left,
            next: (!header.next.is_none()).then_some(header.next),
            stamp: Stamp::from_raw(header.stamp.get()),
            generation: header.head.generation(),
            bytes,
        }))
    }
}

/// What became of a payload that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Fetched {
    /// All of it was read.
    Whole,
    /// It was freed since the reference was read: drop what referred to it, or read that again.
    Gone,
}

/// Reads a payload into `out`, which it empties first, and which holds no more than a part when the payload is gone.
/// Locks one page at a time.
///
/// # Errors
/// [`Error::Corrupt`] for chunks that do not follow one another, [`Error::OutOfMemory`], and those of the store.
pub fn read<S: PageStore>(store: &S, format: Format, head: ItemRef, out: &mut Vec<u8>) -> Result<Fetched> {
    out.clear();
    let mut at = Some(head);
    let mut expected = None;
    while let Some(place) = at {
        let block = place.pointer.block();
        let page = store.read(block)?;
        let Some(chunk) = find(&page, format, place).at(block)? else { return Ok(Fetched::Gone) };
        if chunk.is_first != expected.is_none() || chunk.left != expected.unwrap_or(chunk.left) {
            return Err(Error::Corrupt { block, what: "a chunk does not follow the one before it" });
        }
        let room = if chunk.is_first { chunk.left } else { chunk.bytes.len() };
        out.try_reserve(room).map_err(|_| Error::OutOfMemory { bytes: room })?;
        out.extend_from_slice(chunk.bytes);
        // `left` falls with every chunk that has a next, so that a chain that turns back on itself ends here too.
        expected = Some(chunk.left - chunk.bytes.len());
        at = chunk.next;
    }
    Ok(Fetched::Whole)
}

fn find(page: &Page, format: Format, place: ItemRef) -> Result<Option<Chunk<'_>>, Defect> {
    match page.view(format.kind)?.live(place.pointer.no(), format.tag, place.generation())? {
        Some((_, item)) => Chunk::parse(item, format.tag),
        None => Ok(None),
    }
}

/// Writes a payload and answers the reference to its first chunk. `owner` is recorded in every chunk.
///
/// One transaction per chunk; none may be open. After an error some chunks may be left over: see the module's head.
///
/// # Errors
/// [`Error::TooLong`] for more than [`MAX_BYTES`], and those of the store.
pub fn write<S: PageStore>(store: &S, format: Format, owner: ItemPointer, bytes: &[u8]) -> Result<ItemRef> {
    let stamp = store.now();
    let mut next = ItemRef::NONE;
    for part in parts(bytes)? {
        store.check_interrupts()?;
        let size = part.size();
        let (mut txn, slot) = with_room(store, format.kind, size)?;
        let block = txn.block(slot);
        next = part
            .add_to(txn.page_mut(slot), block, format, owner, next, stamp)
            .at(block)?
            .ok_or(Error::Corrupt { block, what: "a page has less room than it says" })?;
        txn.commit()?;
    }
    Ok(next)
}

/// A part of a payload, on its way to become a chunk.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    bytes: &'a [u8],
    left: usize,
    is_first: bool,
}

/// Cuts a payload into parts, the last one first; for builds, which place chunks on pages of their own. Chunks are as long
/// as can be, but for the last.
///
/// # Errors
/// [`Error::TooLong`] for more than [`MAX_BYTES`].
pub fn parts(bytes: &[u8]) -> Result<impl Iterator<Item = Part<'_>>> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLong { bytes: bytes.len(), max: MAX_BYTES });
    }
    let part = |begin: usize| {
        let left = bytes.len() - begin;
        Part { bytes: &bytes[begin..begin + left.min(CHUNK_BYTES)], left, is_first: begin == 0 }
    };
    Ok((0..bytes.len().max(1)).step_by(CHUNK_BYTES).rev().map(part))
}

impl Part<'_> {
    /// Bytes of the item that it becomes.
    #[must_use]
    pub fn size(self) -> usize {
        size_of::<Header>() + self.bytes.len()
    }

    /// Adds the chunk to a page, which is or becomes `block`, and answers the reference to it; `None` if it does not fit.
    /// `next` is what the part before answered, and [`ItemRef::NONE`] for the first that [`parts`] yields.
    ///
    /// # Errors
    /// A page that is not sound.
    pub fn add_to(
        self,
        page: &mut Page,
        block: u32,
        format: Format,
        owner: ItemPointer,
        next: ItemRef,
        stamp: Stamp,
    ) -> Result<Option<ItemRef>, Defect> {
        page.view(format.kind)?;
        let Some(no) = page.add_zeroed(self.size())? else { return Ok(None) };
        let generation = page.next_generation();
        let Some(item) = page.item_mut(no)? else { return Ok(None) };
        let mut writer = ItemWriter::new(item);
        writer.put(&Header {
            head: ItemHead::new(format.tag, if self.is_first { FIRST } else { 0 }, owner, generation),
            left: little_endian::U32::new(self.left as u32),
            next,
            reserved: [0; 6],
            stamp: little_endian::U64::new(stamp.to_raw()),
        })?;
        writer.put(self.bytes)?;
        Ok(Some(ItemRef::new(ItemPointer::new(block, no), generation)))
    }
}

/// Frees a chain whose reference has been removed, from its first chunk on, and notes the space. A chunk that is gone ends
/// it, so it can be called again after an error; what an interruption leaves over is for a sweep.
///
/// One transaction per chunk; none may be open.
///
/// # Errors
/// Those of the store.
pub fn free<S: PageStore>(store: &S, format: Format, head: ItemRef) -> Result<()> {
    let mut at = Some(head);
    while let Some(place) = at {
        store.check_interrupts()?;
        at = free_chunk(store, format, place)?;
    }
    Ok(())
}

/// Frees one chunk, if it is still there, and answers the one behind it.
///
/// # Errors
/// Those of the store.
pub fn free_chunk<S: PageStore>(store: &S, format: Format, place: ItemRef) -> Result<Option<ItemRef>> {
    let block = place.pointer.block();
    let mut txn = store.begin();
    let slot = txn.lock(block)?;
    let Some(chunk) = find(txn.page(slot), format, place).at(block)? else { return Ok(None) };
    let next = chunk.next;
    let page = txn.page_mut(slot);
    // Taken under the lock, so that every snapshot by which the chunk was found is older.
    page.free(place.pointer.no(), store.now()).at(block)?;
    let room = page.sound().and_then(crate::View::room).at(block)?;
    txn.commit()?;
    store.note_space(block, room)?;
    Ok(next)
}
