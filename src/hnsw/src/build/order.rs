//! In which order vertices are written, so that those which a search reads together lie together.

use super::memory::{Counted, Memory};
use super::{Graph, Host};
use crate::Result;

/// All nodes: each group begins with the node that has waited longest and goes on with its neighbours that have no place yet,
/// the nearest first as far as the list is in order. Nodes begin to wait when a neighbour gets its place.
pub(super) fn by_locality(
    graph: &Graph,
    group: usize,
    memory: &Memory,
    host: &impl Host,
) -> Result<Counted<u32>> {
    let nodes = graph.len();
    let mut order = Counted::new(memory);
    order.reserve_exact(nodes)?;
    let mut placed = Counted::filled(memory, nodes, || false)?;
    // Of the nodes in `order`, those before this have had their turn to begin groups from their neighbours.
    let mut turn = 0;
    let mut next = 0;
    let mut seed = if nodes > 0 { Some(graph.entry()) } else { None };
    while let Some(node) = seed {
        host.go_on()?;
        place(node, &mut placed, &mut order)?;
        let room = group.saturating_sub(1);
        for near in graph.links(node, 0).filter(|&near| !placed[near as usize]).take(room).collect::<Vec<_>>()
        {
            place(near, &mut placed, &mut order)?;
        }
        seed = waiting(graph, &order, &placed, &mut turn).or_else(|| rest(&placed, &mut next));
    }
    Ok(order)
}

fn place(node: u32, placed: &mut [bool], order: &mut Counted<u32>) -> Result<()> {
    if !std::mem::replace(&mut placed[node as usize], true) {
        order.push(node)?;
    }
    Ok(())
}

/// A neighbour without a place of the first placed node that has one.
fn waiting(graph: &Graph, order: &[u32], placed: &[bool], turn: &mut usize) -> Option<u32> {
    while let Some(&node) = order.get(*turn) {
        if let Some(near) = graph.links(node, 0).find(|&near| !placed[near as usize]) {
            return Some(near);
        }
        *turn += 1;
    }
    None
}

/// A node that no placed one leads to.
fn rest(placed: &[bool], next: &mut usize) -> Option<u32> {
    *next += placed[*next..].iter().position(|placed| !placed)?;
    Some(*next as u32)
}
