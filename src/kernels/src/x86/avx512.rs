//! AVX-512: vectors of 64 bytes, and masks for what is shorter.

use super::gfni::Gfni;
use super::vnni::{Dpbusd, Vnni};
use super::vpopcntdq::Vpopcnt;
use crate::codes::Mixed;
use crate::convert::Halves;
use crate::lanes::{Bitwise, Floats, Integers, Lanes, Token};
use crate::set::{bits, bytes, codes, kernel_set};
use crate::tiles::{Tiles, Tiling, nearest};
use crate::{Kernels, Nearest, Panels};
use core::arch::x86_64::*;
use half::f16;

/// Stands for AVX-512 F, BW, DQ and VL, and what AVX2 stands for.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

/// Every AVX-512 CPU since Skylake-X.
pub(crate) static KERNELS: Kernels = BASE;
/// Cascade Lake.
pub(crate) static WITH_VNNI: Kernels = VNNI;
/// What Ice Lake and Zen 4 have, where the host keeps GFNI from its guests.
pub(crate) static WITH_VNNI_AND_VPOPCNTDQ: Kernels = VPOPCNTDQ;
/// Ice Lake, Zen 4 and later.
pub(crate) static WITH_GFNI: Kernels = Kernels {
    name: "avx512-vnni-vpopcntdq-gfni",
    codes: codes!(Gfni, ["popcnt,avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,gfni"]),
    ..VPOPCNTDQ
};

const BASE: Kernels =
    kernel_set!("avx512", Avx512, ["popcnt,avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl"]);

const VNNI: Kernels = Kernels {
    name: "avx512-vnni",
    i8: bytes!(Vnni<Avx512>, i8 => i32, ["popcnt,avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"]),
    u8: bytes!(Vnni<Avx512>, u8 => u32, ["popcnt,avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"]),
    codes: codes!(Vnni<Avx512>, ["popcnt,avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"]),
    ..BASE
};

const VPOPCNTDQ: Kernels = Kernels {
    name: "avx512-vnni-vpopcntdq",
    bits: bits!(Vpopcnt, ["popcnt,avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq"]),
    ..VNNI
};

impl Token for Avx512 {
    #[inline(always)]
    unsafe fn assume() -> Self {
        Self(())
    }
}

/// An intrinsic without memory operand, in a method of a token.
macro_rules! op {
    ($intrinsic:expr) => {
        // SAFETY: it only needs the CPU feature, which the token `self` proves; it touches no memory.
        unsafe { $intrinsic }
    };
}

impl Lanes<f32> for Avx512 {
    type Chunk = [f32; 16];
    type V = __m512;
    #[inline(always)]
    fn split(of: &[f32]) -> (&[[f32; 16]], &[f32]) {
        of.as_chunks()
    }
    #[inline(always)]
    fn load(self, chunk: &[f32; 16]) -> __m512 {
        // SAFETY: the 64 bytes read are those of `chunk`; the load needs no alignment.
        unsafe { _mm512_loadu_ps(chunk.as_ptr()) }
    }
    #[inline(always)]
    fn load_partial(self, rest: &[f32]) -> __m512 {
        let mask = (1u16 << (rest.len() & 15)) - 1;
        // SAFETY: the mask has at most `rest.len()` low bits set, and masked lanes are not read.
        unsafe { _mm512_maskz_loadu_ps(mask, rest.as_ptr()) }
    }
}

impl Lanes<f16> for Avx512 {
    type Chunk = [f16; 16];
    type V = __m512;
    #[inline(always)]
    fn split(of: &[f16]) -> (&[[f16; 16]], &[f16]) {
        of.as_chunks()
    }
    #[inline(always)]
    fn load(self, chunk: &[f16; 16]) -> __m512 {
        // SAFETY: the 32 bytes read are those of `chunk`; the load needs no alignment.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(chunk.as_ptr().cast())) }
    }
    #[inline(always)]
    fn load_partial(self, rest: &[f16]) -> __m512 {
        let mask = (1u16 << (rest.len() & 15)) - 1;
        // SAFETY: the mask has at most `rest.len()` low bits set, and masked lanes are not read.
        unsafe { _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, rest.as_ptr().cast())) }
    }
}

macro_rules! byte_lanes {
    ($e:ty) => {
        impl Lanes<$e> for Avx512 {
            type Chunk = [$e; 64];
            type V = __m512i;
            #[inline(always)]
            fn split(of: &[$e]) -> (&[[$e; 64]], &[$e]) {
                of.as_chunks()
            }
            #[inline(always)]
            fn load(self, chunk: &[$e; 64]) -> __m512i {
                // SAFETY: the 64 bytes read are those of `chunk`; the load needs no alignment.
                unsafe { _mm512_loadu_si512(chunk.as_ptr().cast()) }
            }
            #[inline(always)]
            fn load_partial(self, rest: &[$e]) -> __m512i {
                let mask = (1u64 << (rest.len() & 63)) - 1;
                // SAFETY: the mask has at most `rest.len()` low bits set, and masked lanes are not read.
                unsafe { _mm512_maskz_loadu_epi8(mask, rest.as_ptr().cast()) }
            }
        }
    };
}

