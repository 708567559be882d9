//! The Hadamard transform, the range of elements, and rounding to bytes: the same on every set, to the last bit.

use crate::{LONGEST_START, Noise, STARTS, every_set, lengths};
use kite_kernels::{Quantised, Steps};
use proptest::prelude::*;
use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Row `n` of the matrix has the sign (−1)^(bits that n and i share).
#[test]
fn the_transform_is_its_matrix() {
    every_set(|set| {
        let mut noise = Noise(8);
        for len in (0..11).map(|power| 1usize << power) {
            // Whole numbers times a power of two: exact, but for the scale at odd powers.
            let values = noise.small_integers(len);
            let mut transformed = values.clone();
            (set.hadamard)(&mut transformed);
            for (n, found) in transformed.iter().enumerate() {
                let sign = |i: usize| if (n & i).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
                let sum: f64 = values.iter().enumerate().map(|(i, &x)| sign(i) * f64::from(x)).sum();
                let exact = sum / (len as f64).sqrt();
                assert!((exact - f64::from(*found)).abs() <= 1e-5 * (len as f64).sqrt(), "{n} of {len}");
            }
        }
        for len in [0, 3, 12, 384] {
            let mut values = vec![1.0; len];
            assert!(catch_unwind(AssertUnwindSafe(|| (set.hadamard)(&mut values))).is_err(), "{len}");
        }
    });
}

#[test]
fn sets_agree_on_transforms() {
    let plain = kite_kernels::available()[0];
    every_set(|set| {
        let mut noise = Noise(9);
        for len in (0..15).map(|power| 1usize << power) {
            let values = noise.unit(len + LONGEST_START);
            for (start, _) in STARTS {
                let (mut a, mut b) = (values.clone(), values.clone());
                (set.hadamard)(&mut a[start..start + len]);
                (plain.hadamard)(&mut b[start..start + len]);
                assert_eq!(a, b);
            }
        }
    });
}

/// One element after the other.
fn reference(values: &[f32], steps: &Steps) -> (Vec<u8>, Quantised) {
    let (offset, step) = (f64::from(steps.offset), f64::from(steps.step));
    let (mut codes, mut all) = (Vec::new(), Quantised::default());
    for &x in values {
        let x = f64::from(x) * steps.factor;
        let code = ((x - offset) * steps.inverse + 0.5) as u8;
        codes.push(code);
        all.sum += u32::from(code);
        all.squares += u32::from(code) * u32::from(code);
        all.residual += (x - (offset + step * f64::from(code))).powi(2);
        all.magnitudes += (x - f64::from(steps.offset + steps.step * f32::from(code))).abs();
    }
    (codes, all)
}

fn check(values: &[f32], steps: &Steps) {
    let (codes, sums) = reference(values, steps);
    let first = OnceCell::new();
    every_set(|set| {
        let mut found = vec![9; values.len()];
        let all = (set.quantise)(values, steps, &mut found);
        assert_eq!(found, codes);
        assert_eq!((all.sum, all.squares), (sums.sum, sums.squares));
        let near = |a: f64, b: f64| a == b || (a - b).abs() <= 1e-12 * b || a.is_nan() && b.is_nan();
        assert!(
            near(all.residual, sums.residual) && near(all.magnitudes, sums.magnitudes),
            "{all:?} {sums:?}"
        );
        let bits = (all.residual.to_bits(), all.magnitudes.to_bits());
        assert!(all.residual.is_nan() || *first.get_or_init(|| bits) == bits, "another order of summation");
        let least = values.iter().copied().fold(f32::INFINITY, f32::min);
        let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert_eq!((set.range)(values), (least, most));
    });
}

fn steps(factor: f64, offset: f32, step: f32) -> Steps {
    Steps { factor, offset, step, inverse: if step > 0.0 { 1.0 / f64::from(step) } else { 0.0 } }
}

#[test]
fn bytes_at_every_length() {
    let mut noise = Noise(10);
    for length in lengths() {
        let values = noise.unit(length + LONGEST_START);
        for (start, _) in STARTS {
            check(&values[start..start + length], &steps(1.3, -1.3, 2.6 / 255.0));
        }
    }
}

/// Halves between two codes, both ends, and what lies beyond them.
#[test]
fn ties_and_ends() {
    let halves: Vec<f32> = (-20..560).map(|n| n as f32 / 2.0).collect();
    check(&halves, &steps(1.0, 0.0, 1.0));
    check(&halves, &steps(1.0, 0.0, 0.0));
    check(
        &[f32::MAX, f32::MIN, 0.0, f32::from_bits(1), f32::INFINITY, f32::NEG_INFINITY],
        &steps(1.0, -1.0, 1e-3),
    );
    check(&[1.0, f32::NAN, 3.0], &steps(1.0, 0.0, 1.0));
    check(&[0.49999997, 0.5, 1.4999999, 2.5, 254.49998, 254.5, 255.5], &steps(1.0, 0.0, 1.0));
}

proptest! {
    #[test]
    fn values_of_any_size(
        values in prop::collection::vec((-1.0f32..1.0, -140i32..52), 0..300),
        factor in 1e-3f64..1e3,
    ) {
        let values: Vec<f32> =
            values.iter().map(|&(x, exponent)| (f64::from(x) * 2f64.powi(exponent)) as f32).collect();
        let least = values.iter().copied().fold(f32::INFINITY, f32::min).min(0.0);
        let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max).max(0.0);
        let offset = (f64::from(least) * factor) as f32;
        let step = ((f64::from(most) * factor - f64::from(offset)).max(0.0) / 255.0) as f32;
        check(&values, &steps(factor, offset, step));
    }
}
