//! A free-space map as coarse as Postgres'.

use crate::{BlockNo, MAX_ITEM};
use std::collections::{BTreeSet, HashMap};

/// Bytes that one category spans.
const STEP: usize = 32;
/// Categories; the last is for pages that are empty.
const CATEGORIES: usize = 256;

#[derive(Debug)]
pub(super) struct Spaces {
    of: HashMap<BlockNo, usize>,
    in_category: Vec<BTreeSet<BlockNo>>,
}

impl Default for Spaces {
    fn default() -> Self {
        Self { of: HashMap::new(), in_category: vec![BTreeSet::new(); CATEGORIES] }
    }
}

impl Spaces {
    /// A page that was noted with at least so many bytes.
    pub(super) fn find(&self, bytes: usize) -> Option<BlockNo> {
        let needed = bytes.div_ceil(STEP).min(CATEGORIES - 1);
        self.in_category[needed..].iter().find_map(|blocks| blocks.first().copied())
    }

    /// Rounds down, so that what is found is at least what was noted. A page with hardly any room is forgotten.
    pub(super) fn note(&mut self, block: BlockNo, bytes: usize) {
        let category = if bytes >= MAX_ITEM { CATEGORIES - 1 } else { (bytes / STEP).min(CATEGORIES - 2) };
        if let Some(before) = self.of.remove(&block) {
            self.in_category[before].remove(&block);
        }
        if category > 0 {
            self.of.insert(block, category);
            self.in_category[category].insert(block);
        }
    }
}
