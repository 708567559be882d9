//! The rows of a build, each as one record of bytes: in memory as in temporary files.
//!
//! ```text
//! payload   from the first byte on
//! code      with its factors, once it is made; at a multiple of eight
//! tid       ItemPointer
//! list      u32, once it is known
//! error     f32: how far it is from the centroid
//! ```

use crate::Result;
use kite_build::memory::{Counted, Memory};
use kite_pages::ItemPointer;
use std::ops::Range;
use zerocopy::{FromBytes, IntoBytes};

/// Where the parts of a record are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    payload: usize,
    code: usize,
    tail: usize,
    /// Bytes of a record, a multiple of eight.
    pub(super) stride: usize,
}

impl Layout {
    /// For payloads of so many bytes and codes of at most so many.
    pub(super) fn new(payload: usize, code_len: usize) -> Self {
        let code = payload.next_multiple_of(8);
        let tail = code + code_len;
        Self { payload, code, tail, stride: (tail + 14).next_multiple_of(8) }
    }

    pub(super) fn payload<'r>(&self, record: &'r [u8]) -> &'r [u8] {
        &record[..self.payload]
    }

    /// The code, which has so many bytes with its factors.
    pub(super) fn code<'r>(&self, record: &'r [u8], len: usize) -> &'r [u8] {
        &record[self.code..self.code + len]
    }

    pub(super) fn tid(&self, record: &[u8]) -> ItemPointer {
        let bytes = &record[self.tail..self.tail + 6];
        ItemPointer::read_from_bytes(bytes).unwrap_or(ItemPointer::NONE)
    }

    pub(super) fn list(&self, record: &[u8]) -> u32 {
        u32::from_le_bytes(word(record, self.tail + 6))
    }

    pub(super) fn error(&self, record: &[u8]) -> f32 {
        f32::from_le_bytes(word(record, self.tail + 10))
    }

    fn begin(&self, record: &mut [u8], payload: &[u8], tid: ItemPointer) {
        record[..self.payload].copy_from_slice(payload);
        record[self.tail..self.tail + 6].copy_from_slice(tid.as_bytes());
    }

    /// Says where the row belongs.
    pub(super) fn assign(&self, record: &mut [u8], code: &[u8], list: u32, error: f32) {
        record[self.code..self.code + code.len()].copy_from_slice(code);
        record[self.tail + 6..self.tail + 10].copy_from_slice(&list.to_le_bytes());
        record[self.tail + 10..self.tail + 14].copy_from_slice(&error.to_le_bytes());
    }
}

fn word(record: &[u8], at: usize) -> [u8; 4] {
    [record[at], record[at + 1], record[at + 2], record[at + 3]]
}

/// Records in memory.
#[derive(Debug)]
pub(super) struct Records {
    words: Counted<u64>,
    pub(super) layout: Layout,
}

impl Records {
    pub(super) fn new(layout: Layout, memory: &Memory) -> Self {
        Self { words: Counted::new(memory), layout }
    }

    /// So many of zeros, to be read into.
    pub(super) fn zeroed(layout: Layout, count: usize, memory: &Memory) -> Result<Self> {
        Ok(Self { words: Counted::filled(memory, count * layout.stride / 8, || 0)?, layout })
    }

    pub(super) fn len(&self) -> usize {
        self.words.len() * 8 / self.layout.stride
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.words.len() * 8
    }

    pub(super) fn push(&mut self, payload: &[u8], tid: ItemPointer) -> Result<()> {
        let begin = self.words.len();
        self.words.reserve(self.layout.stride / 8)?;
        for _ in 0..self.layout.stride / 8 {
            self.words.push(0)?;
        }
        self.layout.begin(self.words[begin..].as_mut_bytes(), payload, tid);
        Ok(())
    }

    pub(super) fn get(&self, n: usize) -> &[u8] {
        let stride = self.layout.stride;
        &self.words.as_bytes()[n * stride..(n + 1) * stride]
    }

    pub(super) fn range(&self, range: Range<usize>) -> &[u8] {
        let stride = self.layout.stride;
        &self.words.as_bytes()[range.start * stride..range.end * stride]
    }

    pub(super) fn as_mut_bytes(&mut self) -> &mut [u8] {
        self.words.as_mut_bytes()
    }
}

/// Numbers of at most `most` out of `len` rows, evenly spread.
pub(super) fn spread(len: usize, most: usize) -> impl Iterator<Item = usize> {
    let count = len.min(most);
    (0..count).map(move |n| (n as u128 * len as u128 / count as u128) as usize)
}
