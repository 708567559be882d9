//! Rounding vectors to bytes.
//!
//! Codes and sums are stored, so they are the same on every CPU: each operation is rounded by itself, nothing is fused, and there are eight
//! sums of everything whatever registers hold.

use crate::lanes::Token;
use crate::pass::unequal;

/// Elements that are rounded together.
pub(crate) const LANES: usize = 8;

/// How elements become bytes: code = ⌊(x·factor − offset)·inverse + ½⌋, within 0 to 255.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    /// By which elements are multiplied first.
    pub factor: f64,
    /// What code 0 stands for.
    pub offset: f32,
    /// From one code to the next, not negative.
    pub step: f32,
    /// 1 / step, or 0 if there is none.
    pub inverse: f64,
}

/// What a vector became.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quantised {
    /// Σ code
    pub sum: u32,
    /// Σ code²
    pub squares: u32,
    /// Σ (x·factor − offset − step·code)²
    pub residual: f64,
    /// Σ |x·factor − (offset + step·code)|, the latter rounded to `f32` twice.
    pub magnitudes: f64,
}

/// The least and the greatest element; infinite the wrong way round where there are none, and what is no number is none.
#[inline(always)]
pub(crate) fn range(values: &[f32]) -> (f32, f32) {
    let (mut least, mut most) = ([f32::INFINITY; 2 * LANES], [f32::NEG_INFINITY; 2 * LANES]);
    let (chunks, rest) = values.as_chunks::<{ 2 * LANES }>();
    for chunk in chunks {
        for i in 0..2 * LANES {
            least[i] = if chunk[i] < least[i] { chunk[i] } else { least[i] };
            most[i] = if chunk[i] > most[i] { chunk[i] } else { most[i] };
        }
    }
    for (i, &x) in rest.iter().enumerate() {
        least[i] = if x < least[i] { x } else { least[i] };
        most[i] = if x > most[i] { x } else { most[i] };
    }
    for i in 1..2 * LANES {
        least[0] = if least[i] < least[0] { least[i] } else { least[0] };
        most[0] = if most[i] > most[0] { most[i] } else { most[0] };
    }
    (least[0], most[0])
}

