//! Rows and lists in temporary files.

use super::ScratchFile;
use crate::Result;
use kite_build::{expect, read_whole, refill};
use kite_pages::ItemPointer;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian};

/// What stands before the payload of a row.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct RowHead {
    row: little_endian::U32,
    len: little_endian::U32,
    part: little_endian::U16,
    pub(super) tid: ItemPointer,
}

impl RowHead {
    /// Of a row by number, and the part that it belongs to first of all.
    pub(super) fn new(row: u32, part: u16, tid: ItemPointer) -> Self {
        Self { row: row.into(), len: 0.into(), part: part.into(), tid }
    }

    pub(super) fn row(&self) -> u32 {
        self.row.get()
    }

    pub(super) fn part(&self) -> u16 {
        self.part.get()
    }
}

/// A file of rows with their payloads.
#[derive(Debug)]
pub(super) struct RowSpool<F> {
    file: F,
    /// How many there are.
    pub(super) rows: usize,
    /// Bytes of all payloads.
    pub(super) bytes: usize,
}

impl<F: ScratchFile> RowSpool<F> {
    pub(super) fn new(file: F) -> Self {
        Self { file, rows: 0, bytes: 0 }
    }

    pub(super) fn append(&mut self, head: RowHead, payload: &[u8]) -> Result<()> {
        let head = RowHead { len: (payload.len() as u32).into(), ..head };
        self.file.append(head.as_bytes())?;
        self.file.append(payload)?;
        self.rows += 1;
        self.bytes += payload.len();
        Ok(())
    }

    pub(super) fn rewind(&mut self) -> Result<()> {
        Ok(self.file.rewind()?)
    }

    /// The next row, whose payload replaces what `payload` held; `None` at the end.
    pub(super) fn next(&mut self, payload: &mut Vec<u8>) -> Result<Option<RowHead>> {
        let mut head = RowHead::new_zeroed();
        if !read_whole(&mut self.file, head.as_mut_bytes())? {
            return Ok(None);
        }
        refill(&mut self.file, payload, head.len.get() as usize)?;
        Ok(Some(head))
    }
}

/// A further row of a vector: the row by which the vector is known, and where the other is.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Extra {
    of: little_endian::U32,
    pub(super) tid: ItemPointer,
}

impl Extra {
    pub(super) fn new(of: u32, tid: ItemPointer) -> Self {
        Self { of: of.into(), tid }
    }

    pub(super) fn of(&self) -> u32 {
        self.of.get()
    }
}

/// What stands before the lists of a vertex.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ListsHead {
    row: little_endian::U32,
    part: little_endian::U16,
    /// The lowest of the levels that follow, and how many follow.
    lowest: u8,
    levels: u8,
}

/// A neighbour in a list.
#[derive(Debug, Clone, Copy, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct Near {
    row: little_endian::U32,
    distance: little_endian::F32,
}

impl Near {
    pub(super) fn new(row: u32, distance: f32) -> Self {
        Self { row: row.into(), distance: distance.into() }
    }

    pub(super) fn row(&self) -> u32 {
        self.row.get()
    }

    pub(super) fn distance(&self) -> f32 {
        self.distance.get()
    }
}

/// Lists of vertices in the order of [`Lists::key`], with the codes of the neighbours in a file beside it: the first is read
/// twice, the second once.
#[derive(Debug)]
pub(super) struct ListSpool<F> {
    lists: F,
    codes: F,
    /// Bytes of a code with its factors.
    size: usize,
    with_codes: bool,
    head: Lists,
    ended: bool,
}

/// The lists of a vertex as one part has them.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) row: u32,
    /// The part that the vertex belongs to first of all.
    pub(super) part: u16,
    /// The level of the first list.
    pub(super) lowest: u8,
    pub(super) lists: Vec<Vec<Near>>,
    /// Of all neighbours in all lists, in order.
    pub(super) codes: Vec<u8>,
}

impl Lists {
    /// By which they are sorted.
    pub(super) fn key(&self) -> (u16, u32) {
        (self.part, self.row)
    }
}

impl<F: ScratchFile> ListSpool<F> {
    /// New files, for codes of this size.
    pub(super) fn new(lists: F, codes: F, size: usize) -> Self {
        Self { lists, codes, size, with_codes: false, head: Lists::default(), ended: false }
    }

    pub(super) fn code_size(&self) -> usize {
        self.size
    }

    pub(super) fn append(&mut self, of: &Lists) -> Result<()> {
        let head = ListsHead {
            row: of.row.into(),
            part: of.part.into(),
            lowest: of.lowest,
            levels: of.lists.len() as u8,
        };
        self.lists.append(head.as_bytes())?;
        for list in &of.lists {
            self.lists.append(&(list.len() as u16).to_le_bytes())?;
            self.lists.append(list.as_slice().as_bytes())?;
        }
        Ok(self.codes.append(&of.codes)?)
    }

    /// Goes to the begin, to read lists with or without codes.
    pub(super) fn rewind(&mut self, with_codes: bool) -> Result<()> {
        self.lists.rewind()?;
        self.codes.rewind()?;
        (self.with_codes, self.ended) = (with_codes, false);
        self.advance()
    }

    /// The lists of the vertex with this key, if there are some. Those before it are passed over.
    pub(super) fn seek(&mut self, key: (u16, u32)) -> Result<Option<&Lists>> {
        while !self.ended && self.head.key() < key {
            self.advance()?;
        }
        Ok((!self.ended && self.head.key() == key).then_some(&self.head))
    }

    fn advance(&mut self) -> Result<()> {
        let mut head = ListsHead::new_zeroed();
        self.ended = !read_whole(&mut self.lists, head.as_mut_bytes())?;
        if self.ended {
            return Ok(());
        }
        let into = &mut self.head;
        (into.row, into.part, into.lowest) = (head.row.get(), head.part.get(), head.lowest);
        into.lists.resize_with(usize::from(head.levels), Vec::new);
        let mut count = 0;
        for list in &mut into.lists {
            let mut len = [0; 2];
            expect(&mut self.lists, &mut len)?;
            let len = usize::from(u16::from_le_bytes(len));
            list.resize(len, Near::new_zeroed());
            expect(&mut self.lists, list.as_mut_slice().as_mut_bytes())?;
            count += len;
        }
        into.codes.clear();
        if self.with_codes {
            refill(&mut self.codes, &mut into.codes, count * self.size)?;
        }
        Ok(())
    }
}
