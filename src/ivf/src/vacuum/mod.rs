//! Taking deleted rows out of the index, and giving back the room.
//!
//! 1. Entries of dead rows are removed (see `dead.rs`); blocks remember where the items of these rows are.
//! 2. Where a block remembers many, the items are freed (see `gone.rs`).
//! 3. Blocks that have become sparse are replaced, several by one (see `compact.rs`).
//! 4. Blocks that were replaced long enough ago are freed.
//! 5. Chunks that nobody refers to are freed: it is what inserts that failed leave over, of payloads longer than a page.
//! 6. If there is new room, the free-space map is told of every page, since it may have been lost.
//!
//! Every step is a row of records that stand by themselves. Searches and inserts go on meanwhile.

mod compact;
mod dead;
mod gone;
mod noted;
mod orphans;

use crate::Result;
use crate::format::{BODY, Block, CHAINS, Link};
use crate::index::Index;
use crate::rows::commit;
use crate::walk::Steps;
use compact::State;
use kite_pages::{At, ItemPointer, MAX_ITEM, PageStore, PageTxn};
use noted::Noted;

/// How a vacuum is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VacuumOptions {
    /// Bytes that may be taken to find what nobody refers to (`maintenance_work_mem`); with less, the index is read several times. It
    /// matters only where payloads are longer than a page.
    pub memory: usize,
}

impl Default for VacuumOptions {
    fn default() -> Self {
        Self { memory: 64 << 20 }
    }
}

/// What a vacuum has found and done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VacuumStats {
    /// Pages of the index.
    pub pages: u64,
    /// Rows that are left.
    pub rows: u64,
    /// Rows that were removed.
    pub dead_rows: u64,
    /// Items of rows that were freed, of this vacuum's dead rows or earlier ones'.
    pub freed_rows: u64,
    /// Sparse blocks that others took the place of.
    pub replaced: u64,
    /// Blocks that were freed.
    pub freed: u64,
    /// Replaced blocks that wait for the searches under way to end; a later vacuum or cleanup frees them.
    pub waiting: u64,
    /// Chains of chunks that nobody referred to and that were freed.
    pub orphans: u64,
}

/// A vacuum at work.
struct Vacuum<'i, 's, S> {
    index: &'i Index<'s, S>,
    store: &'s S,
    stats: VacuumStats,
    noted: Noted,
}

impl<S: PageStore> Index<'_, S> {
    /// Removes the rows for which `is_dead` says so (`ambulkdelete`), and frees what that leaves without use.
    ///
    /// Every row is asked about once, and nothing is locked meanwhile; rows inserted during the vacuum may or may not be. While
    /// no row is dead, nothing is written: `CREATE INDEX CONCURRENTLY` asks to see all rows that way. [`Index::cleanup`] does
    /// what is left to do then.
    ///
    /// One vacuum at a time; inserts and searches may go on. After an error it can be called again and goes on from there.
    ///
    /// # Errors
    /// Damaged pages, and those of the store.
    pub fn vacuum(
        &mut self,
        options: &VacuumOptions,
        is_dead: &mut dyn FnMut(ItemPointer) -> bool,
    ) -> Result<VacuumStats> {
        self.refresh()?;
        let mut vacuum = Vacuum::new(self, Noted::of(self.store.len(), options.memory));
        vacuum.remove_dead(is_dead)?;
        if vacuum.stats.dead_rows > 0 {
            vacuum.finish(options)?;
        }
        let mut stats = vacuum.stats;
        stats.pages = u64::from(self.store.len());
        Ok(stats)
    }

    /// Whether a cleanup has nothing to do: no replaced block waits for searches. What inserts that crashed have left behind is not
    /// known of; the next vacuum with dead rows frees it.
    ///
    /// # Errors
    /// A damaged meta page, and those of the store.
    pub fn is_tidy(&mut self) -> Result<bool> {
        self.refresh()?;
        Ok(!self.meta.untidy)
    }

    /// Does all that [`Index::vacuum`] does but for removing rows (`amvacuumcleanup`).
    ///
    /// # Errors
    /// Damaged pages, and those of the store.
    pub fn cleanup(&mut self, options: &VacuumOptions) -> Result<VacuumStats> {
        self.refresh()?;
        let mut vacuum = Vacuum::new(self, Noted::default());
        vacuum.finish(options)?;
        let mut stats = vacuum.stats;
        stats.pages = u64::from(self.store.len());
        Ok(stats)
    }
}

impl<'i, 's, S: PageStore> Vacuum<'i, 's, S> {
    fn new(index: &'i Index<'s, S>, noted: Noted) -> Self {
        Self { index, store: index.store, stats: VacuumStats::default(), noted }
    }

