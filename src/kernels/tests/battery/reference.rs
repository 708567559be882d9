//! The definitions, as plainly as they can be written, and how far a sum in `f32` may be from them.

use kite_kernels::{CosineSums, Dense, Element, Overlap};

/// A sum of terms, and the sum of their magnitudes, which scales the error.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Exact {
    pub(crate) sum: f64,
    pub(crate) magnitude: f64,
    pub(crate) terms: usize,
}

impl Exact {
    fn of(terms: impl Iterator<Item = f64>) -> Self {
        terms.fold(Self::default(), |exact, term| Self {
            sum: exact.sum + term,
            magnitude: exact.magnitude + term.abs(),
            terms: exact.terms + 1,
        })
    }

    /// Summation in any order, of terms with `roundings` roundings each, errs by at most γ·Σ|term|, where γ = k·u/(1 − k·u),
    /// k = n + roundings and u = 2⁻²⁴ (Higham, Accuracy and Stability, 3.1 and 4.2). A product may in addition be subnormal
    /// and lose up to 2⁻¹⁵⁰.
    pub(crate) fn bound(self, roundings: usize) -> f64 {
        let k = (self.terms + roundings) as f64 * 2f64.powi(-24);
        k / (1.0 - k) * self.magnitude + self.terms as f64 * 2f64.powi(-150)
    }
}

pub(crate) struct Expected {
    pub(crate) l2_squared: Exact,
    pub(crate) dot: Exact,
    pub(crate) l1: Exact,
    pub(crate) norm_a: Exact,
    pub(crate) norm_b: Exact,
}

pub(crate) fn expected<E: Element>(a: &[E], b: &[E]) -> Expected {
    let pairs = || a.iter().zip(b).map(|(a, b)| (f64::from(a.to_f32()), f64::from(b.to_f32())));
    Expected {
        l2_squared: Exact::of(pairs().map(|(a, b)| (a - b) * (a - b))),
        dot: Exact::of(pairs().map(|(a, b)| a * b)),
        l1: Exact::of(pairs().map(|(a, b)| (a - b).abs())),
        norm_a: Exact::of(pairs().map(|(a, _)| a * a)),
        norm_b: Exact::of(pairs().map(|(_, b)| b * b)),
    }
}

/// Checks all kernels over floats of one set: bit for bit if `exact`, else within the bound.
pub(crate) fn check<E: Element>(kernels: &Dense<E>, a: &[E], b: &[E], exact: bool) {
    let expected = expected(a, b);
    let CosineSums { dot, norm_a, norm_b } = (kernels.cosine)(a, b);
    // The difference is rounded once and squared, which counts twice; then the square is rounded.
    for (what, found, expected, roundings) in [
        ("l2²", (kernels.l2_squared)(a, b), expected.l2_squared, 3),
        ("dot", (kernels.dot)(a, b), expected.dot, 1),
        ("l1", (kernels.l1)(a, b), expected.l1, 1),
        ("cosine.dot", dot, expected.dot, 1),
        ("cosine.norm_a", norm_a, expected.norm_a, 1),
        ("cosine.norm_b", norm_b, expected.norm_b, 1),
    ] {
        let error = (f64::from(found) - expected.sum).abs();
        let bound = if exact { 0.0 } else { expected.bound(roundings) };
        assert!(error <= bound, "{what} of {}: {found}, not {expected:?}; {error:e} > {bound:e}", a.len());
    }
    let (norm, expected) = ((kernels.norm_squared)(a), expected.norm_a);
    // Squares of f32 are exact in f64; so is their sum, up to n roundings on either side.
    let bound = if exact { 0.0 } else { expected.terms as f64 * 2f64.powi(-52) * expected.sum };
    assert!((norm - expected.sum).abs() <= bound, "norm² of {}: {norm}, not {expected:?}", a.len());
}

pub(crate) fn hamming(a: &[u8], b: &[u8]) -> u64 {
    a.iter().zip(b).map(|(a, b)| u64::from((a ^ b).count_ones())).sum()
}

pub(crate) fn overlap(a: &[u8], b: &[u8]) -> Overlap {
    let count = |of: fn(u8, u8) -> u8| a.iter().zip(b).map(|(a, b)| u64::from(of(*a, *b).count_ones())).sum();
    Overlap { and: count(|a, b| a & b), or: count(|a, b| a | b) }
}
