//! Which items a search has seen.

use kite_pages::ItemPointer;

/// A hash table of pointers, by linear probing. Starting anew costs nothing but once in 65,535 times.
pub(super) struct Seen {
    /// 48 bits of pointer, and above them the round in which it was seen.
    slots: Vec<u64>,
    round: u64,
    count: usize,
}

const ROUND: u32 = 48;
const ROUNDS: u64 = 1 << 16;

impl Seen {
    pub(super) fn new() -> Self {
        Self { slots: vec![0; 1024], round: 0, count: 0 }
    }

    /// Forgets everything.
    pub(super) fn start(&mut self) {
        self.round = (self.round + 1) % ROUNDS;
        self.count = 0;
        if self.round == 0 {
            self.slots.fill(0);
            self.round = 1;
        }
    }

    /// Marks an item, and answers whether it is seen for the first time.
    #[inline]
    pub(super) fn first(&mut self, pointer: ItemPointer) -> bool {
        let wanted = self.round << ROUND | u64::from(pointer.block()) << 16 | u64::from(pointer.no());
        if 2 * self.count >= self.slots.len() {
            self.grow();
        }
        let first = put(&mut self.slots, self.round, wanted);
        self.count += usize::from(first);
        first
    }

    #[cold]
    fn grow(&mut self) {
        let mut slots = vec![0; 2 * self.slots.len()];
        for &slot in self.slots.iter().filter(|&&slot| slot >> ROUND == self.round) {
            put(&mut slots, self.round, slot);
        }
        self.slots = slots;
    }
}

/// Puts a key where it belongs, unless it is there. At least one slot is not of this round.
#[inline]
fn put(slots: &mut [u64], round: u64, wanted: u64) -> bool {
    let mask = slots.len() - 1;
    let mut place = (wanted.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
    loop {
        if slots[place] == wanted {
            return false;
        }
        if slots[place] >> ROUND != round {
            slots[place] = wanted;
            return true;
        }
        place = (place + 1) & mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn it_is_a_set() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut seen = Seen::new();
        for round in 0..40 {
            seen.start();
            let mut known = HashSet::new();
            for _ in 0..200 * round {
                let pointer = ItemPointer::new(random.u32(..300), random.u16(1..9));
                assert_eq!(seen.first(pointer), known.insert(pointer));
            }
        }
    }

    #[test]
    fn every_start_forgets() {
        let mut seen = Seen::new();
        let pointer = ItemPointer::new(u32::MAX, u16::MAX);
        for _ in 0..2 * ROUNDS + 3 {
            seen.start();
            assert!(seen.first(pointer) && !seen.first(pointer));
        }
    }
}
