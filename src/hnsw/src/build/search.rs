//! Searching a level of the graph that is being built.

use super::{Distances, Graph};
use crate::pool::{Candidate, Pool};
use crate::search::Ranked;
use crate::visited::Visited;
use std::collections::TryReserveError;

/// What a thread needs to search.
#[derive(Debug)]
pub(super) struct Searcher {
    visited: Visited,
    pool: Pool,
    fresh: Vec<u32>,
    /// How far those are.
    keys: Vec<f32>,
}

impl Searcher {
    pub(super) fn new(nodes: usize, ef: usize) -> Result<Self, TryReserveError> {
        Ok(Self { visited: Visited::new(nodes)?, pool: Pool::new(ef), fresh: Vec::new(), keys: Vec::new() })
    }

    /// Replaces entry points by the nodes nearest to `node` on a level: at most `ef`, nearest first.
    pub(super) fn level(
        &mut self,
        graph: &Graph,
        distances: &impl Distances,
        node: u32,
        near: &mut Vec<Candidate>,
        (level, ef): (u8, usize),
    ) {
        self.visited.start();
        self.pool.start(ef);
        // A node is not its own neighbour.
        self.visited.first(node);
        for &entry in near.iter() {
            if self.visited.first(entry.node) {
                self.pool.offer(Ranked::new(entry.distance, entry.node));
            }
        }
        while let Some(nearest) = self.pool.expand() {
            // Unless a nearer one is found, its list will be wanted next.
            if let Some(after) = self.pool.peek() {
                graph.prefetch(after.node(), level);
            }
            self.fresh.clear();
            for link in graph.links(nearest.node(), level) {
                if self.visited.first(link) {
                    distances.prefetch(link);
                    self.fresh.push(link);
                }
            }
            // All of them before the first is judged: they are waited for together, and no guess of the processor about a
            // judgement goes wrong meanwhile.
            distances.each(node, &self.fresh, &mut self.keys);
            for (&link, &key) in self.fresh.iter().zip(&self.keys) {
                if self.pool.offer(Ranked::new(key, link)) {
                    graph.prefetch(link, level);
                }
            }
        }
        near.clear();
        near.extend(self.pool.candidates());
    }
}
