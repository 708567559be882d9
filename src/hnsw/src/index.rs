//! An index in a store: what every operation begins with.

use crate::format::{CHUNKS, HIGHEST, META, META_BLOCK, Meta, Shape, VertexBuf};
use crate::insert::Room;
use crate::search::Desk;
use crate::{Error, Result};
use kite_codecs::{Frame, Scorer, Spec};
use kite_pages::payload::{self, Fetched};
use kite_pages::{At, Defect, ItemNo, MAX_ITEM, PAGE_SIZE, PageStore, PageTxn, View};
use std::sync::{Arc, Mutex};

/// The item number of the meta item.
pub(crate) const META_ITEM: ItemNo = 1;

/// What an index is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Type, metric, payload and code bits. [`Options::settle`] lowers the code bits to what fits.
    pub spec: Spec,
    /// The most links of a vertex on the levels above 0; on level 0 twice as many. 2 to 100.
    pub m: usize,
    /// How many near vertices are found for a new one to choose its links from. 4 to 1000, and at least twice `m`.
    pub ef_construction: usize,
    /// Decides on levels, and on the rotation of the codes.
    pub seed: u64,
}

impl Options {
    /// Checks them, and lowers the code bits until 2m links with their codes fit a page.
    ///
    /// # Errors
    /// Parameters out of their ranges, and specs that make no sense.
    pub fn settle(mut self) -> Result<Self> {
        self.spec.check()?;
        if !(2..=100).contains(&self.m) || !(4..=1000).contains(&self.ef_construction) {
            return Err(Error::Options("m must be from 2 to 100, and ef_construction from 4 to 1000"));
        }
        if self.ef_construction < 2 * self.m {
            return Err(Error::Options("ef_construction must be greater than or equal to 2 * m"));
        }
        while self.spec.code_bits > 0 && !Shape::of(&self.spec).fits(2 * self.m) {
            self.spec.code_bits -= 1;
        }
        Ok(self)
    }
}

/// An index, opened: its parameters and the scorer for its vectors.
///
/// It may be kept and used again. Every operation begins by reading the meta page, and learns there of a new frame.
#[derive(Debug)]
pub struct Index<'s, S> {
    pub(crate) store: &'s S,
    pub(crate) meta: Meta,
    pub(crate) scorer: Arc<Scorer>,
    pub(crate) shape: Shape,
    pub(crate) room: Arc<Mutex<Room>>,
    pub(crate) desk: Arc<Desk>,
}

/// What a process may keep of an index from one operation to the next, instead of opening it each time.
#[derive(Debug, Clone)]
pub struct Kept {
    meta: Meta,
    scorer: Arc<Scorer>,
    room: Arc<Mutex<Room>>,
    desk: Arc<Desk>,
}

impl<'s, S: PageStore> Index<'s, S> {
    /// Opens an index of which this was kept; it may be out of date, and even of another index.
    pub fn with(store: &'s S, kept: Kept) -> Self {
        let Kept { meta, scorer, room, desk } = kept;
        Self { store, meta, scorer, shape: Shape::of(&meta.spec), room, desk }
    }

    /// What to keep of it.
    pub fn keep(&self) -> Kept {
        let (scorer, room) = (Arc::clone(&self.scorer), Arc::clone(&self.room));
        Kept { meta: self.meta, scorer, room, desk: Arc::clone(&self.desk) }
    }

    /// Writes an index without rows to an empty store.
    ///
    /// # Errors
    /// Bad options, a store that is not empty, and those of the store.
    pub fn create(store: &'s S, options: &Options) -> Result<Self> {
        let meta = Meta::new(&options.settle()?);
        if !store.is_empty() {
            return Err(Error::Options("an index is made in an empty relation"));
        }
        let mut txn = store.begin();
        let slot = txn.extend(META)?;
        let block = txn.block(slot);
        let added = txn.page_mut(slot).add(&meta.to_bytes()).at(block)?;
        if (block, added) != (META_BLOCK, Some(META_ITEM)) {
            return Err(Error::corrupt(block, "the first page of a new index is taken"));
        }
        txn.commit()?;
        Self::open(store)
    }

