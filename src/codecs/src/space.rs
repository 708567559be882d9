//! Where an inverted file sees its vectors: as points whose distances are those of the metric, rotated where codes want that.

use crate::rotation::Rotation;
use crate::value::norm;
use crate::{Metric, Value};
use kite_kernels::{Element, Kernels};

/// Turns dense vectors into points: single precision, of length 1 under cosine distance, and rotated if there is a seed.
///
/// A rotation keeps lengths and angles, so that centroids can be found, kept and compared among rotated points alone.
#[derive(Debug, Clone)]
pub struct Space {
    metric: Metric,
    dims: usize,
    rotation: Option<Rotation>,
    kernels: &'static Kernels,
}

impl Space {
    /// Of vectors with so many dimensions.
    #[must_use]
    pub fn new(metric: Metric, dims: usize, rotation: Option<u64>) -> Self {
        Self {
            metric,
            dims,
            rotation: rotation.map(|seed| Rotation::new(dims, seed)),
            kernels: kite_kernels::kernels(),
        }
    }

    /// The elements of a point: the dimensions, and some zeros more where points are rotated.
    #[must_use]
    pub fn len(&self) -> usize {
        if self.rotation.is_some() { Rotation::padded(self.dims) } else { self.dims }
    }

    /// Whether points have no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dims == 0
    }

    /// Writes the point of a vector over `point`. `false` for what has none: a zero vector under cosine distance, and values that are
    /// not dense or have other dimensions.
    #[must_use]
    pub fn point(&self, value: Value<'_>, point: &mut Vec<f32>) -> bool {
        point.clear();
        let there = match value {
            Value::F32(values) => self.fill(values, point),
            Value::F16(values) => self.fill(values, point),
            _ => false,
        };
        if there && let Some(rotation) = &self.rotation {
            point.resize(self.len(), 0.0);
            rotation.apply(point);
        }
        there
    }

    fn fill<E: Element>(&self, values: &[E], point: &mut Vec<f32>) -> bool {
        if values.len() != self.dims {
            return false;
        }
        if self.metric != Metric::Cosine {
            point.extend(values.iter().map(|x| x.to_f32()));
            return true;
        }
        let factor = 1.0 / norm(self.kernels, values);
        point.extend(values.iter().map(|x| (f64::from(x.to_f32()) * factor) as f32));
        factor.is_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_keep_distances() {
        let mut rng = fastrand::Rng::with_seed(1);
        for (metric, dims) in [(Metric::L2, 20), (Metric::Cosine, 33)] {
            let vectors: Vec<Vec<f32>> =
                (0..2).map(|_| (0..dims).map(|_| rng.f32() - 0.3).collect()).collect();
            let points = |seed| {
                let space = Space::new(metric, dims, seed);
                vectors.iter().map(move |vector| {
                    let mut point = Vec::new();
                    assert!(space.point(Value::F32(vector), &mut point) && point.len() == space.len());
                    point
                })
            };
            let apart = |points: Vec<Vec<f32>>| -> f32 {
                points[0].iter().zip(&points[1]).map(|(a, b)| (a - b) * (a - b)).sum()
            };
            let (plain, rotated) = (apart(points(None).collect()), apart(points(Some(7)).collect()));
            assert!((plain - rotated).abs() < 1e-5 * plain, "{plain} {rotated}");
        }
    }

    #[test]
    fn what_has_no_point() {
        let (mut point, space) = (Vec::new(), Space::new(Metric::Cosine, 2, None));
        assert!(!space.point(Value::F32(&[0.0, 0.0]), &mut point));
        assert!(!space.point(Value::F32(&[1.0]), &mut point));
        assert!(!space.point(Value::Bits(&[1]), &mut point));
        assert!(space.point(Value::F32(&[3.0, 4.0]), &mut point) && point == [0.6, 0.8]);
    }
}
