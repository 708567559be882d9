//! All that stands on the pages of an index, checked as it is read.

use crate::Index;
use crate::format::{
    CHUNK, CHUNKS, Item, LIST, Link, List, META_BLOCK, NODES, POSTING, Place, Posting, VERTEX, Vertex,
};
use kite_pages::payload::{self, Fetched};
use kite_pages::{ItemPointer, MemStore, PageStore};
use std::collections::{HashMap, HashSet};

/// A vertex with all that belongs to it.
pub(super) struct Found {
    pub(super) link: Link,
    pub(super) level: u8,
    pub(super) tids: Vec<ItemPointer>,
    pub(super) payload: Vec<u8>,
    /// By level: the links, and code and factors of each.
    pub(super) lists: Vec<Vec<(Link, Vec<u8>)>>,
    /// Whether the list of level 0 is on its page.
    pub(super) together: bool,
}

pub(super) struct Walk {
    pub(super) vertices: Vec<Found>,
    by_place: HashMap<u64, usize>,
}

impl Walk {
    /// Reads everything, and fails where something is not referred to exactly once, or does not fit what refers to it.
    pub(super) fn of(store: &MemStore) -> Self {
        let index = Index::open(store).unwrap();
        let (mut vertices, mut items) = (Vec::new(), HashMap::new());
        let mut chunks = 0;
        for block in META_BLOCK + 1..store.len() {
            let page = store.read(block).unwrap();
            for item in page.view(NODES).unwrap().items() {
                let (no, bytes) = item.unwrap();
                let pointer = ItemPointer::new(block, no);
                match bytes[0] {
                    VERTEX => vertices.push((pointer, bytes.to_vec())),
                    LIST | POSTING => assert!(items.insert(pointer, bytes.to_vec()).is_none()),
                    CHUNK => chunks += 1,
                    tag => panic!("an item with tag {tag}"),
                }
            }
        }
        let vertices: Vec<Found> = vertices
            .into_iter()
            .map(|(pointer, bytes)| found(store, &index, pointer, &bytes, &mut items))
            .collect();
        assert!(items.is_empty(), "{} lists and postings belong to nobody", items.len());
        assert!(chunks > 0 || vertices.iter().all(|vertex| vertex.payload.len() < 8000));
        let by_place = vertices.iter().enumerate().map(|(n, found)| (found.link.place(), n)).collect();
        let walk = Self { vertices, by_place };
        walk.check(&index);
        walk
    }

    pub(super) fn at(&self, link: Link) -> &Found {
        let found = &self.vertices[self.by_place[&link.place()]];
        assert_eq!(found.link, link);
        found
    }

    /// Links lead to other vertices of their level, no two to the same, and the codes beside them are those of the vertices.
    fn check(&self, index: &Index<'_, MemStore>) {
        let meta = &index.meta;
        let rows: usize = self.vertices.iter().map(|vertex| vertex.tids.len()).sum();
        assert_eq!((meta.vertices, meta.rows), (self.vertices.len() as u64, rows as u64));
        let highest = self.vertices.iter().map(|vertex| vertex.level).max();
        assert_eq!(meta.entry.is_none(), highest.is_none());
        if let Some(level) = highest {
            assert_eq!((self.at(meta.entry).level, meta.entry_level), (level, level));
        }
        let mut code = Vec::new();
        for vertex in &self.vertices {
            for (level, list) in (0..).zip(&vertex.lists) {
                let distinct: HashSet<u64> = list.iter().map(|(link, _)| link.place()).collect();
                assert!(distinct.len() == list.len() && !distinct.contains(&vertex.link.place()));
                assert!(list.len() <= meta.slots(level));
                for (link, beside) in list {
                    let near = self.at(*link);
                    assert!(near.level >= level);
                    code.clear();
                    index.scorer().encode_code_of(&near.payload, &mut code).unwrap();
                    assert_eq!(*beside, code);
                }
            }
        }
    }

    /// How many vertices can be reached from the entry point by the lists of level 0.
    pub(super) fn reachable(&self, entry: Link) -> usize {
        let mut seen = HashSet::from([entry.place()]);
        let mut waiting = vec![entry];
        while let Some(link) = waiting.pop() {
            for &(near, _) in &self.at(link).lists[0] {
                if seen.insert(near.place()) {
                    waiting.push(near);
                }
            }
        }
        seen.len()
    }
}

fn found(
    store: &MemStore,
    index: &Index<'_, MemStore>,
    pointer: ItemPointer,
    bytes: &[u8],
    items: &mut HashMap<ItemPointer, Vec<u8>>,
) -> Found {
    let vertex = Vertex::parse(bytes, ()).unwrap();
    assert!(!vertex.is_dead() && !vertex.tids.is_empty());
    let mut tids = vertex.tids.to_vec();
    let mut next = vertex.postings();
    while !next.is_none() {
        let item = items.remove(&next.pointer).expect("a posting");
        let posting = Posting::parse(&item, ()).unwrap();
        assert!(next.fits(posting.generation()) && posting.owner() == pointer);
        assert!(posting.unlinked().is_none());
        tids.extend_from_slice(posting.tids);
        next = posting.next();
    }
    let mut payload = Vec::new();
    match vertex.payload().unwrap() {
        Place::Here(bytes) => payload.extend_from_slice(bytes),
        Place::Chain(chain) => {
            assert_eq!(payload::read(store, CHUNKS, chain, &mut payload), Ok(Fetched::Whole));
        }
    }
    let mut lists = Vec::new();
    for (level, link) in (0..).zip(vertex.lists) {
        let item = items.remove(&link.pointer).expect("a list");
        let list = List::parse(&item, index.shape).unwrap();
        assert!(link.fits(list.generation()) && list.owner() == pointer && list.level() == level);
        assert_eq!(list.frame(), index.meta.frame);
        let beside = |place| list.code(place, index.shape).map(|(code, factors)| [code, factors].concat());
        let entry = |(place, &link): (usize, &Link)| (link, beside(place).unwrap_or_default());
        lists.push(list.links.iter().enumerate().map(entry).collect());
    }
    Found {
        link: Link::new(pointer, vertex.generation()),
        level: vertex.level(),
        tids,
        payload,
        lists,
        together: vertex.lists[0].block() == pointer.block(),
    }
}
