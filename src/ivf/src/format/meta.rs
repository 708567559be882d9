//! The one item of the meta page: what the index is.

use super::Link;
use crate::{Codes, Options, Payload};
use kite_codecs::{Metric, VectorType};
use kite_pages::{BlockNo, Defect, ItemReader, NO_BLOCK};
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
    codes: u8,
    code_bits: u8,
    effective: u8,
    parts: little_endian::U16,
    seed: little_endian::U64,
    asked: little_endian::U32,
    lists: little_endian::U32,
    directory: little_endian::U32,
    untidy: u8,
    effective_bits: u8,
    reserved: [u8; 2],
    anchor: Link,
    rows: little_endian::U64,
    built_rows: little_endian::U64,
    built_error: little_endian::F64,
}

const _: () = assert!(size_of::<Stored>() == 72);

const VERSION: u32 = 1;

const TYPES: [VectorType; 3] = [VectorType::Vector, VectorType::Halfvec, VectorType::Bit];
const METRICS: [Metric; 6] =
    [Metric::L2, Metric::InnerProduct, Metric::Cosine, Metric::L1, Metric::Hamming, Metric::Jaccard];
const PAYLOADS: [Payload; 4] = [Payload::Full, Payload::Half, Payload::Sq8, Payload::None];

/// What the meta page says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Meta {
    /// What it was asked to be.
    pub(crate) options: Options,
    /// The codes that it has: `pq` needs rows to learn from, and is `rabitq` without.
    pub(crate) codes: Codes,
    /// Lists that it has.
    pub(crate) lists: u32,
    /// The first page of the directory; none where there is one list, with its centroid at the origin.
    pub(crate) directory: Option<BlockNo>,
    /// The anchor of that list.
    pub(crate) anchor: Link,
    /// Whether a cleanup has something to do.
    pub(crate) untidy: bool,
    /// Rows, as the last build or vacuum counted them.
    pub(crate) rows: u64,
    /// Rows of the build, and the mean of how far they were from their centroids.
    pub(crate) built_rows: u64,
    pub(crate) built_error: f64,
}

fn code(codes: Codes) -> (u8, u8, u16) {
    match codes {
        Codes::None => (0, 0, 0),
        Codes::Sq8 => (1, 0, 0),
        Codes::RabitQ { bits } => (2, bits, 0),
        Codes::Pq { parts, bits } => (3, bits, parts),
    }
}

fn codes(kind: u8, bits: u8, parts: u16) -> Option<Codes> {
    match kind {
        0 => Some(Codes::None),
        1 => Some(Codes::Sq8),
        2 => Some(Codes::RabitQ { bits }),
        3 => Some(Codes::Pq { parts, bits }),
        _ => None,
    }
}

impl Meta {
    /// Of an index with one list.
    pub(crate) fn new(options: Options) -> Self {
        let effective = match options.codes {
            Codes::Pq { .. } => Codes::RabitQ { bits: 1 },
            codes => codes,
        };
        Self {
            options,
            codes: effective,
            lists: 1,
            directory: None,
            anchor: Link::NONE,
            untidy: false,
            rows: 0,
            built_rows: 0,
            built_error: 0.0,
        }
    }

    /// The options with the codes and the lists that it has.
    pub(crate) fn effective(&self) -> Options {
        Options { codes: self.codes, lists: self.lists as usize, ..self.options }
    }

    /// The item.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let place = |found: Option<usize>| found.map_or(u8::MAX, |place| place as u8);
        let Options { vector_type, metric, dims, lists, payload, seed, codes } = self.options;
        let ((codes, code_bits, parts), (effective, effective_bits, _)) = (code(codes), code(self.codes));
        Stored {
            version: VERSION.into(),
            dims: (dims as u32).into(),
            vector_type: place(TYPES.iter().position(|&other| other == vector_type)),
            metric: place(METRICS.iter().position(|&other| other == metric)),
            payload: place(PAYLOADS.iter().position(|&other| other == payload)),
            codes,
            code_bits,
            effective,
            parts: parts.into(),
            seed: seed.into(),
            asked: (lists as u32).into(),
            lists: self.lists.into(),
            directory: self.directory.unwrap_or(NO_BLOCK).into(),
            untidy: self.untidy.into(),
            effective_bits,
            reserved: [0; 2],
            anchor: self.anchor,
            rows: self.rows.into(),
            built_rows: self.built_rows.into(),
            built_error: self.built_error.into(),
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
        let parts = stored.parts.get();
        let options = Options {
            vector_type: *TYPES.get(usize::from(stored.vector_type)).ok_or(DAMAGED)?,
            metric: *METRICS.get(usize::from(stored.metric)).ok_or(DAMAGED)?,
            dims: stored.dims.get() as usize,
            lists: stored.asked.get() as usize,
            codes: codes(stored.codes, stored.code_bits, parts).ok_or(DAMAGED)?,
            payload: *PAYLOADS.get(usize::from(stored.payload)).ok_or(DAMAGED)?,
            seed: stored.seed.get(),
        };
        let meta = Self {
            options,
            codes: codes(stored.effective, stored.effective_bits, parts).ok_or(DAMAGED)?,
            lists: stored.lists.get(),
            directory: Some(stored.directory.get()).filter(|&block| block != NO_BLOCK),
            anchor: stored.anchor,
            untidy: stored.untidy != 0,
            rows: stored.rows.get(),
            built_rows: stored.built_rows.get(),
            built_error: stored.built_error.get(),
        };
        let sound = |options: Options| options.settle().is_ok_and(|settled| settled == options);
        let lists = 1..=crate::options::MOST_LISTS as u32;
        if !sound(options) || !sound(meta.effective()) || !lists.contains(&meta.lists) {
            return Err(DAMAGED);
        }
        Ok(meta)
    }
}
