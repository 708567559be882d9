//! Vertices that a vacuum has found dead, before and while rows are inserted.

use super::walk::walk;
use super::{DIMS, found, insert, options};
use crate::Index;
use crate::format::{Item, Link, NODES, VERTEX, Vertex, VertexBuf};
use crate::testing::{spec, tid, vectors};
use kite_codecs::{Metric, PayloadKind, Value};
use kite_pages::{ItemPointer, MemStore, PageStore, PageTxn};

/// Takes the rows of vertices away, as a vacuum does that has not come further yet.
fn kill(store: &MemStore, dies: impl Fn(ItemPointer) -> bool) -> usize {
    let mut killed = 0;
    for block in 1..store.len() {
        let mut txn = store.begin();
        let slot = txn.lock(block).unwrap();
        for no in 1..=txn.page(slot).view(NODES).unwrap().last() {
            let Some(item) = txn.page(slot).view(NODES).unwrap().find(no).unwrap() else { continue };
            if item[0] != VERTEX {
                continue;
            }
            let mut vertex = VertexBuf::from(Vertex::parse(item, ()).unwrap());
            if vertex.tids.iter().any(|&tid| dies(tid)) {
                vertex.tids.clear();
                vertex.dead = true;
                assert!(txn.page_mut(slot).replace(no, &vertex.to_bytes().unwrap()).unwrap());
                killed += 1;
            }
        }
        txn.commit().unwrap();
    }
    killed
}

/// Where the vertex of a row is.
fn vertex_of(store: &MemStore, row: ItemPointer) -> Link {
    for block in 1..store.len() {
        let page = store.read(block).unwrap();
        for item in page.view(NODES).unwrap().items() {
            let (no, item) = item.unwrap();
            if item[0] == VERTEX {
                let vertex = Vertex::parse(item, ()).unwrap();
                if vertex.tids.contains(&row) {
                    return Link::new(ItemPointer::new(block, no), vertex.generation());
                }
            }
        }
    }
    panic!("no vertex has row {row:?}");
}

fn filled<'s>(store: &'s MemStore, data: &[Vec<f32>]) -> Index<'s, MemStore> {
    let mut index = Index::create(store, &options(spec(Metric::L2, PayloadKind::Sq8, 0, DIMS))).unwrap();
    insert(&mut index, 0, data);
    index
}

#[test]
fn a_vector_whose_vertex_is_dead_gets_a_new_one() {
    let data = vectors(100, DIMS, 31);
    let store = MemStore::new();
    let mut index = filled(&store, &data);
    assert_eq!(kill(&store, |row| row == tid(7)), 1);
    insert(&mut index, 107, &data[7..8]);
    let walk = walk(&index);
    assert_eq!((walk.vertices, walk.unreached), (100, vec![]));
    assert_eq!(found(&mut index, &data[7], 10)[0], 107);
}

/// The vertex dies between the search that found it and the record that was to give it a row.
#[test]
fn a_row_is_not_added_to_a_vertex_that_has_died() {
    let data = vectors(100, DIMS, 32);
    let store = MemStore::new();
    let mut index = filled(&store, &data);
    let mut payload = Vec::new();
    index.scorer().encode(Value::F32(&data[9]), &mut payload).unwrap();
    let new = index.describe(tid(200), Value::F32(&data[9]), &payload);
    let equal = index.neighbourhood(&new, true).unwrap().equal.unwrap();
    let mut other = payload.clone();
    other[40] ^= 1;
    assert_eq!(index.add_row(equal, &other, tid(200)), Ok(false));
    kill(&store, |row| row == tid(9));
    assert_eq!(index.add_row(equal, &payload, tid(200)), Ok(false));
    assert!(!walk(&index).rows.contains(&tid(200)));
}

/// All neighbours die after they were chosen: the row is linked again, to others.
#[test]
fn a_vertex_whose_neighbours_have_died_is_linked_again() {
    let data = vectors(300, DIMS, 33);
    let store = MemStore::new();
    let mut index = filled(&store, &data[..299]);
    let mut payload = Vec::new();
    index.scorer().encode(Value::F32(&data[299]), &mut payload).unwrap();
    let mut new = index.describe(tid(299), Value::F32(&data[299]), &payload);
    let near = index.neighbourhood(&new, true).unwrap();
    new.vertex = Some(index.write_vertex(&new, tid(299), &near.levels).unwrap());
    let chosen: Vec<Link> = near.levels.iter().flatten().map(|near| near.entry.link).collect();
    let own = |row: ItemPointer| row != tid(299) && chosen.contains(&vertex_of(&store, row));
    let rows: Vec<ItemPointer> = (0..299).map(tid).filter(|&row| own(row)).collect();
    assert_eq!(kill(&store, |row| rows.contains(&row)), chosen.len());
    index.link_in(&mut new, near).unwrap();
    let own = index.list_of(new.link(), 0).unwrap().unwrap();
    let links = index.read_list(new.link(), own).unwrap().unwrap().entries;
    assert!(links.iter().any(|entry| !chosen.contains(&entry.link)));
    assert_eq!(walk(&index).unreached, []);
    assert_eq!(found(&mut index, &data[299], 10)[0], 299);
}

/// When no row is left, the next one begins the index anew; those after it link to it.
#[test]
fn the_first_row_after_all_have_died_becomes_the_entry_point() {
    let data = vectors(90, DIMS, 34);
    let store = MemStore::new();
    let mut index = filled(&store, &data[..60]);
    let before = index.meta.entry;
    kill(&store, |_| true);
    insert(&mut index, 60, &data[60..]);
    let walk = walk(&index);
    assert_ne!(index.meta.entry, before);
    assert_eq!((walk.vertices, walk.unreached), (30, vec![]));
    assert_eq!(found(&mut index, &data[60], 5)[0], 60);
}

/// Where a full list has dead neighbours, those give way first.
#[test]
fn dead_neighbours_leave_full_lists() {
    let data = vectors(400, DIMS, 35);
    let store = MemStore::new();
    let mut index = filled(&store, &data[..200]);
    kill(&store, |row| row < tid(100));
    let dead = |index: &Index<'_, MemStore>| {
        let near = (100..200).map(|n| vertex_of(&store, tid(n)));
        let dead_of = |vertex: Link| {
            let list = index.list_of(vertex, 0).unwrap().unwrap();
            let entries = index.read_list(vertex, list).unwrap().unwrap().entries;
            entries.iter().filter(|entry| !index.is_live(entry.link).unwrap()).count()
        };
        near.map(dead_of).sum::<usize>()
    };
    let before = dead(&index);
    insert(&mut index, 200, &data[200..]);
    let after = dead(&index);
    assert!(4 * after < 3 * before, "{before} links to dead vertices before, {after} after");
    assert!(walk(&index).unreached.len() <= 1);
}
