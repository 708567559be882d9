//! The store in memory and the one that fails: conformance, the rules of locking, counting, and the state after a crash.

use kite_pages::{
    BulkWriter, Error, FaultStore, ItemNo, Latency, MemStore, Page, PageKind, PageStore, PageTxn, Reads,
    conformance,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, yield_now};

const KIND: PageKind = PageKind { code: 3, version: 1 };

#[test]
fn mem_store_conforms() {
    conformance::run_all(MemStore::new);
    conformance::run_all(MemStore::logged);
    conformance::run_threaded(MemStore::new);
}

#[test]
fn mem_store_conforms_when_it_refuses_locks_out_of_order() {
    let make = || {
        let store = MemStore::logged();
        store.refuse_out_of_order(true);
        store
    };
    conformance::run_all(make);
    conformance::run_threaded(make);
}

#[test]
fn mem_store_conforms_while_time_goes_on() {
    for case in conformance::threaded_cases::<MemStore>() {
        let (store, done) = (MemStore::new(), AtomicBool::new(false));
        scope(|threads| {
            threads.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    store.tick();
                    yield_now();
                }
            });
            let outcome = catch_unwind(AssertUnwindSafe(|| (case.run)(&store)));
            done.store(true, Ordering::Relaxed);
            assert!(outcome.is_ok(), "{}", case.name);
        });
    }
}

#[test]
fn fault_store_conforms_while_it_does_not_fail() {
    conformance::run_all(|| FaultStore::new(MemStore::new()));
    conformance::run_threaded(|| FaultStore::new(MemStore::new()));
}

/// Adds pages that hold their number.
fn pages<S: PageStore>(store: &S, count: u32) {
    for number in 0..count {
        let mut txn = store.begin();
        let slot = txn.extend(KIND).unwrap();
        txn.page_mut(slot).add(&number.to_le_bytes()).unwrap().unwrap();
        txn.commit().unwrap();
    }
}

fn item<S: PageStore>(store: &S, block: u32, no: ItemNo) -> Vec<u8> {
    store.read(block).unwrap().view(KIND).unwrap().item(no).unwrap().to_vec()
}

/// What breaks the rules panics with such a message, and leaves the store usable.
#[track_caller]
fn panics(expected: &str, act: impl FnOnce(&MemStore)) {
    let store = MemStore::new();
    pages(&store, 3);
    let panic = catch_unwind(AssertUnwindSafe(|| act(&store))).expect_err("a rule is broken unnoticed");
    let message =
        panic.downcast_ref::<String>().map_or_else(|| *panic.downcast_ref::<&str>().unwrap(), String::as_str);
    assert!(message.contains(expected), "{message}");
    pages(&store, 1);
    assert_eq!(item(&store, 0, 1), [0; 4]);
}

#[test]
fn a_reader_holds_one_page() {
    panics("a page is read while holding", |store| {
        let _first = store.read(0).unwrap();
        let _second = store.read(1).unwrap();
    });
    panics("a page is read while holding", |store| {
        let _first = store.read(0).unwrap();
        let _again = store.read(0).unwrap();
    });
    panics("pages are read while holding", |store| {
        let _first = store.read(0).unwrap();
        store.read_many(&[1], |_, _| Ok(())).unwrap();
    });
    panics("a page is read while holding", |store| {
        store.read_many(&[1], |_, _| store.read(2).map(|_| ())).unwrap();
    });
    let (one, other) = (MemStore::new(), MemStore::new());
    pages(&one, 1);
    pages(&other, 1);
    let held = one.read(0).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| other.read(0).is_ok())).is_err(), "stores are watched together");
    drop(held);
    other.read(0).unwrap();
}

#[test]
fn a_transaction_does_not_read_beside_its_pages() {
    panics("a page is read while holding content locks: 0 by reading, 1 by a transaction", |store| {
        let mut txn = store.begin();
        txn.lock(0).unwrap();
        let _ = store.read(1);
    });
    panics("a page is read while holding", |store| {
        let mut txn = store.begin();
        txn.lock(0).unwrap();
        let _ = store.read(0);
    });
    // Before it holds any it may.
    let store = MemStore::new();
    pages(&store, 2);
    let mut txn = store.begin();
    store.read(1).unwrap();
    txn.lock(0).unwrap();
}

