//! Finding vertices to which no way leads any more, and linking them again.
//!
//! Pruning keeps a graph together as far as one list can know. Over many turnovers that is not far enough: now and then a vertex,
//! or a cluster of them, loses the last link that leads to it. A walk from the entry point over level 0 finds them.

use crate::format::{Link, List, NODES, vertices};
use crate::grow::push;
use crate::index::{Index, read_meta};
use crate::search::damaged;
use crate::{Error, Result};
use kite_pages::{At, PageStore};

/// A vertex, and whether the walk has come by. One that was taken out of the graph leads nowhere.
#[derive(Debug, Clone, Copy)]
struct Known {
    vertex: Link,
    list: Link,
    dead: bool,
    reached: bool,
}

/// All vertices in the order of their places.
#[derive(Debug, Default)]
struct Vertices {
    known: Vec<Known>,
    /// Where those of each block begin, so that a link is found without a search through all.
    first: Vec<u32>,
    waiting: Vec<u32>,
}

/// Where a list is full, a link to a lost vertex takes the place of another, which may have led to others; then the walk is
/// repeated, so often at most.
const ROUNDS: usize = 4;

/// Bytes for one of them, with its place among those that wait; both grow by doubling.
const PER_VERTEX: usize = 2 * (size_of::<Known>() + size_of::<u32>());
/// Bytes for a block.
const PER_BLOCK: usize = size_of::<u32>();
const _: () = assert!(PER_VERTEX == 44 && PER_BLOCK == 4);

impl<S: PageStore> Index<'_, S> {
    /// Links the vertices again to which no way on level 0 leads from the entry point, and answers how many. Nothing is
    /// done where the vertices of the index do not fit `memory`.
    pub(super) fn reconnect(&mut self, memory: usize) -> Result<u64> {
        let mut linked = 0;
        for _ in 0..ROUNDS {
            let Some(mut vertices) = self.known(memory)? else { break };
            let entry = read_meta(self.store)?.entry;
            self.walk(&mut vertices, entry)?;
            let now = self.relink_lost(&mut vertices)?;
            linked += now;
            if now == 0 {
                break;
            }
        }
        Ok(linked)
    }

    /// Links the vertices again that the walk has not come by.
    fn relink_lost(&mut self, vertices: &mut Vertices) -> Result<u64> {
        let mut linked = 0;
        for at in 0..vertices.known.len() {
            let Known { vertex, dead, reached, .. } = vertices.known[at];
            if !(dead || reached) {
                self.store.check_interrupts()?;
                let relinked = self.relink(vertex).map_err(|error| match error {
                    // Its own payload; those that it is compared with have been named.
                    Error::Codecs(error) => damaged(vertex.block())(error).into(),
                    error => error,
                })?;
                linked += u64::from(relinked);
                // What this one leads to is reached with it.
                self.walk(vertices, vertex)?;
            }
        }
        Ok(linked)
    }

    /// All vertices; none if they take more than `memory`.
    fn known(&self, memory: usize) -> Result<Option<Vertices>> {
        let mut all = Vertices::default();
        let Vertices { known, first, .. } = &mut all;
        push(first, 0)?;
        let mut block = 1;
        while block < self.store.len() {
            self.store.check_interrupts()?;
            let page = self.store.read(block)?;
            push(first, known.len() as u32)?;
            block += 1;
            if page.is_new() {
                continue;
            }
            let view = page.view(NODES).at(block - 1)?;
            for vertex in vertices(view, block - 1) {
                let (link, vertex) = vertex.at(block - 1)?;
                let list = if vertex.unlinked().is_none() { vertex.list(0) } else { Link::NONE };
                push(known, Known { vertex: link, list, dead: vertex.is_dead(), reached: false })?;
            }
            if known.len() * PER_VERTEX + first.len() * PER_BLOCK > memory {
                return Ok(None);
            }
        }
        Ok(Some(all))
    }

    /// Marks what can be reached from a vertex.
    fn walk(&self, vertices: &mut Vertices, from: Link) -> Result<()> {
        vertices.reach(from)?;
        while let Some(at) = vertices.waiting.pop() {
            let Known { vertex, list, .. } = vertices.known[at as usize];
            if list.is_none() {
                continue;
            }
            self.store.check_interrupts()?;
            let page = self.store.read(list.block())?;
            let view = page.view(NODES).at(list.block())?;
            // A list that an insert has moved meanwhile leads on from its new place, which is not looked at: to link a vertex
            // once too often does no harm.
            let found = list.find::<List<'_>>(view, self.shape).at(list.block())?;
            for &link in
                found.filter(|found| found.owner() == vertex.pointer).iter().flat_map(|found| found.links)
            {
                vertices.reach(link)?;
            }
        }
        Ok(())
    }
}

