//! Vectors laid out so that many others can be held against all of them at once.

use std::collections::TryReserveError;

/// Vectors that lie side by side in a panel: what the longest registers hold.
pub(crate) const LANES: usize = 16;

/// An element of each vector of a panel; a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [f32; LANES]);

/// Vectors of one length in *panels* of 16: the first elements of these 16, then their second ones, and so on. An element of another
/// vector then meets 16 others in one instruction, and no sum of lanes is left at the end.
///
/// Each vector has two numbers by which a product with it becomes a key: see [`Kernels::nearest`](crate::Kernels::nearest).
#[derive(Debug, Clone)]
pub struct Panels {
    len: usize,
    count: usize,
    lines: Vec<Line>,
    /// Of each panel.
    keys: Vec<KeyLines>,
}

/// How products become keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyLines {
    pub(crate) add: Line,
    pub(crate) mul: Line,
}

/// Where a vector belongs among those of [`Panels`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearest {
    /// The place of the one with the least key; of several the first. 0 where no key is less than infinity.
    pub place: u32,
    /// Its key; infinite in that case.
    pub key: f32,
    /// The least key among all others, infinite where there are none.
    pub next: f32,
}

impl Panels {
    /// Packs as many vectors of `len` elements as the iterator has, each with what its products are multiplied with and what is then added.
    ///
    /// # Errors
    /// Memory that cannot be had.
    ///
    /// # Panics
    /// When a vector has another length.
    pub fn pack<'v>(
        len: usize,
        vectors: impl ExactSizeIterator<Item = (&'v [f32], f32, f32)>,
    ) -> Result<Self, TryReserveError> {
        let count = vectors.len();
        let panels = count.div_ceil(LANES);
        let (mut lines, mut keys) = (Vec::new(), Vec::new());
        lines.try_reserve_exact(panels.saturating_mul(len))?;
        keys.try_reserve_exact(panels)?;
        lines.resize(panels * len, Line([0.0; LANES]));
        // A lane without a vector is never the nearest.
        keys.resize(panels, KeyLines { add: Line([f32::INFINITY; LANES]), mul: Line([0.0; LANES]) });
        for (n, (vector, mul, add)) in vectors.enumerate() {
            assert_eq!(vector.len(), len, "vectors of one length are packed");
            let (panel, lane) = (n / LANES, n % LANES);
            for (line, &x) in lines[panel * len..(panel + 1) * len].iter_mut().zip(vector) {
                line.0[lane] = x;
            }
            keys[panel].add.0[lane] = add;
            keys[panel].mul.0[lane] = mul;
        }
        Ok(Self { len, count, lines, keys })
    }

    /// Bytes that so many vectors of `len` elements take.
    #[must_use]
    pub fn bytes(count: usize, len: usize) -> usize {
        let panels = count.div_ceil(LANES);
        panels.saturating_mul(len.saturating_mul(size_of::<Line>()).saturating_add(size_of::<KeyLines>()))
    }

    /// How many vectors there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Elements of each.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is the length of each, as a dimension is")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Each panel, and how products with it become keys.
    pub(crate) fn panels(&self) -> impl ExactSizeIterator<Item = (&[Line], &KeyLines)> {
        let len = self.len;
        self.keys.iter().enumerate().map(move |(n, keys)| (&self.lines[n * len..(n + 1) * len], keys))
    }
}
