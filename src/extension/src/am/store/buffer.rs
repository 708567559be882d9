//! Pages in shared buffers: pins, content locks, and what pgrx's own bindings cost too much for.
//!
//! pgrx guards every call into Postgres by a jump point of its own, and a page read is three calls. Here one guard stands round
//! all pins of a batch, and none round what cannot fail.

use super::raw;
use kite_pages::{BlockNo, ItemNo, Page};
use pgrx::pg_sys::{self, Buffer, BufferAccessStrategy, ForkNumber, Relation};
use std::ffi::c_int;

/// `LockBuffer`'s modes.
const SHARE: c_int = pg_sys::BUFFER_LOCK_SHARE as c_int;
const EXCLUSIVE: c_int = pg_sys::BUFFER_LOCK_EXCLUSIVE as c_int;

/// A page's content lock that a drop lets go of, and its pin with it.
///
/// Dropped while a panic unwinds it does nothing: an ERROR of the server comes as one, and the abort that follows releases locks and
/// pins, having reset the counters that unlocking would count down.
#[derive(Debug)]
pub(super) struct Locked(Buffer);

impl Drop for Locked {
    #[inline]
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: this value holds the lock and the pin. Unlocking raises nothing.
            unsafe { raw::UnlockReleaseBuffer(self.0) };
        }
    }
}

impl Locked {
    /// The page. It may be read as long as the lock is held.
    #[inline]
    pub(super) fn page(&self) -> &Page {
        // SAFETY: a buffer holds a page of 8 kB, aligned to 8 bytes at least, of which every bit pattern is a value. While the content
        // lock is held nobody else writes to it but for hint bits and checksums, of which an index page in shared buffers has none.
        unsafe { &*page_of(self.0) }
    }

    pub(super) fn buffer(&self) -> Buffer {
        self.0
    }
}

/// A page's pin. It has no drop: pins are held in arrays inside of a guard, and given back by [`lock`](Pin::lock) or
/// [`release`](Pin::release); an ERROR leaves them to the abort.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pin(Buffer);

impl Pin {
    /// What stands where there is none.
    pub(super) const NONE: Self = Self(pg_sys::InvalidBuffer as Buffer);

    #[inline]
    pub(super) fn buffer(self) -> Buffer {
        self.0
    }

    /// Waits for the lock for reading.
    #[inline]
    pub(super) fn lock(self) -> Locked {
        // SAFETY: the buffer is pinned. Locking raises nothing: it would only for the 201st lock, and by the rules of kite-pages we hold
        // at most five.
        unsafe { raw::LockBuffer(self.0, SHARE) };
        Locked(self.0)
    }

    /// Waits for the lock for writing.
    pub(super) fn lock_exclusively(self) -> Locked {
        // SAFETY: as in `lock`.
        unsafe { raw::LockBuffer(self.0, EXCLUSIVE) };
        Locked(self.0)
    }

    /// The lock for writing, if nobody holds the page. The pin stays in any case.
    pub(super) fn try_lock_exclusively(self) -> Option<Locked> {
        // SAFETY: as in `lock`.
        unsafe { raw::ConditionalLockBuffer(self.0) }.then(|| Locked(self.0))
    }

    /// Unpins.
    pub(super) fn release(self) {
        // SAFETY: the buffer is pinned, and unpinning raises nothing.
        unsafe { raw::ReleaseBuffer(self.0) }
    }

    /// The page's address, to be brought close to the processor; it is read under a lock alone.
    #[inline]
    pub(super) fn address(self) -> *const Page {
        // SAFETY: the buffer is pinned.
        unsafe { page_of(self.0) }
    }

    /// The line pointer of an item as it stands now, which may be changing: good enough to fetch ahead by, 0 for what cannot be.
    #[inline]
    pub(super) fn peek(self, item: ItemNo) -> u32 {
        // SAFETY: the page is pinned.
        unsafe { peek(self.address(), item) }
    }
}

/// Which pages are read, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fork {
    pub(super) relation: Relation,
    pub(super) number: ForkNumber::Type,
}

impl Fork {
    /// Runs what pins pages: an ERROR in it becomes a panic here.
    ///
    /// # Safety
    /// The closure leaves nothing to drop when it is jumped over.
    #[inline]
    pub(super) unsafe fn guard<T>(work: impl FnOnce() -> T) -> T {
        // SAFETY: the store is used by the backend's only thread that calls Postgres; the rest is the caller's promise.
        unsafe { pg_sys::ffi::pg_guard_ffi_boundary(work) }
    }

