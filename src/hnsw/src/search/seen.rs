//! Which vertices a search has met.

use kite_pages::{Error, Result};

/// A set of places of vertices, of the size that the search needs and not of the index: open addressing, at most half full.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// A power of two of them, or none; 0 is empty, which no vertex is at, since block 0 is the meta page.
    slots: Vec<u64>,
    count: usize,
}

const FIRST: usize = 256;

impl Seen {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        // A search that went far leaves a table that costs more to clear than to make anew.
        if self.slots.len() > 64 * FIRST {
            self.slots = Vec::new();
        }
        if self.count > 0 {
            self.slots.fill(0);
        }
        self.count = 0;
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
        let new = Self::put(&mut self.slots, place);
        self.count += usize::from(new);
        Ok(new)
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.slots.as_slice())
    }

    #[inline]
    fn put(slots: &mut [u64], place: u64) -> bool {
        let mask = slots.len() - 1;
        // The high bits of the product depend on all bits of the place (Fibonacci hashing).
        let mut at = ((place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize) & mask;
        loop {
            match slots[at] {
                0 => {
                    slots[at] = place;
                    return true;
                }
                other if other == place => return false,
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
        for &place in self.slots.iter().filter(|&&place| place != 0) {
            Self::put(&mut slots, place);
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
}