    /// The first block of each chain of a list.
    fn chains(&self, anchor: Link) -> Result<[Link; CHAINS]> {
        let page = self.store.read(anchor.block())?;
        let found = page.view(BODY).and_then(|view| anchor.anchor(view)).at(anchor.block())?;
        let missing = crate::Error::corrupt(anchor.block(), "the anchor of a list is missing");
        Ok(found.ok_or(missing)?.chains)
    }

    /// What `visit` makes of a block, under the lock of its page; `None` if the block is not there.
    fn with_block<T>(
        &self,
        link: Link,
        visit: impl FnOnce(&Block<'_>) -> kite_pages::Result<T>,
    ) -> Result<Option<T>> {
        let page = self.store.read(link.block())?;
        let view = page.view(BODY).at(link.block())?;
        let found = link.list_block(view, &self.index.quantiser.shape).at(link.block())?;
        Ok(found.map(|block| visit(&block)).transpose()?)
    }

    /// Everything after the removal of entries.
    fn finish(&mut self, options: &VacuumOptions) -> Result<()> {
        let quantiser = std::sync::Arc::clone(&self.index.quantiser);
        self.stats.rows = 0;
        for &anchor in &quantiser.anchors {
            self.tend(anchor)?;
        }
        if quantiser.shape.chained() {
            self.free_orphans(options)?;
        }
        // Whoever frees a page tells of it. What may have been lost of the others can wait until there is something to find.
        let stats = &self.stats;
        if stats.dead_rows == 0 || stats.freed_rows + stats.freed + stats.orphans > 0 {
            self.note_space()?;
        }
        let (rows, untidy) = (self.stats.rows, self.stats.waiting > 0);
        self.index.change_meta(|meta| {
            let changed = (meta.rows, meta.untidy) != (rows, untidy);
            (meta.rows, meta.untidy) = (rows, untidy);
            changed
        })?;
        Ok(())
    }

    /// Frees what a list does not need any more, and replaces sparse blocks of it.
    fn tend(&mut self, anchor: Link) -> Result<()> {
        let mut steps = Steps::new(self.store);
        for (chain, first) in self.chains(anchor)?.into_iter().enumerate() {
            let (mut at, mut states) = (first.some(), Vec::new());
            while let Some(link) = at {
                self.store.check_interrupts()?;
                steps.take(&[link.block()])?;
                let waits = self.free_replaced(link)?;
                self.free_gone(link)?;
                let state = |block: &Block<'_>| {
                    let taken = block.count() + block.gone().len();
                    let state = State { link, taken, capacity: block.capacity(), waits };
                    Ok((state, block.count(), block.next()))
                };
                let Some((state, count, next)) = self.with_block(link, state)? else { break };
                self.stats.rows += count as u64;
                states.push(state);
                at = next;
            }
            self.compact(anchor, chain, &states)?;
        }
        Ok(())
    }

    /// Frees the blocks that this one took the place of, if no search can be among them. Whether some are left.
    fn free_replaced(&mut self, link: Link) -> Result<bool> {
        while let Some((first, count, stamp)) = self.with_block(link, |block| Ok(block.replaced()))?.flatten()
        {
            if !self.store.is_past(stamp) {
                self.stats.waiting += count as u64;
                return Ok(true);
            }
            let next = self.with_block(first, |block| Ok(block.next()))?;
            let mut blocks = [link.block(), first.block()];
            blocks.sort_unstable();
            let mut txn = self.store.begin();
            for block in blocks {
                txn.lock(block)?;
            }
            let mut slots = vec![txn.lock(link.block())?];
            let left = match next {
                Some(next) => {
                    let slot = txn.lock(first.block())?;
                    slots.push(slot);
                    // Taken under the lock, so that every snapshot by which it was found is older.
                    let now = self.store.now();
                    txn.page_mut(slot).free(first.no(), now).at(first.block())?;
                    self.stats.freed += 1;
                    next.filter(|_| count > 1)
                }
                None => None,
            };
            let item = txn.page_mut(slots[0]).item_mut(link.no()).at(link.block())?;
            let item = item.ok_or(crate::Error::corrupt(link.block(), "a block of a list is missing"))?;
            let (left, count) = left.map_or((Link::NONE, 0), |left| (left, count - 1));
            crate::format::set_replaced(item, left, count).at(link.block())?;
            slots.dedup();
            commit(self.store, txn, &slots)?;
        }
        Ok(false)
    }

    /// Tells the free-space map of all pages that it has not been told of just now.
    fn note_space(&self) -> Result<()> {
        for block in (1..self.store.len()).filter(|&block| !self.noted.has(block)) {
            self.store.check_interrupts()?;
            let room = {
                let page = self.store.read_once(block)?;
                if page.is_new() {
                    MAX_ITEM
                } else if page.kind() == BODY {
                    page.sound().and_then(kite_pages::View::room).at(block)?
                } else {
                    continue;
                }
            };
            self.store.note_space(block, room)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
