//! Collecting the rows of a new index, and making the index of them.

use super::codes::{self, Codes};
use super::link::{self, Slots, link_levels};
use super::memory::{Counted, Memory};
use super::nodes::{Linked, Nodes};
use super::order::by_locality;
use super::rows::Equals;
use super::write::{Plan, write};
use super::{Graph, Host, Parameters, Phase, Scratch};
use crate::format::{Meta, Shape, VertexBuf};
use crate::index::highest;
use crate::{Options, Result};
use kite_codecs::{Scorer, Value};
use kite_pages::{BlockNo, ItemPointer, MAX_ITEM, PageStore};

/// What a build may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// Threads that work, besides the calling one, which waits for them. With one, only the calling thread works.
    pub threads: usize,
    /// Bytes that may be taken (`maintenance_work_mem`).
    pub memory: usize,
}

/// What was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Built {
    /// Rows that are in the index.
    pub rows: u64,
    /// Vertices; rows with equal payloads share one.
    pub vertices: u64,
    /// Pages of the index.
    pub pages: BlockNo,
    /// In how many parts the vertices were linked: 1 if memory was enough.
    pub parts: usize,
    /// The most bytes that were held at any time.
    pub memory: usize,
}

/// Builds an index from rows that are pushed one by one.
#[derive(Debug)]
pub struct Builder<T> {
    meta: Meta,
    resources: Resources,
    scorer: Scorer,
    nodes: Nodes,
    equals: Equals,
    payload: Vec<u8>,
    memory: Memory,
    scratch: T,
}

impl<T: Scratch> Builder<T> {
    /// A build without rows.
    ///
    /// # Errors
    /// Bad options.
    pub fn new(options: &Options, resources: Resources, scratch: T) -> Result<Self> {
        let options = options.settle()?;
        let scorer = Scorer::new(options.spec, None)?;
        let memory = Memory::new(resources.memory);
        Ok(Self {
            meta: Meta::new(&options),
            resources,
            nodes: Nodes::new(&scorer, &memory)?,
            equals: Equals::new(&memory),
            scorer,
            payload: Vec::new(),
            memory,
            scratch,
        })
    }

    /// Takes a row. `false`: a zero vector under cosine distance, which the index does not hold.
    ///
    /// # Errors
    /// A value of another type or other dimensions than the index's, one that is not finite, and temporary files that fail.
    pub fn push(&mut self, tid: ItemPointer, value: Value<'_>) -> Result<bool> {
        self.payload.clear();
        match self.scorer.encode(value, &mut self.payload) {
            Err(kite_codecs::Error::Zero) => return Ok(false),
            other => other?,
        }
        match self.equals.find_or_enter(&self.nodes.payloads, &self.payload)? {
            Some(node) => self.nodes.push_row(node, tid)?,
            None => self.nodes.push(&self.payload, value, tid)?,
        }
        Ok(true)
    }

    /// Links all rows and writes the index to an empty store.
    ///
    /// # Errors
    /// A store that is not empty, the end of memory or of space, and what the host says.
    pub fn finish<S: PageStore>(mut self, store: &S, host: &impl Host) -> Result<Built> {
        drop(std::mem::replace(&mut self.equals, Equals::new(&self.memory)));
        let nodes = self.nodes.len();
        let parameters = Parameters {
            m: usize::from(self.meta.m),
            ef_construction: usize::from(self.meta.ef_construction),
            seed: self.meta.seed,
            threads: self.resources.threads,
        };
        host.phase(Phase::Linking);
        let highest = highest(&self.meta, Shape::of(&self.meta.spec));
        let mut levels = Counted::new(&self.memory);
        levels.reserve_exact(nodes)?;
        for node in 0..nodes as u64 {
            levels.push(link::level(&parameters, node).min(highest))?;
        }
        let slots = Slots { lowest: self.meta.slots(0), upper: self.meta.slots(1) };
        let distances = self.nodes.distances(&self.scorer);
        let graph = link_levels(&distances, levels, slots, &parameters, &self.memory, host)?;
        self.nodes.linked();
        let payloads = &self.nodes.payloads;
        let sample = codes::spread(nodes, codes::SAMPLE).map(|row| payloads.get(row as u32));
        let frame = codes::learn(&self.scorer, nodes, sample, self.meta.seed)?;
        let scorer = Scorer::new(self.meta.spec, frame.clone())?;
        let codes = Codes::of(payloads, &scorer, self.resources.threads, &self.memory, host)?;
        if frame.is_some() {
            self.meta.frame = 1;
        }
        let entry = (nodes > 0).then(|| (graph.entry(), graph.level(graph.entry())));
        let plan = Plan { meta: self.meta, frame, entry };
        let order = by_locality(&graph, self.per_page(&graph), &self.memory)?;
        host.phase(Phase::Writing);
        let mut linked = Linked { nodes: &self.nodes, graph: &graph, codes: &codes, order: &order };
        let meta = write(store, &mut linked, &plan, &self.memory, host)?;
        Ok(Built {
            rows: meta.rows,
            vertices: meta.vertices,
            pages: store.len(),
            parts: 1,
            memory: self.memory.peak(),
        })
    }

    /// How many vertices with their lists fit a page, about.
    fn per_page(&self, graph: &Graph) -> usize {
        let nodes = graph.len();
        if nodes == 0 {
            return 1;
        }
        let links: usize = (0..nodes as u32).map(|node| graph.links(node, 0).len()).sum();
        let shape = Shape::of(&self.meta.spec);
        let payload = self.nodes.payloads.get(0).len();
        let bytes = VertexBuf::size(0, payload, 1) + shape.size(links / nodes + 2, self.meta.frame != 0);
        (MAX_ITEM / bytes).max(1)
    }
}
