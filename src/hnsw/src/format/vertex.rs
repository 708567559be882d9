//! A vertex: one vector, the rows that have it, and where its lists are.
//!
//! ```text
//! 0    ItemHead   tag VERTEX, flags DEAD | CHAINED | UNLINKED, owner: none
//! 12   level      u8
//! 13   tids       u8: heap TIDs that stand here, at most 8
//! 14   slots      u8: heap TIDs that there is room for, at most 8
//! 15   reserved   u8, 0
//! 16   postings   Link to the first posting with further TIDs, or none; UNLINKED: the stamp of that, u64
//! 24   lists      Link of the list of each level, from 0
//!      payload    the vector, as `kite_codecs` encodes it; CHAINED: an ItemRef to where it is
//!      tids       6 bytes each; the slots behind them are zero
//! ```
//!
//! A vertex has TIDs here as long as it has any. Without any it is `DEAD` and stays so: searches pass through it. Once vacuum has led
//! all lists past it, it is `UNLINKED`: only searches that were under way come by, and when the stamp is past it is freed.

use super::{HIGHEST, Item, Link, VERTEX};
use kite_pages::{BlockNo, Defect, ItemHead, ItemPointer, ItemReader, ItemRef, ItemWriter, Stamp, View};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The most heap TIDs in the vertex itself.
pub(crate) const INLINE: usize = 8;

const DEAD: u8 = 1;
const CHAINED: u8 = 2;
const UNLINKED: u8 = 4;

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    head: ItemHead,
    level: u8,
    tids: u8,
    slots: u8,
    reserved: u8,
    postings: Link,
}

const _: () = assert!(size_of::<Header>() == 24 && size_of::<Link>() == 8);

/// A vertex, taken apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vertex<'a> {
    header: &'a Header,
    /// Where the lists are, by level.
    pub(crate) lists: &'a [Link],
    payload: &'a [u8],
    /// The first TIDs; the others are in postings.
    pub(crate) tids: &'a [ItemPointer],
}

/// Where a payload is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    Here(&'a [u8]),
    Chain(ItemRef),
}

impl<'a> Item<'a> for Vertex<'a> {
    const TAG: u8 = VERTEX;
    type With = ();

    #[inline]
    fn parse(item: &'a [u8], (): ()) -> Result<Self, Defect> {
        let mut reader = ItemReader::new(item);
        let header: &Header = reader.one()?;
        if header.level > HIGHEST || header.tids > header.slots || usize::from(header.slots) > INLINE {
            return Err(Defect("a vertex has an impossible level or number of rows"));
        }
        let lists = reader.many(usize::from(header.level) + 1)?;
        let rest = reader.rest();
        let size = usize::from(header.slots) * size_of::<ItemPointer>();
        let Some((payload, slots)) = rest.len().checked_sub(size).and_then(|at| rest.split_at_checked(at))
        else {
            return Err(Defect("a vertex is shorter than what it says it holds"));
        };
        let tids = &slots[..usize::from(header.tids) * size_of::<ItemPointer>()];
        let tids =
            <[ItemPointer]>::ref_from_bytes(tids).map_err(|_| Defect("the rows of a vertex are cut off"))?;
        Ok(Self { header, lists, payload, tids })
    }

    #[inline]
    fn generation(&self) -> u32 {
        self.header.head.generation()
    }
}

/// The vertices of a page, with links to them.
pub(crate) fn vertices(
    view: View<'_>,
    block: BlockNo,
) -> impl Iterator<Item = Result<(Link, Vertex<'_>), Defect>> {
    view.items().filter_map(move |item| match item {
        Ok((no, item)) if item.first() == Some(&VERTEX) => Some(
            Vertex::parse(item, ())
                .map(|vertex| (Link::new(ItemPointer::new(block, no), vertex.generation()), vertex)),
        ),
        Ok(_) => None,
        Err(defect) => Some(Err(defect)),
    })
}

impl<'a> Vertex<'a> {
    pub(crate) fn level(&self) -> u8 {
        self.header.level
    }

    /// Whether no row has this vector any more.
    pub(crate) fn is_dead(&self) -> bool {
        self.header.head.flags & DEAD != 0
    }

