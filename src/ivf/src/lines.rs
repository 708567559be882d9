//! Vectors side by side, each at the beginning of a cache line: kernels with 512-bit registers are about 1.5 times as fast there.

use std::collections::TryReserveError;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

/// Elements of a line.
const ELEMENTS: usize = 16;

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(64))]
struct Line([f32; ELEMENTS]);

/// Vectors of one length.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    lines: Vec<Line>,
    len: usize,
    /// Lines of each.
    each: usize,
}

impl Lines {
    /// None so far, of so many elements.
    pub(crate) fn new(len: usize) -> Self {
        Self { lines: Vec::new(), len, each: len.div_ceil(ELEMENTS) }
    }

    /// Bytes that so many take.
    pub(crate) fn bytes(&self, count: usize) -> usize {
        count.saturating_mul(self.each).saturating_mul(size_of::<Line>())
    }

    pub(crate) fn reserve(&mut self, more: usize) -> Result<(), TryReserveError> {
        self.lines.try_reserve_exact(more.saturating_mul(self.each))
    }

    pub(crate) fn count(&self) -> usize {
        self.lines.len().checked_div(self.each).unwrap_or(0)
    }

    /// Adds one, or as much of it as is of the right length.
    pub(crate) fn push(&mut self, vector: &[f32]) {
        self.lines.resize(self.lines.len() + self.each, Line::new_zeroed());
        self.set(self.count() - 1, vector);
    }

    #[inline]
    pub(crate) fn get(&self, n: usize) -> &[f32] {
        let lines = &self.lines[n * self.each..(n + 1) * self.each];
        &floats(lines)[..self.len]
    }

    pub(crate) fn set(&mut self, n: usize, vector: &[f32]) {
        let lines = &mut self.lines[n * self.each..(n + 1) * self.each];
        for (line, part) in lines.iter_mut().zip(vector.chunks(ELEMENTS)) {
            line.0[..part.len()].copy_from_slice(part);
        }
    }

    /// All of them.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.lines.chunks_exact(self.each.max(1)).map(|lines| &floats(lines)[..self.len])
    }
}

#[inline]
fn floats(lines: &[Line]) -> &[f32] {
    // A line is an array of floats, so that there is no other answer.
    <[f32]>::ref_from_bytes(lines.as_bytes()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_come_back_from_where_lines_begin() {
        for len in [1, 15, 16, 17, 384] {
            let mut lines = Lines::new(len);
            lines.reserve(5).unwrap();
            let vector = |n: usize| (0..len).map(|i| (n * len + i) as f32).collect::<Vec<f32>>();
            (0..5).for_each(|n| lines.push(&vector(n)));
            lines.set(2, &vector(9));
            assert_eq!(lines.count(), 5);
            for (n, found) in lines.iter().enumerate() {
                assert_eq!(found, vector(if n == 2 { 9 } else { n }));
                assert_eq!(found, lines.get(n));
                assert!(found.as_ptr().addr().is_multiple_of(64));
            }
        }
    }
}
