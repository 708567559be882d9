//! Changing pages in memory.

use super::tracker::{Open, Writing, assert_free, assert_no_read};
use super::{MemStore, lock};
use crate::{BlockNo, BulkWriter, Error, MAX_PAGES, Page, PageKind, PageStore, PageTxn, Result, Slot};
use std::sync::RwLockWriteGuard;
use std::sync::atomic::Ordering;

/// A transaction on a [`MemStore`].
#[derive(Debug)]
pub struct MemTxn<'a> {
    store: &'a MemStore,
    held: [Option<Held<'a>>; MAX_PAGES],
    waited: bool,
    _open: Open,
}

/// A page that the transaction has locked.
#[derive(Debug)]
struct Held<'a> {
    block: BlockNo,
    page: RwLockWriteGuard<'a, Page>,
    /// The page with the edits, if there are any.
    image: Option<Box<Page>>,
    _lock: Writing,
}

impl Held<'_> {
    fn edit(&mut self) -> &mut Page {
        self.image.get_or_insert_with(|| {
            let mut image = Page::zeroed();
            image.copy_from(&self.page);
            image
        })
    }
}

impl<'a> MemTxn<'a> {
    pub(super) fn new(store: &'a MemStore) -> Self {
        Self { _open: Open::begin(), store, held: [const { None }; MAX_PAGES], waited: false }
    }

    fn held(&self, slot: Slot) -> &Held<'a> {
        self.held[slot.index()].as_ref().expect("a slot of this transaction")
    }

    /// A slot that is not in use.
    fn vacant(&self) -> Result<Slot> {
        self.held.iter().position(Option::is_none).map(Slot::new).ok_or(Error::TooManyPages)
    }

    fn find(&self, block: BlockNo) -> Option<Slot> {
        self.held.iter().position(|held| held.as_ref().is_some_and(|held| held.block == block)).map(Slot::new)
    }

    /// Whether the block lies below one that is held.
    fn is_out_of_order(&self, block: BlockNo) -> bool {
        self.held.iter().flatten().any(|held| block < held.block)
    }

    fn take(&mut self, block: BlockNo, waits: bool) -> Result<Option<Slot>> {
        assert_no_read("a transaction locks a page");
        if let Some(slot) = self.find(block) {
            return Ok(Some(slot));
        }
        let slot = self.vacant()?;
        let frame = self.store.frame(block)?;
        let out_of_order = self.is_out_of_order(block);
        if out_of_order && self.store.refuses.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let page = match frame.try_write() {
            Some(page) => page,
            None if waits && !out_of_order => {
                self.waited = true;
                frame.write()
            }
            None => return Ok(None),
        };
        self.held[slot.index()] = Some(Held { block, page, image: None, _lock: Writing::begin() });
        Ok(Some(slot))
    }
}

impl PageTxn for MemTxn<'_> {
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
        assert!(self.held(slot).image.is_none(), "a page is released that has been edited");
        self.held[slot.index()] = None;
    }

    fn extend(&mut self, kind: PageKind) -> Result<Slot> {
        assert_no_read("a transaction adds a page");
        let slot = self.vacant()?;
        let bulk = lock(&self.store.growth);
        assert!(!*bulk, "a transaction adds a page while a bulk writer does");
        let block = self.store.len();
        // Nobody can find the page before the store is longer.
        let page = self.store.frames.grow(block).write();
        self.store.len.store(block + 1, Ordering::Release);
        drop(bulk);
        let mut held = Held { block, page, image: None, _lock: Writing::begin() };
        held.edit().init(kind);
        self.held[slot.index()] = Some(held);
        Ok(slot)
    }

    fn block(&self, slot: Slot) -> BlockNo {
        self.held(slot).block
    }

    fn page(&self, slot: Slot) -> &Page {
        let held = self.held(slot);
        held.image.as_deref().unwrap_or(&held.page)
    }

    fn pages_mut<const N: usize>(&mut self, slots: [Slot; N]) -> [&mut Page; N] {
        let held = self
            .held
            .get_disjoint_mut(slots.map(Slot::index))
            .unwrap_or_else(|_| panic!("a page is named twice to be edited"));
        held.map(|held| held.as_mut().expect("a slot of this transaction").edit())
    }

    /// # Panics
    /// When an edited page is not sound.
    fn commit(mut self) -> Result<()> {
        assert_no_read("a transaction commits");
        let mut edited: Vec<(&mut Held<'_>, Box<Page>)> = self
            .held
            .iter_mut()
            .flatten()
            .filter_map(|held| held.image.take().map(|image| (held, image)))
            .collect();
        for (held, image) in &mut edited {
            if let Err(defect) = image.zero_hole() {
                panic!("a transaction leaves block {} unsound: {defect}", held.block);
            }
        }
        if edited.is_empty() {
            return Ok(());
        }
        self.store.record(|record| {
            for (held, image) in &edited {
                record.add(held.block, &held.page, image);
            }
        });
        for (held, image) in edited {
            held.page.copy_from(&image);
        }
        Ok(())
    }
}

/// Appends pages to a [`MemStore`].
#[derive(Debug)]
pub struct MemBulk<'a> {
    store: &'a MemStore,
}

impl<'a> MemBulk<'a> {
    pub(super) fn new(store: &'a MemStore) -> Self {
        assert_free("a bulk writer begins");
        let mut bulk = lock(&store.growth);
        assert!(!*bulk, "a bulk writer begins while another is at work");
        *bulk = true;
        Self { store }
    }
}

impl BulkWriter for MemBulk<'_> {
    fn next(&self) -> BlockNo {
        self.store.len()
    }

    /// # Panics
    /// When the page is not sound.
    fn append(&mut self, page: &Page) -> Result<BlockNo> {
        assert_free("a page is written in bulk");
        let block = self.store.len();
        let mut written = self.store.frames.grow(block).write();
        let mut image = Page::zeroed();
        image.copy_from(page);
        if let Err(defect) = image.zero_hole() {
            panic!("block {block} is written unsound: {defect}");
        }
        self.store.record(|record| record.add(block, &written, &image));
        written.copy_from(&image);
        self.store.len.store(block + 1, Ordering::Release);
        Ok(block)
    }

    fn finish(self) -> Result<()> {
        Ok(())
    }
}

impl Drop for MemBulk<'_> {
    fn drop(&mut self) {
        *lock(&self.store.growth) = false;
    }
}
