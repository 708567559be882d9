//! A query: rows, nearest first, as many as are asked for.

use super::beam::Beam;
use super::descend::descend;
use super::desk::Desk;
use super::found::{Found, Rows};
use super::options::{Distance, Limit, Order, Row, ScanOptions};
use super::probe::{Limits, Probe, Sink};
use super::ranked::Ranked;
use super::sweep::Sweep;
use crate::format::{META_BLOCK, Meta};
use crate::grow::push;
use crate::index::{Index, read_meta};
use crate::{Error, Result};
use kite_codecs::{Metric, Value};
use kite_pages::{ItemPointer, PageStore};
use std::collections::VecDeque;
use std::sync::Arc;

/// A query in progress. It holds no lock and no page between calls.
#[derive(Debug)]
pub struct Scan<'s, S> {
    probe: Probe<'s, S>,
    meta: Meta,
    options: ScanOptions,
    beam: Beam,
    found: Found,
    /// From where those come.
    desk: Arc<Desk>,
    /// Of the batch at hand, nearest first.
    batch: VecDeque<Ready>,
    rows: Rows,
    /// The bound of the vertex handed out last.
    last: f64,
    state: State,
    /// Whether it has gone on after the first batch.
    resumed: bool,
    /// The most that a bound was below what its key stands for, in the operator's unit.
    gap: f64,
    /// The search has found fewer than it was to, since no way leads to others.
    short: bool,
    /// Where it looks for more once no way leads any further.
    sweep: Option<Sweep>,
    /// From where it has sown.
    sown: Option<Sweep>,
    /// Vertices that were handed out.
    handed_out: usize,
    /// What has ended it, if vertices were left to look at.
    ended_by: Option<Limit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Begin,
    Going,
    End,
}

/// A vertex whose turn will come.
#[derive(Debug, Clone, Copy)]
struct Ready {
    bound: f64,
    ranked: Ranked,
}

impl<'s, S: PageStore> Index<'s, S> {
    /// Begins a query. `None` (NULL) and a zero vector under cosine distance order nothing.
    ///
    /// # Errors
    /// A value of another type or other dimensions than the index's, and those of the store.
    pub fn scan(&mut self, query: Option<Value<'_>>, options: ScanOptions) -> Result<Scan<'s, S>> {
        self.refresh()?;
        let query = self.scorer.prepare(query)?;
        Ok(Scan::new(self.probe(query), self.meta, options, Arc::clone(&self.desk)))
    }
}

/// So many vertices are read, about, for each of the `ef` nearest, up to so many of these.
const READ: usize = 3;
const FORESEEN: usize = 256;

/// A search for fewer than these expands fewer vertices together: more of those would be needless, as the first of them would have shown. By
/// hand, in turns, the real set: four together took 6 % longer than three at ef 14 (recall 0.955 and 0.953) and 5 % at 40 (the same recall). But
/// on 200,000 × 768 four took 288 and 304 µs at ef 40, and three 329 and 297 (recall 0.962 and 0.961).
const NARROW: usize = 24;
const NARROW_WIDTH: usize = 3;

/// A recheck of the rows that are wanted takes up to so many times as many, after which a scan is taken for one that goes on.
const RECHECKED: usize = 3;
/// How many of those that a search has read in vain are handed out at a time for it.
const SPARED: usize = 4;

/// Percent of the first batch that are held back with codes: they are what the frontier has not passed by much, and a search that goes on may
/// find nearer ones. With half of them ten rows at ef 28 took 85.5 pages a query on the real set, and so 78.3.
const HELD: usize = 35;
/// The same without codes. There a search has not looked as far beyond its results, and more rows would come too late.
const HELD_WITHOUT_CODES: usize = 50;
/// Percent of what went out that are held back where that is more. Estimates that are hardly off, and keys without codes, hold back few by
/// themselves (see [`Beam::passed`]). By hand, on 1,840 text embeddings by L1 a scan to the end lost 2.5 rows without, and 0.6 so; for LIMIT
/// 1000 of the real set it took as long.
const HELD_OF_ALL: usize = 100;

/// Pages that a scan which goes on under strict order sows from, at least; and that share of the vertices that it has read. Of 4,000 rows
/// in clusters much narrower than their distances it lost 1,889 without, 538 so, and 393 with four times the share; but that took a tenth
/// of the time for 1,000 rows of text embeddings, whose recall stayed as it was.
const SOWN: usize = 64;
const SHARE_SOWN: usize = 64;

/// How often a search that meets a vanished entry point asks the meta page for another.
const ATTEMPTS: usize = 100;

impl<'s, S: PageStore> Scan<'s, S> {
    fn new(probe: Probe<'s, S>, meta: Meta, options: ScanOptions, desk: Arc<Desk>) -> Self {
        let limits = Limits {
            ef: options.ef.max(1),
            width: options.width.min(if options.ef < NARROW { NARROW_WIDTH } else { usize::MAX }).max(1),
            resumable: options.order != Order::Off,
            keep_codes: false,
            visits: options.max_visits,
            memory: options.memory,
        };
        let (beam, found) = desk.take(limits);
        Self {
            probe,
            meta,
            options,
            beam,
            found,
            desk,
            batch: VecDeque::new(),
            rows: Rows::default(),
            last: f64::NEG_INFINITY,
            state: State::Begin,
            resumed: false,
            gap: 0.0,
            short: false,
            sweep: None,
            sown: None,
            handed_out: 0,
            ended_by: None,
        }
    }

