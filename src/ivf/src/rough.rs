//! The centroid of one vector at a time, which is what an insert asks for.
//!
//! Each centroid has a copy of a byte per element, a quarter of the floats. Products of bytes say how near it is at the least and at the
//! most, |x·c − x̂·ĉ| being no more than |x̂||c − ĉ| + |x − x̂||c|. Only those that may be the nearest are looked at exactly: a few of hundreds.
//! The answer is that of [`Centres::nearest`].

use crate::centres::{Centres, Place};
use kite_codecs::Metric;
use kite_kernels::{FAN, Kernels, Steps, kernels};
use std::collections::TryReserveError;

/// Fewer centroids are looked at one by one.
const FEWEST: usize = 16;

/// Copies of all centroids. The key of one is add + mul·(x·c).
#[derive(Debug)]
pub(crate) struct Rough {
    kernels: &'static Kernels,
    codes: Vec<u8>,
    heads: Heads,
    /// The greatest |c|.
    longest: f64,
}

/// What belongs to the bytes of each centroid, multiplied by `mul` or its magnitude; arrays, so that several are computed with at once.
#[derive(Debug, Default)]
struct Heads {
    add: Vec<f64>,
    offset: Vec<f64>,
    step: Vec<f64>,
    /// Of step·byte.
    sum: Vec<f64>,
    /// |c − ĉ| at most.
    error: Vec<f64>,
    /// |c| at most.
    norm: Vec<f64>,
}

/// x̂ᵢ = offset + step·byteᵢ
#[derive(Debug, Clone, Copy)]
struct Bytes {
    offset: f64,
    step: f64,
    /// Of the bytes.
    sum: f64,
    /// |x − x̂| at most.
    error: f64,
    /// |x| at most.
    norm: f64,
}

/// Where a thread works.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoughDesk {
    codes: Vec<u8>,
    /// The least that each key can be, and the least of what they can be at most.
    least: Vec<f64>,
    off: Vec<f64>,
    most: f64,
    /// Centroids that were looked at exactly.
    exact: usize,
}

impl Rough {
    /// Copies centroids. `None` where copies would not help: few of them, or a metric without products.
    pub(crate) fn new(centres: &Centres) -> Result<Option<Self>, TryReserveError> {
        let (len, count) = (centres.len(), centres.count());
        let by_products = matches!(centres.metric(), Metric::L2 | Metric::InnerProduct | Metric::Cosine);
        if !by_products || len == 0 || count < FEWEST {
            return Ok(None);
        }
        let (mut codes, mut heads) = (Vec::new(), Heads::default());
        codes.try_reserve_exact(len.saturating_mul(count))?;
        for head in heads.all() {
            head.try_reserve_exact(count)?;
        }
        codes.resize(len * count, 0);
        let (kernels, mut longest) = (kernels(), 0f64);
        for (n, to) in codes.chunks_exact_mut(len).enumerate() {
            let Some(bytes) = Bytes::of(kernels, centres.point(n), to) else { return Ok(None) };
            let (mul, add) = match centres.metric() {
                Metric::L2 => (-2.0, (kernels.f32.norm_squared)(centres.point(n))),
                _ => (-f64::from(centres.inverse(n)), 0.0),
            };
            longest = longest.max(bytes.norm);
            let Bytes { offset, step, sum, error, norm } = bytes;
            let head = [add, mul * offset, mul * step, mul * step * sum, mul.abs() * error, mul.abs() * norm];
            heads.all().into_iter().zip(head).for_each(|(all, value)| all.push(value));
        }
        Ok(Some(Self { kernels, codes, heads, longest }))
    }

    /// The centroid of a vector: of equally near ones the first.
    pub(crate) fn nearest(&self, centres: &Centres, place: Place<'_>, desk: &mut RoughDesk) -> u32 {
        let Place::Point(point) = place else { return centres.nearest(place).0 };
        let RoughDesk { codes, least, off, most, .. } = desk;
        codes.clear();
        codes.resize(point.len(), 0);
        let Some(x) = Bytes::of(self.kernels, point, codes) else { return centres.nearest(place).0 };
        // Of sums of so many terms in whatever order, here and where keys are computed: see kite-kernels.
        let unit = (point.len() + 16) as f64 * 2f64.powi(-23);
        let all = point.len() as f64 * x.offset + x.step * x.sum;
        let (by_error, by_norm, in_any_case) = match centres.metric() {
            Metric::L2 => (x.norm + x.error, x.error, unit * (x.norm + self.longest).powi(2)),
            _ => (x.norm + x.error, x.error + unit * x.norm, 0.0),
        };
        least.clear();
        // What is computed of products comes in loops of its own, which become vectors.
        let (bytes, together) = (&self.kernels.u8, self.codes.chunks_exact(point.len() * FAN));
        let rest = together.remainder().chunks_exact(point.len());
        for all in together {
            let copies = std::array::from_fn(|n| &all[n * point.len()..(n + 1) * point.len()]);
            least.extend((bytes.dots)(codes, copies).map(f64::from));
        }
        least.extend(rest.map(|copy| f64::from((bytes.dot)(codes, copy))));
        let Heads { add, offset, step, sum, error, norm } = &self.heads;
        off.clear();
        off.extend(
            error.iter().zip(norm).map(|(error, norm)| error * by_error + norm * by_norm + in_any_case),
        );
        let heads = add.iter().zip(offset).zip(step.iter().zip(sum));
        for (((add, offset), (step, sum)), key) in heads.zip(least.iter_mut()) {
            *key = add + offset * all + sum * x.offset + step * x.step * *key;
        }
        *most = least_sum(least, off);
        least.iter_mut().zip(off.iter()).for_each(|(key, off)| *key -= off);
        // The most likely first: its exact key rules out most of those that may be as near. What is no number bounds nothing, and is
        // looked at in any case.
        let first = (0..least.len()).min_by(|&a, &b| least[a].total_cmp(&least[b])).unwrap_or(0);
        let mut best = (first, centres.key(place, first));
        desk.exact = 1;
        for (n, &least) in least.iter().enumerate() {
            if least > *most || least > f64::from(best.1) || n == first {
                continue;
            }
            let key = centres.key(place, n);
            desk.exact += 1;
            // Of equally near ones the first, in whatever order they come.
            if key < best.1 || (key == best.1 && n < best.0) {
                best = (n, key);
            }
        }
        best.0 as u32
    }
}

