//! Freeing what nobody refers to.
//!
//! The survey collects lists that do not lie beside their vertices, postings, and chunks whose stamp is past. All of them had
//! been referred to by then, if their writers have not failed. The pass after it marks what vertices, postings and chunks
//! refer to. What has no mark was given up before the survey, and nothing can come to refer to it again.

use super::Vacuum;
use super::survey::Survey;
use crate::Result;
use crate::format::{CHUNK, CHUNKS, Item, LIST, Link, List, NODES, POSTING, Posting};
use crate::index::read_meta;
use kite_pages::payload::{self, Chunk};
use kite_pages::{At, ItemPointer, ItemRef, PageStore, PageTxn};

/// An orphan.
enum Orphan {
    ListOf(ItemPointer),
    Posting,
    Chunk(ItemRef),
}

impl<S: PageStore> Vacuum<'_, '_, S> {
    /// Claims the frame of the codes, which the meta page refers to.
    pub(super) fn claim_frame(&self, survey: &mut Survey) -> Result<()> {
        survey.foreign.mark(Link::from(read_meta(self.store)?.frame_chain));
        Ok(())
    }

    /// Frees what was not claimed.
    pub(super) fn free_orphans(&mut self, survey: &Survey) -> Result<()> {
        for link in survey.foreign.unmarked() {
            self.store.check_interrupts()?;
            let freed = match self.read_orphan(link)? {
                None => false,
                Some(Orphan::ListOf(owner)) => self.free_list(link, owner)?,
                Some(Orphan::Posting) => self.unlink_orphan(link)?,
                Some(Orphan::Chunk(chunk)) => {
                    payload::free(self.store, CHUNKS, chunk)?;
                    true
                }
            };
            self.stats.orphans += u64::from(freed);
        }
        Ok(())
    }

    /// What is left of an orphan: it may have been freed together with its vertex.
    fn read_orphan(&self, link: Link) -> Result<Option<Orphan>> {
        let block = link.block();
        let page = self.store.read(block)?;
        let Some(item) = page.view(NODES).and_then(|view| view.find(link.no())).at(block)? else {
            return Ok(None);
        };
        Ok(match item.first() {
            Some(&LIST) => {
                let list = List::parse(item, self.index.shape).at(block)?;
                link.fits(list.generation()).then(|| Orphan::ListOf(list.owner()))
            }
            Some(&POSTING) => {
                let posting = Posting::parse(item, ()).at(block)?;
                (link.fits(posting.generation()) && posting.unlinked().is_none()).then_some(Orphan::Posting)
            }
            Some(&CHUNK) => Chunk::parse(item, CHUNK)
                .at(block)?
                .filter(|chunk| link.fits(chunk.generation))
                .map(|chunk| Orphan::Chunk(ItemRef::new(link.pointer, chunk.generation))),
            _ => None,
        })
    }

    /// Frees a posting that is in no chain.
    fn unlink_orphan(&self, link: Link) -> Result<bool> {
        let block = link.block();
        let mut txn = self.store.begin();
        let slot = txn.lock(block)?;
        let page = txn.page_mut(slot);
        let found = link.find::<Posting<'_>>(page.view(NODES).at(block)?, ()).at(block)?.is_some();
        if found {
            page.free(link.no(), self.store.now()).at(block)?;
            self.index.commit(txn, &[slot])?;
        }
        Ok(found)
    }
}
