//! What a process keeps of an index: the centroids, where their lists begin, and what makes codes.

use crate::centres::{Centres, Place, is_bits};
use crate::coder::{Coder, Desk};
use crate::format::{CentreHead, DIRECTORY, DirectoryShape, Link, META_BLOCK, Meta, Shape};
use crate::rough::Rough;
use crate::{Codes, Error, Options, Result};
use kite_codecs::{Scorer, Space, Value};
use kite_pages::{At, BlockNo, PageStore};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use zerocopy::{FromBytes, IntoBytes};

/// See the module's head. It depends on the meta page alone, and never changes while that keeps its directory.
#[derive(Debug)]
pub(crate) struct Quantiser {
    pub(crate) options: Options,
    pub(crate) scorer: Scorer,
    pub(crate) shape: Shape,
    pub(crate) space: Space,
    pub(crate) centres: Centres,
    pub(crate) coder: Coder,
    /// Of each list.
    pub(crate) anchors: Vec<Link>,
    /// For inserts: what this process knows of each list.
    open: OnceLock<Vec<Open>>,
    /// For inserts, made by the first of them. `None` where there is no use or no memory for it.
    rough: OnceLock<Option<Rough>>,
}

/// What a process knows of a list that it inserts into.
#[derive(Debug)]
struct Open {
    /// A block that had room when it was last written to.
    block: AtomicU64,
    /// Whether another writer was met there.
    crowded: AtomicBool,
}

/// A link as a number.
fn number(link: Link) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(link.as_bytes());
    u64::from_ne_bytes(bytes)
}

/// The length of a centroid: elements of a point, or bytes.
pub(crate) fn centre_len(options: &Options) -> usize {
    if is_bits(options.metric) { options.dims.div_ceil(8) } else { options.space().len() }
}

/// How the directory is laid out.
pub(crate) fn directory_shape(options: &Options) -> DirectoryShape {
    DirectoryShape::new(Centres::new(options.metric, centre_len(options)).bytes_each())
}

/// Entries behind those of the centroids.
pub(crate) fn codewords(codes: Codes) -> usize {
    if let Codes::Pq { bits, .. } = codes { 1 << bits } else { 0 }
}

impl Quantiser {
    /// Puts one together from what a build has found. Anchors are missing.
    pub(crate) fn new(options: Options, centres: Centres, codebook: Vec<f32>) -> Result<Self> {
        let scorer = Scorer::new(options.spec(), None)?;
        let shape = Shape::of(&options, &scorer)?;
        let coder = Coder::new(&options, codebook)?;
        let (space, anchors) = (options.space(), Vec::new());
        let (open, rough) = (OnceLock::new(), OnceLock::new());
        Ok(Self { options, scorer, shape, space, centres, coder, anchors, open, rough })
    }

