//! Taking dead vertices out of the graph, and freeing them when nobody can be on the way to them any more.
//!
//! A search that has met a vertex before the lists were led past it needs the list of that vertex to go on from there. So a
//! dead vertex stays as it is, with a stamp taken after the last list was repaired, until no snapshot is older than the stamp.

use super::Vacuum;
use super::chain::find_vertex;
use super::places::Places;
use super::rows::replace;
use crate::Result;
use crate::format::{CHUNKS, Link, List, NODES, VertexBuf, vertices};
use crate::index::read_meta;
use kite_pages::{At, BlockNo, Defect, ItemPointer, ItemRef, Page, PageStore, PageTxn, Stamp, payload};
use zerocopy::FromBytes;

impl<S: PageStore> Vacuum<'_, '_, S> {
    /// Takes the dead vertices of these pages out of the graph: no list leads to them any more.
    pub(super) fn unlink_dead(&self, blocks: impl Iterator<Item = BlockNo>) -> Result<()> {
        let mut last = None;
        for block in blocks {
            if last.replace(block) != Some(block) {
                self.store.check_interrupts()?;
                self.unlink_dead_of(block)?;
            }
        }
        Ok(())
    }

    fn unlink_dead_of(&self, block: BlockNo) -> Result<()> {
        let entry = read_meta(self.store)?.entry;
        if linked_dead(&*self.store.read(block)?, block, entry).at(block)?.is_empty() {
            return Ok(());
        }
        let mut txn = self.store.begin();
        let slot = txn.lock(block)?;
        // Who reads a list from now on finds no link to them there.
        let stamp = self.store.now();
        for (link, vertex) in linked_dead(txn.page(slot), block, entry).at(block)? {
            let unlinked = VertexBuf { unlinked: Some(stamp), ..vertex };
            replace(txn.page_mut(slot), link, &unlinked).at(block)?;
        }
        Ok(txn.commit()?)
    }

    /// Frees those of the dead vertices, page by page, that were taken out of the graph long enough ago.
    pub(super) fn free_dead(&mut self, dead: &Places) -> Result<()> {
        let mut page: Vec<Link> = Vec::new();
        for vertex in dead.iter() {
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
            let is_past = |vertex: &VertexBuf| vertex.unlinked.is_some_and(|stamp| self.store.is_past(stamp));
            let Some(vertex) = found.filter(|vertex| vertex.dead && is_past(vertex)) else { continue };
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

/// The dead vertices of a page that have not been taken out of the graph, but for the entry point.
fn linked_dead(page: &Page, block: BlockNo, entry: Link) -> Result<Vec<(Link, VertexBuf)>, Defect> {
    let mut dead = Vec::new();
    if page.is_new() {
        return Ok(dead);
    }
    for vertex in vertices(page.view(NODES)?, block) {
        let (link, vertex) = vertex?;
        if vertex.is_dead() && vertex.unlinked().is_none() && link != entry {
            dead.push((link, VertexBuf::from(vertex)));
        }
    }
    Ok(dead)
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
