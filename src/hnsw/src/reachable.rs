//! Pruning lists so that the graph holds together.
//!
//! The heuristic drops a link where a neighbour that it keeps is nearer, and takes it that this one leads to the other. It need
//! not. In a graph whose vertices come and go, clusters that only few links join would so come apart in time.

use crate::Result;
use crate::format::{Link, List, NODES, Vertex};
use crate::index::Index;
use kite_pages::{At, Defect, PageStore, View};

impl<S: PageStore> Index<'_, S> {
    /// Keeps of the neighbours that were dropped from a list those that none of the kept ones links to. Where there is no slot
    /// for one it takes that of a kept one that another links to, the last such. So what could be reached over a link that goes
    /// can be reached over those that stay, unless none can be spared.
    ///
    /// `dropped` and `kept` are places in `links`, in the order of preference.
    pub(crate) fn keep_reachable(
        &self,
        level: u8,
        links: &[Link],
        dropped: &[usize],
        slots: usize,
        kept: &mut Vec<usize>,
    ) -> Result<()> {
        if dropped.is_empty() {
            return Ok(());
        }
        // Where each link of a kept neighbour leads, and whose it is.
        let mut beyond: Vec<(u64, usize)> = Vec::new();
        for &place in &*kept {
            self.links_of(links[place], level, |link| beyond.push((link.place(), place)))?;
        }
        beyond.sort_unstable();
        let leads = |to: usize, kept: &[usize]| {
            let to = links[to].place();
            let begin = beyond.partition_point(|&(place, _)| place < to);
            beyond[begin..].iter().take_while(|&&(place, _)| place == to).any(|(_, of)| kept.contains(of))
        };
        let mut chosen = kept.len();
        for &place in dropped {
            if leads(place, kept) {
                continue;
            }
            if kept.len() >= slots {
                let Some(spare) = (0..chosen).rev().find(|&at| leads(kept[at], kept)) else { break };
                kept.remove(spare);
                chosen -= 1;
            }
            kept.push(place);
        }
        Ok(())
    }

    /// Visits the links of a vertex on a level; none when it is gone.
    fn links_of(&self, vertex: Link, level: u8, mut visit: impl FnMut(Link)) -> Result<()> {
        let list = {
            let block = vertex.block();
            let page = self.store.read(block)?;
            let view = page.view(NODES).at(block)?;
            let found = vertex.find::<Vertex<'_>>(view, ()).at(block)?;
            let list = found.map_or(Link::NONE, |found| found.list(level));
            if list.is_none() || list.block() == block {
                return Ok(self.visit_links(view, list, &mut visit).at(block)?);
            }
            list
        };
        let page = self.store.read(list.block())?;
        Ok(page.view(NODES).and_then(|view| self.visit_links(view, list, &mut visit)).at(list.block())?)
    }

    fn visit_links(&self, view: View<'_>, list: Link, visit: &mut impl FnMut(Link)) -> Result<(), Defect> {
        let list = if list.is_none() { None } else { list.find::<List<'_>>(view, self.shape)? };
        list.iter().flat_map(|list| list.links).for_each(|&link| visit(link));
        Ok(())
    }
}
