//! A block of a list: entries of rows as arrays, since they are scanned so.
//!
//! ```text
//! 0    ItemHead   tag BLOCK, flags CLOSED, owner: the anchor
//! 12   list       u32
//! 16   next       Link to the block behind this one
//! 24   replaced   Link to the first of the blocks that this one took the place of, until these are freed
//! 32   stamp      u64: when it took it
//! 40   count      u16
//! 42   capacity   u16
//! 44   replaced   u16: how many
//! 46   gone       u16: how many rows are gone whose items are not freed
//! 48   error      f64: the sum of how far entries were from the centroid when they came
//! 56   bodies     codes or payloads, `capacity` of them
//!      factors    of the codes
//!      rows       ItemPointer each: where the row's item is, if rows have one
//!      tids       ItemPointer each
//! ```
//!
//! Entries are added at the end, to blocks that are not closed. A closed block loses entries, and gets no new ones.
//!
//! Of a row that is gone the places of `rows` and `tids` behind those of the entries remember where its item is, until that is freed. Its
//! TID may be another row's by then.

use super::{BLOCK, Link, Shape};
use kite_pages::{Defect, ItemHead, ItemPointer, ItemReader, ItemWriter, Stamp};
use std::ops::Range;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian};

const CLOSED: u8 = 1;

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    head: ItemHead,
    list: little_endian::U32,
    next: Link,
    replaced: Link,
    stamp: little_endian::U64,
    count: little_endian::U16,
    capacity: little_endian::U16,
    replaced_count: little_endian::U16,
    gone: little_endian::U16,
    error: little_endian::F64,
}

pub(crate) const HEADER: usize = size_of::<Header>();
const _: () = assert!(HEADER == 56);

/// A block, taken apart. Arrays are as long as there are entries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'a> {
    header: &'a Header,
    pub(crate) entries: Entries<'a>,
    /// Where the items of rows that are gone are, and their TIDs.
    gone: (&'a [ItemPointer], &'a [ItemPointer]),
}

/// Entries side by side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entries<'a> {
    pub(crate) bodies: &'a [u8],
    pub(crate) factors: &'a [u8],
    /// Empty where rows have no items.
    pub(crate) rows: &'a [ItemPointer],
    pub(crate) tids: &'a [ItemPointer],
}

impl<'a> Block<'a> {
    /// Takes an item apart; `None` for one of another sort.
    #[inline]
    pub(crate) fn parse(item: &'a [u8], shape: &Shape) -> Result<Option<Self>, Defect> {
        if item.first() != Some(&BLOCK) {
            return Ok(None);
        }
        let mut reader = ItemReader::new(item);
        let header: &Header = reader.one()?;
        let (count, capacity) = (usize::from(header.count.get()), usize::from(header.capacity.get()));
        let gone = usize::from(header.gone.get());
        if count + gone > capacity || (gone > 0 && !shape.rows) {
            return Err(Defect("a block of a list has more entries than room"));
        }
        let bodies = reader.many::<u8>(capacity * shape.body)?;
        let factors = reader.many::<u8>(capacity * shape.factors)?;
        let rows = reader.many::<ItemPointer>(if shape.rows { capacity } else { 0 })?;
        let tids = reader.many::<ItemPointer>(capacity)?;
        let entries = Entries {
            bodies: &bodies[..count * shape.body],
            factors: &factors[..count * shape.factors],
            rows: if shape.rows { &rows[..count] } else { rows },
            tids: &tids[..count],
        };
        let gone = if gone > 0 {
            (&rows[count..count + gone], &tids[count..count + gone])
        } else {
            (&[][..], &[][..])
        };
        Ok(Some(Self { header, entries, gone }))
    }

    pub(crate) fn generation(&self) -> u32 {
        self.header.head.generation()
    }

    /// The anchor of its list.
    pub(crate) fn owner(&self) -> ItemPointer {
        self.header.head.owner
    }

    pub(crate) fn list(&self) -> u32 {
        self.header.list.get()
    }

    pub(crate) fn next(&self) -> Option<Link> {
        self.header.next.some()
    }

    pub(crate) fn count(&self) -> usize {
        self.entries.tids.len()
    }

    pub(crate) fn capacity(&self) -> usize {
        usize::from(self.header.capacity.get())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.header.head.flags & CLOSED != 0
    }

    pub(crate) fn has_room(&self) -> bool {
        !self.is_closed() && self.count() + self.gone.0.len() < self.capacity()
    }

    /// The items of rows that are gone and not freed, with their TIDs.
    pub(crate) fn gone(&self) -> impl ExactSizeIterator<Item = (ItemPointer, ItemPointer)> + use<'a> {
        self.gone.0.iter().copied().zip(self.gone.1.iter().copied())
    }

    /// The blocks that it took the place of and that are not freed yet: the first, how many, and since when.
    pub(crate) fn replaced(&self) -> Option<(Link, usize, Stamp)> {
        let count = usize::from(self.header.replaced_count.get());
        self.header.replaced.some().map(|link| (link, count, Stamp::from_raw(self.header.stamp.get())))
    }

    /// The sum of how far entries were from the centroid when they came.
    pub(crate) fn error(&self) -> f64 {
        self.header.error.get()
    }
}

