//! Pruning lists so that the graph holds together.
//!
//! The heuristic drops a link where a neighbour that it keeps is nearer, and takes it that this one leads to the other. It need
//! not. In a graph whose vertices come and go, clusters that only few links join would so come apart in time.

use crate::Result;
use crate::format::{Link, List, NODES, Vertex, VertexBuf};
use crate::index::Index;
use kite_pages::{Ahead, At, Defect, ItemPointer, PageStore, View};

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
        let beyond = self.links_of(level, links, kept)?;
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

    /// Where the links of some vertices lead, in order, each with the place in `links` of the vertex whose it is. Those that
    /// are gone have none.
    fn links_of(&self, level: u8, links: &[Link], of: &[usize]) -> Result<Vec<(u64, usize)>> {
        let mut lists: Vec<(Link, usize)> = Vec::with_capacity(of.len());
        let vertices = of.iter().map(|&place| (links[place], place)).collect::<Vec<_>>();
        self.visit(&vertices, VertexBuf::size(level, 0, 0), |view, vertex, place| {
            let list = vertex.find::<Vertex<'_>>(view, ())?.map_or(Link::NONE, |found| found.list(level));
            if !list.is_none() {
                lists.push((list, place));
            }
            Ok(())
        })?;
        let mut beyond = Vec::with_capacity(lists.len() * self.meta.slots(level));
        self.visit(&lists, self.shape.size(self.meta.slots(level), false), |view, list, place| {
            let found = list.find::<List<'_>>(view, self.shape)?;
            beyond.extend(found.iter().flat_map(|list| list.links).map(|link| (link.place(), place)));
            Ok(())
        })?;
        beyond.sort_unstable();
        Ok(beyond)
    }

    /// Visits items, so many bytes of which are fetched ahead.
    fn visit(
        &self,
        items: &[(Link, usize)],
        bytes: usize,
        mut visit: impl FnMut(View<'_>, Link, usize) -> Result<(), Defect>,
    ) -> Result<()> {
        let ahead = Ahead { before: 0, after: bytes };
        for items in items.chunks(self.store.batch().max(1)) {
            let places: Vec<ItemPointer> = items.iter().map(|(link, _)| link.pointer).collect();
            self.store.read_items(&places, ahead, |at, page| {
                let (link, place) = items[at];
                page.view(NODES).and_then(|view| visit(view, link, place)).at(link.block())
            })?;
        }
        Ok(())
    }
}
