//! Damage of every sort, done to a sound index.

use super::Report;
use crate::format::{
    CHUNK, Entry, Item, LIST, Link, List, ListBuf, META_BLOCK, NODES, POSTING, Posting, PostingBuf, VertexBuf,
};
use crate::index::{Index, META_ITEM, Options};
use crate::testing::{built, spec, tid, vectors};
use crate::vacuum::tests::mixed::{Mixed, edit, items, vertices};
use kite_codecs::{Metric, PayloadKind};
use kite_pages::{ItemPointer, MemStore, Page, PageKind, PageStore, Stamp};

fn check(store: &MemStore) -> Report {
    Index::open(store).unwrap().check().unwrap()
}

/// Lists and postings by their places.
fn lists(store: &MemStore) -> Vec<(ItemPointer, ListBuf)> {
    let shape = Index::open(store).unwrap().shape;
    items(store, LIST, |at, item| (at, ListBuf::of(&List::parse(item, shape).unwrap(), shape)))
}

fn postings(store: &MemStore) -> Vec<(ItemPointer, PostingBuf)> {
    items(store, POSTING, |at, item| (at, PostingBuf::from(Posting::parse(item, ()).unwrap())))
}

fn put(store: &MemStore, at: ItemPointer, bytes: &[u8]) {
    edit(store, at.block(), |page| assert!(page.resize(at.no(), bytes).unwrap()));
}

fn put_vertex(store: &MemStore, link: Link, vertex: &VertexBuf) {
    put(store, link.pointer, &vertex.to_bytes().unwrap());
}

fn put_list(store: &MemStore, at: ItemPointer, list: &ListBuf) {
    put(store, at, &list.to_bytes(Index::open(store).unwrap().shape).unwrap());
}

/// Changes the longest list of level 0.
fn with_list(store: &MemStore, change: impl FnOnce(&mut ListBuf)) {
    let all = lists(store).into_iter().filter(|(_, list)| list.level == 0);
    let (at, mut list) = all.max_by_key(|(_, list)| list.entries.len()).unwrap();
    change(&mut list);
    put_list(store, at, &list);
}

fn with_vertex(store: &MemStore, number: usize, change: impl FnOnce(&mut VertexBuf)) {
    let (link, mut vertex) = vertices(store).swap_remove(number);
    change(&mut vertex);
    put_vertex(store, link, &vertex);
}

fn with_posting(store: &MemStore, change: impl FnOnce(ItemPointer, &mut PostingBuf)) {
    let (at, mut posting) = postings(store).swap_remove(1);
    change(at, &mut posting);
    put(store, at, &posting.to_bytes().unwrap());
}

fn with_meta(store: &MemStore, change: impl FnOnce(&mut crate::format::Meta)) {
    let mut meta = Index::open(store).unwrap().meta;
    change(&mut meta);
    edit(store, META_BLOCK, |page| assert!(page.replace(META_ITEM, &meta.to_bytes()).unwrap()));
}

