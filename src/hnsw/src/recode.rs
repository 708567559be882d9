//! Giving lists the codes of the index's frame, from the payloads of the vertices that they lead to.
//!
//! Lists are without codes when they are older than the frame. Whoever comes by one recodes it: an insert that adds a link, a
//! vacuum, and the insert that learns the frame, which goes over all pages. Each list is one record, so that the work can be
//! left at any point and taken up again.

use crate::Result;
use crate::format::{Entry, Item, LIST, Link, List, ListBuf, NODES, VERTEX, Vertex};
use crate::index::Index;
use crate::payloads::{Fate, Payloads, fetch};
use crate::search::damaged;
use kite_pages::{At, BlockNo, ItemPointer, PageStore};

/// How often a list that changes meanwhile is tried again.
const ATTEMPTS: usize = 8;

impl<S: PageStore> Index<'_, S> {
    /// Gives a list the codes of the frame that the meta page named last, and drops links whose vertices are gone. Whether it had
    /// other codes or none; a list that others keep changing, and that of a dead vertex, are left as they are.
    pub(crate) fn recode(&self, owner: Link, level: u8) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            self.store.check_interrupts()?;
            let Some(list) = self.list_of(owner, level)? else { return Ok(false) };
            let Some(seen) = self.read_list(owner, list)? else { continue };
            if seen.frame == self.meta.frame {
                return Ok(false);
            }
            if self.rewrite(owner, list, &seen, &self.recoded(&seen)?)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Recodes the lists of a page that need it, and answers how many.
    pub(crate) fn recode_page(&self, block: BlockNo) -> Result<usize> {
        let mut recoded = 0;
        for (owner, level) in self.stale_lists(block)? {
            if let Some(owner) = self.vertex_at(owner)? {
                recoded += usize::from(self.recode(owner, level)?);
            }
        }
        Ok(recoded)
    }

    /// The code and factors of a vector from its payload; empty while the index has no frame.
    pub(crate) fn code_of(&self, payload: &[u8], block: BlockNo) -> Result<Vec<u8>> {
        let mut code = Vec::new();
        if self.meta.frame != 0 {
            self.scorer.encode_code_of(payload, &mut code).map_err(damaged(block))?;
        }
        Ok(code)
    }

    fn recoded(&self, seen: &ListBuf) -> Result<ListBuf> {
        let links: Vec<Link> = seen.entries.iter().map(|entry| entry.link).collect();
        let mut payloads = Payloads::default();
        let fates = fetch(self.store, &links, &mut payloads)?;
        let mut entries = Vec::with_capacity(links.len());
        for (&link, fate) in links.iter().zip(fates) {
            if let Fate::Live(number) | Fate::Dead(number) = fate {
                entries.push(Entry { link, code: self.code_of(payloads.get(number), link.block())? });
            }
        }
        Ok(ListBuf { frame: self.meta.frame, entries, ..*seen })
    }

    /// Owner and level of the lists of a page that have other codes than the index's, or none.
    fn stale_lists(&self, block: BlockNo) -> Result<Vec<(ItemPointer, u8)>> {
        let page = self.store.read(block)?;
        if page.is_new() || page.kind() != NODES {
            return Ok(Vec::new());
        }
        let mut stale = Vec::new();
        for item in page.view(NODES).at(block)?.items() {
            let (_, item) = item.at(block)?;
            if item.first() == Some(&LIST) {
                let list = List::parse(item, self.shape).at(block)?;
                if list.frame() != self.meta.frame {
                    stale.push((list.owner(), list.level()));
                }
            }
        }
        Ok(stale)
    }

    /// The vertex at a place, whichever it is.
    fn vertex_at(&self, pointer: ItemPointer) -> Result<Option<Link>> {
        let block = pointer.block();
        if pointer.is_none() || block >= self.store.len() {
            return Ok(None);
        }
        let page = self.store.read(block)?;
        match page.view(NODES).and_then(|view| view.find(pointer.no())).at(block)? {
            Some(item) if item.first() == Some(&VERTEX) => {
                Ok(Some(Link::new(pointer, Vertex::parse(item, ()).at(block)?.generation())))
            }
            _ => Ok(None),
        }
    }
}