    /// Opens the index of a store.
    ///
    /// # Errors
    /// A damaged or foreign meta page, and those of the store.
    pub fn open(store: &'s S) -> Result<Self> {
        let meta = read_meta(store)?;
        let scorer = Arc::new(Scorer::new(meta.spec, read_frame(store, &meta)?)?);
        let shape = Shape::of(&meta.spec);
        Ok(Self { store, meta, scorer, shape, room: Arc::default(), desk: Arc::default() })
    }

    /// Reads the meta page again.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        let meta = read_meta(self.store)?;
        let by = |meta: &Meta| (meta.spec, meta.seed, meta.frame, meta.frame_chain);
        if by(&meta) != by(&self.meta) {
            self.scorer = Arc::new(Scorer::new(meta.spec, read_frame(self.store, &meta)?)?);
            self.shape = Shape::of(&meta.spec);
        }
        self.meta = meta;
        Ok(())
    }

    /// The scorer of its vectors, as of the last operation.
    pub fn scorer(&self) -> &Scorer {
        &self.scorer
    }

    /// What it was made with.
    pub fn options(&self) -> Options {
        Options {
            spec: self.meta.spec,
            m: usize::from(self.meta.m),
            ef_construction: usize::from(self.meta.ef_construction),
            seed: self.meta.seed,
        }
    }

    /// The highest level that a vertex of this index may have, so that it and its lists can be written as four pages.
    pub(crate) fn highest(&self) -> u8 {
        highest(&self.meta, self.shape)
    }
}

impl Meta {
    /// Of an index without rows.
    pub(crate) fn new(options: &Options) -> Self {
        use kite_codecs::VectorType::Bit;
        let spec = options.spec;
        Self {
            spec,
            m: options.m as u16,
            ef_construction: options.ef_construction as u16,
            seed: options.seed,
            entry: crate::format::Link::NONE,
            entry_level: 0,
            untidy: false,
            // The codes of `bit` vectors need no frame.
            frame: u32::from(spec.vector_type == Bit && spec.code_bits > 0),
            frame_chain: kite_pages::ItemRef::NONE,
            vertices: 0,
            rows: 0,
        }
    }
}

/// Two pages must do for the lists above level 0, since a transaction has four and vertex and lowest list may need one each.
pub(crate) fn highest(meta: &Meta, shape: Shape) -> u8 {
    const USABLE: usize = PAGE_SIZE - 48;
    let list = shape.size(meta.slots(1), true) + 12;
    let lists = 2 * (USABLE / list).max(1);
    // A vertex has a link of eight bytes per level; level 31 costs a quarter of a kilobyte.
    (lists as u8).min(HIGHEST)
}

/// The longest payload that stands in its vertex; longer ones become chains. It leaves room for all else that a vertex holds.
pub(crate) fn longest_payload() -> usize {
    MAX_ITEM - VertexBuf::size(HIGHEST, 0, crate::format::INLINE) - 16
}

pub(crate) fn meta_of(view: View<'_>) -> Result<Meta, Defect> {
    Meta::parse(view.item(META_ITEM)?)
}

pub(crate) fn read_meta<S: PageStore>(store: &S) -> Result<Meta> {
    let page = store.read(META_BLOCK)?;
    Ok(page.view(META).and_then(meta_of).at(META_BLOCK)?)
}

fn read_frame<S: PageStore>(store: &S, meta: &Meta) -> Result<Option<Frame>> {
    if meta.frame_chain.is_none() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    match payload::read(store, CHUNKS, meta.frame_chain, &mut bytes)? {
        Fetched::Whole => Ok(Some(Frame::from_bytes(&bytes)?)),
        Fetched::Gone => Err(Error::corrupt(META_BLOCK, "the frame of the codes is missing")),
    }
}