#[test]
fn nothing_is_held_where_the_server_may_wait() {
    panics("interrupts are checked while holding", |store| {
        let _page = store.read(0).unwrap();
        store.check_interrupts().unwrap();
    });
    panics("interrupts are checked while holding", |store| {
        let mut txn = store.begin();
        txn.lock(0).unwrap();
        store.check_interrupts().unwrap();
    });
    panics("a transaction begins while holding", |store| {
        let _page = store.read(0).unwrap();
        let _txn = store.begin();
    });
    panics("another is open", |store| {
        let _txn = store.begin();
        let _other = store.begin();
    });
    panics("a transaction commits while a page is held by reading", |store| {
        let txn = store.begin();
        let _page = store.read(0).unwrap();
        txn.commit().unwrap();
    });
    panics("a transaction locks a page while a page is held by reading", |store| {
        let mut txn = store.begin();
        let _page = store.read(0).unwrap();
        let _ = txn.lock(1);
    });
    panics("the free-space map is searched while holding", |store| {
        let _page = store.read(0).unwrap();
        let _ = store.find_space(1);
    });
    panics("the free-space map is written while holding", |store| {
        let mut txn = store.begin();
        txn.lock(0).unwrap();
        let _ = store.note_space(0, 1);
    });
    panics("a transaction adds a page while a bulk writer does", |store| {
        let _bulk = store.bulk().unwrap();
        let _ = store.begin().extend(KIND);
    });
}

#[test]
fn misuse_of_slots_and_pages_panics() {
    panics("a page is named twice", |store| {
        let mut txn = store.begin();
        let slot = txn.lock(0).unwrap();
        txn.pages_mut([slot, slot]);
    });
    panics("released that has been edited", |store| {
        let mut txn = store.begin();
        let slot = txn.lock(0).unwrap();
        txn.page_mut(slot);
        txn.release(slot);
    });
    panics("a slot of this transaction", |store| {
        let mut txn = store.begin();
        let slot = txn.lock(0).unwrap();
        txn.release(slot);
        txn.page(slot);
    });
    panics("leaves block 0 unsound", |store| {
        let mut txn = store.begin();
        let slot = txn.lock(0).unwrap();
        txn.page_mut(slot).bytes_mut()[18] = 0;
        txn.commit().unwrap();
    });
}

#[test]
fn what_lies_in_the_hole_is_lost() {
    let store = MemStore::new();
    pages(&store, 1);
    let mut txn = store.begin();
    let slot = txn.lock(0).unwrap();
    txn.page_mut(slot).bytes_mut()[1000] = 7;
    txn.commit().unwrap();
    assert_eq!(store.read(0).unwrap().bytes()[1000], 0);
}

#[test]
fn a_lock_below_is_not_waited_for() {
    let store = MemStore::new();
    pages(&store, 2);
    let mut txn = store.begin();
    txn.lock(1).unwrap();
    let (locked, done) = (AtomicBool::new(false), AtomicBool::new(false));
    scope(|threads| {
        threads.spawn(|| {
            let mut txn = store.begin();
            txn.lock(0).unwrap();
            locked.store(true, Ordering::Release);
            while !done.load(Ordering::Acquire) {
                yield_now();
            }
        });
        while !locked.load(Ordering::Acquire) {
            yield_now();
        }
        let outcome = (txn.lock(0), txn.try_lock(0));
        done.store(true, Ordering::Release);
        assert_eq!(outcome, (Err(Error::Restart), Ok(None)));
    });
    drop(txn);
    store.refuse_out_of_order(true);
    let mut txn = store.begin();
    txn.lock(1).unwrap();
    assert_eq!((txn.lock(0), txn.try_lock(0)), (Err(Error::Restart), Ok(None)));
}

#[test]
fn reads_are_counted_and_priced() {
    let store = MemStore::new();
    pages(&store, 40);
    store.take_reads();
    store.set_latency(Latency { nanos: 100, waits: false });
    for block in [1, 2, 1] {
        store.read(block).unwrap();
    }
    store.read_many(&[2, 3, 3], |_, _| Ok(())).unwrap();
    assert_eq!(store.take_reads(), Reads { pins: 6, distinct: 3, nanos: 600 });
    scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| (0..40).for_each(|block| drop(store.read(block).unwrap())));
        }
    });
    assert_eq!(store.take_reads(), Reads { pins: 120, distinct: 40, nanos: 12_000 });
    assert_eq!(store.take_reads(), Reads::default());
    store.set_latency(Latency { nanos: 1, waits: true });
    store.read(0).unwrap();
}

#[test]
fn stamps_wait_for_snapshots() {
    let store = MemStore::new();
    let stamp = store.now();
    let (old, older) = (store.snapshot(), store.snapshot());
    store.tick();
    let young = store.snapshot();
    assert!(!store.is_past(stamp) && store.now() > stamp);
    drop(old);
    assert!(!store.is_past(stamp));
    drop(older);
    assert!(store.is_past(stamp));
    drop(young);
    assert!(!store.is_past(store.now()));
    store.interrupt(true);
    assert_eq!(store.check_interrupts(), Err(Error::Interrupted));
}

