//! Learning the frame of the codes, once an index that began empty holds enough vertices.

use crate::Result;
use crate::format::{CHUNKS, Link, NODES, VertexBuf, vertices};
use crate::index::Index;
use crate::payloads::{Payloads, fetch};
use kite_codecs::Frame;
use kite_pages::{At, BlockNo, ItemPointer, MAX_ITEM, PageStore, payload};

/// Vertices that an index has about when it learns its frame, and the most that it learns from.
const VERTICES: usize = 2000;
/// Fewer say too little about where the middle is.
const FEWEST: usize = 256;
/// The most bytes of payloads that are looked at together.
const SAMPLE: usize = 32 << 20;

impl<S: PageStore> Index<'_, S> {
    /// Learns the frame if the index has none, and has grown over a mark since it had so many pages.
    ///
    /// Whether it holds enough vertices shows only in the pages, which need not hold vertices; so it is looked at not at each
    /// insert but once in so many pages.
    pub(super) fn learn_if_grown(&mut self, pages_before: BlockNo) -> Result<()> {
        if self.meta.frame != 0 || self.meta.spec.code_bits == 0 {
            return Ok(());
        }
        let threshold = self.pages_to_learn();
        let (pages, step) = (self.store.len(), (threshold / 4).max(1));
        if pages >= threshold && pages / step > pages_before / step {
            self.learn()?;
        }
        Ok(())
    }

    /// The pages that so many vertices take while they have no codes.
    pub(super) fn pages_to_learn(&self) -> BlockNo {
        let payload = self.scorer.payload_len().unwrap_or(0);
        let list = self.shape.size(self.meta.slots(1), false);
        (VERTICES * (VertexBuf::size(0, payload, 1) + list) / MAX_ITEM) as BlockNo + 1
    }

    /// Learns a frame from a sample of the vertices and gives all lists their codes. Others may insert meanwhile; what they write
    /// without codes is recoded when a link is added to it, or by the next vacuum.
    pub(super) fn learn(&mut self) -> Result<()> {
        if self.set_frame()? { self.recode_all() } else { Ok(()) }
    }

    /// Learns a frame and makes it the index's. `false` when there are too few vertices, or another insert was faster and goes
    /// over the lists.
    pub(super) fn set_frame(&mut self) -> Result<bool> {
        if self.meta.spec.code_bits == 0 {
            return Ok(false);
        }
        let Some(frame) = self.frame_of_sample()? else { return Ok(false) };
        let chain = payload::write(self.store, CHUNKS, ItemPointer::NONE, &frame.to_bytes())?;
        let first = self.change_meta(|meta| {
            let first = meta.frame == 0;
            if first {
                (meta.frame, meta.frame_chain, meta.untidy) = (1, chain, true);
            }
            first
        })?;
        if !first {
            payload::free(self.store, CHUNKS, chain)?;
        }
        self.refresh()?;
        Ok(first)
    }

    /// Gives every list the codes of the frame.
    fn recode_all(&mut self) -> Result<()> {
        for block in 1..self.store.len() {
            self.store.check_interrupts()?;
            self.recode_page(block)?;
        }
        Ok(())
    }

    /// A frame for vertices of pages that are spread evenly; `None` when there are too few.
    fn frame_of_sample(&self) -> Result<Option<Frame>> {
        let pages = self.store.len().saturating_sub(1);
        let visited = pages.min(self.pages_to_learn());
        let (mut payloads, mut bytes, mut count) = (Payloads::default(), 0, 0);
        for n in 0..visited {
            self.store.check_interrupts()?;
            let block = 1 + (u64::from(n) * u64::from(pages) / u64::from(visited)) as BlockNo;
            let vertices = self.vertices_of(block)?;
            count += vertices.len();
            fetch(self.store, &vertices, &mut payloads)?;
            bytes = payloads.iter().map(<[u8]>::len).sum();
            if bytes > SAMPLE || count >= VERTICES {
                break;
            }
        }
        if count < FEWEST && bytes <= SAMPLE {
            return Ok(None);
        }
        Ok(Some(self.scorer.learn_of(payloads.iter(), self.meta.seed)?))
    }

    /// The vertices of a page.
    fn vertices_of(&self, block: BlockNo) -> Result<Vec<Link>> {
        let page = self.store.read(block)?;
        if page.is_new() || page.kind() != NODES {
            return Ok(Vec::new());
        }
        let view = page.view(NODES).at(block)?;
        vertices(view, block).map(|vertex| Ok(vertex.at(block)?.0)).collect()
    }
}
