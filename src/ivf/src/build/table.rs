//! Which centroid each of many places is nearest to.
//!
//! All centroids are packed once, and places are held against them by blocks: a product then costs a third of what it does alone. Packed
//! products give |x − c|² as |x|² − 2x·c + |c|², whose error is one of |x||c|, however near the two are. So where the
//! second nearest is no farther than that error, the place is held against all centroids one by one.

use crate::Result;
use crate::centres::{Centres, Place};
use kite_build::memory::{Charge, Memory};
use kite_codecs::Metric;
use kite_kernels::{Kernels, Nearest, Panels, kernels};

/// Places that are looked at together.
pub(super) const BLOCK: usize = 24;
/// Fewer centroids are not worth packing.
const FEWEST: usize = 8;

/// Centroids, to find the nearest of for many places.
#[derive(Debug)]
pub(super) struct Table<'a> {
    centres: &'a Centres,
    packed: Option<Packed>,
    kernels: &'static Kernels,
}

#[derive(Debug)]
struct Packed {
    panels: Panels,
    /// The greatest |c|.
    longest: f64,
    _held: Charge,
}

impl<'a> Table<'a> {
    /// Of these centroids. What has no products is not packed.
    pub(super) fn new(centres: &'a Centres, memory: &Memory) -> Result<Self> {
        let kernels = kernels();
        let (len, count) = (centres.len(), centres.count());
        let by_products = matches!(centres.metric(), Metric::L2 | Metric::InnerProduct | Metric::Cosine);
        if !by_products || len == 0 || count < FEWEST {
            return Ok(Self { centres, packed: None, kernels });
        }
        let bytes = Panels::bytes(count, len);
        let mut longest = 0f64;
        let vectors = (0..count).map(|n| {
            let centre = centres.point(n);
            let squared = (kernels.f32.norm_squared)(centre);
            longest = longest.max(squared.sqrt());
            match centres.metric() {
                Metric::L2 => (centre, -2.0, squared as f32),
                _ => (centre, -centres.inverse(n), 0.0),
            }
        });
        let panels = Panels::pack(len, vectors).map_err(|_| kite_build::Error::OutOfMemory { bytes })?;
        Ok(Self { centres, packed: Some(Packed { panels, longest, _held: memory.charge(bytes) }), kernels })
    }

    /// Calls `found` for each place, by its number, with the nearest centroid and its key, as [`Centres::nearest`] has them.
    pub(super) fn nearest(&self, places: &[Place<'_>], mut found: impl FnMut(usize, u32, f32)) {
        let Some(packed) = &self.packed else {
            for (n, &place) in places.iter().enumerate() {
                let (centre, key) = self.centres.nearest(place);
                found(n, centre, key);
            }
            return;
        };
        for (first, group) in (0..).step_by(BLOCK).zip(places.chunks(BLOCK)) {
            let mut rows = [&[][..]; BLOCK];
            let mut nearest = [Nearest { place: 0, key: 0.0, next: 0.0 }; BLOCK];
            for (row, place) in rows.iter_mut().zip(group) {
                if let Place::Point(point) = place {
                    *row = point;
                }
            }
            let (rows, nearest) = (&rows[..group.len()], &mut nearest[..group.len()]);
            (self.kernels.nearest)(rows, &packed.panels, nearest);
            for (n, (&place, near)) in group.iter().zip(nearest).enumerate() {
                let (slack, shift) = packed.doubt(self.centres.metric(), self.kernels, rows[n]);
                let (centre, key) = if f64::from(near.next - near.key) > slack {
                    (near.place, (near.key + shift).max(self.least()))
                } else {
                    self.centres.nearest(place)
                };
                found(first + n, centre, key);
            }
        }
    }

    /// Squares are not negative, whatever was rounded.
    fn least(&self) -> f32 {
        if self.centres.metric() == Metric::L2 { 0.0 } else { f32::NEG_INFINITY }
    }
}

impl Packed {
    /// By how much two keys of a point may be off together, and what makes them whole.
    fn doubt(&self, metric: Metric, kernels: &Kernels, point: &[f32]) -> (f64, f32) {
        let squared = (kernels.f32.norm_squared)(point);
        // Of a sum of so many terms, in whatever order, and what is done with it: see kite-kernels.
        let unit = (point.len() + 8) as f64 * 2f64.powi(-24);
        let size = match metric {
            Metric::L2 => (2.0 * squared.sqrt() + self.longest) * self.longest,
            _ => squared.sqrt(),
        };
        (2.0 * unit * size, if metric == Metric::L2 { squared as f32 } else { 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever lies near or far, in tight clusters far from the origin too: the answer is that of one by one.
    #[test]
    fn the_same_as_one_by_one() {
        let mut rng = fastrand::Rng::with_seed(5);
        let memory = Memory::new(usize::MAX);
        for metric in [Metric::L2, Metric::Cosine, Metric::InnerProduct, Metric::L1] {
            for (len, offset, spread) in
                [(3, 0.0, 1.0), (40, 100.0, 1e-3), (384, 1.0, 1e-6), (17, 1e18, 1e18)]
            {
                let mut draw = |count: usize| -> Vec<Vec<f32>> {
                    let point = |rng: &mut fastrand::Rng| {
                        (0..len).map(|_| offset + spread * (rng.f32() - 0.5)).collect()
                    };
                    (0..count).map(|_| point(&mut rng)).collect()
                };
                let mut centres = Centres::new(metric, len);
                let (all, points) = (draw(70), draw(100));
                all.iter().chain(&all[..5]).for_each(|point| centres.push(Place::Point(point)));
                let places: Vec<Place<'_>> =
                    points.iter().chain(&all).map(|point| Place::Point(point)).collect();
                let table = Table::new(&centres, &memory).unwrap();
                let mut count = 0;
                table.nearest(&places, |n, centre, key| {
                    let (expected, exact) = centres.nearest(places[n]);
                    assert_eq!((n, centre), (count, expected), "{metric} {len}");
                    let size = (kernels().f32.norm_squared)(centres.point(0)) as f32;
                    let off = (key - exact).abs();
                    assert!(off <= 1e-5 * size || key == exact, "{metric} {len}: {key} {exact}");
                    count += 1;
                });
                assert_eq!(count, places.len());
            }
        }
        assert_eq!(memory.used(), 0);
    }
}
