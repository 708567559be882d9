//! Going on where no way leads any further.
//!
//! The links of a graph need not lead from everywhere to everywhere: clusters far apart keep few links between them, and inserts and
//! vacuums take some of those away. A scan that has come to the end of what its vertices lead to, and is asked for more rows, looks
//! for others on the pages themselves, and goes on from those. So it comes by every row, whatever the graph, as far as its limits let it.
//!
//! Few links between clusters are enough to come to the end of them all, but not to come to the nearest next: under strict order those that come
//! too late are lost. So a scan under strict order that will hand out more than its first search finds also *sows*: it looks into some vertices from all over the index, and the
//! way to a cluster need not lead through one that is farther.

use super::beam::Beam;
use crate::Result;
use crate::format::{NODES, vertices};
use kite_pages::{At, PageStore};

/// So many vertices that a scan has not met are looked for at a time, at least.
const SEEDS: usize = 64;

/// The pages of an index, each once.
///
/// One after the other would be one cluster after the other, since a build puts neighbours together. These steps of about the golden
/// section spread what is found first over all of them.
#[derive(Debug)]
pub(super) struct Sweep {
    pages: u64,
    step: u64,
    next: u64,
    left: u64,
}

impl Sweep {
    /// All pages but the first, of so many.
    pub(super) fn new(pages: u32) -> Self {
        let pages = u64::from(pages).saturating_sub(1);
        let mut step = (pages * 618 / 1000).max(1);
        while gcd(step, pages) > 1 {
            step += 1;
        }
        Self { pages, step, next: 0, left: pages }
    }

    /// Lets vertices that the search has not met wait to be expanded. `false` when there are none.
    pub(super) fn seed<S: PageStore>(&mut self, store: &S, beam: &mut Beam) -> Result<bool> {
        let mut seeds = 0;
        while seeds < SEEDS
            && let Some(more) = self.seed_page(store, beam, usize::MAX)?
        {
            seeds += more;
        }
        Ok(seeds > 0)
    }

    /// Lets one of each of the next pages wait, until so many pages were looked at in all.
    pub(super) fn sow<S: PageStore>(&mut self, store: &S, beam: &mut Beam, pages: usize) -> Result<()> {
        while self.pages - self.left < pages as u64 && self.seed_page(store, beam, 1)?.is_some() {}
        Ok(())
    }

    /// Lets vertices of the next page wait, so many at most. How many those are, or `None` when there is no page left.
    fn seed_page<S: PageStore>(&mut self, store: &S, beam: &mut Beam, most: usize) -> Result<Option<usize>> {
        let Some(block) = self.next_block() else { return Ok(None) };
        store.check_interrupts()?;
        let page = store.read(block)?;
        let mut seeds = 0;
        if page.is_new() {
            return Ok(Some(seeds));
        }
        for vertex in vertices(page.view(NODES).at(block)?, block) {
            let (link, vertex) = vertex.at(block)?;
            // What was taken out of the graph has no rows.
            if vertex.unlinked().is_none() && beam.seed(link)? {
                seeds += 1;
                if seeds == most {
                    break;
                }
            }
        }
        Ok(Some(seeds))
    }

    fn next_block(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        let block = self.next + 1;
        self.next = (self.next + self.step) % self.pages;
        Some(block as u32)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{Limit, Order, ScanOptions};
    use crate::testing::{built, number, spec, vectors};
    use crate::{Index, Options};
    use kite_codecs::{Metric, PayloadKind, Value};
    use kite_pages::MemStore;

    const ROWS: usize = 1500;
    const ISLANDS: u32 = 3;

    /// Takes all links of level 0 away that lead from one third of the pages to another.
    fn cut(index: &Index<'_, MemStore>) {
        for block in 1..index.store.len() {
            let page = index.store.read(block).unwrap();
            let known: Vec<_> = vertices(page.view(NODES).unwrap(), block)
                .map(|vertex| vertex.map(|(link, vertex)| (link, vertex.list(0))).unwrap())
                .collect();
            drop(page);
            for (vertex, list) in known {
                let seen = index.read_list(vertex, list).unwrap().unwrap();
                let mut next = seen.clone();
                next.entries.retain(|entry| entry.link.block() % ISLANDS == block % ISLANDS);
                assert!(index.rewrite(vertex, list, &seen, &next).unwrap());
            }
        }
    }

    #[test]
    fn where_no_way_leads_on_a_scan_finds_the_other_rows_all_the_same() {
        let data = vectors(ROWS, 24, 1);
        for (bits, order) in
            [(0, Order::Relaxed), (1, Order::Relaxed), (0, Order::Strict), (1, Order::Strict)]
        {
            let store = MemStore::new();
            let spec = spec(Metric::L2, PayloadKind::Sq8, bits, 24);
            let mut index = built(&store, &Options { spec, m: 8, ef_construction: 40, seed: 3 }, &data);
            cut(&index);
            assert!(index.check().unwrap().unreachable > 800);
            let all =
                ScanOptions { order, max_visits: usize::MAX, memory: usize::MAX, ..ScanOptions::default() };
            for query in data.iter().step_by(300) {
                let mut scan = index.scan(Some(Value::F32(query)), all).unwrap();
                let mut rows = Vec::new();
                while let Some(row) = scan.next_row().unwrap() {
                    rows.push(number(row.tid));
                }
                let found = rows.len();
                rows.sort_unstable();
                rows.dedup();
                assert_eq!(rows.len(), found, "a row came twice");
                // Those of other islands that are nearer than what was handed out came too late for strict order.
                let least = if order == Order::Strict { ROWS * 3 / 4 } else { ROWS };
                assert!(found >= least && scan.ended_by().is_none(), "{bits} {order:?}: {found}");

                // One that few rows pass, on whichever island they are.
                let mut scan = index.scan(Some(Value::F32(query)), all).unwrap();
                let mut few = |wanted: usize| {
                    (0..wanted)
                        .map_while(|_| scan.next_row_if(|tid| Ok(number(tid) % 100 == 7)).unwrap())
                        .count()
                };
                assert_eq!(few(ROWS), ROWS / 100);
            }
            let mut scan =
                index.scan(Some(Value::F32(&data[0])), ScanOptions { max_visits: 900, ..all }).unwrap();
            while scan.next_row().unwrap().is_some() {}
            assert!(scan.visits() < 1100 && scan.ended_by() == Some(Limit::Visits), "{}", scan.visits());
        }
    }

    #[test]
    fn every_page_but_the_first_comes_once_and_far_from_the_one_before() {
        for pages in (0..200).chain([1597, 10_000, 65_537]) {
            let mut sweep = Sweep::new(pages);
            let blocks: Vec<u32> = std::iter::from_fn(|| sweep.next_block()).collect();
            let mut sorted = blocks.clone();
            sorted.sort_unstable();
            assert!(sorted.iter().copied().eq(1..pages), "{pages}: {blocks:?}");
            let near = blocks.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < pages / 4).count();
            assert_eq!(near, 0, "{pages}");
        }
    }
}
