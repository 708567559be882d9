//! The centroids, and how far things are from them.

use crate::lines::Lines;
use crate::{Error, Result};
use kite_codecs::Metric;
use kite_kernels::Kernels;
use zerocopy::IntoBytes;

/// Where a vector is, as centroids see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place<'a> {
    /// A point (see [`kite_codecs::Space`]).
    Point(&'a [f32]),
    /// A bit string.
    Bits(&'a [u8]),
}

/// Centroids.
///
/// Where the metric is one of directions (inner product, cosine) they are found by their directions, as in spherical k-means, and as
/// long as vectors of the list reach in that direction on the average, so that the residuals are short.
#[derive(Debug, Clone)]
pub(crate) struct Centres {
    metric: Metric,
    /// Elements of each, or bytes.
    len: usize,
    values: Values,
    /// 1 / |c| of points.
    inverse: Vec<f32>,
    kernels: &'static Kernels,
}

#[derive(Debug, Clone)]
enum Values {
    Points(Lines),
    Bits(Vec<u8>),
}

impl Centres {
    /// None so far, of points with `len` elements or of bit strings with `len` bytes.
    pub(crate) fn new(metric: Metric, len: usize) -> Self {
        let values = if is_bits(metric) { Values::Bits(Vec::new()) } else { Values::Points(Lines::new(len)) };
        Self { metric, len, values, inverse: Vec::new(), kernels: kite_kernels::kernels() }
    }

    /// So many at the origin.
    pub(crate) fn origin(metric: Metric, len: usize, count: usize) -> Result<Self> {
        let mut centres = Self::new(metric, len);
        centres.reserve(count)?;
        match &mut centres.values {
            Values::Points(values) => (0..count).for_each(|_| values.push(&[])),
            Values::Bits(values) => values.resize(count * len, 0),
        }
        centres.inverse.resize(count, 0.0);
        Ok(centres)
    }

    pub(crate) fn metric(&self) -> Metric {
        self.metric
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn count(&self) -> usize {
        self.inverse.len()
    }

    /// 1 / |c| of one of them; 0 at the origin.
    pub(crate) fn inverse(&self, n: usize) -> f32 {
        self.inverse[n]
    }

    /// Bytes of a centroid.
    pub(crate) fn bytes_each(&self) -> usize {
        if is_bits(self.metric) { self.len } else { self.len * size_of::<f32>() }
    }

    /// Bytes that a centroid takes in memory.
    pub(crate) fn held_each(&self) -> usize {
        match &self.values {
            Values::Points(values) => values.bytes(1),
            Values::Bits(_) => self.len,
        }
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, more: usize) -> Result<()> {
        let bytes = more.saturating_mul(self.held_each() + size_of::<f32>());
        let refused = |_| Error::Build(kite_build::Error::OutOfMemory { bytes });
        match &mut self.values {
            Values::Points(values) => values.reserve(more).map_err(refused)?,
            Values::Bits(values) => values.try_reserve(more.saturating_mul(self.len)).map_err(refused)?,
        }
        self.inverse.try_reserve(more).map_err(refused)
    }

    /// Adds one.
    pub(crate) fn push(&mut self, place: Place<'_>) {
        match (&mut self.values, place) {
            (Values::Points(values), Place::Point(point)) => {
                values.push(point);
                self.inverse.push(inverse(self.kernels, point));
            }
            (Values::Bits(values), Place::Bits(bits)) => {
                values.extend_from_slice(bits);
                self.inverse.push(0.0);
            }
            _ => {}
        }
    }

    /// Adds those of another.
    pub(crate) fn extend(&mut self, other: &Self) {
        (0..other.count()).for_each(|n| self.push(other.get(n)));
    }

    /// Puts another in the place of one.
    pub(crate) fn set(&mut self, n: usize, place: Place<'_>) {
        let range = n * self.len..(n + 1) * self.len;
        match (&mut self.values, place) {
            (Values::Points(values), Place::Point(point)) => {
                values.set(n, point);
                self.inverse[n] = inverse(self.kernels, point);
            }
            (Values::Bits(values), Place::Bits(bits)) => values[range].copy_from_slice(bits),
            _ => {}
        }
    }

    /// One of them.
    #[inline]
    pub(crate) fn get(&self, n: usize) -> Place<'_> {
        let range = n * self.len..(n + 1) * self.len;
        match &self.values {
            Values::Points(values) => Place::Point(values.get(n)),
            Values::Bits(values) => Place::Bits(&values[range]),
        }
    }

    /// One of them as a point; nothing for bit strings.
    #[inline]
    pub(crate) fn point(&self, n: usize) -> &[f32] {
        if let Place::Point(point) = self.get(n) { point } else { &[] }
    }

    /// As stored.
    pub(crate) fn bytes(&self, n: usize) -> &[u8] {
        match self.get(n) {
            Place::Point(point) => point.as_bytes(),
            Place::Bits(bits) => bits,
        }
    }

    /// Adds one as stored. `false` for what nobody stored.
    #[must_use]
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) -> bool {
        match &self.values {
            Values::Bits(_) => {
                let sound = bytes.len() == self.len;
                if sound {
                    self.push(Place::Bits(bytes));
                }
                sound
            }
            Values::Points(_) => {
                let (words, rest) = bytes.as_chunks::<4>();
                let point: Vec<f32> = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
                let sound = rest.is_empty() && point.len() == self.len && point.iter().all(|x| x.is_finite());
                if sound {
                    self.push(Place::Point(&point));
                }
                sound
            }
        }
    }

    /// By which a vector chooses its list: the least. Never NaN.
    #[inline]
    pub(crate) fn key(&self, of: Place<'_>, n: usize) -> f32 {
        let f32 = &self.kernels.f32;
        let key = match (self.metric, of, self.get(n)) {
            (Metric::L2, Place::Point(x), Place::Point(c)) => (f32.l2_squared)(x, c),
            (Metric::L1, Place::Point(x), Place::Point(c)) => (f32.l1)(x, c),
            (_, Place::Point(x), Place::Point(c)) => -(f32.dot)(x, c) * self.inverse[n],
            (Metric::Jaccard, Place::Bits(x), Place::Bits(c)) => {
                kite_vectors::bits::jaccard(&self.kernels.bits, x, c) as f32
            }
            (_, Place::Bits(x), Place::Bits(c)) => (self.kernels.bits.hamming)(x, c) as f32,
            _ => f32::INFINITY,
        };
        if key.is_nan() { f32::INFINITY } else { key }
    }

    /// By which a query chooses lists: the least first.
    #[inline]
    pub(crate) fn query_key(&self, of: Place<'_>, n: usize) -> f32 {
        match (self.metric, of, self.get(n)) {
            // The length of a list's vectors counts.
            (Metric::InnerProduct, Place::Point(q), Place::Point(c)) => {
                let key = -(self.kernels.f32.dot)(q, c);
                if key.is_nan() { f32::INFINITY } else { key }
            }
            _ => self.key(of, n),
        }
    }

    /// The centroid of a vector: of equally near ones the first.
    pub(crate) fn nearest(&self, of: Place<'_>) -> (u32, f32) {
        let mut best = (0, f32::INFINITY);
        let mut offer = |n: usize, key: f32| {
            if key < best.1 {
                best = (n as u32, key);
            }
        };
        // The metric is looked at once, where there are points.
        match (&self.values, of, self.metric) {
            (Values::Points(values), Place::Point(x), Metric::L2) if self.len > 0 => {
                let l2 = self.kernels.f32.l2_squared;
                values.iter().enumerate().for_each(|(n, c)| offer(n, l2(x, c)));
            }
            (Values::Points(values), Place::Point(x), Metric::Cosine | Metric::InnerProduct)
                if self.len > 0 =>
            {
                let dot = self.kernels.f32.dot;
                let centres = values.iter().zip(&self.inverse).enumerate();
                centres.for_each(|(n, (c, inverse))| offer(n, -dot(x, c) * inverse));
            }
            _ => (0..self.count()).for_each(|n| offer(n, self.key(of, n))),
        }
        best
    }

    /// How far a vector is from a centroid, as drift is measured: the squared residual, or the distance of L1 and bits.
    pub(crate) fn error(&self, of: Place<'_>, n: usize) -> f64 {
        let error = match (self.metric, of, self.get(n)) {
            (Metric::L1, ..) | (_, Place::Bits(_), _) => f64::from(self.key(of, n)),
            (_, Place::Point(x), Place::Point(c)) => (self.kernels.f32.l2_squared)(x, c).into(),
            _ => 0.0,
        };
        if error.is_finite() { error } else { 0.0 }
    }
}

