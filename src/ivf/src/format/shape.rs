//! How many bytes an entry of a list has, and of what.

use super::block;
use crate::{Codes, Error, Options, Payload, Result};
use kite_codecs::Scorer;
use kite_pages::{ItemPointer, ItemRef, MAX_ITEM};

/// The longest block: it leaves room for some freed numbers on its page, so that a page that has been emptied can take another.
pub(crate) const LONGEST_BLOCK: usize = MAX_ITEM - 96;
/// The longest code or payload that stands in a block.
pub(crate) const LONGEST_BODY: usize = LONGEST_BLOCK - block::HEADER - 32;
/// The longest payload that stands in a row's item.
const LONGEST_ROW: usize = LONGEST_BLOCK - super::ROW_HEAD;

/// What an entry holds of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scanned {
    /// The payload.
    Payload,
    /// A reference to the payload's chunks.
    Chain,
    /// A code.
    Code,
}

/// The shape of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) scanned: Scanned,
    /// Bytes of what is scanned.
    pub(crate) body: usize,
    /// Bytes of its factors.
    pub(crate) factors: usize,
    /// Whether rows have an item of their own, with the payload.
    pub(crate) rows: bool,
    /// Bytes of a payload; 0 where there is none.
    pub(crate) payload: usize,
}

impl Shape {
    /// Of an index with these options, which are settled.
    pub(crate) fn of(options: &Options, scorer: &Scorer) -> Result<Self> {
        let payload = scorer.payload_len().ok_or(Error::Options("payloads differ in length"))?;
        let payload = if options.payload == Payload::None { 0 } else { payload };
        let (scanned, body) = match options.codes {
            Codes::None if payload <= LONGEST_BODY => (Scanned::Payload, payload),
            Codes::None => (Scanned::Chain, size_of::<ItemRef>()),
            _ => (Scanned::Code, options.code_len()),
        };
        let rows = scanned == Scanned::Code && payload > 0;
        Ok(Self { scanned, body, factors: options.factors_len(), rows, payload })
    }

    /// Whether the payload of a row is a chain of chunks.
    pub(crate) fn chained(&self) -> bool {
        self.scanned == Scanned::Chain || (self.rows && self.payload > LONGEST_ROW)
    }

    /// Bytes of an item of a row.
    pub(crate) fn row_size(&self) -> usize {
        super::ROW_HEAD + if self.chained() { size_of::<ItemRef>() } else { self.payload }
    }

    /// Bytes of an entry.
    pub(crate) fn entry(&self) -> usize {
        let link = if self.rows { size_of::<ItemPointer>() } else { 0 };
        self.body + self.factors + link + size_of::<ItemPointer>()
    }

    /// Bytes of a block with room for so many entries.
    pub(crate) fn size(&self, capacity: usize) -> usize {
        block::HEADER + capacity * self.entry()
    }

    /// The most entries of a block that is `bytes` long.
    pub(crate) fn capacity_in(&self, bytes: usize) -> usize {
        bytes.saturating_sub(block::HEADER) / self.entry()
    }

    /// The most entries of a block.
    pub(crate) fn most(&self) -> usize {
        self.capacity_in(LONGEST_BLOCK).max(1)
    }
}
