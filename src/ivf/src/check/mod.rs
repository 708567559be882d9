//! Looking for damage, as `amcheck` does for b-trees. Nothing is written, and nothing found ends the search.
//!
//! What a crash or an interrupted vacuum may leave is not damage: entries whose rows are gone, replaced blocks that wait, chunks that nobody
//! refers to. It is counted, and the next vacuum sees to it.

use crate::format::{
    ANCHOR, BLOCK, BODY, Block, BlockBuf, CHUNK, Link, META, META_BLOCK, ROW, RowItem, Scanned,
};
use crate::index::Index;
use crate::rows::{Aligned, chain_of, read_chains, read_rows};
use crate::walk::Steps;
use crate::{Error, Result};
use kite_pages::payload::Chunk;
use kite_pages::{BlockNo, Defect, ItemPointer, ItemRef, PageStore, View};
use std::collections::{HashMap, HashSet};

/// Problems beyond this are counted only.
const MOST: usize = 1000;

/// Something that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The page where it shows.
    pub block: BlockNo,
    /// What it is.
    pub what: String,
}

/// What a check has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Damage, at most 1,000 times.
    pub problems: Vec<Problem>,
    /// Further problems.
    pub more: u64,
    /// Pages that were looked at.
    pub pages: u64,
    /// Rows.
    pub rows: u64,
    /// Blocks of lists.
    pub blocks: u64,
    /// Blocks that were replaced and not freed yet.
    pub waiting: u64,
    /// Entries whose rows are gone: an interrupted vacuum.
    pub gone: u64,
    /// Chunks that nobody refers to: inserts that failed, or an interrupted vacuum.
    pub orphans: u64,
}

