//! Where searches begin.

use crate::Result;
use crate::format::{Link, META, META_BLOCK, Meta};
use crate::index::{Index, META_ITEM, meta_of};
use kite_pages::{At, PageStore, PageTxn};

impl<S: PageStore> Index<'_, S> {
    /// Makes a vertex the entry point if the one that was `seen` still is, also where it has a lower level.
    pub(crate) fn claim_entry(&self, seen: Link, vertex: Link, level: u8) -> Result<bool> {
        self.change_meta(|meta| {
            let unchanged = meta.entry == seen;
            if unchanged {
                (meta.entry, meta.entry_level) = (vertex, level);
            }
            unchanged
        })
    }

    /// Makes a vertex the entry point if it is on a higher level than that, or if there is none.
    pub(super) fn raise_entry(&self, vertex: Link, level: u8) -> Result<bool> {
        self.change_meta(|meta| {
            let higher = meta.entry.is_none() || level > meta.entry_level;
            if higher {
                (meta.entry, meta.entry_level) = (vertex, level);
            }
            higher
        })
    }

    /// Changes the meta item under its lock, in one record, if `change` says that it has.
    pub(crate) fn change_meta(&self, change: impl FnOnce(&mut Meta) -> bool) -> Result<bool> {
        let mut txn = self.store.begin();
        let slot = txn.lock(META_BLOCK)?;
        let mut meta = txn.page(slot).view(META).and_then(meta_of).at(META_BLOCK)?;
        if !change(&mut meta) {
            return Ok(false);
        }
        txn.page_mut(slot).replace(META_ITEM, &meta.to_bytes()).at(META_BLOCK)?;
        txn.commit()?;
        Ok(true)
    }
}
