//! Sums over floats.

use crate::reference::check;
use crate::{LONGEST_START, Noise, STARTS, every_set, lengths};
use kite_kernels::{Element, Kernels};
use proptest::prelude::*;

fn vector<E: Element>(values: &[f32]) -> Vec<E> {
    values.iter().map(|value| E::from_f32(*value)).collect()
}

fn sweep<E: Element>(set: &'static Kernels, mut values: impl FnMut(usize) -> Vec<f32>, exact: bool) {
    for length in lengths() {
        let (a, b) =
            (vector::<E>(&values(length + LONGEST_START)), vector::<E>(&values(length + LONGEST_START)));
        for (i, j) in STARTS {
            check(E::of(set), &a[i..i + length], &b[j..j + length], exact);
        }
    }
}

/// Sums of small whole numbers stay below 2²⁴, where every order of summation is exact: one element left out, taken twice or
/// paired with the wrong neighbour shows, whatever the length.
#[test]
fn whole_numbers_are_exact() {
    every_set(|set| {
        let mut noise = Noise(1);
        sweep::<f32>(set, |length| noise.small_integers(length), true);
        sweep::<kite_kernels::f16>(set, |length| noise.small_integers(length), true);
    });
}

/// One element differs from zero, at every place.
#[test]
fn every_place_counts() {
    fn run<E: Element>(set: &'static Kernels) {
        for length in 1..=132 {
            let mut a = vec![E::default(); length];
            for place in 0..length {
                a[place] = E::from_f32(place as f32 + 1.0);
                let b = vec![E::from_f32(2.0); length];
                check(E::of(set), &a, &b, true);
                check(E::of(set), &b, &a, true);
                a[place] = E::default();
            }
        }
    }
    every_set(|set| {
        run::<f32>(set);
        run::<kite_kernels::f16>(set);
    });
}

#[test]
fn fractions_are_within_the_bound() {
    every_set(|set| {
        let mut noise = Noise(2);
        sweep::<f32>(set, |length| noise.unit(length), false);
        sweep::<kite_kernels::f16>(set, |length| noise.unit(length), false);
    });
}

/// Values of up to ±3·10¹⁵ and down to 0, of very different size.
fn any_size() -> impl Strategy<Value = f32> {
    (-1.0f32..1.0, -140i32..52)
        .prop_map(|(mantissa, exponent)| (f64::from(mantissa) * 2f64.powi(exponent)) as f32)
}

proptest! {
    #[test]
    fn any_f32(pairs in prop::collection::vec((any_size(), any_size()), 0..300)) {
        let (a, b): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        every_set(|set| check(&set.f32, &a, &b, false));
    }

    #[test]
    fn any_finite_f16(pairs in prop::collection::vec((0u16..0x7c00, 0u16..0x7c00, 0u16..4), 0..300)) {
        let half = |bits: u16, negative: bool| kite_kernels::f16::from_bits(bits | u16::from(negative) << 15);
        let (a, b): (Vec<_>, Vec<_>) =
            pairs.into_iter().map(|(a, b, signs)| (half(a, signs & 1 != 0), half(b, signs & 2 != 0))).unzip();
        every_set(|set| check(&set.f16, &a, &b, false));
    }
}
