//! The list of a vertex: found, read, and written anew, on its page or on another.

use crate::format::{Item, Link, List, ListBuf, NODES, Vertex, VertexBuf};
use crate::index::Index;
use crate::{Error, Result};
use kite_pages::{At, BlockNo, Defect, ItemPointer, Page, PageStore, PageTxn, Rooms, Slot, View, with_rooms};

impl<S: PageStore> Index<'_, S> {
    /// Where the list of a vertex on a level is. `None` when the vertex is dead or gone, or has no such level.
    pub(crate) fn list_of(&self, owner: Link, level: u8) -> Result<Option<Link>> {
        let block = owner.block();
        let page = self.store.read(block)?;
        let view = page.view(NODES).at(block)?;
        let vertex = owner.find::<Vertex<'_>>(view, ()).at(block)?.filter(|vertex| !vertex.is_dead());
        Ok(vertex.map(|vertex| vertex.list(level)).filter(|list| !list.is_none()))
    }

    /// Whether rows have the vector of a vertex.
    pub(crate) fn is_live(&self, vertex: Link) -> Result<bool> {
        let page = self.store.read(vertex.block())?;
        Ok(is_live(&page, vertex).at(vertex.block())?)
    }

    /// A list, if it is still there and belongs to this vertex.
    pub(crate) fn read_list(&self, owner: Link, list: Link) -> Result<Option<ListBuf>> {
        let block = list.block();
        let page = self.store.read(block)?;
        let found = list.find::<List<'_>>(page.view(NODES).at(block)?, self.shape).at(block)?;
        let own = found.filter(|found| found.owner() == owner.pointer);
        Ok(own.map(|found| ListBuf::of(&found, self.shape)))
    }

    /// Writes a list anew, in one record: where it stands, elsewhere on its page, or on another page, which the vertex then
    /// refers to. `false`, and nothing written, when the list is not as it was `seen` any more, or when it would have to move and
    /// its vertex is dead.
    pub(crate) fn rewrite(&self, owner: Link, list: Link, seen: &ListBuf, new: &ListBuf) -> Result<bool> {
        let block = list.block();
        let bytes = new.to_bytes(self.shape).at(block)?;
        let mut txn = self.store.begin();
        let slot = txn.lock(block)?;
        if !self.is_as_seen(txn.page(slot), list, seen).at(block)? {
            return Ok(false);
        }
        if !txn.page_mut(slot).resize(list.no(), &bytes).at(block)? {
            drop(txn);
            return self.relocate(owner, list, seen, new);
        }
        // A list of the same length leaves the room that there was, so that the free-space map need not hear of it.
        if bytes.len() == self.shape.size(seen.capacity, seen.frame != 0) {
            txn.commit()?;
        } else {
            self.commit(txn, &[slot])?;
        }
        Ok(true)
    }

    /// Moves a list to another page: the new place, the old one and the vertex in one record.
    fn relocate(&self, owner: Link, list: Link, seen: &ListBuf, new: &ListBuf) -> Result<bool> {
        let size = self.shape.size(new.capacity, new.frame != 0);
        let (from, home) = (list.block(), owner.block());
        let Rooms { mut txn, slots } = with_rooms(self.store, NODES, &[size], &[from, home])?;
        let (old, vertex, room) = (txn.lock(from)?, txn.lock(home)?, slots[0]);
        if !self.is_as_seen(txn.page(old), list, seen).at(from)? {
            return Ok(false);
        }
        let found = owner.find::<Vertex<'_>>(txn.page(vertex).view(NODES).at(home)?, ()).at(home)?;
        let Some(found) = found.filter(|found| !found.is_dead() && found.list(new.level) == list) else {
            return Ok(false);
        };
        let mut changed = VertexBuf::from(found);
        let to = txn.block(room);
        let place = self.add_list(txn.page_mut(room), to, new).at(to)?;
        changed.lists[usize::from(new.level)] = place;
        let bytes = changed.to_bytes().at(home)?;
        txn.page_mut(vertex).replace(owner.no(), &bytes).at(home)?;
        // Readers on their way to the old place find it gone, so its number is not given out while there may be some.
        txn.page_mut(old).free(list.no(), self.store.now()).at(from)?;
        self.commit(txn, &[old, room])?;
        Ok(true)
    }

    /// Adds a list to a page that has room for it, with a generation of its own.
    pub(crate) fn add_list(&self, page: &mut Page, block: BlockNo, list: &ListBuf) -> Result<Link, Defect> {
        let generation = page.next_generation();
        let bytes = ListBuf { generation, ..list.clone() }.to_bytes(self.shape)?;
        let no = page.add(&bytes)?.ok_or(Defect("a page has less room than it says"))?;
        Ok(Link::new(ItemPointer::new(block, no), generation))
    }

    /// Whether a list has the links and codes that it had.
    fn is_as_seen(&self, page: &Page, list: Link, seen: &ListBuf) -> Result<bool, Defect> {
        let Some(now) = list.find::<List<'_>>(page.view(NODES)?, self.shape)? else { return Ok(false) };
        Ok(now.owner() == seen.owner
            && now.generation() == seen.generation
            && now.frame() == seen.frame
            && now.capacity() == seen.capacity
            && now.links.iter().eq(seen.entries.iter().map(|entry| &entry.link)))
    }

    /// Commits, and tells the free-space map how much room is left on these pages.
    pub(crate) fn commit<T: PageTxn>(&self, txn: T, slots: &[Slot]) -> Result<()> {
        let mut rooms = Vec::with_capacity(slots.len());
        for &slot in slots {
            let block = txn.block(slot);
            rooms.push((block, txn.page(slot).sound().and_then(View::room).at(block)?));
        }
        txn.commit()?;
        rooms
            .into_iter()
            .try_for_each(|(block, room)| self.store.note_space(block, room))
            .map_err(Error::from)
    }
}

/// Whether a vertex of this page has rows.
pub(crate) fn is_live(page: &Page, vertex: Link) -> Result<bool, Defect> {
    Ok(vertex.find::<Vertex<'_>>(page.view(NODES)?, ())?.is_some_and(|vertex| !vertex.is_dead()))
}

/// How many slots a list of so many links gets: a quarter more, so that some can be added where it stands.
pub(crate) fn capacity_for(links: usize, slots: usize) -> usize {
    (links + (links / 4).max(1)).next_multiple_of(4).min(slots)
}
