//! What has changed of a page, as a log carries it: Postgres' generic WAL (`src/backend/access/transam/generic_xlog.c`).
//!
//! A delta is a sequence of fragments: where (`u16`), how many bytes (`u16`), the bytes. The hole between line pointers and items is not
//! carried, and whoever applies a delta zeroes it; so bytes that were in the hole before are carried whatever they are now.

use crate::page::PAGE_SIZE;
use crate::{Error, Page, Result};
use std::ops::Range;

/// Bytes before those of a fragment. Changes that are no farther apart go into one.
const HEAD: usize = 4;

/// Bytes that are compared at once while nothing differs: by a call, which is worth it for so many, and then without one.
const FAR: usize = 512;
const STRIDE: usize = 64;

impl Page {
    /// Appends what makes `old` this page to `delta`, nothing if they are equal. The hole of this page is taken for zero.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn delta_from(&self, old: &Self, delta: &mut Vec<u8>) -> Result<()> {
        let (was, is) = (old.outside_hole(), self.outside_hole());
        // Each fragment but the first of a part is worth its head.
        let most = is.iter().map(|part| part.len() + 2 * HEAD).sum();
        delta.try_reserve(most).map_err(|_| Error::OutOfMemory { bytes: most })?;
        let mut fragments = Fragments { bytes: self.bytes(), delta, open: 0..0 };
        for (was, is) in was.into_iter().zip(is) {
            let known = is.start.max(was.start)..is.end.min(was.end);
            if known.is_empty() {
                fragments.add(is);
            } else {
                fragments.add(is.start..known.start);
                fragments.compare(old.bytes(), known.clone());
                fragments.add(known.end..is.end);
            }
            fragments.close();
        }
        Ok(())
    }

    /// Makes this page the one that a delta was made for, where this is the page that it was made from. Content that has been in the hole
    /// stays there, so that it is zero afterwards if it was and the hole has not grown: `false`, and nothing changed, if it has.
    #[must_use]
    pub fn apply(&mut self, new: &Self, delta: &[u8]) -> bool {
        let (was, is) = (self.outside_hole(), new.outside_hole());
        if is[0].end < was[0].end || is[1].start > was[1].start {
            return false;
        }
        let mut rest = delta;
        while let [a, b, c, d, tail @ ..] = rest {
            let (at, len) =
                (usize::from(u16::from_ne_bytes([*a, *b])), usize::from(u16::from_ne_bytes([*c, *d])));
            let (Some(to), Some(from)) = (self.bytes_mut().get_mut(at..at + len), tail.get(..len)) else {
                break;
            };
            to.copy_from_slice(from);
            rest = &tail[len..];
        }
        true
    }

    /// The bytes before the hole and those behind it.
    fn outside_hole(&self) -> [Range<usize>; 2] {
        let bound = |at: u16| usize::from(at).min(PAGE_SIZE);
        [0..bound(self.header.lower), bound(self.header.upper)..PAGE_SIZE]
    }
}

/// A delta that is written.
struct Fragments<'a> {
    bytes: &'a [u8; PAGE_SIZE],
    delta: &'a mut Vec<u8>,
    /// What comes next into the delta, unless more is added to it.
    open: Range<usize>,
}

impl Fragments<'_> {
    /// Adds bytes that come after those added before.
    fn add(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        if !self.open.is_empty() && range.start - self.open.end <= HEAD {
            self.open.end = range.end;
        } else {
            self.close();
            self.open = range;
        }
    }

    /// Adds those bytes that differ.
    fn compare(&mut self, old: &[u8; PAGE_SIZE], range: Range<usize>) {
        let mut at = range.start;
        while at < range.end {
            let end = (at + FAR).min(range.end);
            if old[at..end] != self.bytes[at..end] {
                self.compare_strides(old, at..end);
            }
            at = end;
        }
    }

    /// Adds those bytes of some that differ.
    fn compare_strides(&mut self, old: &[u8; PAGE_SIZE], range: Range<usize>) {
        let (old, new) = (&old[..range.end], &self.bytes[..range.end]);
        let mut at = range.start;
        while at < range.end {
            let (a, b) = (&old[at..], &new[at..]);
            match (a.first_chunk::<STRIDE>(), b.first_chunk::<STRIDE>()) {
                (Some(a), Some(b)) if are_equal(a, b) => at += STRIDE,
                _ => {
                    let end = (at + STRIDE).min(range.end);
                    self.compare_words(old, at..end);
                    at = end;
                }
            }
        }
    }

    /// Adds those bytes of a few that differ, eight at a time where all of eight do.
    fn compare_words(&mut self, old: &[u8], range: Range<usize>) {
        let new = self.bytes;
        let mut at = range.start;
        while at < range.end {
            let word = |of: &[u8]| of[at..range.end].first_chunk::<8>().map(|word| u64::from_le_bytes(*word));
            match word(old).zip(word(new)).map(|(old, new)| old ^ new) {
                Some(0) => at += 8,
                Some(differences) if has_no_zero(differences) => {
                    self.add(at..at + 8);
                    at += 8;
                }
                _ => {
                    let end = (at + 8).min(range.end);
                    for place in at..end {
                        if old[place] != new[place] {
                            self.add(place..place + 1);
                        }
                    }
                    at = end;
                }
            }
        }
    }

    /// Ends the open fragment.
    fn close(&mut self) {
        let range = std::mem::take(&mut self.open);
        if !range.is_empty() {
            self.delta.extend_from_slice(&(range.start as u16).to_ne_bytes());
            self.delta.extend_from_slice(&(range.len() as u16).to_ne_bytes());
            self.delta.extend_from_slice(&self.bytes[range]);
        }
    }
}

