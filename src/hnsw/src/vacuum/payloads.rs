//! Payloads of some vertices, one after the other.

use crate::Result;
use crate::format::{CHUNKS, Place};
use kite_pages::payload::{self, Fetched};
use kite_pages::{Error, ItemRef, PageStore};
use zerocopy::IntoBytes;

/// Where a payload is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    first: usize,
    len: usize,
}

/// A payload that was taken from its vertex, or its place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Taken {
    Whole(Span),
    Chain(ItemRef),
}

/// Payloads, each at a multiple of eight bytes, as on their pages.
#[derive(Debug, Default)]
pub(super) struct Payloads {
    words: Vec<u64>,
    chain: Vec<u8>,
}

impl Payloads {
    pub(super) fn clear(&mut self) {
        self.words.clear();
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.words.as_slice())
    }

    /// Adds one.
    fn add(&mut self, payload: &[u8]) -> kite_pages::Result<Span> {
        let words = payload.len().div_ceil(size_of::<u64>());
        self.words.try_reserve(words).map_err(|_| Error::OutOfMemory { bytes: payload.len() })?;
        let first = self.words.len();
        self.words.resize(first + words, 0);
        if let Some(place) =
            self.words.get_mut(first..).and_then(|words| words.as_mut_bytes().get_mut(..payload.len()))
        {
            place.copy_from_slice(payload);
        }
        Ok(Span { first, len: payload.len() })
    }

    /// Adds the payload of a vertex whose page is locked, if it is there; [`Payloads::fetch`] does the rest.
    pub(super) fn take(&mut self, place: Place<'_>) -> kite_pages::Result<Taken> {
        Ok(match place {
            Place::Here(payload) => Taken::Whole(self.add(payload)?),
            Place::Chain(chain) => Taken::Chain(chain),
        })
    }

    /// Reads what was longer than a page. Nothing is locked. `None` when it is gone.
    pub(super) fn fetch<S: PageStore>(&mut self, store: &S, taken: Taken) -> Result<Option<Span>> {
        match taken {
            Taken::Whole(span) => Ok(Some(span)),
            Taken::Chain(chain) => self.add_chain(store, chain),
        }
    }

    fn add_chain<S: PageStore>(&mut self, store: &S, chain: ItemRef) -> Result<Option<Span>> {
        let mut bytes = std::mem::take(&mut self.chain);
        let fetched = payload::read(store, CHUNKS, chain, &mut bytes)?;
        let span = if fetched == Fetched::Whole { Some(self.add(&bytes)?) } else { None };
        self.chain = bytes;
        Ok(span)
    }

    pub(super) fn get(&self, span: Span) -> &[u8] {
        let words = self.words.get(span.first..).unwrap_or_default();
        words.as_bytes().get(..span.len).unwrap_or_default()
    }
}
