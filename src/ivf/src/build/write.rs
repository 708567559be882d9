//! Writing lists, one after the other: items of rows, blocks, anchor; behind all lists the directory.
//!
//! The blocks of a list lie on consecutive pages, but for the first one, which takes what the list before has left of its page. Rows
//! fill pages of their own. Long lists are written by parts, so that only some blocks of them are held.

use super::pages::Pages;
use super::records::Layout;
use crate::format::{
    Anchor, BODY, BlockBuf, CHUNKS, CentreHead, DIRECTORY, Entries, LONGEST_BLOCK, Link, Scanned, Shape,
    row_item, set_next,
};
use crate::insert::anchor_of;
use crate::quantiser::{Quantiser, codewords, directory_shape};
use crate::{Error, Result};
use kite_build::Host;
use kite_pages::{At, BlockNo, BulkWriter, ItemPointer, ItemRef, Stamp, payload};
use zerocopy::IntoBytes;

/// Blocks that are held of a list.
const PART: usize = 256;
/// Bytes for which the rest of a page is worth using.
const WORTH: usize = 512;

/// Writes an index.
#[derive(Debug)]
pub(super) struct Writer<'a, B, H> {
    pages: Pages<B>,
    quantiser: &'a Quantiser,
    layout: Layout,
    host: &'a H,
    stamp: Stamp,
    /// Pages being filled with rows, and with blocks.
    row_page: Option<BlockNo>,
    block_page: Option<BlockNo>,
    /// Entries that have no block yet, and how far each is from the centroid.
    pending: BlockBuf,
    errors: Vec<f32>,
    anchor: Option<Link>,
    /// The page of the anchor, while that is not complete.
    held: Option<BlockNo>,
    /// The block written last of the list at hand; its page is open.
    last: Option<Link>,
    anchors: Vec<Link>,
    item: Vec<u8>,
    pub(super) rows: u64,
    pub(super) error: f64,
}

impl<'a, B: BulkWriter, H: Host> Writer<'a, B, H> {
    pub(super) fn new(bulk: B, quantiser: &'a Quantiser, layout: Layout, stamp: Stamp, host: &'a H) -> Self {
        Self {
            pages: Pages::new(bulk),
            quantiser,
            layout,
            host,
            stamp,
            row_page: None,
            block_page: None,
            pending: BlockBuf::new(ItemPointer::NONE, 0, 0),
            errors: Vec::new(),
            anchor: None,
            held: None,
            last: None,
            anchors: Vec::new(),
            item: Vec::new(),
            rows: 0,
            error: 0.0,
        }
    }

    fn shape(&self) -> Shape {
        self.quantiser.shape
    }

    /// Adds a row to the list at hand.
    pub(super) fn add(&mut self, record: &[u8]) -> Result<()> {
        let (shape, layout) = (self.shape(), self.layout);
        let (tid, payload) = (layout.tid(record), layout.payload(record));
        let chain;
        let payload = if shape.chained() {
            chain = self.write_chain(tid, payload)?;
            chain.as_bytes()
        } else {
            payload
        };
        if shape.rows {
            let row = self.write_row(tid, payload)?;
            self.pending.rows.push(row);
        }
        if shape.scanned == Scanned::Code {
            let code = layout.code(record, shape.body + shape.factors);
            self.pending.bodies.extend_from_slice(&code[..shape.body]);
            self.pending.factors.extend_from_slice(&code[shape.body..]);
        } else {
            self.pending.bodies.extend_from_slice(payload);
        }
        self.pending.tids.push(tid);
        self.errors.push(layout.error(record));
        self.rows += 1;
        self.error += f64::from(layout.error(record));
        if self.rows.is_multiple_of(64) {
            self.host.go_on()?;
            self.host.written(self.pages.next());
        }
        if self.pending.count() >= PART * shape.most() {
            self.write_blocks()?;
        }
        Ok(())
    }

    /// Ends the list at hand. Lists come in the order of their numbers.
    pub(super) fn end_list(&mut self) -> Result<()> {
        self.host.go_on()?;
        if self.pending.count() > 0 || self.anchor.is_none() {
            self.write_blocks()?;
        }
        if let Some(last) = self.last.take() {
            self.leave(last.block())?;
        }
        let anchor = self.anchor.take();
        self.anchors.extend(anchor);
        self.pending.list += 1;
        Ok(())
    }

