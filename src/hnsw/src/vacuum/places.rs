//! What a vacuum remembers of the whole index: places of items, in order.

use crate::format::Link;
use kite_pages::{Error, ItemPointer, Result};

/// Links in the order of their places, and a mark for each. Eight bytes and a bit of memory per link.
#[derive(Debug)]
pub(super) struct Places {
    keys: Vec<u64>,
    marks: Vec<u64>,
    most: usize,
}

/// A link as a number, in the order of blocks and items.
fn key(link: Link) -> u64 {
    let bytes: [u8; 8] = zerocopy::transmute!(link);
    link.place() << 16 | u64::from_le_bytes(bytes) >> 48
}

fn link(key: u64) -> Link {
    Link::new(ItemPointer::new((key >> 32) as u32, (key >> 16) as u16), key as u32)
}

impl Places {
    /// At most so many.
    pub(super) fn new(most: usize) -> Self {
        Self { keys: Vec::new(), marks: Vec::new(), most }
    }

    /// Whether `more` fit.
    pub(super) fn fit(&self, more: usize) -> bool {
        self.keys.len() + more <= self.most
    }

    /// Adds a link that lies behind all others.
    pub(super) fn push(&mut self, link: Link) -> Result<()> {
        const FULL: Error = Error::OutOfMemory { bytes: size_of::<u64>() };
        self.keys.try_reserve(1).map_err(|_| FULL)?;
        if self.keys.len().is_multiple_of(64) {
            self.marks.try_reserve(1).map_err(|_| FULL)?;
            self.marks.push(0);
        }
        self.keys.push(key(link));
        Ok(())
    }

    /// Bytes that they take.
    pub(super) fn bytes(&self) -> usize {
        (self.keys.capacity() + self.marks.capacity()) * size_of::<u64>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether the item of this place and generation is among them.
    pub(super) fn contains(&self, link: Link) -> bool {
        !self.keys.is_empty() && self.keys.binary_search(&key(link)).is_ok()
    }

    /// Whether an item of this place is among them, of whatever generation.
    pub(super) fn contains_place(&self, pointer: ItemPointer) -> bool {
        let from = key(Link::new(pointer, 0));
        let at = self.keys.partition_point(|&key| key < from);
        self.keys.get(at).is_some_and(|key| key >> 16 == from >> 16)
    }

    /// Marks a link, if it is among them.
    pub(super) fn mark(&mut self, link: Link) {
        if let Ok(at) = self.keys.binary_search(&key(link))
            && let Some(marks) = self.marks.get_mut(at / 64)
        {
            *marks |= 1 << (at % 64);
        }
    }

    /// All, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Link> {
        self.keys.iter().map(|&key| link(key))
    }

    /// Those without a mark, in order.
    pub(super) fn unmarked(&self) -> impl Iterator<Item = Link> {
        let marked = |at: usize| self.marks.get(at / 64).is_some_and(|marks| marks >> (at % 64) & 1 == 1);
        self.keys.iter().enumerate().filter(move |&(at, _)| !marked(at)).map(|(_, &key)| link(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_by_place_and_generation() {
        let at = |n: u32, generation| Link::new(ItemPointer::new(n / 7 + 1, (n % 7) as u16 + 1), generation);
        let mut places = Places::new(1000);
        for n in (0..500).filter(|n| n % 3 == 0) {
            places.push(at(n, 70_000 + n)).unwrap();
        }
        assert!(places.fit(833) && !places.fit(834));
        for n in 0..500 {
            assert_eq!(places.contains(at(n, 70_000 + n)), n % 3 == 0);
            assert!(!places.contains(at(n, 70_001 + n)));
            assert_eq!(places.contains_place(at(n, 0).pointer), n % 3 == 0);
        }
        for n in 0..400 {
            places.mark(at(n, 70_000 + n));
        }
        let left: Vec<Link> = (400..500).filter(|n| n % 3 == 0).map(|n| at(n, 70_000 + n)).collect();
        assert_eq!(places.unmarked().collect::<Vec<_>>(), left);
        assert_eq!(places.iter().count(), 167);
    }
}
