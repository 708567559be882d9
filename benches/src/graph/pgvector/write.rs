//! Writing the pages.

use super::{HEADER, KIND, LINKS_HEADER, Pages};
use crate::graph::set::Set;
use anyhow::{Context, Result, ensure};
use kite_hnsw::Graph;
use kite_pages::{
    At, BlockNo, BulkWriter, Defect, ItemPointer, ItemWriter, MAX_ITEM, MemBulk, MemStore, Page, PageStore,
    View,
};

/// Where a node's two items lie.
#[derive(Debug, Clone, Copy)]
struct Place {
    element: ItemPointer,
    links: ItemPointer,
}

impl Pages {
    /// Writes the nodes in the order of their rows. Both items of a node lie on one page where both fit, as pgvector has it.
    pub(in crate::graph) fn write(set: &Set<'_>, graph: &Graph, m: usize) -> Result<Self> {
        let store = MemStore::new();
        let nodes = 0..graph.len() as u32;
        let links_size =
            |node| LINKS_HEADER + (usize::from(graph.level(node)) + 2) * m * size_of::<ItemPointer>();
        let element_size = HEADER + size_of_val(set.rows.get(0));
        // Where everything will lie, before anything is written: links lead forward too.
        let mut rehearsal = Filler::new(None::<MemBulk<'_>>);
        let places: Vec<Place> = nodes
            .clone()
            .map(|node| {
                let links = links_size(node);
                rehearsal.keep_together(element_size, links)?;
                let element = rehearsal.put(element_size, |_| Ok(()))?;
                Ok(Place { element, links: rehearsal.put(links, |_| Ok(()))? })
            })
            .collect::<Result<_>>()?;
        let mut filler = Filler::new(Some(store.bulk()?));
        for node in nodes {
            let place = places[node as usize];
            filler.keep_together(element_size, links_size(node))?;
            let element = filler.put(element_size, |item| {
                write_element(item, node, graph.level(node), place.links, set.rows.get(node as usize))
            })?;
            let links = filler.put(links_size(node), |item| write_links(item, graph, m, node, &places))?;
            ensure!((element, links) == (place.element, place.links), "node {node} lies elsewhere");
        }
        filler.finish()?;
        let entry = places[graph.entry() as usize].element;
        Ok(Self { store, m, entry })
    }
}

fn write_element(
    item: &mut [u8],
    row: u32,
    level: u8,
    links: ItemPointer,
    vector: &[f32],
) -> Result<(), Defect> {
    let mut writer = ItemWriter::new(item);
    writer.put(&links)?;
    writer.put(&[level, 0])?;
    writer.put(&row)?;
    writer.put(&[0_u8; HEADER - 12])?;
    writer.put(vector)
}

/// The links of the highest level first; places that are not used point nowhere.
fn write_links(item: &mut [u8], graph: &Graph, m: usize, node: u32, places: &[Place]) -> Result<(), Defect> {
    let mut writer = ItemWriter::new(item);
    writer.put(&[0_u8; LINKS_HEADER])?;
    for level in (0..=graph.level(node)).rev() {
        let capacity = if level == 0 { 2 * m } else { m };
        let links = graph.links(node, level).map(|link| places[link as usize].element);
        for link in links.chain(std::iter::repeat(ItemPointer::NONE)).take(capacity) {
            writer.put(&link)?;
        }
    }
    Ok(())
}

/// Fills one page after the other.
struct Filler<W> {
    page: Box<Page>,
    block: BlockNo,
    writer: Option<W>,
}

impl<W: BulkWriter> Filler<W> {
    fn new(writer: Option<W>) -> Self {
        let mut page = Page::zeroed();
        page.init(KIND);
        Self { page, block: 0, writer }
    }

    /// Begins a page where two items that one page can hold do not fit together on this one.
    fn keep_together(&mut self, first: usize, second: usize) -> Result<()> {
        // With the first one's padding and line pointer.
        let both = first.next_multiple_of(8) + 8 + second;
        if both <= MAX_ITEM && self.room()? < both {
            self.turn()?;
        }
        Ok(())
    }

    fn room(&self) -> Result<usize> {
        Ok(self.page.view(KIND).and_then(View::room).at(self.block)?)
    }

    /// Adds an item, on the next page where this one has no room.
    fn put(
        &mut self,
        size: usize,
        write: impl FnOnce(&mut [u8]) -> Result<(), Defect>,
    ) -> Result<ItemPointer> {
        if self.room()? < size {
            self.turn()?;
        }
        let block = self.block;
        let no = self.page.add_zeroed(size).at(block)?.context("a vector is longer than a page")?;
        write(self.page.item_mut(no).at(block)?.context("an item was just added")?).at(block)?;
        Ok(ItemPointer::new(block, no))
    }

    fn turn(&mut self) -> Result<()> {
        if let Some(writer) = &mut self.writer {
            writer.append(&self.page)?;
        }
        self.page = Page::zeroed();
        self.page.init(KIND);
        self.block += 1;
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.turn()?;
        if let Some(writer) = self.writer {
            writer.finish()?;
        }
        Ok(())
    }
}