    /// The next row.
    ///
    /// # Errors
    /// Those of the store.
    pub fn next_row(&mut self) -> Result<Option<Row>> {
        self.next_row_if(|_| Ok(true))
    }

    /// The next row that the filter lets pass. It is asked about rows that are near enough to be results, about some of them
    /// twice, and while nothing is locked. Rows that do not pass do not count towards `ef`.
    ///
    /// # Errors
    /// Those of the store and of the filter.
    pub fn next_row_if(
        &mut self,
        mut filter: impl FnMut(ItemPointer) -> Result<bool>,
    ) -> Result<Option<Row>> {
        loop {
            if let Some(tid) = self.rows.next(self.probe.store, &mut filter)? {
                return Ok(Some(Row { tid, distance: self.distance() }));
            }
            if self.must_search() {
                self.search(&mut filter)?;
            } else if let Some(ready) = self.batch.pop_front() {
                let late = self.options.order == Order::Strict && ready.bound < self.last;
                // What is no number is not beyond the range: nothing is known of it.
                let beyond = ready.bound > self.options.within;
                if !late && !beyond {
                    self.last = ready.bound;
                    self.handed_out += 1;
                    self.rows = self.found.rows(ready.ranked.node());
                }
            } else {
                return Ok(None);
            }
        }
    }

    /// The row that comes after so many others, if nothing is found that comes between.
    pub fn coming(&self, after: usize) -> Option<ItemPointer> {
        self.found.first_row(self.batch.get(after)?.ranked.node())
    }

    /// What may come after the first `ef` rows.
    pub fn order(&self) -> Order {
        self.options.order
    }

    /// Vertices that were read so far, on all levels.
    pub fn visits(&self) -> usize {
        self.beam.visits()
    }

    /// The limit that has ended the search while there was more to look at. What had been read by then is still handed out.
    pub fn ended_by(&self) -> Option<Limit> {
        self.ended_by
    }

    fn distance(&self) -> Distance {
        match self.last {
            _ if !self.probe.query.orders() => Distance::Unordered,
            bound if self.probe.scorer.is_lossless() => Distance::Exact(bound),
            bound => Distance::AtLeast(bound),
        }
    }

    /// What a key stands for in the operator's unit.
    fn value(&self, key: f32) -> f64 {
        match self.probe.scorer.spec().metric {
            Metric::L2 => f64::from(key.max(0.0)).sqrt(),
            _ => f64::from(key),
        }
    }

    /// Whether rows may be near enough to come before what is at hand.
    ///
    /// Under strict order those would come too late and be lost. So rows are held back until the frontier has passed them by more
    /// than estimates are mostly off, and by the most that a bound has been below its key. The first batch is what `ef` asks for; but the farthest of it take part in the next one.
    fn must_search(&self) -> bool {
        let at_hand = self.batch.len();
        match (self.state, self.options.order) {
            (State::End, _) => false,
            (State::Going, _) if self.is_rechecked() => at_hand == 0,
            (State::Going, Order::Strict) => {
                let passed = self.value(self.beam.passed()) - self.gap;
                let ahead = |ready: &Ready| ready.bound > passed;
                at_hand <= self.held_back()
                    || self.short
                    || (self.resumed && self.batch.front().is_some_and(ahead))
            }
            _ => at_hand == 0,
        }
    }

    /// How many wait for the search that goes on.
    fn held_back(&self) -> usize {
        let codes = self.probe.frame != 0 && self.probe.query.has_code();
        let held = if codes { HELD } else { HELD_WITHOUT_CODES };
        (self.ef() * held).max(self.handed_out * HELD_OF_ALL) / 100
    }

    /// Whether it is asked for more than is wanted only for a recheck, as far as is known. Nothing is held back then: it would wait for the sake of
    /// rows that nobody asks for.
    fn is_rechecked(&self) -> bool {
        self.is_enough() && !self.short && !self.resumed && self.handed_out < RECHECKED * self.options.wanted
    }

    /// Whether as many are wanted, by what is known, as the first search finds.
    fn is_enough(&self) -> bool {
        (1..=self.ef()).contains(&self.options.wanted)
    }

    /// Whether so many rows will be handed out in strict order that whole clusters may come too late. Others go on for few matches of a filter, or
    /// for a recheck.
    fn goes_far(&self) -> bool {
        self.options.order == Order::Strict && !self.is_enough() && self.handed_out >= self.ef() / 2
    }

    fn ef(&self) -> usize {
        self.options.ef.max(1)
    }

