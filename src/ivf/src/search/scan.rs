//! A query: rows, nearest first, as many as are asked for.
//!
//! The nearest `probes` lists are read whole. What is scanned gives each row the least that its distance can be, as far as codes know;
//! payloads are read in this order, and a row is handed out as soon as no other can be nearer. So it is the codes' own error
//! that decides how many payloads are read.

use super::candidates::{Candidate, Candidates, Floor};
use super::options::{Distance, Limit, Order, Row, ScanOptions};
use super::ready::Ready;
use crate::centres::Place;
use crate::coder::{CodeQuery, Desk, Estimates};
use crate::format::{Block, Scanned};
use crate::index::Index;
use crate::quantiser::Quantiser;
use crate::rows::{chain_of, read_chains, read_rows};
use crate::walk::walk;
use crate::{Payload, Result};
use kite_codecs::{CellDesk, PreparedQuery, Value};
use kite_pages::{ItemPointer, ItemRef, PageStore};
use std::collections::BinaryHeap;
use std::sync::Arc;

/// How many payloads are read together.
const TOGETHER: usize = 24;
/// How many rows a filter is asked about for them. Where few pass, those that are wanted may be known long before so many are found.
const ASKED: usize = 4 * TOGETHER;

/// A query in progress. It holds no lock and no page between calls.
#[derive(Debug)]
pub struct Scan<'s, S> {
    store: &'s S,
    quantiser: Arc<Quantiser>,
    pub(super) options: ScanOptions,
    pub(super) query: PreparedQuery,
    point: Vec<f32>,
    code: CodeQuery,
    /// All lists, the nearest first as far as they are sorted.
    pub(super) lists: Vec<(f32, u32)>,
    sorted: usize,
    /// Lists of the batch at hand.
    pub(super) batch: std::ops::Range<usize>,
    /// What was taken of parts of it: where each ends.
    parts: Vec<(usize, Floor)>,
    candidates: Candidates,
    /// Rows whose payloads were looked at.
    pub(super) ready: BinaryHeap<Ready>,
    /// The distance handed out last.
    last: f64,
    /// By how much codes have made rows out to be farther than they are.
    pub(super) slack: f64,
    pub(super) ended: bool,
    pub(super) counts: Counts,
}

/// What a scan has looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    scanned: u64,
    ranked: u64,
    /// Rows that were handed out, those that the filter did not let pass, and all of the lists that were read, each counted once.
    pub(super) out: u64,
    pub(super) refused: u64,
    pub(super) known: u64,
}

impl<'s, S: PageStore> Index<'s, S> {
    /// Begins a query. `None` (NULL) and a zero vector under cosine distance order nothing.
    ///
    /// # Errors
    /// A value of another type or other dimensions than the index's, and those of the store.
    pub fn scan(&mut self, query: Option<Value<'_>>, options: ScanOptions) -> Result<Scan<'s, S>> {
        self.refresh()?;
        let quantiser = Arc::clone(&self.quantiser);
        let prepared = quantiser.scorer.prepare(query)?;
        let (mut desk, mut code) = (Desk::default(), CodeQuery::None);
        let count = quantiser.centres.count();
        let mut lists: Vec<(f32, u32)> = (0..count as u32).map(|list| (0.0, list)).collect();
        if let (Some(query), true) = (query, prepared.orders())
            && let Some(place) = quantiser.place(query, &mut desk)
        {
            for (key, list) in &mut lists {
                *key = quantiser.centres.query_key(place, *list as usize);
            }
            if let Place::Point(point) = place {
                code = quantiser.coder.prepare(query, point)?;
            }
        }
        Ok(Scan {
            store: self.store,
            candidates: Candidates::new(options.memory),
            quantiser,
            options,
            query: prepared,
            point: desk.point,
            code,
            lists,
            sorted: 0,
            batch: 0..0,
            parts: Vec::new(),
            ready: BinaryHeap::new(),
            last: f64::NEG_INFINITY,
            slack: 0.0,
            ended: false,
            counts: Counts::default(),
        })
    }
}

impl<S: PageStore> Scan<'_, S> {
    /// The next row.
    ///
    /// # Errors
    /// Those of the store.
    pub fn next_row(&mut self) -> Result<Option<Row>> {
        self.next_row_if(|_| Ok(true))
    }

