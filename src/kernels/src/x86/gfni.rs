//! Products with packed codes where the CPU has GFNI: GF2P8AFFINEQB multiplies each byte, as a vector of bits, with a matrix of
//! bits, and so takes a field out of it in one instruction, where shifting and masking takes two.

use super::avx512::Avx512;
use super::vnni::Vnni;
use crate::codes::Mixed;
use crate::lanes::{Lanes, Token};
use core::arch::x86_64::*;

/// [`Vnni`] of [`Avx512`], and GFNI.
#[derive(Clone, Copy)]
pub(crate) struct Gfni(Vnni<Avx512>);

impl Token for Gfni {
    #[inline(always)]
    unsafe fn assume() -> Self {
        // SAFETY: the caller vouches for AVX-512 and VNNI as well.
        Self(unsafe { Vnni::assume() })
    }
}

impl<E> Lanes<E> for Gfni
where
    Avx512: Lanes<E>,
{
    type Chunk = <Avx512 as Lanes<E>>::Chunk;
    type V = <Avx512 as Lanes<E>>::V;
    #[inline(always)]
    fn split(of: &[E]) -> (&[Self::Chunk], &[E]) {
        <Avx512 as Lanes<E>>::split(of)
    }
    #[inline(always)]
    fn load(self, chunk: &Self::Chunk) -> Self::V {
        <Vnni<Avx512> as Lanes<E>>::load(self.0, chunk)
    }
    #[inline(always)]
    fn load_partial(self, rest: &[E]) -> Self::V {
        <Vnni<Avx512> as Lanes<E>>::load_partial(self.0, rest)
    }
}

impl Mixed for Gfni {
    type Sum = __m512i;
    #[inline(always)]
    fn none(self) -> __m512i {
        self.0.none()
    }
    #[inline(always)]
    fn dot_mixed(self, sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        self.0.dot_mixed(sum, a, b)
    }
    #[inline(always)]
    fn dot_small(self, sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        self.0.dot_small(sum, a, b)
    }
    #[inline(always)]
    fn field(self, of: __m512i, shift: u32, mask: u8) -> __m512i {
        let matrix = taking(shift, mask);
        // SAFETY: the token stands for the instruction; no memory is touched.
        unsafe { _mm512_gf2p8affine_epi64_epi8::<0>(of, _mm512_set1_epi64(matrix.cast_signed())) }
    }
    #[inline(always)]
    fn total(self, sum: __m512i) -> i32 {
        Mixed::total(self.0, sum)
    }
    #[inline(always)]
    fn totals<const N: usize>(self, sums: [__m512i; N]) -> [i32; N] {
        Mixed::totals(self.0, sums)
    }
}

/// The matrix that takes bits `shift` and up, as many as `mask` has: byte 7 − i says which bits of the operand make bit i of the result.
#[inline(always)]
const fn taking(shift: u32, mask: u8) -> u64 {
    let (mut matrix, mut i) = (0, 0);
    while i < 8 {
        if mask >> i & 1 == 1 {
            matrix |= 1 << (shift + i + 8 * (7 - i));
        }
        i += 1;
    }
    matrix
}
