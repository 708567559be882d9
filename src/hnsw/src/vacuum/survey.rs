//! What there is to do: one look at every page.

use super::places::Places;
use crate::Result;
use crate::format::{CHUNK, Item, LIST, Link, List, POSTING, Place, Posting, VERTEX, Vertex};
use crate::index::Index;
use kite_pages::payload::Chunk;
use kite_pages::{At, BlockNo, Defect, ItemPointer, PAGE_SIZE, PageStore, View};

/// The most items that a page can have: none has fewer than 24 bytes, and each has a line pointer.
const PER_PAGE: usize = PAGE_SIZE / (24 + 4);

/// Bytes for one place with its mark, rounded up; and there are two sets of them.
const PER_PLACE: usize = 2 * 9;

/// What was found.
#[derive(Debug)]
pub(super) struct Survey {
    /// Vertices without rows.
    pub(super) dead: Places,
    /// Items that must be referred to from elsewhere. Those that are get a mark; the others are orphans.
    pub(super) foreign: Places,
    /// Where collecting began.
    from: BlockNo,
    /// The block before which it stopped, since memory was full.
    pub(super) stopped: Option<BlockNo>,
    /// One of the highest vertices that have rows.
    pub(super) highest: Option<(u8, Link)>,
    pub(super) vertices: u64,
    pub(super) dead_vertices: u64,
    /// Rows, as they were when their pages were looked at.
    pub(super) rows: u64,
}

impl Survey {
    pub(super) fn new(memory: usize, from: BlockNo) -> Self {
        let most = (memory / PER_PLACE).max(PER_PAGE);
        Self {
            dead: Places::new(most),
            foreign: Places::new(most),
            from,
            stopped: None,
            highest: None,
            vertices: 0,
            dead_vertices: 0,
            rows: 0,
        }
    }

    /// Looks at a page. It is locked.
    pub(super) fn page<S: PageStore>(
        &mut self,
        index: &Index<'_, S>,
        view: View<'_>,
        block: BlockNo,
    ) -> Result<()> {
        let collects = self.collects(block);
        let mut own = Vec::new();
        for item in view.items() {
            let (no, item) = item.at(block)?;
            let pointer = ItemPointer::new(block, no);
            match item.first() {
                Some(&VERTEX) => {
                    let vertex = Vertex::parse(item, ()).at(block)?;
                    own.extend(vertex.lists.iter().filter(|list| list.block() == block));
                    self.vertex(&vertex, Link::new(pointer, vertex.generation()), collects)?;
                }
                Some(&POSTING) => {
                    let posting = Posting::parse(item, ()).at(block)?;
                    if posting.unlinked().is_none() {
                        self.rows += posting.tids.len() as u64;
                    }
                }
                _ => {}
            }
        }
        if collects {
            for item in view.items() {
                let (no, item) = item.at(block)?;
                if let Some(generation) = needs_claim(index, item).at(block)?
                    && !own.iter().any(|list: &Link| list.no() == no && list.fits(generation))
                {
                    self.foreign.push(Link::new(ItemPointer::new(block, no), generation))?;
                }
            }
        }
        Ok(())
    }

    fn vertex(&mut self, vertex: &Vertex<'_>, link: Link, collects: bool) -> Result<()> {
        if vertex.is_dead() {
            self.dead_vertices += 1;
            if collects {
                self.dead.push(link)?;
            }
            return Ok(());
        }
        self.vertices += 1;
        self.rows += vertex.tids.len() as u64;
        if self.highest.is_none_or(|(level, _)| level < vertex.level()) {
            self.highest = Some((vertex.level(), link));
        }
        Ok(())
    }

    /// Whether what this page has to do is collected.
    fn collects(&mut self, block: BlockNo) -> bool {
        if block < self.from || self.stopped.is_some() {
            return false;
        }
        let fits = self.dead.fit(PER_PAGE) && self.foreign.fit(PER_PAGE);
        if !fits {
            self.stopped = Some(block);
        }
        fits
    }
}

/// The generation of an item that must be referred to by others, and whose writer has done so or failed by now.
///
/// A list is written together with its vertex, and a posting too. A chunk is written before, so its stamp decides.
fn needs_claim<S: PageStore>(index: &Index<'_, S>, item: &[u8]) -> Result<Option<u32>, Defect> {
    Ok(match item.first() {
        Some(&LIST) => Some(List::parse(item, index.shape)?.generation()),
        Some(&POSTING) => {
            let posting = Posting::parse(item, ())?;
            posting.unlinked().is_none().then(|| posting.generation())
        }
        Some(&CHUNK) => {
            let chunk = Chunk::parse(item, CHUNK)?;
            chunk.filter(|chunk| index.store.is_past(chunk.stamp)).map(|chunk| chunk.generation)
        }
        _ => None,
    })
}

/// Tells `claim` what a page refers to, on whatever pages. The page is locked.
pub(super) fn claims(view: View<'_>, block: BlockNo, mut claim: impl FnMut(Link)) -> kite_pages::Result<()> {
    for item in view.items() {
        let (_, item) = item.at(block)?;
        match item.first() {
            Some(&VERTEX) => {
                let vertex = Vertex::parse(item, ()).at(block)?;
                vertex.lists.iter().copied().for_each(&mut claim);
                claim(vertex.postings());
                if let Place::Chain(chain) = vertex.payload().at(block)? {
                    claim(Link::from(chain));
                }
            }
            Some(&POSTING) => {
                let posting = Posting::parse(item, ()).at(block)?;
                // One that is unlinked keeps its link for readers under way, and nothing alive by it.
                if posting.unlinked().is_none() {
                    claim(posting.next());
                }
            }
            Some(&CHUNK) => {
                if let Some(next) = Chunk::parse(item, CHUNK).at(block)?.and_then(|chunk| chunk.next) {
                    claim(Link::from(next));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