/// Arithmetic on eight elements at a time.
pub(crate) trait Eights: Token {
    /// Eight `f64`.
    type Wide: Copy;
    /// Eight `i32`.
    type Whole: Copy;
    fn widen(self, chunk: &[f32; LANES]) -> Self::Wide;
    fn all(self, x: f64) -> Self::Wide;
    fn zero(self) -> Self::Whole;
    fn plus(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;
    fn minus(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;
    fn times(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;
    fn magnitude(self, a: Self::Wide) -> Self::Wide;
    /// The whole numbers below, within 0 to 255. What is no number becomes 0, as a conversion has it.
    fn floor(self, a: Self::Wide) -> Self::Whole;
    fn to_wide(self, a: Self::Whole) -> Self::Wide;
    /// offset + step·a, both rounded to `f32`.
    fn place(self, offset: f32, step: f32, a: Self::Whole) -> Self::Wide;
    fn add(self, a: Self::Whole, b: Self::Whole) -> Self::Whole;
    /// The squares of numbers from 0 to 255.
    fn squares(self, a: Self::Whole) -> Self::Whole;
    /// Numbers from 0 to 255.
    fn bytes(self, a: Self::Whole) -> [u8; LANES];
    fn whole(self, chunk: &[i32; LANES]) -> Self::Whole;
    /// What is below 0, or no number, becomes 0.
    fn above_zero(self, a: Self::Wide) -> Self::Wide;
    fn narrow(self, a: Self::Wide) -> [f32; LANES];
    fn lanes(self, a: Self::Wide) -> [f64; LANES];
    fn whole_lanes(self, a: Self::Whole) -> [i32; LANES];
}

/// What has been summed up so far.
#[derive(Clone, Copy)]
struct Sums<W, I> {
    sum: I,
    squares: I,
    residual: W,
    magnitudes: W,
}

/// Rounds all elements.
#[inline(always)]
pub(crate) fn quantise<S: Eights>(isa: S, values: &[f32], steps: &Steps, codes: &mut [u8]) -> Quantised {
    if values.len() != codes.len() {
        unequal(values.len(), codes.len());
    }
    let mut sums =
        Sums { sum: isa.zero(), squares: isa.zero(), residual: isa.all(0.0), magnitudes: isa.all(0.0) };
    let ((chunks, rest), (to, to_rest)) = (values.as_chunks::<LANES>(), codes.as_chunks_mut::<LANES>());
    for (chunk, to) in chunks.iter().zip(to) {
        *to = take(isa, chunk, steps, &mut sums);
    }
    let mut residual = isa.lanes(sums.residual);
    let mut magnitudes = isa.lanes(sums.magnitudes);
    let (mut sum, mut squares) = (total(isa.whole_lanes(sums.sum)), total(isa.whole_lanes(sums.squares)));
    for (i, (&x, to)) in rest.iter().zip(to_rest).enumerate() {
        let (code, off, far) = one(x, steps);
        *to = code;
        residual[i] += off * off;
        magnitudes[i] += far;
        sum = sum.wrapping_add(u32::from(code));
        squares = squares.wrapping_add(u32::from(code) * u32::from(code));
    }
    let mut all = Quantised { sum, squares, ..Quantised::default() };
    for i in 0..LANES {
        all.residual += residual[i];
        all.magnitudes += magnitudes[i];
    }
    all
}

/// Rounds eight elements, and adds to the sums.
#[inline(always)]
fn take<S: Eights>(
    isa: S,
    chunk: &[f32; LANES],
    steps: &Steps,
    sums: &mut Sums<S::Wide, S::Whole>,
) -> [u8; LANES] {
    let (offset, step) = (isa.all(f64::from(steps.offset)), isa.all(f64::from(steps.step)));
    let exact = isa.times(isa.widen(chunk), isa.all(steps.factor));
    let place = isa.times(isa.minus(exact, offset), isa.all(steps.inverse));
    let code = isa.floor(isa.plus(place, isa.all(0.5)));
    let residual = isa.minus(exact, isa.plus(offset, isa.times(step, isa.to_wide(code))));
    sums.residual = isa.plus(sums.residual, isa.times(residual, residual));
    let far = isa.magnitude(isa.minus(exact, isa.place(steps.offset, steps.step, code)));
    sums.magnitudes = isa.plus(sums.magnitudes, far);
    sums.sum = isa.add(sums.sum, code);
    sums.squares = isa.add(sums.squares, isa.squares(code));
    isa.bytes(code)
}

/// The same of one element: its code, its residual and how far it is.
#[inline(always)]
fn one(x: f32, steps: &Steps) -> (u8, f64, f64) {
    let (offset, step) = (f64::from(steps.offset), f64::from(steps.step));
    let exact = f64::from(x) * steps.factor;
    // A conversion is towards zero, within 0 to 255, and has 0 for what is no number.
    let code = ((exact - offset) * steps.inverse + 0.5) as u8;
    let residual = exact - (offset + step * f64::from(code));
    (code, residual, (exact - f64::from(steps.offset + steps.step * f32::from(code))).abs())
}

fn total(lanes: [i32; LANES]) -> u32 {
    lanes.into_iter().fold(0, |sum, lane| sum.wrapping_add(lane.cast_unsigned()))
}

/// [`Eights`] on plain arrays, for a token whose CPU has no intrinsics here.
macro_rules! eights_of_arrays {
    ($token:ty) => {
        impl $crate::quantise::Eights for $token {
            type Wide = [f64; $crate::quantise::LANES];
            type Whole = [i32; $crate::quantise::LANES];
            #[inline(always)]
            fn widen(self, chunk: &[f32; 8]) -> [f64; 8] {
                let mut wide = [0.0; 8];
                for i in 0..8 {
                    wide[i] = f64::from(chunk[i]);
                }
                wide
            }
            #[inline(always)]
            fn all(self, x: f64) -> [f64; 8] {
                [x; 8]
            }
            #[inline(always)]
            fn zero(self) -> [i32; 8] {
                [0; 8]
            }
            #[inline(always)]
            fn plus(self, mut a: [f64; 8], b: [f64; 8]) -> [f64; 8] {
                for i in 0..8 {
                    a[i] += b[i];
                }
                a
            }
            #[inline(always)]
            fn minus(self, mut a: [f64; 8], b: [f64; 8]) -> [f64; 8] {
                for i in 0..8 {
                    a[i] -= b[i];
                }
                a
            }
            #[inline(always)]
            fn times(self, mut a: [f64; 8], b: [f64; 8]) -> [f64; 8] {
                for i in 0..8 {
                    a[i] *= b[i];
                }
                a
            }
            #[inline(always)]
            fn magnitude(self, mut a: [f64; 8]) -> [f64; 8] {
                for i in 0..8 {
                    a[i] = a[i].abs();
                }
                a
            }
            #[inline(always)]
            fn floor(self, a: [f64; 8]) -> [i32; 8] {
                // Added to this number, a fraction has no place left, and is rounded away.
                const NO_FRACTION: f64 = (3u64 << 51) as f64;
                let mut whole = [0; 8];
                for i in 0..8 {
                    let place = if a[i] > 0.0 { a[i] } else { 0.0 };
                    let place = if place < 255.0 { place } else { 255.0 };
                    // The nearest whole number, of which what lies above is one too many.
                    let nearest = place + NO_FRACTION;
                    let above = i32::from(nearest - NO_FRACTION > place);
                    whole[i] = (nearest.to_bits() as i32).wrapping_sub(above);
                }
                whole
            }
            #[inline(always)]
            fn to_wide(self, a: [i32; 8]) -> [f64; 8] {
                let mut wide = [0.0; 8];
                for i in 0..8 {
                    wide[i] = f64::from(a[i]);
                }
                wide
            }
            #[inline(always)]
            fn place(self, offset: f32, step: f32, a: [i32; 8]) -> [f64; 8] {
                let mut wide = [0.0; 8];
                for i in 0..8 {
                    wide[i] = f64::from(offset + step * a[i] as f32);
                }
                wide
            }
            #[inline(always)]
            fn add(self, mut a: [i32; 8], b: [i32; 8]) -> [i32; 8] {
                for i in 0..8 {
                    a[i] = a[i].wrapping_add(b[i]);
                }
                a
            }
            #[inline(always)]
            fn squares(self, mut a: [i32; 8]) -> [i32; 8] {
                for i in 0..8 {
                    a[i] *= a[i];
                }
                a
            }
            #[inline(always)]
            fn bytes(self, a: [i32; 8]) -> [u8; 8] {
                let mut bytes = [0; 8];
                for i in 0..8 {
                    bytes[i] = a[i] as u8;
                }
                bytes
            }
            #[inline(always)]
            fn whole(self, chunk: &[i32; 8]) -> [i32; 8] {
                *chunk
            }
            #[inline(always)]
            fn above_zero(self, mut a: [f64; 8]) -> [f64; 8] {
                for i in 0..8 {
                    a[i] = if a[i] > 0.0 { a[i] } else { 0.0 };
                }
                a
            }
            #[inline(always)]
            fn narrow(self, a: [f64; 8]) -> [f32; 8] {
                let mut narrow = [0.0; 8];
                for i in 0..8 {
                    narrow[i] = a[i] as f32;
                }
                narrow
            }
            #[inline(always)]
            fn lanes(self, a: [f64; 8]) -> [f64; 8] {
                a
            }
            #[inline(always)]
            fn whole_lanes(self, a: [i32; 8]) -> [i32; 8] {
                a
            }
        }
    };
}

pub(crate) use eights_of_arrays;
