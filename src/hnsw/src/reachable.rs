//! Pruning lists so that the graph holds together.
//!
//! The heuristic drops a link where a neighbour that it keeps is nearer, and takes it that this one leads to the other. It need
//! not. In a graph whose vertices come and go, clusters that only few links join would so come apart in time.

use crate::Result;
use crate::format::{Link, List, NODES};
use crate::index::Index;
use kite_pages::{Ahead, At, ItemPointer, PageStore};

/// Vertices that a list leads to, or could.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neighbours<'a> {
    /// The level of the list.
    pub(crate) level: u8,
    pub(crate) links: &'a [Link],
    /// Their own lists on that level, as they were a moment ago; none for those that are gone.
    pub(crate) lists: &'a [Link],
}

impl<S: PageStore> Index<'_, S> {
    /// Keeps of the neighbours that were dropped from a list those that none of the kept ones links to. Where there is no slot
    /// for one it takes that of a kept one that another links to, the last such. So what could be reached over a link that goes
    /// can be reached over those that stay, unless none can be spared.
    ///
    /// `dropped` and `kept` are places among the neighbours, in the order of preference.
    pub(crate) fn keep_reachable(
        &self,
        neighbours: Neighbours<'_>,
        dropped: &[usize],
        slots: usize,
        kept: &mut Vec<usize>,
    ) -> Result<()> {
        if dropped.is_empty() {
            return Ok(());
        }
        let beyond = self.links_among(neighbours, kept)?;
        let links = neighbours.links;
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

    /// Those links of some of the neighbours that lead to others of them, in order, each with the place of the neighbour whose it
    /// is. A list that has moved meanwhile has none, as those of vertices that are gone.
    fn links_among(&self, neighbours: Neighbours<'_>, of: &[usize]) -> Result<Vec<(u64, usize)>> {
        let Neighbours { level, links, lists } = neighbours;
        // Few of the links do, and to sort them all would cost more than to read them.
        let mut among = Filter::default();
        links.iter().for_each(|link| among.add(link.place()));
        let of: Vec<usize> = of.iter().copied().filter(|&place| !lists[place].is_none()).collect();
        let ahead = Ahead { before: 0, after: self.shape.size(self.meta.slots(level), false) };
        let mut beyond = Vec::new();
        for of in of.chunks(self.store.batch().max(1)) {
            let places: Vec<ItemPointer> = of.iter().map(|&place| lists[place].pointer).collect();
            self.store.read_items(&places, ahead, |at, page| {
                let place = of[at];
                let block = lists[place].block();
                let found =
                    lists[place].find::<List<'_>>(page.view(NODES).at(block)?, self.shape).at(block)?;
                let own = found.filter(|found| found.owner() == links[place].pointer);
                let led_to = own.iter().flat_map(|list| list.links).map(|link| link.place());
                beyond.extend(led_to.filter(|&to| among.may_have(to)).map(|to| (to, place)));
                Ok(())
            })?;
        }
        beyond.sort_unstable();
        Ok(beyond)
    }
}

/// A set of places, or of numbers, that may take another one for its own, one in some twenty for the links of a list (Bloom, 1970).
#[derive(Debug, Default)]
pub(crate) struct Filter([u64; 32]);

impl Filter {
    pub(crate) fn add(&mut self, place: u64) {
        let (word, bit) = Self::at(place);
        self.0[word] |= bit;
    }

    #[inline]
    pub(crate) fn may_have(&self, place: u64) -> bool {
        let (word, bit) = Self::at(place);
        self.0[word] & bit != 0
    }

    /// By the highest bits of the product, which depend on all bits of the place.
    fn at(place: u64) -> (usize, u64) {
        let hash = place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 53;
        ((hash >> 6) as usize, 1 << (hash & 63))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_knows_its_own_and_few_others() {
        let mut filter = Filter::default();
        (0..100).for_each(|place| filter.add(place << 16 | 7));
        assert!((0..100).all(|place| filter.may_have(place << 16 | 7)));
        let others = (100..2100).filter(|place| filter.may_have(place << 16 | 3)).count();
        assert!(others < 200, "{others}");
    }
}
