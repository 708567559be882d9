//! The graph on pages as pgvector lays it out: a node's vector in one item, its links in another, and a page read for each
//! neighbour that is looked at.

mod seen;
mod write;

use super::beam::Beam;
use super::layout::{Fetches, Layout};
use super::set::Set;
use anyhow::{Context, Result};
use kite_pages::{
    Ahead, At, Defect, ItemPointer, ItemReader, MemStore, PAGE_SIZE, Page, PageKind, PageStore,
};
use seen::Seen;

const KIND: PageKind = PageKind { code: 1, version: 1 };
/// Bytes before the elements of a vector, in pgvector's element tuple: level, flags, ten heap pointers, the pointer to the
/// links, and the header of the vector type.
const HEADER: usize = 80;
/// Bytes before the links.
const LINKS_HEADER: usize = 4;

/// The pages of all nodes.
pub(super) struct Pages {
    store: MemStore,
    m: usize,
    entry: ItemPointer,
}

impl Pages {
    pub(super) fn store(&self) -> &MemStore {
        &self.store
    }
}

/// What a search keeps of a node that it has looked at.
#[derive(Debug, Clone, Copy)]
struct Node {
    element: ItemPointer,
    links: ItemPointer,
    level: u8,
    row: u32,
}

/// Takes an element apart.
fn element(page: &Page, pointer: ItemPointer) -> Result<(Node, &[f32]), Defect> {
    let mut reader = ItemReader::new(page.view(KIND)?.item(pointer.no())?);
    let links = *reader.one::<ItemPointer>()?;
    let [level, _] = *reader.one::<[u8; 2]>()?;
    let row = *reader.one::<u32>()?;
    reader.many::<u8>(HEADER - 12)?;
    let count = reader.rest().len() / size_of::<f32>();
    Ok((Node { element: pointer, links, level, row }, reader.many(count)?))
}

/// A search that reads so many neighbours together.
pub(super) struct Pgvector<'a> {
    set: &'a Set<'a>,
    pages: &'a Pages,
    together: usize,
    seen: Seen,
    beam: Beam<Node>,
    fresh: Vec<ItemPointer>,
}

impl<'a> Pgvector<'a> {
    pub(super) fn new(set: &'a Set<'a>, pages: &'a Pages, together: usize) -> Self {
        Self { set, pages, together, seen: Seen::new(), beam: Beam::new(), fresh: Vec::new() }
    }

    /// Reads the links of a node on a level, and notes those not seen before.
    fn collect(&mut self, node: Node, level: u8) -> Result<()> {
        let (block, m) = (node.links.block(), self.pages.m);
        let page = self.pages.store.read(block)?;
        let above = usize::from(node.level.saturating_sub(level)) * m;
        let links = || -> Result<&[ItemPointer], Defect> {
            let mut reader = ItemReader::new(page.view(KIND)?.item(node.links.no())?);
            reader.many::<u8>(LINKS_HEADER)?;
            reader.many::<ItemPointer>(above)?;
            reader.many(if level == 0 { 2 * m } else { m })
        };
        self.fresh.clear();
        for &link in links().at(block)?.iter().take_while(|link| !link.is_none()) {
            if self.seen.first(link) {
                self.fresh.push(link);
            }
        }
        Ok(())
    }

    /// Reads the noted neighbours, and offers them to the beam.
    fn look(&mut self, query: &[f32]) -> Result<()> {
        let Self { set, pages, beam, .. } = self;
        let mut visit = |pointer: ItemPointer, page: &Page| -> Result<(), Defect> {
            let (node, vector) = element(page, pointer)?;
            beam.offer(set.ranking.key(query, vector), node);
            Ok(())
        };
        if self.together == 1 {
            for &pointer in &self.fresh {
                visit(pointer, &*pages.store.read(pointer.block())?).at(pointer.block())?;
            }
            return Ok(());
        }
        let ahead = Ahead { before: 0, after: HEADER + size_of_val(query) };
        for pointers in self.fresh.chunks(self.together) {
            pages
                .store
                .read_items(pointers, ahead, |n, page| visit(pointers[n], page).at(pointers[n].block()))?;
        }
        Ok(())
    }

    /// Leaves the best nodes of a level in the beam, found from one that was looked at before.
    fn level(&mut self, query: &[f32], entry: (f32, Node), level: u8, ef: usize) -> Result<()> {
        self.seen.start();
        self.seen.first(entry.1.element);
        self.beam.start(ef);
        self.beam.offer(entry.0, entry.1);
        while let Some(node) = self.beam.expand() {
            self.collect(node, level)?;
            self.look(query)?;
        }
        Ok(())
    }

    fn nearest(&self) -> Result<(f32, Node)> {
        self.beam.nodes().first().copied().context("a level without nodes")
    }
}

impl Layout for Pgvector<'_> {
    fn search(&mut self, query: usize, ef: usize, found: &mut Vec<i64>) -> Result<Fetches> {
        let set = self.set;
        let values = set.queries.get(query);
        self.beam.start(1);
        self.fresh.clear();
        self.fresh.push(self.pages.entry);
        self.look(values)?;
        let mut entry = self.nearest()?;
        for level in (1..=entry.1.level).rev() {
            self.level(values, entry, level, 1)?;
            entry = self.nearest()?;
        }
        self.level(values, entry, 0, ef.max(set.k))?;
        found.extend(self.beam.nodes().iter().take(set.k).map(|(_, node)| i64::from(node.row)));
        Ok(Fetches::default())
    }

    fn take_reads(&self) -> u64 {
        self.pages.store.take_reads().pins
    }

    fn bytes(&self) -> u64 {
        u64::from(self.pages.store.len()) * PAGE_SIZE as u64
    }
}
