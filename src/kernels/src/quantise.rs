//! Rounding vectors to bytes.

use crate::pass::unequal;

/// Elements that are rounded together.
const LANES: usize = 8;

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

/// The sums of so many lanes, which are the same on every CPU: nothing is fused, and the order is this.
struct Sums {
    sum: [u32; LANES],
    squares: [u32; LANES],
    residual: [f64; LANES],
    magnitudes: [f64; LANES],
}

/// Rounds all elements. (Loops over arrays, of which the compiler makes vectors for the CPU of the caller.)
#[inline(always)]
pub(crate) fn quantise(values: &[f32], steps: &Steps, codes: &mut [u8]) -> Quantised {
    if values.len() != codes.len() {
        unequal(values.len(), codes.len());
    }
    let mut sums =
        Sums { sum: [0; LANES], squares: [0; LANES], residual: [0.0; LANES], magnitudes: [0.0; LANES] };
    let ((chunks, rest), (to, to_rest)) = (values.as_chunks::<LANES>(), codes.as_chunks_mut::<LANES>());
    for (chunk, to) in chunks.iter().zip(to) {
        *to = take(chunk, steps, &mut sums, LANES);
    }
    if !rest.is_empty() {
        let mut chunk = [0.0; LANES];
        chunk[..rest.len()].copy_from_slice(rest);
        let codes = take(&chunk, steps, &mut sums, rest.len());
        to_rest.copy_from_slice(&codes[..rest.len()]);
    }
    let mut all = Quantised::default();
    for i in 0..LANES {
        all.sum = all.sum.wrapping_add(sums.sum[i]);
        all.squares = all.squares.wrapping_add(sums.squares[i]);
        all.residual += sums.residual[i];
        all.magnitudes += sums.magnitudes[i];
    }
    all
}

/// Rounds `count` of some elements, and adds to the sums.
#[inline(always)]
fn take(chunk: &[f32; LANES], steps: &Steps, sums: &mut Sums, count: usize) -> [u8; LANES] {
    const NO_FRACTION: f64 = (3u64 << 51) as f64;
    let (offset, step) = (f64::from(steps.offset), f64::from(steps.step));
    let mut codes = [0; LANES];
    let mut wide = [0i32; LANES];
    let mut exact = [0.0; LANES];
    for i in 0..LANES {
        exact[i] = f64::from(chunk[i]) * steps.factor;
        let place = (exact[i] - offset) * steps.inverse + 0.5;
        // What is no number becomes 0, as a conversion has it.
        let place = if place > 0.0 { place } else { 0.0 };
        let place = if place < 255.0 { place } else { 255.0 };
        // The nearest whole number, of which what lies above is one too many.
        let nearest = place + NO_FRACTION;
        let above = i32::from(nearest - NO_FRACTION > place);
        wide[i] = (nearest.to_bits() as i32).wrapping_sub(above);
    }
    for i in 0..count {
        let code = f64::from(wide[i]);
        let residual = exact[i] - (offset + step * code);
        sums.residual[i] += residual * residual;
        sums.magnitudes[i] += (exact[i] - f64::from(steps.offset + steps.step * wide[i] as f32)).abs();
        sums.sum[i] = sums.sum[i].wrapping_add(wide[i].cast_unsigned());
        sums.squares[i] = sums.squares[i].wrapping_add((wide[i] * wide[i]).cast_unsigned());
        codes[i] = wide[i] as u8;
    }
    codes
}
