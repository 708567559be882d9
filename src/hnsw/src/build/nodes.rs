//! The vectors that are linked in memory, with the rows that have them.

use super::Graph;
use super::codes::Codes;
use super::distances::Stored;
use super::memory::{Counted, Memory};
use super::rows::Rows;
use super::write::{Neighbours, Outgoing, Source};
use crate::Result;
use kite_codecs::{Scorer, Spec, Value};
use kite_pages::ItemPointer;

/// Vectors, numbered from 0.
#[derive(Debug)]
pub(super) struct Nodes {
    /// As the index stores them.
    pub(super) payloads: Rows,
    /// As they are linked, where that is something else.
    linking: Option<(Scorer, Rows)>,
    /// A row of each.
    tids: Counted<ItemPointer>,
    /// The other rows of those that have several.
    more: Counted<(u32, ItemPointer)>,
    buffer: Vec<u8>,
}

/// What an `sq8` payload has besides its bytes, with what it is rounded up by.
const SQ8_HEADER: usize = 24 + 7;

impl Nodes {
    /// No vectors yet; `scorer` makes what the index stores, and `linking` what they are linked by where that is something else.
    pub(super) fn new(scorer: &Scorer, linking: Option<Spec>, memory: &Memory) -> Result<Self> {
        let linking = match linking {
            Some(spec) => {
                let scorer = Scorer::new(spec, None)?;
                let rows = Rows::new(memory, scorer.payload_len());
                Some((scorer, rows))
            }
            None => None,
        };
        Ok(Self {
            payloads: Rows::new(memory, scorer.payload_len()),
            linking,
            tids: Counted::new(memory),
            more: Counted::new(memory),
            buffer: Vec::new(),
        })
    }

    /// Makes room for so many vectors whose payloads have so many bytes together.
    pub(super) fn reserve_exact(&mut self, vectors: usize, bytes: usize) -> Result<()> {
        self.payloads.reserve_exact(vectors, bytes)?;
        if let Some((_, rows)) = &mut self.linking {
            rows.reserve_exact(vectors, 0)?;
        }
        Ok(self.tids.reserve_exact(vectors)?)
    }

    /// Bytes that a vector takes: its payload, of the given length, and what it is linked by.
    pub(super) fn bytes(payload: usize, scorer: &Scorer, linking: Option<Spec>) -> usize {
        let linking = linking.map_or(0, |spec| spec.dims + SQ8_HEADER);
        Rows::taken(payload, scorer.payload_len().is_some()) + linking + size_of::<ItemPointer>()
    }

    pub(super) fn len(&self) -> usize {
        self.payloads.len()
    }

    /// Adds a vector with its first row.
    pub(super) fn push(&mut self, payload: &[u8], value: Value<'_>, tid: ItemPointer) -> Result<()> {
        if let Some((scorer, rows)) = &mut self.linking {
            self.buffer.clear();
            scorer.encode(value, &mut self.buffer)?;
            rows.push(&self.buffer)?;
        }
        self.push_plain(payload, tid)
    }

    /// The same where the value is not at hand any more.
    pub(super) fn push_payload(&mut self, scorer: &Scorer, payload: &[u8], tid: ItemPointer) -> Result<()> {
        match &self.linking {
            Some(_) => self.push(payload, scorer.value(payload)?.as_ref(), tid),
            None => self.push_plain(payload, tid),
        }
    }

    fn push_plain(&mut self, payload: &[u8], tid: ItemPointer) -> Result<()> {
        self.payloads.push(payload)?;
        Ok(self.tids.push(tid)?)
    }

    /// Adds a further row of a vector.
    pub(super) fn push_row(&mut self, node: u32, tid: ItemPointer) -> Result<()> {
        Ok(self.more.push((node, tid))?)
    }

    /// By what they are linked.
    pub(super) fn distances<'a>(&'a self, scorer: &'a Scorer) -> Stored<'a> {
        match &self.linking {
            Some((scorer, rows)) => Stored { scorer, rows },
            None => Stored { scorer, rows: &self.payloads },
        }
    }

    /// They are linked, and ready to be written: what only linking needs is given back.
    pub(super) fn linked(&mut self) {
        self.linking = None;
        self.more.sort_unstable();
    }

    /// Calls `visit` with every row and its payload.
    pub(super) fn each_row(&self, mut visit: impl FnMut(ItemPointer, &[u8]) -> Result<()>) -> Result<()> {
        (0..).zip(self.tids.iter()).try_for_each(|(node, &tid)| visit(tid, self.payloads.get(node)))?;
        self.more.iter().try_for_each(|&(node, tid)| visit(tid, self.payloads.get(node)))
    }

    /// The rows of a vector.
    fn rows_of(&self, node: u32, tids: &mut Vec<ItemPointer>) {
        tids.clear();
        tids.push(self.tids[node as usize]);
        let first = self.more.partition_point(|&(other, _)| other < node);
        let more = self.more[first..].iter().take_while(|&&(other, _)| other == node);
        tids.extend(more.map(|&(_, tid)| tid));
    }
}

/// Vectors with all that is known of them, in the order in which they are written.
#[derive(Debug, Clone)]
pub(super) struct Linked<'a> {
    pub(super) nodes: &'a Nodes,
    pub(super) graph: &'a Graph,
    pub(super) codes: &'a Codes,
    pub(super) order: &'a [u32],
}

impl Source for Linked<'_> {
    fn ids(&self) -> usize {
        self.nodes.len()
    }

    fn each(&mut self, bytes: bool, visit: &mut dyn FnMut(&Outgoing<'_>) -> Result<()>) -> Result<()> {
        let (mut tids, mut lists) = (Vec::new(), Vec::new());
        for &node in self.order {
            self.nodes.rows_of(node, &mut tids);
            let levels = usize::from(self.graph.level(node)) + 1;
            lists.resize_with(levels.max(lists.len()), Neighbours::default);
            for (level, list) in (0..).zip(&mut lists[..levels]) {
                list.ids.clear();
                list.ids.extend(self.graph.links(node, level));
                list.codes.clear();
                if bytes {
                    list.ids.iter().for_each(|&near| list.codes.extend_from_slice(self.codes.get(near)));
                }
            }
            let payload = self.nodes.payloads.get(node);
            visit(&Outgoing { id: node, payload, tids: &tids, lists: &lists[..levels] })?;
        }
        Ok(())
    }
}
