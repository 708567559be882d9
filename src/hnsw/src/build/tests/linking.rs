//! Linking in memory.

use super::{Looks, clustered, endless};
use crate::build::search::Searcher;
use crate::build::{Distances, Graph, Parameters, Stopped, link};
use crate::pool::Candidate;
use std::cell::Cell;

/// Vectors under the squared Euclidean distance.
struct Vectors {
    dims: usize,
    values: Vec<f32>,
}

impl Vectors {
    fn make(nodes: usize, dims: usize, seed: u64) -> Self {
        Self { dims, values: clustered(nodes, dims, seed) }
    }

    fn row(&self, node: u32) -> &[f32] {
        &self.values[node as usize * self.dims..][..self.dims]
    }
}

impl Distances for Vectors {
    fn len(&self) -> usize {
        self.values.len() / self.dims
    }
    fn between(&self, a: u32, b: u32) -> f32 {
        (kite_kernels::kernels().f32.l2_squared)(self.row(a), self.row(b))
    }
    fn prefetch(&self, _: u32) {}
}

fn all_links(graph: &Graph) -> Vec<(u32, u8, Vec<u32>)> {
    (0..graph.len() as u32)
        .flat_map(|node| {
            (0..=graph.level(node)).map(move |level| (node, level, graph.links(node, level).collect()))
        })
        .collect()
}

/// [`recall_of`] every 50th node.
fn recall(vectors: &Vectors, graph: &Graph) -> f64 {
    recall_of(vectors, graph, (0..graph.len() as u32).step_by(50))
}

/// The share of the ten nearest other nodes that a search with ef = 40 finds for nodes.
fn recall_of(vectors: &Vectors, graph: &Graph, nodes: impl Iterator<Item = u32>) -> f64 {
    let mut searcher = Searcher::new(graph.len(), 40).unwrap();
    let (mut hits, mut asked) = (0, 0);
    for node in nodes {
        let mut exact: Vec<Candidate> = (0..graph.len() as u32)
            .filter(|&other| other != node)
            .map(|other| Candidate { distance: vectors.between(node, other), node: other })
            .collect();
        exact.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance));
        let entry = graph.entry();
        let mut entries = vec![Candidate { distance: vectors.between(node, entry), node: entry }];
        for level in (0..=graph.level(entry)).rev() {
            let ef = if level == 0 { 40 } else { 1 };
            searcher.level(graph, vectors, node, &mut entries, (level, ef));
        }
        let found: Vec<u32> = entries[..10].iter().map(|candidate| candidate.node).collect();
        hits += exact[..10].iter().filter(|near| found.contains(&near.node)).count();
        asked += 10;
    }
    f64::from(hits as u32) / f64::from(asked)
}

#[test]
fn near_nodes_are_found() {
    let vectors = Vectors::make(3000, 12, 1);
    let graph = link(&vectors, &Parameters::default(), &endless()).unwrap();
    let recall = recall(&vectors, &graph);
    assert!(recall > 0.97, "{recall}");
}

#[test]
fn rows_in_order_do_no_harm() {
    let mut vectors = Vectors::make(3000, 12, 2);
    let mut rows: Vec<Vec<f32>> = vectors.values.chunks(12).map(<[f32]>::to_vec).collect();
    rows.sort_by(|a, b| a.partial_cmp(b).unwrap());
    vectors.values = rows.concat();
    let graph = link(&vectors, &Parameters::default(), &endless()).unwrap();
    let recall = recall(&vectors, &graph);
    assert!(recall > 0.97, "{recall}");
}

#[test]
fn the_graph_does_not_depend_on_the_threads() {
    let vectors = Vectors::make(2000, 8, 3);
    let build = |threads| {
        let parameters = Parameters { threads, m: 6, ef_construction: 30, ..Parameters::default() };
        all_links(&link(&vectors, &parameters, &endless()).unwrap())
    };
    let one = build(1);
    assert_eq!(build(2), one);
    assert_eq!(build(5), one);
}

