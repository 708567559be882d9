//! Changes: a record of generic WAL over at most four pages.
//!
//! The record is the server's own kind (`src/backend/access/transam/generic_xlog.c`), which every server replays without this
//! library. It is put together here and not by `GenericXLogFinish`: that compares pages byte by byte, a seventh of what an insert costs,
//! and begins each record with 64 kB of new memory. Nor does that know which pages the record will carry whole, as it does those that
//! change for the first time after a checkpoint: they need no comparison.

use super::PgStore;
use super::buffer::{Fork, Locked, page_of};
use super::raw;
use kite_pages::{BlockNo, Defect, Error, MAX_PAGES, Page, PageKind, PageTxn, Result, Slot, View};
use pgrx::pg_sys;
use std::cell::Cell;

/// A transaction on a [`PgStore`].
#[derive(Debug)]
pub(crate) struct PgTxn<'s> {
    store: &'s PgStore,
    held: [Option<Held>; MAX_PAGES],
    waited: bool,
    /// There from the first edit on.
    draft: Option<Box<Draft>>,
}

/// A page that the transaction has locked.
#[derive(Debug)]
struct Held {
    block: BlockNo,
    locked: Locked,
    /// Whether the page of the draft is what it is to become.
    edited: bool,
    /// Whether it was added here.
    new: bool,
    /// Whether the record has to carry the page as a whole.
    whole: bool,
    /// Whether the page is to become another than it is.
    changed: bool,
}

/// Bytes between items for which a page that is logged whole is compacted before: the hole is not logged.
const GAPS: usize = 256;

impl Held {
    /// Makes the image fit to be written, and finds out what the record has to say of it.
    fn prepare(&mut self, image: &mut Page, delta: &mut Vec<u8>, logged: bool) -> Result<()> {
        // What is unsound is not written.
        let block = self.block;
        let unsound = |defect: Defect| Error::Corrupt { block, what: defect.0 };
        image.zero_hole().map_err(unsound)?;
        // The answer may be out of date when the record is made. Then the page is carried whole all the same.
        //
        // SAFETY: the buffer is pinned and locked; the function compares the position of its page with one that this process knows.
        self.whole |= logged && unsafe { raw::XLogCheckBufferNeedsBackup(self.locked.buffer()) };
        if !self.whole && logged {
            image.delta_from(self.locked.page(), delta)?;
            self.changed = !delta.is_empty();
            return Ok(());
        }
        self.changed = self.new || image.bytes() != self.locked.page().bytes();
        if self.changed && self.whole && image.sound().and_then(View::gaps).map_err(unsound)? >= GAPS {
            image.compact().map_err(unsound)?;
        }
        Ok(())
    }
}

/// What pages are to become, and what a record says of it.
#[derive(Debug)]
pub(in crate::am) struct Draft {
    images: [Box<Page>; MAX_PAGES],
    deltas: [Vec<u8>; MAX_PAGES],
}

thread_local! {
    /// The draft of the last transaction, for the next: memory that is at hand, and near.
    static SPARE: Cell<Option<Box<Draft>>> = const { Cell::new(None) };
}

impl Draft {
    fn new() -> Box<Self> {
        Box::new(Self { images: std::array::from_fn(|_| Page::zeroed()), deltas: Default::default() })
    }
}

impl<'s> PgTxn<'s> {
    pub(super) fn new(store: &'s PgStore) -> Self {
        Self { store, held: [const { None }; MAX_PAGES], waited: false, draft: None }
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
        let locked = match pin.try_lock_exclusively() {
            Some(locked) => locked,
            None if waits && !out_of_order => {
                self.waited = true;
                pin.lock_exclusively()
            }
            None => {
                pin.release();
                return Ok(None);
            }
        };
        self.held[slot.index()] =
            Some(Held { block, locked, edited: false, new: false, whole: false, changed: false });
        Ok(Some(slot))
    }

    /// Copies a page into the draft, to be edited there.
    fn draw(&mut self, slot: Slot) -> &mut Draft {
        let draft = self.draft.get_or_insert_with(|| SPARE.take().unwrap_or_else(Draft::new));
        let held = self.held[slot.index()].as_mut().expect("a slot of this transaction");
        if !held.edited {
            draft.images[slot.index()].copy_from(held.locked.page());
            held.edited = true;
        }
        draft
    }

