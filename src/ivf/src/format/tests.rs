use super::block::HEADER;
use super::*;
use crate::testing::{kinds, options};
use crate::{Codes, Options, Payload};
use kite_codecs::{Metric, Scorer, VectorType};
use kite_pages::{MAX_ITEM, Stamp};

fn shape(options: &Options) -> Shape {
    let options = options.settle().unwrap();
    Shape::of(&options, &Scorer::new(options.spec(), None).unwrap()).unwrap()
}

fn filled(shape: &Shape, count: usize, capacity: usize) -> BlockBuf {
    let mut buf = BlockBuf::new(ItemPointer::new(7, 3), 5, capacity);
    (buf.generation, buf.closed, buf.error) = (9, true, 2.5);
    buf.next = Link::new(ItemPointer::new(8, 2), 77);
    buf.replaced = Some((Link::new(ItemPointer::new(9, 1), 1), 3, Stamp::from_raw(1234)));
    buf.bodies = (0..count * shape.body).map(|n| n as u8).collect();
    buf.factors = (0..count * shape.factors).map(|n| !n as u8).collect();
    buf.rows = (0..if shape.rows { count } else { 0 }).map(|n| ItemPointer::new(n as u32, 4)).collect();
    buf.tids = (0..count).map(|n| ItemPointer::new(100 + n as u32, 1)).collect();
    buf
}

#[test]
fn blocks_come_back() {
    for (codes, payload) in kinds() {
        let shape = shape(&options(Metric::L2, codes, payload, 40));
        let buf = filled(&shape, 3, 5);
        let mut item = buf.to_bytes(&shape).unwrap();
        assert_eq!(item.len(), shape.size(5));
        let block = Block::parse(&item, &shape).unwrap().unwrap();
        let back = BlockBuf::of(&block);
        assert_eq!(format!("{back:?}"), format!("{buf:?}"), "{codes:?} {payload:?}");
        assert!(!block.has_room() && block.is_closed());
        assert_eq!(block.entries.body(1, &shape), &buf.bodies[shape.body..2 * shape.body]);

        let (body, factors) = (vec![1; shape.body], vec![2; shape.factors]);
        let row = ItemPointer::new(1, 1);
        append(&mut item, &shape, (&body, &factors), row, ItemPointer::new(500, 1), 1.5).unwrap();
        set_next(&mut item, Link::NONE).unwrap();
        set_replaced(&mut item, Link::NONE, 0).unwrap();
        let block = Block::parse(&item, &shape).unwrap().unwrap();
        let back = BlockBuf::of(&block);
        assert_eq!((back.count(), back.error, block.next(), block.replaced()), (4, 4.0, None, None));
        assert_eq!(&back.bodies[3 * shape.body..], &body[..]);
        assert_eq!(retain(&mut item, &shape, |n| n % 2 == 1), Ok(2));
        let back = BlockBuf::of(&Block::parse(&item, &shape).unwrap().unwrap());
        assert_eq!((back.count(), back.error), (2, 2.0));
        if shape.rows {
            assert_eq!(back.gone, [(buf.rows[0], buf.tids[0]), (buf.rows[2], buf.tids[2])]);
        } else {
            assert!(back.gone.is_empty());
        }
        // As if it had been written so: nothing is left of what has gone.
        assert_eq!(back.to_bytes(&shape).unwrap()[HEADER..], item[HEADER..]);
        assert_eq!(back.tids, [ItemPointer::new(101, 1), ItemPointer::new(500, 1)]);
        assert_eq!(&back.factors[..shape.factors], &buf.factors[shape.factors..2 * shape.factors]);
    }
}

#[test]
fn rows_that_are_gone_are_remembered_behind_the_others() {
    let shape = shape(&options(Metric::L2, Codes::RabitQ { bits: 1 }, Payload::Sq8, 40));
    let mut buf = filled(&shape, 4, 6);
    buf.closed = false;
    let mut item = buf.to_bytes(&shape).unwrap();
    let gone = |item: &[u8]| -> Vec<_> {
        let block = Block::parse(item, &shape).unwrap().unwrap();
        block.gone().map(|(row, tid)| (row.block(), tid.block())).collect()
    };
    assert_eq!(retain(&mut item, &shape, |n| n != 1), Ok(1));
    assert_eq!(retain(&mut item, &shape, |n| n != 0), Ok(1));
    assert_eq!(gone(&item), [(0, 100), (1, 101)]);
    let (body, factors) = (vec![1; shape.body], vec![2; shape.factors]);
    for n in [50, 51] {
        let pointer = ItemPointer::new(n, 1);
        append(&mut item, &shape, (&body, &factors), pointer, pointer, 0.0).unwrap();
    }
    let back = BlockBuf::of(&Block::parse(&item, &shape).unwrap().unwrap());
    assert_eq!(back.tids.iter().map(|tid| tid.block()).collect::<Vec<_>>(), [102, 103, 50, 51]);
    assert_eq!(back.rows.iter().map(|row| row.block()).collect::<Vec<_>>(), [2, 3, 50, 51]);
    // It is full: four entries, and what is remembered of two.
    assert!(!Block::parse(&item, &shape).unwrap().unwrap().has_room());
    assert!(append(&mut item, &shape, (&body, &factors), buf.rows[0], buf.tids[0], 0.0).is_err());
    assert_eq!(back.to_bytes(&shape).unwrap()[HEADER..], item[HEADER..]);
    let mut remembered = gone(&item);
    remembered.sort_unstable();
    assert_eq!(remembered, [(0, 100), (1, 101)]);
    forget(&mut item, &shape, |row| row.block() == 0).unwrap();
    assert_eq!(gone(&item), [(1, 101)]);
    assert!(Block::parse(&item, &shape).unwrap().unwrap().has_room());
}