    /// Reads it from an index.
    pub(crate) fn read<S: PageStore>(store: &S, meta: &Meta) -> Result<Self> {
        let (options, lists) = (meta.effective(), meta.lists as usize);
        let len = centre_len(&options);
        let Some(first) = meta.directory else {
            let centres = Centres::origin(options.metric, len, 1)?;
            return Ok(Self { anchors: vec![meta.anchor], ..Self::new(options, centres, Vec::new())? });
        };
        let entries = lists + codewords(meta.codes);
        let shape = directory_shape(&options);
        let (mut centres, mut anchors) = (Centres::new(options.metric, len), Vec::new());
        let mut words = Centres::new(options.metric, len);
        // What cannot be there is not waited for.
        if u64::from(first) + u64::from(shape.pages(entries)) > u64::from(store.len()) {
            return Err(Error::corrupt(META_BLOCK, "the directory lies beyond the end"));
        }
        centres.reserve(lists)?;
        let mut bytes: Vec<u64> = Vec::new();
        for number in 0..entries {
            let (block, no) = shape.place(number);
            bytes.clear();
            bytes.resize(shape.bytes.div_ceil(8), 0);
            let mut anchor = Link::NONE;
            for part in 0..shape.parts {
                let block: BlockNo = first + block + part as BlockNo;
                let page = store.read(block)?;
                let item = page.view(DIRECTORY).and_then(|view| view.item(no)).at(block)?;
                let (head, values) = CentreHead::parse(item, number as u32).at(block)?;
                anchor = head.anchor;
                let into = zerocopy::IntoBytes::as_mut_bytes(bytes.as_mut_slice());
                match into.get_mut(shape.part(part)) {
                    Some(into) if into.len() == values.len() => into.copy_from_slice(values),
                    _ => return Err(Error::corrupt(block, "a centroid has another length than its index's")),
                }
            }
            store.check_interrupts()?;
            let values = &zerocopy::IntoBytes::as_bytes(bytes.as_slice())[..shape.bytes];
            let into = if number < lists { &mut centres } else { &mut words };
            if !into.push_bytes(values) {
                return Err(Error::corrupt(first + block, "a centroid holds what nobody wrote"));
            }
            if number < lists {
                anchors.push(anchor);
            }
        }
        let codebook = (0..words.count()).flat_map(|n| words.point(n)).copied().collect();
        Ok(Self { anchors, ..Self::new(options, centres, codebook)? })
    }

    fn known(&self, list: u32) -> Option<&Open> {
        let known = self.open.get_or_init(|| {
            let mut none = Vec::new();
            let count = self.anchors.len();
            // Without memory for it nothing is remembered.
            let count = if none.try_reserve_exact(count).is_ok() { count } else { 0 };
            let new = || Open { block: AtomicU64::new(number(Link::NONE)), crowded: AtomicBool::new(false) };
            none.resize_with(count, new);
            none
        });
        known.get(list as usize)
    }

    /// Remembers a block of a list that has room, or that none is known.
    pub(crate) fn set_open(&self, list: u32, link: Link) {
        if let Some(known) = self.known(list) {
            known.block.store(number(link), Ordering::Relaxed);
        }
    }

    /// What [`Quantiser::set_open`] was last told of a list. It may be full, closed or gone by now.
    pub(crate) fn open(&self, list: u32) -> Option<Link> {
        let number = self.known(list)?.block.load(Ordering::Relaxed);
        Link::read_from_bytes(&number.to_ne_bytes()).ok()?.some()
    }

    /// Remembers that another writer was met in a list; from now on this process goes to a chain of its own there. `false` if it does
    /// already.
    pub(crate) fn set_crowded(&self, list: u32) -> bool {
        self.known(list).is_some_and(|known| !known.crowded.swap(true, Ordering::Relaxed))
    }

    /// Whether [`Quantiser::set_crowded`] was told of a list.
    pub(crate) fn is_crowded(&self, list: u32) -> bool {
        self.known(list).is_some_and(|known| known.crowded.load(Ordering::Relaxed))
    }

    /// Where a value is; the desk keeps its point. `None` for what has no place: a zero vector under cosine distance.
    pub(crate) fn place<'a>(&self, value: Value<'a>, desk: &'a mut Desk) -> Option<Place<'a>> {
        if let Value::Bits(bits) = value {
            return Some(Place::Bits(bits));
        }
        self.space.point(value, &mut desk.point).then_some(Place::Point(&desk.point))
    }

    /// The list of a value, and how far it is from the centroid. `None` as in [`Quantiser::place`].
    pub(crate) fn assign(&self, value: Value<'_>, desk: &mut Desk) -> Option<(u32, f64)> {
        let mut rough = std::mem::take(&mut desk.rough);
        let place = self.place(value, desk)?;
        let list = match self.rough.get_or_init(|| Rough::new(&self.centres).ok().flatten()) {
            Some(copies) => copies.nearest(&self.centres, place, &mut rough),
            None => self.centres.nearest(place).0,
        };
        let error = self.centres.error(place, list as usize);
        desk.rough = rough;
        Some((list, error))
    }
}
