//! Dense vectors as slices: distances as SQL sees them, arithmetic, order.

use crate::{Error, Result, Scalar};
use half::f16;
use kite_kernels::{Dense, Element, Kernels};
use std::{cmp::Ordering, ops::Range};

/// 1 − cos(a, b), from the sums of one pass; NaN where a norm is zero or a sum overflows to NaN.
pub fn cosine_distance<E: Element>(kernels: &Dense<E>, a: &[E], b: &[E]) -> f64 {
    let sums = (kernels.cosine)(a, b);
    cosine_from_sums(sums.dot, sums.norm_a, sums.norm_b)
}

/// 1 − dot / √(|a|²·|b|²), kept within [0, 2]. One square root of the product loses less than the product of two.
pub(crate) fn cosine_from_sums(dot: f32, norm_a: f32, norm_b: f32) -> f64 {
    let similarity = f64::from(dot) / (f64::from(norm_a) * f64::from(norm_b)).sqrt();
    // NaN passes through `clamp`.
    1.0 - similarity.clamp(-1.0, 1.0)
}

/// Angle between unit vectors as a fraction of π: a metric on the sphere, as spherical k-means needs.
pub fn spherical_distance<E: Element>(kernels: &Dense<E>, a: &[E], b: &[E]) -> f64 {
    f64::from((kernels.dot)(a, b)).clamp(-1.0, 1.0).acos() / std::f64::consts::PI
}

/// Writes `a op b` for every pair of elements.
fn zip_into<E: Element>(a: &[E], b: &[E], out: &mut [E], op: impl Fn(f32, f32) -> f32) {
    for ((x, y), out) in a.iter().zip(b).zip(out) {
        *out = E::from_f32(op(x.to_f32(), y.to_f32()));
    }
}

fn check_overflow<E: Element>(result: &[E]) -> Result<()> {
    // Inputs are finite, so that anything else has overflowed. A fold without a branch is vectorised.
    let finite = result.iter().fold(true, |finite, x| finite & x.to_f32().is_finite());
    if finite { Ok(()) } else { Err(Error::Overflow) }
}

/// `a + b`, element by element, into `out` of the same length.
pub fn add<E: Element>(a: &[E], b: &[E], out: &mut [E]) -> Result<()> {
    zip_into(a, b, out, |x, y| x + y);
    check_overflow(out)
}

/// `a − b`, element by element, into `out` of the same length.
pub fn sub<E: Element>(a: &[E], b: &[E], out: &mut [E]) -> Result<()> {
    zip_into(a, b, out, |x, y| x - y);
    check_overflow(out)
}

/// `a · b`, element by element, into `out` of the same length. A product that vanishes is an error, as in Postgres.
pub fn mul<E: Element>(a: &[E], b: &[E], out: &mut [E]) -> Result<()> {
    zip_into(a, b, out, |x, y| x * y);
    for ((x, y), product) in a.iter().zip(b).zip(out.iter()) {
        let product = product.to_f32();
        if product.is_infinite() {
            return Err(Error::Overflow);
        }
        if product == 0.0 && x.to_f32() != 0.0 && y.to_f32() != 0.0 {
            return Err(Error::Underflow);
        }
    }
    Ok(())
}

/// `a / |a|` into `out` of the same length; a zero vector stays zero.
pub fn normalize<E: Element>(kernels: &Dense<E>, a: &[E], out: &mut [E]) -> Result<()> {
    let norm = (kernels.norm_squared)(a).sqrt();
    if norm > 0.0 {
        for (x, out) in a.iter().zip(out.iter_mut()) {
            *out = E::from_f32((f64::from(x.to_f32()) / norm) as f32);
        }
        check_overflow(out)?;
    } else {
        out.fill(E::default());
    }
    Ok(())
}

/// One bit per element, set where it is positive, first element in the highest bit; `out` has `a.len().div_ceil(8)` bytes.
pub fn binary_quantize<E: Element>(a: &[E], out: &mut [u8]) {
    for (eight, byte) in a.chunks(8).zip(out) {
        *byte = eight
            .iter()
            .enumerate()
            .fold(0, |bits, (place, x)| bits | u8::from(x.to_f32() > 0.0) << (7 - place));
    }
}

/// Places of the elements `start, …, start + count − 1` (counted from 1) that exist, as `substring` cuts a text.
pub fn subvector_range<E: Scalar>(dims: usize, start: i32, count: i32) -> Result<Range<usize>> {
    let end = (i64::from(start) + i64::from(count)).min(dims as i64 + 1);
    let start = i64::from(start).max(1);
    if count < 1 || start > dims as i64 || end <= start {
        return Err(Error::NoDimensions { kind: E::KIND.name });
    }
    Ok(start as usize - 1..end as usize - 1)
}

/// Lexicographic order of the elements, then by length, as Postgres orders arrays. Elements are never NaN.
pub fn compare<E: Element>(a: &[E], b: &[E]) -> Ordering {
    for (x, y) in a.iter().zip(b) {
        match x.to_f32().partial_cmp(&y.to_f32()) {
            Some(Ordering::Equal) | None => {}
            Some(order) => return order,
        }
    }
    a.len().cmp(&b.len())
}