    fn write_row(&mut self, tid: ItemPointer, payload: &[u8]) -> Result<ItemPointer> {
        let mut item = std::mem::take(&mut self.item);
        row_item(&self.shape(), tid, payload, &mut item);
        let place = self.place_row(|pages, block| pages.add(block, &item));
        self.item = item;
        place.map(|(block, no)| ItemPointer::new(block, no))
    }

    /// Puts something on the page of rows, or on the next one.
    fn place_row<T>(
        &mut self,
        mut put: impl FnMut(&mut Pages<B>, BlockNo) -> Result<Option<T>>,
    ) -> Result<(BlockNo, T)> {
        if let Some(block) = self.row_page {
            if !self.pages.is_full()
                && let Some(placed) = put(&mut self.pages, block)?
            {
                return Ok((block, placed));
            }
            self.pages.close(block)?;
        }
        let block = self.pages.open(BODY)?;
        self.row_page = Some(block);
        match put(&mut self.pages, block)? {
            Some(placed) => Ok((block, placed)),
            None => Err(Error::corrupt(block, "a row does not fit a page")),
        }
    }

    fn write_chain(&mut self, tid: ItemPointer, payload: &[u8]) -> Result<ItemRef> {
        let (mut next, stamp) = (ItemRef::NONE, self.stamp);
        for part in payload::parts(payload)? {
            let (_, chunk) = self.place_row(|pages, block| {
                Ok(part.add_to(pages.page(block)?, block, CHUNKS, tid, next, stamp).at(block)?)
            })?;
            next = chunk;
        }
        Ok(next)
    }

    /// Writes what is pending as blocks, and the anchor before the first of them.
    fn write_blocks(&mut self) -> Result<()> {
        let shape = self.shape();
        let count = self.pending.count();
        let mut done = 0;
        let mut run: Option<(BlockNo, u32)> = None;
        let begins = self.anchor.is_none();
        if begins {
            self.place_anchor(count)?;
            // What the page of the anchor has room for.
            if let Some(block) = self.block_page {
                let fits = shape.capacity_in(self.pages.room(block)?.min(LONGEST_BLOCK)).min(count);
                if fits == count || fits * shape.entry() >= WORTH {
                    self.write_block(0..fits)?;
                    done = fits;
                }
            }
        }
        while done < count {
            let end = count.min(done + shape.most());
            // A page that is left is closed, unless the block written last is to get its link there.
            if let Some(block) = self.block_page.take() {
                self.leave(block)?;
            }
            let block = self.pages.open(BODY)?;
            self.block_page = Some(block);
            self.write_block(done..end)?;
            run = Some((run.map_or(block, |(first, _)| first), run.map_or(1, |(_, len)| len + 1)));
            done = end;
        }
        if let (true, Some(anchor), Some((first, len))) = (begins, self.anchor, run) {
            let page = self.pages.page(anchor.block())?;
            let item = page.item_mut(anchor.no()).at(anchor.block())?;
            anchor_of(item, anchor.block())?.set_run(first, len);
        }
        if let Some(block) = self.held.take() {
            self.leave(block)?;
        }
        let list = self.pending.list;
        self.pending = BlockBuf { list, ..BlockBuf::new(ItemPointer::NONE, list, 0) };
        self.errors.clear();
        Ok(())
    }

    /// Closes a page of blocks that nothing is added to, or changed on, any more.
    fn leave(&mut self, block: BlockNo) -> Result<()> {
        let used = self.block_page == Some(block)
            || self.last.is_some_and(|last| last.block() == block)
            || self.held == Some(block);
        if used { Ok(()) } else { self.pages.close(block) }
    }

