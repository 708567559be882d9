//! Keys of quantised vectors: those of one number after the other, to the last bit, on every set.

use crate::{Noise, every_set};
use kite_kernels::{Affine, Affines, KEYS, KeyForm};

const FORMS: [KeyForm; 3] = [KeyForm::Squared, KeyForm::HalfSquared, KeyForm::Product];

/// One of the others.
#[derive(Debug, Clone, Copy)]
struct Other {
    offset: f32,
    step: f32,
    error: f32,
    sum: u32,
    squares: u32,
    product: u32,
}

/// The one that others are seen from, by its numbers and the sums of its codes.
fn affine(dims: usize, numbers: (f32, f32, f32), sum: u32, squares: u32) -> Affine {
    let (dims, sum, squares) = (dims as f64, f64::from(sum), f64::from(squares));
    let (offset, step, error) = (f64::from(numbers.0), f64::from(numbers.1), f64::from(numbers.2));
    Affine {
        dims,
        offset,
        step,
        total: dims * offset + step * sum,
        squared: dims * offset * offset + step * (2.0 * offset * sum + step * squares),
        error_squared: error * error,
    }
}

fn several(others: &[Other; KEYS]) -> Affines {
    Affines {
        offsets: others.map(|other| other.offset),
        steps: others.map(|other| other.step),
        errors: others.map(|other| other.error),
        sums: others.map(|other| other.sum),
        squares: others.map(|other| other.squares),
        products: others.map(|other| other.product),
    }
}

/// As the definition has it, in the order of operations that is promised by there being only one result.
fn plain(form: KeyForm, a: &Affine, other: &Other) -> f32 {
    let [offset, step, error] = [other.offset, other.step, other.error].map(f64::from);
    let [sum, squares, product] = [other.sum, other.squares, other.product].map(f64::from);
    let dot = offset * a.total + step * (a.offset * sum + a.step * product);
    let squared = a.dims * offset * offset + step * (2.0 * offset * sum + step * squares);
    let apart = a.squared + squared - (a.error_squared + error * error);
    let key = match form {
        KeyForm::Squared => (apart - 2.0 * dot).max(0.0),
        KeyForm::HalfSquared => (apart / 2.0 - dot).max(0.0),
        KeyForm::Product => -dot,
    } as f32;
    if key.is_nan() { f32::INFINITY } else { key }
}

fn check(a: &Affine, others: &[Other; KEYS]) {
    every_set(|set| {
        for form in FORMS {
            let found = (set.affine_keys)(form, a, &several(others));
            for (found, other) in found.iter().zip(others) {
                let expected = plain(form, a, other);
                assert!(
                    *found == expected,
                    "{found} in place of {expected}: {form:?} of {a:?} and {other:?}"
                );
            }
        }
    });
}

#[test]
fn keys_are_the_distances_of_what_the_bytes_stand_for() {
    let mut noise = Noise(12);
    for dims in [1, 3, 128, 384, 16_000] {
        let mut vector = || {
            let codes = noise.bytes(dims);
            let (offset, step) = (noise.unit(1)[0], noise.unit(1)[0].abs() / 255.0);
            (codes, offset, step)
        };
        let sums = |codes: &[u8]| {
            let sum = codes.iter().map(|&code| u32::from(code)).sum::<u32>();
            (sum, codes.iter().map(|&code| u32::from(code).pow(2)).sum::<u32>())
        };
        let elements = |(codes, offset, step): &(Vec<u8>, f32, f32)| -> Vec<f64> {
            codes.iter().map(|&code| f64::from(*offset) + f64::from(*step) * f64::from(code)).collect()
        };
        let one = vector();
        let (sum, squares) = sums(&one.0);
        let a = affine(dims, (one.1, one.2, 0.0), sum, squares);
        let vectors: [_; KEYS] = std::array::from_fn(|_| vector());
        let others = std::array::from_fn(|n| {
            let (codes, offset, step) = &vectors[n];
            let (sum, squares) = sums(codes);
            let product = codes.iter().zip(&one.0).map(|(&x, &y)| u32::from(x) * u32::from(y)).sum();
            Other { offset: *offset, step: *step, error: 0.0, sum, squares, product }
        });
        check(&a, &others);
        every_set(|set| {
            let found = (set.affine_keys)(KeyForm::Squared, &a, &several(&others));
            for (found, vector) in found.iter().zip(&vectors) {
                let gaps = elements(&one).into_iter().zip(elements(vector)).map(|(x, y)| (x - y).powi(2));
                let exact: f64 = gaps.sum();
                assert!((f64::from(*found) - exact).abs() <= 1e-6 * exact, "{found} {exact}");
            }
        });
    }
}

/// Errors larger than the distance, the ends of `f32`, and what no encoder writes.
#[test]
fn odd_numbers() {
    let odd = [0.0, -0.0, 1.0, -1.5, f32::MIN_POSITIVE, f32::MAX, f32::INFINITY, f32::NAN];
    let mut noise = Noise(13);
    let mut number = |of: usize| noise.next() as usize % of;
    for _ in 0..2000 {
        let mut other = || Other {
            offset: odd[number(8)],
            step: odd[number(8)],
            error: odd[number(8)],
            sum: [0, 1, 4_080_000][number(3)],
            squares: [0, 1, 1_040_400_000][number(3)],
            product: [0, 1, 1_040_400_000][number(3)],
        };
        let one = other();
        let a = affine(16_000, (one.offset, one.step, one.error), one.sum, one.squares);
        check(&a, &std::array::from_fn(|_| other()));
    }
}
