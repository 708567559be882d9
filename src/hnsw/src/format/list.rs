//! The list of a vertex on one level: its neighbours, and beside each link a copy of the neighbour's code.
//!
//! ```text
//! 0    ItemHead   tag LIST, owner: the vertex
//! 12   level      u8
//! 13   reserved   u8, 0
//! 14   count      u16
//! 16   capacity   u16
//! 18   reserved   2 bytes, 0
//! 20   frame      u32: which frame the codes belong to; 0: there are none
//! 24   links      capacity × 8
//!      factors    capacity × factors_len
//!      codes      capacity × code_len
//! ```
//!
//! Arrays and not records, so that codes of a whole list are estimated in one call. What lies behind `count` is zero.

use super::{Item, LIST, Link};
use kite_codecs::Spec;
use kite_pages::{Defect, ItemHead, ItemPointer, ItemReader, ItemWriter, MAX_ITEM};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian};

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    head: ItemHead,
    level: u8,
    reserved: u8,
    count: little_endian::U16,
    capacity: little_endian::U16,
    reserved2: [u8; 2],
    frame: little_endian::U32,
}

const HEADER: usize = size_of::<Header>();
const _: () = assert!(HEADER == 24);

/// The sizes of what stands beside a link, where codes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) factors: usize,
    pub(crate) code: usize,
}

impl Shape {
    pub(crate) fn of(spec: &Spec) -> Self {
        Self { factors: spec.factors_len(), code: spec.code_len() }
    }

    /// Bytes beside a link.
    pub(crate) fn beside(self) -> usize {
        self.factors + self.code
    }

    /// Bytes of a list with so many slots.
    pub(crate) fn size(self, capacity: usize, coded: bool) -> usize {
        HEADER + capacity * (size_of::<Link>() + if coded { self.beside() } else { 0 })
    }

    /// Whether a list of `slots` fits a page together with its codes.
    pub(crate) fn fits(self, slots: usize) -> bool {
        self.size(slots, true) <= MAX_ITEM
    }
}

/// A list, taken apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List<'a> {
    header: &'a Header,
    pub(crate) links: &'a [Link],
    /// Of the links, one after the other; empty without codes.
    pub(crate) factors: &'a [u8],
    pub(crate) codes: &'a [u8],
}

impl<'a> Item<'a> for List<'a> {
    const TAG: u8 = LIST;
    type With = Shape;

    #[inline]
    fn parse(item: &'a [u8], shape: Shape) -> Result<Self, Defect> {
        const SHORT: Defect = Defect("a list is shorter than what it says it holds");
        let mut reader = ItemReader::new(item);
        let header: &Header = reader.one()?;
        let (count, capacity) = (usize::from(header.count.get()), usize::from(header.capacity.get()));
        let (factors, code) = if header.frame.get() == 0 { (0, 0) } else { (shape.factors, shape.code) };
        let links: &[Link] = reader.many(capacity)?;
        let all_factors: &[u8] = reader.many(capacity * factors)?;
        let all_codes: &[u8] = reader.many(capacity * code)?;
        Ok(Self {
            header,
            links: links.get(..count).ok_or(SHORT)?,
            factors: all_factors.get(..count * factors).ok_or(SHORT)?,
            codes: all_codes.get(..count * code).ok_or(SHORT)?,
        })
    }

    #[inline]
    fn generation(&self) -> u32 {
        self.header.head.generation()
    }
}

impl<'a> List<'a> {
    pub(crate) fn level(&self) -> u8 {
        self.header.level
    }

    /// The vertex that it belongs to.
    pub(crate) fn owner(&self) -> ItemPointer {
        self.header.head.owner
    }

    pub(crate) fn capacity(&self) -> usize {
        usize::from(self.header.capacity.get())
    }

    /// Which frame its codes belong to; 0 without codes.
    #[inline]
    pub(crate) fn frame(&self) -> u32 {
        self.header.frame.get()
    }

    /// Code and factors of the link at this place, nothing where there are none.
    pub(crate) fn code(&self, place: usize, shape: Shape) -> Option<(&'a [u8], &'a [u8])> {
        if self.frame() == 0 {
            return None;
        }
        let code = self.codes.get(place * shape.code..(place + 1) * shape.code)?;
        let factors = self.factors.get(place * shape.factors..(place + 1) * shape.factors)?;
        Some((code, factors))
    }
}

