//! Taking out the entries of dead rows.

use super::Vacuum;
use crate::Result;
use crate::format::{BODY, CHUNKS, Link, Scanned, retain};
use crate::rows::chain_of;
use crate::walk::Steps;
use kite_pages::{At, ItemPointer, PageStore, PageTxn, payload};

/// What has been read of a block, to be asked about with nothing locked.
#[derive(Debug, Default)]
struct Seen {
    tids: Vec<ItemPointer>,
    /// Where payloads are chains of chunks.
    bodies: Vec<u8>,
    /// Which are dead.
    dead: Vec<bool>,
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
                    seen.tids.clear();
                    seen.bodies.clear();
                    let next = self.with_block(link, |block| {
                        seen.tids.extend_from_slice(block.entries.tids);
                        if is_chain {
                            seen.bodies.extend_from_slice(block.entries.bodies);
                        }
                        Ok(block.next())
                    })?;
                    let Some(next) = next else { break };
                    self.remove_dead_of(link, &mut seen, is_dead)?;
                    at = next;
                }
            }
        }
        Ok(())
    }

    /// Asks about the entries of a block, and removes the dead.
    fn remove_dead_of(
        &mut self,
        link: Link,
        seen: &mut Seen,
        is_dead: &mut dyn FnMut(ItemPointer) -> bool,
    ) -> Result<()> {
        let Seen { tids, bodies, dead } = seen;
        let shape = self.index.quantiser.shape;
        dead.clear();
        dead.extend(tids.iter().map(|&tid| is_dead(tid)));
        let all_dead = (0..dead.len()).filter(|&n| dead[n]);
        self.stats.rows += (tids.len() - all_dead.clone().count()) as u64;
        if !dead.contains(&true) {
            return Ok(());
        }
        if shape.scanned == Scanned::Chain {
            for n in all_dead {
                if let Some(chain) = chain_of(&bodies[n * shape.body..(n + 1) * shape.body]) {
                    self.store.check_interrupts()?;
                    payload::free(self.store, CHUNKS, chain)?;
                }
            }
        }
        self.remove_entries(link, tids, dead)
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
}
