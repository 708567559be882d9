//! What a query has found, and the rows of it.

use super::probe::{Probe, Sink, damaged};
use crate::Result;
use crate::format::{Link, NODES, Posting, Vertex};
use crate::grow::{extend, lengthen, make_room, push};
use crate::vacuum::Steps;
use kite_pages::{At, BlockNo, ItemPointer, PageStore};
use std::collections::VecDeque;

/// The vertices that a query has read, by node.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Where a node is in `hits`, or [`NOT`].
    of_node: Vec<u32>,
    hits: Vec<Hit>,
    tids: Vec<ItemPointer>,
}

const NOT: u32 = u32::MAX;

/// So many vertices are met, about, for each that is read.
const MET: usize = 8;

#[derive(Debug, Clone, Copy)]
struct Hit {
    /// What the operator computes at least.
    bound: f64,
    /// The first of its rows in [`Found::tids`].
    first: u32,
    count: u8,
    postings: Link,
    /// Whether its only row has passed the filter.
    passed: bool,
}

impl Found {
    /// What takes in the vertices that a search reads.
    pub(super) fn sink<'a, 's, S, F>(
        &'a mut self,
        probe: &'a Probe<'s, S>,
        filter: &'a mut F,
    ) -> Finding<'a, 's, S, F> {
        Finding { found: self, probe, filter }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.of_node.clear();
        self.hits.clear();
        self.tids.clear();
    }

    /// Takes room for so many vertices at once, with a row each, among more that are only met.
    pub(super) fn make_room(&mut self, vertices: usize) -> Result<()> {
        make_room(&mut self.of_node, MET * vertices)?;
        make_room(&mut self.hits, vertices)?;
        make_room(&mut self.tids, vertices)?;
        Ok(())
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<u32>() * self.of_node.capacity()
            + size_of::<Hit>() * self.hits.capacity()
            + size_of::<ItemPointer>() * self.tids.capacity()
    }

    fn hit(&self, node: u32) -> Option<&Hit> {
        self.hits.get(*self.of_node.get(node as usize)? as usize)
    }

    /// What the operator computes at least for the vector of a vertex that was read.
    pub(super) fn bound(&self, node: u32) -> f64 {
        self.hit(node).map_or(f64::INFINITY, |hit| hit.bound)
    }

    /// The rows of a vertex that was read.
    pub(super) fn rows(&self, node: u32) -> Rows {
        let Some(hit) = self.hit(node) else { return Rows::default() };
        let tids = self.of(hit).iter().copied().collect();
        Rows { tids, postings: hit.postings, steps: Steps::default(), passed: hit.passed }
    }

    /// The first row of a vertex that was read, if it has any of its own.
    pub(super) fn first_row(&self, node: u32) -> Option<ItemPointer> {
        self.of(self.hit(node)?).first().copied()
    }

    fn of(&self, hit: &Hit) -> &[ItemPointer] {
        &self.tids[hit.first as usize..][..usize::from(hit.count)]
    }
}

/// See [`Found::sink`].
#[derive(Debug)]
pub(super) struct Finding<'a, 's, S, F> {
    found: &'a mut Found,
    probe: &'a Probe<'s, S>,
    filter: &'a mut F,
}

impl<S: PageStore, F: FnMut(ItemPointer) -> Result<bool>> Sink for Finding<'_, '_, S, F> {
    fn meet(&mut self, node: u32, vertex: &Vertex<'_>) -> kite_pages::Result<bool> {
        if vertex.tids.is_empty() {
            return Ok(false);
        }
        let found = &mut *self.found;
        let hit = Hit {
            bound: f64::NEG_INFINITY,
            first: found.tids.len() as u32,
            count: vertex.tids.len() as u8,
            postings: vertex.postings(),
            passed: false,
        };
        extend(&mut found.tids, vertex.tids)?;
        lengthen(&mut found.of_node, node as usize + 1, NOT)?;
        found.of_node[node as usize] = found.hits.len() as u32;
        push(&mut found.hits, hit)?;
        Ok(true)
    }

    #[inline]
    fn rank<P>(
        &mut self,
        probe: &Probe<'_, P>,
        node: u32,
        payload: &[u8],
        block: BlockNo,
    ) -> kite_pages::Result<f32> {
        let (key, bound) = probe.scorer.ranked(&probe.query, payload).map_err(damaged(block))?;
        if let Some(&hit) = self.found.of_node.get(node as usize)
            && let Some(hit) = self.found.hits.get_mut(hit as usize)
        {
            // What is no number comes last, as in SQL.
            hit.bound = if bound.is_nan() { f64::INFINITY } else { bound };
        }
        Ok(key)
    }

    fn admits(&mut self, node: u32) -> Result<bool> {
        let Some(&place) = self.found.of_node.get(node as usize) else { return Ok(false) };
        let Some(hit) = self.found.hits.get_mut(place as usize) else { return Ok(false) };
        if let ([tid], true) =
            (&self.found.tids[hit.first as usize..][..usize::from(hit.count)], hit.postings.is_none())
        {
            hit.passed = hit.passed || (self.filter)(*tid)?;
            return Ok(hit.passed);
        }
        Ok(self.found.rows(node).next(self.probe.store, self.filter)?.is_some())
    }

    fn bytes(&self) -> usize {
        self.found.bytes()
    }
}

/// The rows of a vertex, those in postings read as they are asked for.
#[derive(Debug, Default)]
pub(super) struct Rows {
    tids: VecDeque<ItemPointer>,
    postings: Link,
    /// Those read so far: a damaged chain could turn back on itself.
    steps: Steps,
    /// Whether the filter has been asked.
    passed: bool,
}

impl Rows {
    /// The next row that the filter lets pass.
    pub(super) fn next<S: PageStore>(
        &mut self,
        store: &S,
        filter: &mut impl FnMut(ItemPointer) -> Result<bool>,
    ) -> Result<Option<ItemPointer>> {
        loop {
            while let Some(tid) = self.tids.pop_front() {
                if self.passed || filter(tid)? {
                    return Ok(Some(tid));
                }
            }
            if self.postings.is_none() {
                return Ok(None);
            }
            store.check_interrupts()?;
            self.read(store)?;
        }
    }

    /// Reads the next posting. One that is gone belonged to a vertex that died, with all of its rows.
    fn read<S: PageStore>(&mut self, store: &S) -> Result<()> {
        let link = std::mem::replace(&mut self.postings, Link::NONE);
        self.steps.take(link)?;
        let page = store.read(link.block())?;
        let view = page.view(NODES).at(link.block())?;
        if let Some(posting) = link.find::<Posting<'_>>(view, ()).at(link.block())? {
            self.tids.extend(posting.tids);
            self.postings = posting.next();
        }
        Ok(())
    }
}
