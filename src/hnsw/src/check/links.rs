//! Where links lead, and whether the codes beside them are those of the vectors.

use super::collect::{at_place, lookup};
use super::{Check, find};
use crate::Result;
use crate::format::{Item, LIST, Link, List, NODES, Place, Vertex};
use crate::grow::push;
use kite_pages::{BlockNo, PageStore};
use std::collections::HashSet;

/// Of so many lists, the codes of one are compared.
const SAMPLED: usize = 16;

/// A code to be compared with the vector that it stands for.
struct Sample {
    block: BlockNo,
    link: Link,
    code: Vec<u8>,
}

impl<S: PageStore> Check<'_, '_, S> {
    /// Looks at all lists again, now that all vertices are known.
    pub(super) fn links(&mut self) -> Result<()> {
        let mut samples = Vec::new();
        let mut lists = 0;
        self.pages(false, |check, block, view| {
            for item in view.items() {
                let Ok((_, item)) = item else { continue };
                if item.first() != Some(&LIST) {
                    continue;
                }
                let Ok(list) = List::parse(item, check.index.shape) else { continue };
                check.list_links(block, &list);
                lists += 1;
                if lists % SAMPLED == 0 && list.frame() == check.index.meta.frame {
                    check.sample(block, &list, lists / SAMPLED, &mut samples)?;
                }
            }
            Ok(())
        })?;
        samples.into_iter().try_for_each(|sample| self.compare(&sample))
    }

    fn list_links(&mut self, block: BlockNo, list: &List<'_>) {
        let mut seen = HashSet::new();
        let in_graph = at_place(&self.known.vertices, list.owner()).is_some_and(|owner| !owner.unlinked);
        for &link in list.links {
            if link.is_none() {
                self.report.add(block, "a list has a link to nothing");
            } else if link.pointer == list.owner() {
                self.report.add(block, "a list leads to its own vertex");
            } else if !seen.insert(link.place()) {
                self.report.add(block, "a list leads to a vertex twice");
            }
            match lookup(&self.known.vertices, link) {
                Some(at) if self.known.vertices[at].level < list.level() => {
                    self.report.add(block, "a list leads to a vertex of a lower level");
                }
                Some(at) => self.report.stale += u64::from(in_graph && self.known.vertices[at].unlinked),
                None => self.report.stale += u64::from(in_graph),
            }
        }
    }

    /// Keeps a code of a list.
    fn sample(&self, block: BlockNo, list: &List<'_>, turn: usize, samples: &mut Vec<Sample>) -> Result<()> {
        let place = turn % list.links.len().max(1);
        match (list.links.get(place), list.code(place, self.index.shape)) {
            (Some(&link), Some((code, _))) if !code.is_empty() => {
                Ok(push(samples, Sample { block, link, code: code.to_vec() })?)
            }
            _ => Ok(()),
        }
    }

    /// Compares a code with that of the vector. A lossy payload gives slightly other bits; half of those of another vector
    /// differ.
    fn compare(&mut self, sample: &Sample) -> Result<()> {
        self.index.store.check_interrupts()?;
        if lookup(&self.known.vertices, sample.link).is_none() {
            return Ok(());
        }
        let mut code = Vec::new();
        {
            let page = self.index.store.read(sample.link.block())?;
            let Ok(view) = page.view(NODES) else { return Ok(()) };
            let Some(vertex) = find::<Vertex<'_>>(view, sample.link, ()) else { return Ok(()) };
            let Ok(Place::Here(payload)) = vertex.payload() else { return Ok(()) };
            if self.index.scorer.encode_code_of(payload, &mut code).is_err() {
                return Ok(());
            }
        }
        self.report.codes += 1;
        let differ: u32 = code.iter().zip(&sample.code).map(|(a, b)| (a ^ b).count_ones()).sum();
        if 4 * differ as usize > 8 * sample.code.len() {
            self.report.add(sample.block, "a code is not that of the vector that the link leads to");
        }
        Ok(())
    }
}
