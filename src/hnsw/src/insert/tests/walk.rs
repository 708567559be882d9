//! Walks over all pages of an index and says what is wrong.

use crate::Index;
use crate::format::{Item, LIST, Link, List, NODES, POSTING, Place, Posting, VERTEX, Vertex};
use crate::payloads::{Fate, Payloads, fetch};
use kite_pages::{ItemPointer, PageStore};
use std::collections::{HashMap, HashSet};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Every TID, sorted.
    pub(super) rows: Vec<ItemPointer>,
    /// Live vertices.
    pub(super) vertices: usize,
    /// Live vertices that no path of links on level 0 leads to from the entry point, with their rows.
    pub(super) unreached: Vec<ItemPointer>,
    pub(super) coded: usize,
    pub(super) codeless: usize,
    /// Lists on other pages than their vertices.
    pub(super) apart: usize,
    /// Lists, postings and chunks that nobody refers to.
    pub(super) orphans: usize,
    pub(super) pages_of_postings: HashSet<u32>,
}

struct Known {
    link: Link,
    level: u8,
    lists: Vec<Link>,
    postings: Link,
    tids: Vec<ItemPointer>,
}

/// Panics at anything that cannot be, whatever crash or error came before.
pub(super) fn walk<S: PageStore>(index: &Index<'_, S>) -> Walk {
    let mut walk = Walk::default();
    let mut vertices: HashMap<ItemPointer, Known> = HashMap::new();
    let mut lists: HashMap<ItemPointer, (u32, ItemPointer, u8, Vec<Link>)> = HashMap::new();
    let mut postings: HashMap<ItemPointer, (u32, ItemPointer, Link, Vec<ItemPointer>)> = HashMap::new();
    for block in 1..index.store.len() {
        let page = index.store.read(block).unwrap();
        if page.is_new() {
            continue;
        }
        for item in page.view(NODES).unwrap().items() {
            let (no, item) = item.unwrap();
            let at = ItemPointer::new(block, no);
            match item[0] {
                VERTEX => {
                    let vertex = Vertex::parse(item, ()).unwrap();
                    assert!(vertex.is_dead() == vertex.tids.is_empty(), "{at:?}: rows and flag differ");
                    vertices.insert(
                        at,
                        Known {
                            link: Link::new(at, vertex.generation()),
                            level: vertex.lists.len() as u8 - 1,
                            lists: vertex.lists.to_vec(),
                            postings: vertex.postings(),
                            tids: vertex.tids.to_vec(),
                        },
                    );
                    if let Place::Here(payload) = vertex.payload().unwrap() {
                        index.scorer().value(payload).unwrap();
                    }
                }
                LIST => {
                    let list = List::parse(item, index.shape).unwrap();
                    assert!(
                        list.frame() == 0 || list.frame() == index.meta.frame,
                        "{at:?}: an unknown frame"
                    );
                    assert!(list.capacity() <= index.meta.slots(list.level()), "{at:?}: too many slots");
                    if list.frame() == 0 {
                        walk.codeless += 1;
                    } else {
                        walk.coded += 1;
                    }
                    lists.insert(at, (list.generation(), list.owner(), list.level(), list.links.to_vec()));
                }
                POSTING => {
                    let posting = Posting::parse(item, ()).unwrap();
                    let found =
                        (posting.generation(), posting.owner(), posting.next(), posting.tids.to_vec());
                    postings.insert(at, found);
                    walk.pages_of_postings.insert(block);
                }
                _ => {}
            }
        }
    }
    let mut owned = 0;
    for (at, vertex) in &vertices {
        for (level, link) in (0..).zip(&vertex.lists) {
            let (generation, owner, own_level, links) = &lists[&link.pointer];
            assert!(link.fits(*generation) && owner == at && *own_level == level, "{at:?}: a foreign list");
            let unique: HashSet<Link> = links.iter().copied().collect();
            assert!(unique.len() == links.len() && !unique.contains(&vertex.link), "{at:?}: links repeat");
            for neighbour in links.iter().filter_map(|link| Some((link, vertices.get(&link.pointer)?))) {
                let there = *neighbour.0 == neighbour.1.link;
                assert!(!there || neighbour.1.level >= level, "{at:?}: a link to a lower vertex");
            }
            owned += 1;
            walk.apart += usize::from(level == 0 && link.block() != at.block());
        }
        walk.vertices += usize::from(!vertex.tids.is_empty());
        walk.rows.extend(&vertex.tids);
        let mut next = vertex.postings;
        while !next.is_none() {
            let (generation, owner, behind, tids) = &postings[&next.pointer];
            assert!(next.fits(*generation) && owner == at, "{at:?}: a foreign posting");
            walk.rows.extend(tids);
            next = *behind;
        }
    }
    walk.orphans = lists.len() - owned;
    walk.rows.sort_unstable();
    let live: Vec<Link> = vertices.values().map(|vertex| vertex.link).collect();
    let mut payloads = Payloads::default();
    let fates = fetch(index.store, &live, &mut payloads).unwrap();
    assert!(fates.iter().all(|&fate| fate != Fate::Gone), "a payload is missing");

    let entry = index.meta.entry;
    let mut reached = HashSet::new();
    let mut front = Vec::new();
    if !entry.is_none() {
        let vertex = &vertices[&entry.pointer];
        assert!(vertex.link == entry && vertex.level == index.meta.entry_level, "the entry point is wrong");
        reached.insert(entry.pointer);
        front.push(entry.pointer);
    }
    while let Some(at) = front.pop() {
        for link in &lists[&vertices[&at].lists[0].pointer].3 {
            if vertices.get(&link.pointer).is_some_and(|vertex| vertex.link == *link)
                && reached.insert(link.pointer)
            {
                front.push(link.pointer);
            }
        }
    }
    let lost = vertices.iter().filter(|(at, _)| !reached.contains(at));
    walk.unreached = lost.flat_map(|(_, vertex)| vertex.tids.clone()).collect();
    walk
}
