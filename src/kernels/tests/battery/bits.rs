//! Counts of bits, at any length in bytes.

use crate::reference::{hamming, overlap};
use crate::{LONGEST_START, Noise, STARTS, every_set, lengths};
use kite_kernels::Kernels;
use proptest::prelude::*;

fn check(set: &'static Kernels, a: &[u8], b: &[u8]) {
    assert_eq!((set.bits.hamming)(a, b), hamming(a, b), "hamming of {} bytes", a.len());
    assert_eq!((set.bits.overlap)(a, b), overlap(a, b), "overlap of {} bytes", a.len());
    assert_eq!((set.bits.and_popcount)(a, b), overlap(a, b).and, "and of {} bytes", a.len());
}

#[test]
fn every_length_and_start() {
    every_set(|set| {
        let mut noise = Noise(4);
        for length in lengths() {
            let (a, b) = (noise.bytes(length + LONGEST_START), noise.bytes(length + LONGEST_START));
            for (i, j) in STARTS {
                check(set, &a[i..i + length], &b[j..j + length]);
            }
        }
    });
}

#[test]
fn all_and_none() {
    every_set(|set| {
        for length in lengths() {
            let (all, none) = (vec![0xff; length], vec![0; length]);
            check(set, &all, &none);
            check(set, &all, &all);
            check(set, &none, &none);
        }
    });
}

/// One bit set, at every place.
#[test]
fn every_bit_counts() {
    every_set(|set| {
        for length in [1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 130, 257] {
            let (mut a, b) = (vec![0; length], vec![0xff; length]);
            for bit in 0..8 * length {
                a[bit / 8] = 1 << (bit % 8);
                check(set, &a, &b);
                a[bit / 8] = 0;
            }
        }
    });
}

proptest! {
    #[test]
    fn any_bits(pairs in prop::collection::vec(any::<(u8, u8)>(), 0..600)) {
        let (a, b): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        every_set(|set| check(set, &a, &b));
    }
}
