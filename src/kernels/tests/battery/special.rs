//! Infinities, NaN, the ends of the range, signed zeros, and slices that do not fit together.

use crate::every_set;
use kite_kernels::{Dense, Element, Kernels, f16};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The lengths that reach every path of the loop: rest only, single vectors, fours, and all of them.
const LENGTHS: [usize; 12] = [1, 3, 7, 8, 15, 16, 17, 33, 64, 100, 128, 131];

fn both_types(test32: impl Fn(&Dense<f32>), test16: impl Fn(&Dense<f16>)) {
    every_set(|set| {
        test32(&set.f32);
        test16(&set.f16);
    });
}

fn nan_spreads<E: Element>(kernels: &Dense<E>) {
    for length in LENGTHS {
        for place in 0..length {
            let ones = vec![E::from_f32(1.0); length];
            let mut nan = ones.clone();
            nan[place] = E::from_f32(f32::NAN);
            for (a, b) in [(&nan, &ones), (&ones, &nan)] {
                assert!((kernels.l2_squared)(a, b).is_nan());
                assert!((kernels.dot)(a, b).is_nan());
                assert!((kernels.l1)(a, b).is_nan());
                assert!((kernels.cosine)(a, b).dot.is_nan());
            }
            assert!((kernels.cosine)(&nan, &ones).norm_a.is_nan());
            assert!((kernels.cosine)(&ones, &nan).norm_b.is_nan());
            let other = (kernels.cosine)(&nan, &ones).norm_b;
            assert_eq!(other, length as f32);
            assert!((kernels.norm_squared)(&nan).is_nan());
        }
    }
}

#[test]
fn nan() {
    both_types(nan_spreads, nan_spreads);
}

fn infinity_spreads<E: Element>(kernels: &Dense<E>) {
    let inf = f32::INFINITY;
    for length in LENGTHS {
        for place in 0..length {
            let ones = vec![E::from_f32(1.0); length];
            let mut infinite = ones.clone();
            infinite[place] = E::from_f32(inf);
            let mut negative = ones.clone();
            negative[place] = E::from_f32(-inf);
            let mut zero = ones.clone();
            zero[place] = E::from_f32(0.0);

            assert_eq!((kernels.l2_squared)(&infinite, &ones), inf);
            assert_eq!((kernels.l2_squared)(&infinite, &negative), inf);
            assert!((kernels.l2_squared)(&infinite, &infinite).is_nan());
            assert_eq!((kernels.l1)(&negative, &ones), inf);
            assert!((kernels.l1)(&negative, &negative).is_nan());
            assert_eq!((kernels.dot)(&infinite, &ones), inf);
            assert_eq!((kernels.dot)(&negative, &ones), -inf);
            assert!((kernels.dot)(&infinite, &zero).is_nan());
            assert_eq!((kernels.cosine)(&negative, &ones).dot, -inf);
            assert_eq!((kernels.cosine)(&negative, &ones).norm_a, inf);
            assert_eq!((kernels.norm_squared)(&negative), f64::INFINITY);
        }
    }
}

#[test]
fn infinity() {
    both_types(infinity_spreads, infinity_spreads);
}

#[test]
fn overflow_is_infinite() {
    every_set(|set| {
        for length in LENGTHS {
            let (top, bottom) = (vec![f32::MAX; length], vec![f32::MIN; length]);
            assert_eq!((set.f32.l2_squared)(&top, &bottom), f32::INFINITY);
            assert_eq!((set.f32.l1)(&top, &bottom), f32::INFINITY);
            assert_eq!((set.f32.dot)(&top, &top), f32::INFINITY);
            assert_eq!((set.f32.dot)(&top, &bottom), f32::NEG_INFINITY);
            assert_eq!((set.f32.cosine)(&top, &bottom).norm_b, f32::INFINITY);
            // Not so in f64.
            let exact = length as f64 * f64::from(f32::MAX).powi(2);
            assert!(((set.f32.norm_squared)(&top) / exact - 1.0).abs() <= length as f64 * f64::EPSILON);
        }
    });
}

