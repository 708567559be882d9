//! Changes: a record of generic WAL over at most four pages.

use super::PgStore;
use super::buffer::Locked;
use kite_pages::{BlockNo, Error, MAX_PAGES, Page, PageKind, PageTxn, Result, Slot};
use pgrx::pg_sys::{self, GenericXLogState};
use std::ffi::c_int;
use std::ptr;

/// A transaction on a [`PgStore`].
#[derive(Debug)]
pub(crate) struct PgTxn<'s> {
    store: &'s PgStore,
    held: [Option<Held>; MAX_PAGES],
    /// Begun at the first edit, since it takes 64 kB.
    state: *mut GenericXLogState,
}

/// A page that the transaction has locked.
#[derive(Debug)]
struct Held {
    block: BlockNo,
    locked: Locked,
    /// The copy that generic WAL compares with the page at the end; NULL while the page is not edited.
    image: *mut Page,
    /// Whether the record has to carry the page as a whole.
    new: bool,
}

impl<'s> PgTxn<'s> {
    pub(super) fn new(store: &'s PgStore) -> Self {
        Self { store, held: [const { None }; MAX_PAGES], state: ptr::null_mut() }
    }

    fn held(&self, slot: Slot) -> &Held {
        self.held[slot.index()].as_ref().expect("a slot of this transaction")
    }

    fn vacant(&self) -> Result<Slot> {
        self.held.iter().position(Option::is_none).map(Slot::new).ok_or(Error::TooManyPages)
    }

    fn find(&self, block: BlockNo) -> Option<Slot> {
        self.held.iter().position(|held| held.as_ref().is_some_and(|held| held.block == block)).map(Slot::new)
    }

    fn take(&mut self, block: BlockNo, waits: bool) -> Result<Option<Slot>> {
        if let Some(slot) = self.find(block) {
            return Ok(Some(slot));
        }
        let slot = self.vacant()?;
        let pin = self.store.pin(block)?;
        let out_of_order = self.held.iter().flatten().any(|held| block < held.block);
        let locked = match waits && !out_of_order {
            true => pin.lock_exclusively(),
            false => match pin.try_lock_exclusively() {
                Some(locked) => locked,
                None => return Ok(None),
            },
        };
        self.held[slot.index()] = Some(Held { block, locked, image: ptr::null_mut(), new: false });
        Ok(Some(slot))
    }

    /// Registers a page, so that there is an image to edit.
    fn register(&mut self, slot: Slot) {
        let relation = self.store.fork.relation;
        let held = self.held[slot.index()].as_mut().expect("a slot of this transaction");
        if held.image.is_null() {
            let flags = if held.new { pg_sys::GENERIC_XLOG_FULL_IMAGE as c_int } else { 0 };
            // SAFETY: the relation is open, the buffer is locked exclusively by us and registered once, with at most three others.
            unsafe {
                if self.state.is_null() {
                    self.state = pg_sys::GenericXLogStart(relation);
                }
                held.image =
                    pg_sys::GenericXLogRegisterBuffer(self.state, held.locked.buffer(), flags).cast();
            }
        }
    }
}

impl PageTxn for PgTxn<'_> {
    fn lock(&mut self, block: BlockNo) -> Result<Slot> {
        self.take(block, true)?.ok_or(Error::Restart)
    }

    fn try_lock(&mut self, block: BlockNo) -> Result<Option<Slot>> {
        self.take(block, false)
    }

    fn release(&mut self, slot: Slot) {
        assert!(self.held(slot).image.is_null(), "a page is released that has been edited");
        self.held[slot.index()] = None;
    }

    fn extend(&mut self, kind: PageKind) -> Result<Slot> {
        let slot = self.vacant()?;
        // A walker may have taken a page that another session added, and crashed over, into use: then the next is ours.
        let (block, locked) = loop {
            let locked = self.store.fork.extend();
            // SAFETY: the buffer is pinned.
            let block = unsafe { pg_sys::BufferGetBlockNumber(locked.buffer()) };
            if locked.page().is_new() {
                break (block, locked);
            }
        };
        self.store.grown(block);
        self.held[slot.index()] = Some(Held { block, locked, image: ptr::null_mut(), new: true });
        self.page_mut(slot).init(kind);
        Ok(slot)
    }

    fn block(&self, slot: Slot) -> BlockNo {
        self.held(slot).block
    }

    fn page(&self, slot: Slot) -> &Page {
        let held = self.held(slot);
        if held.image.is_null() {
            held.locked.page()
        } else {
            // SAFETY: the image is 8 kB of the WAL state's, aligned as a page, and lives until commit or abort, which end this borrow.
            unsafe { &*held.image }
        }
    }

    fn pages_mut<const N: usize>(&mut self, slots: [Slot; N]) -> [&mut Page; N] {
        for (place, slot) in slots.iter().enumerate() {
            assert!(!slots[..place].contains(slot), "a page is named twice to be edited");
            self.register(*slot);
        }
        // SAFETY: as in `page`; the slots differ, and so do their images, which `self` lends for writing.
        slots.map(|slot| unsafe { &mut *self.held(slot).image })
    }

    fn commit(mut self) -> Result<()> {
        if self.state.is_null() {
            return Ok(());
        }
        for held in self.held.iter().flatten().filter(|held| !held.image.is_null()) {
            // SAFETY: as in `page`; nothing else borrows the image.
            let zeroed = unsafe { (*held.image).zero_hole() };
            // What is unsound is not written: the drop aborts.
            zeroed.map_err(|defect| Error::Corrupt { block: held.block, what: defect.0 })?;
        }
        let state = std::mem::replace(&mut self.state, ptr::null_mut());
        // SAFETY: the state is ours and not finished; its buffers are locked exclusively.
        unsafe { pg_sys::GenericXLogFinish(state) };
        Ok(())
    }
}

impl Drop for PgTxn<'_> {
    fn drop(&mut self) {
        if !self.state.is_null() && !std::thread::panicking() {
            // SAFETY: the state is ours and not finished. Nothing of it has reached a buffer.
            unsafe { pg_sys::GenericXLogAbort(self.state) };
        }
    }
}