#[test]
fn lists_are_sound() {
    let vectors = Vectors::make(1500, 4, 4);
    let parameters = Parameters { m: 4, ef_construction: 20, ..Parameters::default() };
    let graph = link(&vectors, &parameters, &endless()).unwrap();
    for (node, level, links) in all_links(&graph) {
        assert!(links.len() <= graph.capacity(level) && !links.contains(&node), "{node} {links:?}");
        assert!(links.iter().all(|&link| graph.level(link) >= level), "{node} {links:?}");
        let mut unique = links.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), links.len(), "{node} {links:?}");
    }
    let upper = (0..1500).filter(|&node| graph.level(node) > 0).count();
    assert!((280..480).contains(&upper), "a quarter of the nodes: {upper}");
}

#[test]
fn alpha_fills_lists_and_more_is_found() {
    let vectors = Vectors::make(3000, 16, 6);
    let built = |alpha| {
        let parameters = Parameters {
            m: 4,
            ef_construction: 16,
            choice: crate::Choice { alpha, ..crate::Choice::PLAIN },
            ..Parameters::default()
        };
        let graph = link(&vectors, &parameters, &endless()).unwrap();
        let links = |node| graph.links(node, 0).len();
        ((0..3000).map(links).sum::<usize>(), recall(&vectors, &graph))
    };
    let (paper, denser) = (built(1.0), built(1.1));
    assert!(denser.0 * 10 > paper.0 * 11 && denser.1 > paper.1, "{paper:?} {denser:?}");
}

#[test]
fn a_row_in_the_middle_of_a_dense_cluster_does_not_hide_the_others() {
    let data = crate::testing::crowd(1000, 400, 64, 7);
    let vectors = Vectors { dims: 64, values: data.concat() };
    for (m, least) in [(8, 0.85), (16, 0.95)] {
        let parameters = Parameters { m, ef_construction: 5 * m, ..Parameters::default() };
        let graph = link(&vectors, &parameters, &endless()).unwrap();
        let found = recall_of(&vectors, &graph, (1001..1400).step_by(10));
        assert!(found > least, "m = {m}: {found}");
    }
}

#[test]
fn a_way_leads_to_every_node() {
    let random = |rows, dims| Vectors { dims, values: crate::testing::vectors(rows, dims, 3).concat() };
    for (vectors, m) in
        [(random(2000, 16), 4), (random(1000, 100), 4), (Vectors::make(3000, 12, 3), 4), (random(3000, 3), 2)]
    {
        let parameters = Parameters { m, ef_construction: 40, ..Parameters::default() };
        let graph = link(&vectors, &parameters, &endless()).unwrap();
        let mut reached = vec![false; graph.len()];
        let mut waiting = vec![graph.entry()];
        while let Some(node) = waiting.pop() {
            if !std::mem::replace(&mut reached[node as usize], true) {
                waiting.extend(graph.links(node, 0));
            }
        }
        let lost = reached.iter().filter(|&&reached| !reached).count();
        assert_eq!(lost, 0, "{} dimensions, m = {m}", vectors.dims);
    }
}

#[test]
fn few_nodes_and_equal_ones() {
    for nodes in [0, 1, 2, 40] {
        let vectors = Vectors { dims: 2, values: vec![1.0; nodes * 2] };
        let graph = link(&vectors, &Parameters::default(), &endless()).unwrap();
        assert_eq!(graph.len(), nodes);
        let linked = (0..nodes as u32).filter(|&node| graph.links(node, 0).len() > 0).count();
        assert_eq!(linked, if nodes < 2 { 0 } else { nodes });
    }
}

#[test]
fn a_build_can_be_ended() {
    let vectors = Vectors::make(2000, 8, 5);
    for threads in [1, 3] {
        let parameters = Parameters { threads, ..Parameters::default() };
        let stopped = link(&vectors, &parameters, &Looks(Cell::new(20))).unwrap_err();
        assert_eq!(stopped, Stopped::Interrupted);
    }
}
