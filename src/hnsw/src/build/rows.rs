//! Payloads in memory, by number.

use super::memory::{Counted, Memory};
use crate::Result;
use std::hash::{DefaultHasher, Hasher};
use zerocopy::IntoBytes;

/// Payloads one behind the other, each at a multiple of eight bytes.
#[derive(Debug)]
pub(super) struct Rows {
    words: Counted<u64>,
    /// Bytes of each payload where all are equally long.
    fixed: Option<usize>,
    /// Where the others begin, and how long they are.
    places: Counted<(usize, usize)>,
    len: usize,
}

impl Rows {
    pub(super) fn new(memory: &Memory, fixed: Option<usize>) -> Self {
        Self { words: Counted::new(memory), fixed, places: Counted::new(memory), len: 0 }
    }

    /// Bytes that a payload takes.
    pub(super) fn taken(bytes: usize, is_fixed: bool) -> usize {
        bytes.next_multiple_of(8) + if is_fixed { 0 } else { size_of::<(usize, usize)>() }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Makes room for so many payloads of so many bytes together.
    pub(super) fn reserve_exact(&mut self, rows: usize, bytes: usize) -> Result<()> {
        match self.fixed {
            Some(len) => Ok(self.words.reserve_exact(rows * len.div_ceil(8))?),
            None => {
                self.places.reserve_exact(rows)?;
                Ok(self.words.reserve_exact(bytes.div_ceil(8) + rows)?)
            }
        }
    }

    /// Adds a payload, which has the fixed length if there is one.
    pub(super) fn push(&mut self, payload: &[u8]) -> Result<()> {
        let begin = self.words.len();
        if self.fixed.is_none() {
            self.places.push((begin, payload.len()))?;
        }
        self.words.reserve(payload.len().div_ceil(8))?;
        let (whole, rest) = payload.as_chunks::<8>();
        for word in whole {
            self.words.push(u64::from_ne_bytes(*word))?;
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.words.push(u64::from_ne_bytes(word))?;
        }
        self.len += 1;
        Ok(())
    }

    #[inline]
    pub(super) fn get(&self, row: u32) -> &[u8] {
        let (begin, len) = match self.fixed {
            Some(len) => (row as usize * len.div_ceil(8), len),
            None => self.places[row as usize],
        };
        &self.words[begin..].as_bytes()[..len]
    }

    #[inline]
    pub(super) fn prefetch(&self, row: u32) {
        let payload = self.get(row);
        kite_kernels::prefetch(payload.as_ptr(), payload.len());
    }
}

/// Finds rows with the same payload: a hash table of row numbers.
#[derive(Debug)]
pub(super) struct Equals {
    /// The upper half of a hash and the number of a row, from 1; 0 where nothing is.
    slots: Counted<u64>,
    taken: usize,
    memory: Memory,
}

/// Rows of one hash that are looked at. More of them have been made to collide, or are a great accident; a vector that then is
/// taken for a new one has two vertices, which does no harm.
const LOOKS: usize = 64;

impl Equals {
    pub(super) fn new(memory: &Memory) -> Self {
        Self { slots: Counted::new(memory), taken: 0, memory: memory.clone() }
    }

    /// The row among `rows` with this payload. If there is none, the next row is entered as the one that has it.
    pub(super) fn find_or_enter(&mut self, rows: &Rows, payload: &[u8]) -> Result<Option<u32>> {
        if self.taken * 4 >= self.slots.len() * 3 {
            self.grow()?;
        }
        let hash = hash(payload);
        let mut at = self.home(hash);
        for _ in 0..LOOKS {
            let slot = self.slots[at];
            if slot == 0 {
                self.slots[at] = hash >> 32 << 32 | (rows.len() as u64 + 1);
                self.taken += 1;
                break;
            }
            let row = (slot as u32) - 1;
            if (slot ^ hash) >> 32 == 0 && rows.get(row) == payload {
                return Ok(Some(row));
            }
            at = (at + 1) % self.slots.len();
        }
        Ok(None)
    }

    fn home(&self, hash: u64) -> usize {
        // By the upper half, which is what a slot remembers.
        ((hash >> 32) as usize) & (self.slots.len() - 1)
    }

