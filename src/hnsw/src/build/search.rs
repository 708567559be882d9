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
}

impl Searcher {
    pub(super) fn new(nodes: usize, ef: usize) -> Result<Self, TryReserveError> {
        Ok(Self { visited: Visited::new(nodes)?, pool: Pool::new(ef), fresh: Vec::new() })
    }

    /// The nodes nearest to `node` on a level, found from `entries`: at most `ef`, nearest first.
    pub(super) fn level(
        &mut self,
        graph: &Graph,
        distances: &impl Distances,
        node: u32,
        entries: &[Candidate],
        (level, ef): (u8, usize),
    ) -> impl Iterator<Item = Candidate> {
        self.visited.start();
        self.pool.start(ef);
        // A node is not its own neighbour.
        self.visited.first(node);
        for &entry in entries {
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
            for &link in &self.fresh {
                if self.pool.offer(Ranked::new(distances.between(node, link), link)) {
                    graph.prefetch(link, level);
                }
            }
        }
        self.pool.candidates()
    }
}