impl Entries<'_> {
    pub(crate) fn body(&self, n: usize, shape: &Shape) -> &[u8] {
        self.bodies.get(n * shape.body..(n + 1) * shape.body).unwrap_or_default()
    }
}

/// A block to be written.
#[derive(Debug, Clone)]
pub(crate) struct BlockBuf {
    pub(crate) generation: u32,
    pub(crate) closed: bool,
    pub(crate) owner: ItemPointer,
    pub(crate) list: u32,
    pub(crate) next: Link,
    pub(crate) replaced: Option<(Link, usize, Stamp)>,
    pub(crate) capacity: usize,
    pub(crate) error: f64,
    pub(crate) bodies: Vec<u8>,
    pub(crate) factors: Vec<u8>,
    pub(crate) rows: Vec<ItemPointer>,
    pub(crate) tids: Vec<ItemPointer>,
    /// As of [`Block::gone`].
    pub(crate) gone: Vec<(ItemPointer, ItemPointer)>,
}

impl BlockBuf {
    /// Without entries.
    pub(crate) fn new(owner: ItemPointer, list: u32, capacity: usize) -> Self {
        Self {
            generation: 0,
            closed: false,
            owner,
            list,
            next: Link::NONE,
            replaced: None,
            capacity,
            error: 0.0,
            bodies: Vec::new(),
            factors: Vec::new(),
            rows: Vec::new(),
            tids: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// A copy.
    pub(crate) fn of(block: &Block<'_>) -> Self {
        let mut copy = Self::new(block.owner(), block.list(), block.capacity());
        copy.generation = block.generation();
        copy.closed = block.is_closed();
        copy.next = block.header.next;
        copy.replaced = block.replaced();
        copy.add(&block.entries);
        copy.gone.extend(block.gone());
        copy.error = block.error();
        copy
    }

    pub(crate) fn count(&self) -> usize {
        self.tids.len()
    }

    /// Entries, and rows that are gone: places that are taken.
    pub(crate) fn taken(&self) -> usize {
        self.tids.len() + self.gone.len()
    }

    /// Adds entries, as many as may be.
    pub(crate) fn add(&mut self, entries: &Entries<'_>) {
        self.bodies.extend_from_slice(entries.bodies);
        self.factors.extend_from_slice(entries.factors);
        self.rows.extend_from_slice(entries.rows);
        self.tids.extend_from_slice(entries.tids);
    }

    /// The item.
    pub(crate) fn to_bytes(&self, shape: &Shape) -> Result<Vec<u8>, Defect> {
        let mut item = vec![0; shape.size(self.capacity)];
        self.write(shape, &mut item)?;
        Ok(item)
    }

    /// Writes it to an item of the right length.
    pub(crate) fn write(&self, shape: &Shape, item: &mut [u8]) -> Result<(), Defect> {
        if self.taken() > self.capacity || self.capacity > usize::from(u16::MAX) {
            return Err(Defect("a block of a list has more entries than room"));
        }
        let (replaced, count, stamp) = self.replaced.unwrap_or((Link::NONE, 0, Stamp::from_raw(0)));
        let mut writer = ItemWriter::new(item);
        let flags = if self.closed { CLOSED } else { 0 };
        writer.put(&Header {
            head: ItemHead::new(BLOCK, flags, self.owner, self.generation),
            list: self.list.into(),
            next: self.next,
            replaced,
            stamp: stamp.to_raw().into(),
            count: (self.count() as u16).into(),
            capacity: (self.capacity as u16).into(),
            replaced_count: (count as u16).into(),
            gone: (self.gone.len() as u16).into(),
            error: self.error.into(),
        })?;
        let spare = self.capacity - self.count();
        writer.put(self.bodies.as_slice())?;
        skip(&mut writer, spare * shape.body)?;
        writer.put(self.factors.as_slice())?;
        skip(&mut writer, spare * shape.factors)?;
        let link = size_of::<ItemPointer>();
        let free = self.capacity - self.taken();
        writer.put(self.rows.as_slice())?;
        self.gone.iter().try_for_each(|(row, _)| writer.put(row))?;
        skip(&mut writer, if shape.rows { free * link } else { 0 })?;
        writer.put(self.tids.as_slice())?;
        self.gone.iter().try_for_each(|(_, tid)| writer.put(tid))?;
        skip(&mut writer, free * link)
    }
}

fn skip(writer: &mut ItemWriter<'_>, bytes: usize) -> Result<(), Defect> {
    writer.many::<u8>(bytes).map(|bytes| bytes.fill(0))
}

/// Adds an entry to an item that [`Block::has_room`].
pub(crate) fn append(
    item: &mut [u8],
    shape: &Shape,
    (body, factors): (&[u8], &[u8]),
    row: ItemPointer,
    tid: ItemPointer,
    error: f64,
) -> Result<(), Defect> {
    let mut writer = ItemWriter::new(item);
    let header: &mut Header = writer.one()?;
    let (count, capacity) = (usize::from(header.count.get()), usize::from(header.capacity.get()));
    let gone = usize::from(header.gone.get());
    if count + gone >= capacity || body.len() != shape.body || factors.len() != shape.factors {
        return Err(Defect("an entry does not fit its block"));
    }
    header.count = (count as u16 + 1).into();
    header.error = (header.error.get() + error).into();
    let bodies = writer.many::<u8>(capacity * shape.body)?;
    bodies[count * shape.body..(count + 1) * shape.body].copy_from_slice(body);
    let all = writer.many::<u8>(capacity * shape.factors)?;
    all[count * shape.factors..(count + 1) * shape.factors].copy_from_slice(factors);
    // The first of those that are gone makes room.
    let put = |places: &mut [ItemPointer], pointer| {
        places[count + gone] = places[count];
        places[count] = pointer;
    };
    if shape.rows {
        put(writer.many(capacity)?, row);
    }
    put(writer.many(capacity)?, tid);
    Ok(())
}

/// Keeps the entries of an item for which `keep` says so, by place, and answers how many went. Where their rows' items are is remembered. The
/// error is taken to fall with their number.
pub(crate) fn retain(item: &mut [u8], shape: &Shape, keep: impl Fn(usize) -> bool) -> Result<usize, Defect> {
    let mut writer = ItemWriter::new(item);
    let header: &mut Header = writer.one()?;
    let (count, capacity) = (usize::from(header.count.get()), usize::from(header.capacity.get()));
    let gone = usize::from(header.gone.get());
    if count + gone > capacity {
        return Err(Defect("a block of a list has more entries than room"));
    }
    // Neighbours move together.
    let mut runs: Vec<Range<usize>> = Vec::with_capacity(count / 2 + 1);
    for n in (0..count).filter(|&n| keep(n)) {
        match runs.last_mut() {
            Some(run) if run.end == n => run.end += 1,
            _ => runs.push(n..n + 1),
        }
    }
    let left: usize = runs.iter().map(ExactSizeIterator::len).sum();
    header.count = (left as u16).into();
    header.error = (header.error.get() * left as f64 / count.max(1) as f64).into();
    for size in [shape.body, shape.factors] {
        let entries = writer.many::<u8>(capacity * size)?;
        let mut to = 0;
        for run in &runs {
            if to != run.start {
                entries.copy_within(run.start * size..run.end * size, to * size);
            }
            to += run.len();
        }
        // What nobody reads is zero, as in a block that was never fuller.
        entries[left * size..count * size].fill(0);
    }
    let mut went = Vec::with_capacity(count - left);
    let mut part = |places: &mut [ItemPointer]| {
        went.clear();
        went.extend((0..count).filter(|&n| !keep(n)).map(|n| places[n]));
        let mut to = 0;
        for run in &runs {
            places.copy_within(run.clone(), to);
            to += run.len();
        }
        places[left..count].copy_from_slice(&went);
    };
    if shape.rows {
        // Those that went before stay behind these.
        header.gone = ((gone + count - left) as u16).into();
        part(writer.many(capacity)?);
        part(writer.many(capacity)?);
    } else {
        let tids = writer.many(capacity)?;
        part(tids);
        tids[left..count].as_mut_bytes().fill(0);
    }
    Ok(count - left)
}

/// Forgets the rows that are gone whose items, by `is_freed`, are freed.
pub(crate) fn forget(
    item: &mut [u8],
    shape: &Shape,
    is_freed: impl Fn(ItemPointer) -> bool,
) -> Result<(), Defect> {
    let mut writer = ItemWriter::new(item);
    let header: &mut Header = writer.one()?;
    let (count, capacity) = (usize::from(header.count.get()), usize::from(header.capacity.get()));
    let end = count + usize::from(header.gone.get());
    if end > capacity {
        return Err(Defect("a block of a list has more entries than room"));
    }
    let _: &[u8] = writer.many(capacity * (shape.body + shape.factors))?;
    let rows: &mut [ItemPointer] = writer.many(capacity)?;
    let tids: &mut [ItemPointer] = writer.many(capacity)?;
    let mut to = count;
    for n in count..end {
        if !is_freed(rows[n]) {
            (rows[to], tids[to]) = (rows[n], tids[n]);
            to += 1;
        }
    }
    header.gone = ((to - count) as u16).into();
    rows[to..end].as_mut_bytes().fill(0);
    tids[to..end].as_mut_bytes().fill(0);
    Ok(())
}

/// Changes what leads on from a block.
pub(crate) fn set_next(item: &mut [u8], next: Link) -> Result<(), Defect> {
    ItemWriter::new(item).one::<Header>().map(|header| header.next = next)
}

/// Closes a block for new entries.
pub(crate) fn close(item: &mut [u8]) -> Result<(), Defect> {
    ItemWriter::new(item).one::<Header>().map(|header| header.head.flags |= CLOSED)
}

/// Says which replaced blocks are left.
pub(crate) fn set_replaced(item: &mut [u8], first: Link, count: usize) -> Result<(), Defect> {
    ItemWriter::new(item).one::<Header>().map(|header| {
        (header.replaced, header.replaced_count) = (first, (count as u16).into());
    })
}