    /// Finds the page in shared buffers or reads it.
    ///
    /// # Safety
    /// Called within [`guard`](Self::guard), and the block exists. The strategy is NULL or the server's.
    #[inline]
    pub(super) unsafe fn pin(&self, block: BlockNo, strategy: BufferAccessStrategy) -> Pin {
        let mode = pg_sys::ReadBufferMode::RBM_NORMAL;
        // SAFETY: the relation is open for as long as its store, the caller's promise is the rest.
        Pin(unsafe { raw::ReadBufferExtended(self.relation, self.number, block, mode, strategy) })
    }

    /// Pins the page if it is in this buffer still.
    ///
    /// # Safety
    /// Called within [`guard`](Self::guard); `buffer` was the page's once, in this process.
    #[inline]
    pub(super) unsafe fn pin_recent(&self, block: BlockNo, buffer: Buffer) -> Option<Pin> {
        // SAFETY: the relation is open, and the number is that of a shared buffer, which the function verifies.
        unsafe { raw::ReadRecentBuffer(self.locator(), self.number, block, buffer).then_some(Pin(buffer)) }
    }

    #[cfg(any(feature = "pg14", feature = "pg15"))]
    unsafe fn locator(&self) -> raw::Locator {
        // SAFETY: the relation is open.
        unsafe { (*self.relation).rd_node }
    }

    #[cfg(not(any(feature = "pg14", feature = "pg15")))]
    unsafe fn locator(&self) -> raw::Locator {
        // SAFETY: the relation is open.
        unsafe { (*self.relation).rd_locator }
    }

    /// Adds a page of zeros to the relation, and answers it locked for writing. No one else can have found it.
    pub(super) fn extend(&self) -> Locked {
        let relation = self.relation;
        // SAFETY: the relation is open. The closure holds nothing to drop.
        let buffer = unsafe {
            Self::guard(|| {
                let local = relation_is_local(relation);
                if !local {
                    pg_sys::LockRelationForExtension(relation, pg_sys::ExclusiveLock as c_int);
                }
                // The lock comes with the page, before anyone can be told of it.
                let mode = pg_sys::ReadBufferMode::RBM_ZERO_AND_LOCK;
                let buffer = raw::ReadBufferExtended(
                    relation,
                    self.number,
                    pg_sys::InvalidBlockNumber,
                    mode,
                    std::ptr::null_mut(),
                );
                if !local {
                    pg_sys::UnlockRelationForExtension(relation, pg_sys::ExclusiveLock as c_int);
                }
                buffer
            })
        };
        Locked(buffer)
    }

    /// How many pages there are.
    pub(super) fn len(&self) -> BlockNo {
        // SAFETY: the relation is open.
        unsafe { pg_sys::RelationGetNumberOfBlocksInFork(self.relation, self.number) }
    }
}

/// `InvalidSubTransactionId`: the relation is older than the transaction.
pub(super) const NOT_HERE: pg_sys::SubTransactionId = 0;

/// `RELATION_IS_LOCAL`: no other session can see it.
unsafe fn relation_is_local(relation: Relation) -> bool {
    // SAFETY: the caller passes an open relation.
    unsafe { (*relation).rd_islocaltemp || (*relation).rd_createSubid != NOT_HERE }
}

/// `BufferGetPage`.
///
/// # Safety
/// The buffer is pinned.
#[inline]
pub(super) unsafe fn page_of(buffer: Buffer) -> *mut Page {
    const SIZE: usize = pg_sys::BLCKSZ as usize;
    // SAFETY: numbers of shared buffers count from 1, those of a session's own from -1 downwards; both arrays stand for the life of
    // the process, and a pinned buffer is one of theirs.
    unsafe {
        if buffer < 0 {
            (*pg_sys::LocalBufferBlockPointers.add((-buffer - 1) as usize)).cast()
        } else {
            pg_sys::BufferBlocks.add((buffer - 1) as usize * SIZE).cast()
        }
    }
}

/// What stands for the line pointer of an item, which may be changing: good enough to fetch ahead by, 0 for what cannot be.
///
/// # Safety
/// A page in the array of buffers. It need not be pinned, if it is shared.
#[inline]
pub(super) unsafe fn peek(page: *const Page, item: ItemNo) -> u32 {
    // SAFETY: the place lies in the page, at a multiple of four; the read is volatile since another process may write there meanwhile,
    // and any value will do.
    Page::line_at(item).map_or(0, |at| unsafe { page.cast::<u8>().add(at).cast::<u32>().read_volatile() })
}

/// `GetBufferDescriptor`, to be brought close to the processor.
///
/// # Safety
/// The buffer is a shared one.
#[inline]
pub(super) unsafe fn head_of(buffer: Buffer) -> *const u8 {
    // SAFETY: the array stands for the life of the process and has one for each buffer, counted from 1.
    unsafe { pg_sys::BufferDescriptors.add((buffer - 1) as usize).cast() }
}

const _: () = assert!(size_of::<Page>() == pg_sys::BLCKSZ as usize);
