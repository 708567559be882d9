//! Vectors that k-means works on.

use crate::Result;
use crate::centres::{Place, is_bits};
use crate::lines::Lines;
use kite_build::memory::{Charge, Counted, Memory};
use kite_codecs::Metric;

/// Points, or bit strings.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) metric: Metric,
    /// Elements of each, or bytes.
    pub(super) len: usize,
    points: Lines,
    bits: Counted<u8>,
    memory: Memory,
    /// For the points.
    charge: Charge,
}

impl Sample {
    pub(super) fn new(metric: Metric, len: usize, memory: &Memory) -> Self {
        let (bits, charge) = (Counted::new(memory), memory.charge(0));
        Self { metric, len, points: Lines::new(len), bits, memory: memory.clone(), charge }
    }

    /// Makes room for so many, which are all that will come.
    pub(super) fn reserve(&mut self, count: usize) -> Result<()> {
        if is_bits(self.metric) {
            return Ok(self.bits.reserve_exact(count * self.len)?);
        }
        let bytes = self.points.bytes(count);
        self.points.reserve(count).map_err(|_| kite_build::Error::OutOfMemory { bytes })?;
        self.charge = self.memory.charge(bytes);
        Ok(())
    }

    pub(super) fn push(&mut self, place: Place<'_>) -> Result<()> {
        match place {
            Place::Point(point) => self.points.push(point),
            Place::Bits(bits) => {
                self.bits.reserve(self.len)?;
                bits.iter().try_for_each(|&x| self.bits.push(x))?;
            }
        }
        Ok(())
    }

    pub(super) fn count(&self) -> usize {
        self.points.count() + self.bits.len() / self.len.max(1)
    }

    #[inline]
    pub(super) fn get(&self, n: usize) -> Place<'_> {
        if is_bits(self.metric) {
            Place::Bits(&self.bits[n * self.len..(n + 1) * self.len])
        } else {
            Place::Point(self.points.get(n))
        }
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
