//! The pages that are being filled.

use super::packer::Packer;
use crate::format::{META, META_BLOCK, NODES};
use crate::{Error, Result};
use kite_pages::{BlockNo, BulkWriter, Page, Stamp};
use std::collections::VecDeque;

/// Those that are open, one behind the other.
#[derive(Debug)]
pub(super) struct Pages<B> {
    open: VecDeque<Box<Page>>,
    /// The number of the first.
    first: BlockNo,
    spare: Vec<Box<Page>>,
    bulk: B,
    stamp: Stamp,
}

impl<B: BulkWriter> Pages<B> {
    /// Writes a meta page without its item.
    pub(super) fn begin(mut bulk: B, stamp: Stamp) -> Result<Self> {
        let mut page = Page::zeroed();
        page.init(META);
        let block = bulk.append(&page)?;
        if block != META_BLOCK {
            return Err(Error::corrupt(block, "the first page of a new index is taken"));
        }
        let first = META_BLOCK + 1;
        Ok(Self { open: VecDeque::new(), first, spare: vec![page], bulk, stamp })
    }

    /// An open page. Writes those that the packer has closed.
    pub(super) fn page(&mut self, block: BlockNo, packer: &Packer) -> Result<(&mut Page, Stamp)> {
        while self.first < packer.first_open() {
            let Some(page) = self.open.pop_front() else { break };
            self.bulk.append(&page)?;
            self.spare.push(page);
            self.first += 1;
        }
        while self.first + (self.open.len() as BlockNo) < packer.end() {
            let mut page = self.spare.pop().unwrap_or_else(Page::zeroed);
            page.bytes_mut().fill(0);
            page.init(NODES);
            self.open.push_back(page);
        }
        let page = self.open.get_mut(block.wrapping_sub(self.first) as usize);
        Ok((page.ok_or(Error::corrupt(block, "a page was closed too early"))?, self.stamp))
    }

    /// Writes those that are still open.
    pub(super) fn finish(mut self) -> Result<()> {
        for page in &self.open {
            self.bulk.append(page)?;
        }
        Ok(self.bulk.finish()?)
    }
}
