//! Changing pages.

use super::{Case, KIND, add, edit, item, new_page};
use crate::{BlockNo, Error, MAX_PAGES, PAGE_SIZE, PageStore, PageTxn};
use fastrand::Rng;

pub(super) fn cases<S: PageStore>() -> Vec<Case<S>> {
    vec![
        Case { name: "a transaction sees its edits", run: sees_its_edits },
        Case { name: "an abort leaves nothing", run: abort_leaves_nothing },
        Case { name: "four pages change together", run: four_pages },
        Case { name: "a fifth page is refused", run: fifth_page },
        Case { name: "an extended page of an abort is new", run: extend_and_abort },
        Case { name: "a page is locked once", run: locked_once },
        Case { name: "a page is released", run: released },
        Case { name: "locks out of order", run: out_of_order },
        Case { name: "a lock beyond the end is damage", run: beyond_the_end },
        Case { name: "a transaction without edits", run: without_edits },
        Case { name: "page numbers, links and header survive", run: links },
        Case { name: "random changes agree with a model", run: agrees_with_model },
    ]
}

fn sees_its_edits<S: PageStore>(store: &S) {
    let block = new_page(store, b"before");
    let mut txn = store.begin();
    let slot = txn.lock(block).unwrap();
    assert_eq!(txn.block(slot), block);
    assert_eq!(txn.page(slot).view(KIND).unwrap().item(1).unwrap(), b"before");
    assert!(txn.page_mut(slot).replace(1, b"after!").unwrap());
    assert_eq!(txn.page(slot).view(KIND).unwrap().item(1).unwrap(), b"after!");
    txn.commit().unwrap();
    assert_eq!(item(store, block, 1).unwrap(), b"after!");
}

fn abort_leaves_nothing<S: PageStore>(store: &S) {
    let block = new_page(store, b"before");
    let mut txn = store.begin();
    let slot = txn.lock(block).unwrap();
    assert!(txn.page_mut(slot).replace(1, b"after!").unwrap());
    add(&mut txn, slot, b"more");
    drop(txn);
    assert_eq!(item(store, block, 1).unwrap(), b"before");
    assert_eq!(item(store, block, 2), None);
    // The page is free again, and changes by the next.
    edit(store, block, |page| assert!(page.replace(1, b"later").unwrap()));
    assert_eq!(item(store, block, 1).unwrap(), b"later");
}

fn four_pages<S: PageStore>(store: &S) {
    let blocks: Vec<_> = (0..MAX_PAGES).map(|_| new_page(store, b"old")).collect();
    for commits in [false, true] {
        let mut txn = store.begin();
        let slots: Vec<_> = blocks.iter().map(|&block| txn.lock(block).unwrap()).collect();
        let [a, b] = txn.pages_mut([slots[2], slots[0]]);
        assert!(a.replace(1, b"two").unwrap() && b.replace(1, b"nil").unwrap());
        let [a, b] = txn.pages_mut([slots[1], slots[3]]);
        assert!(a.replace(1, b"one").unwrap() && b.replace(1, b"tri").unwrap());
        let expected: [&[u8]; 4] = if commits {
            txn.commit().unwrap();
            [b"nil", b"one", b"two", b"tri"]
        } else {
            drop(txn);
            [b"old"; 4]
        };
        for (&block, expected) in blocks.iter().zip(expected) {
            assert_eq!(item(store, block, 1).unwrap(), expected);
        }
    }
}

fn fifth_page<S: PageStore>(store: &S) {
    let blocks: Vec<_> = (0..=MAX_PAGES).map(|_| new_page(store, b"x")).collect();
    let mut txn = store.begin();
    for &block in &blocks[..MAX_PAGES] {
        txn.lock(block).unwrap();
    }
    assert_eq!(txn.lock(blocks[MAX_PAGES]), Err(Error::TooManyPages));
    assert_eq!(txn.try_lock(blocks[MAX_PAGES]), Err(Error::TooManyPages));
    assert_eq!(txn.extend(KIND), Err(Error::TooManyPages));
    // Those that it has are still its.
    txn.lock(blocks[0]).unwrap();
}

fn extend_and_abort<S: PageStore>(store: &S) {
    let mut txn = store.begin();
    let slot = txn.extend(KIND).unwrap();
    let block = txn.block(slot);
    add(&mut txn, slot, b"never");
    drop(txn);
    if block < store.len() {
        let page = store.read(block).unwrap();
        assert!(page.is_new() && page.view(KIND).is_err());
        drop(page);
        // It can be taken into use.
        edit(store, block, |page| {
            page.init(KIND);
            page.add(b"now").unwrap().expect("room");
        });
        assert_eq!(item(store, block, 1).unwrap(), b"now");
    }
    assert_ne!(new_page(store, b"next"), block);
}

fn locked_once<S: PageStore>(store: &S) {
    let block = new_page(store, b"x");
    let mut txn = store.begin();
    let slot = txn.lock(block).unwrap();
    assert_eq!(txn.lock(block).unwrap(), slot);
    assert_eq!(txn.try_lock(block).unwrap(), Some(slot));
    let new = txn.extend(KIND).unwrap();
    let new_block = txn.block(new);
    assert_eq!(txn.lock(new_block).unwrap(), new);
}

