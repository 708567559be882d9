//! Whether searches can find every vertex.

use super::collect::lookup;
use super::{Check, find};
use crate::Result;
use crate::format::{List, NODES};
use crate::grow::push;
use kite_pages::PageStore;

impl<S: PageStore> Check<'_, '_, S> {
    /// Counts the vertices with rows to which no way on level 0 leads from the entry point.
    pub(super) fn reach(&mut self) -> Result<()> {
        let mut waiting: Vec<usize> = Vec::new();
        if let Some(entry) = lookup(&self.known.vertices, self.index.meta.entry) {
            self.known.vertices[entry].reached = true;
            waiting.push(entry);
        }
        while let Some(at) = waiting.pop() {
            self.index.store.check_interrupts()?;
            let link = self.known.vertices[at].list;
            if link.is_none() || self.known.vertices[at].unlinked || link.block() >= self.index.store.len() {
                continue;
            }
            let page = self.index.store.read(link.block())?;
            let Ok(view) = page.view(NODES) else { continue };
            let Some(list) = find::<List<'_>>(view, link, self.index.shape) else { continue };
            for &to in list.links {
                if let Some(next) = lookup(&self.known.vertices, to)
                    && !std::mem::replace(&mut self.known.vertices[next].reached, true)
                {
                    push(&mut waiting, next)?;
                }
            }
        }
        let lost = self.known.vertices.iter().filter(|vertex| !vertex.dead && !vertex.reached);
        self.report.unreachable = lost.count() as u64;
        Ok(())
    }
}
