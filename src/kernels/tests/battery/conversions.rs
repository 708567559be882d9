//! f16 to f32 and back, against the software conversions of the crate `half`.

use crate::{every_set, lengths};
use kite_kernels::f16;

fn same16(a: f16, b: f16) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan() && a.is_sign_negative() == b.is_sign_negative()
}

fn same32(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan() && a.is_sign_negative() == b.is_sign_negative()
}

#[test]
fn every_half_widens_exactly() {
    let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
    every_set(|set| {
        let mut wide = vec![0.0; halves.len()];
        (set.f16_to_f32)(&halves, &mut wide);
        for (half, wide) in halves.iter().zip(&wide) {
            assert!(same32(*wide, half.to_f32_const()), "{:#x}: {wide}", half.to_bits());
        }
        // The loads of the sums widen on their own.
        for half in &halves {
            let sum = (set.f16.l1)(&[*half; 17], &[f16::ZERO; 17]);
            let expected = 17.0 * half.to_f32_const().abs();
            assert!(
                same32(sum, expected) || sum.is_nan() && expected.is_nan(),
                "{:#x}: {sum}",
                half.to_bits()
            );
        }
    });
}

fn check_narrowing(values: &[f32]) {
    every_set(|set| {
        let mut halves = vec![f16::ONE; values.len()];
        (set.f32_to_f16)(values, &mut halves);
        for (value, half) in values.iter().zip(&halves) {
            let expected = f16::from_f32_const(*value);
            assert!(
                same16(*half, expected),
                "{value:e}: {:#x}, not {:#x}",
                half.to_bits(),
                expected.to_bits()
            );
        }
    });
}

/// Each half, the point midway to the next one, and the floats just beside it: where rounding turns.
#[test]
fn ties_go_to_even() {
    let mut values = vec![f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -f32::NAN, f32::MAX, f32::MIN];
    for bits in 0..0x7c00 {
        let here = f16::from_bits(bits).to_f32_const();
        let step = if bits < 0x400 { 2f32.powi(-24) } else { 2f32.powi(i32::from(bits >> 10) - 25) };
        let midway = here + step / 2.0;
        for value in [here, here.next_up(), midway.next_down(), midway, midway.next_up()] {
            values.extend([value, -value]);
        }
    }
    check_narrowing(&values);
}

/// A stride through all floats that is coprime to 2³².
#[test]
fn all_over_the_range() {
    let values: Vec<f32> = (0..=u32::MAX).step_by(9_973).map(f32::from_bits).collect();
    check_narrowing(&values);
}

#[test]
fn every_length() {
    every_set(|set| {
        for length in lengths() {
            let wide: Vec<f32> = (0..length).map(|i| i as f32 / 8.0).collect();
            let expected: Vec<f16> = wide.iter().map(|x| f16::from_f32_const(*x)).collect();
            let mut halves = vec![f16::ONE; length];
            (set.f32_to_f16)(&wide, &mut halves);
            assert_eq!(halves, expected);
            let mut back = vec![-1.0; length];
            (set.f16_to_f32)(&halves, &mut back);
            assert_eq!(back, halves.iter().map(|half| half.to_f32_const()).collect::<Vec<_>>());
        }
    });
}
