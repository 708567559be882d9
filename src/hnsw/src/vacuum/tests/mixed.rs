//! An index with something of everything.

use super::*;
use crate::format::{CHUNKS, Item, LIST, Link, List, ListBuf, PostingBuf, Shape, VERTEX, Vertex, VertexBuf};
use crate::testing::tid;
use kite_pages::{ItemPointer, ItemRef, Page, PageTxn, payload, with_room};
use zerocopy::IntoBytes;

/// An index with payloads on chains, and vertices whose rows fill several postings.
pub(crate) struct Mixed {
    pub(crate) store: MemStore,
    pub(crate) data: Vec<Vec<f32>>,
    /// All rows. Row `n` has the vector [`vector_of`]`(n)`.
    pub(crate) rows: Vec<usize>,
}

const VECTORS: usize = 90;
const POSTINGS: usize = 3;
const PER_POSTING: usize = 9;

/// The number of a row's vector.
pub(crate) fn vector_of(row: usize) -> usize {
    row % 1000
}

/// Rows to be deleted: all of some vertices, what stands in others, and the middle posting of a third sort.
pub(crate) fn dead(row: usize) -> bool {
    let turn = row / 1000;
    match vector_of(row) % 3 {
        0 => true,
        1 => turn == 0,
        _ => (PER_POSTING + 1..=2 * PER_POSTING).contains(&turn),
    }
}

impl Mixed {
    /// In a store that keeps its records.
    pub(crate) fn new() -> Self {
        let data = vectors(VECTORS, 6, 8);
        let store = MemStore::logged();
        built(&store, &options(spec(Metric::L2, PayloadKind::Full, 0, 6)), &data);
        let mut rows: Vec<usize> = (0..VECTORS).collect();
        for (link, vertex) in vertices(&store) {
            let own = number(vertex.tids[0]);
            if own % 10 < 3 {
                chain_payload(&store, link, vertex);
            }
            if own % 5 == 1 {
                for first in (0..POSTINGS).map(|posting| posting * PER_POSTING + 1) {
                    let own: Vec<usize> =
                        (first..first + PER_POSTING).map(|turn| 1000 * turn + own).collect();
                    add_posting(&store, link, &own);
                    rows.extend(own);
                }
            }
        }
        rows.sort_unstable();
        Self { store, data, rows }
    }
}

/// Items of a sort.
pub(crate) fn items<T>(store: &MemStore, tag: u8, mut each: impl FnMut(ItemPointer, &[u8]) -> T) -> Vec<T> {
    let mut all = Vec::new();
    for block in 1..store.len() {
        let page = store.read(block).unwrap();
        for item in page.view(NODES).unwrap().items() {
            let (no, item) = item.unwrap();
            if item[0] == tag {
                all.push(each(ItemPointer::new(block, no), item));
            }
        }
    }
    all
}

pub(crate) fn vertices(store: &MemStore) -> Vec<(Link, VertexBuf)> {
    items(store, VERTEX, |at, item| {
        let vertex = VertexBuf::from(Vertex::parse(item, ()).unwrap());
        (Link::new(at, vertex.generation), vertex)
    })
}

pub(crate) fn edit(store: &MemStore, block: u32, edit: impl FnOnce(&mut Page)) {
    let mut txn = store.begin();
    let slot = txn.lock(block).unwrap();
    edit(txn.page_mut(slot));
    txn.commit().unwrap();
}

/// Moves the payload of a vertex to a chain.
fn chain_payload(store: &MemStore, link: Link, vertex: VertexBuf) {
    let chain = payload::write(store, CHUNKS, link.pointer, &vertex.payload).unwrap();
    let vertex = VertexBuf { chained: true, payload: chain.as_bytes().to_vec(), ..vertex };
    edit(store, link.block(), |page| assert!(page.replace(link.no(), &vertex.to_bytes().unwrap()).unwrap()));
}

/// Adds a posting in front of the others of a vertex.
fn add_posting(store: &MemStore, link: Link, rows: &[usize]) {
    let (mut txn, slot) = with_room(store, NODES, PostingBuf::size(rows.len())).unwrap();
    let block = txn.block(slot);
    let home = txn.lock(link.block()).unwrap();
    let view = txn.page(home).view(NODES).unwrap();
    let mut vertex = VertexBuf::from(link.find::<Vertex<'_>>(view, ()).unwrap().unwrap());
    let page = txn.page_mut(slot);
    let posting = PostingBuf {
        generation: page.next_generation(),
        owner: link.pointer,
        next: vertex.postings,
        unlinked: None,
        capacity: rows.len(),
        tids: rows.iter().map(|&row| tid(row)).collect(),
    };
    let no = page.add(&posting.to_bytes().unwrap()).unwrap().unwrap();
    vertex.postings = Link::new(ItemPointer::new(block, no), posting.generation);
    assert!(txn.page_mut(home).replace(link.no(), &vertex.to_bytes().unwrap()).unwrap());
    txn.commit().unwrap();
}

/// Items that nobody refers to, as crashes leave them: a list, a posting, a chain and the end of one.
pub(crate) fn add_orphans(store: &MemStore) {
    let chain = payload::write(store, CHUNKS, ItemPointer::NONE, &[7; 20_000]).unwrap();
    let _: ItemRef = payload::write(store, CHUNKS, ItemPointer::NONE, &[8; 9000]).unwrap();
    payload::free_chunk(store, CHUNKS, chain).unwrap();
    let (link, vertex) = vertices(store).swap_remove(5);
    let (mut txn, slot) = with_room(store, NODES, 1000).unwrap();
    assert!(txn.block(slot) != link.block());
    let page = txn.page_mut(slot);
    let list: ListBuf = ListBuf {
        generation: page.next_generation(),
        owner: link.pointer,
        level: 0,
        frame: 0,
        capacity: 4,
        entries: Vec::new(),
    };
    page.add(&list.to_bytes(Shape { factors: 0, code: 0 }).unwrap()).unwrap().unwrap();
    let posting = PostingBuf {
        generation: page.next_generation(),
        owner: link.pointer,
        next: vertex.postings,
        unlinked: None,
        capacity: 4,
        tids: Vec::new(),
    };
    page.add(&posting.to_bytes().unwrap()).unwrap().unwrap();
    txn.commit().unwrap();
}

/// Takes the codes from all lists.
pub(crate) fn strip_codes(store: &MemStore, index: &Index<'_, MemStore>) {
    let lists = items(store, LIST, |at, item| {
        (at, ListBuf::of(&List::parse(item, index.shape).unwrap(), index.shape))
    });
    for (at, list) in lists {
        let list = ListBuf { frame: 0, capacity: list.entries.len(), ..list };
        edit(store, at.block(), |page| {
            assert!(page.replace(at.no(), &list.to_bytes(index.shape).unwrap()).unwrap());
        });
    }
}
