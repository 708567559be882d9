//! Removing dead rows from a vertex that has postings.
//!
//! A search may have read the vertex and be on its way along the postings. So a row never leaves the place where such a search
//! will look for it: postings lose dead rows only, and what has to stand in the vertex is copied there from a
//! posting that is unlinked in the same record and keeps its rows and its link to the next. Who reads the vertex before that
//! finds them in the posting, who reads it later in the vertex, and nobody twice.

use super::Vacuum;
use super::rows::replace;
use crate::format::{INLINE, Link, NODES, Posting, PostingBuf, Vertex, VertexBuf};
use crate::{Error, Result};
use kite_pages::{At, Defect, ItemPointer, MAX_ITEM, Page, PageStore, PageTxn, Rooms, with_rooms};

impl<S: PageStore> Vacuum<'_, '_, S> {
    /// Asks about all rows of a vertex and its postings, and removes the dead ones.
    pub(super) fn remove_chained(
        &mut self,
        vertex: Link,
        is_dead: &mut dyn FnMut(ItemPointer) -> bool,
    ) -> Result<()> {
        let Some(buf) = self.read_vertex(vertex)? else { return Ok(()) };
        let gone = self.ask(&buf.tids, is_dead)?;
        let (mut before, mut at) = (None, buf.postings);
        let mut steps = Steps::default();
        while !at.is_none() {
            self.store.check_interrupts()?;
            steps.take(at)?;
            let Some(posting) = self.read_posting(at)? else { break };
            if posting.owner != vertex.pointer {
                return Err(Error::corrupt(at.block(), "a posting belongs to another vertex"));
            }
            let dead = self.ask(&posting.tids, is_dead)?;
            // An empty posting stays in the chain when an insert came between; but who only looks may not remove it.
            let leave = dead.is_empty() && (!posting.tids.is_empty() || self.stats.dead_rows == 0);
            if leave || !self.shrink(vertex, before, at, &dead)? {
                before = Some(at);
            }
            at = posting.next;
        }
        if gone.is_empty() { Ok(()) } else { self.settle(vertex, &gone) }
    }

    /// Removes dead rows from a posting, and an empty posting from its chain. Answers whether it was removed.
    fn shrink(&self, vertex: Link, before: Option<Link>, at: Link, dead: &[ItemPointer]) -> Result<bool> {
        let before = before.unwrap_or(vertex);
        let Rooms { mut txn, .. } = with_rooms(self.store, NODES, &[], &[at.block(), before.block()])?;
        let (slot, before_slot) = (txn.lock(at.block())?, txn.lock(before.block())?);
        let Some(mut posting) = find_posting(txn.page(slot), at).at(at.block())? else { return Ok(true) };
        posting.tids.retain(|tid| !dead.contains(tid));
        let unlinked = posting.tids.is_empty()
            && relink(txn.page_mut(before_slot), before, at, posting.next).at(before.block())?;
        if unlinked {
            posting.unlinked = Some(self.store.now());
            posting.capacity = 0;
        }
        put_posting(txn.page_mut(slot), at, &posting).at(at.block())?;
        self.index.commit(txn, &[slot])?;
        Ok(unlinked)
    }

    /// Removes dead rows from the vertex itself. If none is left there, rows of its first posting take their place; without
    /// postings the vertex is dead.
    pub(super) fn settle(&self, link: Link, gone: &[ItemPointer]) -> Result<()> {
        loop {
            self.store.check_interrupts()?;
            let Some(mut vertex) = self.read_vertex(link)? else { return Ok(()) };
            vertex.tids.retain(|tid| !gone.contains(tid));
            let done = if vertex.tids.is_empty() && !vertex.postings.is_none() {
                self.pull(link, vertex.postings, gone)?
            } else {
                self.remove_inline(link, gone)?
            };
            if done {
                return Ok(());
            }
        }
    }

    /// Removes dead rows from the vertex, unless postings have come that it needs rows from.
    fn remove_inline(&self, link: Link, gone: &[ItemPointer]) -> Result<bool> {
        let block = link.block();
        let mut txn = self.store.begin();
        let slot = txn.lock(block)?;
        let Some(mut vertex) = find_vertex(txn.page(slot), link).at(block)? else { return Ok(true) };
        vertex.tids.retain(|tid| !gone.contains(tid));
        if vertex.tids.is_empty() && !vertex.postings.is_none() {
            return Ok(false);
        }
        vertex.dead = vertex.tids.is_empty();
        replace(txn.page_mut(slot), link, &vertex).at(block)?;
        self.index.commit(txn, &[slot])?;
        Ok(true)
    }

