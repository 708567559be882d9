//! Searching a level of the graph that is being built.

use super::{Distances, Graph};
use crate::pool::{Candidate, Pool};
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
    ) -> &[Candidate] {
        self.visited.start();
        self.pool.start(ef);
        // A node is not its own neighbour.
        self.visited.first(node);
        for &entry in entries {
            if self.visited.first(entry.node) {
                self.pool.offer(entry);
            }
        }
        while let Some(nearest) = self.pool.expand() {
            self.fresh.clear();
            for link in graph.links(nearest.node, level) {
                if self.visited.first(link) {
                    distances.prefetch(link);
                    self.fresh.push(link);
                }
            }
            for &link in &self.fresh {
                self.pool.offer(Candidate { distance: distances.between(node, link), node: link });
            }
        }
        self.pool.candidates()
    }
}
