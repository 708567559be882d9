//! Collecting the rows of a new index, and making the index of them.

use super::codes::{self, Codes};
use super::distances::linking_spec;
use super::link::{self, Slots, link_levels};
use super::memory::{Counted, Memory};
use super::nodes::{Linked, Nodes};
use super::order::by_locality;
use super::part::Setting;
use super::parts::{self, Spilled};
use super::rows::Equals;
use super::sample::Sample;
use super::write::{Plan, write, write_beside};
use super::{Choice, Graph, Host, Parameters, Phase, Resources, Scratch};
use crate::format::{Meta, Shape, VertexBuf};
use crate::index::highest;
use crate::{Error, Options, Result};
use kite_codecs::{Scorer, Spec, Value};
use kite_pages::{BlockNo, ItemPointer, MAX_ITEM, PageStore};

/// What arrays grow by at least, all of them together.
const GRAIN: usize = 4096;

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
pub struct Builder<T: Scratch> {
    meta: Meta,
    parameters: Parameters,
    scorer: Scorer,
    /// What vectors are linked by where it is not what the index stores.
    linking: Option<Spec>,
    nodes: Nodes,
    equals: Equals,
    /// All rows, once they do not fit memory.
    spilled: Option<Spilled<T::File>>,
    /// All rows, until there are enough to choose a payload by.
    sample: Option<Sample>,
    /// Whether the choice is of the payload alone.
    keeps_codes: bool,
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
        let linking = linking_spec(&options.spec);
        let Options { m, ef_construction, seed, .. } = options;
        Ok(Self {
            meta: Meta::new(&options),
            parameters: Parameters {
                m,
                ef_construction,
                choice: Choice::of(&options.spec),
                seed,
                threads: resources.threads,
            },
            linking,
            nodes: Nodes::new(&scorer, linking, &memory)?,
            equals: Equals::new(&memory),
            spilled: None,
            sample: None,
            keeps_codes: true,
            scorer,
            payload: Vec::new(),
            memory,
            scratch,
        })
    }

    /// Before the first row: the first ones decide on the payload, in place of what the options say of it. It is the shortest that
    /// tells the neighbours among them apart. Where a byte per dimension cannot, codes of one or two bits lead astray; so with
    /// `and_codes` the index then has none.
    ///
    /// # Errors
    /// Bad options.
    pub fn choosing_payload(mut self, and_codes: bool) -> Result<Self> {
        self.keeps_codes = !and_codes;
        self.sample = Sample::new(&self.meta.spec, &self.memory)?;
        Ok(self)
    }

    /// Takes a row. `false`: a zero vector under cosine distance, which the index does not hold.
    ///
    /// # Errors
    /// A value of another type or other dimensions than the index's, one that is not finite, too many rows, and temporary
    /// files that fail.
    pub fn push(&mut self, tid: ItemPointer, value: Value<'_>) -> Result<bool> {
        if let Some(sample) = &mut self.sample {
            match sample.push(tid, value) {
                Err(Error::Codecs(kite_codecs::Error::Zero)) => return Ok(false),
                Ok(false) => self.choose_payload()?,
                other => return other,
            }
        }
        self.payload.clear();
        match self.scorer.encode(value, &mut self.payload) {
            Err(kite_codecs::Error::Zero) => return Ok(false),
            other => other?,
        }
        if self.spilled.is_none() && !self.fits() {
            self.spill()?;
        }
        if let Some(spilled) = &mut self.spilled {
            spilled.push(tid, &self.payload)?;
            return Ok(true);
        }
        match self.equals.find_or_enter(&self.nodes.payloads, &self.payload)? {
            Some(node) => self.nodes.push_row(node, tid)?,
            None => self.nodes.push(&self.payload, value, tid)?,
        }
        Ok(true)
    }

    /// Takes the rows of the sample, with the payload that they call for.
    fn choose_payload(&mut self) -> Result<()> {
        let Some(sample) = self.sample.take() else { return Ok(()) };
        let payload = sample.choose(&self.memory)?;
        if payload != self.meta.spec.payload {
            self.meta.spec.payload = payload;
            self.meta.spec.code_bits = if self.keeps_codes { self.meta.spec.code_bits } else { 0 };
            // Bytes do not tell these rows apart, so that they cannot link them either.
            self.linking = None;
            self.scorer = Scorer::new(self.meta.spec, None)?;
            self.nodes = Nodes::new(&self.scorer, None, &self.memory)?;
        }
        for row in sample.into_rows() {
            let (tid, value) = row?;
            self.push(tid, value.as_ref())?;
        }
        Ok(())
    }

    /// Whether memory was not enough for the rows so far, so that they are linked in parts.
    #[must_use]
    pub fn is_spilled(&self) -> bool {
        self.spilled.is_some()
    }

    /// Bytes that a vector takes while it is linked and written, besides its payloads.
    fn per_node(&self) -> usize {
        // What it is known by, its place in an order, and its place in the index.
        const NUMBERS: usize = 24;
        link::bytes_per_node(self.parameters.m) + Shape::of(&self.meta.spec).beside() + NUMBERS
    }

    /// Whether another vector can be held, and all of them linked.
    fn fits(&self) -> bool {
        let (used, (table, growth)) = (self.memory.used(), self.equals.bytes());
        let grown = (used - table) / 8 + GRAIN + self.payload.len();
        let linking = used - table + (self.nodes.len() + 1) * self.per_node();
        used.max(linking) + grown.max(growth) <= self.memory.limit()
    }

    /// Moves all rows to a temporary file, where those to come go as well.
    fn spill(&mut self) -> Result<()> {
        let mut spilled = Spilled::new(self.scratch.file()?, self.per_node());
        self.nodes.each_row(|tid, payload| spilled.push(tid, payload))?;
        self.nodes = Nodes::new(&self.scorer, self.linking, &self.memory)?;
        self.equals = Equals::new(&self.memory);
        self.spilled = Some(spilled);
        Ok(())
    }

    /// Links all rows and writes the index to an empty store.
    ///
    /// # Errors
    /// A store that is not empty, the end of memory or of space, temporary files that fail, and what the host says.
    pub fn finish<S: PageStore>(mut self, store: &S, host: &impl Host) -> Result<Built> {
        self.choose_payload()?;
        let memory = self.memory.clone();
        let (meta, parts) = match self.spilled.take() {
            Some(spilled) => self.finish_in_parts(spilled, store, host)?,
            None => (self.finish_in_memory(store, host)?, 1),
        };
        Ok(Built {
            rows: meta.rows,
            vertices: meta.vertices,
            pages: store.len(),
            parts,
            memory: memory.peak(),
        })
    }

    fn finish_in_memory<S: PageStore>(mut self, store: &S, host: &impl Host) -> Result<Meta> {
        self.equals = Equals::new(&self.memory);
        let nodes = self.nodes.len();
        host.phase(Phase::Linking);
        let highest = highest(&self.meta, Shape::of(&self.meta.spec));
        let mut levels = Counted::new(&self.memory);
        levels.reserve_exact(nodes)?;
        for node in 0..nodes as u64 {
            levels.push(link::level(&self.parameters, node).min(highest))?;
        }
        let slots = Slots { lowest: self.meta.slots(0), upper: self.meta.slots(1) };
        let distances = self.nodes.distances(&self.scorer);
        let graph = link_levels(&distances, levels, slots, &self.parameters, &self.memory, host)?;
        self.nodes.linked();
        let payloads = &self.nodes.payloads;
        let sample = codes::spread(nodes, codes::SAMPLE).map(|row| payloads.get(row as u32));
        let frame = codes::learn(&self.scorer, nodes, sample, self.meta.seed)?;
        let framed = Scorer::new(self.meta.spec, frame.clone())?;
        let codes = Codes::of(payloads, &framed, self.parameters.threads, &self.memory, host)?;
        let entry = (nodes > 0).then(|| (graph.entry(), graph.level(graph.entry())));
        let plan = Plan::new(self.meta, frame, entry);
        let order = by_locality(&graph, self.per_page(&graph, &plan.meta), &self.memory, host)?;
        host.phase(Phase::Writing);
        let mut linked = Linked { nodes: &self.nodes, graph: &graph, codes: &codes, order: &order };
        if self.parameters.threads > 1 {
            write_beside(store, &linked, &plan, &self.memory, host)
        } else {
            write(store, &mut linked, &plan, &self.memory, host)
        }
    }

    fn finish_in_parts<S: PageStore>(
        mut self,
        mut spilled: Spilled<T::File>,
        store: &S,
        host: &impl Host,
    ) -> Result<(Meta, usize)> {
        host.phase(Phase::Dividing);
        // The lists of the parts are united, which makes them long enough.
        self.parameters.choice.alpha = 1.0;
        let mut setting = Setting {
            scorer: &self.scorer,
            framed: self.scorer.clone(),
            linking: self.linking,
            parameters: &self.parameters,
            highest: highest(&self.meta, Shape::of(&self.meta.spec)),
            memory: &self.memory,
        };
        let (frame, centres) = parts::learn(&mut spilled, &setting, host)?;
        setting.framed = Scorer::new(self.meta.spec, frame.clone())?;
        let mut merged = parts::link_parts(spilled, centres, &setting, &mut self.scratch, host)?;
        let plan = Plan::new(self.meta, frame, merged.entry);
        host.phase(Phase::Writing);
        let meta = write(store, &mut merged, &plan, &self.memory, host)?;
        Ok((meta, merged.rows.len()))
    }

    /// How many vertices with their lists fit a page, about.
    fn per_page(&self, graph: &Graph, meta: &Meta) -> usize {
        let nodes = graph.len();
        if nodes == 0 {
            return 1;
        }
        let links: usize = (0..nodes as u32).map(|node| graph.links(node, 0).len()).sum();
        let shape = Shape::of(&meta.spec);
        let payload = self.nodes.payloads.get(0).len();
        let bytes = VertexBuf::size(0, payload, 1) + shape.size(links / nodes + 2, meta.frame != 0);
        (MAX_ITEM / bytes).max(1)
    }
}
