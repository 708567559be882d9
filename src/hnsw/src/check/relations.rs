//! What items say about each other: vertices and lists, postings, chunks, rows, the entry point.

use super::Check;
use super::collect::{KnownItem, at_place, lookup};
use crate::format::{Link, META_BLOCK};
use crate::vacuum::Steps;
use kite_pages::PageStore;

impl<S: PageStore> Check<'_, '_, S> {
    pub(super) fn relate(&mut self) {
        self.relate_lists();
        self.relate_postings();
        self.relate_chunks();
        self.relate_rows();
        self.entry();
        let known = &self.known;
        let orphans = |items: &[KnownItem]| items.iter().filter(|item| !item.claimed).count() as u64;
        self.report.orphans = orphans(&known.lists) + orphans(&known.postings) + orphans(&known.chunks);
    }

    /// Every vertex has its lists, and each of them says so too.
    fn relate_lists(&mut self) {
        for &(vertex, level, list) in &self.known.claims {
            let dead = lookup(&self.known.vertices, vertex).is_some_and(|at| self.known.vertices[at].dead);
            match lookup(&self.known.lists, list) {
                Some(at) => {
                    let known = &mut self.known.lists[at];
                    if known.owner != vertex.pointer || known.level != level {
                        self.report.add(list.block(), "a list belongs to another vertex or level");
                    }
                    if known.claimed {
                        self.report.add(list.block(), "a list belongs to two vertices");
                    }
                    known.claimed = true;
                }
                None if dead => {}
                None => self.report.add(vertex.block(), format!("a vertex has no list on level {level}")),
            }
        }
        self.known.claims = Vec::new();
    }

    /// Chains of postings belong to one vertex and have an end.
    fn relate_postings(&mut self) {
        for vertex in &self.known.vertices {
            let (mut at, mut steps) = (vertex.postings, Steps::default());
            while !at.is_none() {
                if steps.take(at).is_err() {
                    self.report.add(at.block(), "a chain of postings turns back on itself");
                    break;
                }
                let Some(found) = lookup(&self.known.postings, at) else {
                    self.report.add(vertex.link.block(), "a posting is missing");
                    break;
                };
                let posting = &mut self.known.postings[found];
                if posting.owner != vertex.link.pointer {
                    self.report.add(at.block(), "a posting belongs to another vertex");
                    break;
                }
                posting.claimed = true;
                at = posting.next;
            }
        }
    }

    /// Chunks are referred to by a vertex, the meta page or the chunk before.
    fn relate_chunks(&mut self) {
        let heads = self.known.chains.iter().map(|&(_, chain, _)| chain).chain([self.index.meta.frame_chain]);
        let nexts = self.known.chunks.iter().map(|chunk| chunk.next);
        let all: Vec<Link> = heads.map(Link::from).chain(nexts).collect();
        for link in all {
            if let Some(at) = lookup(&self.known.chunks, link) {
                self.known.chunks[at].claimed = true;
            }
        }
    }

    /// No row is in the index twice.
    fn relate_rows(&mut self) {
        let mut rows = std::mem::take(&mut self.known.rows);
        rows.sort_unstable();
        for pair in rows.windows(2) {
            if let [(first, _), (second, block)] = pair
                && first == second
            {
                let row = format!("row ({},{}) is there twice", first.block(), first.no());
                self.report.add(*block, row);
            }
        }
    }

    /// Searches begin at a vertex of the level that the meta page says.
    fn entry(&mut self) {
        let meta = &self.index.meta;
        if meta.entry.is_none() {
            return;
        }
        match at_place(&self.known.vertices, meta.entry.pointer) {
            Some(vertex) if vertex.link == meta.entry => {
                if vertex.level != meta.entry_level {
                    self.report.add(META_BLOCK, "the entry point is of another level");
                }
                if vertex.unlinked {
                    self.report.add(META_BLOCK, "the entry point is taken out of the graph");
                }
            }
            _ => self.report.add(META_BLOCK, "the entry point is missing"),
        }
    }
}
