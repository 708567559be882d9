//! Making the codes of one or two bits that [`crate::codes`] scores.
//!
//! Loops over arrays, of which the compiler makes vectors for the CPU of the caller. Codes are stored, so they are the same on every CPU:
//! nothing is fused, and sums are of as many lanes everywhere.

use crate::pass::unequal;

/// Elements that are looked at together.
const LANES: usize = 16;
/// Steps towards the best threshold.
const STEPS: usize = 4;

/// Writes the code of `BITS` bits of a vector whose elements are spread around 0, and answers y·x, where y is what the code stands for: ±½ for one
/// bit, ±½ and ±1½ for two.
#[inline(always)]
pub(crate) fn encode<const BITS: usize>(values: &[f32], code: &mut [u8]) -> f64 {
    let size = code.len();
    let planes = 8 / BITS;
    if values.len() != planes * size {
        unequal(values.len(), planes * size);
    }
    let threshold = if BITS == 2 { threshold(values) } else { f32::INFINITY };
    let mut product = [0f32; LANES];
    let (mut first, mut rest) = (0, 0.0);
    let (blocks, last) = code.as_chunks_mut::<LANES>();
    for block in blocks {
        let mut fields = [0u32; LANES];
        for plane in 0..planes {
            let chunk = values[plane * size + first..].first_chunk::<LANES>();
            let Some(chunk) = chunk else { break };
            for i in 0..LANES {
                let (field, term) = field::<BITS>(chunk[i], threshold);
                fields[i] |= field << (plane * BITS);
                product[i] += term;
            }
        }
        for i in 0..LANES {
            block[i] = fields[i] as u8;
        }
        first += LANES;
    }
    for (i, byte) in last.iter_mut().enumerate() {
        *byte = 0;
        for plane in 0..planes {
            let (field, term) = field::<BITS>(values[plane * size + first + i], threshold);
            *byte |= (field << (plane * BITS)) as u8;
            rest += f64::from(term);
        }
    }
    for lane in product {
        rest += f64::from(lane);
    }
    rest
}

/// The field of an element, and its product with what that stands for.
#[inline(always)]
fn field<const BITS: usize>(x: f32, threshold: f32) -> (u32, f32) {
    let (positive, magnitude) = (u32::from(x >= 0.0), x.abs());
    if BITS == 1 {
        return (positive, 0.5 * magnitude);
    }
    // 0 and 3 are the outer fields, 1 and 2 the inner ones.
    let is_outer = magnitude > threshold;
    let field = if is_outer { 3 * positive } else { 1 + positive };
    (field, if is_outer { 1.5 } else { 0.5 } * magnitude)
}

/// The magnitude above which a field is an outer one (1½ instead of ½), so that the code points where the vector does.
///
/// Among the vectors t·y, those with inner fields below magnitude t are nearest to x; and for given fields, t = (y·x)/|y|² is
/// nearest. Each step, taken in turn, makes the angle smaller or leaves it; from one deviation, four pairs of them are enough.
#[inline(always)]
fn threshold(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut squares = [0f32; LANES];
    for chunk in chunks {
        for i in 0..LANES {
            squares[i] += chunk[i] * chunk[i];
        }
    }
    for (square, &x) in squares.iter_mut().zip(rest) {
        *square += x * x;
    }
    let count = values.len() as f32;
    let mut threshold = (total(squares) / count).sqrt();
    for _ in 0..STEPS {
        let (mut product, mut outer) = ([0f32; LANES], [0f32; LANES]);
        for chunk in chunks {
            for i in 0..LANES {
                let magnitude = chunk[i].abs();
                let is_outer = if magnitude > threshold { 1.0 } else { 0.0 };
                product[i] += (0.5 + is_outer) * magnitude;
                outer[i] += is_outer;
            }
        }
        for (i, &x) in rest.iter().enumerate() {
            let is_outer = if x.abs() > threshold { 1.0 } else { 0.0 };
            product[i] += (0.5 + is_outer) * x.abs();
            outer[i] += is_outer;
        }
        threshold = total(product) / (0.25 * count + 2.0 * total(outer));
    }
    threshold
}

fn total(lanes: [f32; LANES]) -> f32 {
    lanes.into_iter().sum()
}
