//! The graph in arrays: what a search can be at most, with no page and no lock in its way.

use super::beam::Beam;
use super::layout::{Fetches, Layout};
use super::set::Set;
use anyhow::Result;
use kite_hnsw::Graph;
use kite_kernels::prefetch;

/// Single-precision vectors in one array, the lists of level 0 in another, of fixed size.
pub(super) struct Flat<'a> {
    set: &'a Set<'a>,
    /// For the levels above 0.
    graph: &'a Graph,
    /// Words of a list: a count, then the links.
    size: usize,
    lists: Vec<u32>,
    marks: Marks,
    beam: Beam<u32>,
    fresh: Vec<u32>,
}

impl<'a> Flat<'a> {
    /// `m`: that of the graph.
    pub(super) fn new(set: &'a Set<'a>, graph: &'a Graph, m: usize) -> Self {
        let size = 2 * m + 1;
        let mut lists = vec![0; graph.len() * size];
        for (node, list) in (0..).zip(lists.chunks_exact_mut(size)) {
            let links = graph.links(node, 0);
            list[0] = links.len() as u32;
            list[1..].iter_mut().zip(links).for_each(|(place, link)| *place = link);
        }
        let marks = Marks::new(graph.len());
        Self { set, graph, size, lists, marks, beam: Beam::new(), fresh: Vec::new() }
    }

    /// Notes the links that were not seen before.
    fn collect(&mut self, node: u32, level: u8) {
        self.fresh.clear();
        if level > 0 {
            let fresh = self.graph.links(node, level).filter(|&link| self.marks.first(link));
            self.fresh.extend(fresh);
            return;
        }
        let (count, links) = match self.lists[node as usize * self.size..][..self.size].split_first() {
            Some((&count, links)) => (count as usize, links),
            None => return,
        };
        for &link in &links[..count] {
            if self.marks.first(link) {
                self.fresh.push(link);
            }
        }
    }

    /// Leaves the best nodes of a level in the beam, found from one whose key is known.
    fn level(&mut self, query: &[f32], entry: (f32, u32), level: u8, ef: usize) {
        let Set { ranking, rows, .. } = self.set;
        self.marks.start();
        self.marks.first(entry.1);
        self.beam.start(ef);
        self.beam.offer(entry.0, entry.1);
        while let Some(node) = self.beam.expand() {
            self.collect(node, level);
            for &link in self.fresh.iter().take(AHEAD) {
                ask_for(rows.get(link as usize));
            }
            for (n, &link) in self.fresh.iter().enumerate() {
                if let Some(&later) = self.fresh.get(n + AHEAD) {
                    ask_for(rows.get(later as usize));
                }
                self.beam.offer(ranking.key(query, rows.get(link as usize)), link);
            }
        }
    }
}

/// Vectors that are asked for before they are needed.
const AHEAD: usize = 4;

fn ask_for(vector: &[f32]) {
    prefetch(vector.as_ptr().cast(), size_of_val(vector));
}

impl Layout for Flat<'_> {
    fn search(&mut self, query: usize, ef: usize, found: &mut Vec<i64>) -> Result<Fetches> {
        let set = self.set;
        let values = set.queries.get(query);
        let first = self.graph.entry();
        let mut entry = (set.ranking.key(values, set.rows.get(first as usize)), first);
        for level in (1..=self.graph.level(first)).rev() {
            self.level(values, entry, level, 1);
            entry = self.beam.nodes().first().copied().unwrap_or(entry);
        }
        self.level(values, entry, 0, ef.max(set.k));
        found.extend(self.beam.nodes().iter().take(set.k).map(|&(_, node)| i64::from(node)));
        Ok(Fetches::default())
    }

    fn bytes(&self) -> u64 {
        let upper: usize = (0..self.graph.len() as u32)
            .map(|node| usize::from(self.graph.level(node)) * (self.size / 2 + 1))
            .sum();
        (4 * (self.lists.len() + upper + self.set.rows.values.len())) as u64
    }
}

/// A mark for each node that was seen. Starting anew costs nothing but once in 255 times.
struct Marks {
    marks: Vec<u8>,
    now: u8,
}

impl Marks {
    fn new(nodes: usize) -> Self {
        Self { marks: vec![0; nodes], now: 0 }
    }

    fn start(&mut self) {
        self.now = self.now.wrapping_add(1);
        if self.now == 0 {
            self.marks.fill(0);
            self.now = 1;
        }
    }

    #[inline]
    fn first(&mut self, node: u32) -> bool {
        std::mem::replace(&mut self.marks[node as usize], self.now) != self.now
    }
}
