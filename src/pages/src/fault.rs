//! A store that fails where a test says.

use crate::{
    Ahead, BlockNo, BulkWriter, Error, ItemPointer, Page, PageKind, PageStore, PageTxn, Result, Slot, Stamp,
};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Wraps a store and makes one operation fail with [`Error::Injected`], before it has done anything.
///
/// Operations are counted from 0: every page read, lock, extension, commit, bulk page and end of bulk writing, use of the
/// free-space map and check of interrupts. To try every place of failure, count what a run takes, then repeat it with each.
#[derive(Debug)]
pub struct FaultStore<S> {
    store: S,
    faults: Faults,
}

#[derive(Debug)]
struct Faults {
    done: AtomicU64,
    at: AtomicU64,
}

impl Faults {
    fn step(&self) -> Result<()> {
        if self.done.fetch_add(1, Relaxed) == self.at.load(Relaxed) { Err(Error::Injected) } else { Ok(()) }
    }
}

impl<S: PageStore> FaultStore<S> {
    /// A store that does not fail yet.
    pub fn new(store: S) -> Self {
        Self { store, faults: Faults { done: AtomicU64::new(0), at: AtomicU64::new(u64::MAX) } }
    }

    /// Counts from 0 again, and makes the operation of this number fail; `None` lets all succeed.
    pub fn fail_at(&self, operation: Option<u64>) {
        self.faults.done.store(0, Relaxed);
        self.faults.at.store(operation.unwrap_or(u64::MAX), Relaxed);
    }

    /// Operations since the count began.
    pub fn operations(&self) -> u64 {
        self.faults.done.load(Relaxed)
    }

    /// The store that is wrapped.
    pub fn inner(&self) -> &S {
        &self.store
    }
}

impl<S: PageStore> PageStore for FaultStore<S> {
    type Read<'a>
        = S::Read<'a>
    where
        Self: 'a;
    type Txn<'a>
        = FaultTxn<'a, S::Txn<'a>>
    where
        Self: 'a;
    type Bulk<'a>
        = FaultBulk<'a, S::Bulk<'a>>
    where
        Self: 'a;

    fn read(&self, block: BlockNo) -> Result<S::Read<'_>> {
        self.faults.step()?;
        self.store.read(block)
    }

    fn read_many(&self, blocks: &[BlockNo], mut visit: impl FnMut(usize, &Page) -> Result<()>) -> Result<()> {
        self.store.read_many(blocks, |place, page| {
            self.faults.step()?;
            visit(place, page)
        })
    }

    fn read_items(
        &self,
        items: &[ItemPointer],
        ahead: Ahead,
        mut visit: impl FnMut(usize, &Page) -> Result<()>,
    ) -> Result<()> {
        self.store.read_items(items, ahead, |place, page| {
            self.faults.step()?;
            visit(place, page)
        })
    }

    fn batch(&self) -> usize {
        self.store.batch()
    }

    fn begin(&self) -> FaultTxn<'_, S::Txn<'_>> {
        FaultTxn { txn: self.store.begin(), faults: &self.faults }
    }

    fn len(&self) -> BlockNo {
        self.store.len()
    }

    fn check_interrupts(&self) -> Result<()> {
        self.faults.step()?;
        self.store.check_interrupts()
    }

    fn find_space(&self, bytes: usize) -> Result<Option<BlockNo>> {
        self.faults.step()?;
        self.store.find_space(bytes)
    }

    fn note_space(&self, block: BlockNo, bytes: usize) -> Result<()> {
        self.faults.step()?;
        self.store.note_space(block, bytes)
    }

    fn now(&self) -> Stamp {
        self.store.now()
    }

    fn is_past(&self, stamp: Stamp) -> bool {
        self.store.is_past(stamp)
    }

    fn bulk(&self) -> Result<FaultBulk<'_, S::Bulk<'_>>> {
        self.faults.step()?;
        Ok(FaultBulk { bulk: self.store.bulk()?, faults: &self.faults })
    }
}

/// A transaction on a [`FaultStore`].
#[derive(Debug)]
pub struct FaultTxn<'a, T> {
    txn: T,
    faults: &'a Faults,
}

impl<T: PageTxn> PageTxn for FaultTxn<'_, T> {
    fn lock(&mut self, block: BlockNo) -> Result<Slot> {
        self.faults.step()?;
        self.txn.lock(block)
    }

    fn try_lock(&mut self, block: BlockNo) -> Result<Option<Slot>> {
        self.faults.step()?;
        self.txn.try_lock(block)
    }

    fn waited(&self) -> bool {
        self.txn.waited()
    }

    fn release(&mut self, slot: Slot) {
        self.txn.release(slot);
    }

    fn extend(&mut self, kind: PageKind) -> Result<Slot> {
        self.faults.step()?;
        self.txn.extend(kind)
    }

    fn block(&self, slot: Slot) -> BlockNo {
        self.txn.block(slot)
    }

    fn page(&self, slot: Slot) -> &Page {
        self.txn.page(slot)
    }

    fn pages_mut<const N: usize>(&mut self, slots: [Slot; N]) -> [&mut Page; N] {
        self.txn.pages_mut(slots)
    }

    fn commit(self) -> Result<()> {
        self.faults.step()?;
        self.txn.commit()
    }
}

/// A bulk writer on a [`FaultStore`].
#[derive(Debug)]
pub struct FaultBulk<'a, B> {
    bulk: B,
    faults: &'a Faults,
}

impl<B: BulkWriter> BulkWriter for FaultBulk<'_, B> {
    fn next(&self) -> BlockNo {
        self.bulk.next()
    }

    fn append(&mut self, page: &Page) -> Result<BlockNo> {
        self.faults.step()?;
        self.bulk.append(page)
    }

    fn finish(self) -> Result<()> {
        self.faults.step()?;
        self.bulk.finish()
    }
}
