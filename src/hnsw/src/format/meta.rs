//! The one item of the meta page: what the index is, and where a search begins.

use super::{HIGHEST, Link};
use kite_codecs::{Metric, PayloadKind, Spec, VectorType};
use kite_pages::{Defect, ItemReader, ItemRef};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian};

/// As stored.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Stored {
    version: little_endian::U32,
    dims: little_endian::U32,
    vector_type: u8,
    metric: u8,
    payload: u8,
    code_bits: u8,
    m: little_endian::U16,
    ef_construction: little_endian::U16,
    seed: little_endian::U64,
    entry: Link,
    entry_level: u8,
    untidy: u8,
    frame_chain: ItemRef,
    frame: little_endian::U32,
    vertices: little_endian::U64,
    rows: little_endian::U64,
}

const _: () = assert!(size_of::<Stored>() == 64);

const VERSION: u32 = 1;

const TYPES: [VectorType; 4] =
    [VectorType::Vector, VectorType::Halfvec, VectorType::Bit, VectorType::Sparsevec];
const METRICS: [Metric; 6] =
    [Metric::L2, Metric::InnerProduct, Metric::Cosine, Metric::L1, Metric::Hamming, Metric::Jaccard];
const PAYLOADS: [PayloadKind; 3] = [PayloadKind::Full, PayloadKind::Half, PayloadKind::Sq8];

/// What the meta page says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Meta {
    pub(crate) spec: Spec,
    pub(crate) m: u16,
    pub(crate) ef_construction: u16,
    pub(crate) seed: u64,
    /// The vertex where searches begin; none while the index is empty.
    pub(crate) entry: Link,
    pub(crate) entry_level: u8,
    /// Whether a cleanup has something to do: a vacuum has begun and not ended, dead vertices wait, lists may lack codes.
    pub(crate) untidy: bool,
    /// The number of the frame of the codes; 0: there are none yet. For `bit`, whose codes need no frame, 1.
    pub(crate) frame: u32,
    /// The chain in which the frame is kept.
    pub(crate) frame_chain: ItemRef,
    /// Vertices, as the last build or vacuum counted them.
    pub(crate) vertices: u64,
    /// Rows, as the last build or vacuum counted them.
    pub(crate) rows: u64,
}

impl Meta {
    /// The item.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let place = |found: Option<usize>| found.map_or(u8::MAX, |place| place as u8);
        let Spec { vector_type, metric, payload, code_bits, dims } = self.spec;
        Stored {
            version: VERSION.into(),
            dims: (dims as u32).into(),
            vector_type: place(TYPES.iter().position(|&other| other == vector_type)),
            metric: place(METRICS.iter().position(|&other| other == metric)),
            payload: place(PAYLOADS.iter().position(|&other| other == payload)),
            code_bits,
            m: self.m.into(),
            ef_construction: self.ef_construction.into(),
            seed: self.seed.into(),
            entry: self.entry,
            entry_level: self.entry_level,
            untidy: self.untidy.into(),
            frame_chain: self.frame_chain,
            frame: self.frame.into(),
            vertices: self.vertices.into(),
            rows: self.rows.into(),
        }
        .as_bytes()
        .to_vec()
    }

    /// Reads the item.
    pub(crate) fn parse(item: &[u8]) -> Result<Self, Defect> {
        const DAMAGED: Defect = Defect("the meta page says what cannot be");
        let stored: &Stored = ItemReader::new(item).one()?;
        if stored.version.get() != VERSION {
            return Err(Defect("the index is of a later version of its format"));
        }
        let spec = Spec {
            vector_type: *TYPES.get(usize::from(stored.vector_type)).ok_or(DAMAGED)?,
            metric: *METRICS.get(usize::from(stored.metric)).ok_or(DAMAGED)?,
            payload: *PAYLOADS.get(usize::from(stored.payload)).ok_or(DAMAGED)?,
            code_bits: stored.code_bits,
            dims: stored.dims.get() as usize,
        };
        if spec.check().is_err() || stored.m.get() == 0 || stored.entry_level > HIGHEST {
            return Err(DAMAGED);
        }
        Ok(Self {
            spec,
            m: stored.m.get(),
            ef_construction: stored.ef_construction.get(),
            seed: stored.seed.get(),
            entry: stored.entry,
            entry_level: stored.entry_level,
            untidy: stored.untidy != 0,
            frame: stored.frame.get(),
            frame_chain: stored.frame_chain,
            vertices: stored.vertices.get(),
            rows: stored.rows.get(),
        })
    }

    /// The most links of a list on a level.
    pub(crate) fn slots(&self, level: u8) -> usize {
        usize::from(self.m) * if level == 0 { 2 } else { 1 }
    }
}
