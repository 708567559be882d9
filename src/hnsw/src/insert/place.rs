//! Writing a new vertex and its lists: one record.

use super::New;
use super::near::Neighbour;
use crate::Result;
use crate::format::{CHUNKS, Entry, Link, ListBuf, NODES, VertexBuf};
use crate::index::{Index, longest_payload};
use crate::{Error, lists::capacity_for};
use kite_pages::{At, ItemPointer, MAX_ITEM, PAGE_SIZE, PageStore, PageTxn, Rooms, payload, with_rooms};
use zerocopy::IntoBytes;

/// Room that a new vertex leaves on its page, so that lists can grow beside their vertices, where a search reads both at once.
const TO_GROW: usize = PAGE_SIZE / 8;
/// Bytes of a line pointer.
const LINE: usize = 4;

impl<S: PageStore> Index<'_, S> {
    /// Writes a vertex with these neighbours, by level, and answers where it is. Nothing refers to it yet.
    pub(super) fn write_vertex(
        &self,
        new: &New<'_>,
        tid: ItemPointer,
        neighbours: &[Vec<Neighbour>],
    ) -> Result<Link> {
        let chained = new.payload.len() > longest_payload();
        let payload = if chained {
            payload::write(self.store, CHUNKS, ItemPointer::NONE, new.payload)?.as_bytes().to_vec()
        } else {
            new.payload.to_vec()
        };
        let mut vertex = VertexBuf {
            generation: 0,
            dead: false,
            chained,
            unlinked: None,
            postings: Link::NONE,
            lists: vec![Link::NONE; neighbours.len()],
            payload,
            tids: vec![tid],
            slots: 0,
        };
        let mut lists: Vec<ListBuf> =
            (0..).zip(neighbours).map(|(level, near)| self.list(level, near)).collect();
        let size = VertexBuf::size(new.level, vertex.payload.len(), 1);
        let plan = pack(size, lists.iter().map(|list| self.shape.size(list.capacity, list.frame != 0)));
        let rooms: Vec<usize> = plan.rooms.iter().map(|room| (room + TO_GROW).min(MAX_ITEM)).collect();
        let Rooms { mut txn, slots } = with_rooms(self.store, NODES, &rooms, &[])?;

        let home = txn.block(slots[0]);
        let page = txn.page_mut(slots[0]);
        vertex.generation = page.next_generation();
        let added = vertex.to_bytes().and_then(|bytes| page.add(&bytes)).at(home)?;
        let no = added.ok_or(Error::corrupt(home, "a page has less room than it says"))?;
        let own = ItemPointer::new(home, no);
        for ((list, place), &room) in lists.iter_mut().zip(&mut vertex.lists).zip(&plan.of_list) {
            let block = txn.block(slots[room]);
            list.owner = own;
            *place = self.add_list(txn.page_mut(slots[room]), block, list).at(block)?;
        }
        let bytes = vertex.to_bytes().at(home)?;
        txn.page_mut(slots[0]).replace(no, &bytes).at(home)?;
        self.commit(txn, &slots)?;
        Ok(Link::new(own, vertex.generation))
    }

    /// A list with these neighbours, and some slots for those to come.
    fn list(&self, level: u8, neighbours: &[Neighbour]) -> ListBuf {
        let entries: Vec<Entry> = neighbours.iter().map(|near| near.entry.clone()).collect();
        let capacity = capacity_for(entries.len(), self.meta.slots(level));
        let frame = self.meta.frame;
        ListBuf { generation: 0, owner: ItemPointer::NONE, level, frame, capacity, entries }
    }
}

/// Which items go to which pages.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    /// Bytes that each page must have room for, as an item of that length.
    rooms: Vec<usize>,
    /// The page of each list; the vertex is on the first.
    of_list: Vec<usize>,
}

/// Puts a vertex and its lists, by level, each on the first page that has room for it.
fn pack(vertex: usize, lists: impl Iterator<Item = usize>) -> Plan {
    let aligned = |size: usize| size.next_multiple_of(8);
    let mut plan = Plan { rooms: vec![aligned(vertex)], of_list: Vec::new() };
    for size in lists {
        // Each item but the first needs a line pointer beside the room; rounded up, as room is counted.
        let size = aligned(size + LINE);
        let page = plan.rooms.iter().position(|room| room + size <= MAX_ITEM);
        let page = page.unwrap_or_else(|| {
            plan.rooms.push(0);
            plan.rooms.len() - 1
        });
        plan.rooms[page] = (plan.rooms[page] + size).min(MAX_ITEM);
        plan.of_list.push(page);
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use crate::format::Meta;
    use crate::format::Shape;
    use crate::index::highest;
    use kite_codecs::{Metric, PayloadKind};
    use kite_pages::MAX_PAGES;

    #[test]
    fn small_items_share_a_page() {
        assert_eq!(
            pack(400, [900, 300].into_iter()),
            Plan { rooms: vec![400 + 904 + 304], of_list: vec![0, 0] }
        );
        assert_eq!(pack(7000, [900, 300].into_iter()), Plan { rooms: vec![7904, 304], of_list: vec![0, 1] });
    }

    /// Whatever the parameters, the highest vertex with full lists and the longest payload goes into one record.
    #[test]
    fn four_pages_are_enough() {
        for m in [2, 5, 16, 37, 64, 100] {
            for (dims, bits) in [(8, 2), (384, 1), (768, 2), (1536, 2), (3000, 1), (16_000, 2)] {
                let spec = crate::testing::spec(Metric::L2, PayloadKind::Sq8, bits, dims);
                let options = Options { spec, m, ef_construction: 2 * m, seed: 1 }.settle().unwrap();
                let (meta, shape) = (Meta::new(&options), Shape::of(&options.spec));
                let highest = highest(&meta, shape);
                let lists = (0..=highest).map(|level| shape.size(meta.slots(level), true));
                let plan = pack(VertexBuf::size(highest, longest_payload(), 8), lists);
                assert!(plan.rooms.len() <= MAX_PAGES, "m {m}, {dims} dimensions: {plan:?}");
            }
        }
    }
}
