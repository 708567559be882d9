//! Vectors that k-means works on.

use crate::Result;
use crate::centres::{Place, is_bits};
use kite_build::memory::{Counted, Memory};
use kite_codecs::Metric;

/// Points, or bit strings.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) metric: Metric,
    /// Elements of each, or bytes.
    pub(super) len: usize,
    points: Counted<f32>,
    bits: Counted<u8>,
}

impl Sample {
    pub(super) fn new(metric: Metric, len: usize, memory: &Memory) -> Self {
        Self { metric, len, points: Counted::new(memory), bits: Counted::new(memory) }
    }

    /// Makes room for so many.
    pub(super) fn reserve(&mut self, count: usize) -> Result<()> {
        if is_bits(self.metric) {
            Ok(self.bits.reserve_exact(count * self.len)?)
        } else {
            Ok(self.points.reserve_exact(count * self.len)?)
        }
    }

    pub(super) fn push(&mut self, place: Place<'_>) -> Result<()> {
        match place {
            Place::Point(point) => {
                self.points.reserve(self.len)?;
                point.iter().try_for_each(|&x| self.points.push(x))?;
            }
            Place::Bits(bits) => {
                self.bits.reserve(self.len)?;
                bits.iter().try_for_each(|&x| self.bits.push(x))?;
            }
        }
        Ok(())
    }

    pub(super) fn count(&self) -> usize {
        (self.points.len() + self.bits.len()) / self.len.max(1)
    }

    #[inline]
    pub(super) fn get(&self, n: usize) -> Place<'_> {
        let range = n * self.len..(n + 1) * self.len;
        if is_bits(self.metric) { Place::Bits(&self.bits[range]) } else { Place::Point(&self.points[range]) }
    }

    /// A copy of some.
    pub(super) fn gather(&self, rows: impl ExactSizeIterator<Item = usize>, memory: &Memory) -> Result<Self> {
        let mut some = Self::new(self.metric, self.len, memory);
        some.reserve(rows.len())?;
        for row in rows {
            some.push(self.get(row))?;
        }
        Ok(some)
    }
}
