//! Every page and item by itself, and what is remembered of them.

use super::Check;
use crate::format::{CHUNK, CHUNKS, Item, LIST, Link, List, POSTING, Place, Posting, VERTEX, Vertex};
use crate::grow::push;
use crate::{Error, Result};
use kite_pages::payload::{self, Chunk, Fetched};
use kite_pages::{BlockNo, Defect, ItemPointer, ItemRef, PageStore};

/// A vertex, by its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownVertex {
    pub(super) link: Link,
    pub(super) level: u8,
    pub(super) dead: bool,
    pub(super) unlinked: bool,
    pub(super) reached: bool,
    pub(super) postings: Link,
    /// Its list of level 0.
    pub(super) list: Link,
}

/// Something that is to be referred to.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownItem {
    pub(super) link: Link,
    pub(super) owner: ItemPointer,
    /// Of a list.
    pub(super) level: u8,
    /// Of a posting or chunk: what follows.
    pub(super) next: Link,
    pub(super) claimed: bool,
}

/// What is known of all items, in the order of their places.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) vertices: Vec<KnownVertex>,
    pub(super) lists: Vec<KnownItem>,
    pub(super) postings: Vec<KnownItem>,
    pub(super) chunks: Vec<KnownItem>,
    /// What vertices say about their lists: owner, level, list.
    pub(super) claims: Vec<(Link, u8, Link)>,
    /// Payloads that are chains, with their vertices and whether those are dead.
    pub(super) chains: Vec<(Link, ItemRef, bool)>,
    /// Rows, with the block where they were found.
    pub(super) rows: Vec<(ItemPointer, BlockNo)>,
}

impl<S: PageStore> Check<'_, '_, S> {
    /// Looks at every item of every page.
    pub(super) fn collect(&mut self) -> Result<()> {
        self.report.pages = u64::from(self.index.store.len());
        self.pages(true, |check, block, view| {
            if let Err(Defect(what)) = view.room() {
                check.report.add(block, what);
            }
            for freed in view.freed() {
                if let Err(Defect(what)) = freed {
                    check.report.add(block, what);
                }
            }
            for no in 1..=view.last() {
                match view.find(no) {
                    Ok(Some(item)) => check.item(ItemPointer::new(block, no), item)?,
                    Ok(None) => {}
                    Err(Defect(what)) => check.report.add(block, what),
                }
            }
            Ok(())
        })
    }

    fn item(&mut self, at: ItemPointer, item: &[u8]) -> Result<()> {
        let parsed = match item.first() {
            Some(&VERTEX) => Vertex::parse(item, ()).map(|vertex| self.vertex(at, &vertex)),
            Some(&LIST) => List::parse(item, self.index.shape).map(|list| self.list(at, &list)),
            Some(&POSTING) => Posting::parse(item, ()).map(|posting| self.posting(at, &posting)),
            Some(&CHUNK) => {
                Chunk::parse(item, CHUNK).map(|chunk| chunk.map_or(Ok(()), |chunk| self.chunk(at, &chunk)))
            }
            _ => Err(Defect("an item is of no known sort")),
        };
        match parsed {
            Ok(kept) => kept,
            Err(Defect(what)) => {
                self.report.add(at.block(), what);
                Ok(())
            }
        }
    }

    fn vertex(&mut self, at: ItemPointer, vertex: &Vertex<'_>) -> Result<()> {
        let block = at.block();
        let link = Link::new(at, vertex.generation());
        if vertex.is_dead() {
            self.report.dead += 1;
            self.report.unlinked += u64::from(vertex.unlinked().is_some());
            if !vertex.tids.is_empty() || !vertex.postings().is_none() {
                self.report.add(block, "a dead vertex has rows");
            }
        } else {
            self.report.vertices += 1;
            if vertex.tids.is_empty() {
                self.report.add(block, "a vertex has no rows of its own, but is not dead");
            }
            if vertex.unlinked().is_some() {
                self.report.add(block, "a vertex is not dead, but taken out of the graph");
            }
        }
        match vertex.payload() {
            Ok(Place::Here(payload)) => self.payload(block, payload),
            Ok(Place::Chain(chain)) => push(&mut self.known.chains, (link, chain, vertex.is_dead()))?,
            Err(Defect(what)) => self.report.add(block, what),
        }
        // A dead vertex may have lost its lists already.
        for (level, &list) in (0..).zip(vertex.lists) {
            push(&mut self.known.claims, (link, level, list))?;
        }
        self.rows(block, vertex.tids)?;
        let known = KnownVertex {
            link,
            level: vertex.level(),
            dead: vertex.is_dead(),
            unlinked: vertex.unlinked().is_some(),
            reached: false,
            postings: vertex.postings(),
            list: vertex.list(0),
        };
        Ok(push(&mut self.known.vertices, known)?)
    }

