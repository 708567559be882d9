//! A way to every node.
//!
//! A full list drops links, and with few links a node may lose all that lead to it: of 5,000 random vectors of 100 dimensions a fifth
//! with m = 4, two percent with m = 8 (counted by hand). The other way round nothing was seen to be lost: a node's own links lead to
//! nodes that entered before it.

use super::memory::{Counted, Memory};
use super::search::Searcher;
use super::{Distances, Graph, Host, Stopped};
use crate::Result;
use crate::pool::Candidate;
use crate::reachable::Filter;

/// Nodes between two looks at the host.
const LOOK: usize = 1 << 12;

/// Links the nodes of level 0 again to which no way leads from the entry point: from the nearest node that has a slot, or a link
/// that it can do without. What could be reached before can be reached afterwards.
pub(super) fn reconnect(
    graph: &Graph,
    distances: &impl Distances,
    ef: usize,
    memory: &Memory,
    host: &impl Host,
) -> Result<()> {
    if graph.is_empty() {
        return Ok(());
    }
    let nodes = graph.len();
    let mut walk =
        Walk { reached: Counted::filled(memory, nodes, || false)?, waiting: Counted::new(memory), steps: 0 };
    let entry = graph.entry();
    walk.come_by(graph, entry, host)?;
    if walk.reached.iter().all(|&reached| reached) {
        return Ok(());
    }
    let _searcher = memory.charge(nodes);
    let mut searcher = Searcher::new(nodes, ef).map_err(Stopped::from)?;
    let (mut near, mut links) = (Vec::new(), Vec::new());
    for node in 0..nodes as u32 {
        if walk.reached[node as usize] {
            continue;
        }
        near.clear();
        near.push(Candidate { distance: distances.between(node, entry), node: entry });
        // From the entry point on level 0 a search meets only what can be reached.
        searcher.level(graph, distances, node, &mut near, (0, ef));
        // Where none of so many could, the node stays as it is: the check of an index counts it, and a vacuum tries again.
        let _ = near.iter().any(|candidate| lead(graph, candidate.node, node, &mut links));
        walk.come_by(graph, node, host)?;
    }
    Ok(())
}

/// Gives `from` a link to `to`, if it has a slot for it, or a link to a node that another of its neighbours links to.
fn lead(graph: &Graph, from: u32, to: u32, links: &mut Vec<u32>) -> bool {
    links.clear();
    links.extend(graph.links(from, 0));
    if links.len() < graph.capacity(0) {
        links.push(to);
    } else {
        // Few of the links of its neighbours lead to others of them.
        let mut own = Filter::default();
        links.iter().for_each(|&link| own.add(u64::from(link)));
        let beyond = links.iter().flat_map(|&other| graph.links(other, 0));
        let led_to = beyond.filter(|&node| own.may_have(u64::from(node)));
        let last = led_to.filter_map(|node| links.iter().position(|&link| link == node)).max();
        let Some(spare) = last else { return false };
        links[spare] = to;
    }
    graph.set_links(from, 0, links, 0);
    true
}

/// What can be reached.
struct Walk {
    reached: Counted<bool>,
    waiting: Counted<u32>,
    steps: usize,
}

impl Walk {
    /// Marks a node and all to which a way leads from it.
    fn come_by(&mut self, graph: &Graph, node: u32, host: &impl Host) -> Result<()> {
        self.reached[node as usize] = true;
        self.waiting.push(node)?;
        while let Some(node) = self.waiting.pop() {
            self.steps += 1;
            if self.steps.is_multiple_of(LOOK) {
                host.go_on()?;
            }
            for link in graph.links(node, 0) {
                if !std::mem::replace(&mut self.reached[link as usize], true) {
                    self.waiting.push(link)?;
                }
            }
        }
        Ok(())
    }
}
