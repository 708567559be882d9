//! Freeing chunks that nobody refers to.
//!
//! Those that are past are suspects: their writers have referred to them by now, or failed. Whatever a row or a chunk refers to is none.

use super::{Vacuum, VacuumOptions};
use crate::Result;
use crate::format::{BLOCK, BODY, Block, CHUNK, CHUNKS, ROW, RowItem, Scanned};
use crate::rows::chain_of;
use kite_pages::payload::{self, Chunk};
use kite_pages::{At, BlockNo, ItemPointer, ItemRef, PageStore, View};
use std::collections::HashMap;

/// Bytes that a suspect takes, about.
const EACH: usize = 48;

impl<S: PageStore> Vacuum<'_, '_, S> {
    /// Goes over all pages, as often as memory demands.
    pub(super) fn free_orphans(&mut self, options: &VacuumOptions) -> Result<()> {
        let most = (options.memory / EACH).max(1000);
        let mut from = 1;
        while from < self.store.len() {
            let mut suspects = HashMap::new();
            let until = self.suspects(from, most, &mut suspects)?;
            if !suspects.is_empty() {
                self.clear(&mut suspects)?;
            }
            for (pointer, generation) in suspects {
                payload::free(self.store, CHUNKS, ItemRef::new(pointer, generation))?;
                self.stats.orphans += 1;
            }
            from = until;
        }
        Ok(())
    }

    fn pages(
        &self,
        blocks: std::ops::Range<BlockNo>,
        mut visit: impl FnMut(BlockNo, View<'_>) -> Result<bool>,
    ) -> Result<BlockNo> {
        for block in blocks.clone() {
            self.store.check_interrupts()?;
            let page = self.store.read(block)?;
            if !page.is_new() && page.kind() == BODY && !visit(block, page.view(BODY).at(block)?)? {
                return Ok(block + 1);
            }
        }
        Ok(blocks.end)
    }

    /// Collects chunks whose stamp is past, from a page on. Answers the page after the last one looked at.
    fn suspects(
        &self,
        from: BlockNo,
        most: usize,
        suspects: &mut HashMap<ItemPointer, u32>,
    ) -> Result<BlockNo> {
        self.pages(from..self.store.len(), |block, view| {
            for item in view.items() {
                let (no, item) = item.at(block)?;
                if let Some(chunk) = Chunk::parse(item, CHUNK).at(block)?
                    && self.store.is_past(chunk.stamp)
                {
                    suspects.insert(ItemPointer::new(block, no), chunk.generation);
                }
            }
            Ok(suspects.len() < most)
        })
    }

    /// Takes away what is referred to.
    fn clear(&self, suspects: &mut HashMap<ItemPointer, u32>) -> Result<()> {
        let shape = self.index.quantiser.shape;
        self.pages(1..self.store.len(), |block, view| {
            for item in view.items() {
                let (_, item) = item.at(block)?;
                match item.first() {
                    Some(&CHUNK) => {
                        let chunk = Chunk::parse(item, CHUNK).at(block)?;
                        if let Some(next) = chunk.and_then(|chunk| chunk.next) {
                            suspects.remove(&next.pointer);
                        }
                    }
                    Some(&ROW) => {
                        if let Some(row) = RowItem::parse(item).at(block)? {
                            suspects.remove(&row.chain().at(block)?.pointer);
                        }
                    }
                    Some(&BLOCK) if shape.scanned == Scanned::Chain => {
                        if let Some(found) = Block::parse(item, &shape).at(block)? {
                            for n in 0..found.count() {
                                if let Some(chain) = chain_of(found.entries.body(n, &shape)) {
                                    suspects.remove(&chain.pointer);
                                }
                            }
                        }
                    }
                    _ => {}
                }
            }
            Ok(true)
        })?;
        Ok(())
    }
}
