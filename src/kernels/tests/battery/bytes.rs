//! Sums over bytes, which are exact.

use crate::{LONGEST_START, Noise, STARTS, every_set, lengths};
use kite_kernels::Kernels;
use proptest::prelude::*;

fn check(set: &'static Kernels, a: &[u8], b: &[u8]) {
    let sum = |of: &dyn Fn(i64, i64) -> i64, widen: fn(u8) -> i64| -> i64 {
        a.iter().zip(b).map(|(a, b)| of(widen(*a), widen(*b))).sum()
    };
    let (dot, l2) = (|a, b| a * b, |a: i64, b: i64| (a - b).pow(2));
    let length = a.len();
    assert_eq!(i64::from((set.u8.dot)(a, b)), sum(&dot, i64::from), "u8 dot of {length}");
    assert_eq!(i64::from((set.u8.l2_squared)(a, b)), sum(&l2, i64::from), "u8 l2² of {length}");
    let dots = [(set.u8.dot)(a, b), (set.u8.dot)(a, a), (set.u8.dot)(a, b), (set.u8.dot)(a, a)];
    assert_eq!((set.u8.dots)(a, [b, a, b, a]), dots, "u8 dots of {length}");
    let signed = |x: u8| i64::from(x.cast_signed());
    let (a8, b8): (Vec<i8>, Vec<i8>) =
        a.iter().zip(b).map(|(a, b)| (a.cast_signed(), b.cast_signed())).unzip();
    assert_eq!(i64::from((set.i8.dot)(&a8, &b8)), sum(&dot, signed), "i8 dot of {length}");
    let dots = [(set.i8.dot)(&a8, &b8), (set.i8.dot)(&a8, &a8)];
    assert_eq!(
        (set.i8.dots)(&a8, [&b8, &a8, &a8, &b8]),
        [dots[0], dots[1], dots[1], dots[0]],
        "i8 dots of {length}"
    );
    assert_eq!(i64::from((set.i8.l2_squared)(&a8, &b8)), sum(&l2, signed), "i8 l2² of {length}");
}

#[test]
fn every_length_and_start() {
    every_set(|set| {
        let mut noise = Noise(3);
        for length in lengths() {
            let (a, b) = (noise.bytes(length + LONGEST_START), noise.bytes(length + LONGEST_START));
            for (i, j) in STARTS {
                check(set, &a[i..i + length], &b[j..j + length]);
            }
        }
    });
}

/// The longest slices for which the largest u8 sum, 255² each, still fits 32 bits.
#[test]
fn the_largest_sums_fit() {
    const LONGEST: usize = 66_051;
    every_set(|set| {
        for length in [64, 33_000, LONGEST] {
            for (a, b) in [(0, 255), (255, 255), (0x80, 0x80), (0x80, 0x7f), (0x7f, 0x7f), (0, 0)] {
                check(set, &vec![a; length], &vec![b; length]);
            }
        }
    });
}

/// Every pair of bytes.
#[test]
fn every_product() {
    every_set(|set| {
        for a in 0..=255 {
            for b in 0..=255 {
                check(set, &[a], &[b]);
            }
        }
    });
}

proptest! {
    #[test]
    fn any_bytes(pairs in prop::collection::vec(any::<(u8, u8)>(), 0..400)) {
        let (a, b): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        every_set(|set| check(set, &a, &b));
    }
}