    fn grow(&mut self) -> Result<()> {
        let slots = (self.slots.len() * 2).max(64);
        let old = std::mem::replace(&mut self.slots, Counted::filled(&self.memory, slots, || 0)?);
        for &slot in old.iter().filter(|&&slot| slot != 0) {
            let mut at = self.home(slot);
            while self.slots[at] != 0 {
                at = (at + 1) % slots;
            }
            self.slots[at] = slot;
        }
        Ok(())
    }

    /// Bytes of the table, and what it would take to grow if it is about to.
    pub(super) fn bytes(&self) -> (usize, usize) {
        let bytes = self.slots.len() * size_of::<u64>();
        let grows = (self.taken + 1) * 4 >= self.slots.len() * 3;
        (bytes, if grows { 2 * bytes } else { 0 })
    }
}

/// Remembers which payloads have been seen, by their hashes, in little memory: it may forget some, and in theory take one for
/// another.
#[derive(Debug)]
pub(super) struct Sighted(Counted<u64>);

impl Sighted {
    /// For so many payloads, or fewer if they would take more than these bytes.
    pub(super) fn new(memory: &Memory, payloads: usize, bytes: usize) -> Result<Self> {
        let most = (bytes / size_of::<u64>()).max(2).next_power_of_two() / 2;
        let slots = (payloads * 2).next_power_of_two().min(most).max(1);
        Ok(Self(Counted::filled(memory, slots, || 0)?))
    }

    /// Whether the payload has been seen before, as far as is known.
    pub(super) fn again(&mut self, payload: &[u8]) -> bool {
        let hash = hash(payload).max(1);
        let mask = self.0.len() - 1;
        for step in 0..LOOKS {
            let slot = &mut self.0[(hash as usize).wrapping_add(step) & mask];
            if *slot == 0 {
                *slot = hash;
                return false;
            }
            if *slot == hash {
                return true;
            }
        }
        false
    }
}

/// A number that equal payloads have, the same in every process.
pub(super) fn hash(payload: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(payload);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_of_any_length_come_back() {
        let memory = Memory::new(usize::MAX);
        for fixed in [None, Some(13)] {
            let mut rows = Rows::new(&memory, fixed);
            let payload = |row: u32| vec![row as u8 + 1; fixed.unwrap_or(row as usize % 20)];
            (0..50).for_each(|row| rows.push(&payload(row)).unwrap());
            assert_eq!(rows.len(), 50);
            assert!((0..50).all(|row| rows.get(row) == payload(row)));
        }
    }

    #[test]
    fn what_was_seen_is_mostly_remembered() {
        let memory = Memory::new(usize::MAX);
        let mut sighted = Sighted::new(&memory, 1000, 1 << 20).unwrap();
        assert!((0..1000_u32).all(|payload| !sighted.again(&payload.to_ne_bytes())));
        assert!((0..1000_u32).all(|payload| sighted.again(&payload.to_ne_bytes())));
        // Too many for it: it forgets, and goes on.
        let mut small = Sighted::new(&memory, 1000, 1024).unwrap();
        assert!((0..1000_u32).all(|payload| !small.again(&payload.to_ne_bytes())));
        assert!((0..60_u32).filter(|payload| small.again(&payload.to_ne_bytes())).count() > 50);
    }

    #[test]
    fn equal_payloads_are_found() {
        let memory = Memory::new(usize::MAX);
        let (mut rows, mut equals) = (Rows::new(&memory, Some(4)), Equals::new(&memory));
        let mut random = fastrand::Rng::with_seed(1);
        let mut first = std::collections::HashMap::new();
        for _ in 0..5000 {
            let payload = random.u32(..1000).to_ne_bytes();
            let found = equals.find_or_enter(&rows, &payload).unwrap();
            assert_eq!(found, first.get(&payload).copied());
            if found.is_none() {
                first.insert(payload, rows.len() as u32);
                rows.push(&payload).unwrap();
            }
        }
        assert_eq!(rows.len(), first.len());
        drop((rows, equals));
        assert_eq!(memory.used(), 0);
    }
}
