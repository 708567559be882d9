//! Writing all pages of a new index.
//!
//! Lists hold the places of other vertices, most of which come later. So the vertices are gone through twice: for their sizes,
//! by which the [`Packer`] gives them their places, and for their bytes, when it gives them the same places again.

use super::memory::{Charge, Counted, Memory};
use super::packer::Packer;
use super::pages::Pages;
use super::{Host, handover};
use crate::format::{CHUNKS, Entry, INLINE, Link, ListBuf, META_BLOCK, Meta, PostingBuf, Shape, VertexBuf};
use crate::index::{META_ITEM, longest_payload};
use crate::{Error, Result};
use kite_codecs::Frame;
use kite_pages::{
    At, BlockNo, BulkWriter, ItemPointer, ItemRef, MAX_ITEM, PAGE_SIZE, PageStore, PageTxn, Stamp, payload,
};
use zerocopy::IntoBytes;

/// A vertex on its way to the pages.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    /// By which lists refer to it.
    pub(super) id: u32,
    pub(super) payload: &'a [u8],
    /// One at least.
    pub(super) tids: &'a [ItemPointer],
    /// By level, from 0.
    pub(super) lists: &'a [Neighbours],
}

/// A list of neighbours.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    pub(super) ids: Vec<u32>,
    /// Of all of them, one behind the other, each with its factors.
    pub(super) codes: Vec<u8>,
}

/// What is to be written.
pub(super) trait Source {
    /// Above all numbers of vertices.
    fn ids(&self) -> usize;

