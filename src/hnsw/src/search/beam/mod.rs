//! Best-first search of one level: the paper's algorithm 2, cut for pages.
//!
//! A *node* is a vertex that the search has met. It is met as a link in a list, with an estimate of its key if the list has
//! codes; then it waits in the frontier. Expanding it reads its page: the payload gives the key that ranks, the list leads on.
//! Vertex and list mostly lie on one page, so that one read serves both. A list without codes says nothing about its vertices,
//! so they are read at once, many together.
//!
//! Several nodes are expanded together: their pages are pinned and fetched ahead together. It costs some expansions that
//! the first of them would have shown to be needless, and saves waiting for memory.

mod expand;
mod lag;

use super::options::Limit;
use super::probe::{Limits, Probe, Sink};
use super::ranked::Ranked;
use super::seen::Seen;
use crate::Result;
use crate::format::{Link, Shape};
use crate::grow::{extend, make_room, push, push_heap};
use expand::Step;
use kite_pages::PageStore;
use lag::Lag;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A vertex that was met.
#[derive(Debug, Clone, Copy)]
struct Node {
    link: Link,
    /// Its list on this level, once it was read.
    list: Link,
    /// Where its code is kept, or [`NO_CODE`].
    code: u32,
    read: bool,
}

const NO_CODE: u32 = u32::MAX;

/// So many vertices are met, about, for each of the `ef` nearest; half as many wait at a time.
const MET: usize = 24;
/// Beyond so many of the nearest room is taken as it is needed.
const FORESEEN: usize = 256;

/// So many times `ef` vertices that were read in a row and were too far end the search beyond the farthest result. In a cluster of
/// thousands that lie closer together than estimates are off it would read most of them, for little.
const PATIENCE: usize = 4;

/// So many of the links that were too far are looked into again at once, at least.
const RECALLED: usize = 64;

/// The state of a search of one level.
#[derive(Debug)]
pub(crate) struct Beam {
    limits: Limits,
    level: u8,
    nodes: Vec<Node>,
    codes: Vec<u8>,
    seen: Seen,
    frontier: BinaryHeap<Reverse<Ranked>>,
    /// Links that were too far to be looked into, with their estimates; some more than once.
    later: Vec<(f32, Link)>,
    /// The least of those estimates.
    least_later: f32,
    /// How far estimates were above the keys.
    lag: Lag,
    best: BinaryHeap<Ranked>,
    spare: BinaryHeap<Reverse<Ranked>>,
    /// The least key among the best so far.
    least: f32,
    visits: usize,
    /// Vertices read in a row that were too far.
    in_vain: usize,
    resumed: bool,
    step: Step,
}

