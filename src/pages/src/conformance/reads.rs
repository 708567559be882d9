//! Reading one page and many.

use super::{Case, KIND, item, new_page};
use crate::{Ahead, BlockNo, Error, ItemPointer, Page, PageStore, Stamp};

pub(super) fn cases<S: PageStore>() -> Vec<Case<S>> {
    vec![
        Case { name: "a committed page is read", run: committed_page_is_read },
        Case { name: "a block beyond the end is damage", run: beyond_the_end },
        Case { name: "read_many keeps order and duplicates", run: many_in_order },
        Case { name: "read_many of nothing", run: many_of_nothing },
        Case { name: "read_many stops at an error", run: many_stops },
        Case { name: "read_many finds a block beyond the end", run: many_beyond_the_end },
        Case { name: "interrupts are checked", run: interrupts },
        Case { name: "stamps", run: stamps },
    ]
}

fn committed_page_is_read<S: PageStore>(store: &S) {
    let before = store.len();
    let block = new_page(store, b"kestrel");
    assert!(block >= before && store.len() > block && !store.is_empty());
    assert_eq!(item(store, block, 1).unwrap(), b"kestrel");
    assert_eq!(item(store, block, 2), None);
}

fn beyond_the_end<S: PageStore>(store: &S) {
    let end = store.len() + 10;
    assert!(matches!(store.read(end).err(), Some(Error::Corrupt { block, .. }) if block == end));
}

fn some_pages<S: PageStore>(store: &S) -> Vec<BlockNo> {
    (0..70u8).map(|number| new_page(store, &[number; 9])).collect()
}

/// What `read_many` visits: place, and the first byte of the first item. `read_items` visits the same, whatever it is told of
/// items that are there or not.
fn visited<S: PageStore>(store: &S, blocks: &[BlockNo]) -> Vec<(usize, u8)> {
    let first = |page: &Page| page.view(KIND).unwrap().item(1).unwrap()[0];
    let mut visited = Vec::new();
    store
        .read_many(blocks, |place, page| {
            visited.push((place, first(page)));
            Ok(())
        })
        .unwrap();
    for (no, ahead) in [(0, 0), (1, 64), (7, 9000), (u16::MAX, usize::MAX / 2)] {
        let items: Vec<_> = blocks.iter().map(|&block| ItemPointer::new(block, no)).collect();
        let mut again = Vec::new();
        let ahead = Ahead { before: ahead, after: ahead };
        store
            .read_items(&items, ahead, |place, page| {
                again.push((place, first(page)));
                Ok(())
            })
            .unwrap();
        assert_eq!(again, visited);
    }
    visited
}

fn many_in_order<S: PageStore>(store: &S) {
    let pages = some_pages(store);
    let wanted = [9, 3, 3, 69, 0, 9, 42];
    let blocks = wanted.map(|number| pages[number]);
    let expected: Vec<_> = wanted.iter().map(|&number| number as u8).enumerate().collect();
    assert_eq!(visited(store, &blocks), expected);
    // More than any store pins at once.
    let all: Vec<_> = pages.iter().rev().chain(&pages).copied().collect();
    let expected: Vec<_> = (0..70).rev().chain(0..70).enumerate().collect();
    assert_eq!(visited(store, &all), expected);
    assert!(store.batch() > 0);
}

fn many_of_nothing<S: PageStore>(store: &S) {
    assert!(visited(store, &[]).is_empty());
}

fn many_stops<S: PageStore>(store: &S) {
    let pages = some_pages(store);
    let mut visits = 0;
    let outcome = store.read_many(&pages, |place, _| {
        visits += 1;
        if place == 4 { Err(Error::Interrupted) } else { Ok(()) }
    });
    assert_eq!((outcome, visits), (Err(Error::Interrupted), 5));
    // No lock is left behind.
    assert_eq!(item(store, pages[4], 1).unwrap(), [4; 9]);
    store.check_interrupts().unwrap();
}

fn many_beyond_the_end<S: PageStore>(store: &S) {
    let page = new_page(store, b"x");
    let end = store.len() + 1;
    let outcome = store.read_many(&[page, end], |_, _| Ok(()));
    assert!(matches!(outcome, Err(Error::Corrupt { block, .. }) if block == end));
    assert_eq!(item(store, page, 1).unwrap(), b"x");
}

fn interrupts<S: PageStore>(store: &S) {
    store.check_interrupts().unwrap();
}

fn stamps<S: PageStore>(store: &S) {
    let now = store.now();
    assert!(!store.is_past(now), "what is freed now cannot be past");
    assert!(store.is_past(Stamp::EARLIEST));
    assert!(store.now() >= now);
    // It may be asked under a lock.
    let block = new_page(store, b"x");
    let _page = store.read(block).unwrap();
    assert!(!store.is_past(store.now()));
}
