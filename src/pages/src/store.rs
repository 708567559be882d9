//! What an index asks of the place where its pages are.
//!
//! The traits are cut so that shared buffers and generic WAL need only a thin implementation, without an allocation per read.
//! What an implementation over Postgres has to keep:
//!
//! - A read is `ReadBuffer` and `LockBuffer(SHARE)`; the guard derefs to the page in the buffer and unlocks and unpins on drop.
//! - A transaction is a `GenericXLogState`, begun at the first edit, and at most four exclusively locked buffers. The first
//!   [`PageTxn::page_mut`] of a page registers its buffer; the image that `GenericXLogRegisterBuffer` answers is what
//!   [`PageTxn::page`] and [`PageTxn::page_mut`] lend from then on. The buffer itself changes in `GenericXLogFinish` alone.
//! - No lock and no pin of a transaction survives its commit or abort.
//! - An ERROR comes as a panic. A guard or transaction that is dropped while panicking does nothing at all: the abort of the
//!   server's transaction releases locks and pins, and has already reset the counters that unlocking would count down.

use crate::{BlockNo, ItemPointer, Page, PageKind, Result};
use std::ops::Deref;

/// The most pages that one transaction can hold, which is what a generic WAL record can carry.
pub const MAX_PAGES: usize = 4;

/// A full transaction id: when something was freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(u64);

impl Stamp {
    /// Before every transaction; past for every store.
    pub const EARLIEST: Self = Self(3);

    /// A stamp as it is stored.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The number to store.
    #[must_use]
    pub const fn to_raw(self) -> u64 {
        self.0
    }
}

/// How many bytes around the beginning of an item will be looked at: a hint.
///
/// Items are added towards the beginning of the page, so that what was added after an item stands before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ahead {
    /// Bytes before it.
    pub before: usize,
    /// Bytes from its beginning on.
    pub after: usize,
}

/// One of the pages that a transaction holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(u8);

impl Slot {
    /// The page of this place among the transaction's, from 0. For implementations of [`PageTxn`].
    #[must_use]
    pub const fn new(index: usize) -> Self {
        Self(index as u8)
    }

    /// Its place among the transaction's pages.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The pages of one index.
///
/// A thread holds the content lock of at most one page by reading, and none but those of its transaction while that holds any:
/// content locks are not watched for deadlocks, and waiting for one cannot be cancelled.
pub trait PageStore {
    /// A page held for reading; its drop lets go of it.
    type Read<'a>: Deref<Target = Page>
    where
        Self: 'a;
    /// A change of up to [`MAX_PAGES`] pages.
    type Txn<'a>: PageTxn
    where
        Self: 'a;
    /// Pages written in order.
    type Bulk<'a>: BulkWriter
    where
        Self: 'a;

    /// Pins a page and locks it for reading. No content lock may be held.
    ///
    /// # Errors
    /// A block beyond the end is [`Error::Corrupt`](crate::Error::Corrupt).
    fn read(&self, block: BlockNo) -> Result<Self::Read<'_>>;

    /// [`read`](PageStore::read) of a page that will not be wanted again soon: it need not stay in a cache.
    ///
    /// # Errors
    /// As there.
    fn read_once(&self, block: BlockNo) -> Result<Self::Read<'_>> {
        self.read(block)
    }

    /// Reads several pages: pins and prefetches all, then locks, visits and unlocks one by one, in the order given; a block
    /// given twice is visited twice. `visit` gets the place in `blocks`, and may not touch the store. An error ends it.
    ///
    /// This default reads them one by one; a store that can fetch ahead has its own.
    ///
    /// # Errors
    /// As [`read`](PageStore::read), found before any page is visited or on reaching the block, and what `visit` answers.
    fn read_many(&self, blocks: &[BlockNo], mut visit: impl FnMut(usize, &Page) -> Result<()>) -> Result<()> {
        blocks.iter().enumerate().try_for_each(|(place, &block)| visit(place, &*self.read(block)?))
    }

    /// Reads the pages of several items, as [`read_many`](PageStore::read_many) does; a store that can brings what stands
    /// around each item close to the processor before the first page is visited.
    ///
    /// # Errors
    /// As [`read_many`](PageStore::read_many).
    fn read_items(
        &self,
        items: &[ItemPointer],
        ahead: Ahead,
        mut visit: impl FnMut(usize, &Page) -> Result<()>,
    ) -> Result<()> {
        let _ = ahead;
        items.iter().enumerate().try_for_each(|(place, item)| visit(place, &*self.read(item.block())?))
    }

    /// How many pages at once [`read_many`](PageStore::read_many) does best with.
    fn batch(&self) -> usize {
        8
    }

    /// Begins a transaction. One at a time in each thread, and no content lock may be held.
    fn begin(&self) -> Self::Txn<'_>;