/// Rounds single precision to the element type, or refuses what does not fit or is not finite.
pub fn narrow_into<E: Scalar>(values: impl Iterator<Item = f32>, out: &mut [E]) -> Result<()> {
    for (value, out) in values.zip(out) {
        let element = E::narrow(value)?;
        E::KIND.check_element(element.to_f32())?;
        *out = element;
    }
    Ok(())
}

/// Rounds a `vector` to a `halfvec`, or refuses an element that does not fit.
pub fn narrow(kernels: &Kernels, values: &[f32], out: &mut [f16]) -> Result<()> {
    (kernels.f32_to_f16)(values, out);
    // The values are finite, so that an infinity is one that did not fit: the slow way says which.
    if out.iter().fold(false, |infinite, x| infinite | x.is_infinite()) {
        narrow_into(values.iter().copied(), out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kite_kernels::kernels;

    fn halves(values: &[f32]) -> Vec<f16> {
        values.iter().map(|&value| f16::from_f32(value)).collect()
    }

    #[test]
    fn arithmetic_and_its_limits() {
        let mut out = [0.0f32; 2];
        add(&[1.0, 2.0], &[3.0, 4.0], &mut out).unwrap();
        assert_eq!(out, [4.0, 6.0]);
        sub(&[1.0, 2.0], &[3.0, 5.0], &mut out).unwrap();
        assert_eq!(out, [-2.0, -3.0]);
        mul(&[1.0, 2.0], &[0.0, 4.0], &mut out).unwrap();
        assert_eq!(out, [0.0, 8.0]);
        assert_eq!(add(&[3e38, 0.0], &[3e38, 0.0], &mut out), Err(Error::Overflow));
        assert_eq!(sub(&[-3e38, 0.0], &[3e38, 0.0], &mut out), Err(Error::Overflow));
        assert_eq!(mul(&[1e37, 0.0], &[1e37, 0.0], &mut out), Err(Error::Overflow));
        assert_eq!(mul(&[1e-37, 0.0], &[1e-37, 0.0], &mut out), Err(Error::Underflow));
        let mut out = [f16::ZERO; 1];
        assert_eq!(add(&halves(&[65504.0]), &halves(&[65504.0]), &mut out), Err(Error::Overflow));
        assert_eq!(mul(&halves(&[1e-7]), &halves(&[1e-7]), &mut out), Err(Error::Underflow));
    }

    #[test]
    fn narrowing_names_what_does_not_fit() {
        let mut out = [f16::ZERO; 3];
        narrow(kernels(), &[1.0, -65504.0, 1e-8], &mut out).unwrap();
        assert_eq!(out, [f16::ONE, f16::MIN, f16::ZERO]);
        let refused = Err(Error::OutOfRange { kind: "halfvec", text: "-65520".into() });
        assert_eq!(narrow(kernels(), &[1.0, -65520.0, 1e9], &mut out), refused);
    }

    #[test]
    fn normalizing() {
        let mut out = [0.0f32; 2];
        normalize(&kernels().f32, &[3.0, 4.0], &mut out).unwrap();
        assert_eq!(out, [0.6, 0.8]);
        normalize(&kernels().f32, &[3e38, 0.0], &mut out).unwrap();
        assert_eq!(out, [1.0, 0.0]);
        normalize(&kernels().f32, &[0.0, 0.0], &mut out).unwrap();
        assert_eq!(out, [0.0, 0.0]);
    }

    #[test]
    fn cosine_keeps_its_range() {
        let kernels = &kernels().f32;
        assert_eq!(cosine_distance(kernels, &[1.0, 1.0], &[1.1, 1.1]), 0.0);
        assert_eq!(cosine_distance(kernels, &[1.0, 0.0], &[-2.0, 0.0]), 2.0);
        assert!(cosine_distance(kernels, &[1.0, 0.0], &[0.0, 0.0]).is_nan());
        assert_eq!(spherical_distance(kernels, &[1.0, 0.0], &[0.0, 1.0]), 0.5);
        assert_eq!(spherical_distance(kernels, &[2.0], &[2.0]), 0.0);
    }

    #[test]
    fn quantizing() {
        let mut bits = [0u8; 2];
        binary_quantize(&[1.0f32, -1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 3.0, 1.0], &mut bits);
        assert_eq!(bits, [0b1001_0001, 0b1000_0000]);
    }

    #[test]
    fn subvectors_are_cut_like_substrings() {
        let range = subvector_range::<f32>;
        assert_eq!(range(5, 1, 3), Ok(0..3));
        assert_eq!(range(5, 4, 10), Ok(3..5));
        assert_eq!(range(5, -1, 4), Ok(0..2));
        assert_eq!(range(5, 5, i32::MAX), Ok(4..5));
        for (start, count) in [(1, 0), (1, -1), (6, 1), (-1, 2), (i32::MIN, i32::MAX), (i32::MAX, i32::MAX)] {
            assert_eq!(
                range(5, start, count),
                Err(Error::NoDimensions { kind: "vector" }),
                "{start} {count}"
            );
        }
    }

    #[test]
    fn order() {
        assert_eq!(compare(&[1.0f32, 2.0], &[1.0, 3.0]), Ordering::Less);
        assert_eq!(compare(&[1.0f32, 2.0], &[1.0]), Ordering::Greater);
        assert_eq!(compare(&[2.0f32], &[1.0, 9.0]), Ordering::Greater);
        assert_eq!(compare(&[0.0f32], &[-0.0]), Ordering::Equal);
    }
}
