//! Bulk writing and the free-space map.

use super::{Case, KIND, edit, item, new_page};
use crate::{BulkWriter, Error, MAX_ITEM, Page, PageKind, PageStore, PageTxn, Rooms, with_room, with_rooms};

pub(super) fn cases<S: PageStore>() -> Vec<Case<S>> {
    vec![
        Case { name: "bulk pages come in order", run: bulk_in_order },
        Case { name: "a bulk writer that writes nothing", run: bulk_of_nothing },
        Case { name: "changes follow bulk pages", run: changes_after_bulk },
        Case { name: "hints about space may lie", run: hints_lie },
        Case { name: "space that is there is used", run: space_is_used },
        Case { name: "several pages with room, beside others", run: rooms_beside },
        Case { name: "items too long for a page", run: too_long },
    ]
}

/// Appends pages that hold their own number.
fn write_bulk<S: PageStore>(store: &S, count: u32) -> u32 {
    let first = store.len();
    let mut bulk = store.bulk().unwrap();
    let mut page = Page::zeroed();
    for block in first..first + count {
        page.init(KIND);
        page.add(&block.to_le_bytes()).unwrap().expect("room");
        assert_eq!(bulk.next(), block);
        assert_eq!(bulk.append(&page).unwrap(), block);
    }
    bulk.finish().unwrap();
    assert_eq!(store.len(), first + count);
    first
}

fn bulk_in_order<S: PageStore>(store: &S) {
    new_page(store, b"meta");
    let first = write_bulk(store, 100);
    let blocks: Vec<_> = (first..first + 100).collect();
    store
        .read_many(&blocks, |place, page| {
            assert_eq!(page.view(KIND).unwrap().item(1).unwrap(), blocks[place].to_le_bytes());
            Ok(())
        })
        .unwrap();
}

fn bulk_of_nothing<S: PageStore>(store: &S) {
    write_bulk(store, 0);
    write_bulk(store, 1);
}

fn changes_after_bulk<S: PageStore>(store: &S) {
    let first = write_bulk(store, 3);
    edit(store, first + 1, |page| assert!(page.replace(1, b"edit").unwrap()));
    let next = new_page(store, b"next");
    assert_eq!(next, first + 3);
    assert_eq!(item(store, first + 1, 1).unwrap(), b"edit");
    assert_eq!(item(store, first + 2, 1).unwrap(), (first + 2).to_le_bytes());
}

/// Whatever the map says, an item finds a page of its kind with room.
fn hints_lie<S: PageStore>(store: &S) {
    const OTHER: PageKind = PageKind { code: 2, version: 1 };
    let full = new_page(store, &[7; MAX_ITEM]);
    let mut txn = store.begin();
    let slot = txn.extend(OTHER).unwrap();
    let other = txn.block(slot);
    txn.commit().unwrap();
    let mut txn = store.begin();
    txn.extend(KIND).unwrap();
    drop(txn);
    for block in 0..store.len() {
        store.note_space(block, MAX_ITEM).unwrap();
    }
    for _ in 0..20 {
        let (mut txn, slot) = with_room(store, KIND, 5000).unwrap();
        let block = txn.block(slot);
        assert!(block != full && block != other);
        assert!(txn.page_mut(slot).add(&[8; 5000]).unwrap().is_some());
        txn.commit().unwrap();
        store.note_space(block, MAX_ITEM).unwrap();
    }
    assert_eq!(item(store, full, 1).unwrap(), [7; MAX_ITEM]);
}

fn space_is_used<S: PageStore>(store: &S) {
    let block = new_page(store, b"x");
    store.note_space(block, 4000).unwrap();
    // A hint may be missed, so nothing is said of where it goes; only that it is right.
    for bytes in [4000, 100, 1] {
        let (mut txn, slot) = with_room(store, KIND, bytes).unwrap();
        let no = txn.page_mut(slot).add(&vec![9; bytes]).unwrap().expect("the room that was found");
        let block = txn.block(slot);
        txn.commit().unwrap();
        assert_eq!(item(store, block, no).unwrap(), vec![9; bytes]);
    }
}

/// Each size gets a page of its own, whatever the map says, and the pages beside are locked too.
fn rooms_beside<S: PageStore>(store: &S) {
    let beside: Vec<_> = (0..3).map(|_| new_page(store, b"beside")).collect();
    for hint in 0..4 {
        for &block in &beside[..3.min(hint)] {
            store.note_space(block, if hint == 3 { MAX_ITEM } else { 6000 }).unwrap();
        }
        let Rooms { mut txn, slots } =
            with_rooms(store, KIND, &[5000, 5000], &[beside[2], beside[1]]).unwrap();
        assert_ne!(txn.block(slots[0]), txn.block(slots[1]));
        for &slot in &slots {
            assert!(txn.page_mut(slot).add(&[9; 5000]).unwrap().is_some(), "hint {hint}");
        }
        for &block in &beside[1..] {
            // Held already, so that they take none of the four places.
            let slot = txn.lock(block).unwrap();
            assert_eq!(txn.page(slot).view(KIND).unwrap().item(1), Ok(&b"beside"[..]));
        }
        txn.commit().unwrap();
    }
    let five = with_rooms(store, KIND, &[1, 1], &beside).err();
    assert!(five.is_none() || five == Some(Error::TooManyPages));
    let long = with_rooms(store, KIND, &[1, MAX_ITEM + 1], &[]).err();
    assert_eq!(long, Some(Error::TooLong { bytes: MAX_ITEM + 1, max: MAX_ITEM }));
}

fn too_long<S: PageStore>(store: &S) {
    let outcome = with_room(store, KIND, MAX_ITEM + 1).err();
    assert_eq!(outcome, Some(Error::TooLong { bytes: MAX_ITEM + 1, max: MAX_ITEM }));
    let (mut txn, slot) = with_room(store, KIND, MAX_ITEM).unwrap();
    assert_eq!(txn.page_mut(slot).add(&[1; MAX_ITEM]).unwrap(), Some(1));
    txn.commit().unwrap();
}
