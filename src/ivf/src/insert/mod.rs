//! Inserting a row: one record, after those of the chunks of a payload that is longer than a page.
//!
//! The list is that of the nearest centroid, found with nothing locked. Its entry goes to the first block of one of the list's
//! chains: all writers use the same one until they meet there, which they seldom do among many lists, and then each its own. So a session
//! that inserts little finds room in what others have begun. The record has the entry's page and that of the row's item; where the
//! block is full or there is none, that of a new block and of the anchor, too. A process remembers the block of a list that it added to last, and
//! so goes straight to it.

use crate::coder::Desk;
use crate::format::{Anchor, BODY, Block, BlockBuf, CHAINS, CHUNKS, Link, Scanned, append, row_item};
use crate::index::Index;
use crate::rows::commit;
use crate::{Error, Result};
use kite_codecs::Value;
use kite_pages::{At, BlockNo, ItemPointer, PageStore, PageTxn, Rooms, Slot, payload, with_rooms};
use std::cell::Cell;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use zerocopy::{FromBytes, IntoBytes};

/// How often an insert looks anew when others are faster.
const ATTEMPTS: usize = 1000;
/// Bytes that the first block of a chain has, about.
const SMALL: usize = 1024;

/// What is being inserted, and what is worked with until that is known.
#[derive(Debug)]
struct New {
    tid: ItemPointer,
    list: u32,
    body: Vec<u8>,
    factors: Vec<u8>,
    /// The item of the row, or nothing.
    row: Vec<u8>,
    error: f64,
    payload: Vec<u8>,
    desk: Desk,
}

impl Default for New {
    fn default() -> Self {
        let (body, factors, row, payload) = Default::default();
        Self {
            tid: ItemPointer::NONE,
            list: 0,
            body,
            factors,
            row,
            error: 0.0,
            payload,
            desk: Desk::default(),
        }
    }
}

thread_local! {
    /// What the last insert has worked with, for the next: a statement of one row would spend more on memory than on its code.
    static SPARE: Cell<Option<Box<New>>> = const { Cell::new(None) };
}

