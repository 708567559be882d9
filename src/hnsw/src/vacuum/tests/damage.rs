//! What a vacuum says of a payload that nobody wrote: the block of its vertex, and not that of the list it was met by.

use super::mixed::{edit, vertices};
use super::*;
use crate::Error;
use crate::format::{Link, VertexBuf};

/// Changes a vertex that is not on the page of the entry point, and answers which.
fn changed(store: &MemStore, index: &Index<'_, MemStore>, change: impl FnOnce(&mut VertexBuf)) -> Link {
    let away = |link: &Link| link.block() != index.meta.entry.block();
    let all = vertices(store);
    let (link, mut vertex) = all.into_iter().rev().find(|(link, _)| away(link)).unwrap();
    change(&mut vertex);
    let bytes = vertex.to_bytes().unwrap();
    edit(store, link.block(), |page| assert!(page.resize(link.no(), &bytes).unwrap()));
    link
}

fn block_of(error: Error) -> u32 {
    match error {
        Error::Pages(kite_pages::Error::Corrupt { block, .. }) => block,
        error => panic!("{error} names no block"),
    }
}

#[test]
fn a_damaged_vertex_that_is_linked_again_is_named() {
    let data = vectors(400, DIMS, 3);
    let store = MemStore::new();
    let mut index = built(&store, &options(spec(Metric::L2, PayloadKind::Full, 0, DIMS)), &data);
    let lost = changed(&store, &index, |vertex| {
        vertex.payload[8..12].copy_from_slice(&f32::NAN.to_ne_bytes());
    });
    for (link, vertex) in vertices(&store) {
        let seen = index.read_list(link, vertex.lists[0]).unwrap().unwrap();
        let mut next = seen.clone();
        next.entries.retain(|entry| entry.link != lost);
        assert!(index.rewrite(link, vertex.lists[0], &seen, &next).unwrap());
    }
    let error = index.cleanup(&VacuumOptions::default()).unwrap_err();
    assert_eq!(block_of(error), lost.block());
}

#[test]
fn a_damaged_neighbour_of_a_dead_vertex_is_named() {
    let data = vectors(400, DIMS, 3);
    for code_bits in [0, 1] {
        let store = MemStore::new();
        let spec = spec(Metric::L2, PayloadKind::Sq8, code_bits, DIMS);
        let mut index = built(&store, &options(spec), &data);
        let mut row = 0;
        let damaged = changed(&store, &index, |vertex| {
            vertex.payload.truncate(8);
            row = number(vertex.tids[0]);
        });
        let error = vacuum(&mut index, |n| n != row && n.is_multiple_of(2)).unwrap_err();
        assert_eq!(block_of(error), damaged.block());
    }
}
