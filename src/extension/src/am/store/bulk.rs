//! Writing a new index, page after page.

use super::PgStore;
use kite_pages::{BlockNo, BulkWriter, Error, Page, PageStore, Result};
use pgrx::pg_sys;

/// Pages in a WAL record.
const TOGETHER: BlockNo = 32;

/// Appends pages by way of shared buffers, so that an index is warm when it is made, and logs them whole, many a record.
#[derive(Debug)]
pub(crate) struct PgBulk<'s> {
    store: &'s PgStore,
    next: BlockNo,
    /// The first page that is not in the WAL.
    unlogged: BlockNo,
}

impl<'s> PgBulk<'s> {
    pub(super) fn new(store: &'s PgStore) -> Self {
        let next = store.len();
        Self { store, next, unlogged: next }
    }

    fn log(&mut self) {
        if self.unlogged < self.next && self.store.is_logged() {
            let fork = &self.store.fork;
            // SAFETY: the relation is open, and the pages are there; nobody else writes to them.
            unsafe { pg_sys::log_newpage_range(fork.relation, fork.number, self.unlogged, self.next, true) };
        }
        self.unlogged = self.next;
    }
}

impl BulkWriter for PgBulk<'_> {
    fn next(&self) -> BlockNo {
        self.next
    }

    fn append(&mut self, page: &Page) -> Result<BlockNo> {
        let block = self.next;
        let locked = self.store.fork.extend();
        // SAFETY: the buffer is pinned, and locked exclusively by us, so that nothing else borrows the page.
        unsafe {
            if pg_sys::BufferGetBlockNumber(locked.buffer()) != block {
                return Err(Error::Corrupt {
                    block,
                    what: "another session adds pages to an index that is built",
                });
            }
            let image = &mut *super::buffer::page_of(locked.buffer());
            image.copy_from(page);
            image.zero_hole().map_err(|defect| Error::Corrupt { block, what: defect.0 })?;
            pg_sys::MarkBufferDirty(locked.buffer());
        }
        drop(locked);
        self.next += 1;
        self.store.grown(block);
        if self.next - self.unlogged >= TOGETHER {
            self.log();
        }
        Ok(block)
    }

    fn finish(mut self) -> Result<()> {
        self.log();
        Ok(())
    }
}