impl Heads {
    fn all(&mut self) -> [&mut Vec<f64>; 6] {
        let Self { add, offset, step, sum, error, norm } = self;
        [add, offset, step, sum, error, norm]
    }
}

/// The least of the sums of two arrays, place by place; what is no number is passed over.
fn least_sum(a: &[f64], b: &[f64]) -> f64 {
    // As many at once as make a vector or two.
    const LANES: usize = 8;
    let lesser = |least: f64, sum: f64| if sum < least { sum } else { least };
    let (mut lanes, (a, b)) = ([f64::INFINITY; LANES], (a.as_chunks::<LANES>(), b.as_chunks::<LANES>()));
    for (a, b) in a.0.iter().zip(b.0) {
        for ((least, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *least = lesser(*least, a + b);
        }
    }
    let rest = a.1.iter().zip(b.1).map(|(a, b)| a + b);
    lanes.into_iter().chain(rest).fold(f64::INFINITY, lesser)
}

impl Bytes {
    /// Rounds a vector. `None` where numbers are too large or too small for that.
    fn of(kernels: &Kernels, values: &[f32], codes: &mut [u8]) -> Option<Self> {
        let (least, most) = (kernels.range)(values);
        let step = ((f64::from(most) - f64::from(least)) / 255.0) as f32;
        let inverse = if step > 0.0 { 1.0 / f64::from(step) } else { 0.0 };
        let steps = Steps { factor: 1.0, offset: least, step, inverse };
        let found = (kernels.quantise)(values, &steps, codes);
        let norm = (kernels.f32.norm_squared)(values).sqrt() * (1.0 + 1e-9);
        // The residual is of `f64` differences between numbers of this size.
        let error = found.residual.sqrt() * (1.0 + 1e-9) + norm * 1e-12;
        // Beyond these floats overflow or underflow where keys are computed.
        let sound = norm == 0.0 || (1e-12..1e15).contains(&norm);
        let (offset, step) = (f64::from(least), f64::from(step));
        sound.then_some(Self { offset, step, sum: f64::from(found.sum), error, norm })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever lies near or far, in tight clusters far from the origin too: the answer is that of all one by one.
    #[test]
    fn the_same_as_one_by_one() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut desk = RoughDesk::default();
        for metric in [Metric::L2, Metric::Cosine, Metric::InnerProduct] {
            for (len, offset, spread) in [
                (1, 0.0, 1.0),
                (3, 0.0, 1.0),
                (40, 100.0, 1e-3),
                (384, 0.0, 1.0),
                (384, 1.0, 1e-6),
                (17, 1e18, 1e18),
                (9, 0.0, 1e38),
                (16, 0.0, 1e-42),
            ] {
                let mut draw = |count: usize| -> Vec<Vec<f32>> {
                    let mut point =
                        |_| (0..len).map(|_| offset + spread * (rng.f32() - 0.5)).collect::<Vec<f32>>();
                    (0..count).map(&mut point).collect()
                };
                let mut centres = Centres::new(metric, len);
                let (mut all, points) = (draw(70), draw(200));
                all.push(vec![0.0; len]);
                all.iter().chain(&all[..5]).for_each(|point| centres.push(Place::Point(point)));
                let Some(rough) = Rough::new(&centres).unwrap() else {
                    assert!(!(1e-12..1e15).contains(&spread), "{spread}");
                    continue;
                };
                for point in points.iter().chain(&all) {
                    let place = Place::Point(point);
                    let found = rough.nearest(&centres, place, &mut desk);
                    assert_eq!(found, centres.nearest(place).0, "{metric} {len} {offset} {spread}");
                }
            }
        }
    }

    #[test]
    fn few_are_looked_at_exactly() {
        let mut rng = fastrand::Rng::with_seed(8);
        let mut centres = Centres::new(Metric::Cosine, 384);
        let mut draw = || (0..384).map(|_| rng.f32() - 0.5).collect::<Vec<f32>>();
        (0..250).for_each(|_| centres.push(Place::Point(&draw())));
        let rough = Rough::new(&centres).unwrap().expect("enough centroids");
        let mut desk = RoughDesk::default();
        let mut looked_at = 0;
        for _ in 0..100 {
            rough.nearest(&centres, Place::Point(&draw()), &mut desk);
            looked_at += desk.exact;
        }
        assert!(looked_at < 100 * 10, "{looked_at}");
    }

    #[test]
    fn what_has_no_copies() {
        let centres = Centres::origin(Metric::L1, 3, 100).unwrap();
        assert!(Rough::new(&centres).unwrap().is_none());
        let centres = Centres::origin(Metric::L2, 3, 2).unwrap();
        assert!(Rough::new(&centres).unwrap().is_none());
    }
}
