//! What every [`PageStore`] must do, as cases that any store can be put through.
//!
//! ```
//! use kite_pages::{MemStore, conformance};
//!
//! conformance::run_all(MemStore::new);
//! conformance::run_threaded(MemStore::new);
//! ```
//!
//! The cases assert by panicking, expect a store that nobody else uses, and do not mind what is in it.

mod bulk;
mod payloads;
mod reads;
mod threads;
mod txns;

pub use threads::threaded_cases;

use crate::{BlockNo, ItemNo, Page, PageKind, PageStore, PageTxn, Slot};

/// One thing that a store must do.
#[derive(Debug)]
pub struct Case<S> {
    /// What it is about.
    pub name: &'static str,
    /// Panics if the store does not.
    pub run: fn(&S),
}

/// All cases that need one thread.
#[must_use]
pub fn cases<S: PageStore>() -> Vec<Case<S>> {
    [reads::cases(), txns::cases(), bulk::cases(), payloads::cases()].into_iter().flatten().collect()
}

/// Runs every case of [`cases`] on a store of its own, naming it on standard error first.
///
/// # Panics
/// At the first case that fails.
pub fn run_all<S: PageStore>(make: impl Fn() -> S) {
    run(cases(), make);
}

/// As [`run_all`], the cases of [`threaded_cases`].
///
/// # Panics
/// At the first case that fails.
pub fn run_threaded<S: PageStore + Sync>(make: impl Fn() -> S) {
    run(threaded_cases(), make);
}

fn run<S>(cases: Vec<Case<S>>, make: impl Fn() -> S) {
    for Case { name, run } in cases {
        eprintln!("conformance: {name}");
        run(&make());
    }
}

/// The kind of the pages that cases make.
const KIND: PageKind = PageKind { code: 1, version: 1 };

/// Edits one page in a transaction.
fn edit<S: PageStore, R>(store: &S, block: BlockNo, change: impl FnOnce(&mut Page) -> R) -> R {
    let mut txn = store.begin();
    let slot = txn.lock(block).unwrap();
    let result = change(txn.page_mut(slot));
    txn.commit().unwrap();
    result
}

/// Adds a page that holds one item.
fn new_page<S: PageStore>(store: &S, item: &[u8]) -> BlockNo {
    let mut txn = store.begin();
    let slot = txn.extend(KIND).unwrap();
    let block = txn.block(slot);
    add(&mut txn, slot, item);
    txn.commit().unwrap();
    block
}

fn add<T: PageTxn>(txn: &mut T, slot: Slot, item: &[u8]) -> ItemNo {
    txn.page_mut(slot).add(item).unwrap().expect("room on the page")
}

/// An item as others see it.
fn item<S: PageStore>(store: &S, block: BlockNo, no: ItemNo) -> Option<Vec<u8>> {
    let page = store.read(block).unwrap();
    page.view(KIND).unwrap().find(no).unwrap().map(<[u8]>::to_vec)
}