#[test]
fn a_crash_keeps_the_first_records() {
    let store = MemStore::logged();
    pages(&store, 2);
    let mut aborted = store.begin();
    aborted.extend(KIND).unwrap();
    drop(aborted);
    let mut txn = store.begin();
    let (a, b) = (txn.lock(0).unwrap(), txn.lock(1).unwrap());
    for page in txn.pages_mut([a, b]) {
        assert!(page.replace(1, b"both").unwrap());
    }
    txn.commit().unwrap();
    let mut bulk = store.bulk().unwrap();
    let mut page = Page::zeroed();
    page.init(KIND);
    page.add(b"bulk").unwrap();
    bulk.append(&page).unwrap();
    bulk.finish().unwrap();
    store.note_space(0, 5000).unwrap();

    assert_eq!(store.records(), 4);
    assert!(store.record_bytes() > 0 && store.record_bytes() < 3000, "records hold what changed");
    let lengths: Vec<_> = (0..=4).map(|count| store.replay(count).len()).collect();
    assert_eq!(lengths, [1, 2, 3, 3, 4]);
    assert!(store.replay(0).read(0).unwrap().is_new());
    assert!(store.replay(2).read(2).unwrap().is_new());
    for (count, expected) in [(2, [&[0; 4], &[1, 0, 0, 0]]), (3, [b"both", b"both"])] {
        let crashed = store.replay(count);
        assert_eq!([item(&crashed, 0, 1), item(&crashed, 1, 1)], expected);
        assert_eq!(crashed.find_space(100), Ok(None));
        assert_eq!(crashed.records(), count);
    }
    let last = store.replay(4);
    for block in 0..4 {
        let survived = last.read(block).unwrap().bytes().to_vec();
        assert!(store.read(block).unwrap().bytes()[..] == survived, "block {block}");
    }
    // It goes on, and crashes again.
    let again = store.replay(2);
    pages(&again, 1);
    assert_eq!(item(&again.replay(3), 3, 1), [0; 4]);
    assert_eq!(MemStore::new().records(), 0);
}

/// Threads move numbers between pages; after a crash at whatever record, none has been lost or made.
#[test]
fn records_of_several_threads_are_atomic_after_a_crash() {
    const PAGES: u32 = 4;
    let store = MemStore::logged();
    pages(&store, PAGES);
    let value =
        |page: &Page| u32::from_le_bytes(page.view(KIND).unwrap().item(1).unwrap().try_into().unwrap());
    let total = (0..PAGES).sum::<u32>();
    scope(|threads| {
        for seed in 0..3 {
            let store = &store;
            threads.spawn(move || {
                let mut rng = fastrand::Rng::with_seed(seed);
                for _ in 0..60 {
                    let low = rng.u32(..PAGES - 1);
                    let high = rng.u32(low + 1..PAGES);
                    let amount = rng.u32(..);
                    let mut txn = store.begin();
                    let slots = [txn.lock(low).unwrap(), txn.lock(high).unwrap()];
                    let [low, high] = txn.pages_mut(slots);
                    let (less, more) = (value(low).wrapping_sub(amount), value(high).wrapping_add(amount));
                    assert!(low.replace(1, &less.to_le_bytes()).unwrap());
                    assert!(high.replace(1, &more.to_le_bytes()).unwrap());
                    txn.commit().unwrap();
                }
            });
        }
    });
    let setup = PAGES as usize;
    assert_eq!(store.records(), setup + 180);
    for count in setup..=store.records() {
        let crashed = store.replay(count);
        let sum = (0..PAGES).fold(0u32, |sum, block| sum.wrapping_add(value(&crashed.read(block).unwrap())));
        assert_eq!(sum, total, "after {count} records");
    }
}

#[test]
fn every_operation_can_fail() {
    let store = FaultStore::new(MemStore::new());
    let run = || -> Result<(), Error> {
        let mut txn = store.begin();
        let slot = txn.extend(KIND)?;
        let block = txn.block(slot);
        txn.commit()?;
        let mut txn = store.begin();
        let slot = txn.lock(block)?;
        txn.page_mut(slot).add(b"x").unwrap();
        txn.try_lock(block)?;
        txn.commit()?;
        store.check_interrupts()?;
        store.note_space(block, 10)?;
        store.find_space(10)?;
        drop(store.read(block)?);
        store.read_many(&[block, block], |_, _| Ok(()))?;
        let mut bulk = store.bulk()?;
        let mut page = Page::zeroed();
        page.init(KIND);
        bulk.append(&page)?;
        bulk.finish()
    };
    store.fail_at(None);
    run().unwrap();
    let operations = store.operations();
    assert_eq!(operations, 14);
    for operation in 0..operations {
        store.fail_at(Some(operation));
        assert_eq!(run(), Err(Error::Injected), "operation {operation}");
        assert_eq!(store.operations(), operation + 1);
        store.fail_at(None);
        store.check_interrupts().unwrap();
        run().unwrap();
    }
    assert!(store.inner().len() > 0);
}
