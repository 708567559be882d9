//! What the executor does with rows that an index returns by lower bounds of their distance: it fetches each, computes the
//! distance, and holds the row back until no row to come can be nearer (`IndexNextWithReorder`).

use super::layout::Fetches;
use anyhow::{Result, ensure};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A value of more bytes lies in TOAST, as does one of a row that is too long by it.
const INLINE: usize = 2000;
/// Bytes of a value that a TOAST page holds, about.
const TOASTED: usize = 2000;

/// Pages that are read to fetch a row with a vector of so many dimensions: its own, and those of TOAST, but not those of the
/// TOAST table's index.
pub(super) fn pages_of_row(dims: usize) -> u64 {
    let bytes = 8 + 4 * dims;
    1 + if bytes > INLINE { bytes.div_ceil(TOASTED) as u64 } else { 0 }
}

/// Appends the first `k` rows by exact distance to `found`.
///
/// `next` gives rows of the index with bounds, `exact` the distance that SQL computes. As in the executor it is an error when
/// that is below the bound.
pub(super) fn reorder(
    k: usize,
    mut next: impl FnMut() -> Result<Option<(i64, f64)>>,
    mut exact: impl FnMut(i64) -> Result<f64>,
    pages_of_row: u64,
    found: &mut Vec<i64>,
) -> Result<Fetches> {
    let (mut held, mut fetched, mut reached) = (BinaryHeap::new(), 0, f64::NEG_INFINITY);
    let end = found.len() + k;
    while found.len() < end {
        if let Some(Held { distance, row }) = held.peek().copied()
            && distance <= reached
        {
            held.pop();
            found.push(row);
            continue;
        }
        let Some((row, bound)) = next()? else {
            // Nothing is to come: all are as near as they get.
            if held.is_empty() {
                break;
            }
            reached = f64::INFINITY;
            continue;
        };
        let distance = exact(row)?;
        ensure!(distance >= bound, "row {row} is at {distance}, below its bound of {bound}");
        fetched += 1;
        reached = bound;
        held.push(Held { distance, row });
    }
    Ok(Fetches { rows: fetched, pages: fetched * pages_of_row })
}

/// A row that is held back. The nearest is the greatest.
#[derive(Debug, Clone, Copy)]
struct Held {
    distance: f64,
    row: i64,
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> Ordering {
        other.distance.total_cmp(&self.distance).then(other.row.cmp(&self.row))
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Held {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows by number with bound and distance.
    const ROWS: [(f64, f64); 6] = [(0.1, 0.4), (0.2, 0.25), (0.3, 0.3), (0.3, 0.9), (0.5, 0.6), (0.7, 0.7)];

    fn run(k: usize) -> (Vec<i64>, Fetches) {
        let (mut given, mut found) = ((0..).zip(ROWS), Vec::new());
        let next = || Ok(given.next().map(|(row, (bound, _))| (row, bound)));
        let fetches = reorder(k, next, |row| Ok(ROWS[row as usize].1), 3, &mut found).unwrap();
        (found, fetches)
    }

    #[test]
    fn rows_come_once_nothing_nearer_can_come() {
        // The nearest is known when a bound reaches its distance, at the third row.
        assert_eq!(run(1), (vec![1], Fetches { rows: 3, pages: 9 }));
        assert_eq!(run(2), (vec![1, 2], Fetches { rows: 3, pages: 9 }));
        assert_eq!(run(3), (vec![1, 2, 0], Fetches { rows: 5, pages: 15 }));
        // Beyond the end of the index nothing is to be waited for.
        assert_eq!(run(9), (vec![1, 2, 0, 4, 5, 3], Fetches { rows: 6, pages: 18 }));
    }

    #[test]
    fn a_bound_that_lies_is_found_out() {
        let mut one = Some((7, 0.5));
        let result = reorder(1, || Ok(one.take()), |_| Ok(0.4), 1, &mut Vec::new());
        assert!(result.unwrap_err().to_string().contains("below its bound"));
    }

    #[test]
    fn long_vectors_lie_in_toast() {
        assert_eq!([128, 384, 498, 499, 768, 1536].map(pages_of_row), [1, 1, 1, 3, 3, 5]);
    }
}
