//! Pages that are filled in any order, and written in theirs.

use crate::{Error, Result};
use kite_pages::{At, BlockNo, BulkWriter, ItemNo, Page, PageKind};
use std::collections::VecDeque;

/// Pages that are held at most while one of them is still open.
const MOST: usize = 1024;

/// Pages on their way to the store.
#[derive(Debug)]
pub(super) struct Pages<B> {
    bulk: B,
    /// From `first` on, those that are finished or not.
    queue: VecDeque<(Box<Page>, bool)>,
    first: BlockNo,
    spare: Vec<Box<Page>>,
}

impl<B: BulkWriter> Pages<B> {
    pub(super) fn new(bulk: B) -> Self {
        Self { first: bulk.next(), bulk, queue: VecDeque::new(), spare: Vec::new() }
    }

    /// Begins the next page.
    pub(super) fn open(&mut self, kind: PageKind) -> Result<BlockNo> {
        let mut page = self.spare.pop().unwrap_or_else(Page::zeroed);
        page.bytes_mut().fill(0);
        page.init(kind);
        self.queue.push_back((page, true));
        let block = u64::from(self.first) + self.queue.len() as u64 - 1;
        BlockNo::try_from(block).map_err(|_| Error::Options("an index has at most 4 billion pages"))
    }

    /// Whether so many pages wait that the oldest should be closed.
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() > MOST
    }

    /// A page that is open.
    pub(super) fn page(&mut self, block: BlockNo) -> Result<&mut Page> {
        let place = block.checked_sub(self.first).map(|place| place as usize);
        match place.and_then(|place| self.queue.get_mut(place)) {
            Some((page, true)) => Ok(page),
            _ => Err(Error::corrupt(block, "a page was written before it was filled")),
        }
    }

    /// Adds an item to a page that is open, if it fits.
    pub(super) fn add(&mut self, block: BlockNo, item: &[u8]) -> Result<Option<ItemNo>> {
        Ok(self.page(block)?.add(item).at(block)?)
    }

    /// The longest item that a page takes.
    pub(super) fn room(&mut self, block: BlockNo) -> Result<usize> {
        Ok(self.page(block)?.sound().and_then(kite_pages::View::room).at(block)?)
    }

    /// Ends a page.
    pub(super) fn close(&mut self, block: BlockNo) -> Result<()> {
        let place = block.checked_sub(self.first).map(|place| place as usize);
        if let Some((_, open)) = place.and_then(|place| self.queue.get_mut(place)) {
            *open = false;
        }
        while let Some((_, false)) = self.queue.front()
            && let Some((page, _)) = self.queue.pop_front()
        {
            self.bulk.append(&page)?;
            self.first += 1;
            if self.spare.len() < 16 {
                self.spare.push(page);
            }
        }
        Ok(())
    }

    /// The next page that is opened.
    pub(super) fn next(&self) -> BlockNo {
        self.first + self.queue.len() as BlockNo
    }

    /// Ends all of them.
    pub(super) fn finish(mut self) -> Result<()> {
        for (page, _) in std::mem::take(&mut self.queue) {
            self.bulk.append(&page)?;
        }
        Ok(self.bulk.finish()?)
    }
}