    /// Calls `visit` for every vertex, each time in the same order. Without `bytes`, lengths are right, but what stands in
    /// payloads and codes does not matter.
    fn each(&mut self, bytes: bool, visit: &mut dyn FnMut(&Outgoing<'_>) -> Result<()>) -> Result<()>;
}

/// What the index as a whole is.
#[derive(Debug)]
pub(super) struct Plan {
    /// Without entry, frame chain and counts.
    pub(super) meta: Meta,
    pub(super) frame: Option<Frame>,
    /// The vertex where searches begin, and its level; none without vertices.
    pub(super) entry: Option<(u32, u8)>,
}

impl Plan {
    /// `meta` is that of an index without rows.
    pub(super) fn new(meta: Meta, frame: Option<Frame>, entry: Option<(u32, u8)>) -> Self {
        // The first frame has the number 1, as what stands for one where codes need none.
        let number = meta.frame | u32::from(frame.is_some());
        Self { meta: Meta { frame: number, ..meta }, frame, entry }
    }
}

/// Writes the index to an empty store, and answers its meta item.
///
/// The meta item comes last, in a transaction of its own. What a crash leaves before has none, and cannot be opened.
pub(super) fn write<S: PageStore>(
    store: &S,
    source: &mut impl Source,
    plan: &Plan,
    memory: &Memory,
    host: &impl Host,
) -> Result<Meta> {
    let layout = Layout::of(store, source, plan, memory, host)?;
    let written = layout.fill(source, plan, store.bulk()?, store.now(), |open| {
        host.written(open);
        Ok(host.go_on()?)
    })?;
    publish(store, written)
}

/// [`write`], where the source is in memory: one thread makes the pages while the calling one gives them to the store.
pub(super) fn write_beside<S: PageStore>(
    store: &S,
    source: &(impl Source + Clone + Sync),
    plan: &Plan,
    memory: &Memory,
    host: &impl Host,
) -> Result<Meta> {
    let layout = Layout::of(store, &mut source.clone(), plan, memory, host)?;
    let _waiting = memory.charge(2 * layout.window * PAGE_SIZE);
    let (mut bulk, stamp) = (store.bulk()?, store.now());
    let make = |pages| layout.fill(&mut source.clone(), plan, pages, stamp, |_| Ok(()));
    let written = handover::run(host, layout.window, make, |page| {
        host.go_on()?;
        host.written(bulk.append(page)?);
        Ok(())
    })?;
    match written {
        Some(written) => {
            bulk.finish()?;
            publish(store, written)
        }
        // No thread can be had.
        None => publish(store, layout.fill(&mut source.clone(), plan, bulk, stamp, |_| Ok(host.go_on()?))?),
    }
}

/// Writes the meta item.
fn publish<S: PageStore>(store: &S, meta: Meta) -> Result<Meta> {
    let mut txn = store.begin();
    let slot = txn.lock(META_BLOCK)?;
    let added = txn.page_mut(slot).add(&meta.to_bytes()).at(META_BLOCK)?;
    if added != Some(META_ITEM) {
        return Err(Error::corrupt(META_BLOCK, "the meta page of a new index is taken"));
    }
    txn.commit()?;
    Ok(meta)
}

/// Where all vertices will be, and how many there are.
#[derive(Debug)]
struct Layout {
    places: Counted<ItemPointer>,
    meta: Meta,
    /// The first vertex of the highest level.
    highest: Option<(u32, u8)>,
    /// How many pages are open at a time.
    window: usize,
    _open: Charge,
}

impl Layout {
    /// By the sizes of the vertices.
    fn of<S: PageStore>(
        store: &S,
        source: &mut impl Source,
        plan: &Plan,
        memory: &Memory,
        host: &impl Host,
    ) -> Result<Self> {
        if !store.is_empty() {
            return Err(Error::Options("an index is made in an empty relation"));
        }
        let mut meta = plan.meta;
        let mut places = Counted::filled(memory, source.ids(), || ItemPointer::NONE)?;
        let window = Packer::window(memory.limit());
        let mut writer = Writer::new(&meta, window, &[], None::<Pages<S::Bulk<'_>>>);
        writer.frame(plan.frame.as_ref())?;
        let mut highest = None;
        source.each(false, &mut |vertex| {
            host.go_on()?;
            places[vertex.id as usize] = writer.vertex(vertex)?;
            let level = (vertex.lists.len() - 1) as u8;
            highest = highest.filter(|&(_, other)| other >= level).or(Some((vertex.id, level)));
            meta.vertices += 1;
            meta.rows += vertex.tids.len() as u64;
            Ok(())
        })?;
        Ok(Self { places, meta, highest, window, _open: memory.charge(window * PAGE_SIZE) })
    }

    /// Makes the pages, and answers the meta item. `made` is told which page is the first that is still open.
    fn fill<B: BulkWriter>(
        &self,
        source: &mut impl Source,
        plan: &Plan,
        bulk: B,
        stamp: Stamp,
        mut made: impl FnMut(BlockNo) -> Result<()>,
    ) -> Result<Meta> {
        let mut meta = self.meta;
        let pages = Pages::begin(bulk, stamp)?;
        let mut writer = Writer::new(&meta, self.window, &self.places, Some(pages));
        meta.frame_chain = writer.frame(plan.frame.as_ref())?;
        source.each(true, &mut |vertex| {
            let place = writer.vertex(vertex)?;
            if writer.places.get(vertex.id as usize) != Some(&place) {
                return Err(Error::corrupt(place.block(), "a vertex was to be elsewhere"));
            }
            made(writer.packer.first_open())
        })?;
        // Where two vertices have equal vectors, the entry may be one that has been left out.
        let entry = plan.entry.filter(|&(id, _)| !writer.link(id).is_none()).or(self.highest);
        if let Some((entry, level)) = entry {
            meta.entry = writer.link(entry);
            meta.entry_level = level;
        }
        writer.finish()?;
        Ok(meta)
    }
}

/// Places items, and writes them if it has pages.
#[derive(Debug)]
struct Writer<'a, B> {
    packer: Packer,
    /// Of vertices, as far as they are known.
    places: &'a [ItemPointer],
    shape: Shape,
    slots: usize,
    /// Of the codes; 0 without codes.
    frame: u32,
    pages: Option<Pages<B>>,
}

impl<'a, B: BulkWriter> Writer<'a, B> {
    fn new(meta: &Meta, window: usize, places: &'a [ItemPointer], pages: Option<Pages<B>>) -> Self {
        Self {
            packer: Packer::new(META_BLOCK + 1, window),
            places,
            shape: Shape::of(&meta.spec),
            slots: meta.slots(0),
            frame: meta.frame,
            pages,
        }
    }

    /// Places and writes the frame of the codes.
    fn frame(&mut self, frame: Option<&Frame>) -> Result<ItemRef> {
        match frame {
            Some(frame) => self.chain(ItemPointer::new(META_BLOCK, META_ITEM), &frame.to_bytes()),
            None => Ok(ItemRef::NONE),
        }
    }

    /// Places and writes a vertex with all that belongs to it: what it refers to first, so that each item is written as soon as
    /// it has its place.
    fn vertex(&mut self, vertex: &Outgoing<'_>) -> Result<ItemPointer> {
        let owner = self.places.get(vertex.id as usize).copied().unwrap_or(ItemPointer::NONE);
        let (here, others) = vertex.tids.split_at(vertex.tids.len().min(INLINE));
        let postings = self.postings(owner, others)?;
        let chain;
        let chained = vertex.payload.len() > longest_payload();
        let payload = if chained {
            chain = self.chain(owner, vertex.payload)?;
            chain.as_bytes()
        } else {
            vertex.payload
        };
        let level = vertex.lists.len() - 1;
        let mut links = vec![Link::NONE; level + 1];
        for (level, neighbours) in vertex.lists.iter().enumerate().skip(1) {
            links[level] = own(self.list(owner, level, neighbours, None)?);
        }
        let size = VertexBuf::size(level as u8, payload.len(), here.len());
        let capacity = self.capacity(vertex.lists[0].ids.len());
        let together = self.packer.place(&[size, self.shape.size(capacity, self.frame != 0)]);
        let (place, list) = match together {
            Some(place) => (place, ItemPointer::new(place.block(), place.no() + 1)),
            None => {
                let list = self.list(owner, 0, &vertex.lists[0], None)?;
                (self.place(size)?, list)
            }
        };
        links[0] = own(list);
        if self.pages.is_some() {
            let item = VertexBuf {
                generation: place.no().into(),
                dead: false,
                chained,
                unlinked: None,
                postings,
                lists: links,
                payload: payload.to_vec(),
                tids: here.to_vec(),
                slots: 0,
            };
            self.put(place, &item.to_bytes().at(place.block())?)?;
        }
        if together.is_some() {
            self.list(owner, 0, &vertex.lists[0], Some(list))?;
        }
        Ok(place)
    }

    /// The slots of a list on level 0: two or more to spare, since a list that has to grow has to be copied, and what has to move for
    /// it on its page goes into the WAL.
    fn capacity(&self, count: usize) -> usize {
        (count + 2).next_multiple_of(4).min(self.slots)
    }

    /// Writes a list, and places it if it has no place yet.
    fn list(
        &mut self,
        owner: ItemPointer,
        level: usize,
        neighbours: &Neighbours,
        place: Option<ItemPointer>,
    ) -> Result<ItemPointer> {
        let count = neighbours.ids.len();
        let capacity = if level == 0 { self.capacity(count) } else { count };
        let coded = self.frame != 0;
        let place = match place {
            Some(place) => place,
            None => self.place(self.shape.size(capacity, coded))?,
        };
        if self.pages.is_some() {
            let size = if coded { self.shape.beside() } else { 0 };
            let entry = |(at, &id): (usize, &u32)| {
                let link = self.link(id);
                let code = &neighbours.codes[at * size..][..size];
                (!link.is_none()).then_some(Entry { link, code })
            };
            let item = ListBuf {
                generation: place.no().into(),
                owner,
                level: level as u8,
                frame: self.frame,
                capacity,
                entries: neighbours.ids.iter().enumerate().filter_map(entry).collect(),
            };
            self.put(place, &item.to_bytes(self.shape).at(place.block())?)?;
        }
        Ok(place)
    }

    /// Writes a chain of postings, from its end on, and answers its first.
    fn postings(&mut self, owner: ItemPointer, tids: &[ItemPointer]) -> Result<Link> {
        let mut next = Link::NONE;
        for part in tids.rchunks(PostingBuf::capacity_of(MAX_ITEM)) {
            let place = self.place(PostingBuf::size(part.len()))?;
            if self.pages.is_some() {
                let item = PostingBuf {
                    generation: place.no().into(),
                    owner,
                    next,
                    unlinked: None,
                    capacity: part.len(),
                    tids: part.to_vec(),
                };
                self.put(place, &item.to_bytes().at(place.block())?)?;
            }
            next = own(place);
        }
        Ok(next)
    }

    /// Writes bytes as a chain of chunks, from its end on, and answers its first.
    fn chain(&mut self, owner: ItemPointer, bytes: &[u8]) -> Result<ItemRef> {
        let mut next = ItemRef::NONE;
        for part in payload::parts(bytes)? {
            let place = self.place(part.size())?;
            next = match &mut self.pages {
                None => ItemRef::new(place, place.no().into()),
                Some(pages) => {
                    let (page, stamp) = pages.page(place.block(), &self.packer)?;
                    let added = part.add_to(page, place.block(), CHUNKS, owner, next, stamp);
                    added.at(place.block())?.ok_or(ELSEWHERE(place))?
                }
            };
        }
        Ok(next)
    }

    /// Where an item of this size goes that fits a page.
    fn place(&mut self, size: usize) -> Result<ItemPointer> {
        let too_long = kite_pages::Error::TooLong { bytes: size, max: MAX_ITEM };
        Ok(self.packer.place(&[size]).ok_or(too_long)?)
    }

    /// Writes an item to its place.
    fn put(&mut self, place: ItemPointer, item: &[u8]) -> Result<()> {
        let Some(pages) = &mut self.pages else { return Ok(()) };
        let (page, _) = pages.page(place.block(), &self.packer)?;
        let added = page.add(item).at(place.block())?;
        // Every item takes a generation of its page, so that on a new page it is the item's number.
        if added == Some(place.no()) && page.next_generation() == u32::from(place.no()) {
            Ok(())
        } else {
            Err(ELSEWHERE(place))
        }
    }

    /// A link to a vertex.
    fn link(&self, id: u32) -> Link {
        self.places.get(id as usize).map_or(Link::NONE, |&place| own(place))
    }

    /// Writes the pages that are still open.
    fn finish(self) -> Result<()> {
        self.pages.map_or(Ok(()), Pages::finish)
    }
}

/// An item that did not come to lie where the packer said: a fault of this module, not of the store.
const ELSEWHERE: fn(ItemPointer) -> Error =
    |place| Error::corrupt(place.block(), "an item of a new page was to be elsewhere");

/// To the item of a new page.
fn own(place: ItemPointer) -> Link {
    Link::new(place, place.no().into())
}
