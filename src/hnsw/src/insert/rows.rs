//! Further rows of a vertex: equal vectors share one.

use super::near::Equal;
use crate::format::{INLINE, Link, NODES, Place, Posting, PostingBuf, Vertex, VertexBuf, append_row};
use crate::index::Index;
use crate::{Error, Result};
use kite_pages::{
    At, BlockNo, Defect, ItemPointer, MAX_ITEM, PageStore, PageTxn, Rooms, Slot, View, with_rooms,
};

/// How often a vertex is tried that others change meanwhile. After that the row gets a vertex of its own, which is as right.
const ATTEMPTS: usize = 100;
/// TIDs that a first posting has room for.
const FIRST: usize = 16;

/// What a try came to.
enum Tried {
    Done,
    /// The vertex has died, or is another by now.
    Dead,
    /// It has this first posting by now.
    Changed(Link),
    /// There is no room, and the next posting is to have this capacity.
    Full(usize),
}

impl<S: PageStore> Index<'_, S> {
    /// Adds a row to a vertex that has its payload. `false`, and nothing written, when the vertex has died.
    pub(crate) fn add_row(&self, equal: Equal, payload: &[u8], tid: ItemPointer) -> Result<bool> {
        let mut equal = equal;
        for _ in 0..ATTEMPTS {
            self.store.check_interrupts()?;
            let mut tried = self.add_in_place(equal, payload, tid)?;
            if let Tried::Full(capacity) = tried {
                tried = self.add_posting(equal, payload, tid, capacity)?;
            }
            match tried {
                Tried::Done => return Ok(true),
                Tried::Dead => return Ok(false),
                Tried::Changed(postings) => equal.postings = postings,
                Tried::Full(_) => {}
            }
        }
        Ok(false)
    }

    /// Adds a row to the vertex itself or to its first posting.
    fn add_in_place(&self, equal: Equal, payload: &[u8], tid: ItemPointer) -> Result<Tried> {
        let home = equal.vertex.block();
        let mut txn = self.store.begin();
        let (vertex, posting) = lock_both(&mut txn, home, equal.postings)?;
        let view = txn.page(vertex).view(NODES).at(home)?;
        let mut changed = match look(view, equal, payload).at(home)? {
            Ok(vertex) => vertex,
            Err(tried) => return Ok(tried),
        };
        if changed.tids.len() < INLINE {
            changed.tids.push(tid);
            if txn.page_mut(vertex).resize(equal.vertex.no(), &changed.to_bytes().at(home)?).at(home)? {
                self.commit(txn, &[vertex])?;
                return Ok(Tried::Done);
            }
        }
        let Some(slot) = posting else { return Ok(Tried::Full(FIRST)) };
        let (block, no) = (equal.postings.block(), equal.postings.no());
        let page = txn.page(slot).view(NODES).at(block)?;
        let Some(posting) = equal.postings.find::<Posting<'_>>(page, ()).at(block)? else {
            return Err(Error::corrupt(home, "a vertex refers to a posting that is missing"));
        };
        if posting.tids.len() < posting.capacity {
            let item = txn.page_mut(slot).item_mut(no).at(block)?.unwrap_or_default();
            append_row(item, tid).at(block)?;
            txn.commit()?;
            return Ok(Tried::Done);
        }
        let mut grown = PostingBuf::from(posting);
        grown.capacity = (2 * grown.capacity).min(PostingBuf::capacity_of(MAX_ITEM));
        if grown.tids.len() < grown.capacity {
            grown.tids.push(tid);
            if txn.page_mut(slot).resize(no, &grown.to_bytes().at(block)?).at(block)? {
                self.commit(txn, &[slot])?;
                return Ok(Tried::Done);
            }
        }
        Ok(Tried::Full(grown.capacity))
    }

    /// Puts a new posting in front of the others, with the row in it.
    fn add_posting(&self, equal: Equal, payload: &[u8], tid: ItemPointer, capacity: usize) -> Result<Tried> {
        let home = equal.vertex.block();
        let Rooms { mut txn, slots } = with_rooms(self.store, NODES, &[PostingBuf::size(capacity)], &[home])?;
        let (vertex, room) = (txn.lock(home)?, slots[0]);
        let mut changed = match look(txn.page(vertex).view(NODES).at(home)?, equal, payload).at(home)? {
            Ok(vertex) => vertex,
            Err(tried) => return Ok(tried),
        };
        let block = txn.block(room);
        let page = txn.page_mut(room);
        let posting = PostingBuf {
            generation: page.next_generation(),
            owner: equal.vertex.pointer,
            next: equal.postings,
            unlinked: None,
            capacity,
            tids: vec![tid],
        };
        let added = posting.to_bytes().and_then(|bytes| page.add(&bytes)).at(block)?;
        let no = added.ok_or(Error::corrupt(block, "a page has less room than it says"))?;
        changed.postings = Link::new(ItemPointer::new(block, no), posting.generation);
        let bytes = changed.to_bytes().at(home)?;
        txn.page_mut(vertex).replace(equal.vertex.no(), &bytes).at(home)?;
        self.commit(txn, &[room])?;
        Ok(Tried::Done)
    }
}

/// Locks the page of a vertex and that of its first posting, if it has one, in the order of blocks.
fn lock_both<T: PageTxn>(txn: &mut T, home: BlockNo, posting: Link) -> Result<(Slot, Option<Slot>)> {
    if posting.is_none() {
        return Ok((txn.lock(home)?, None));
    }
    txn.lock(home.min(posting.block()))?;
    txn.lock(home.max(posting.block()))?;
    Ok((txn.lock(home)?, Some(txn.lock(posting.block())?)))
}

/// The vertex as it is under its lock, if it still is what was found.
fn look(view: View<'_>, equal: Equal, payload: &[u8]) -> Result<Result<VertexBuf, Tried>, Defect> {
    let Some(vertex) = equal.vertex.find::<Vertex<'_>>(view, ())? else { return Ok(Err(Tried::Dead)) };
    // The generation of a link may be that of a later vertex, if hardly ever.
    let same = match vertex.payload()? {
        Place::Here(bytes) => bytes == payload,
        Place::Chain(chain) => Some(chain) == equal.chain,
    };
    Ok(if vertex.is_dead() || !same {
        Err(Tried::Dead)
    } else if vertex.postings() != equal.postings {
        Err(Tried::Changed(vertex.postings()))
    } else {
        Ok(VertexBuf::from(vertex))
    })
}
