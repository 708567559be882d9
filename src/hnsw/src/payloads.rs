//! Copies of payloads, so that distances between stored vectors are computed while no page is locked.

use crate::format::{CHUNKS, Link, NODES, Place, Vertex};
use crate::grow::{lengthen, push};
use crate::{Error, Result};
use kite_pages::payload::{self, Fetched};
use kite_pages::{At, BlockNo, ItemRef, PageStore};
use zerocopy::IntoBytes;

/// Payloads, by number. Each begins at a multiple of eight bytes in memory, as on a page.
#[derive(Debug, Default)]
pub(crate) struct Payloads {
    words: Vec<u64>,
    /// Where each begins, and how many bytes it has.
    places: Vec<(usize, usize)>,
}

impl Payloads {
    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.words.clear();
        self.places.clear();
    }

    /// Bytes that they take.
    pub(crate) fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>() + self.places.capacity() * size_of::<(usize, usize)>()
    }

    /// Takes a copy, and answers its number.
    ///
    /// # Errors
    /// [`kite_pages::Error::OutOfMemory`].
    pub(crate) fn push(&mut self, payload: &[u8]) -> kite_pages::Result<u32> {
        let begin = self.words.len();
        lengthen(&mut self.words, begin + payload.len().div_ceil(size_of::<u64>()), 0)?;
        push(&mut self.places, (begin, payload.len()))?;
        if let Some(place) = self.words.as_mut_bytes().get_mut(8 * begin..8 * begin + payload.len()) {
            place.copy_from_slice(payload);
        }
        Ok(self.places.len() as u32 - 1)
    }

    /// The payload of this number; nothing if there is none.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> &[u8] {
        let place = self.places.get(number as usize);
        place
            .and_then(|&(begin, len)| self.words.as_bytes().get(8 * begin..8 * begin + len))
            .unwrap_or_default()
    }

    /// All of them, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.places.len() as u32).map(|number| self.get(number))
    }
}

/// What became of a vertex that a link leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Rows have it; its payload has this number.
    Live(u32),
    /// No row has it any more; its payload has this number.
    Dead(u32),
    /// It is not there any more.
    Gone,
}

/// Copies the payloads of the vertices that these links lead to, many pages at a time. No lock may be held.
pub(crate) fn fetch<S: PageStore>(store: &S, links: &[Link], into: &mut Payloads) -> Result<Vec<Fate>> {
    fetch_and_see(store, links, into, |_, _| ())
}

/// The same, and shows each vertex that is there, with the place of its link, while its page is locked.
pub(crate) fn fetch_and_see<S: PageStore>(
    store: &S,
    links: &[Link],
    into: &mut Payloads,
    mut see: impl FnMut(usize, &Vertex<'_>),
) -> Result<Vec<Fate>> {
    let blocks: Vec<BlockNo> = links.iter().map(|link| link.block()).collect();
    let mut fates = Vec::new();
    fates
        .try_reserve_exact(links.len())
        .map_err(|_| Error::OutOfMemory { bytes: links.len() * size_of::<Fate>() })?;
    let mut chained: Vec<(usize, bool, ItemRef)> = Vec::new();
    for (first, group) in (0..).step_by(store.batch().max(1)).zip(blocks.chunks(store.batch().max(1))) {
        store.read_many(group, |place, page| {
            let (place, block) = (first + place, group[place]);
            let view = page.view(NODES).at(block)?;
            let mut fate = Fate::Gone;
            if let Some(vertex) = links[place].find::<Vertex<'_>>(view, ()).at(block)? {
                see(place, &vertex);
                match vertex.payload().at(block)? {
                    Place::Chain(chain) => push(&mut chained, (place, vertex.is_dead(), chain))?,
                    Place::Here(payload) => fate = Fate::of(into.push(payload)?, vertex.is_dead()),
                }
            }
            fates.push(fate);
            Ok(())
        })?;
    }
    let mut bytes = Vec::new();
    for (place, dead, chain) in chained {
        if payload::read(store, CHUNKS, chain, &mut bytes)? == Fetched::Whole {
            fates[place] = Fate::of(into.push(&bytes)?, dead);
        }
    }
    Ok(fates)
}

impl Fate {
    fn of(number: u32, dead: bool) -> Self {
        if dead { Self::Dead(number) } else { Self::Live(number) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_of_any_length_are_kept_aligned() {
        let mut payloads = Payloads::default();
        for len in 0..40 {
            assert_eq!(payloads.push(&vec![len as u8; len]), Ok(len as u32));
        }
        for len in 0..40_u32 {
            let payload = payloads.get(len);
            assert_eq!(payload, vec![len as u8; len as usize]);
            assert!(payload.is_empty() || payload.as_ptr().addr().is_multiple_of(8));
        }
        assert_eq!((payloads.get(40), payloads.iter().count()), (&[][..], 40));
        payloads.clear();
        assert_eq!(payloads.iter().count(), 0);
    }
}