fn released<S: PageStore>(store: &S) {
    let blocks: Vec<_> = (0..=MAX_PAGES).map(|_| new_page(store, b"x")).collect();
    let mut txn = store.begin();
    let slots: Vec<_> = blocks[..MAX_PAGES].iter().map(|&block| txn.lock(block).unwrap()).collect();
    assert!(txn.page_mut(slots[0]).replace(1, b"y").unwrap());
    txn.release(slots[2]);
    let last = txn.lock(blocks[MAX_PAGES]).unwrap();
    assert_eq!(txn.block(last), blocks[MAX_PAGES]);
    assert!(txn.page_mut(last).replace(1, b"z").unwrap());
    txn.commit().unwrap();
    let read: Vec<_> = blocks.iter().map(|&block| item(store, block, 1).unwrap()).collect();
    assert_eq!(read, [b"y", b"x", b"x", b"x", b"z"]);
}

fn out_of_order<S: PageStore>(store: &S) {
    let low = new_page(store, b"low");
    let high = new_page(store, b"high");
    let mut txn = store.begin();
    txn.lock(high).unwrap();
    // Nobody has the page, yet a store may refuse; then in order it must go.
    let outcome = txn.lock(low);
    drop(txn);
    assert!(outcome.is_ok() || outcome == Err(Error::Restart), "{outcome:?}");
    let mut txn = store.begin();
    txn.lock(low).unwrap();
    txn.lock(high).unwrap();
}

fn beyond_the_end<S: PageStore>(store: &S) {
    let end = store.len() + 10;
    let mut txn = store.begin();
    assert!(matches!(txn.lock(end), Err(Error::Corrupt { block, .. }) if block == end));
    assert!(matches!(txn.try_lock(end), Err(Error::Corrupt { block, .. }) if block == end));
}

fn without_edits<S: PageStore>(store: &S) {
    let block = new_page(store, b"x");
    store.begin().commit().unwrap();
    let mut txn = store.begin();
    txn.lock(block).unwrap();
    txn.commit().unwrap();
    assert_eq!(item(store, block, 1).unwrap(), b"x");
    drop(store.begin());
    store.check_interrupts().unwrap();
}

fn links<S: PageStore>(store: &S) {
    let (first, second) = (new_page(store, b"1"), new_page(store, b"2"));
    edit(store, first, |page| {
        page.set_next(Some(second));
        page.set_spare(77);
    });
    let page = store.read(first).unwrap();
    assert_eq!((page.next(), page.spare(), page.kind()), (Some(second), 77, KIND));
    drop(page);
    assert_eq!(store.read(second).unwrap().next(), None);
    let generations: Vec<_> = (0..3).map(|_| edit(store, first, crate::Page::next_generation)).collect();
    assert_eq!(generations, [1, 2, 3]);
}

/// Several pages' items, changed at random, committed or not.
fn agrees_with_model<S: PageStore>(store: &S) {
    const PAGES: usize = 6;
    let mut rng = Rng::with_seed(4);
    let blocks: Vec<BlockNo> = (0..PAGES).map(|_| new_page(store, b"seed")).collect();
    let mut model: Vec<Vec<Option<Vec<u8>>>> = vec![vec![Some(b"seed".to_vec())]; PAGES];
    for _ in 0..400 {
        let mut txn = store.begin();
        let mut after = model.clone();
        let mut pages: Vec<usize> = (0..PAGES).collect();
        rng.shuffle(&mut pages);
        pages.truncate(rng.usize(1..=MAX_PAGES));
        pages.sort_unstable();
        for page in pages {
            let slot = txn.lock(blocks[page]).unwrap();
            for _ in 0..rng.usize(0..4) {
                change(&mut rng, txn.page_mut(slot), &mut after[page]);
            }
        }
        if rng.bool() {
            txn.commit().unwrap();
            model = after;
        } else {
            drop(txn);
        }
        for (&block, items) in blocks.iter().zip(&model) {
            let page = store.read(block).unwrap();
            let view = page.view(KIND).unwrap();
            assert_eq!(usize::from(view.last()), items.len());
            for (no, expected) in (1..).zip(items) {
                assert_eq!(view.find(no).unwrap(), expected.as_deref());
            }
        }
    }
}

/// One random change to a page and to its model.
fn change(rng: &mut Rng, page: &mut crate::Page, items: &mut Vec<Option<Vec<u8>>>) {
    let bytes = vec![rng.u8(1..); rng.usize(1..PAGE_SIZE / 4)];
    let present: Vec<usize> = (0..items.len()).filter(|&place| items[place].is_some()).collect();
    let chosen = rng.choice(&present).copied();
    match (rng.u8(0..3), chosen) {
        (0, Some(place)) => {
            page.remove(place as u16 + 1).unwrap();
            items[place] = None;
            while items.last().is_some_and(Option::is_none) {
                items.pop();
            }
        }
        (1, Some(place)) => {
            if page.replace(place as u16 + 1, &bytes).unwrap() {
                items[place] = Some(bytes);
            }
        }
        _ => {
            let room = page.sound().unwrap().room().unwrap();
            let added = page.add(&bytes).unwrap();
            assert_eq!(added.is_some(), bytes.len() <= room);
            if let Some(no) = added {
                let place = usize::from(no) - 1;
                if place == items.len() {
                    items.push(None);
                }
                assert_eq!(items[place].replace(bytes), None);
            }
        }
    }
}