    /// Makes the edited pages what they are to become, and logs that.
    fn write(held: &[Option<Held>; MAX_PAGES], draft: &Draft, logged: bool) {
        let changed = || {
            let pages = held.iter().zip(&draft.images).zip(&draft.deltas);
            pages.filter_map(|((held, image), delta)| {
                let held = held.as_ref().filter(|held| held.edited && held.changed)?;
                Some((held, image, delta))
            })
        };
        if changed().next().is_none() {
            return;
        }
        let work = || {
            // As `src/backend/access/transam/README` asks of a change: within a critical section the pages are changed and marked, then
            // logged, then have the position of the record. Nothing here fails but by ending the server, as it must.
            //
            // SAFETY: the buffers are locked exclusively by us, so that nothing else borrows their pages. Deltas live until the record is
            // in the WAL, and there are at most as many blocks as every record has room for.
            unsafe {
                let critical = &raw mut pg_sys::CritSectionCount;
                critical.write_volatile(critical.read_volatile() + 1);
                for (held, image, delta) in changed() {
                    let page = &mut *page_of(held.locked.buffer());
                    // What has changed is less to copy than the page, where it is known.
                    if !logged || held.whole || !page.apply(image, delta) {
                        page.copy_from(image);
                    }
                    raw::MarkBufferDirty(held.locked.buffer());
                }
                if logged {
                    raw::XLogBeginInsert();
                    for (id, (held, _, delta)) in (0..).zip(changed()) {
                        let whole = if held.whole { pg_sys::REGBUF_FORCE_IMAGE } else { 0 };
                        let flags = (pg_sys::REGBUF_STANDARD | whole) as u8;
                        raw::XLogRegisterBuffer(id, held.locked.buffer(), flags);
                        if !held.whole {
                            raw::XLogRegisterBufData(id, delta.as_ptr().cast(), delta.len() as u32);
                        }
                    }
                    let end = raw::XLogInsert(pg_sys::RmgrIds::RM_GENERIC_ID as u8, 0);
                    for (held, ..) in changed() {
                        let header: pg_sys::PageHeader = page_of(held.locked.buffer()).cast();
                        (*header).pd_lsn =
                            pg_sys::PageXLogRecPtr { xlogid: (end >> 32) as u32, xrecoff: end as u32 };
                    }
                }
                critical.write_volatile(critical.read_volatile() - 1);
            }
        };
        // SAFETY: the closure holds references alone.
        unsafe { Fork::guard(work) };
    }
}

impl PageTxn for PgTxn<'_> {
    fn lock(&mut self, block: BlockNo) -> Result<Slot> {
        self.take(block, true)?.ok_or(Error::Restart)
    }

    fn try_lock(&mut self, block: BlockNo) -> Result<Option<Slot>> {
        self.take(block, false)
    }

    fn waited(&self) -> bool {
        self.waited
    }

    fn release(&mut self, slot: Slot) {
        assert!(!self.held(slot).edited, "a page is released that has been edited");
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
        self.held[slot.index()] =
            Some(Held { block, locked, edited: false, new: true, whole: true, changed: true });
        self.page_mut(slot).init(kind);
        Ok(slot)
    }

    fn block(&self, slot: Slot) -> BlockNo {
        self.held(slot).block
    }

    fn page(&self, slot: Slot) -> &Page {
        let held = self.held(slot);
        match &self.draft {
            Some(draft) if held.edited => &draft.images[slot.index()],
            _ => held.locked.page(),
        }
    }

    fn pages_mut<const N: usize>(&mut self, slots: [Slot; N]) -> [&mut Page; N] {
        for slot in slots {
            self.draw(slot);
        }
        let draft = self.draft.as_mut().expect("pages to edit");
        let images = draft.images.get_disjoint_mut(slots.map(Slot::index));
        images.expect("no page is named twice to be edited").map(|image| &mut **image)
    }

    fn commit(mut self) -> Result<()> {
        let Some(mut draft) = self.draft.take() else { return Ok(()) };
        let Draft { images, deltas } = &mut *draft;
        let logged = self.store.is_logged();
        for ((held, image), delta) in self.held.iter_mut().zip(images).zip(deltas) {
            let Some(held) = held.as_mut().filter(|held| held.edited) else { continue };
            delta.clear();
            held.prepare(image, delta, logged)?;
        }
        Self::write(&self.held, &draft, logged);
        SPARE.set(Some(draft));
        Ok(())
    }
}
