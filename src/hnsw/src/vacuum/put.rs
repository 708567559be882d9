//! Putting a changed list back, where it was or elsewhere.

use super::chain::find_vertex;
use super::room;
use super::rows::replace;
use crate::Result;
use crate::format::{Link, List, ListBuf, NODES};
use crate::index::Index;
use kite_pages::{At, BlockNo, PageStore, PageTxn, Slot, with_room};

/// What a list was when it was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Before {
    /// The list, and the vertex that it belongs to.
    pub(super) list: Link,
    pub(super) vertex: Link,
    pub(super) generation: u32,
    pub(super) level: u8,
    pub(super) frame: u32,
    pub(super) capacity: usize,
    pub(super) links: Vec<Link>,
}

impl Before {
    fn is_still(&self, list: &List<'_>) -> bool {
        list.links == self.links && list.frame() == self.frame && list.capacity() == self.capacity
    }
}

/// What became of a list that was to be put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    Done,
    /// The list is not what it was.
    Changed,
    /// Its page has no room for it.
    NoRoom,
}

/// Locks the pages in their order, so that nothing is waited for that could wait for this. A page may be given twice.
pub(super) fn lock_in_order<T: PageTxn, const N: usize>(
    txn: &mut T,
    blocks: [BlockNo; N],
) -> kite_pages::Result<[Slot; N]> {
    let mut sorted = blocks;
    sorted.sort_unstable();
    let mut slots = [Slot::new(0); N];
    for block in sorted {
        let slot = txn.lock(block)?;
        for (own, _) in slots.iter_mut().zip(blocks).filter(|&(_, other)| other == block) {
            *own = slot;
        }
    }
    Ok(slots)
}

/// A page that had room for an item of so many bytes just now. It may be one of zeros.
pub(super) fn roomy<S: PageStore>(store: &S, bytes: usize) -> Result<BlockNo> {
    let (txn, slot) = with_room(store, NODES, bytes)?;
    Ok(txn.block(slot))
}

impl<S: PageStore> Index<'_, S> {
    /// Puts a list back where it is.
    pub(super) fn put_list(&self, before: &Before, list: &ListBuf) -> Result<Put> {
        let block = before.list.block();
        let bytes = list.to_bytes(self.shape).at(block)?;
        let mut txn = self.store.begin();
        let slot = txn.lock(block)?;
        let view = txn.page(slot).view(NODES).at(block)?;
        match before.list.find::<List<'_>>(view, self.shape).at(block)? {
            Some(found) if before.is_still(&found) => {}
            _ => return Ok(Put::Changed),
        }
        if !txn.page_mut(slot).resize(before.list.no(), &bytes).at(block)? {
            return Ok(Put::NoRoom);
        }
        let room = room(txn.page(slot), block)?;
        txn.commit()?;
        self.store.note_space(block, room)?;
        Ok(Put::Done)
    }

    /// Puts a list on another page: the new list, the end of the old one and the vertex that says where it is are one record.
    pub(super) fn move_list(&self, before: &Before, list: &ListBuf) -> Result<Put> {
        let (old, home) = (before.list.block(), before.vertex.block());
        let to = roomy(self.store, self.shape.size(list.capacity, list.frame != 0))?;
        let mut txn = self.store.begin();
        let [old_slot, home_slot, slot] = lock_in_order(&mut txn, [old, home, to])?;
        let view = txn.page(old_slot).view(NODES).at(old)?;
        match before.list.find::<List<'_>>(view, self.shape).at(old)? {
            Some(found) if before.is_still(&found) => {}
            _ => return Ok(Put::Changed),
        }
        let Some(mut vertex) = find_vertex(txn.page(home_slot), before.vertex).at(home)? else {
            return Ok(Put::Changed);
        };
        match vertex.lists.get_mut(usize::from(before.level)) {
            Some(link) if *link == before.list => {
                let page = txn.page_mut(slot);
                if page.is_new() {
                    page.init(NODES);
                }
                let list = ListBuf { generation: page.next_generation(), ..list.clone() };
                let Some(no) = page.add(&list.to_bytes(self.shape).at(to)?).at(to)? else {
                    return Ok(Put::NoRoom);
                };
                *link = Link::new(kite_pages::ItemPointer::new(to, no), list.generation);
            }
            _ => return Ok(Put::Changed),
        }
        replace(txn.page_mut(home_slot), before.vertex, &vertex).at(home)?;
        // Taken under the lock, so that every snapshot by which the list was found is older.
        txn.page_mut(old_slot).free(before.list.no(), self.store.now()).at(old)?;
        let rooms = [(old, room(txn.page(old_slot), old)?), (to, room(txn.page(slot), to)?)];
        txn.commit()?;
        for (block, room) in rooms {
            self.store.note_space(block, room)?;
        }
        Ok(Put::Done)
    }
}
