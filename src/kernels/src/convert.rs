//! Conversion of slices between `f16` and `f32`, and the arithmetic for CPUs without an instruction for it.

use crate::lanes::Token;
use crate::pass::unequal;
use half::f16;

/// Conversion of `N` values at once.
pub(crate) trait Halves<const N: usize>: Token {
    fn widen(self, from: &[f16; N], to: &mut [f32; N]);
    fn narrow(self, from: &[f32; N], to: &mut [f16; N]);
}

#[inline(always)]
pub(crate) fn widen<S: Halves<N>, const N: usize>(isa: S, from: &[f16], to: &mut [f32]) {
    convert(from, to, |from, to| isa.widen(from, to));
}

#[inline(always)]
pub(crate) fn narrow<S: Halves<N>, const N: usize>(isa: S, from: &[f32], to: &mut [f16]) {
    convert(from, to, |from, to| isa.narrow(from, to));
}

#[inline(always)]
fn convert<A: Copy + Default, B: Copy + Default, const N: usize>(
    from: &[A],
    to: &mut [B],
    chunk: impl Fn(&[A; N], &mut [B; N]),
) {
    if from.len() != to.len() {
        unequal(from.len(), to.len());
    }
    let ((from_chunks, from_rest), (to_chunks, _)) = (from.as_chunks(), to.as_chunks_mut());
    for (from, to) in from_chunks.iter().zip(to_chunks) {
        chunk(from, to);
    }
    if from_rest.is_empty() {
        return;
    }
    if let (Some(from), Some(to)) = (from.last_chunk(), to.last_chunk_mut()) {
        // Converts some elements once more, to the same values: cheaper than a copy into a padded chunk.
        chunk(from, to);
    } else {
        let (mut source, mut target) = ([A::default(); N], [B::default(); N]);
        source[..from.len()].copy_from_slice(from);
        chunk(&source, &mut target);
        to.copy_from_slice(&target[..to.len()]);
    }
}

/// Exact. Only integer and float arithmetic without branches, so that a loop over it becomes vector code anywhere.
#[inline(always)]
pub(crate) fn f16_to_f32(half: f16) -> f32 {
    let bits = u32::from(half.to_bits());
    let magnitude = bits & 0x7fff;
    // The fields moved into place give a value 2^112 too small, which one multiplication mends; it is exact, and turns
    // subnormal halves (subnormal here too) into normal numbers.
    let finite = f32::from_bits(magnitude << 13) * f32::from_bits(0x7780_0000);
    // Exponent 31 means infinity or NaN: all exponent bits of an f32.
    let special = if magnitude >= 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(finite.to_bits() | special | (bits & 0x8000) << 16)
}

/// Rounds to nearest, ties to even; what is too large becomes infinite.
#[inline(always)]
pub(crate) fn f32_to_f16(value: f32) -> f16 {
    let bits = value.to_bits();
    let magnitude = bits & 0x7fff_ffff;
    // Below 2^-14 the result is subnormal, in steps of 2^-24: the step of floats in [0.5, 1). The addition rounds.
    let subnormal = (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0.5f32.to_bits());
    // Else 13 bits are dropped; adding half of their range less one, plus the lowest bit that stays, rounds ties to even.
    let normal = (magnitude.wrapping_add(0xfff + (magnitude >> 13 & 1)) >> 13).wrapping_sub(112 << 10);
    let finite = if magnitude < 0x3880_0000 { subnormal } else { normal };
    // From 65,520 on (halfway to the value that would follow the largest half) the result is infinite.
    let rounded = if magnitude >= 0x477f_f000 { 0x7c00 } else { finite };
    // A NaN stays one, whichever payload bits are lost.
    let nan = 0x7e00 | magnitude >> 13 & 0x3ff;
    let result = if magnitude > 0x7f80_0000 { nan } else { rounded };
    f16::from_bits((result | bits >> 16 & 0x8000) as u16)
}
