//! Freeing what nobody refers to.
//!
//! The survey collects lists that do not lie beside their vertices, postings, and chunks whose stamp is past. All of them had
//! been referred to by then, if their writers have not failed. The pass after it marks what vertices, postings and chunks
//! refer to. What has no mark was given up before the survey, and nothing can come to refer to it again.
//!
//! But for postings: an insert puts a new one in front of a chain. If that is on a page that the pass has behind it, and the vertex is on one
//! that it has before it, then it hears neither from the vertex nor from the new posting of the one that was first. So the chain of its
//! vertex is looked through before a posting is freed. Vacuum alone takes postings out of a chain, so that one which is in it is found.

use super::Vacuum;
use super::chain::Steps;
use super::survey::Survey;
use crate::Result;
use crate::format::{CHUNK, CHUNKS, Item, LIST, Link, List, NODES, POSTING, Posting, VERTEX, Vertex};
use crate::index::read_meta;
use kite_pages::payload::{self, Chunk};
use kite_pages::{At, ItemPointer, ItemRef, PageStore, PageTxn};

/// An orphan.
enum Orphan {
    ListOf(ItemPointer),
    PostingOf(ItemPointer),
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
                Some(Orphan::PostingOf(owner)) => {
                    !self.is_chained(owner, link)? && self.free_posting(link)?
                }
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
                (link.fits(posting.generation()) && posting.unlinked().is_none())
                    .then(|| Orphan::PostingOf(posting.owner()))
            }
            Some(&CHUNK) => Chunk::parse(item, CHUNK)
                .at(block)?
                .filter(|chunk| link.fits(chunk.generation))
                .map(|chunk| Orphan::Chunk(ItemRef::new(link.pointer, chunk.generation))),
            _ => None,
        })
    }

    /// Whether a posting is in the chain of what stands at its vertex's place.
    fn is_chained(&self, owner: ItemPointer, posting: Link) -> Result<bool> {
        let block = owner.block();
        let mut at = {
            let page = self.store.read(block)?;
            match page.view(NODES).and_then(|view| view.find(owner.no())).at(block)? {
                Some(item) if item.first() == Some(&VERTEX) => Vertex::parse(item, ()).at(block)?.postings(),
                _ => Link::NONE,
            }
        };
        let mut steps = Steps::default();
        while !at.is_none() && at != posting {
            self.store.check_interrupts()?;
            steps.take(at)?;
            let page = self.store.read(at.block())?;
            let found = at.find::<Posting<'_>>(page.view(NODES).at(at.block())?, ()).at(at.block())?;
            at = found.map_or(Link::NONE, |found| found.next());
        }
        Ok(at == posting)
    }

    /// Frees a posting that is in no chain.
    fn free_posting(&self, link: Link) -> Result<bool> {
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
