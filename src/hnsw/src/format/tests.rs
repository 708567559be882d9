//! Items are read as they were written, and whatever else stands there is refused or read without harm.

use super::*;
use kite_codecs::{Metric, PayloadKind, Spec, VectorType};
use kite_pages::Stamp;

const SPEC: Spec = Spec {
    vector_type: VectorType::Vector,
    metric: Metric::Cosine,
    payload: PayloadKind::Sq8,
    code_bits: 1,
    dims: 40,
};

fn pointer(block: u32) -> ItemPointer {
    ItemPointer::new(block, block as u16 % 7 + 1)
}

fn vertex() -> VertexBuf {
    VertexBuf {
        generation: 70_000,
        dead: false,
        chained: false,
        unlinked: None,
        postings: Link::new(pointer(9), 4),
        lists: (0..3).map(|level| Link::new(pointer(level), level)).collect(),
        payload: (0..64).collect(),
        tids: (0..5).map(pointer).collect(),
        slots: 6,
    }
}

fn list() -> ListBuf {
    let entry = |n: u32| Entry { link: Link::new(pointer(n), n), code: vec![n as u8; 5 + 4] };
    ListBuf {
        generation: 8,
        owner: pointer(3),
        level: 1,
        frame: 2,
        capacity: 6,
        entries: (1..=5).map(entry).collect(),
    }
}

fn posting() -> PostingBuf {
    PostingBuf {
        generation: 5,
        owner: pointer(3),
        next: Link::new(pointer(77), 6),
        unlinked: Some(Stamp::from_raw(99)),
        capacity: 9,
        tids: (0..7).map(pointer).collect(),
    }
}

#[test]
fn items_are_read_as_they_were_written() {
    let written = vertex();
    let bytes = written.to_bytes().unwrap();
    assert_eq!(bytes.len(), VertexBuf::size(2, 64, 5));
    let read = Vertex::parse(&bytes, ()).unwrap();
    assert_eq!((read.level(), read.list(2), read.list(3)), (2, written.lists[2], Link::NONE));
    assert_eq!(VertexBuf::from(read), written);
    let unlinked = Some(Stamp::from_raw(1 << 40));
    let written = VertexBuf { dead: true, unlinked, postings: Link::NONE, tids: Vec::new(), ..written };
    let bytes = written.to_bytes().unwrap();
    let read = Vertex::parse(&bytes, ()).unwrap();
    assert_eq!((read.is_dead(), read.unlinked(), read.postings()), (true, unlinked, Link::NONE));
    assert_eq!(VertexBuf::from(read), written);

    let shape = Shape::of(&SPEC);
    assert_eq!(shape, Shape { factors: 4, code: 5 });
    let mut written = list();
    let mut bytes = written.to_bytes(shape).unwrap();
    assert_eq!(bytes.len(), shape.size(6, true));
    let read = List::parse(&bytes, shape).unwrap();
    assert_eq!((read.codes.len(), read.factors.len(), read.frame()), (25, 20, 2));
    assert_eq!(ListBuf::of(&read, shape), written);
    let entry = Entry { link: Link::new(pointer(6), 6), code: vec![6; 9] };
    assert_eq!(append(&mut bytes, shape, &entry), Ok(true));
    written.entries.push(entry.clone());
    assert_eq!(ListBuf::of(&List::parse(&bytes, shape).unwrap(), shape), written);
    assert_eq!(append(&mut bytes, shape, &entry), Ok(false));

    let written = posting();
    let bytes = written.to_bytes().unwrap();
    assert_eq!(PostingBuf::capacity_of(bytes.len()), 9);
    assert_eq!(PostingBuf::from(Posting::parse(&bytes, ()).unwrap()), written);

    let options = crate::Options { spec: SPEC, m: 16, ef_construction: 64, seed: 7 };
    let written = Meta { entry: Link::new(pointer(5), 4), entry_level: 3, rows: 12, ..Meta::new(&options) };
    assert_eq!(Meta::parse(&written.to_bytes()), Ok(written));
}

#[test]
fn a_list_without_codes_takes_links_alone() {
    let shape = Shape::of(&SPEC);
    let mut written = ListBuf { frame: 0, ..list() };
    let bytes = written.to_bytes(shape).unwrap();
    assert_eq!(bytes.len(), 24 + 6 * 8);
    written.entries.iter_mut().for_each(|entry| entry.code.clear());
    assert_eq!(ListBuf::of(&List::parse(&bytes, shape).unwrap(), shape), written);
}

/// Cut off anywhere, or with any byte changed: an error, or an item that stays within its bytes.
#[test]
fn damage_is_refused_or_harmless() {
    let shape = Shape::of(&SPEC);
    let items = [vertex().to_bytes(), list().to_bytes(shape), posting().to_bytes()].map(Result::unwrap);
    let read = |bytes: &[u8]| {
        let _ = Vertex::parse(bytes, ()).and_then(|vertex| vertex.payload().map(|_| ()));
        let _ = Posting::parse(bytes, ());
        let _ = Meta::parse(bytes);
        if let Ok(list) = List::parse(bytes, shape) {
            assert!(list.links.len() <= list.capacity());
            let _ = ListBuf::of(&list, shape);
        }
        let _ = append(&mut bytes.to_vec(), shape, &list().entries[0]);
    };
    for item in items {
        for len in 0..item.len() {
            read(&item[..len]);
        }
        for at in 0..item.len() {
            for value in [0, 1, 9, 127, 255] {
                let mut damaged = item.clone();
                damaged[at] = value;
                read(&damaged);
            }
        }
    }
}
