//! What a search is told: the query, its limits, and who takes what is read.

use crate::Result;
use crate::format::{Shape, Vertex, VertexBuf};
use crate::index::Index;
use kite_codecs::{PreparedQuery, Scorer};
use kite_pages::{Ahead, BlockNo, PageStore};
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
    ///
    /// # Errors
    /// No memory to note it.
    fn meet(&mut self, node: u32, vertex: &Vertex<'_>) -> kite_pages::Result<bool>;

    /// Takes in the payload of one that can be, at once or, for long ones, later, and answers its key. The page may be locked. `block` is
    /// that of the vertex.
    ///
    /// # Errors
    /// A damaged payload, or no memory to keep it.
    #[inline]
    fn rank<S>(
        &mut self,
        probe: &Probe<'_, S>,
        node: u32,
        payload: &[u8],
        block: BlockNo,
    ) -> kite_pages::Result<f32> {
        let _ = node;
        probe.scorer.exact(&probe.query, payload).map_err(damaged(block))
    }

    /// Asked of a vertex that is near enough to be a result. Nothing is locked.
    ///
    /// # Errors
    /// What ends the search.
    fn admits(&mut self, node: u32) -> Result<bool>;

    /// Whether the search has found what it was for, and may end.
    fn is_done(&self) -> bool {
        false
    }

    /// Bytes that it takes, which count towards [`Limits::memory`].
    fn bytes(&self) -> usize {
        0
    }
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
    /// Bytes that may be taken, by the search and its sink.
    pub(crate) memory: usize,
}

impl<'s, S: PageStore> Index<'s, S> {
    /// A list is mostly added after its vertex, so that it stands before it.
    fn ahead(&self) -> Ahead {
        // Variable payloads are of a length that nobody knows; some lines of them are better than none.
        let payload = self.scorer.payload_len().unwrap_or(512);
        // Lists are mostly half full.
        let links = usize::from(self.meta.m) + usize::from(self.meta.m) / 4;
        Ahead { before: self.shape.size(links, self.meta.frame != 0), after: VertexBuf::size(0, payload, 1) }
    }

    /// What a search for this query needs.
    pub(crate) fn probe(&self, query: PreparedQuery) -> Probe<'s, S> {
        Probe {
            store: self.store,
            scorer: Arc::clone(&self.scorer),
            shape: self.shape,
            frame: self.meta.frame,
            query,
            ahead: self.ahead(),
        }
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

/// The same, on the block of the first of these payloads that cannot be compared, not even with itself; on `otherwise` if all can.
#[cold]
pub(crate) fn damaged_among<'p>(
    scorer: &Scorer,
    mut payloads: impl Iterator<Item = (BlockNo, &'p [u8])>,
    otherwise: BlockNo,
) -> impl Fn(kite_codecs::Error) -> kite_pages::Error {
    let found = payloads.find(|(_, payload)| scorer.between(payload, payload).is_err());
    damaged(found.map_or(otherwise, |(block, _)| block))
}
