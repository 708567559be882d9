//! Best-first search of one level: the paper's algorithm 2, cut for pages.
//!
//! A *node* is a vertex that the search has met. It is met as a link in a list, with an estimate of its key if the list has
//! codes; then it waits in the frontier. Expanding it reads its page: the payload gives the key that ranks, the list leads on.
//! Vertex and list mostly lie on one page, so that one read serves both. A list without codes says nothing about its vertices,
//! so they are read at once, many together.
//!
//! Several nodes are expanded together: their pages are pinned and fetched ahead together. It costs some expansions that
//! the first of them would have shown to be needless, and saves waiting for memory.

use super::ranked::Ranked;
use super::seen::Seen;
use crate::Result;
use crate::format::{CHUNKS, Link, List, NODES, Place, Shape, Vertex};
use kite_codecs::{PreparedQuery, Scorer};
use kite_pages::payload::{self, Fetched};
use kite_pages::{Ahead, At, BlockNo, ItemPointer, ItemRef, PageStore, View};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// What a search looks for, and with what.
#[derive(Debug)]
pub(crate) struct Probe<'s, S> {
    pub(crate) store: &'s S,
    pub(crate) scorer: Arc<Scorer>,
    pub(crate) shape: Shape,
    /// The frame of the query's code: lists of other frames have no codes for this search.
    pub(crate) frame: u32,
    pub(crate) query: PreparedQuery,
    /// What is fetched ahead of a vertex (after its beginning) and of its list (before it).
    pub(crate) ahead: Ahead,
}

/// What is done with the vertices that a search reads.
pub(crate) trait Sink {
    /// A vertex was read. Its page is locked: the store may not be touched. Answers whether it can be a result.
    fn meet(&mut self, node: u32, vertex: &Vertex<'_>) -> bool;

    /// Its payload, at once or, for long ones, later. The page may be locked.
    ///
    /// # Errors
    /// A damaged payload.
    fn payload(&mut self, node: u32, payload: &[u8]) -> Result<(), kite_codecs::Error>;

    /// Asked of a vertex that is near enough to be a result. Nothing is locked.
    ///
    /// # Errors
    /// What ends the search.
    fn admits(&mut self, node: u32) -> Result<bool>;
}

/// How a search is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How many of the nearest are wanted.
    pub(crate) ef: usize,
    /// How many nodes are expanded together.
    pub(crate) width: usize,
    /// Whether what is too far now is kept for [`Beam::resume`].
    pub(crate) resumable: bool,
    /// Whether the codes met beside links are kept.
    pub(crate) keep_codes: bool,
    /// Vertices that may be read.
    pub(crate) visits: usize,
    /// Bytes that may be taken.
    pub(crate) memory: usize,
}

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

/// What is answered when there is no room for what a search has met.
const FULL: kite_pages::Error = kite_pages::Error::OutOfMemory { bytes: size_of::<Node>() };

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
    best: BinaryHeap<Ranked>,
    spare: BinaryHeap<Reverse<Ranked>>,
    visits: usize,
    resumed: bool,
    step: Step,
}

/// What one step of a search works with; kept for its allocations.
#[derive(Debug, Default)]
struct Step {
    /// Nodes to expand.
    chosen: Vec<u32>,
    places: Vec<ItemPointer>,
    /// Nodes whose list lies on another page.
    apart: Vec<u32>,
    /// Nodes of which nothing is known but where they are.
    bare: Vec<u32>,
    chained: Vec<(Met, ItemRef)>,
    /// What was read and can be a result.
    fresh: Vec<Ranked>,
    estimates: Vec<f32>,
    payload: Vec<u8>,
}

