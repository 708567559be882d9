//! Freeing dead vertices, once no list leads to them any more.

use super::Vacuum;
use super::chain::find_vertex;
use super::survey::Survey;
use crate::Result;
use crate::format::{CHUNKS, Link, List, NODES, VertexBuf};
use crate::index::read_meta;
use kite_pages::{At, BlockNo, Defect, ItemPointer, ItemRef, Page, PageStore, PageTxn, Stamp, payload};
use zerocopy::FromBytes;

impl<S: PageStore> Vacuum<'_, '_, S> {
    /// Frees the dead vertices, page by page.
    pub(super) fn free_dead(&mut self, survey: &Survey) -> Result<()> {
        let entry = read_meta(self.store)?.entry;
        let mut page: Vec<Link> = Vec::new();
        for vertex in survey.dead.iter().filter(|&vertex| vertex != entry) {
            if page.last().is_some_and(|last| last.block() != vertex.block()) {
                self.free_vertices(&page)?;
                page.clear();
            }
            page.push(vertex);
        }
        self.free_vertices(&page)
    }

    /// Frees dead vertices of one page: first their lists on other pages and their chains, then in one record what is left.
    fn free_vertices(&mut self, vertices: &[Link]) -> Result<()> {
        let Some(block) = vertices.first().map(|vertex| vertex.block()) else { return Ok(()) };
        let mut emptied = Vec::with_capacity(vertices.len());
        for &link in vertices {
            self.store.check_interrupts()?;
            let found = find_vertex(&*self.store.read(block)?, link).at(block)?;
            let Some(vertex) = found.filter(|vertex| vertex.dead) else { continue };
            for &list in vertex.lists.iter().filter(|list| !list.is_none() && list.block() != block) {
                self.free_list(list, link.pointer)?;
            }
            if let (true, Ok(chain)) = (vertex.chained, ItemRef::read_from_bytes(&vertex.payload)) {
                payload::free(self.store, CHUNKS, chain)?;
            }
            emptied.push((link, vertex));
        }
        self.free_emptied(block, &emptied)
    }

    /// Frees vertices of which nothing is left elsewhere, unless they have changed since they were read.
    fn free_emptied(&mut self, block: BlockNo, vertices: &[(Link, VertexBuf)]) -> Result<()> {
        let mut freed = 0;
        let mut txn = self.store.begin();
        let slot = txn.lock(block)?;
        for (link, before) in vertices {
            if find_vertex(txn.page(slot), *link).at(block)?.as_ref() != Some(before) {
                // An insert has moved a list of it. The next vacuum finds it again.
                continue;
            }
            // Taken under the lock, so that every snapshot by which it was found is older.
            let stamp = self.store.now();
            let page = txn.page_mut(slot);
            for &list in before.lists.iter().filter(|list| list.block() == block) {
                free_if_list_of(page, self.index.shape, list, link.pointer, stamp).at(block)?;
            }
            page.free(link.no(), stamp).at(block)?;
            freed += 1;
        }
        self.index.commit(txn, &[slot])?;
        self.stats.freed += freed;
        Ok(())
    }

    /// Frees a list, if it is there and belongs to this vertex. Answers whether it did.
    pub(super) fn free_list(&self, list: Link, owner: ItemPointer) -> Result<bool> {
        let block = list.block();
        let mut txn = self.store.begin();
        let slot = txn.lock(block)?;
        let page = txn.page_mut(slot);
        let freed = free_if_list_of(page, self.index.shape, list, owner, self.store.now()).at(block)?;
        if freed {
            self.index.commit(txn, &[slot])?;
        }
        Ok(freed)
    }
}

fn free_if_list_of(
    page: &mut Page,
    shape: crate::format::Shape,
    list: Link,
    owner: ItemPointer,
    stamp: Stamp,
) -> Result<bool, Defect> {
    let found = list.find::<List<'_>>(page.view(NODES)?, shape)?;
    let is = found.is_some_and(|list| list.owner() == owner);
    if is {
        page.free(list.no(), stamp)?;
    }
    Ok(is)
}