impl Report {
    /// Whether there is no damage.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty() && self.more == 0
    }

    fn add(&mut self, block: BlockNo, what: impl Into<String>) {
        if self.problems.len() < MOST {
            self.problems.push(Problem { block, what: what.into() });
        } else {
            self.more += 1;
        }
    }

    /// Turns damage into a problem, and other errors into what they are.
    fn sound<T>(&mut self, outcome: Result<T>) -> Result<Option<T>> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(Error::Pages(kite_pages::Error::Corrupt { block, what })) => {
                self.add(block, what);
                Ok(None)
            }
            Err(Error::Codecs(error)) => {
                self.add(META_BLOCK, error.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// What the pages hold, before anything is known of how it hangs together.
#[derive(Debug, Default)]
struct Known {
    blocks: HashSet<ItemPointer>,
    rows: HashMap<ItemPointer, ItemPointer>,
    chunks: HashSet<ItemPointer>,
    referred: HashSet<ItemPointer>,
}

struct Check<'i, 's, S> {
    index: &'i Index<'s, S>,
    report: Report,
    known: Known,
    tids: HashSet<ItemPointer>,
}

impl<S: PageStore> Index<'_, S> {
    /// Looks at everything. Inserts and vacuums meanwhile may look like damage.
    ///
    /// # Errors
    /// Those of the store, but for damage; and a meta page or directory that cannot be read at all.
    pub fn check(&mut self) -> Result<Report> {
        let mut report = Report { pages: u64::from(self.store.len()), ..Report::default() };
        let refreshed = self.refresh();
        if report.sound(refreshed)?.is_none() {
            return Ok(report);
        }
        let (known, tids) = (Known::default(), HashSet::new());
        let mut check = Check { index: self, report, known, tids };
        check.collect()?;
        for list in 0..check.index.quantiser.anchors.len() {
            check.list(list)?;
        }
        check.relate();
        Ok(check.report)
    }
}

impl<S: PageStore> Check<'_, '_, S> {
    /// Looks at the items of all pages by themselves.
    fn collect(&mut self) -> Result<()> {
        let store = self.index.store;
        for block in 1..store.len() {
            store.check_interrupts()?;
            let page = store.read(block)?;
            if page.is_new() {
                continue;
            }
            let outcome = match page.sound() {
                Ok(view) if page.kind() == BODY => self.items(block, view),
                Ok(_) if page.kind() == META => Err(Defect("a meta page is not the first")),
                Ok(_) => Ok(()),
                Err(defect) => Err(defect),
            };
            if let Err(Defect(what)) = outcome {
                self.report.add(block, what);
            }
        }
        Ok(())
    }

    fn items(&mut self, block: BlockNo, view: View<'_>) -> Result<(), Defect> {
        view.room()?;
        let shape = &self.index.quantiser.shape;
        for item in view.items() {
            let (no, item) = item?;
            let pointer = ItemPointer::new(block, no);
            match item.first() {
                Some(&ANCHOR) => {}
                Some(&BLOCK) => {
                    Block::parse(item, shape)?;
                    self.known.blocks.insert(pointer);
                }
                Some(&ROW) if shape.rows => {
                    if let Some(row) = RowItem::parse(item)? {
                        if item.len() != shape.row_size() {
                            return Err(Defect("a row has another length than its index's"));
                        }
                        self.known.rows.insert(pointer, row.tid);
                    }
                }
                Some(&CHUNK) => {
                    let chunk = Chunk::parse(item, CHUNK)?;
                    self.known.chunks.insert(pointer);
                    self.known.referred.extend(chunk.and_then(|c| c.next).map(|next| next.pointer));
                }
                _ => return Err(Defect("an item is of no known sort")),
            }
        }
        Ok(())
    }

    /// Follows a list.
    fn list(&mut self, list: usize) -> Result<()> {
        let anchor = self.index.quantiser.anchors[list];
        let store = self.index.store;
        let found = {
            let page = store.read(anchor.block());
            let Some(page) = self.report.sound(page.map_err(Error::from))? else { return Ok(()) };
            page.view(BODY).and_then(|view| anchor.anchor(view)).map(Option::<&_>::copied)
        };
        let found = match found {
            Ok(Some(found)) if found.list() as usize == list => found,
            Ok(_) => {
                self.report.add(anchor.block(), format!("the anchor of list {list} is missing"));
                return Ok(());
            }
            Err(Defect(what)) => {
                self.report.add(anchor.block(), what);
                return Ok(());
            }
        };
        let mut steps = Steps::new(store);
        for first in found.chains {
            let mut at = first.some();
            while let Some(link) = at {
                store.check_interrupts()?;
                if self.report.sound(steps.take(&[link.block()]))?.is_none() {
                    break;
                }
                let Some(buf) = self.block(list, anchor, link)? else { break };
                self.entries(link, &buf)?;
                let mut old = buf.replaced.map(|(first, count, _)| (first, count));
                while let Some((link, count)) = old {
                    self.report.waiting += 1;
                    let Some(buf) = self.block(list, anchor, link)? else { break };
                    old = buf.next.some().map(|next| (next, count - 1)).filter(|&(_, count)| count > 0);
                }
                at = buf.next.some();
            }
        }
        Ok(())
    }

    /// A block that something leads to: once.
    fn block(&mut self, list: usize, anchor: Link, link: Link) -> Result<Option<BlockBuf>> {
        let page = self.index.store.read(link.block());
        let Some(page) = self.report.sound(page.map_err(Error::from))? else { return Ok(None) };
        let found = page.view(BODY).and_then(|view| link.list_block(view, &self.index.quantiser.shape));
        let buf = found.map(|found| found.map(|block| BlockBuf::of(&block)));
        drop(page);
        let what = match buf {
            Ok(Some(buf)) if buf.list as usize == list && buf.owner == anchor.pointer() => {
                if self.known.blocks.remove(&link.pointer()) {
                    self.report.blocks += 1;
                    return Ok(Some(buf));
                }
                format!("list {list} comes to a block twice")
            }
            Ok(Some(_)) => format!("list {list} leads to a block of another list"),
            Ok(None) => format!("list {list} leads to a block that is not there"),
            Err(Defect(what)) => what.to_owned(),
        };
        self.report.add(link.block(), what);
        Ok(None)
    }

    /// The entries of a block, and the rows that they lead to.
    fn entries(&mut self, link: Link, buf: &BlockBuf) -> Result<()> {
        let quantiser = &self.index.quantiser;
        let (store, shape) = (self.index.store, &quantiser.shape);
        self.report.rows += buf.count() as u64;
        for &tid in &buf.tids {
            if !self.tids.insert(tid) {
                let what = format!("row ({}, {}) has two entries", tid.block(), tid.no());
                self.report.add(link.block(), what);
            }
        }
        for (row, tid) in &buf.gone {
            if self.known.rows.get(row) == Some(tid) {
                self.known.rows.remove(row);
            } else {
                self.report.add(link.block(), "a block remembers a row that is not there");
            }
        }
        let (mut seen, mut bad) = (0, Vec::new());
        let mut look = |place: usize, payload: &[u8]| {
            seen += 1;
            if quantiser.scorer.value(payload).is_err() {
                bad.push(place);
            }
            Ok(())
        };
        let outcome = match shape.scanned {
            Scanned::Payload => {
                let mut aligned = Aligned::default();
                (0..buf.count()).try_for_each(|n| {
                    aligned.set(&buf.bodies[n * shape.body..(n + 1) * shape.body]);
                    look(n, aligned.bytes())
                })
            }
            Scanned::Chain => {
                let chain = |n: usize| chain_of(&buf.bodies[n * shape.body..(n + 1) * shape.body]);
                let chains: Vec<(usize, ItemRef)> =
                    (0..buf.count()).filter_map(|n| chain(n).map(|chain| (n, chain))).collect();
                self.known.referred.extend(chains.iter().map(|(_, chain)| chain.pointer));
                read_chains(store, &chains, look)
            }
            Scanned::Code if shape.rows => {
                let rows: Vec<_> = buf.rows.iter().copied().zip(buf.tids.iter().copied()).collect();
                for (row, tid) in &rows {
                    if self.known.rows.get(row) == Some(tid) {
                        self.known.rows.remove(row);
                    }
                }
                read_rows(store, shape, &rows, look)
            }
            Scanned::Code => {
                seen = buf.count();
                Ok(())
            }
        };
        self.report.sound(outcome)?;
        self.report.gone += buf.count().saturating_sub(seen) as u64;
        for n in bad {
            let tid = buf.tids[n];
            let what = format!("the payload of row ({}, {}) is damaged", tid.block(), tid.no());
            self.report.add(link.block(), what);
        }
        Ok(())
    }

    /// What nothing leads to.
    fn relate(&mut self) {
        let lost: Vec<ItemPointer> = self.known.blocks.drain().collect();
        for pointer in lost {
            self.report.add(pointer.block(), "no list leads to a block");
        }
        let lost: Vec<ItemPointer> = self.known.rows.drain().map(|(row, _)| row).collect();
        for pointer in lost {
            self.report.add(pointer.block(), "no list leads to a row");
        }
        if self.index.quantiser.shape.rows && self.index.quantiser.shape.chained() {
            // Rows refer to their chains; these were read with the rows.
            self.row_chains();
        }
        let orphans = self.known.chunks.difference(&self.known.referred).count();
        self.report.orphans = orphans as u64;
    }

    fn row_chains(&mut self) {
        let store = self.index.store;
        for block in 1..store.len() {
            let Ok(page) = store.read(block) else { continue };
            let Ok(view) = page.view(BODY) else { continue };
            for (_, item) in view.items().flatten() {
                if let Ok(Some(row)) = RowItem::parse(item) {
                    self.known.referred.extend(row.chain().ok().map(|chain| chain.pointer));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
