//! Taking out the entries of dead rows, of many blocks at a time.
//!
//! A page of rows has those of one or two blocks, and of two lists where they meet. So blocks are read until they have some thousand entries;
//! then each page of rows is changed once, and after them each block.

use super::Vacuum;
use crate::Result;
use crate::format::{BODY, CHUNKS, Link, RowItem, Scanned, retain};
use crate::rows::{chain_of, commit};
use crate::walk::Steps;
use kite_pages::{At, BlockNo, ItemPointer, PageStore, PageTxn, payload};
use std::ops::Range;

/// Entries after which it is time to ask about them.
const TOGETHER: usize = 8192;

/// What has been read of blocks, and not been asked about.
#[derive(Debug, Default)]
struct Seen {
    /// The blocks, and where their entries are among these.
    blocks: Vec<(Link, Range<usize>)>,
    tids: Vec<ItemPointer>,
    /// Where rows have items.
    rows: Vec<ItemPointer>,
    /// Where payloads are chains of chunks.
    bodies: Vec<u8>,
    /// Which are dead.
    dead: Vec<bool>,
}

impl Seen {
    fn clear(&mut self) {
        self.blocks.clear();
        self.tids.clear();
        self.rows.clear();
        self.bodies.clear();
        self.dead.clear();
    }
}

impl<S: PageStore> Vacuum<'_, '_, S> {
    /// Removes the dead rows of all lists.
    pub(super) fn remove_dead(&mut self, is_dead: &mut dyn FnMut(ItemPointer) -> bool) -> Result<()> {
        let is_chain = self.index.quantiser.shape.scanned == Scanned::Chain;
        let mut seen = Seen::default();
        for &anchor in &self.index.quantiser.anchors {
            let mut steps = Steps::new(self.store);
            for first in self.chains(anchor)? {
                let mut at = first.some();
                while let Some(link) = at {
                    self.store.check_interrupts()?;
                    steps.take(&[link.block()])?;
                    let next = self.with_block(link, |block| {
                        let begin = seen.tids.len();
                        seen.tids.extend_from_slice(block.entries.tids);
                        seen.rows.extend_from_slice(block.entries.rows);
                        if is_chain {
                            seen.bodies.extend_from_slice(block.entries.bodies);
                        }
                        seen.blocks.push((link, begin..seen.tids.len()));
                        Ok(block.next())
                    })?;
                    let Some(next) = next else { break };
                    if seen.tids.len() >= TOGETHER {
                        self.remove_dead_of(&mut seen, is_dead)?;
                    }
                    at = next;
                }
            }
        }
        self.remove_dead_of(&mut seen, is_dead)
    }

    /// Asks about entries, and removes the dead: first their rows, then they themselves.
    fn remove_dead_of(
        &mut self,
        seen: &mut Seen,
        is_dead: &mut dyn FnMut(ItemPointer) -> bool,
    ) -> Result<()> {
        let shape = self.index.quantiser.shape;
        seen.dead.extend(seen.tids.iter().map(|&tid| is_dead(tid)));
        let all_dead = (0..seen.dead.len()).filter(|&n| seen.dead[n]);
        if shape.rows {
            let mut rows: Vec<_> = all_dead.clone().map(|n| (seen.rows[n], seen.tids[n])).collect();
            self.free_rows(&mut rows)?;
        } else if shape.scanned == Scanned::Chain {
            for n in all_dead.clone() {
                if let Some(chain) = chain_of(&seen.bodies[n * shape.body..(n + 1) * shape.body]) {
                    self.store.check_interrupts()?;
                    payload::free(self.store, CHUNKS, chain)?;
                }
            }
        }
        self.stats.rows += (seen.tids.len() - all_dead.count()) as u64;
        for (link, range) in &seen.blocks {
            let dead = &seen.dead[range.clone()];
            if dead.contains(&true) {
                self.store.check_interrupts()?;
                self.remove_entries(*link, &seen.tids[range.clone()], dead)?;
            }
        }
        seen.clear();
        Ok(())
    }

    /// Removes the dead entries of a block that began with these when it was read.
    fn remove_entries(&mut self, link: Link, tids: &[ItemPointer], dead: &[bool]) -> Result<()> {
        let shape = &self.index.quantiser.shape;
        let block = link.block();
        let mut txn = self.store.begin();
        let slot = txn.lock(block)?;
        let view = txn.page(slot).view(BODY).at(block)?;
        let Some(found) = link.list_block(view, shape).at(block)? else { return Ok(()) };
        // Nobody else takes entries away. Those that came meanwhile are behind the others, and stay.
        if !found.entries.tids.starts_with(tids) {
            return Err(crate::Error::corrupt(block, "a block of a list has lost entries"));
        }
        let item = txn.page_mut(slot).item_mut(link.no()).at(block)?;
        let item = item.ok_or(crate::Error::corrupt(block, "a block of a list is missing"))?;
        let keep = |n: usize| dead.get(n) != Some(&true);
        self.stats.dead_rows += retain(item, shape, keep).at(block)? as u64;
        Ok(txn.commit()?)
    }

    /// Frees the items of rows, and their chains. Rows that are gone already, or another's, stay as they are.
    fn free_rows(&mut self, rows: &mut [(ItemPointer, ItemPointer)]) -> Result<()> {
        rows.sort_unstable();
        for page_rows in rows.chunk_by(|a, b| a.0.block() == b.0.block()) {
            self.store.check_interrupts()?;
            self.free_of_page(page_rows[0].0.block(), page_rows)?;
        }
        Ok(())
    }

    fn free_of_page(&mut self, block: BlockNo, rows: &[(ItemPointer, ItemPointer)]) -> Result<()> {
        let is_chained = self.index.quantiser.shape.chained();
        let mut chains = Vec::new();
        let mut txn = self.store.begin();
        let slot = txn.lock(block)?;
        let page = txn.page_mut(slot);
        // Taken under the lock, so that every snapshot by which a row was found is older.
        let stamp = self.store.now();
        for &(row, tid) in rows {
            let item = page.view(BODY).and_then(|view| view.find(row.no())).at(block)?;
            let Some(found) = item.map(RowItem::parse).transpose().at(block)?.flatten() else { continue };
            if found.tid == tid {
                if is_chained {
                    chains.push(found.chain().at(block)?);
                }
                page.free(row.no(), stamp).at(block)?;
            }
        }
        commit(self.store, txn, &[slot])?;
        self.noted.add(block);
        chains.into_iter().try_for_each(|chain| Ok(payload::free(self.store, CHUNKS, chain)?))
    }
}
