//! Which nodes a search has seen.

use std::collections::TryReserveError;

/// A mark for each node. Starting anew costs nothing but once in 255 times.
#[derive(Debug)]
pub(crate) struct Visited {
    marks: Vec<u8>,
    now: u8,
}

impl Visited {
    pub(crate) fn new(nodes: usize) -> Result<Self, TryReserveError> {
        let mut marks = Vec::new();
        marks.try_reserve_exact(nodes)?;
        marks.resize(nodes, 0);
        Ok(Self { marks, now: 0 })
    }

    /// Forgets everything.
    pub(crate) fn start(&mut self) {
        self.now = self.now.wrapping_add(1);
        if self.now == 0 {
            self.marks.fill(0);
            self.now = 1;
        }
    }

    /// Marks a node, and answers whether it is seen for the first time.
    pub(crate) fn first(&mut self, node: u32) -> bool {
        let mark = &mut self.marks[node as usize];
        let first = *mark != self.now;
        *mark = self.now;
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_forgets() {
        let mut visited = Visited::new(3).unwrap();
        for _ in 0..600 {
            visited.start();
            assert!(visited.first(1) && !visited.first(1) && visited.first(2));
        }
    }
}
