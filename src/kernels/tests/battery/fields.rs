//! Codes of one and two bits: the fields that they are to have, and the same on every set to the last bit.

use crate::{LONGEST_START, Noise, STARTS, every_set, lengths};
use kite_kernels::Kernels;
use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn encode(set: &'static Kernels, bits: usize, values: &[f32]) -> (Vec<u8>, f64) {
    let mut code = vec![0xA5; values.len() * bits / 8];
    let kernel = if bits == 1 { set.encode_one_bit } else { set.encode_two_bits };
    let product = kernel(values, &mut code);
    (code, product)
}

/// What the field of each element stands for.
fn levels(bits: usize, code: &[u8], dims: usize) -> Vec<f64> {
    let mask = (1u8 << bits) - 1;
    let field = |i: usize| code[i % code.len()] >> (i / code.len() * bits) & mask;
    (0..dims).map(|i| f64::from(field(i)) - f64::from(mask) / 2.0).collect()
}

fn check(bits: usize, values: &[f32]) {
    let first = OnceCell::new();
    every_set(|set| {
        let (code, product) = encode(set, bits, values);
        let levels = levels(bits, &code, values.len());
        let mut exact = 0.0;
        let (mut inner, mut outer) = (0f32, f32::INFINITY);
        for (&x, level) in values.iter().zip(&levels) {
            assert_eq!(x >= 0.0, *level > 0.0, "the sign of {x}");
            exact += f64::from(x) * level;
            if level.abs() < 1.0 {
                inner = inner.max(x.abs());
            } else {
                outer = outer.min(x.abs());
            }
        }
        assert!(bits == 1 || inner <= outer, "a threshold between {inner} and {outer}");
        assert!((product - exact).abs() <= 1e-4 * exact, "{product} {exact}");
        let found = (code, product.to_bits());
        assert!(first.get_or_init(|| found.clone()) == &found, "another code or order of summation");
    });
}

#[test]
fn fields_at_every_length() {
    let mut noise = Noise(21);
    for eighth in lengths().filter(|&length| length <= 2_000) {
        let values = noise.unit(8 * eighth + LONGEST_START);
        for (start, _) in STARTS {
            for bits in [1, 2] {
                check(bits, &values[start..start + 8 * eighth]);
            }
        }
    }
}

/// The fields that the steps end at are as good as the best of all.
#[test]
fn two_bits_point_where_the_vector_does() {
    let mut noise = Noise(22);
    for (dims, least) in [(8, 0.96), (64, 0.97), (768, 0.999)] {
        for _ in 0..30 {
            // Sums of uniform numbers: nearly Gaussian.
            let values: Vec<f32> = (0..dims).map(|_| noise.unit(12).iter().sum()).collect();
            let quality = |threshold: f32| {
                let level = |x: &f32| if x.abs() > threshold { 1.5 } else { 0.5 };
                let product: f32 = values.iter().map(|x| level(x) * x.abs()).sum();
                product / values.iter().map(|x| level(x) * level(x)).sum::<f32>().sqrt()
            };
            let best = values.iter().map(|x| quality(x.abs())).fold(0.0, f32::max);
            every_set(|set| {
                let (code, product) = encode(set, 2, &values);
                let squared: f64 = levels(2, &code, dims).iter().map(|level| level * level).sum();
                let found = product / squared.sqrt();
                assert!(found > least * f64::from(best), "{dims}: {found} of {best}");
            });
        }
    }
}

#[test]
fn elements_of_any_size_and_lengths_that_differ() {
    for x in [0.0, -0.0, f32::MAX, f32::MIN, f32::from_bits(1), f32::INFINITY, f32::NAN] {
        for bits in [1, 2] {
            every_set(|set| {
                let mut values = [x; 200];
                values[7] = 1.0;
                let (code, _) = encode(set, bits, &values);
                assert!(levels(bits, &code, 200)[7] > 0.0);
            });
        }
    }
    every_set(|set| {
        for kernel in [set.encode_one_bit, set.encode_two_bits] {
            let refused = catch_unwind(AssertUnwindSafe(|| kernel(&[0.0; 16], &mut [0; 3])));
            assert!(refused.is_err());
        }
    });
}