    /// The next row that the filter lets pass. It is asked about rows that are near enough to be results, once each, and while nothing
    /// is locked.
    ///
    /// # Errors
    /// Those of the store and of the filter.
    pub fn next_row_if(
        &mut self,
        mut filter: impl FnMut(ItemPointer) -> Result<bool>,
    ) -> Result<Option<Row>> {
        loop {
            let nearest = self.candidates.peek();
            let others = nearest.map(|nearest| nearest.value).or(self.candidates.forgotten());
            if let Some(Ready { value, tid }) = self.first_of(others) {
                if self.is_ahead() && self.next_batch()? {
                    continue;
                }
                self.ready.pop();
                if self.wanted(value) {
                    self.last = value;
                    self.counts.out += 1;
                    return Ok(Some(Row { tid, distance: self.distance(value) }));
                }
            } else if nearest.is_some() {
                if self.ranks() {
                    self.rank(&mut filter)?;
                } else if let Some(row) = self.candidates.pop() {
                    if filter(row.tid)? {
                        self.ready.push(Ready { value: row.value, tid: row.tid });
                    } else {
                        self.counts.refused += 1;
                    }
                }
            } else if self.candidates.begin_again(self.parts.iter_mut().map(|(_, floor)| floor)) {
                let mut first = self.batch.start;
                for (end, floor) in self.parts.clone() {
                    self.candidates.read_from(floor);
                    self.read_lists(first..end)?;
                    first = end;
                }
            } else if !self.next_batch()? && self.ready.is_empty() {
                return Ok(None);
            }
        }
    }

    /// The row that comes next, if nothing comes between.
    pub fn coming(&self) -> Option<ItemPointer> {
        self.ready.peek().map(|row| row.tid)
    }

    /// Rows that were scanned so far.
    pub fn scanned(&self) -> u64 {
        self.counts.scanned
    }

    /// Payloads that were read so far to rank what was scanned.
    pub fn ranked(&self) -> u64 {
        self.counts.ranked
    }

    /// Lists that were read so far.
    pub fn probed(&self) -> usize {
        self.batch.end
    }

    /// The limit that has ended the query while there were more lists to look at.
    pub fn ended_by(&self) -> Option<Limit> {
        let more = self.ended && self.options.order != Order::Off && self.batch.end < self.lists.len();
        (more && self.batch.end >= self.options.max_probes).then_some(Limit::Probes)
    }

    /// Whether a row at this distance is to be handed out. What is no number is not beyond the range: nothing is known of it.
    fn wanted(&self, value: f64) -> bool {
        let late = self.options.order != Order::Relaxed && value < self.last;
        let beyond = value > self.options.within;
        !late && !beyond
    }

    fn distance(&self, value: f64) -> Distance {
        if !self.query.orders() {
            Distance::Unordered
        } else if self.quantiser.options.payload == Payload::None {
            Distance::Estimate(value)
        } else if self.quantiser.scorer.is_lossless() {
            Distance::Exact(value)
        } else {
            Distance::AtLeast(value)
        }
    }

    /// Whether payloads have to be read to rank what was scanned.
    fn ranks(&self) -> bool {
        self.quantiser.shape.rows && self.query.orders()
    }

    /// Reads the next lists. `false` if that is all.
    fn next_batch(&mut self) -> Result<bool> {
        let begin = self.batch.end;
        let (first, strict) = (begin == 0, self.options.order == Order::Strict);
        let most = self.last_list();
        // What is held is put in order anew each time, so that it is done for twice as many lists.
        let step = if strict && self.candidates.peek().is_some() { begin } else { 0 };
        let end = most.min(begin.saturating_add(self.options.probes.max(step).max(1)));
        self.ended |= begin >= end || (!first && self.options.order == Order::Off);
        if self.ended {
            return Ok(false);
        }
        if strict {
            // What was not handed out yet stays, since rows of further lists may be nearer.
            self.candidates.go_on(self.parts.iter_mut().map(|(_, floor)| floor));
        } else {
            self.candidates.clear();
            self.parts.clear();
            self.batch.start = begin;
        }
        self.candidates.read_from(Floor::default());
        let wanted = if self.options.order == Order::Off { 0 } else { self.options.rows as u64 };
        let mut part = begin..end;
        loop {
            self.batch.end = part.end;
            self.sort_lists();
            let before = self.counts.scanned;
            self.read_lists(part.clone())?;
            self.counts.known += self.counts.scanned - before;
            if part.end == most || self.counts.known >= wanted {
                break;
            }
            part = part.end..most.min(part.end + (part.end / 4).max(1));
        }
        self.parts.push((part.end, Floor::default()));
        // Lists come by their distance: where one has rows and none of them is near enough, no other will.
        if self.candidates.peek().is_some_and(|nearest| nearest.value > self.options.within) {
            self.candidates.clear();
            self.ended = true;
            return Ok(false);
        }
        Ok(true)
    }

    /// Puts the lists of the batch in order.
    fn sort_lists(&mut self) {
        let by_key = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        let end = self.batch.end;
        if end <= self.sorted {
            return;
        }
        let rest = &mut self.lists[self.sorted..];
        let count = end - self.sorted;
        if count < rest.len() {
            rest.select_nth_unstable_by(count, by_key);
        }
        rest[..count].sort_unstable_by(by_key);
        self.sorted = end;
    }

