//! Replacing sparse blocks, several by one.
//!
//! A search may be on its way along the chain. If entries moved from one block to another it could miss them, or meet them twice. So a new
//! block gets copies of all entries, and takes the place of the old ones in one record: the link that led to the first of them leads to it,
//! and it leads on to where the last of them did. The old ones stay as they are, and a search that is among them goes on through
//! them: each search sees either the old blocks or the new one. The new block remembers the old ones, with a stamp of when it took their place.
//! Once no snapshot is older they are freed.
//!
//! Before entries are copied their blocks are closed, so that no insert adds one to what has been copied. The first block of a chain that
//! inserts use stays open.

use super::Vacuum;
use crate::format::{BODY, BlockBuf, Link, close, set_next};
use crate::insert::change_anchor;
use crate::rows::commit;
use crate::{Error, Result};
use kite_pages::{At, ItemPointer, PageStore, PageTxn, Rooms, with_rooms};

/// Blocks that one takes the place of at most.
const MOST: usize = 1000;
/// Capacities up to which a block is not worth replacing.
const SMALL: usize = 4;

/// A block of a chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) link: Link,
    /// Places that are taken, by entries or by what is remembered of rows that are gone.
    pub(super) taken: usize,
    pub(super) capacity: usize,
    /// Whether blocks that it replaced are not freed yet.
    pub(super) waits: bool,
}

/// What leads to a block.
#[derive(Debug, Clone, Copy)]
enum Before {
    Anchor,
    Block(Link),
}

impl<S: PageStore> Vacuum<'_, '_, S> {
    /// Replaces what is sparse in a chain.
    pub(super) fn compact(&mut self, anchor: Link, chain: usize, states: &[State]) -> Result<()> {
        let shape = self.index.quantiser.shape;
        // Inserts add to the first block of the other chains.
        let mut at = usize::from(chain > 0);
        let mut before = match states.first() {
            Some(first) if at == 1 => Before::Block(first.link),
            _ => Before::Anchor,
        };
        while at < states.len() {
            let (mut end, mut taken, mut bytes) = (at, 0, 0);
            while let Some(state) = states.get(end)
                && !state.waits
                && taken + state.taken <= shape.most()
                && end - at < MOST
            {
                taken += state.taken;
                bytes += shape.size(state.capacity);
                end += 1;
            }
            let small = end == at + 1 && states[at].capacity <= SMALL;
            // A quarter of the room is worth it.
            if end > at && !small && 4 * shape.size(taken.max(1)) <= 3 * bytes {
                let group: Vec<Link> = states[at..end].iter().map(|state| state.link).collect();
                self.store.check_interrupts()?;
                if let Some(new) = self.replace(anchor, chain, before, &group)? {
                    before = Before::Block(new);
                    at = end;
                    continue;
                }
            }
            let end = end.max(at + 1);
            before = Before::Block(states[end - 1].link);
            at = end;
        }
        Ok(())
    }

    /// Puts one block in the place of several. `None` if an insert has added too many entries meanwhile.
    fn replace(
        &mut self,
        anchor: Link,
        chain: usize,
        before: Before,
        group: &[Link],
    ) -> Result<Option<Link>> {
        let shape = self.index.quantiser.shape;
        let Some(&first) = group.first() else { return Ok(None) };
        let mut new: Option<BlockBuf> = None;
        for &link in group {
            self.close(link)?;
            let Some(old) = self.with_block(link, |block| Ok(BlockBuf::of(block)))? else { return Ok(None) };
            match &mut new {
                None => new = Some(BlockBuf { replaced: None, ..old }),
                Some(new) => {
                    new.bodies.extend_from_slice(&old.bodies);
                    new.factors.extend_from_slice(&old.factors);
                    new.rows.extend_from_slice(&old.rows);
                    new.tids.extend_from_slice(&old.tids);
                    new.gone.extend_from_slice(&old.gone);
                    new.error += old.error;
                    new.next = old.next;
                }
            }
        }
        let Some(mut new) = new.filter(|new| new.taken() <= shape.most()) else { return Ok(None) };
        new.capacity = new.taken().max(1);
        new.closed = true;
        let leads = match before {
            Before::Anchor => anchor,
            Before::Block(link) => link,
        };
        let Rooms { mut txn, slots } =
            with_rooms(self.store, BODY, &[shape.size(new.capacity)], &[leads.block()])?;
        let home = txn.lock(leads.block())?;
        let view = txn.page(home).view(BODY).at(leads.block())?;
        let leads_to = match before {
            Before::Anchor => anchor.anchor(view).at(leads.block())?.map(|anchor| anchor.chains[chain]),
            Before::Block(link) => {
                link.list_block(view, &shape).at(leads.block())?.and_then(|block| block.next())
            }
        };
        if leads_to != Some(first) {
            return Ok(None);
        }
        // Taken under the lock, so that every search that was led to the old blocks has an older snapshot.
        new.replaced = Some((first, group.len(), self.store.now()));
        let block = txn.block(slots[0]);
        let page = txn.page_mut(slots[0]);
        new.generation = page.next_generation();
        let no = new.to_bytes(&shape).and_then(|bytes| page.add(&bytes)).at(block)?;
        let no = no.ok_or(Error::corrupt(block, "a page has less room than it says"))?;
        let link = Link::new(ItemPointer::new(block, no), new.generation);
        match before {
            Before::Anchor => change_anchor(&mut txn, home, anchor, |anchor| anchor.chains[chain] = link)?,
            Before::Block(old) => {
                let item = txn.page_mut(home).item_mut(old.no()).at(leads.block())?;
                let item = item.ok_or(Error::corrupt(leads.block(), "a block of a list is missing"))?;
                set_next(item, link).at(leads.block())?;
            }
        }
        commit(self.store, txn, &slots)?;
        self.stats.replaced += group.len() as u64;
        self.stats.waiting += group.len() as u64;
        Ok(Some(link))
    }

    /// Lets no insert add to a block any more.
    fn close(&self, link: Link) -> Result<()> {
        if self.with_block(link, |block| Ok(block.is_closed()))? != Some(false) {
            return Ok(());
        }
        let mut txn = self.store.begin();
        let slot = txn.lock(link.block())?;
        let view = txn.page(slot).view(BODY).at(link.block())?;
        if link.list_block(view, &self.index.quantiser.shape).at(link.block())?.is_none() {
            return Ok(());
        }
        if let Some(item) = txn.page_mut(slot).item_mut(link.no()).at(link.block())? {
            close(item).at(link.block())?;
        }
        Ok(txn.commit()?)
    }
}
