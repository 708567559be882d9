//! A store in memory, for tests and for benches without a server.

mod count;
mod frames;
mod log;
mod space;
mod tracker;
mod txn;

pub use count::{Latency, Reads};
pub use txn::{MemBulk, MemTxn};

use crate::{Ahead, BlockNo, Error, ItemPointer, Page, PageStore, Result, Stamp};
use count::Counters;
use frames::{Frame, Frames};
use kite_kernels::prefetch;
use log::Record;
use space::Spaces;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLockReadGuard};
use tracker::Reading;

/// The most pages that are pinned together.
const PINNED: usize = 32;

/// A [`PageStore`] in memory that can be used from several threads and that panics when a thread breaks the rules of locking:
/// a second page read while one is held, a page read while a transaction holds one, a transaction begun, committed or an
/// interrupt checked while a page is held by reading, and so on.
///
/// It counts and can price reads, and can keep every record so that the state after a crash is made by
/// [`replay`](MemStore::replay).
#[derive(Debug)]
pub struct MemStore {
    frames: Frames,
    len: AtomicU32,
    /// Held while a page is added; tells whether a bulk writer is at work.
    growth: Mutex<bool>,
    log: Option<Mutex<Vec<Arc<Record>>>>,
    spaces: Mutex<Spaces>,
    now: AtomicU64,
    /// How many snapshots see each moment.
    snapshots: Mutex<BTreeMap<u64, usize>>,
    counters: Counters,
    refuses: AtomicBool,
    interrupted: AtomicBool,
}

/// Takes a mutex whose data is right after every statement, so that a panic of another thread does not matter.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for MemStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemStore {
    /// An empty store that keeps no records.
    #[must_use]
    pub fn new() -> Self {
        Self {
            frames: Frames::new(),
            len: AtomicU32::new(0),
            growth: Mutex::new(false),
            log: None,
            spaces: Mutex::default(),
            now: AtomicU64::new(1000),
            snapshots: Mutex::default(),
            counters: Counters::default(),
            refuses: AtomicBool::new(false),
            interrupted: AtomicBool::new(false),
        }
    }

    /// An empty store that keeps every record.
    #[must_use]
    pub fn logged() -> Self {
        Self { log: Some(Mutex::default()), ..Self::new() }
    }

    /// The number of records so far; 0 when they are not kept.
    #[must_use]
    pub fn records(&self) -> usize {
        self.log.as_ref().map_or(0, |log| lock(log).len())
    }

    /// Bytes of page content in the records so far.
    #[must_use]
    pub fn record_bytes(&self) -> usize {
        self.log.as_ref().map_or(0, |log| lock(log).iter().map(|record| record.bytes()).sum())
    }

    /// The store as it is found after a crash that only the first `count` records survived. Pages that were added by then
    /// but not filled are zero, and the free-space map is lost. It keeps records in turn, from these on.
    ///
    /// # Panics
    /// When there are fewer records, or when they are not kept.
    #[must_use]
    pub fn replay(&self, count: usize) -> Self {
        let log = self.log.as_ref().expect("a store made by `logged` is replayed");
        let log = lock(log);
        let len = log.get(count).map_or_else(|| self.len(), |next| next.len_before);
        let kept = log[..count].to_vec();
        drop(log);
        let copy = Self { now: AtomicU64::new(self.now.load(Ordering::Relaxed)), ..Self::new() };
        for block in 0..len {
            copy.frames.grow(block);
        }
        for record in &kept {
            record.apply(|block, edit| edit(&mut copy.frames.grow(block).write()));
        }
        copy.len.store(len, Ordering::Release);
        Self { log: Some(Mutex::new(kept)), ..copy }
    }

    /// Lets a transaction id pass: what was stamped before lies in the past, unless a [`snapshot`](MemStore::snapshot) sees it.
    pub fn tick(&self) {
        self.now.fetch_add(1, Ordering::Relaxed);
    }

    /// A snapshot: nothing that is stamped while it is held is past before it is dropped.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<'_> {
        let mut snapshots = lock(&self.snapshots);
        let seen = self.now.load(Ordering::Relaxed);
        *snapshots.entry(seen).or_default() += 1;
        Snapshot { store: self, seen }
    }

    /// Whether locks out of order are refused even when they are free, so that every [`Error::Restart`] is met.
    pub fn refuse_out_of_order(&self, refuse: bool) {
        self.refuses.store(refuse, Ordering::Relaxed);
    }

    /// Whether [`PageStore::check_interrupts`] answers [`Error::Interrupted`].
    pub fn interrupt(&self, interrupted: bool) {
        self.interrupted.store(interrupted, Ordering::Relaxed);
    }

    /// What a read costs from now on.
    pub fn set_latency(&self, latency: Latency) {
        self.counters.set_latency(latency);
    }

    /// What has been read since the last call, by all threads.
    pub fn take_reads(&self) -> Reads {
        self.counters.take()
    }

    fn frame(&self, block: BlockNo) -> Result<&Frame> {
        let frame = if block < self.len() { self.frames.get(block) } else { None };
        frame.ok_or(Error::Corrupt { block, what: "there is no such block" })
    }

    /// Pins a page: finds it, and counts and prices the read.
    fn pin(&self, block: BlockNo) -> Result<&Frame> {
        let frame = self.frame(block)?;
        self.counters.read(frame);
        Ok(frame)
    }

    /// Appends a record. The caller holds the locks of its pages, so that records of one page are in the order of its changes.
    fn record(&self, fill: impl FnOnce(&mut Record)) {
        if let Some(log) = &self.log {
            let mut log = lock(log);
            let mut record = Record::new(self.len());
            fill(&mut record);
            log.push(Arc::new(record));
        }
    }
}