/// A vertex that was just read.
#[derive(Debug, Clone, Copy)]
struct Met {
    node: u32,
    /// It came without an estimate, so that it waits to be expanded.
    bare: bool,
    /// It can be a result.
    wanted: bool,
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
            best: BinaryHeap::new(),
            spare: BinaryHeap::new(),
            visits: 0,
            resumed: false,
            step: Step::default(),
        }
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
        self.best.clear();
        self.spare.clear();
        for link in entries {
            if !link.is_none() && self.seen.insert(link.place())? {
                let node = self.nodes.len() as u32;
                self.nodes.push(Node { link, list: Link::NONE, code: NO_CODE, read: false });
                self.frontier.push(Reverse(Ranked::new(f32::NEG_INFINITY, node)));
            }
        }
        Ok(())
    }

    /// Searches until no node waits that could be among the `ef` nearest. The limits end it earlier only where it would go on
    /// for the sake of a filter: the nearest `ef` are had whatever the limits.
    pub(crate) fn run<S: PageStore>(&mut self, probe: &Probe<'_, S>, sink: &mut impl Sink) -> Result<()> {
        while self.expand(probe, sink)? {
            probe.store.check_interrupts()?;
            if self.is_spent() && (self.resumed || !self.is_full()) {
                break;
            }
        }
        Ok(())
    }

    /// Lets what was taken by [`Beam::take_best`] take part again.
    pub(crate) fn give_back(&mut self, ranked: impl Iterator<Item = Ranked>) {
        self.best.extend(ranked);
    }

    /// Goes on for another `ef`, after [`Beam::take_best`]: with what was read but too far, and from the frontier.
    pub(crate) fn resume<S: PageStore>(&mut self, probe: &Probe<'_, S>, sink: &mut impl Sink) -> Result<()> {
        self.resumed = true;
        for (estimate, link) in std::mem::take(&mut self.later) {
            if self.is_new(link)? {
                let node = self.add(link, None)?;
                self.frontier.push(Reverse(Ranked::new(estimate, node)));
            }
        }
        while self.best.len() < self.limits.ef {
            let Some(Reverse(next)) = self.spare.pop() else { break };
            if sink.admits(next.node())? {
                self.best.push(next);
            }
        }
        self.run(probe, sink)
    }

    /// Whether the limits are reached.
    pub(crate) fn is_spent(&self) -> bool {
        self.visits >= self.limits.visits || self.bytes() > self.limits.memory
    }

    /// How it is bounded.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
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

    /// Its code and factors, if they were met and are kept.
    pub(crate) fn code(&self, node: u32, shape: Shape) -> Option<&[u8]> {
        let at = self.nodes[node as usize].code;
        if at == NO_CODE { None } else { self.codes.get(at as usize..at as usize + shape.beside()) }
    }

    fn bytes(&self) -> usize {
        let ranked = self.frontier.capacity() + self.spare.capacity();
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

    #[inline]
    fn is_full(&self) -> bool {
        self.best.len() >= self.limits.ef
    }

    /// Expands the nearest nodes that wait. `false` when none of them could lead to anything.
    fn expand<S: PageStore>(&mut self, probe: &Probe<'_, S>, sink: &mut impl Sink) -> Result<bool> {
        self.choose();
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
    fn choose(&mut self) {
        let (worst, full) = (self.worst(), self.is_full());
        self.step.chosen.clear();
        while self.step.chosen.len() < self.limits.width {
            match self.frontier.peek() {
                Some(Reverse(next)) if !full || next.key() <= worst => {
                    self.step.chosen.push(next.node());
                    self.frontier.pop();
                }
                _ => break,
            }
        }
    }

    /// Reads the chosen nodes, and their lists where those are on the same page.
    fn read_chosen<S: PageStore>(&mut self, probe: &Probe<'_, S>, sink: &mut impl Sink) -> Result<()> {
        let chosen = std::mem::take(&mut self.step.chosen);
        let places = self.places(&chosen, |node| if node.read { node.list } else { node.link });
        probe.store.read_items(&places, probe.ahead, |place, page| {
            let (node, block) = (chosen[place], places[place].block());
            let view = page.view(NODES).at(block)?;
            if !self.nodes[node as usize].read
                && !self.read_vertex(probe, sink, (node, false), view, block)?
            {
                return Ok(());
            }
            let list = self.nodes[node as usize].list;
            if list.is_none() {
                Ok(())
            } else if list.block() == block {
                self.read_list(probe, node, view, block)
            } else {
                self.step.apart.push(node);
                Ok(())
            }
        })?;
        (self.step.chosen, self.step.places) = (chosen, places);
        Ok(())
    }

    /// Reads the lists that lie on other pages than their vertices.
    fn read_apart<S: PageStore>(&mut self, probe: &Probe<'_, S>) -> Result<()> {
        if self.step.apart.is_empty() {
            return Ok(());
        }
        let mut apart = std::mem::take(&mut self.step.apart);
        let places = self.places(&apart, |node| node.list);
        let ahead = Ahead { before: 0, after: probe.ahead.before };
        probe.store.read_items(&places, ahead, |place, page| {
            let block = places[place].block();
            self.read_list(probe, apart[place], page.view(NODES).at(block)?, block)
        })?;
        apart.clear();
        (self.step.apart, self.step.places) = (apart, places);
        Ok(())
    }

    /// Reads the vertices that were met in lists without codes.
    fn read_bare<S: PageStore>(&mut self, probe: &Probe<'_, S>, sink: &mut impl Sink) -> Result<()> {
        if self.step.bare.is_empty() {
            return Ok(());
        }
        let mut bare = std::mem::take(&mut self.step.bare);
        let places = self.places(&bare, |node| node.link);
        let batch = probe.store.batch().max(1);
        let ahead = Ahead { before: 0, ..probe.ahead };
        for (nodes, places) in bare.chunks(batch).zip(places.chunks(batch)) {
            probe.store.read_items(places, ahead, |place, page| {
                let block = places[place].block();
                let view = page.view(NODES).at(block)?;
                self.read_vertex(probe, sink, (nodes[place], true), view, block).map(|_| ())
            })?;
        }
        bare.clear();
        (self.step.bare, self.step.places) = (bare, places);
        Ok(())
    }

    /// Reads the payloads that are too long for a page.
    fn read_chained<S: PageStore>(&mut self, probe: &Probe<'_, S>, sink: &mut impl Sink) -> Result<()> {
        let mut payload = std::mem::take(&mut self.step.payload);
        for (met, chain) in std::mem::take(&mut self.step.chained) {
            if payload::read(probe.store, CHUNKS, chain, &mut payload)? == Fetched::Whole {
                let block = self.nodes[met.node as usize].link.block();
                self.rank(probe, sink, met, &payload, block)?;
            }
        }
        self.step.payload = payload;
        Ok(())
    }

    /// Where something of these nodes is.
    fn places(&mut self, nodes: &[u32], of: impl Fn(&Node) -> Link) -> Vec<ItemPointer> {
        let mut places = std::mem::take(&mut self.step.places);
        places.clear();
        places.extend(nodes.iter().map(|&node| of(&self.nodes[node as usize]).pointer));
        places
    }

    /// Takes in what was read, as far as it is near enough.
    fn admit(&mut self, sink: &mut impl Sink) -> Result<()> {
        let mut fresh = std::mem::take(&mut self.step.fresh);
        for ranked in fresh.drain(..) {
            let far = self.is_full() && ranked.key() >= self.worst();
            let out = if far {
                Some(ranked)
            } else if sink.admits(ranked.node())? {
                self.best.push(ranked);
                if self.best.len() > self.limits.ef { self.best.pop() } else { None }
            } else {
                None
            };
            if let (Some(out), true) = (out, self.limits.resumable) {
                self.spare.push(Reverse(out));
            }
        }
        self.step.fresh = fresh;
        Ok(())
    }

    /// Reads a vertex that was met with an estimate, or `bare`. `false` when it is gone.
    #[inline]
    fn read_vertex<S>(
        &mut self,
        probe: &Probe<'_, S>,
        sink: &mut impl Sink,
        (node, bare): (u32, bool),
        view: View<'_>,
        block: BlockNo,
    ) -> kite_pages::Result<bool> {
        let link = self.nodes[node as usize].link;
        let Some(vertex) = link.find::<Vertex<'_>>(view, ()).at(block)? else { return Ok(false) };
        let known = &mut self.nodes[node as usize];
        known.list = vertex.list(self.level);
        known.read = true;
        self.visits += 1;
        let met = Met { node, bare, wanted: sink.meet(node, &vertex) };
        match vertex.payload().at(block)? {
            Place::Here(payload) => self.rank(probe, sink, met, payload, block)?,
            Place::Chain(chain) => {
                self.step.chained.try_reserve(1).map_err(|_| kite_pages::Error::OutOfMemory { bytes: 0 })?;
                self.step.chained.push((met, chain));
            }
        }
        Ok(true)
    }

    /// Computes the key of a vertex that was read.
    #[inline]
    fn rank<S>(
        &mut self,
        probe: &Probe<'_, S>,
        sink: &mut impl Sink,
        met: Met,
        payload: &[u8],
        block: BlockNo,
    ) -> kite_pages::Result<()> {
        if !(met.bare || met.wanted) {
            return Ok(());
        }
        let ranked =
            Ranked::new(probe.scorer.exact(&probe.query, payload).map_err(damaged(block))?, met.node);
        if met.bare {
            // It has been read, so that it is too late to put it off; it costs a slot of the heap.
            self.frontier.push(Reverse(ranked));
        }
        if met.wanted {
            sink.payload(met.node, payload).map_err(damaged(block))?;
            self.step.fresh.push(ranked);
        }
        Ok(())
    }

    /// Reads the list of a node. The page is the one that it is on.
    #[inline]
    fn read_list<S>(
        &mut self,
        probe: &Probe<'_, S>,
        node: u32,
        view: View<'_>,
        block: BlockNo,
    ) -> kite_pages::Result<()> {
        let Node { link: owner, list, .. } = self.nodes[node as usize];
        let Some(list) = list.find::<List<'_>>(view, probe.shape).at(block)? else { return Ok(()) };
        if list.owner() != owner.pointer {
            return Ok(());
        }
        if list.frame() == 0 || list.frame() != probe.frame || !probe.query.has_code() {
            for &link in list.links {
                if self.is_new(link)? {
                    let node = self.add(link, None)?;
                    self.step.bare.push(node);
                }
            }
            return Ok(());
        }
        let mut estimates = std::mem::take(&mut self.step.estimates);
        estimates.clear();
        estimates.resize(list.links.len(), 0.0);
        probe
            .scorer
            .estimate(&probe.query, list.codes, list.factors, &mut estimates)
            .map_err(damaged(block))?;
        let (full, near) = (self.is_full(), self.worst());
        for (place, (&link, &estimate)) in list.links.iter().zip(&estimates).enumerate() {
            // Most are too far, and need not be remembered: they will be too far in every other list, too.
            if full && estimate >= near {
                if self.limits.resumable {
                    self.later.try_reserve(1).map_err(|_| FULL)?;
                    self.later.push((estimate, link));
                }
            } else if self.is_new(link)? {
                let code = if self.limits.keep_codes { list.code(place, probe.shape) } else { None };
                let node = self.add(link, code)?;
                self.frontier.push(Reverse(Ranked::new(estimate, node)));
            }
        }
        self.step.estimates = estimates;
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
        self.nodes.try_reserve(1).map_err(|_| FULL)?;
        let mut at = NO_CODE;
        if let Some((code, factors)) = code {
            self.codes.try_reserve(code.len() + factors.len()).map_err(|_| FULL)?;
            at = self.codes.len() as u32;
            self.codes.extend_from_slice(code);
            self.codes.extend_from_slice(factors);
        }
        let node = self.nodes.len() as u32;
        self.nodes.push(Node { link, list: Link::NONE, code: at, read: false });
        Ok(node)
    }
}

/// A payload or code that no encoder wrote, on this block.
pub(crate) fn damaged(block: BlockNo) -> impl Fn(kite_codecs::Error) -> kite_pages::Error {
    move |error| kite_pages::Error::Corrupt {
        block,
        what: match error {
            kite_codecs::Error::Corrupt(what) => what,
            _ => "a stored vector is not of the index's type",
        },
    }
}
