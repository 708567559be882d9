//! Reading the nodes that a step expands: vertices, their lists, payloads that lie elsewhere.

use super::{Beam, Node};
use crate::Result;
use crate::format::{CHUNKS, Link, List, NODES, Place, Vertex};
use crate::grow::push;
use crate::search::probe::{Probe, Sink, damaged};
use crate::search::ranked::Ranked;
use kite_pages::payload::{self, Fetched};
use kite_pages::{Ahead, At, BlockNo, ItemPointer, ItemRef, PageStore, View};

/// What one step of a search works with; kept for its allocations.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// What an estimate must be below for its node to be looked into, when the step began.
    pub(super) reach: f32,
    /// Nodes to expand, with the keys that they waited with.
    pub(super) chosen: Vec<Ranked>,
    places: Vec<ItemPointer>,
    /// Nodes whose list lies on another page.
    apart: Vec<u32>,
    /// Nodes of which nothing is known but where they are.
    bare: Vec<u32>,
    chained: Vec<(Met, ItemRef)>,
    /// What was read and can be a result.
    pub(super) fresh: Vec<Ranked>,
    estimates: Vec<f32>,
    payload: Vec<u8>,
}

impl Step {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.chosen.clear();
        self.apart.clear();
        self.bare.clear();
        self.chained.clear();
        self.fresh.clear();
    }
}

/// A vertex that was just read.
#[derive(Debug, Clone, Copy)]
struct Met {
    node: u32,
    /// The estimate that it waited with. One that came without waits now to be expanded.
    estimate: Option<f32>,
    /// It can be a result.
    wanted: bool,
}

impl Beam {
    /// Reads the chosen nodes, and their lists where those are on the same page.
    pub(super) fn read_chosen<S: PageStore>(
        &mut self,
        probe: &Probe<'_, S>,
        sink: &mut impl Sink,
    ) -> Result<()> {
        let chosen = std::mem::take(&mut self.step.chosen);
        let places = self.places(chosen.iter().map(|ranked| ranked.node()), |node| {
            if node.read { node.list } else { node.link }
        });
        probe.store.read_items(&places, probe.ahead, |place, page| {
            let (node, block) = (chosen[place].node(), places[place].block());
            let view = page.view(NODES).at(block)?;
            let estimate = Some(chosen[place].key());
            if !self.nodes[node as usize].read
                && !self.read_vertex(probe, sink, (node, estimate), view, block)?
            {
                return Ok(());
            }
            let list = self.nodes[node as usize].list;
            if list.is_none() {
                Ok(())
            } else if list.block() == block {
                self.read_list(probe, node, view, block)
            } else {
                push(&mut self.step.apart, node)
            }
        })?;
        (self.step.chosen, self.step.places) = (chosen, places);
        Ok(())
    }

    /// Reads the lists that lie on other pages than their vertices.
    pub(super) fn read_apart<S: PageStore>(&mut self, probe: &Probe<'_, S>) -> Result<()> {
        if self.step.apart.is_empty() {
            return Ok(());
        }
        let mut apart = std::mem::take(&mut self.step.apart);
        let places = self.places(apart.iter().copied(), |node| node.list);
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
    pub(super) fn read_bare<S: PageStore>(
        &mut self,
        probe: &Probe<'_, S>,
        sink: &mut impl Sink,
    ) -> Result<()> {
        if self.step.bare.is_empty() {
            return Ok(());
        }
        let mut bare = std::mem::take(&mut self.step.bare);
        let places = self.places(bare.iter().copied(), |node| node.link);
        let batch = probe.store.batch().max(1);
        let ahead = Ahead { before: 0, ..probe.ahead };
        for (nodes, places) in bare.chunks(batch).zip(places.chunks(batch)) {
            probe.store.read_items(places, ahead, |place, page| {
                let block = places[place].block();
                let view = page.view(NODES).at(block)?;
                self.read_vertex(probe, sink, (nodes[place], None), view, block).map(|_| ())
            })?;
        }
        bare.clear();
        (self.step.bare, self.step.places) = (bare, places);
        Ok(())
    }

    /// Reads the payloads that are too long for a page.
    pub(super) fn read_chained<S: PageStore>(
        &mut self,
        probe: &Probe<'_, S>,
        sink: &mut impl Sink,
    ) -> Result<()> {
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
    fn places(&mut self, nodes: impl Iterator<Item = u32>, of: impl Fn(&Node) -> Link) -> Vec<ItemPointer> {
        let mut places = std::mem::take(&mut self.step.places);
        places.clear();
        places.extend(nodes.map(|node| of(&self.nodes[node as usize]).pointer));
        places
    }

    /// Reads a vertex that was met, with an estimate or without. `false` when it is gone.
    #[inline]
    fn read_vertex<S>(
        &mut self,
        probe: &Probe<'_, S>,
        sink: &mut impl Sink,
        (node, estimate): (u32, Option<f32>),
        view: View<'_>,
        block: BlockNo,
    ) -> kite_pages::Result<bool> {
        let link = self.nodes[node as usize].link;
        let Some(vertex) = link.find::<Vertex<'_>>(view, ()).at(block)? else { return Ok(false) };
        let known = &mut self.nodes[node as usize];
        known.list = vertex.list(self.level);
        known.read = true;
        self.visits += 1;
        let met = Met { node, estimate, wanted: sink.meet(node, &vertex)? };
        match vertex.payload().at(block)? {
            Place::Here(payload) => self.rank(probe, sink, met, payload, block)?,
            Place::Chain(chain) => {
                push(&mut self.step.chained, (met, chain))?;
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
        if met.estimate.is_some() && !met.wanted {
            return Ok(());
        }
        let key = if met.wanted {
            sink.rank(probe, met.node, payload, block)?
        } else {
            probe.scorer.exact(&probe.query, payload).map_err(damaged(block))?
        };
        let ranked = Ranked::new(key, met.node);
        match met.estimate {
            Some(estimate) => self.lag.note(estimate, ranked.key()),
            // It has been read, so that it is too late to put it off; it costs a slot of the heap.
            None => self.wait(ranked)?,
        }
        if met.wanted {
            push(&mut self.step.fresh, ranked)?;
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
                    push(&mut self.step.bare, node)?;
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
        let (full, near) = (self.is_full(), self.step.reach);
        for (place, (&link, &estimate)) in list.links.iter().zip(&estimates).enumerate() {
            // Most are too far, and need not be remembered: they will be too far in every other list, too.
            if full && estimate >= near {
                if self.limits.resumable {
                    push(&mut self.later, (estimate, link))?;
                    self.least_later = self.least_later.min(estimate);
                }
            } else if self.is_new(link)? {
                let code = if self.limits.keep_codes { list.code(place, probe.shape) } else { None };
                let node = self.add(link, code)?;
                self.wait(Ranked::new(estimate, node))?;
            }
        }
        self.step.estimates = estimates;
        Ok(())
    }
}