/// The whole range of f16 fits f32.
#[test]
fn extreme_halves() {
    every_set(|set| {
        for length in LENGTHS {
            let (top, bottom) = (vec![f16::MAX; length], vec![f16::MIN; length]);
            crate::reference::check(&set.f16, &top, &bottom, false);
            let tiny = vec![f16::MIN_POSITIVE_SUBNORMAL; length];
            // 2⁻⁴⁸ times a small number: exact.
            crate::reference::check(&set.f16, &tiny, &vec![f16::ZERO; length], true);
        }
    });
}

/// Subnormal numbers are not taken for zero, neither on the way in nor on the way out.
#[test]
fn subnormals_survive() {
    every_set(|set| {
        for length in LENGTHS {
            let tiny = vec![f32::from_bits(1); length];
            let zero = vec![0.0; length];
            assert_eq!((set.f32.l1)(&tiny, &zero), f32::from_bits(length as u32));
            assert_eq!((set.f32.dot)(&tiny, &vec![4.0; length]), f32::from_bits(4 * length as u32));
            assert_eq!((set.f32.norm_squared)(&tiny), length as f64 * 2f64.powi(-298));
        }
    });
}

/// Zero is answered as +0: text output shows the sign.
#[test]
fn zero_is_positive() {
    fn run<E: Element>(kernels: &Dense<E>) {
        for length in [0].into_iter().chain(LENGTHS) {
            let (plus, minus) = (vec![E::from_f32(0.0); length], vec![E::from_f32(-0.0); length]);
            for (a, b) in [(&plus, &minus), (&minus, &plus), (&minus, &minus), (&plus, &plus)] {
                let cosine = (kernels.cosine)(a, b);
                for found in [(kernels.l2_squared)(a, b), (kernels.l1)(a, b), cosine.norm_a, cosine.norm_b] {
                    assert_eq!(found.to_bits(), 0);
                }
                assert_eq!((kernels.dot)(a, b).to_bits(), 0);
                assert_eq!(cosine.dot.to_bits(), 0);
                assert_eq!((kernels.norm_squared)(a).to_bits(), 0);
            }
        }
    }
    both_types(run, run);
}

fn refuses(call: impl Fn()) {
    let panic = catch_unwind(AssertUnwindSafe(call)).expect_err("unequal lengths must panic");
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(message.contains("equal length"), "{message}");
}

#[test]
fn unequal_lengths_panic() {
    fn run<E: Element>(kernels: &Dense<E>) {
        let all = [E::from_f32(1.0); 70];
        for (a, b) in [(0, 1), (1, 0), (16, 17), (64, 63), (70, 6)] {
            let (a, b) = (&all[..a], &all[..b]);
            refuses(|| _ = (kernels.l2_squared)(a, b));
            refuses(|| _ = (kernels.dot)(a, b));
            refuses(|| _ = (kernels.l1)(a, b));
            refuses(|| _ = (kernels.cosine)(a, b));
        }
    }
    fn others(set: &'static Kernels) {
        for (a, b) in [(0, 1), (1, 0), (64, 65), (128, 63)] {
            refuses(|| _ = (set.i8.dot)(&[1; 128][..a], &[1; 128][..b]));
            refuses(|| _ = (set.i8.l2_squared)(&[1; 128][..a], &[1; 128][..b]));
            let (a, b) = (&[1u8; 128][..a], &[1u8; 128][..b]);
            refuses(|| _ = (set.u8.dot)(a, b));
            refuses(|| _ = (set.u8.dots)(a, [a, a, b, a]));
            refuses(|| _ = (set.u8.l2_squared)(a, b));
            refuses(|| _ = (set.bits.hamming)(a, b));
            refuses(|| _ = (set.bits.overlap)(a, b));
            refuses(|| _ = (set.bits.and_popcount)(a, b));
            let (a, b) = (a.len(), b.len());
            refuses(|| (set.f16_to_f32)(&vec![f16::ONE; a], &mut vec![0.0; b]));
            refuses(|| (set.f32_to_f16)(&vec![1.0; a], &mut vec![f16::ZERO; b]));
        }
    }
    every_set(|set| {
        run(&set.f32);
        run(&set.f16);
        others(set);
    });
}
