//! Removing the dead rows of a page.

use super::Vacuum;
use crate::Result;
use crate::format::{Link, NODES, Vertex, VertexBuf, vertices};
use kite_pages::{At, BlockNo, Defect, ItemPointer, Page, PageStore, PageTxn};

/// The rows of a page's vertices, as they were when it was read.
#[derive(Debug, Default)]
struct PageRows {
    /// Vertices that have all of their rows themselves: how many.
    plain: Vec<(Link, usize)>,
    /// Those, one after the other.
    tids: Vec<ItemPointer>,
    /// Vertices with postings.
    chained: Vec<Link>,
}

/// A vertex and those of its own rows that are dead.
pub(super) type Gone = (Link, Vec<ItemPointer>);

impl<S: PageStore> Vacuum<'_, '_, S> {
    /// Asks about all rows of the vertices on a page, and removes the dead ones.
    pub(super) fn remove_rows(
        &mut self,
        block: BlockNo,
        is_dead: &mut dyn FnMut(ItemPointer) -> bool,
    ) -> Result<()> {
        let rows = {
            let page = self.store.read(block)?;
            if page.is_new() {
                return Ok(());
            }
            rows_of(&page, block).at(block)?
        };
        let mut dead: Vec<Gone> = Vec::new();
        let mut tids = rows.tids.iter();
        for (vertex, count) in rows.plain {
            let gone = self.ask(tids.by_ref().take(count), is_dead)?;
            if !gone.is_empty() {
                dead.push((vertex, gone));
            }
        }
        if !dead.is_empty() {
            for (vertex, gone) in self.remove_own(block, &dead)? {
                self.settle(vertex, &gone)?;
            }
        }
        for vertex in rows.chained {
            self.remove_chained(vertex, is_dead)?;
        }
        Ok(())
    }

    /// Those of the rows that are dead.
    pub(super) fn ask<'a>(
        &mut self,
        tids: impl IntoIterator<Item = &'a ItemPointer>,
        is_dead: &mut dyn FnMut(ItemPointer) -> bool,
    ) -> Result<Vec<ItemPointer>> {
        let mut asked = 0;
        let dead: Vec<ItemPointer> =
            tids.into_iter().inspect(|_| asked += 1).copied().filter(|&tid| is_dead(tid)).collect();
        self.stats.rows += asked - dead.len() as u64;
        if self.stats.dead_rows == 0 && !dead.is_empty() {
            // Ahead of the first change, so that whoever comes after a crash knows.
            self.index.set_untidy(true)?;
        }
        self.stats.dead_rows += dead.len() as u64;
        Ok(dead)
    }

    /// Removes dead rows from the vertices of a page, in one record, and marks vertices without rows. Answers those that
    /// have got postings meanwhile from which rows must move in.
    fn remove_own(&self, block: BlockNo, dead: &[Gone]) -> Result<Vec<Gone>> {
        let mut later = Vec::new();
        let mut txn = self.store.begin();
        let slot = txn.lock(block)?;
        for (link, gone) in dead {
            let view = txn.page(slot).view(NODES).at(block)?;
            let Some(vertex) = link.find::<Vertex<'_>>(view, ()).at(block)? else { continue };
            let mut buf = VertexBuf::from(vertex);
            buf.tids.retain(|tid| !gone.contains(tid));
            if buf.tids.is_empty() && !buf.postings.is_none() {
                later.push((*link, gone.clone()));
                continue;
            }
            buf.dead = buf.tids.is_empty();
            replace(txn.page_mut(slot), *link, &buf).at(block)?;
        }
        self.index.commit(txn, &[slot])?;
        Ok(later)
    }
}

/// Puts a vertex back that has become no longer.
pub(super) fn replace(page: &mut Page, link: Link, buf: &VertexBuf) -> Result<(), Defect> {
    if page.replace(link.no(), &buf.to_bytes()?)? {
        Ok(())
    } else {
        Err(Defect("a vertex is longer than it was"))
    }
}

fn rows_of(page: &Page, block: BlockNo) -> Result<PageRows, Defect> {
    let mut rows = PageRows::default();
    for vertex in vertices(page.view(NODES)?, block) {
        let (link, vertex) = vertex?;
        if vertex.postings().is_none() {
            rows.plain.push((link, vertex.tids.len()));
            rows.tids.extend_from_slice(vertex.tids);
        } else {
            rows.chained.push(link);
        }
    }
    Ok(rows)
}