    /// Finds a page for the anchor of a list with so many entries at first.
    fn place_anchor(&mut self, count: usize) -> Result<()> {
        let shape = self.shape();
        let worth = shape.size(count).min(WORTH.max(shape.size(1))) + size_of::<Anchor>() + 16;
        if let Some(block) = self.block_page
            && (self.pages.is_full() || self.pages.room(block)? < worth)
        {
            self.block_page = None;
            self.leave(block)?;
        }
        let block = match self.block_page {
            Some(block) => block,
            None => self.pages.open(BODY)?,
        };
        (self.block_page, self.held) = (Some(block), Some(block));
        let page = self.pages.page(block)?;
        let generation = page.next_generation();
        let anchor = Anchor::new(self.pending.list, generation);
        let no = page.add(anchor.as_bytes()).at(block)?;
        let no = no.ok_or(Error::corrupt(block, "an anchor does not fit its page"))?;
        self.anchor = Some(Link::new(ItemPointer::new(block, no), generation));
        Ok(())
    }

    /// Writes some of the pending entries as a block to the page at hand, and links it in.
    fn write_block(&mut self, range: std::ops::Range<usize>) -> Result<()> {
        let (shape, pending) = (self.shape(), &self.pending);
        let (Some(block), Some(anchor)) = (self.block_page, self.anchor) else { return Ok(()) };
        let mut buf = BlockBuf::new(anchor.pointer(), pending.list, range.len());
        buf.closed = true;
        buf.add(&Entries {
            bodies: &pending.bodies[range.start * shape.body..range.end * shape.body],
            factors: &pending.factors[range.start * shape.factors..range.end * shape.factors],
            rows: if shape.rows { &pending.rows[range.clone()] } else { &[] },
            tids: &pending.tids[range.clone()],
        });
        buf.error = self.errors[range].iter().map(|&error| f64::from(error)).sum();
        if buf.count() == 0 {
            return Ok(());
        }
        let page = self.pages.page(block)?;
        buf.generation = page.next_generation();
        let no = buf.to_bytes(&shape).and_then(|bytes| page.add(&bytes)).at(block)?;
        let no = no.ok_or(Error::corrupt(block, "a block of a list does not fit its page"))?;
        let link = Link::new(ItemPointer::new(block, no), buf.generation);
        let before = self.last.replace(link);
        let at = before.unwrap_or(anchor).block();
        let page = self.pages.page(at)?;
        match before {
            Some(before) => {
                let item = page.item_mut(before.no()).at(at)?;
                let item = item.ok_or(Error::corrupt(at, "a block of a list is missing"))?;
                set_next(item, link).at(at)?;
                self.leave(at)?;
            }
            None => anchor_of(page.item_mut(anchor.no()).at(at)?, at)?.chains[0] = link,
        }
        Ok(())
    }

    /// Writes the directory, and answers where it begins.
    pub(super) fn finish(mut self) -> Result<(BlockNo, u64, f64)> {
        let quantiser = self.quantiser;
        let shape = directory_shape(&quantiser.options);
        let lists = quantiser.centres.count();
        let codebook = match &quantiser.coder {
            crate::coder::Coder::Product(coder) => coder.codebook(),
            _ => &[],
        };
        let words = codewords(quantiser.options.codes);
        let dims = codebook.len().checked_div(words).unwrap_or(0);
        for block in [self.row_page.take(), self.block_page.take()].into_iter().flatten() {
            self.pages.close(block)?;
        }
        let first = self.pages.next();
        let mut open = None;
        for number in 0..lists + words {
            self.host.go_on()?;
            let (anchor, bytes) = if number < lists {
                (self.anchors.get(number).copied().unwrap_or(Link::NONE), quantiser.centres.bytes(number))
            } else {
                (Link::NONE, codebook[(number - lists) * dims..(number - lists + 1) * dims].as_bytes())
            };
            for part in 0..shape.parts {
                let block = first + shape.place(number).0 + part as BlockNo;
                if open != Some(block) {
                    if let Some(before) = open.replace(block) {
                        self.pages.close(before)?;
                    }
                    self.pages.open(DIRECTORY)?;
                }
                self.item.clear();
                self.item.extend_from_slice(CentreHead::new(number as u32, anchor).as_bytes());
                self.item.extend_from_slice(&bytes[shape.part(part)]);
                if self.pages.add(block, &self.item)? != Some(shape.place(number).1) {
                    return Err(Error::corrupt(block, "a centroid does not fit its page"));
                }
            }
        }
        self.host.written(self.pages.next());
        self.pages.finish()?;
        Ok((first, self.rows, self.error))
    }
}
