//! Figures of an index, for `kite.index_info`.

use crate::format::{BLOCK, BODY, Block, CHUNK, ROW};
use crate::index::Index;
use crate::walk::walk;
use crate::{Codes, Options, Result};
use kite_pages::{At, PAGE_SIZE, PageStore};

/// What an index consists of.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// What it was made with.
    pub options: Options,
    /// The codes that it has: `pq` needs rows to learn from, and is `rabitq` without.
    pub codes: Codes,
    /// Pages, the meta page and the directory among them.
    pub pages: u64,
    /// Bytes of all pages.
    pub bytes: u64,
    /// Bytes that items could still take.
    pub free_bytes: u64,
    /// Rows.
    pub rows: u64,
    /// Lists.
    pub lists: u64,
    /// Lists without rows.
    pub empty_lists: u64,
    /// Rows of the longest list.
    pub longest_list: u64,
    /// Blocks of lists.
    pub blocks: u64,
    /// Entries that these blocks could still take, or that vacuum has left.
    pub spare_entries: u64,
    /// Blocks that vacuum has replaced, and that are freed once the searches under way have ended.
    pub waiting_blocks: u64,
    /// Items of rows, those of dead ones that are not freed yet among them.
    pub row_items: u64,
    /// Chunks of payloads that are longer than a page.
    pub chunks: u64,
    /// Rows of the build.
    pub built_rows: u64,
    /// How far rows were from their centroids at the build, on the average: the squared distance (for inner product and cosine that of
    /// the residual), or the distance of L1 and bits. 0 without a build.
    pub built_error: f64,
    /// The same of the rows that are there now, of which each counts as it was when it came. Where this has grown much, a REINDEX
    /// finds centroids that fit the rows.
    pub error: f64,
}

impl Info {
    /// How much farther rows are from their centroids than at the build: 1 where nothing has changed, 0 without a build.
    #[must_use]
    pub fn drift(&self) -> f64 {
        if self.built_error > 0.0 { self.error / self.built_error } else { 0.0 }
    }
}

impl<S: PageStore> Index<'_, S> {
    /// Counts what there is, page by page; inserts meanwhile are counted or not.
    ///
    /// # Errors
    /// Damaged pages, and those of the store.
    pub fn info(&mut self) -> Result<Info> {
        self.refresh()?;
        let pages = self.store.len();
        let mut info = Info {
            options: self.meta.options,
            codes: self.meta.codes,
            pages: u64::from(pages),
            bytes: u64::from(pages) * PAGE_SIZE as u64,
            free_bytes: 0,
            rows: 0,
            lists: u64::from(self.meta.lists),
            empty_lists: 0,
            longest_list: 0,
            blocks: 0,
            spare_entries: 0,
            waiting_blocks: 0,
            row_items: 0,
            chunks: 0,
            built_rows: self.meta.built_rows,
            built_error: self.meta.built_error,
            error: 0.0,
        };
        let mut all_blocks = 0;
        for block in 1..pages {
            self.store.check_interrupts()?;
            let page = self.store.read(block)?;
            if page.is_new() || page.kind() != BODY {
                continue;
            }
            let view = page.view(BODY).at(block)?;
            info.free_bytes += view.room().at(block)? as u64;
            for item in view.items() {
                match item.at(block)?.1.first() {
                    Some(&ROW) => info.row_items += 1,
                    Some(&CHUNK) => info.chunks += 1,
                    Some(&BLOCK) => all_blocks += 1,
                    _ => {}
                }
            }
        }
        let mut error = 0.0;
        for &anchor in &self.quantiser.anchors {
            let mut rows = 0;
            walk(self.store, &self.quantiser.shape, &[anchor], |_, _, block: &Block<'_>| {
                rows += block.count() as u64;
                info.blocks += 1;
                info.spare_entries += (block.capacity() - block.count()) as u64;
                error += block.error();
                Ok(())
            })?;
            info.rows += rows;
            info.empty_lists += u64::from(rows == 0);
            info.longest_list = info.longest_list.max(rows);
        }
        info.error = error / info.rows.max(1) as f64;
        info.waiting_blocks = u64::saturating_sub(all_blocks, info.blocks);
        Ok(info)
    }
}