    /// Finds the next batch.
    fn search(&mut self, filter: &mut impl FnMut(ItemPointer) -> Result<bool>) -> Result<()> {
        let mut best = Vec::new();
        let state = self.state;
        match state {
            State::Begin => {
                self.found.make_room(READ * self.ef().min(FORESEEN))?;
                self.begin(filter)?;
                self.beam.take_best(&mut best);
                let last = self.options.order == Order::Off || self.meta.entry.is_none();
                self.state = if last { State::End } else { State::Going };
                self.short = best.len() < self.ef();
                if last && best.is_empty() {
                    self.note_limit();
                }
            }
            State::Going if self.beam.spent(self.found.bytes()).is_some() => {
                self.note_limit();
                best.extend(self.batch.drain(..).map(|ready| ready.ranked));
                while let Some(spare) = self.beam.take_spare() {
                    push(&mut best, spare)?;
                }
                self.state = State::End;
            }
            State::Going if self.is_rechecked() && self.spare(&mut best, filter)? => {}
            State::Going => {
                let held = self.batch.len();
                // The more wait for the frontier to pass, the farther it goes at once.
                let ef = held + self.ef().max(held / 2);
                self.resumed = true;
                self.short = false;
                if self.goes_far() {
                    self.sow()?;
                }
                best.extend(self.batch.drain(..).map(|ready| ready.ranked));
                loop {
                    self.beam.give_back(best.drain(..));
                    let mut sink = self.found.sink(&self.probe, filter);
                    self.beam.resume(&self.probe, &mut sink, ef)?;
                    self.beam.take_best(&mut best);
                    if best.len() >= ef || self.beam.spent(self.found.bytes()).is_some() {
                        break;
                    }
                    if !self.sweep()? {
                        self.state = State::End;
                        break;
                    }
                }
            }
            State::End => {}
        }
        let found = &self.found;
        let ready = |&ranked: &Ranked| Ready { bound: found.bound(ranked.node()), ranked };
        let mut batch: Vec<Ready> = best.iter().map(ready).collect();
        for ready in &batch {
            let gap = self.value(ready.ranked.key()) - ready.bound;
            // Nothing is known of a bound that is no number: to wait for it would be to read the whole index.
            if gap.is_finite() {
                self.gap = self.gap.max(gap);
            }
        }
        batch.sort_by(|a, b| a.bound.total_cmp(&b.bound));
        if batch.first().is_some_and(|nearest| nearest.bound > self.options.within) {
            self.state = State::End;
        }
        self.batch = batch.into();
        Ok(())
    }

    /// Takes the nearest of what the search has read but was too far. `false` when there is none.
    ///
    /// For a recheck that does as well as to go on, which finds rows that a wider search is for, and took longer than to begin with that: ten
    /// rows of the real set 163 µs by 15, and 137 by 20.
    fn spare(
        &mut self,
        best: &mut Vec<Ranked>,
        filter: &mut impl FnMut(ItemPointer) -> Result<bool>,
    ) -> Result<bool> {
        while best.len() < SPARED
            && let Some(spare) = self.beam.take_spare()
        {
            if self.found.sink(&self.probe, filter).admits(spare.node())? {
                push(best, spare)?;
            }
        }
        Ok(!best.is_empty())
    }

    /// Has the search go on from vertices to which no way has led. `false` when there are no others.
    fn sweep(&mut self) -> Result<bool> {
        let store = self.probe.store;
        self.sweep.get_or_insert_with(|| Sweep::new(store.len())).seed(store, &mut self.beam)
    }

    /// Has the search look into vertices from all over the index: some, and more as it goes far.
    fn sow(&mut self) -> Result<()> {
        let store = self.probe.store;
        let pages = SOWN.max(self.beam.visits() / SHARE_SOWN);
        self.sown.get_or_insert_with(|| Sweep::new(store.len())).sow(store, &mut self.beam, pages)
    }

    /// Notes the limit that ends the search, if one does.
    fn note_limit(&mut self) {
        self.ended_by = self.beam.spent(self.found.bytes()).filter(|_| self.beam.could_go_on());
    }

    /// The first search, from the entry point down.
    fn begin(&mut self, filter: &mut impl FnMut(ItemPointer) -> Result<bool>) -> Result<()> {
        for _ in 0..ATTEMPTS {
            if self.meta.entry.is_none() {
                return Ok(());
            }
            let limits = self.beam.limits();
            let entry = descend(&self.probe, &self.meta, 0, &mut self.beam)?;
            self.beam.begin(0, limits, [entry])?;
            let before = self.beam.visits();
            self.beam.run(&self.probe, &mut self.found.sink(&self.probe, filter))?;
            if self.beam.visits() > before {
                return Ok(());
            }
            // A vacuum has taken the entry point away; it has named another before.
            self.probe.store.check_interrupts()?;
            self.meta = read_meta(self.probe.store)?;
        }
        Err(Error::corrupt(META_BLOCK, "the entry point is missing"))
    }
}

impl<S> Drop for Scan<'_, S> {
    fn drop(&mut self) {
        self.desk.leave(&mut self.beam, &mut self.found);
    }
}

#[cfg(test)]
mod tests;
