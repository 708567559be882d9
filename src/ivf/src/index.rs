//! An index in a store: what every operation begins with.

use crate::format::{Anchor, BODY, Link, META, META_BLOCK, META_ITEM, Meta};
use crate::quantiser::Quantiser;
use crate::{Error, Options, Result};
use kite_codecs::Scorer;
use kite_pages::{At, Defect, ItemPointer, PageStore, PageTxn, View};
use std::sync::Arc;
use zerocopy::IntoBytes;

/// An index, opened: its parameters and its centroids.
///
/// It may be kept and used again. Every operation begins by reading the meta page.
#[derive(Debug)]
pub struct Index<'s, S> {
    pub(crate) store: &'s S,
    pub(crate) meta: Meta,
    pub(crate) quantiser: Arc<Quantiser>,
}

/// What a process may keep of an index from one operation to the next, instead of opening it each time: the centroids above all.
#[derive(Debug, Clone)]
pub struct Kept {
    meta: Meta,
    quantiser: Arc<Quantiser>,
}

impl<'s, S: PageStore> Index<'s, S> {
    /// Opens an index of which this was kept; it may be out of date, and even of another index.
    pub fn with(store: &'s S, kept: Kept) -> Self {
        let Kept { meta, quantiser } = kept;
        Self { store, meta, quantiser }
    }

    /// What to keep of it.
    pub fn keep(&self) -> Kept {
        Kept { meta: self.meta, quantiser: Arc::clone(&self.quantiser) }
    }

    /// Writes an index without rows to an empty store: one list, with its centroid at the origin. `pq`, which learns from rows, is one bit of
    /// `rabitq` in it.
    ///
    /// # Errors
    /// Bad options, a store that is not empty, and those of the store.
    pub fn create(store: &'s S, options: &Options) -> Result<Self> {
        let mut meta = Meta::new(options.settle()?);
        if !store.is_empty() {
            return Err(Error::Options("an index is made in an empty relation"));
        }
        let mut txn = store.begin();
        let (slot, body) = (txn.extend(META)?, txn.extend(BODY)?);
        let (block, body_block) = (txn.block(slot), txn.block(body));
        let page = txn.page_mut(body);
        let generation = page.next_generation();
        let no = page.add(Anchor::new(0, generation).as_bytes()).at(body_block)?;
        let no = no.ok_or(Error::corrupt(body_block, "a new page has no room"))?;
        meta.anchor = Link::new(ItemPointer::new(body_block, no), generation);
        let added = txn.page_mut(slot).add(&meta.to_bytes()).at(block)?;
        if (block, added) != (META_BLOCK, Some(META_ITEM)) {
            return Err(Error::corrupt(block, "the first page of a new index is taken"));
        }
        crate::rows::commit(store, txn, &[body])?;
        Self::open(store)
    }

    /// Opens the index of a store.
    ///
    /// # Errors
    /// A damaged or foreign meta page, and those of the store.
    pub fn open(store: &'s S) -> Result<Self> {
        let meta = read_meta(store)?;
        let quantiser = Arc::new(Quantiser::read(store, &meta)?);
        Ok(Self { store, meta, quantiser })
    }

    /// Reads the meta page again.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        let meta = read_meta(self.store)?;
        let by = |meta: &Meta| {
            (meta.options, meta.codes, meta.lists, meta.directory, meta.anchor, meta.built_rows)
        };
        if by(&meta) != by(&self.meta) {
            self.quantiser = Arc::new(Quantiser::read(self.store, &meta)?);
        }
        self.meta = meta;
        Ok(())
    }

    /// The scorer of its payloads; of full vectors where it has none.
    pub fn scorer(&self) -> &Scorer {
        &self.quantiser.scorer
    }

    /// The lists of the index of a store, of which nothing but the meta page is read.
    ///
    /// # Errors
    /// A damaged or foreign meta page, and those of the store.
    pub fn lists_in(store: &S) -> Result<usize> {
        Ok(read_meta(store)?.lists as usize)
    }

    /// What it was made with.
    pub fn options(&self) -> Options {
        self.meta.options
    }

    /// The lists that it has.
    pub fn lists(&self) -> usize {
        self.meta.lists as usize
    }

    /// Changes the meta page, if `change` says that it has changed something. Answers what that answered.
    pub(crate) fn change_meta(&self, change: impl FnOnce(&mut Meta) -> bool) -> Result<bool> {
        let mut txn = self.store.begin();
        let slot = txn.lock(META_BLOCK)?;
        let mut meta = txn.page(slot).view(META).and_then(meta_of).at(META_BLOCK)?;
        if !change(&mut meta) {
            return Ok(false);
        }
        if !txn.page_mut(slot).replace(META_ITEM, &meta.to_bytes()).at(META_BLOCK)? {
            return Err(Error::corrupt(META_BLOCK, "the meta page has no room for its item"));
        }
        txn.commit()?;
        Ok(true)
    }
}

pub(crate) fn meta_of(view: View<'_>) -> Result<Meta, Defect> {
    Meta::parse(view.item(META_ITEM)?)
}

pub(crate) fn read_meta<S: PageStore>(store: &S) -> Result<Meta> {
    let page = store.read(META_BLOCK)?;
    Ok(page.view(META).and_then(meta_of).at(META_BLOCK)?)
}
