//! Element types and metrics: their SQL names, and their exact values computed here.

use clap::ValueEnum;
use half::f16;
use pgvector::{HalfVector, Vector};
use postgres::types::ToSql;
use serde::Serialize;

/// The type of a vector column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Element {
    /// Single precision.
    Vector,
    /// Half precision.
    Halfvec,
}

impl Element {
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Vector => "vector",
            Self::Halfvec => "halfvec",
        }
    }

    /// Bytes of a stored value, its varlena header of 4 included.
    pub(crate) fn bytes(self, dims: usize) -> usize {
        let element = match self {
            Self::Vector => size_of::<f32>(),
            Self::Halfvec => size_of::<f16>(),
        };
        8 + dims * element
    }

    /// The value as a parameter in binary.
    pub(crate) fn bind(self, values: &[f32]) -> Box<dyn ToSql + Sync> {
        match self {
            Self::Vector => Box::new(Vector::from(values.to_vec())),
            Self::Halfvec => Box::new(HalfVector::from_f32_slice(values)),
        }
    }

    /// What the column holds of these numbers.
    pub(crate) fn stored(self, values: &[f32]) -> Vec<f64> {
        let round = |&value: &f32| match self {
            Self::Vector => f64::from(value),
            Self::Halfvec => f16::from_f32(value).to_f64(),
        };
        values.iter().map(round).collect()
    }
}

/// What is small for near vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
pub(crate) enum Metric {
    /// Euclidean distance.
    #[serde(rename = "<->")]
    L2,
    /// Negative inner product.
    #[serde(rename = "<#>")]
    Ip,
    /// Cosine distance.
    #[serde(rename = "<=>")]
    Cosine,
    /// Taxicab distance.
    #[serde(rename = "<+>")]
    L1,
}

impl Metric {
    pub(crate) fn operator(self) -> &'static str {
        match self {
            Self::L2 => "<->",
            Self::Ip => "<#>",
            Self::Cosine => "<=>",
            Self::L1 => "<+>",
        }
    }

    /// The operator's value in double precision.
    pub(crate) fn exact(self, a: &[f64], b: &[f64]) -> f64 {
        let dot = |a, b| sum(a, b, |a, b| a * b);
        match self {
            Self::L2 => sum(a, b, |a, b| (a - b) * (a - b)).sqrt(),
            Self::Ip => -dot(a, b),
            Self::Cosine => 1.0 - dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt()),
            Self::L1 => sum(a, b, |a, b| (a - b).abs()),
        }
    }
}

/// Sums the terms of all pairs, in lanes that a compiler may turn into vectors.
fn sum(a: &[f64], b: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut lanes = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        lanes.iter_mut().zip(a.iter().zip(b)).for_each(|(lane, (&a, &b))| *lane += term(a, b));
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&a, &b)| term(a, b)).sum();
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_by_hand() {
        let (a, b) = ([3.0, 0.0], [0.0, 4.0]);
        let values = [Metric::L2, Metric::Ip, Metric::Cosine, Metric::L1].map(|metric| metric.exact(&a, &b));
        assert_eq!(values, [5.0, 0.0, 1.0, 7.0]);
        assert_eq!(Metric::Ip.exact(&[1.0, 2.0], &[3.0, 4.0]), -11.0);
        let (long, one) = ((1..=19).map(f64::from).collect::<Vec<_>>(), [1.0; 19]);
        assert_eq!([Metric::Ip.exact(&long, &one), Metric::L1.exact(&long, &one)], [-190.0, 171.0]);
        assert_eq!(Metric::Cosine.exact(&[1.0, 1.0], &[-2.0, -2.0]).round(), 2.0);
    }

    #[test]
    fn sizes_and_rounding() {
        assert_eq!((Element::Vector.bytes(768), Element::Halfvec.bytes(384)), (3080, 776));
        assert_eq!(Element::Vector.stored(&[0.1]), [f64::from(0.1_f32)]);
        assert_eq!(Element::Halfvec.stored(&[1.0 + f32::EPSILON]), [1.0]);
    }
}