impl Beam {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            level: 0,
            nodes: Vec::new(),
            codes: Vec::new(),
            seen: Seen::default(),
            frontier: BinaryHeap::new(),
            later: Vec::new(),
            least_later: f32::INFINITY,
            lag: Lag::default(),
            best: BinaryHeap::new(),
            spare: BinaryHeap::new(),
            least: f32::INFINITY,
            visits: 0,
            in_vain: 0,
            resumed: false,
            step: Step::default(),
        }
    }

    /// Makes it as good as new for another search. What was allocated stays.
    pub(crate) fn forget(&mut self) {
        (self.lag, self.visits) = (Lag::default(), 0);
        // An error may have left something.
        self.step.clear();
    }

    /// Bounds it in another way.
    pub(super) fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Begins anew on a level, from these vertices.
    pub(crate) fn begin(
        &mut self,
        level: u8,
        limits: Limits,
        entries: impl IntoIterator<Item = Link>,
    ) -> Result<()> {
        self.limits = limits;
        self.level = level;
        self.resumed = false;
        self.nodes.clear();
        self.codes.clear();
        self.seen.clear();
        self.frontier.clear();
        self.later.clear();
        self.least_later = f32::INFINITY;
        self.best.clear();
        self.in_vain = 0;
        self.least = f32::INFINITY;
        self.spare.clear();
        if limits.ef > 1 {
            let met = MET * limits.ef.min(FORESEEN);
            make_room(&mut self.nodes, met)?;
            let mut waiting = std::mem::take(&mut self.frontier).into_vec();
            make_room(&mut waiting, met / 2)?;
            self.frontier = waiting.into();
            self.seen.make_room(met)?;
        }
        if limits.resumable {
            make_room(&mut self.later, MET * limits.ef.min(FORESEEN))?;
        }
        for link in entries {
            self.seed(link)?;
        }
        Ok(())
    }

    /// Searches until no node waits that could be among the `ef` nearest. The limits end it earlier only where it would go on
    /// for the sake of a filter, or where none is nearer than the next: the nearest `ef` are had whatever the limits.
    pub(crate) fn run<S: PageStore>(&mut self, probe: &Probe<'_, S>, sink: &mut impl Sink) -> Result<()> {
        let enough = self.visits + self.limits.ef;
        while self.expand(probe, sink)? {
            probe.store.check_interrupts()?;
            // Who is not full after so many goes on for the sake of a filter, or past vertices that are dead.
            let goes_on = self.resumed || self.visits >= enough && !(self.is_full() && probe.query.orders());
            if sink.is_done() || goes_on && self.spent(sink.bytes()).is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Lets what was taken by [`Beam::take_best`] take part again.
    pub(crate) fn give_back(&mut self, ranked: impl Iterator<Item = Ranked>) {
        self.best.extend(ranked);
    }

    /// Goes on for the `ef` nearest, after [`Beam::take_best`]: with what was read but too far, and from the frontier.
    pub(crate) fn resume<S: PageStore>(
        &mut self,
        probe: &Probe<'_, S>,
        sink: &mut impl Sink,
        ef: usize,
    ) -> Result<()> {
        self.resumed = true;
        self.in_vain = 0;
        self.limits.ef = ef;
        while self.best.len() < self.limits.ef {
            let Some(Reverse(next)) = self.spare.pop() else { break };
            if sink.admits(next.node())? {
                self.best.push(next);
            }
        }
        self.run(probe, sink)
    }

    /// Lets a vertex wait to be expanded, wherever it is, and answers whether it was not met before.
    pub(super) fn seed(&mut self, link: Link) -> Result<bool> {
        let new = self.is_new(link)?;
        if new {
            let node = self.add(link, None)?;
            self.wait(Ranked::new(f32::NEG_INFINITY, node))?;
        }
        Ok(new)
    }

    /// Lets the nearest of the links that were too far wait: as many as will be looked into soon, since most of the others never are. But no
    /// less than an eighth, so that each time all of them are gone through pays: a scan that goes far has very many.
    fn recall(&mut self) -> Result<()> {
        let some = RECALLED.max(self.limits.ef).max(self.later.len() / 8);
        let mut later = std::mem::take(&mut self.later);
        let rest = later.len().saturating_sub(some);
        if rest > 0 {
            // The nearest at the end, from where they are taken.
            later.select_nth_unstable_by(rest, |a, b| b.0.total_cmp(&a.0));
        }
        for (estimate, link) in later.drain(rest..) {
            if self.is_new(link)? {
                let node = self.add(link, None)?;
                self.wait(Ranked::new(estimate, node))?;
            }
        }
        self.least_later = later.iter().fold(f32::INFINITY, |least, (estimate, _)| least.min(*estimate));
        self.later = later;
        Ok(())
    }

    /// The limit that is reached, where the sink takes so many bytes.
    pub(crate) fn spent(&self, beside: usize) -> Option<Limit> {
        if self.visits >= self.limits.visits {
            Some(Limit::Visits)
        } else {
            (self.bytes().saturating_add(beside) > self.limits.memory).then_some(Limit::Memory)
        }
    }

    /// Whether vertices are known that were not looked into.
    pub(crate) fn could_go_on(&self) -> bool {
        !(self.frontier.is_empty() && self.later.is_empty())
    }

    /// How it is bounded.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// The key below which hardly anything waits: what is nearest by its estimate, less what estimates are mostly off by.
    pub(crate) fn passed(&self) -> f32 {
        let waits = self.frontier.peek().map_or(f32::INFINITY, |Reverse(next)| next.key());
        waits.min(self.least_later) - self.lag.most()
    }

    /// Vertices read on all levels.
    pub(crate) fn visits(&self) -> usize {
        self.visits
    }

    /// Hands out the best so far, nearest first.
    pub(crate) fn take_best(&mut self, out: &mut Vec<Ranked>) {
        out.clear();
        out.extend(self.best.drain());
        out.sort_unstable();
    }

    /// Hands out what was read but was too far, when nothing more will be.
    pub(crate) fn take_spare(&mut self) -> Option<Ranked> {
        self.spare.pop().map(|Reverse(ranked)| ranked)
    }

    /// Where a node is.
    pub(crate) fn link(&self, node: u32) -> Link {
        self.nodes[node as usize].link
    }

    /// Where its list was, if it has been read and has one on this level.
    pub(crate) fn list(&self, node: u32) -> Link {
        self.nodes[node as usize].list
    }

    /// Its code and factors, if they were met and are kept.
    pub(crate) fn code(&self, node: u32, shape: Shape) -> Option<&[u8]> {
        let at = self.nodes[node as usize].code;
        if at == NO_CODE { None } else { self.codes.get(at as usize..at as usize + shape.beside()) }
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let ranked = self.frontier.capacity() + self.spare.capacity() + self.best.capacity();
        self.nodes.capacity() * size_of::<Node>()
            + self.codes.capacity()
            + self.later.capacity() * size_of::<(f32, Link)>()
            + ranked * size_of::<Ranked>()
            + self.seen.bytes()
    }

    /// What a key must be below to be among the best.
    #[inline]
    fn worst(&self) -> f32 {
        match self.best.peek() {
            Some(worst) if self.best.len() >= self.limits.ef => worst.key(),
            _ => f32::INFINITY,
        }
    }

    /// What an estimate must be below for its node to be looked into. Where one vertex is sought it is only the way to a level below, which need
    /// not be the best.
    #[inline]
    fn reach(&self) -> f32 {
        let worst = self.worst();
        if worst.is_finite() && self.limits.ef > 1 && self.in_vain <= PATIENCE * self.limits.ef {
            worst + self.lag.slack(worst - self.least)
        } else {
            worst
        }
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.best.len() >= self.limits.ef
    }

    /// Expands the nearest nodes that wait. `false` when none of them could lead to anything.
    fn expand<S: PageStore>(&mut self, probe: &Probe<'_, S>, sink: &mut impl Sink) -> Result<bool> {
        self.choose()?;
        if self.step.chosen.is_empty() {
            return Ok(false);
        }
        self.read_chosen(probe, sink)?;
        self.read_apart(probe)?;
        self.read_bare(probe, sink)?;
        self.read_chained(probe, sink)?;
        self.admit(sink)?;
        Ok(true)
    }

    /// Takes the nearest nodes from the frontier, as long as they are near enough.
    fn choose(&mut self) -> Result<()> {
        let (worst, full) = (self.reach(), self.is_full());
        self.step.reach = worst;
        self.step.chosen.clear();
        while self.step.chosen.len() < self.limits.width {
            let waits = self.frontier.peek().map_or(f32::INFINITY, |Reverse(next)| next.key());
            // Until it was full a search that goes on has not looked at what was too far for the one before.
            if self.resumed
                && !self.later.is_empty()
                && self.least_later <= waits
                && (!full || self.least_later <= worst)
            {
                self.recall()?;
                continue;
            }
            match self.frontier.peek() {
                Some(Reverse(next)) if !full || next.key() <= worst => {
                    self.step.chosen.push(*next);
                    self.frontier.pop();
                }
                _ => break,
            }
        }
        Ok(())
    }

    /// Takes in what was read, as far as it is near enough.
    fn admit(&mut self, sink: &mut impl Sink) -> Result<()> {
        let mut fresh = std::mem::take(&mut self.step.fresh);
        for ranked in fresh.drain(..) {
            let far = self.is_full() && ranked.key() >= self.worst();
            let out = if far {
                self.in_vain += 1;
                Some(ranked)
            } else if sink.admits(ranked.node())? {
                self.best.push(ranked);
                self.in_vain = 0;
                self.least = self.least.min(ranked.key());
                if self.best.len() > self.limits.ef { self.best.pop() } else { None }
            } else {
                None
            };
            if let (Some(out), true) = (out, self.limits.resumable) {
                push_heap(&mut self.spare, Reverse(out))?;
            }
        }
        self.step.fresh = fresh;
        Ok(())
    }

    /// Whether a link leads to a vertex not met before.
    #[inline]
    fn is_new(&mut self, link: Link) -> kite_pages::Result<bool> {
        Ok(!link.is_none() && self.seen.insert(link.place())?)
    }

    /// Notes a vertex with its code and factors.
    #[inline]
    fn add(&mut self, link: Link, code: Option<(&[u8], &[u8])>) -> kite_pages::Result<u32> {
        let mut at = NO_CODE;
        if let Some((code, factors)) = code {
            at = self.codes.len() as u32;
            extend(&mut self.codes, code)?;
            extend(&mut self.codes, factors)?;
        }
        let node = self.nodes.len() as u32;
        push(&mut self.nodes, Node { link, list: Link::NONE, code: at, read: false })?;
        Ok(node)
    }

    /// Lets a node wait to be expanded.
    #[inline]
    fn wait(&mut self, ranked: Ranked) -> kite_pages::Result<()> {
        push_heap(&mut self.frontier, Reverse(ranked))
    }
}