/// What a check says, and what was done to an index that it says so.
type Damage = (&'static str, fn(&MemStore));

const DAMAGES: &[Damage] = &[
    ("the page is of another kind", |store| {
        edit(store, 2, |page| page.init(PageKind { code: 9, version: 1 }));
    }),
    ("an item is of no known sort", |store| put(store, lists(store)[3].0, &[77; 24])),
    ("shorter than what it says", |store| put(store, lists(store)[3].0, &[LIST, 0, 0])),
    ("a line pointer leads outside the items", |store| {
        edit(store, 3, |page| page.bytes_mut()[24..28].copy_from_slice(&[8, 0x80, 0x80, 0]));
    }),
    ("a dead vertex has rows", |store| with_vertex(store, 0, |vertex| vertex.dead = true)),
    ("not dead, but taken out of the graph", |store| {
        with_vertex(store, 0, |vertex| vertex.unlinked = Some(Stamp::EARLIEST));
    }),
    ("the entry point is taken out of the graph", |store| {
        let entry = Index::open(store).unwrap().meta.entry;
        let at = vertices(store).iter().position(|(link, _)| *link == entry).unwrap();
        with_vertex(store, at, |vertex| {
            (vertex.dead, vertex.tids) = (true, Vec::new());
            vertex.unlinked = Some(Stamp::EARLIEST);
        });
    }),
    ("no rows of its own, but is not dead", |store| {
        with_vertex(store, 0, |vertex| vertex.tids = Vec::new());
    }),
    ("is there twice", |store| {
        let other = vertices(store)[7].1.tids[0];
        with_vertex(store, 8, |vertex| vertex.tids[0] = other);
    }),
    ("a vertex has no list on level 0", |store| {
        let list = lists(store).into_iter().find(|(_, list)| list.level == 0).unwrap().0;
        edit(store, list.block(), |page| page.free(list.no(), Stamp::EARLIEST).unwrap());
    }),
    ("a list belongs to another vertex or level", |store| {
        let other = vertices(store)[9].0.pointer;
        with_list(store, |list| list.owner = if list.owner == other { tid(0) } else { other });
    }),
    ("a list belongs to another vertex or level", |store| with_list(store, |list| list.level = 1)),
    ("a list belongs to two vertices", |store| {
        let other = vertices(store)[4].1.lists[0];
        with_vertex(store, 5, |vertex| vertex.lists[0] = other);
    }),
    ("more slots than its level allows", |store| with_list(store, |list| list.capacity = 17)),
    ("codes of a frame that there is not", |store| {
        with_list(store, |list| list.frame = 5);
    }),
    ("a list has a link to nothing", |store| with_list(store, |list| list.entries[0].link = Link::NONE)),
    ("a list leads to its own vertex", |store| {
        with_list(store, |list| list.entries[0].link = Link::new(list.owner, 1));
    }),
    ("a list leads to a vertex twice", |store| {
        with_list(store, |list| list.entries[0].link = list.entries[1].link);
    }),
    ("a vertex of a lower level", |store| {
        let low = vertices(store).into_iter().find(|(_, vertex)| vertex.lists.len() == 1).unwrap().0;
        let all = lists(store).into_iter().filter(|(_, list)| list.level == 1);
        let (at, mut list) = all.max_by_key(|(_, list)| list.entries.len()).unwrap();
        list.entries[0] = Entry { link: low, code: Vec::new() };
        put_list(store, at, &list);
    }),
    ("a posting belongs to another vertex", |store| {
        with_posting(store, |_, posting| posting.owner = tid(1));
    }),
    ("a posting is missing", |store| with_posting(store, |at, posting| posting.next = Link::new(at, 77))),
    ("a chain of postings turns back on itself", |store| {
        with_posting(store, |at, posting| posting.next = Link::new(at, posting.generation));
    }),
    ("numbers that nobody wrote", |store| {
        let plain = vertices(store).iter().position(|(_, vertex)| !vertex.chained).unwrap();
        with_vertex(store, plain, |vertex| vertex.payload[8..12].copy_from_slice(&f32::NAN.to_ne_bytes()));
    }),
    ("the payload of a vertex is missing", |store| {
        let chunk = items(store, CHUNK, |at, _| at)[2];
        edit(store, chunk.block(), |page| page.free(chunk.no(), Stamp::EARLIEST).unwrap());
    }),
    ("the entry point is missing", |store| with_meta(store, |meta| meta.entry = Link::new(tid(500), 3))),
    ("the entry point is of another level", |store| with_meta(store, |meta| meta.entry_level += 1)),
];

#[test]
fn every_sort_of_damage_is_told() {
    assert!(check(&Mixed::new().store).is_clean());
    for (what, damage) in DAMAGES {
        let store = Mixed::new().store;
        damage(&store);
        let report = check(&store);
        assert!(report.problems.iter().any(|problem| problem.what.contains(what)), "{what}: {report:?}");
    }
}

#[test]
fn a_check_goes_on_after_the_first_problem() {
    let store = Mixed::new().store;
    for (_, damage) in DAMAGES.iter().filter(|(what, _)| what.starts_with("a list")) {
        damage(&store);
    }
    let report = check(&store);
    assert!(report.problems.len() >= 4, "{report:?}");
}

#[test]
fn codes_of_other_vectors_are_told() {
    let data = vectors(500, 32, 3);
    for bits in [1, 2] {
        let store = MemStore::new();
        let spec = spec(Metric::Cosine, PayloadKind::Sq8, bits, 32);
        let index = built(&store, &Options { spec, m: 8, ef_construction: 20, seed: 1 }, &data);
        let shape = index.shape;
        assert!(check(&store).is_clean() && check(&store).codes > 20);
        for (at, mut list) in lists(&store) {
            for entry in &mut list.entries {
                entry.code[..shape.code].iter_mut().for_each(|byte| *byte = !*byte);
            }
            put_list(&store, at, &list);
        }
        let report = check(&store);
        let told = report.problems.iter().filter(|problem| problem.what.contains("a code is not")).count();
        assert_eq!(told as u64, report.codes);
    }
}

#[test]
fn what_cannot_be_reached_is_counted() {
    let store = MemStore::new();
    let spec = spec(Metric::L2, PayloadKind::Full, 0, 4);
    built(&store, &Options { spec, m: 4, ef_construction: 20, seed: 1 }, &vectors(100, 4, 3));
    assert_eq!(check(&store).unreachable, 0);
    for (at, list) in lists(&store) {
        put_list(&store, at, &ListBuf { entries: Vec::new(), ..list });
    }
    let report = check(&store);
    assert_eq!((report.unreachable, report.vertices, report.is_clean()), (99, 100, true));
    with_meta(&store, |meta| (meta.entry, meta.entry_level) = (Link::NONE, 0));
    assert_eq!(check(&store).unreachable, 100);
}

/// Whatever the bytes are: a check answers, and so do info and vacuum, if with an error.
#[test]
fn arbitrary_bytes_make_nothing_panic() {
    let mut rng = fastrand::Rng::with_seed(12);
    let mixed = Mixed::new();
    let records = mixed.store.records();
    let mut told = 0;
    for _ in 0..150 {
        let store = mixed.store.replay(records);
        for _ in 0..rng.usize(1..4) {
            damage_at_random(&store, &mut rng);
        }
        let mut index = Index::open(&store).unwrap();
        told += usize::from(!index.check().unwrap().is_clean());
        let _ = index.info();
        let _ = index.vacuum(&crate::VacuumOptions::default(), &mut |tid| tid.no().is_multiple_of(2));
        let _ = index.cleanup(&crate::VacuumOptions::default());
        let _ = index.check().unwrap();
    }
    assert!(told > 50, "{told}");
}

/// Changes a byte of an item or line pointer, if the page still has bounds that can be.
fn damage_at_random(store: &MemStore, rng: &mut fastrand::Rng) {
    let block = rng.u32(1..store.len());
    let mut image = Page::zeroed();
    image.copy_from(&store.read(block).unwrap());
    let last = image.view(NODES).unwrap().last();
    let Some(item) = image.view(NODES).unwrap().find(rng.u16(1..=last)).unwrap() else { return };
    let begin = item.as_ptr() as usize - image.bytes().as_ptr() as usize;
    let at = if rng.u8(..) < 40 {
        rng.usize(24..24 + 4 * usize::from(last))
    } else {
        begin + rng.usize(..item.len().min(60))
    };
    edit(store, block, |page| page.bytes_mut()[at] = rng.u8(..));
}
