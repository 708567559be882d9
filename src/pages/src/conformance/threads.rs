//! Several threads on one store.

use super::payloads::{FORMAT, sample};
use super::{Case, edit, item, new_page};
use crate::payload::{Fetched, free, read, write};
use crate::{BlockNo, Error, ItemPointer, ItemRef, Page, PageStore, PageTxn};
use fastrand::Rng;
use std::sync::Mutex;
use std::thread::scope;

const THREADS: u64 = 4;

/// The cases that only several threads can show. A server process has one thread, so its store is tried by several sessions
/// instead.
#[must_use]
pub fn threaded_cases<S: PageStore + Sync>() -> Vec<Case<S>> {
    vec![
        Case { name: "writers of different pages", run: disjoint_pages },
        Case { name: "writers of the same pages", run: common_pages },
        Case { name: "a writer that waits", run: waiting },
        Case { name: "writers that extend", run: extending },
        Case { name: "payloads written, read and freed", run: payloads },
    ]
}

/// The number in a page's only item, which is written twice so that a torn read is seen.
fn value(page: &Page) -> u64 {
    let item = page.view(super::KIND).unwrap().item(1).unwrap();
    let (a, b) = (&item[..8], &item[8..]);
    assert_eq!(a, b, "half a change is seen");
    u64::from_le_bytes(a.try_into().unwrap())
}

fn set_value(page: &mut Page, value: u64) {
    assert!(page.replace(1, &[value.to_le_bytes(), value.to_le_bytes()].concat()).unwrap());
}

fn disjoint_pages<S: PageStore + Sync>(store: &S) {
    const ROUNDS: u64 = 500;
    let blocks: Vec<_> = (0..THREADS).map(|_| new_page(store, &[0; 16])).collect();
    scope(|threads| {
        for &block in &blocks {
            threads.spawn(move || {
                for _ in 0..ROUNDS {
                    edit(store, block, |page| set_value(page, value(page) + 1));
                }
            });
        }
    });
    for block in blocks {
        assert_eq!(value(&store.read(block).unwrap()), ROUNDS);
    }
}

/// Who has waited is told; who was refused, or found the page free, has not.
fn waiting<S: PageStore + Sync>(store: &S) {
    let block = new_page(store, &[0; 16]);
    let waits = || {
        let mut first = store.begin();
        first.lock(block).unwrap();
        assert!(!first.waited());
        let refused = std::sync::Barrier::new(2);
        scope(|threads| {
            let second = threads.spawn(|| {
                let mut txn = store.begin();
                assert_eq!(txn.try_lock(block), Ok(None));
                assert!(!txn.waited());
                refused.wait();
                txn.lock(block).unwrap();
                txn.waited()
            });
            refused.wait();
            // The second is about to lock; nobody can see whether it waits yet.
            std::thread::sleep(std::time::Duration::from_millis(5));
            drop(first);
            second.join().unwrap()
        })
    };
    assert!((0..1000).any(|_| waits()), "nobody has waited in a thousand attempts");
}

/// Moves one from a page to another, locking them in the order given.
fn transfer<S: PageStore>(store: &S, from: BlockNo, to: BlockNo) -> Result<(), Error> {
    let mut txn = store.begin();
    let (from, to) = (txn.lock(from)?, txn.lock(to)?);
    let [from, to] = txn.pages_mut([from, to]);
    set_value(from, value(from).wrapping_sub(1));
    set_value(to, value(to).wrapping_add(1));
    txn.commit()
}

/// Transfers in every direction: nothing is lost, and nobody waits for ever.
fn common_pages<S: PageStore + Sync>(store: &S) {
    const PAGES: usize = 5;
    let blocks: Vec<_> = (0..PAGES).map(|_| new_page(store, &[0; 16])).collect();
    let blocks = &blocks[..];
    scope(|threads| {
        for seed in 0..THREADS {
            threads.spawn(move || {
                let mut rng = Rng::with_seed(seed);
                for _ in 0..500 {
                    let from = rng.usize(..PAGES);
                    let to = (from + rng.usize(1..PAGES)) % PAGES;
                    match transfer(store, blocks[from], blocks[to]) {
                        Ok(()) => {}
                        // What a writer does that cannot sort: it begins again, here the other way round.
                        Err(Error::Restart) => transfer(store, blocks[to], blocks[from])
                            .or_else(|_| transfer(store, blocks[to.min(from)], blocks[to.max(from)]))
                            .unwrap(),
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        threads.spawn(move || {
            for _ in 0..500 {
                store
                    .read_many(blocks, |_, page| {
                        value(page);
                        Ok(())
                    })
                    .unwrap();
            }
        });
    });
    let sum = blocks.iter().fold(0u64, |sum, &block| sum.wrapping_add(value(&store.read(block).unwrap())));
    assert_eq!(sum, 0);
}

fn extending<S: PageStore + Sync>(store: &S) {
    let made = Mutex::new(Vec::new());
    scope(|threads| {
        for seed in 0..THREADS {
            let made = &made;
            threads.spawn(move || {
                let mut rng = Rng::with_seed(seed);
                for _ in 0..100 {
                    let bytes = rng.u64(..).to_le_bytes();
                    let block = new_page(store, &bytes);
                    made.lock().unwrap().push((block, bytes));
                    if rng.bool() {
                        store.begin().extend(super::KIND).unwrap();
                    }
                }
            });
        }
    });
    let mut made = made.into_inner().unwrap();
    made.sort_unstable();
    assert!(made.windows(2).all(|pair| pair[0].0 < pair[1].0), "a page was given out twice");
    for (block, bytes) in made {
        assert_eq!(item(store, block, 1).unwrap(), bytes);
    }
}

/// Payloads written, read and freed side by side: whoever reads one gets all of it or learns that it is gone.
fn payloads<S: PageStore + Sync>(store: &S) {
    const SHARED: usize = 8;
    let places: Mutex<[Option<(ItemRef, usize)>; SHARED]> = Mutex::new([None; SHARED]);
    scope(|threads| {
        for thread in 0..THREADS as usize {
            let places = &places;
            threads.spawn(move || {
                let mut rng = Rng::with_seed(thread as u64);
                let mut out = Vec::new();
                for round in 0..100 {
                    let place = rng.usize(..SHARED);
                    let seed = thread * 1000 + round;
                    if rng.bool() {
                        let head =
                            write(store, FORMAT, ItemPointer::NONE, &sample(seed % 7 * 5000, seed)).unwrap();
                        let before = places.lock().unwrap()[place].replace((head, seed));
                        if let Some((before, _)) = before {
                            free(store, FORMAT, before).unwrap();
                        }
                    } else if let Some((head, seed)) = { *places.lock().unwrap() }[place]
                        && read(store, FORMAT, head, &mut out).unwrap() == Fetched::Whole
                    {
                        assert!(out == sample(seed % 7 * 5000, seed), "a payload of another is read");
                    }
                }
            });
        }
    });
}
