//! The records of a store in memory.

use crate::{BlockNo, PAGE_SIZE, Page};

/// Bytes that are compared and recorded together.
const GRAIN: usize = 32;

/// What a record does to one page.
#[derive(Debug, Clone)]
struct Delta {
    block: BlockNo,
    /// Offset and new bytes of each run that differs.
    runs: Vec<(usize, Box<[u8]>)>,
}

/// One WAL record.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// The length of the store when it was written: pages that no record has filled are in the file all the same.
    pub(super) len_before: BlockNo,
    deltas: Vec<Delta>,
}

impl Record {
    pub(super) fn new(len_before: BlockNo) -> Self {
        Self { len_before, deltas: Vec::new() }
    }

    /// Records what makes `new` of `old`.
    pub(super) fn add(&mut self, block: BlockNo, old: &Page, new: &Page) {
        let mut runs: Vec<(usize, Box<[u8]>)> = Vec::new();
        let differs = |offset: &usize| {
            let grain = *offset..offset + GRAIN;
            old.bytes()[grain.clone()] != new.bytes()[grain]
        };
        let mut grains = (0..PAGE_SIZE).step_by(GRAIN).filter(differs).peekable();
        while let Some(begin) = grains.next() {
            let mut end = begin + GRAIN;
            while grains.next_if_eq(&end).is_some() {
                end += GRAIN;
            }
            runs.push((begin, new.bytes()[begin..end].into()));
        }
        self.deltas.push(Delta { block, runs });
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.deltas.iter().flat_map(|delta| &delta.runs).map(|(_, bytes)| bytes.len()).sum()
    }

    /// Does to the pages what it says; `edit` finds a page by its number.
    pub(super) fn apply(&self, mut edit: impl FnMut(BlockNo, &mut dyn FnMut(&mut Page))) {
        for Delta { block, runs } in &self.deltas {
            edit(*block, &mut |page| {
                for (offset, bytes) in runs {
                    page.bytes_mut()[*offset..offset + bytes.len()].copy_from_slice(bytes);
                }
            });
        }
    }
}
