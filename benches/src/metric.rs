//! Element types and metrics: their SQL names, and their exact values computed here.

use crate::table::{Shape, Storage};
use clap::ValueEnum;
use half::f16;
use pgvector::{Bit, HalfVector, SparseVector, Vector};
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
    /// Bits, which are the numbers 0 and 1 here.
    Bit,
    /// Single precision, with few elements that are not zero.
    Sparsevec,
}

impl Element {
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Vector => "vector",
            Self::Halfvec => "halfvec",
            Self::Bit => "bit",
            Self::Sparsevec => "sparsevec",
        }
    }

    /// The metrics that its columns can be searched by, the usual one first.
    pub(crate) fn metrics(self) -> &'static [Metric] {
        match self {
            Self::Vector | Self::Halfvec | Self::Sparsevec => {
                &[Metric::Cosine, Metric::L2, Metric::Ip, Metric::L1]
            }
            Self::Bit => &[Metric::Hamming, Metric::Jaccard],
        }
    }

    /// Bytes of a stored value, its varlena header of 4 included; none where they depend on the value.
    pub(crate) fn bytes(self, dims: usize) -> Option<usize> {
        let elements = match self {
            Self::Vector => dims * size_of::<f32>(),
            Self::Halfvec => dims * size_of::<f16>(),
            Self::Bit => dims.div_ceil(8),
            Self::Sparsevec => return None,
        };
        Some(8 + elements)
    }

    /// The value as a parameter in binary.
    pub(crate) fn bind(self, values: &[f32]) -> Box<dyn ToSql + Sync> {
        match self {
            Self::Vector => Box::new(Vector::from(values.to_vec())),
            Self::Halfvec => Box::new(HalfVector::from_f32_slice(values)),
            Self::Bit => Box::new(Bit::new(&values.iter().map(|&x| x > 0.0).collect::<Vec<_>>())),
            Self::Sparsevec => Box::new(SparseVector::from_dense(values)),
        }
    }

    /// Makes the numbers what the column holds of them: of bits, whether a number is positive.
    pub(crate) fn round(self, values: &mut [f32]) {
        match self {
            Self::Vector | Self::Sparsevec => {}
            Self::Halfvec => values.iter_mut().for_each(|x| *x = f16::from_f32(*x).to_f32()),
            Self::Bit => values.iter_mut().for_each(|x| *x = f32::from(u8::from(*x > 0.0))),
        }
    }

    /// What the column holds of these numbers.
    pub(crate) fn stored(self, values: &[f32]) -> Vec<f64> {
        let mut values = values.to_vec();
        self.round(&mut values);
        values.into_iter().map(f64::from).collect()
    }
}

/// A column of vectors, and what it is searched by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) element: Element,
    pub(crate) dims: usize,
    pub(crate) metric: Metric,
}

impl Column {
    /// Its type, such as `vector(384)`.
    pub(crate) fn sql(self) -> String {
        format!("{}({})", self.element.sql(), self.dims)
    }

    /// Its values where they are to lie.
    pub(crate) fn stored(self, storage: Storage) -> Shape {
        Shape { element: self.element, dims: self.dims, storage }
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
    /// Bits that differ.
    #[serde(rename = "<~>")]
    Hamming,
    /// One minus the share that both have of the bits that either has.
    #[serde(rename = "<%>")]
    Jaccard,
}

impl Metric {
    pub(crate) fn operator(self) -> &'static str {
        match self {
            Self::L2 => "<->",
            Self::Ip => "<#>",
            Self::Cosine => "<=>",
            Self::L1 => "<+>",
            Self::Hamming => "<~>",
            Self::Jaccard => "<%>",
        }
    }

    /// The operator's value in double precision.
    pub(crate) fn exact(self, a: &[f64], b: &[f64]) -> f64 {
        let dot = |a, b| sum(a, b, |a, b| a * b);
        match self {
            Self::L2 => sum(a, b, |a, b| (a - b) * (a - b)).sqrt(),
            Self::Ip => -dot(a, b),
            Self::Cosine => 1.0 - dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt()),
            Self::L1 | Self::Hamming => sum(a, b, |a, b| (a - b).abs()),
            Self::Jaccard => match dot(a, b) {
                0.0 => 1.0,
                both => 1.0 - both / (dot(a, a) + dot(b, b) - both),
            },
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
    fn bits_by_hand() {
        let (a, b) = ([1.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 1.0]);
        assert_eq!([Metric::Hamming, Metric::Jaccard].map(|metric| metric.exact(&a, &b)), [2.0, 0.5]);
        // Without a bit in common, and without any bit at all.
        assert_eq!(Metric::Jaccard.exact(&[1.0, 0.0], &[0.0, 1.0]), 1.0);
        assert_eq!(Metric::Jaccard.exact(&[0.0], &[0.0]), 1.0);
    }

    #[test]
    fn sizes_and_rounding() {
        let bytes = [(Element::Vector, 768), (Element::Halfvec, 384), (Element::Bit, 1025)];
        assert_eq!(bytes.map(|(element, dims)| element.bytes(dims)), [Some(3080), Some(776), Some(137)]);
        assert_eq!(Element::Sparsevec.bytes(9), None);
        assert_eq!(Element::Vector.stored(&[0.1]), [f64::from(0.1_f32)]);
        assert_eq!(Element::Halfvec.stored(&[1.0 + f32::EPSILON]), [1.0]);
        assert_eq!(Element::Bit.stored(&[0.1, -3.0, 0.0, 7.0]), [1.0, 0.0, 0.0, 1.0]);
        assert_eq!(Element::Sparsevec.stored(&[0.0, 0.5]), [0.0, 0.5]);
    }

    #[test]
    fn columns_have_types() {
        let column = Column { element: Element::Bit, dims: 1024, metric: Metric::Hamming };
        assert_eq!(column.sql(), "bit(1024)");
    }
}
