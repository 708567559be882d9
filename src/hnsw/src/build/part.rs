//! A part of the rows, linked in memory, and its lists written to temporary files.

use super::codes::Codes;
use super::distances::Stored;
use super::link::{self, Slots, link_levels};
use super::memory::{Counted, Memory};
use super::nodes::Nodes;
use super::rows::Equals;
use super::spool::{Extra, ListSpool, Lists, Near, RowHead};
use super::{Distances, Graph, Host, Parameters};
use super::{Scratch, ScratchFile};
use crate::Result;
use crate::format::HIGHEST;
use kite_codecs::{Scorer, Spec};
use zerocopy::IntoBytes;

/// What linking a part depends on.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    /// Makes what the index stores.
    pub(super) scorer: &'a Scorer,
    /// The same with the frame of the codes.
    pub(super) framed: Scorer,
    /// What vectors are linked by where it is not what the index stores.
    pub(super) linking: Option<Spec>,
    pub(super) parameters: &'a Parameters,
    /// The highest level of the index.
    pub(super) highest: u8,
    pub(super) memory: &'a Memory,
}

/// Vectors of several parts at once, or of one: numbered from 0 here, known elsewhere by a row that has them.
#[derive(Debug)]
pub(super) struct Part {
    nodes: Nodes,
    equals: Equals,
    /// By which row each vector is known, and which part that belongs to first of all.
    known: Counted<Known>,
    /// Rows whose vectors were there already.
    extras: Counted<Extra>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    part: u16,
    row: u32,
}

impl Part {
    pub(super) fn new(setting: &Setting<'_>) -> Result<Self> {
        let memory = setting.memory;
        Ok(Self {
            nodes: Nodes::new(setting.scorer, setting.linking, memory)?,
            equals: Equals::new(memory),
            known: Counted::new(memory),
            extras: Counted::new(memory),
        })
    }

    /// Makes room for so many rows.
    pub(super) fn reserve(&mut self, rows: usize, bytes: usize) -> Result<()> {
        self.nodes.reserve_exact(rows, bytes)?;
        Ok(self.known.reserve_exact(rows)?)
    }

    /// Adds a row; `own` if this part is what it belongs to first of all.
    ///
    /// A vector is known by the first of its own rows, so that each part that has it calls it the same.
    pub(super) fn push(&mut self, scorer: &Scorer, head: RowHead, payload: &[u8], own: bool) -> Result<()> {
        let known = Known { part: head.part(), row: head.row() };
        let Some(node) = self.equals.find_or_enter(&self.nodes.payloads, payload)? else {
            self.known.push(known)?;
            return self.nodes.push_payload(scorer, payload, head.tid);
        };
        let first = &mut self.known[node as usize];
        if own && first.part == known.part {
            self.extras.push(Extra::new(first.row, head.tid))?;
        } else if own {
            *first = known;
        }
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Links the vectors on the levels from `lowest` up to below `end`, and writes their lists.
    pub(super) fn link<T: Scratch>(
        mut self,
        levels: (u8, u8),
        slots: Slots,
        setting: &Setting<'_>,
        scratch: &mut T,
        host: &impl Host,
    ) -> Result<Linked<T::File>> {
        let (lowest, end) = levels;
        self.equals = Equals::new(setting.memory);
        let mut own_levels = Counted::new(setting.memory);
        own_levels.reserve_exact(self.len())?;
        for node in 0..self.len() as u32 {
            let level = level_of(self.nodes.payloads.get(node), setting);
            own_levels.push(level.min(end - 1).saturating_sub(lowest))?;
        }
        let distances = self.nodes.distances(setting.scorer);
        let graph = link_levels(&distances, own_levels, slots, setting.parameters, setting.memory, host)?;
        let threads = setting.parameters.threads;
        let codes = Codes::of(&self.nodes.payloads, &setting.framed, threads, setting.memory, host)?;
        let mut spool = ListSpool::new(scratch.file()?, scratch.file()?, codes.size());
        let mut order = Counted::filled(setting.memory, self.len(), || 0_u32)?;
        order.iter_mut().zip(0..).for_each(|(place, node)| *place = node);
        order.sort_unstable_by_key(|&node| self.known[node as usize]);
        let mut lists = Lists { lowest, ..Lists::default() };
        for &node in order.iter() {
            host.go_on()?;
            let Known { part, row } = self.known[node as usize];
            (lists.part, lists.row) = (part, row);
            self.fill(&mut lists, node, &graph, &distances, &codes);
            spool.append(&lists)?;
        }
        let entry = (self.len() > 0).then(|| self.known[graph.entry() as usize].row);
        let mut extras = scratch.file()?;
        self.extras.sort_unstable_by_key(|extra| (extra.of(), extra.tid));
        self.extras.iter().try_for_each(|extra| extras.append(extra.as_bytes()))?;
        let entry = entry.map(|row| (row, lowest + graph.level(graph.entry())));
        Ok(Linked { lists: spool, extras, entry })
    }

    /// The lists of a node by rows.
    fn fill(&self, lists: &mut Lists, node: u32, graph: &Graph, distances: &Stored<'_>, codes: &Codes) {
        lists.codes.clear();
        lists.lists.resize_with(usize::from(graph.level(node)) + 1, Vec::new);
        for (level, list) in (0..).zip(&mut lists.lists) {
            list.clear();
            for near in graph.links(node, level) {
                list.push(Near::new(self.known[near as usize].row, distances.between(node, near)));
                lists.codes.extend_from_slice(codes.get(near));
            }
        }
    }
}

/// What remains of a part that has been linked.
#[derive(Debug)]
pub(super) struct Linked<F> {
    pub(super) lists: ListSpool<F>,
    pub(super) extras: F,
    /// The row of the vector from which searches start, and its level.
    pub(super) entry: Option<(u32, u8)>,
}

/// The level of a vector, from its payload: equal ones then have the same, in whatever part they are.
pub(super) fn level_of(payload: &[u8], setting: &Setting<'_>) -> u8 {
    let number = super::rows::hash(payload);
    link::level(setting.parameters, number).min(setting.highest).min(HIGHEST)
}