/// Whether both are the same. (Comparing arrays is a call, which takes longer than the comparison.)
#[inline]
fn are_equal(a: &[u8; STRIDE], b: &[u8; STRIDE]) -> bool {
    let mut differences = 0;
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        differences |= u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b);
    }
    differences == 0
}

/// Whether no byte of a word is 0.
#[inline]
fn has_no_zero(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    word.wrapping_sub(ONES) & !word & (ONES << 7) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PageKind;

    /// What Postgres does with a delta at recovery.
    fn apply(page: &mut Page, mut delta: &[u8]) {
        while let [a, b, c, d, rest @ ..] = delta {
            let (at, len) =
                (usize::from(u16::from_ne_bytes([*a, *b])), usize::from(u16::from_ne_bytes([*c, *d])));
            page.bytes_mut()[at..at + len].copy_from_slice(&rest[..len]);
            delta = &rest[len..];
        }
        assert!(delta.is_empty());
        page.zero_hole().unwrap();
    }

    fn copy(page: &Page) -> Box<Page> {
        let mut copy = Page::zeroed();
        copy.copy_from(page);
        copy
    }

    #[test]
    fn the_old_page_and_its_delta_are_the_new_page() {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut page = Page::zeroed();
        page.init(PageKind { code: 1, version: 1 });
        let mut items: Vec<u16> = Vec::new();
        let (mut longest, mut empty, mut hole_grew) = (0, 0, 0);
        for round in 0..3000 {
            let old = copy(&page);
            for _ in 0..rng.usize(..3) {
                let item: Vec<u8> = (0..rng.usize(1..600)).map(|_| rng.u8(..)).collect();
                match (rng.u8(..4), items.is_empty()) {
                    (0, false) => {
                        let no = items.swap_remove(rng.usize(..items.len()));
                        page.remove(no).unwrap();
                    }
                    (1, false) => {
                        let no = items[rng.usize(..items.len())];
                        page.item_mut(no).unwrap().unwrap()[0] ^= 1;
                    }
                    _ => items.extend(page.add(&item).unwrap()),
                }
            }
            page.zero_hole().unwrap();
            let mut delta = Vec::new();
            page.delta_from(&old, &mut delta).unwrap();
            empty += usize::from(delta.is_empty());
            assert!(delta.is_empty() == (old.bytes() == page.bytes()), "{round}");
            longest = longest.max(delta.len());
            let mut applied = copy(&old);
            let grown = page.header.lower < old.header.lower || page.header.upper > old.header.upper;
            assert_eq!(applied.apply(&page, &delta), !grown, "{round}");
            assert!(applied.bytes() == if grown { old.bytes() } else { page.bytes() }, "{round}");
            hole_grew += usize::from(grown);
            let mut again = old;
            // Nobody promises what is in the hole of the page that a delta is applied to.
            let hole = usize::from(again.header.lower)..usize::from(again.header.upper);
            again.bytes_mut()[hole].fill(0xAA);
            apply(&mut again, &delta);
            assert!(again.bytes() == page.bytes(), "{round}");
        }
        assert!(longest > 500 && empty > 100 && hole_grew > 100, "{longest} {empty} {hole_grew}");
    }

    #[test]
    fn a_new_page_is_carried_whole_and_near_changes_together() {
        let mut page = Page::zeroed();
        let old = copy(&page);
        page.init(PageKind { code: 1, version: 1 });
        let no = page.add(&[7; 100]).unwrap().unwrap();
        let mut delta = Vec::new();
        page.delta_from(&old, &mut delta).unwrap();
        let mut again = copy(&old);
        apply(&mut again, &delta);
        assert!(again.bytes() == page.bytes());

        for (apart, fragments) in [(1, 1), (4, 1), (5, 1), (6, 2)] {
            let old = copy(&page);
            let item = page.item_mut(no).unwrap().unwrap();
            item[10] ^= 0xFF;
            item[10 + apart] ^= 0xFF;
            delta.clear();
            page.delta_from(&old, &mut delta).unwrap();
            let bytes = if fragments == 1 { apart + 1 } else { 2 };
            assert_eq!(delta.len(), fragments * HEAD + bytes, "{apart} apart");
        }
    }
}
