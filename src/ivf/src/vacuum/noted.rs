//! Which pages the free-space map has been told of.

use kite_pages::BlockNo;

/// A bit for each page of an index.
#[derive(Debug, Default)]
pub(super) struct Noted {
    bits: Vec<u64>,
}

impl Noted {
    /// For so many pages, if `memory` bytes hold it; else it remembers none.
    pub(super) fn of(pages: BlockNo, memory: usize) -> Self {
        let (words, mut bits) = (pages.div_ceil(u64::BITS) as usize, Vec::new());
        if words <= memory / size_of::<u64>() && bits.try_reserve_exact(words).is_ok() {
            bits.resize(words, 0);
        }
        Self { bits }
    }

    pub(super) fn add(&mut self, block: BlockNo) {
        if let Some(word) = self.bits.get_mut((block / u64::BITS) as usize) {
            *word |= 1 << (block % u64::BITS);
        }
    }

    pub(super) fn has(&self, block: BlockNo) -> bool {
        self.bits.get((block / u64::BITS) as usize).is_some_and(|word| word >> (block % u64::BITS) & 1 == 1)
    }
}

#[test]
fn pages_are_remembered_as_memory_allows() {
    let mut noted = Noted::of(130, 24);
    for block in [0, 63, 64, 129] {
        noted.add(block);
    }
    noted.add(1000);
    assert_eq!((0..1001).filter(|&block| noted.has(block)).collect::<Vec<_>>(), [0, 63, 64, 129]);
    let mut none = Noted::of(130, 23);
    none.add(5);
    assert!(!none.has(5));
}