byte_lanes!(u8);
byte_lanes!(i8);

impl Floats for Avx512 {
    type V = __m512;
    type Wide = [__m512d; 2];
    #[inline(always)]
    fn zero(self) -> __m512 {
        op!(_mm512_setzero_ps())
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        op!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn abs(self, a: __m512) -> __m512 {
        op!(_mm512_abs_ps(a))
    }
    #[inline(always)]
    fn total(self, a: __m512) -> f32 {
        op!(_mm512_reduce_add_ps(a))
    }
    #[inline(always)]
    fn wide_zero(self) -> [__m512d; 2] {
        op!([_mm512_setzero_pd(); 2])
    }
    #[inline(always)]
    fn wide_add_square(self, [low, high]: [__m512d; 2], a: __m512) -> [__m512d; 2] {
        op!({
            let a_low = _mm512_cvtps_pd(_mm512_castps512_ps256(a));
            let a_high = _mm512_cvtps_pd(_mm512_extractf32x8_ps::<1>(a));
            [_mm512_fmadd_pd(a_low, a_low, low), _mm512_fmadd_pd(a_high, a_high, high)]
        })
    }
    #[inline(always)]
    fn wide_add(self, a: [__m512d; 2], b: [__m512d; 2]) -> [__m512d; 2] {
        op!([_mm512_add_pd(a[0], b[0]), _mm512_add_pd(a[1], b[1])])
    }
    #[inline(always)]
    fn wide_total(self, [low, high]: [__m512d; 2]) -> f64 {
        op!(_mm512_reduce_add_pd(_mm512_add_pd(low, high)))
    }
}

impl Tiles<1> for Avx512 {
    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        op!(_mm512_set1_ps(x))
    }
    #[inline(always)]
    fn load_line(self, line: &[f32; 16]) -> [__m512; 1] {
        // SAFETY: the 64 bytes read are those of `line`; the load needs no alignment.
        unsafe { [_mm512_loadu_ps(line.as_ptr())] }
    }
    #[inline(always)]
    fn store_line(self, [vector]: [__m512; 1], line: &mut [f32; 16]) {
        // SAFETY: the 64 bytes written are those of `line`; the store needs no alignment.
        unsafe { _mm512_storeu_ps(line.as_mut_ptr(), vector) }
    }
}

impl Tiling for Avx512 {
    #[inline(always)]
    fn nearest(self, rows: &[&[f32]], panels: &Panels, out: &mut [Nearest]) {
        nearest::<Self, 1, 8, 2>(self, rows, panels, out);
    }
}

/// Without VNNI: even and odd bytes as 16-bit numbers, whose products VPMADDWD adds in pairs.
impl Integers for Avx512 {
    type Acc = __m512i;
    #[inline(always)]
    fn zero(self) -> __m512i {
        op!(_mm512_setzero_si512())
    }
    #[inline(always)]
    fn merge(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_add_epi32(a, b))
    }
    #[inline(always)]
    fn dot_u8(self, sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        op!({
            let low = _mm512_set1_epi16(0xff);
            let even = _mm512_madd_epi16(_mm512_and_si512(a, low), _mm512_and_si512(b, low));
            let odd = _mm512_madd_epi16(_mm512_srli_epi16::<8>(a), _mm512_srli_epi16::<8>(b));
            _mm512_add_epi32(sum, _mm512_add_epi32(even, odd))
        })
    }
    #[inline(always)]
    fn dot_i8(self, sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        op!({
            let a_even = _mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(a));
            let b_even = _mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(b));
            let even = _mm512_madd_epi16(a_even, b_even);
            let odd = _mm512_madd_epi16(_mm512_srai_epi16::<8>(a), _mm512_srai_epi16::<8>(b));
            _mm512_add_epi32(sum, _mm512_add_epi32(even, odd))
        })
    }
    #[inline(always)]
    fn difference_u8(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_sub_epi8(_mm512_max_epu8(a, b), _mm512_min_epu8(a, b)))
    }
    #[inline(always)]
    fn difference_i8(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_sub_epi8(_mm512_max_epi8(a, b), _mm512_min_epi8(a, b)))
    }
    #[inline(always)]
    fn total_u8(self, sum: __m512i) -> u32 {
        self.total_i8(sum).cast_unsigned()
    }
    #[inline(always)]
    fn totals_u8<const N: usize>(self, sums: [__m512i; N]) -> [u32; N] {
        Mixed::totals(self, sums).map(i32::cast_unsigned)
    }
    #[inline(always)]
    fn total_i8(self, sum: __m512i) -> i32 {
        op!(_mm512_reduce_add_epi32(sum))
    }
}