    /// The number of pages. Others may add some at any time.
    fn len(&self) -> BlockNo;

    /// Whether there are no pages.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is such a page.
    fn has(&self, block: BlockNo) -> bool {
        block < self.len()
    }

    /// Lets the user stop what runs. No content lock may be held, since then the server does not listen.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted), if the store does not unwind.
    fn check_interrupts(&self) -> Result<()>;

    /// A page that probably has room for an item of so many bytes: a hint. It may be wrong in every way, so the page is
    /// looked at under its lock, and [`note_space`](PageStore::note_space) tells what was found. [`with_room`](crate::with_room)
    /// does all that. No content lock may be held.
    ///
    /// # Errors
    /// Reading the free-space map failed.
    fn find_space(&self, bytes: usize) -> Result<Option<BlockNo>>;

    /// Records how much room a page has. It is not part of a WAL record and may be lost. No content lock may be held.
    ///
    /// # Errors
    /// Writing the free-space map failed.
    fn note_space(&self, block: BlockNo, bytes: usize) -> Result<()>;

    /// The stamp for what is freed now: the next full transaction id. Locks may be held, and for freeing that of the page is.
    fn now(&self) -> Stamp;

    /// Whether no snapshot can still see what was there when the stamp was taken. Locks may be held.
    fn is_past(&self, stamp: Stamp) -> bool;

    /// Begins to append pages. Nobody else may extend the store meanwhile, so the first page gets the number
    /// [`len`](PageStore::len), and each further one the next.
    ///
    /// # Errors
    /// Writing failed.
    fn bulk(&self) -> Result<Self::Bulk<'_>>;
}

/// A change of pages that happens completely or not at all, also in a crash: one WAL record.
///
/// Dropped without [`commit`](PageTxn::commit) it leaves every page as it was, except that an extended store stays
/// extended, by pages of zeros.
pub trait PageTxn {
    /// Locks a page for writing; the same page again is the same slot. Waits when the block is above all that are held.
    ///
    /// # Errors
    /// A block below one that is held is not waited for: [`Error::Restart`](crate::Error::Restart) when it is not free.
    /// [`Error::TooManyPages`](crate::Error::TooManyPages) for the fifth. A block beyond the end is
    /// [`Error::Corrupt`](crate::Error::Corrupt).
    fn lock(&mut self, block: BlockNo) -> Result<Slot>;

    /// Locks a page if that needs no waiting, whatever its number.
    ///
    /// # Errors
    /// As [`lock`](PageTxn::lock), but for `Restart`.
    fn try_lock(&mut self, block: BlockNo) -> Result<Option<Slot>>;

    /// Whether a page that was locked was not free at once: another writer or reader had it.
    fn waited(&self) -> bool;

    /// Unlocks a page that has not been edited. Its slot is free for another.
    ///
    /// # Panics
    /// When the page has been edited.
    fn release(&mut self, slot: Slot);

    /// Adds a page to the store, locked and initialised. An implementation checks under the lock that the page is still new,
    /// and takes the next when another writer found it first.
    ///
    /// # Errors
    /// [`Error::TooManyPages`](crate::Error::TooManyPages) for the fifth, and those of a full disk.
    fn extend(&mut self, kind: PageKind) -> Result<Slot>;

    /// The number of a page.
    ///
    /// # Panics
    /// As every method here, when the slot is not one of this transaction's.
    fn block(&self, slot: Slot) -> BlockNo;

    /// The page with the edits of this transaction. Its readers see it so only after the commit.
    fn page(&self, slot: Slot) -> &Page;

    /// The page, to be edited.
    fn page_mut(&mut self, slot: Slot) -> &mut Page {
        let [page] = self.pages_mut([slot]);
        page
    }

    /// Several pages, to be edited together.
    ///
    /// # Panics
    /// When a slot is named twice.
    fn pages_mut<const N: usize>(&mut self, slots: [Slot; N]) -> [&mut Page; N];

    /// Makes the edits visible and durable together, and unlocks all pages. Content in the hole between `pd_lower` and
    /// `pd_upper` is lost.
    ///
    /// # Errors
    /// Then it is as if the transaction had been dropped.
    fn commit(self) -> Result<()>;
}

/// Appends whole pages, for builds. Their WAL carries them in full.
///
/// A page may be read after [`finish`](BulkWriter::finish). Dropped before it, pages of the run may be there or be zero.
pub trait BulkWriter {
    /// The number that the next page will get.
    fn next(&self) -> BlockNo;

    /// Writes a copy of the page.
    ///
    /// # Errors
    /// Those of a full disk.
    fn append(&mut self, page: &Page) -> Result<BlockNo>;

    /// Writes what is still held back.
    ///
    /// # Errors
    /// Those of a full disk.
    fn finish(self) -> Result<()>;
}
