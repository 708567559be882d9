//! Freeing the items of rows that are gone.
//!
//! A page holds the items of a few dozen rows, so that a fifth of the rows being dead touches nearly all pages, and each that is touched for the
//! first time after a checkpoint goes into the WAL as a whole. So a block remembers the items of its dead rows until there are many, and pages are
//! changed once for all of them. Until then they take their room.
//!
//! Long before that the TID of such a row may be another row's, and once its item is freed that may be another row's, too. So what
//! a block remembers is forgotten in the same record as the items are freed in.

use super::Vacuum;
use crate::Result;
use crate::format::{BODY, CHUNKS, Link, RowItem, forget};
use crate::rows::commit;
use kite_pages::{At, BlockNo, ItemPointer, MAX_PAGES, PageStore, PageTxn, payload};

/// Rows of a block that are gone are many when they take more than one of so many places.
const MANY: usize = 3;

impl<S: PageStore> Vacuum<'_, '_, S> {
    /// Frees the items of a block's rows that are gone, if they are many or refer to chunks.
    pub(super) fn free_gone(&mut self, link: Link) -> Result<()> {
        let is_chained = self.index.quantiser.shape.chained();
        let gone = self.with_block(link, |block| {
            let gone = block.gone();
            let is_much = is_chained || MANY * gone.len() > block.capacity();
            Ok(if is_much { gone.map(|(row, _)| row.block()).collect() } else { Vec::new() })
        })?;
        let mut pages = gone.unwrap_or_default();
        pages.sort_unstable();
        pages.dedup();
        // Beside the page of the block.
        for pages in pages.chunks(MAX_PAGES - 1) {
            self.store.check_interrupts()?;
            self.free_gone_on(link, pages)?;
        }
        Ok(())
    }

    /// The same for those on some pages.
    fn free_gone_on(&mut self, link: Link, pages: &[BlockNo]) -> Result<()> {
        let shape = &self.index.quantiser.shape;
        let mut blocks = [pages, &[link.block()]].concat();
        blocks.sort_unstable();
        blocks.dedup();
        let mut txn = self.store.begin();
        blocks.iter().try_for_each(|&block| txn.lock(block).map(drop))?;
        let home = txn.lock(link.block())?;
        // The page of the block has as much room as before, unless it has rows as well.
        let slots = pages.iter().map(|&block| txn.lock(block)).collect::<kite_pages::Result<Vec<_>>>()?;
        let view = txn.page(home).view(BODY).at(link.block())?;
        let Some(found) = link.list_block(view, shape).at(link.block())? else { return Ok(()) };
        let is_freed = |row: ItemPointer| pages.contains(&row.block());
        let gone: Vec<_> = found.gone().filter(|&(row, _)| is_freed(row)).collect();
        // Taken under the lock, so that every snapshot by which a row was found is older.
        let stamp = self.store.now();
        let (mut chains, mut freed) = (Vec::new(), 0);
        for (row, tid) in gone {
            let slot = txn.lock(row.block())?;
            let page = txn.page_mut(slot);
            let item = page.view(BODY).and_then(|view| view.find(row.no())).at(row.block())?;
            let found = item.map(RowItem::parse).transpose().at(row.block())?.flatten();
            let Some(found) = found.filter(|found| found.tid == tid) else { continue };
            if shape.chained() {
                chains.push(found.chain().at(row.block())?);
            }
            page.free(row.no(), stamp).at(row.block())?;
            freed += 1;
        }
        let item = txn.page_mut(home).item_mut(link.no()).at(link.block())?;
        let item = item.ok_or(crate::Error::corrupt(link.block(), "a block of a list is missing"))?;
        forget(item, shape, is_freed).at(link.block())?;
        commit(self.store, txn, &slots)?;
        self.stats.freed_rows += freed;
        pages.iter().for_each(|&block| self.noted.add(block));
        chains.into_iter().try_for_each(|chain| Ok(payload::free(self.store, CHUNKS, chain)?))
    }
}