/// Without VNNI: as above, one side signed.
impl Mixed for Avx512 {
    type Sum = __m512i;
    #[inline(always)]
    fn none(self) -> __m512i {
        op!(_mm512_setzero_si512())
    }
    #[inline(always)]
    fn dot_mixed(self, sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        op!({
            let low = _mm512_set1_epi16(0xff);
            let b_even = _mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(b));
            let even = _mm512_madd_epi16(_mm512_and_si512(a, low), b_even);
            let odd = _mm512_madd_epi16(_mm512_srli_epi16::<8>(a), _mm512_srai_epi16::<8>(b));
            _mm512_add_epi32(sum, _mm512_add_epi32(even, odd))
        })
    }
    #[inline(always)]
    fn dot_small(self, sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        // A pair of products is at most 2·3·128, far from where VPMADDUBSW saturates.
        op!(_mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), _mm512_set1_epi16(1))))
    }
    #[inline(always)]
    fn field(self, of: __m512i, shift: u32, mask: u8) -> __m512i {
        // Bits that cross from one byte of a pair into the other are masked away.
        op!(_mm512_and_si512(
            _mm512_srl_epi16(of, _mm_cvtsi32_si128(shift as i32)),
            _mm512_set1_epi8(mask.cast_signed())
        ))
    }
    #[inline(always)]
    fn total(self, sum: __m512i) -> i32 {
        self.total_i8(sum)
    }
    #[inline(always)]
    fn totals<const N: usize>(self, sums: [__m512i; N]) -> [i32; N] {
        let mut totals = [0; N];
        let (fours, rest) = sums.as_chunks::<4>();
        let (out_fours, out_rest) = totals.as_chunks_mut::<4>();
        for (&[a, b, c, d], out) in fours.iter().zip(out_fours) {
            // Sums change places with lanes: first by pairs of sums, then by pairs of pairs, then the four quarters are added.
            *out = op!({
                let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
                let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
                let all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
                let half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64::<1>(all));
                let quarter =
                    _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half));
                core::mem::transmute::<__m128i, [i32; 4]>(quarter)
            });
        }
        for (&sum, out) in rest.iter().zip(out_rest) {
            *out = self.total_i8(sum);
        }
        totals
    }
}

impl Dpbusd for Avx512 {
    #[inline(always)]
    unsafe fn dpbusd(self, sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the caller vouches for AVX512-VNNI; no memory is touched.
        unsafe { _mm512_dpbusd_epi32(sum, a, b) }
    }
    #[inline(always)]
    fn sub_i32(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_sub_epi32(a, b))
    }
    #[inline(always)]
    fn splat(self, byte: i8) -> __m512i {
        op!(_mm512_set1_epi8(byte))
    }
}

/// Without VPOPCNTDQ: a table of the counts of four bits, looked up for either half of each byte.
impl Bitwise for Avx512 {
    type Acc = __m512i;
    #[inline(always)]
    fn zero(self) -> __m512i {
        op!(_mm512_setzero_si512())
    }
    #[inline(always)]
    fn merge(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_add_epi64(a, b))
    }
    #[inline(always)]
    fn and(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_and_si512(a, b))
    }
    #[inline(always)]
    fn or(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_or_si512(a, b))
    }
    #[inline(always)]
    fn xor(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_xor_si512(a, b))
    }
    #[inline(always)]
    fn count(self, sum: __m512i, a: __m512i) -> __m512i {
        op!({
            let counts =
                _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
            let nibble = _mm512_set1_epi8(0x0f);
            let low = _mm512_shuffle_epi8(counts, _mm512_and_si512(a, nibble));
            let high = _mm512_shuffle_epi8(counts, _mm512_and_si512(_mm512_srli_epi16::<4>(a), nibble));
            let bytes = _mm512_add_epi8(low, high);
            _mm512_add_epi64(sum, _mm512_sad_epu8(bytes, _mm512_setzero_si512()))
        })
    }
    #[inline(always)]
    fn total(self, sum: __m512i) -> u64 {
        op!(_mm512_reduce_add_epi64(sum)).cast_unsigned()
    }
}

impl Halves<16> for Avx512 {
    #[inline(always)]
    fn widen(self, from: &[f16; 16], to: &mut [f32; 16]) {
        // SAFETY: 32 bytes are read from `from` and 64 written to `to`, as large as they are; no alignment is needed.
        unsafe {
            _mm512_storeu_ps(to.as_mut_ptr(), _mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast())));
        }
    }
    #[inline(always)]
    fn narrow(self, from: &[f32; 16], to: &mut [f16; 16]) {
        // SAFETY: 64 bytes are read from `from` and 32 written to `to`, as large as they are; no alignment is needed.
        unsafe {
            let halves = _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm512_loadu_ps(from.as_ptr()));
            _mm256_storeu_si256(to.as_mut_ptr().cast(), halves);
        }
    }
}