#[test]
fn a_full_block_takes_no_more() {
    let shape = shape(&options(Metric::L2, Codes::RabitQ { bits: 1 }, Payload::Sq8, 40));
    let mut item = filled(&shape, 2, 2).to_bytes(&shape).unwrap();
    let (body, factors) = (vec![0; shape.body], vec![0; shape.factors]);
    let tid = ItemPointer::new(1, 1);
    assert!(append(&mut item, &shape, (&body, &factors), tid, tid, 0.0).is_err());
    assert!(filled(&shape, 3, 2).to_bytes(&shape).is_err());
}

#[test]
fn hostile_blocks_are_refused_or_read() {
    let mut rng = fastrand::Rng::with_seed(1);
    let shape = shape(&options(Metric::L2, Codes::RabitQ { bits: 1 }, Payload::Sq8, 40));
    let (body, factors) = (vec![0; shape.body], vec![0; shape.factors]);
    let sound = filled(&shape, 3, 5).to_bytes(&shape).unwrap();
    for _ in 0..2000 {
        let mut item = sound.clone();
        for _ in 0..rng.usize(1..6) {
            let at = rng.usize(1..item.len());
            item[at] = rng.u8(..);
        }
        item.truncate(rng.usize(1..=item.len()));
        let _ = Block::parse(&item, &shape).map(|block| block.map(|block| BlockBuf::of(&block)));
        let _ = retain(&mut item.clone(), &shape, |n| n % 2 == 1);
        let _ = forget(&mut item.clone(), &shape, |row| row.block() % 2 == 1);
        let _ =
            append(&mut item.clone(), &shape, (&body, &factors), ItemPointer::NONE, ItemPointer::NONE, 0.0);
        let _ = Anchor::parse(&item);
        let _ = RowItem::parse(&item);
        let _ = CentreHead::parse(&item, 0);
        let _ = Meta::parse(&item);
    }
}

#[test]
fn every_dimension_has_a_shape() {
    for dims in [1, 7, 1900, 2000, 2021, 2100, 4100, 8000, 9000, 16_000] {
        for (codes, payload) in kinds() {
            let Ok(options) = options(Metric::L2, codes, payload, dims).settle() else {
                assert!(matches!(codes, Codes::Pq { .. }) && dims < 8);
                continue;
            };
            let shape = shape(&options);
            assert!(shape.size(shape.most()) <= MAX_ITEM, "{dims} {codes:?} {payload:?}");
            assert!(!shape.rows || shape.row_size() <= MAX_ITEM);
        }
    }
}

#[test]
fn meta_pages_come_back() {
    for (codes, payload) in kinds() {
        for vector_type in [VectorType::Vector, VectorType::Halfvec] {
            let options =
                Options { vector_type, ..options(Metric::Cosine, codes, payload, 96) }.settle().unwrap();
            let mut meta = Meta::new(options);
            (meta.lists, meta.directory, meta.untidy) = (300, Some(12), true);
            (meta.rows, meta.built_rows, meta.built_error) = (5, 6, 0.25);
            meta.anchor = Link::new(ItemPointer::new(1, 1), 1);
            assert_eq!(Meta::parse(&meta.to_bytes()), Ok(meta));
        }
    }
    let mut bytes = Meta::new(options(Metric::L2, Codes::None, Payload::Full, 3)).to_bytes();
    bytes[0] = 2;
    assert!(Meta::parse(&bytes).is_err());
}

#[test]
fn directories_have_a_place_for_every_centroid() {
    for bytes in [1, 400, 1536, 8000, 8128, 8129, 64_000] {
        let shape = DirectoryShape::new(bytes);
        let mut places: Vec<_> = (0..50).map(|number| shape.place(number)).collect();
        let covered: usize = (0..shape.parts).map(|part| shape.part(part).len()).sum();
        assert_eq!(covered, bytes);
        let last = places.last().unwrap().0 + shape.parts as u32;
        assert_eq!(last, shape.pages(50));
        places.dedup();
        assert_eq!(places.len(), 50);
        // As many as the places say fit a page.
        let mut page = kite_pages::Page::zeroed();
        page.init(DIRECTORY);
        let per_page = places.iter().filter(|place| place.0 == 0).count();
        let item = vec![CENTRE; 16 + shape.part(0).len()];
        assert!((0..per_page).all(|_| page.add(&item).unwrap().is_some()));
    }
}
