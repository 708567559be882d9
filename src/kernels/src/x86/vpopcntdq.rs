//! VPOPCNTDQ: bits counted by an instruction, in vectors of 64 bytes.

use super::avx512::Avx512;
use crate::lanes::{Bitwise, Lanes, Token};
use core::arch::x86_64::{__m512i, _mm512_add_epi64, _mm512_popcnt_epi64};

/// [`Avx512`] with VPOPCNTDQ.
#[derive(Clone, Copy)]
pub(crate) struct Vpopcnt(Avx512);

impl Token for Vpopcnt {
    #[inline(always)]
    unsafe fn assume() -> Self {
        // SAFETY: the caller vouches for AVX-512 as well.
        Self(unsafe { Avx512::assume() })
    }
}

impl Lanes<u8> for Vpopcnt {
    type Chunk = [u8; 64];
    type V = __m512i;
    #[inline(always)]
    fn split(of: &[u8]) -> (&[[u8; 64]], &[u8]) {
        of.as_chunks()
    }
    #[inline(always)]
    fn load(self, chunk: &[u8; 64]) -> __m512i {
        <Avx512 as Lanes<u8>>::load(self.0, chunk)
    }
    #[inline(always)]
    fn load_partial(self, rest: &[u8]) -> __m512i {
        <Avx512 as Lanes<u8>>::load_partial(self.0, rest)
    }
}

impl Bitwise for Vpopcnt {
    type Acc = __m512i;
    #[inline(always)]
    fn zero(self) -> __m512i {
        Bitwise::zero(self.0)
    }
    #[inline(always)]
    fn merge(self, a: __m512i, b: __m512i) -> __m512i {
        Bitwise::merge(self.0, a, b)
    }
    #[inline(always)]
    fn and(self, a: __m512i, b: __m512i) -> __m512i {
        self.0.and(a, b)
    }
    #[inline(always)]
    fn or(self, a: __m512i, b: __m512i) -> __m512i {
        self.0.or(a, b)
    }
    #[inline(always)]
    fn xor(self, a: __m512i, b: __m512i) -> __m512i {
        Bitwise::xor(self.0, a, b)
    }
    #[inline(always)]
    fn count(self, sum: __m512i, a: __m512i) -> __m512i {
        // SAFETY: it only needs VPOPCNTDQ, which the token `self` proves; it touches no memory.
        unsafe { _mm512_add_epi64(sum, _mm512_popcnt_epi64(a)) }
    }
    #[inline(always)]
    fn total(self, sum: __m512i) -> u64 {
        Bitwise::total(self.0, sum)
    }
}
