//! Which vertices a search has met.

use kite_pages::{Error, Result};

/// A set of places of vertices, of the size that the search needs and not of the index: open addressing, at most half full.
#[derive(Debug)]
pub(crate) struct Seen {
    /// A power of two of them, or none: a place, and above it the round in which it was added. Those of other rounds are empty, so that
    /// to forget everything costs nothing.
    slots: Vec<u64>,
    count: usize,
    /// From 1, since slots begin as zeros.
    round: u16,
}

/// Bits of a place: a block and the number of an item.
const PLACE: u32 = 48;

const FIRST: usize = 256;

impl Default for Seen {
    fn default() -> Self {
        Self { slots: Vec::new(), count: 0, round: 1 }
    }
}

impl Seen {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.count = 0;
        // A search that went far leaves a table that is beyond the caches of the processor.
        if self.slots.len() > 64 * FIRST {
            self.slots = Vec::new();
        }
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.slots.fill(0);
            self.round = 1;
        }
    }

    /// Takes room for so many places at once.
    pub(crate) fn make_room(&mut self, places: usize) -> Result<()> {
        let size = (2 * places).next_power_of_two();
        if self.slots.len() < size { self.resize(size) } else { Ok(()) }
    }

    /// Adds a place, and answers whether it was not there.
    #[inline]
    pub(crate) fn insert(&mut self, place: u64) -> Result<bool> {
        if 2 * self.count >= self.slots.len() {
            self.grow()?;
        }
        let new = Self::put(&mut self.slots, self.round, place);
        self.count += usize::from(new);
        Ok(new)
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.slots.as_slice())
    }

    #[inline]
    fn put(slots: &mut [u64], round: u16, place: u64) -> bool {
        let mask = slots.len() - 1;
        let wanted = u64::from(round) << PLACE | place;
        // The high bits of the product depend on all bits of the place (Fibonacci hashing).
        let mut at = ((place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize) & mask;
        loop {
            match slots[at] {
                other if other == wanted => return false,
                other if other >> PLACE != u64::from(round) => {
                    slots[at] = wanted;
                    return true;
                }
                _ => at = (at + 1) & mask,
            }
        }
    }

    #[cold]
    fn grow(&mut self) -> Result<()> {
        self.resize((2 * self.slots.len()).max(FIRST))
    }

    fn resize(&mut self, size: usize) -> Result<()> {
        let mut slots = Vec::new();
        slots.try_reserve_exact(size).map_err(|_| Error::OutOfMemory { bytes: 8 * size })?;
        slots.resize(size, 0);
        for &slot in self.slots.iter().filter(|&&slot| slot >> PLACE == u64::from(self.round)) {
            Self::put(&mut slots, self.round, slot & ((1 << PLACE) - 1));
        }
        self.slots = slots;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_new_once_also_when_the_table_grows() {
        let mut seen = Seen::default();
        for round in 0..3 {
            for n in 0..40_000_u64 {
                // Neighbouring items on few pages, as in a small index.
                assert!(seen.insert((n / 50 + 1) << 16 | (n % 50 + 1)).unwrap(), "{round} {n}");
            }
            for n in (0..40_000_u64).rev() {
                assert!(!seen.insert((n / 50 + 1) << 16 | (n % 50 + 1)).unwrap());
            }
            seen.clear();
        }
    }

    #[test]
    fn rounds_that_come_again_hold_nothing() {
        let mut seen = Seen::default();
        for round in 0..140_000_u64 {
            // A place stays in the table for as many rounds as there are numbers for them.
            let place = if round % 65_535 == 0 { 7 } else { (round % 5 + 1) << 16 };
            assert!(seen.insert(place).unwrap(), "{round}");
            assert!(!seen.insert(place).unwrap(), "{round}");
            seen.clear();
        }
    }
}
