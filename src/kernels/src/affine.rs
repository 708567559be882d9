//! Keys of several quantised vectors as seen from one, from the products of their bytes.
//!
//! Once bytes are multiplied, what is left of a distance is a dozen operations on numbers. Vector by vector they take as long as
//! the products of a few hundred bytes, so they are done for [`KEYS`] at once. Each is rounded by itself and none is fused: a key is the
//! same on every CPU, to the last bit, and whatever it is computed beside.

use crate::FAN;
use crate::quantise::{Eights, LANES};

/// Vectors whose keys are computed at once.
pub const KEYS: usize = 2 * FAN;
const _: () = assert!(KEYS == LANES);

/// How keys are made of products and squared norms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KeyForm {
    /// |a − b|² less both squared errors, not below 0.
    Squared,
    /// Half of that.
    HalfSquared,
    /// −a·b
    Product,
}

/// The vector that others are seen from: its elements are offset + step·code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// The number of elements.
    pub dims: f64,
    /// What code 0 stands for.
    pub offset: f64,
    /// From one code to the next.
    pub step: f64,
    /// Σ of its elements.
    pub total: f64,
    /// Σ of their squares.
    pub squared: f64,
    /// The square of its distance from what it stands for.
    pub error_squared: f64,
}

/// What is known of the others, and the products of their codes with its codes. Sums are below 2³¹, as they are up to 33,000
/// elements.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Affines {
    /// What code 0 stands for.
    pub offsets: [f32; KEYS],
    /// From one code to the next.
    pub steps: [f32; KEYS],
    /// Their distances from what they stand for.
    pub errors: [f32; KEYS],
    /// Σ code
    pub sums: [u32; KEYS],
    /// Σ code²
    pub squares: [u32; KEYS],
    /// Σ code·code of the one
    pub products: [u32; KEYS],
}

/// Whole numbers below 2³¹ as `f64`.
#[inline(always)]
fn wide<S: Eights>(isa: S, of: &[u32; KEYS]) -> S::Wide {
    isa.to_wide(isa.whole(&of.map(u32::cast_signed)))
}

/// The keys of all of them. What is no number is farthest.
#[inline(always)]
pub(crate) fn keys<S: Eights>(isa: S, form: KeyForm, a: &Affine, others: &Affines) -> [f32; KEYS] {
    let (offset, step) = (isa.widen(&others.offsets), isa.widen(&others.steps));
    let (sum, product) = (wide(isa, &others.sums), wide(isa, &others.products));
    let terms = isa.plus(isa.times(isa.all(a.offset), sum), isa.times(isa.all(a.step), product));
    let dot = isa.plus(isa.times(offset, isa.all(a.total)), isa.times(step, terms));
    let (part, times) = match form {
        KeyForm::Product => {
            let mut keys = isa.narrow(isa.times(dot, isa.all(-1.0)));
            for key in &mut keys {
                *key = if key.is_nan() { f32::INFINITY } else { *key };
            }
            return keys;
        }
        KeyForm::Squared => (1.0, 2.0),
        KeyForm::HalfSquared => (0.5, 1.0),
    };
    // Σ (offset + step·code)²
    let level = isa.times(isa.times(isa.all(a.dims), offset), offset);
    let mixed = isa.times(isa.times(isa.all(2.0), offset), sum);
    let slope = isa.times(step, isa.plus(mixed, isa.times(step, wide(isa, &others.squares))));
    let squared = isa.plus(isa.all(a.squared), isa.plus(level, slope));
    let error = isa.widen(&others.errors);
    let errors = isa.plus(isa.all(a.error_squared), isa.times(error, error));
    let rest = isa.times(isa.minus(squared, errors), isa.all(part));
    isa.narrow(isa.above_zero(isa.minus(rest, isa.times(isa.all(times), dot))))
}