/// A neighbour with its code and then its factors, as `Scorer::encode_code` gives them; empty without codes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry<C = Vec<u8>> {
    pub(crate) link: Link,
    pub(crate) code: C,
}

/// A list to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ListBuf<C = Vec<u8>> {
    pub(crate) generation: u32,
    pub(crate) owner: ItemPointer,
    pub(crate) level: u8,
    /// 0 for none; then the codes of the entries are passed over.
    pub(crate) frame: u32,
    /// At least the number of entries.
    pub(crate) capacity: usize,
    pub(crate) entries: Vec<Entry<C>>,
}

impl ListBuf {
    pub(crate) fn of(list: &List<'_>, shape: Shape) -> Self {
        let entry = |(place, &link): (usize, &Link)| {
            let code = list.code(place, shape).map(|(code, factors)| [code, factors].concat());
            Entry { link, code: code.unwrap_or_default() }
        };
        Self {
            generation: list.generation(),
            owner: list.owner(),
            level: list.level(),
            frame: list.frame(),
            capacity: list.capacity(),
            entries: list.links.iter().enumerate().map(entry).collect(),
        }
    }
}

impl<C: AsRef<[u8]>> ListBuf<C> {
    /// The item. Every entry has a code of the right length if there is a frame.
    pub(crate) fn to_bytes(&self, shape: Shape) -> Result<Vec<u8>, Defect> {
        let coded = self.frame != 0;
        let mut bytes = vec![0; shape.size(self.capacity, coded)];
        let mut writer = ItemWriter::new(&mut bytes);
        *writer.one::<Header>()? = Header {
            head: ItemHead::new(LIST, 0, self.owner, self.generation),
            level: self.level,
            reserved: 0,
            count: (self.entries.len() as u16).into(),
            capacity: (self.capacity as u16).into(),
            reserved2: [0; 2],
            frame: self.frame.into(),
        };
        let mut slots = Slots::of(&mut writer, self.capacity, coded, shape)?;
        for (place, entry) in self.entries.iter().enumerate() {
            slots.put(place, entry)?;
        }
        Ok(bytes)
    }
}

/// Adds a neighbour to a list where it stands. `false` when the list is full.
pub(crate) fn append(item: &mut [u8], shape: Shape, entry: &Entry) -> Result<bool, Defect> {
    let mut writer = ItemWriter::new(item);
    let header: &mut Header = writer.one()?;
    let (count, capacity) = (usize::from(header.count.get()), usize::from(header.capacity.get()));
    if count >= capacity {
        return Ok(false);
    }
    header.count = (count as u16 + 1).into();
    let coded = header.frame.get() != 0;
    Slots::of(&mut writer, capacity, coded, shape)?.put(count, entry)?;
    Ok(true)
}

/// The arrays of a list, to be written.
struct Slots<'a> {
    links: &'a mut [Link],
    factors: &'a mut [u8],
    codes: &'a mut [u8],
    shape: Shape,
    coded: bool,
}

impl<'a> Slots<'a> {
    fn of(writer: &mut ItemWriter<'a>, capacity: usize, coded: bool, shape: Shape) -> Result<Self, Defect> {
        let many = |size| if coded { capacity * size } else { 0 };
        Ok(Self {
            links: writer.many(capacity)?,
            factors: writer.many(many(shape.factors))?,
            codes: writer.many(many(shape.code))?,
            shape,
            coded,
        })
    }

    fn put(&mut self, place: usize, entry: &Entry<impl AsRef<[u8]>>) -> Result<(), Defect> {
        const WRONG: Defect = Defect("a link to be written has no slot, or a code of another length");
        *self.links.get_mut(place).ok_or(WRONG)? = entry.link;
        if !self.coded || self.shape.beside() == 0 {
            return Ok(());
        }
        let (code, factors) = entry.code.as_ref().split_at_checked(self.shape.code).ok_or(WRONG)?;
        let codes = self.codes.chunks_exact_mut(self.shape.code).nth(place);
        codes.ok_or(WRONG)?.copy_from_slice(code);
        if self.shape.factors > 0 {
            let slot = self.factors.chunks_exact_mut(self.shape.factors).nth(place).ok_or(WRONG)?;
            if factors.len() != slot.len() {
                return Err(WRONG);
            }
            slot.copy_from_slice(factors);
        }
        Ok(())
    }
}