    /// The first posting.
    #[inline]
    pub(crate) fn postings(&self) -> Link {
        if self.header.head.flags & UNLINKED == 0 { self.header.postings } else { Link::NONE }
    }

    /// When it was taken out of the graph, if it was.
    pub(crate) fn unlinked(&self) -> Option<Stamp> {
        let raw = u64::from_le_bytes(zerocopy::transmute!(self.header.postings));
        (self.header.head.flags & UNLINKED != 0).then(|| Stamp::from_raw(raw))
    }

    /// The list of a level, if it has that level.
    #[inline]
    pub(crate) fn list(&self, level: u8) -> Link {
        self.lists.get(usize::from(level)).copied().unwrap_or(Link::NONE)
    }

    /// The payload or where it is.
    #[inline]
    pub(crate) fn payload(&self) -> Result<Place<'a>, Defect> {
        if self.header.head.flags & CHAINED == 0 {
            return Ok(Place::Here(self.payload));
        }
        match ItemRef::read_from_bytes(self.payload) {
            Ok(chain) => Ok(Place::Chain(chain)),
            Err(_) => Err(Defect("a vertex does not say where its payload is")),
        }
    }
}

/// A vertex to be written, or to be changed and written again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VertexBuf {
    pub(crate) generation: u32,
    pub(crate) dead: bool,
    pub(crate) chained: bool,
    /// Only of a dead one, which has no postings.
    pub(crate) unlinked: Option<Stamp>,
    pub(crate) postings: Link,
    /// One per level, from 0.
    pub(crate) lists: Vec<Link>,
    /// The payload, or an [`ItemRef`] as bytes.
    pub(crate) payload: Vec<u8>,
    /// At most [`INLINE`].
    pub(crate) tids: Vec<ItemPointer>,
    /// TIDs that the item has room for; it gets more if need be. 0 for a new one.
    pub(crate) slots: usize,
}

impl From<Vertex<'_>> for VertexBuf {
    fn from(vertex: Vertex<'_>) -> Self {
        Self {
            generation: vertex.generation(),
            dead: vertex.is_dead(),
            chained: vertex.header.head.flags & CHAINED != 0,
            unlinked: vertex.unlinked(),
            postings: vertex.postings(),
            lists: vertex.lists.to_vec(),
            payload: vertex.payload.to_vec(),
            tids: vertex.tids.to_vec(),
            slots: usize::from(vertex.header.slots),
        }
    }
}

impl VertexBuf {
    /// TIDs that an item made for so many has room for: one more, so that the new version of a row that was updated finds room where
    /// the old one is.
    fn slots_for(tids: usize) -> usize {
        if tids == 0 { 0 } else { (tids + 1).min(INLINE) }
    }

    /// Bytes of a new vertex item.
    pub(crate) fn size(level: u8, payload: usize, tids: usize) -> usize {
        size_of::<Header>()
            + (usize::from(level) + 1) * size_of::<Link>()
            + payload
            + Self::slots_for(tids) * size_of::<ItemPointer>()
    }

    /// The item.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Defect> {
        let level = (self.lists.len() as u8).wrapping_sub(1);
        let slots = if self.tids.len() <= self.slots { self.slots } else { Self::slots_for(self.tids.len()) };
        let size = Self::size(level, self.payload.len(), 0) + slots * size_of::<ItemPointer>();
        let mut bytes = vec![0; size];
        let flags = (u8::from(self.dead) * DEAD)
            | (u8::from(self.chained) * CHAINED)
            | (u8::from(self.unlinked.is_some()) * UNLINKED);
        let stamped = |stamp: Stamp| zerocopy::transmute!(stamp.to_raw().to_le_bytes());
        let mut writer = ItemWriter::new(&mut bytes);
        writer.put(&Header {
            head: ItemHead::new(VERTEX, flags, ItemPointer::NONE, self.generation),
            level,
            tids: self.tids.len() as u8,
            slots: slots as u8,
            reserved: 0,
            postings: self.unlinked.map_or(self.postings, stamped),
        })?;
        writer.put(self.lists.as_slice())?;
        writer.put(self.payload.as_slice())?;
        writer.put(self.tids.as_slice())?;
        Ok(bytes)
    }
}