impl Vertices {
    /// Marks a vertex, and lets it wait for its list to be read if it is marked for the first time.
    fn reach(&mut self, link: Link) -> Result<()> {
        let Some(at) = self.find(link) else { return Ok(()) };
        if !std::mem::replace(&mut self.known[at].reached, true) {
            push(&mut self.waiting, at as u32)?;
        }
        Ok(())
    }

    fn find(&self, link: Link) -> Option<usize> {
        let block = link.block() as usize;
        let first = *self.first.get(block)? as usize;
        let end = self.first.get(block + 1).map_or(self.known.len(), |&end| end as usize);
        let own = self.known.get(first..end)?;
        let at = first + own.binary_search_by_key(&link.place(), |known| known.vertex.place()).ok()?;
        (self.known[at].vertex == link).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{built, number, spec, vectors};
    use crate::{Options, VacuumOptions};
    use kite_codecs::{Metric, PayloadKind};
    use kite_pages::MemStore;

    /// An index of clusters, and no link of level 0 between any two of them.
    fn islands<'s>(store: &'s MemStore, clusters: usize, options: &Options) -> Index<'s, MemStore> {
        let mut rng = fastrand::Rng::with_seed(5);
        let near = |centre: usize, rng: &mut fastrand::Rng| -> Vec<f32> {
            (0..16).map(|n| rng.f32() + if (centre >> (n % 6)) & 1 == 1 { 9.0 } else { 0.0 }).collect()
        };
        let data: Vec<Vec<f32>> = (0..12 * clusters).map(|row| near(row % clusters, &mut rng)).collect();
        let index = built(store, options, &data);
        let cluster = |link: Link| -> usize {
            let page = store.read(link.block()).unwrap();
            let vertex =
                link.find::<crate::format::Vertex<'_>>(page.view(NODES).unwrap(), ()).unwrap().unwrap();
            number(vertex.tids[0]) % clusters
        };
        for found in index.known(usize::MAX).unwrap().unwrap().known {
            let seen = index.read_list(found.vertex, found.list).unwrap().unwrap();
            let mut next = seen.clone();
            next.entries.retain(|entry| cluster(entry.link) == cluster(found.vertex));
            assert!(index.rewrite(found.vertex, found.list, &seen, &next).unwrap());
        }
        index
    }

    #[test]
    fn many_islands_are_linked_again_without_cutting_off_others() {
        for m in [2, 4] {
            let store = MemStore::new();
            let spec = spec(Metric::L2, PayloadKind::Sq8, 0, 16);
            let options = Options { spec, m, ef_construction: 24, seed: 3 };
            let mut index = islands(&store, 40, &options);
            assert!(index.check().unwrap().unreachable >= 12 * 39);
            let stats = index.cleanup(&VacuumOptions::default()).unwrap();
            let report = index.check().unwrap();
            assert!(report.is_clean() && report.unreachable == 0, "{m}: {stats:?}, {report:?}");
        }
    }

    #[test]
    fn what_nothing_leads_to_is_linked_again() {
        let data = vectors(400, 16, 3);
        let store = MemStore::new();
        let spec = spec(Metric::L2, PayloadKind::Sq8, 1, 16);
        let options = Options { spec, m: 8, ef_construction: 40, seed: 3 };
        let mut index = built(&store, &options, &data);
        assert_eq!(index.check().unwrap().unreachable, 0);
        // All links between two halves go, so that the half without the entry point is an island.
        let entry = index.meta.entry.block();
        let far = |block: u32| block % 2 != entry % 2;
        let known = index.known(usize::MAX).unwrap().unwrap().known;
        for found in &known {
            let Some(seen) = index.read_list(found.vertex, found.list).unwrap() else { continue };
            let mut next = seen.clone();
            next.entries.retain(|entry| far(entry.link.block()) == far(found.vertex.block()));
            assert!(index.rewrite(found.vertex, found.list, &seen, &next).unwrap());
        }
        let island = known.iter().filter(|found| far(found.vertex.block())).count() as u64;
        let lost = index.check().unwrap().unreachable;
        assert!(island > 100 && lost >= island, "{lost} of {island}");
        assert!(index.known((known.len() - 1) * PER_VERTEX).unwrap().is_none());
        // Not within so little memory.
        assert_eq!(index.reconnect(1).unwrap(), 0);

        let stats = index.cleanup(&VacuumOptions::default()).unwrap();
        assert!(stats.reconnected > 0 && stats.reconnected <= lost, "{stats:?}");
        let report = index.check().unwrap();
        assert!(report.is_clean() && report.unreachable == 0, "{report:?}");
        assert_eq!(index.cleanup(&VacuumOptions::default()).unwrap().reconnected, 0);
    }
}