    /// Unlinks the first posting and puts rows of it in the place of the vertex' dead ones; what does not fit there goes into
    /// a new posting. `false` when it has to be tried again.
    fn pull(&self, link: Link, first: Link, gone: &[ItemPointer]) -> Result<bool> {
        let Some(read) = self.read_posting(first)? else {
            return Err(Error::corrupt(first.block(), "the first posting of a vertex is missing"));
        };
        if read.unlinked.is_some() {
            return Err(Error::corrupt(first.block(), "a posting that was unlinked is in a chain"));
        }
        let size = PostingBuf::size(capacity(read.tids.len()));
        let sizes: &[usize] = if read.tids.is_empty() { &[] } else { &[size] };
        let Rooms { mut txn, slots } = with_rooms(self.store, NODES, sizes, &[link.block(), first.block()])?;
        let (slot, first_slot) = (txn.lock(link.block())?, txn.lock(first.block())?);
        let new_slot = slots.first().copied().unwrap_or(slot);
        let vertex = find_vertex(txn.page(slot), link).at(link.block())?;
        let posting = find_posting(txn.page(first_slot), first).at(first.block())?;
        let (Some(mut vertex), Some(mut posting)) = (vertex, posting) else { return Ok(false) };
        if vertex.postings != first
            || vertex.tids.iter().any(|tid| !gone.contains(tid))
            || PostingBuf::size(capacity(posting.tids.len())) > size
        {
            return Ok(false);
        }
        let tids = std::mem::take(&mut vertex.tids);
        vertex.postings = posting.next;
        if posting.tids.is_empty() {
            // The next posting, or nothing, comes in the next round: until then the dead rows stay.
            vertex.tids = tids;
        } else {
            // The bytes of the dead rows are there for as many others.
            let (own, rest) = posting.tids.split_at(posting.tids.len().min(tids.len()).min(INLINE));
            vertex.tids = own.to_vec();
            if !rest.is_empty() {
                let place = txn.block(new_slot);
                let page = txn.page_mut(new_slot);
                let Some(new) = add_posting(page, place, &posting, rest).at(place)? else { return Ok(false) };
                vertex.postings = new;
            }
        }
        let done = !vertex.tids.is_empty() && !posting.tids.is_empty();
        posting.unlinked = Some(self.store.now());
        put_posting(txn.page_mut(first_slot), first, &posting).at(first.block())?;
        replace(txn.page_mut(slot), link, &vertex).at(link.block())?;
        self.index.commit(txn, &[new_slot])?;
        Ok(done)
    }

    fn read_vertex(&self, link: Link) -> Result<Option<VertexBuf>> {
        Ok(find_vertex(&*self.store.read(link.block())?, link).at(link.block())?)
    }

    fn read_posting(&self, link: Link) -> Result<Option<PostingBuf>> {
        Ok(find_posting(&*self.store.read(link.block())?, link).at(link.block())?)
    }
}

pub(super) fn find_vertex(page: &Page, link: Link) -> Result<Option<VertexBuf>, Defect> {
    Ok(link.find::<Vertex<'_>>(page.view(NODES)?, ())?.map(VertexBuf::from))
}

fn find_posting(page: &Page, link: Link) -> Result<Option<PostingBuf>, Defect> {
    Ok(link.find::<Posting<'_>>(page.view(NODES)?, ())?.map(PostingBuf::from))
}

/// Puts a posting back that has become no longer.
fn put_posting(page: &mut Page, at: Link, posting: &PostingBuf) -> Result<(), Defect> {
    if page.replace(at.no(), &posting.to_bytes()?)? {
        Ok(())
    } else {
        Err(Defect("a posting is longer than it was"))
    }
}

/// How many TIDs a posting that is to hold `tids` of them has room for.
fn capacity(tids: usize) -> usize {
    (tids + INLINE).min(PostingBuf::capacity_of(MAX_ITEM))
}

/// Adds a posting with these rows in the place of another. `None` when the page has no room.
fn add_posting(
    page: &mut Page,
    block: u32,
    instead_of: &PostingBuf,
    tids: &[ItemPointer],
) -> Result<Option<Link>, Defect> {
    let posting = PostingBuf {
        generation: page.next_generation(),
        unlinked: None,
        capacity: capacity(tids.len()),
        tids: tids.to_vec(),
        ..instead_of.clone()
    };
    let no = page.add(&posting.to_bytes()?)?;
    Ok(no.map(|no| Link::new(ItemPointer::new(block, no), posting.generation)))
}

/// Lets what refers to `at`, a vertex or a posting, refer to `next` instead. `false` if it does not refer to `at`.
fn relink(page: &mut Page, before: Link, at: Link, next: Link) -> Result<bool, Defect> {
    if let Some(mut vertex) = find_vertex(page, before)? {
        let found = vertex.postings == at;
        // A vertex has rows of its own as long as it has any, so that this one keeps some, dead or alive.
        if found {
            vertex.postings = next;
            replace(page, before, &vertex)?;
        }
        return Ok(found);
    }
    let Some(mut posting) = find_posting(page, before)? else { return Ok(false) };
    let found = posting.next == at && posting.unlinked.is_none();
    if found {
        posting.next = next;
        put_posting(page, before, &posting)?;
    }
    Ok(found)
}

/// Finds out a chain that turns back on itself (Brent's algorithm).
#[derive(Debug, Default)]
pub(crate) struct Steps {
    seen: Link,
    left: u64,
    power: u64,
}

impl Steps {
    /// Takes a step to a posting.
    pub(crate) fn take(&mut self, to: Link) -> Result<()> {
        if to == self.seen {
            return Err(Error::corrupt(to.block(), "a chain of postings turns back on itself"));
        }
        if self.left == 0 {
            self.power = (2 * self.power).max(1);
            (self.seen, self.left) = (to, self.power);
        }
        self.left -= 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_in_a_circle_are_found_out() {
        let at = |n| Link::new(ItemPointer::new(n, 1), 1);
        let mut steps = Steps::default();
        assert!((1..1000).all(|n| steps.take(at(n)).is_ok()));
        for circle in [1, 2, 3, 50] {
            let mut steps = Steps::default();
            let found =
                (0..1000).position(|n| steps.take(at(if n < 20 { n } else { 20 + n % circle })).is_err());
            assert!(found.is_some_and(|n| n >= 20), "{circle}: {found:?}");
        }
    }
}