    /// Scans some lists.
    fn read_lists(&mut self, part: std::ops::Range<usize>) -> Result<()> {
        let quantiser = Arc::clone(&self.quantiser);
        let lists: Vec<usize> = self.lists[part].iter().map(|&(_, list)| list as usize).collect();
        // Many lists at once would need a query for each.
        for group in lists.chunks(64) {
            let anchors: Vec<_> = group.iter().map(|&list| quantiser.anchors[list]).collect();
            let mut codes = Vec::new();
            if quantiser.shape.scanned == Scanned::Code && self.query.orders() {
                let mut desk = CellDesk::default();
                for &list in group {
                    let mut code = self.code.clone();
                    quantiser.coder.turn_to(&self.point, quantiser.centres.point(list), &mut desk, &mut code);
                    codes.push(code);
                }
            }
            let (mut estimates, mut chains) = (Estimates::default(), Vec::new());
            walk(self.store, &quantiser.shape, &anchors, |place, _, block| {
                self.counts.scanned += block.count() as u64;
                let code = codes.get(place).unwrap_or(&CodeQuery::None);
                self.scan_block(block, code, (&mut estimates, &mut chains))
            })?;
            self.scan_chains(&chains)?;
        }
        Ok(())
    }

    /// Takes the rows of a block. It runs under the lock of a page.
    fn scan_block(
        &mut self,
        block: &Block<'_>,
        code: &CodeQuery,
        (estimates, chains): (&mut Estimates, &mut Vec<(ItemPointer, ItemRef)>),
    ) -> Result<()> {
        let (entries, shape) = (&block.entries, &self.quantiser.shape);
        let row = |n: usize| entries.rows.get(n).copied().unwrap_or(ItemPointer::NONE);
        if !self.query.orders() {
            for (n, &tid) in entries.tids.iter().enumerate() {
                self.candidates.push(Candidate { value: 0.0, row: row(n), tid })?;
            }
            return Ok(());
        }
        match shape.scanned {
            Scanned::Payload => {
                for (n, &tid) in entries.tids.iter().enumerate() {
                    let value = self.value(entries.body(n, shape))?;
                    self.candidates.push(Candidate { value, row: ItemPointer::NONE, tid })?;
                }
            }
            Scanned::Chain => {
                for (n, &tid) in entries.tids.iter().enumerate() {
                    chains.extend(chain_of(entries.body(n, shape)).map(|chain| (tid, chain)));
                }
            }
            Scanned::Code => {
                let epsilon = if shape.rows { self.options.epsilon } else { 0.0 };
                let (coder, metric) = (&self.quantiser.coder, self.quantiser.options.metric);
                coder.at_least(code, entries, epsilon, estimates)?;
                let (candidates, tids) = (&mut self.candidates, entries.tids);
                estimates.near(metric, candidates.ceiling(), |n, value| {
                    Ok(candidates.push(Candidate { value, row: row(n), tid: tids[n] })?)
                })?;
            }
        }
        Ok(())
    }

    fn scan_chains(&mut self, chains: &[(ItemPointer, ItemRef)]) -> Result<()> {
        let numbered: Vec<(usize, ItemRef)> =
            chains.iter().enumerate().map(|(n, &(_, chain))| (n, chain)).collect();
        read_chains(self.store, &numbered, |n, payload| {
            let value = self.value(payload)?;
            Ok(self.candidates.push(Candidate { value, row: ItemPointer::NONE, tid: chains[n].0 })?)
        })
    }

    /// What the operator computes for a payload, or at least.
    #[inline]
    fn value(&self, payload: &[u8]) -> Result<f64> {
        let scorer = &self.quantiser.scorer;
        match scorer.operator(&self.query, payload)? {
            Some(value) => Ok(value),
            None => Ok(scorer.lower_bound(&self.query, payload)?),
        }
    }

    /// Looks at the payloads of the nearest rows that the filter lets pass.
    fn rank(&mut self, filter: &mut impl FnMut(ItemPointer) -> Result<bool>) -> Result<()> {
        let mut rows = Vec::with_capacity(TOGETHER);
        let mut asked = 0;
        while rows.len() < TOGETHER && (rows.is_empty() || asked < ASKED) {
            let Some(nearest) = self.candidates.peek() else { break };
            // What is known by now may be nearer than all the others.
            if self.first_of(Some(nearest.value)).is_some() {
                break;
            }
            self.candidates.pop();
            asked += 1;
            if filter(nearest.tid)? {
                rows.push((nearest.row, nearest.tid, nearest.value));
            } else {
                self.counts.refused += 1;
            }
        }
        rows.sort_unstable_by_key(|&(row, tid, _)| (row, tid));
        let places: Vec<_> = rows.iter().map(|&(row, tid, _)| (row, tid)).collect();
        let learns = self.options.order == Order::Strict;
        self.counts.ranked += rows.len() as u64;
        let quantiser = Arc::clone(&self.quantiser);
        read_rows(self.store, &quantiser.shape, &places, |n, payload| {
            let value = self.value(payload)?;
            if learns && rows[n].2 > value {
                self.slack = self.slack.max(rows[n].2 - value);
            }
            self.ready.push(Ready { value, tid: rows[n].1 });
            Ok(())
        })
    }
}