impl<S: PageStore> Index<'_, S> {
    /// Inserts a row. `false` for a value that is not indexed: a zero vector under cosine distance.
    ///
    /// After an error the row is not there; chunks of its payload may be, for vacuum to free.
    ///
    /// # Errors
    /// A value of another type or other dimensions than the index's, and those of the store.
    pub fn insert(&mut self, tid: ItemPointer, value: Value<'_>) -> Result<bool> {
        self.refresh()?;
        let mut new = SPARE.take().unwrap_or_default();
        let outcome = self.insert_by(tid, value, &mut new);
        SPARE.set(Some(new));
        outcome
    }

    fn insert_by(&self, tid: ItemPointer, value: Value<'_>, new: &mut New) -> Result<bool> {
        if !self.describe(tid, value, new)? {
            return Ok(false);
        }
        for _ in 0..ATTEMPTS {
            self.store.check_interrupts()?;
            if self.append(new)? {
                return Ok(true);
            }
        }
        let anchor = self.quantiser.anchors[new.list as usize];
        Err(Error::corrupt(anchor.block(), "a list has always room, and then none"))
    }

    /// What is to be inserted; `false` for nothing. Chunks of a long payload are written.
    fn describe(&self, tid: ItemPointer, value: Value<'_>, new: &mut New) -> Result<bool> {
        let quantiser = &*self.quantiser;
        let shape = &quantiser.shape;
        let New { payload, body, factors, row, desk, .. } = new;
        [&mut *payload, body, factors, row].into_iter().for_each(Vec::clear);
        match quantiser.scorer.encode(value, payload) {
            Err(kite_codecs::Error::Zero) => return Ok(false),
            encoded => encoded?,
        }
        let Some((list, error)) = quantiser.assign(value, desk) else { return Ok(false) };
        if shape.chained() {
            let chain = payload::write(self.store, CHUNKS, tid, payload)?;
            payload.clear();
            payload.extend_from_slice(chain.as_bytes());
        }
        if shape.rows {
            row_item(shape, tid, payload, row);
        }
        if shape.scanned == Scanned::Code {
            let centre = quantiser.centres.point(list as usize);
            quantiser.coder.encode(value, desk, centre, body)?;
        } else {
            std::mem::swap(body, payload);
        }
        factors.extend(body.drain(shape.body.min(body.len())..));
        (new.tid, new.list, new.error) = (tid, list, error);
        Ok(true)
    }

    /// Writes the entry. `false` if another writer was faster.
    fn append(&self, new: &New) -> Result<bool> {
        // Any block with room will do, and it is only under its lock that it is known to have some.
        if let Some(link) = self.quantiser.open(new.list)
            && self.append_to(new, link)?
        {
            return Ok(true);
        }
        let anchor = self.quantiser.anchors[new.list as usize];
        let chain = if self.quantiser.is_crowded(new.list) { 1 + writer() % (CHAINS - 1) } else { 1 };
        let head = {
            let page = self.store.read(anchor.block())?;
            let found = page.view(BODY).and_then(|view| anchor.anchor(view)).at(anchor.block())?;
            found.ok_or(Error::corrupt(anchor.block(), "the anchor of a list is missing"))?.chains[chain]
        };
        let mut capacity = self.quantiser.shape.capacity_in(SMALL);
        if !head.is_none() {
            let page = self.store.read(head.block())?;
            let view = page.view(BODY).at(head.block())?;
            if let Some(block) = head.list_block(view, &self.quantiser.shape).at(head.block())? {
                if block.has_room() {
                    drop(page);
                    self.quantiser.set_open(new.list, head);
                    return self.append_to(new, head);
                }
                capacity = 2 * block.capacity();
            }
        }
        self.append_block(new, (anchor, chain, head), capacity.clamp(1, self.quantiser.shape.most()))
    }

    /// Adds the entry to a block that has had room.
    fn append_to(&self, new: &New, link: Link) -> Result<bool> {
        let shape = &self.quantiser.shape;
        let sizes: &[usize] = if shape.rows { &[new.row.len()] } else { &[] };
        let Rooms { mut txn, slots } = with_rooms(self.store, BODY, sizes, &[link.block()])?;
        let (slot, block) = (txn.lock(link.block())?, link.block());
        let view = txn.page(slot).view(BODY).at(block)?;
        let has_room = |found: Block<'_>| found.list() == new.list && found.has_room();
        if !link.list_block(view, shape).at(block)?.is_some_and(has_room) {
            self.quantiser.set_open(new.list, Link::NONE);
            return Ok(false);
        }
        let row = add_row(&mut txn, new, &slots)?;
        let item = txn.page_mut(slot).item_mut(link.no()).at(block)?;
        let item = item.ok_or(Error::corrupt(block, "a block of a list is missing"))?;
        append(item, shape, (&new.body, &new.factors), row, new.tid, new.error).at(block)?;
        if txn.waited() && self.quantiser.set_crowded(new.list) {
            self.quantiser.set_open(new.list, Link::NONE);
        }
        // The block's page has as much room as before, unless it has the row as well.
        commit(self.store, txn, &slots)?;
        Ok(true)
    }

    /// Adds a block with the entry before the first of a chain.
    fn append_block(
        &self,
        new: &New,
        (anchor, chain, head): (Link, usize, Link),
        capacity: usize,
    ) -> Result<bool> {
        let shape = &self.quantiser.shape;
        let size = shape.size(capacity);
        let sizes: &[usize] = if shape.rows { &[size, new.row.len()] } else { &[size] };
        let Rooms { mut txn, slots } = with_rooms(self.store, BODY, sizes, &[anchor.block()])?;
        let home = txn.lock(anchor.block())?;
        let view = txn.page(home).view(BODY).at(anchor.block())?;
        if !anchor.anchor(view).at(anchor.block())?.is_some_and(|found| found.chains[chain] == head) {
            return Ok(false);
        }
        let row = add_row(&mut txn, new, &slots[1..])?;
        let block = txn.block(slots[0]);
        let page = txn.page_mut(slots[0]);
        let mut buf = BlockBuf::new(anchor.pointer(), new.list, capacity);
        buf.generation = page.next_generation();
        buf.next = head;
        buf.error = new.error;
        buf.bodies.extend_from_slice(&new.body);
        buf.factors.extend_from_slice(&new.factors);
        if shape.rows {
            buf.rows.push(row);
        }
        buf.tids.push(new.tid);
        let no = buf.to_bytes(shape).and_then(|bytes| page.add(&bytes)).at(block)?;
        let no = no.ok_or(Error::corrupt(block, "a page has less room than it says"))?;
        let link = Link::new(ItemPointer::new(block, no), buf.generation);
        change_anchor(&mut txn, home, anchor, |found| found.chains[chain] = link)?;
        commit(self.store, txn, &slots)?;
        self.quantiser.set_open(new.list, link);
        Ok(true)
    }
}

/// Adds the item of the row, if it has one, to the first page.
fn add_row<T: PageTxn>(txn: &mut T, new: &New, slots: &[Slot]) -> Result<ItemPointer> {
    let Some(&slot) = slots.first().filter(|_| !new.row.is_empty()) else { return Ok(ItemPointer::NONE) };
    let block = txn.block(slot);
    let no = txn.page_mut(slot).add(&new.row).at(block)?;
    let no = no.ok_or(Error::corrupt(block, "a page has less room than it says"))?;
    Ok(ItemPointer::new(block, no))
}

/// Changes an anchor on a page that is held.
pub(crate) fn change_anchor<T: PageTxn>(
    txn: &mut T,
    slot: Slot,
    anchor: Link,
    change: impl FnOnce(&mut Anchor),
) -> Result<()> {
    let block = anchor.block();
    change(anchor_of(txn.page_mut(slot).item_mut(anchor.no()).at(block)?, block)?);
    Ok(())
}

/// The anchor that an item of a block is.
pub(crate) fn anchor_of(item: Option<&mut [u8]>, block: BlockNo) -> Result<&mut Anchor> {
    let found = item.and_then(|item| Anchor::mut_from_bytes(item).ok());
    found.ok_or(Error::corrupt(block, "the anchor of a list is missing"))
}

/// A number that tells the writers of an index apart, mostly: processes of a server, or threads.
fn writer() -> usize {
    thread_local!(static NUMBER: Cell<Option<usize>> = const { Cell::new(None) });
    NUMBER.get().unwrap_or_else(|| {
        let of = (std::process::id(), std::thread::current().id());
        let number = BuildHasherDefault::<DefaultHasher>::default().hash_one(of) as usize;
        NUMBER.set(Some(number));
        number
    })
}

#[cfg(test)]
mod tests;