pub(crate) fn is_bits(metric: Metric) -> bool {
    matches!(metric, Metric::Hamming | Metric::Jaccard)
}

/// 1 / |c|; 0 at the origin, which has no direction.
fn inverse(kernels: &Kernels, point: &[f32]) -> f32 {
    let norm = (kernels.f32.norm_squared)(point).sqrt();
    let inverse = (1.0 / norm) as f32;
    if inverse.is_finite() { inverse } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_by_every_metric() {
        let mut centres = Centres::new(Metric::L2, 2);
        for point in [[0f32, 1.0], [3.0, 0.0], [5.0, 5.0]] {
            assert!(centres.push_bytes(point.as_bytes()));
        }
        assert!(!centres.push_bytes(&[0; 7]) && !centres.push_bytes([f32::NAN, 0.0].as_bytes()));
        assert_eq!(centres.nearest(Place::Point(&[3.0, 0.5])), (1, 0.25));
        for (metric, nearest, first) in
            [(Metric::L1, 1, 1), (Metric::Cosine, 1, 1), (Metric::InnerProduct, 1, 2)]
        {
            let of = Centres { metric, ..centres.clone() };
            let x = Place::Point(&[2.0, 0.5]);
            let by_query = (0..3).min_by(|&a, &b| of.query_key(x, a).total_cmp(&of.query_key(x, b)));
            assert_eq!((of.nearest(x).0, by_query), (nearest, Some(first)), "{metric}");
        }
        let mut bits = Centres::new(Metric::Jaccard, 1);
        for byte in [0b1111_0000, 0b0000_1111] {
            bits.push(Place::Bits(&[byte]));
        }
        assert_eq!(bits.nearest(Place::Bits(&[0b0000_0110])), (1, 0.5));
        assert_eq!((bits.bytes(1), bits.count(), bits.error(Place::Bits(&[0xF0]), 0)), (&[15][..], 2, 0.0));
    }

    #[test]
    fn the_origin_has_no_direction() {
        let centres = Centres::origin(Metric::Cosine, 3, 1).unwrap();
        assert_eq!(centres.nearest(Place::Point(&[1.0, 0.0, 0.0])), (0, 0.0));
    }
}