    fn list(&mut self, at: ItemPointer, list: &List<'_>) -> Result<()> {
        let block = at.block();
        if list.capacity() > self.index.meta.slots(list.level()) {
            self.report.add(block, "a list has more slots than its level allows");
        }
        if list.frame() > self.index.meta.frame {
            self.report.add(block, "a list has codes of a frame that there is not");
        }
        let known = KnownItem {
            link: Link::new(at, list.generation()),
            owner: list.owner(),
            level: list.level(),
            next: Link::NONE,
            claimed: false,
        };
        Ok(push(&mut self.known.lists, known)?)
    }

    fn posting(&mut self, at: ItemPointer, posting: &Posting<'_>) -> Result<()> {
        if posting.unlinked().is_some() {
            return Ok(());
        }
        self.rows(at.block(), posting.tids)?;
        let known = KnownItem {
            link: Link::new(at, posting.generation()),
            owner: posting.owner(),
            level: 0,
            next: posting.next(),
            claimed: false,
        };
        Ok(push(&mut self.known.postings, known)?)
    }

    fn chunk(&mut self, at: ItemPointer, chunk: &Chunk<'_>) -> Result<()> {
        let known = KnownItem {
            link: Link::new(at, chunk.generation),
            owner: chunk.owner,
            level: 0,
            next: chunk.next.map_or(Link::NONE, Link::from),
            claimed: false,
        };
        Ok(push(&mut self.known.chunks, known)?)
    }

    fn rows(&mut self, block: BlockNo, tids: &[ItemPointer]) -> Result<()> {
        self.report.rows += tids.len() as u64;
        tids.iter().try_for_each(|&tid| push(&mut self.known.rows, (tid, block)))?;
        Ok(())
    }

    /// Decodes a payload.
    fn payload(&mut self, block: BlockNo, payload: &[u8]) {
        if let Err(error) = self.index.scorer.value(payload) {
            self.report.add(block, error.to_string());
        }
    }

    /// Reads the payloads that are longer than a page.
    pub(super) fn chains(&mut self) -> Result<()> {
        let mut payload = Vec::new();
        for (vertex, chain, dead) in std::mem::take(&mut self.known.chains) {
            self.index.store.check_interrupts()?;
            let read = payload::read(self.index.store, CHUNKS, chain, &mut payload);
            match self.report.sound(read.map_err(Error::from))? {
                Some(Fetched::Whole) => self.payload(vertex.block(), &payload),
                // The chain of a dead vertex is freed before the vertex.
                Some(Fetched::Gone) if dead => {}
                Some(Fetched::Gone) => self.report.add(vertex.block(), "the payload of a vertex is missing"),
                None => {}
            }
        }
        Ok(())
    }
}

/// The item of a place among those known.
pub(super) trait Placed {
    fn link(&self) -> Link;
}

impl Placed for KnownVertex {
    fn link(&self) -> Link {
        self.link
    }
}

impl Placed for KnownItem {
    fn link(&self) -> Link {
        self.link
    }
}

/// What a link leads to.
pub(super) fn lookup<T: Placed>(items: &[T], link: Link) -> Option<usize> {
    let at = items.binary_search_by_key(&link.place(), |item| item.link().place()).ok()?;
    (items[at].link() == link).then_some(at)
}

/// Whatever is at a place.
pub(super) fn at_place<T: Placed>(items: &[T], pointer: ItemPointer) -> Option<&T> {
    let place = Link::new(pointer, 0).place();
    items.binary_search_by_key(&place, |item| item.link().place()).ok().and_then(|at| items.get(at))
}