/// See [`MemStore::snapshot`].
#[derive(Debug)]
pub struct Snapshot<'a> {
    store: &'a MemStore,
    seen: u64,
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        let mut snapshots = lock(&self.store.snapshots);
        if let Some(count) = snapshots.get_mut(&self.seen) {
            *count -= 1;
            if *count == 0 {
                snapshots.remove(&self.seen);
            }
        }
    }
}

/// A page held for reading.
#[derive(Debug)]
pub struct MemRead<'a> {
    page: RwLockReadGuard<'a, Page>,
    _held: Reading,
}

impl Deref for MemRead<'_> {
    type Target = Page;

    #[inline]
    fn deref(&self) -> &Page {
        &self.page
    }
}

impl PageStore for MemStore {
    type Read<'a> = MemRead<'a>;
    type Txn<'a> = MemTxn<'a>;
    type Bulk<'a> = MemBulk<'a>;

    fn read(&self, block: BlockNo) -> Result<MemRead<'_>> {
        let held = Reading::begin();
        Ok(MemRead { page: self.pin(block)?.read(), _held: held })
    }

    fn read_many(&self, blocks: &[BlockNo], mut visit: impl FnMut(usize, &Page) -> Result<()>) -> Result<()> {
        tracker::assert_free("pages are read");
        let mut place = 0;
        for group in blocks.chunks(PINNED) {
            let mut frames = [None; PINNED];
            for (frame, &block) in frames.iter_mut().zip(group) {
                *frame = Some(self.pin(block)?);
            }
            let mut frames = frames.into_iter().flatten().peekable();
            while let Some(frame) = frames.next() {
                // While one page is looked at the next one is on its way.
                if let Some(next) = frames.peek() {
                    next.fetch_page();
                }
                let held = Reading::begin();
                visit(place, &frame.read())?;
                drop(held);
                place += 1;
            }
        }
        Ok(())
    }

    fn read_items(
        &self,
        items: &[ItemPointer],
        ahead: Ahead,
        mut visit: impl FnMut(usize, &Page) -> Result<()>,
    ) -> Result<()> {
        tracker::assert_free("pages are read");
        let mut place = 0;
        for group in items.chunks(PINNED) {
            let mut frames = [None; PINNED];
            for (frame, item) in frames.iter_mut().zip(group) {
                let found = self.frame(item.block())?;
                found.fetch();
                *frame = Some(found);
            }
            for (frame, item) in frames.into_iter().flatten().zip(group) {
                self.counters.read(frame);
                let around = frame.read();
                let around = around.around(item.no(), ahead);
                prefetch(around.as_ptr(), around.len());
            }
            for frame in frames.into_iter().flatten() {
                let held = Reading::begin();
                visit(place, &frame.read())?;
                drop(held);
                place += 1;
            }
        }
        Ok(())
    }

    fn begin(&self) -> MemTxn<'_> {
        MemTxn::new(self)
    }

    #[inline]
    fn len(&self) -> BlockNo {
        self.len.load(Ordering::Acquire)
    }

    fn check_interrupts(&self) -> Result<()> {
        tracker::assert_free("interrupts are checked");
        if self.interrupted.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }

    fn find_space(&self, bytes: usize) -> Result<Option<BlockNo>> {
        tracker::assert_free("the free-space map is searched");
        Ok(lock(&self.spaces).find(bytes))
    }

    fn note_space(&self, block: BlockNo, bytes: usize) -> Result<()> {
        tracker::assert_free("the free-space map is written");
        lock(&self.spaces).note(block, bytes);
        Ok(())
    }

    fn now(&self) -> Stamp {
        Stamp::from_raw(self.now.load(Ordering::Relaxed))
    }

    fn is_past(&self, stamp: Stamp) -> bool {
        let snapshots = lock(&self.snapshots);
        let now = self.now.load(Ordering::Relaxed);
        stamp.to_raw() < snapshots.first_key_value().map_or(now, |(&oldest, _)| oldest.min(now))
    }

    fn bulk(&self) -> Result<MemBulk<'_>> {
        Ok(MemBulk::new(self))
    }
}
