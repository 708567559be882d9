//! AVX2: vectors of 32 bytes.

use super::vnni::{Dpbusd, Vnni};
use crate::codes::Mixed;
use crate::convert::Halves;
use crate::lanes::{Bitwise, Floats, Integers, Lanes, Token, gather};
use crate::set::{bytes, codes, kernel_set};
use crate::tiles::{Tiles, Tiling, nearest};
use crate::{Kernels, Nearest, Panels};
use core::arch::x86_64::*;
use half::f16;
use zerocopy::IntoBytes;

/// Stands for AVX2, FMA, F16C and POPCNT.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

/// Haswell, Zen 1 and later.
pub(crate) static KERNELS: Kernels = BASE;
/// Alder Lake, Sierra Forest, Zen 5 and later.
pub(crate) static WITH_VNNI: Kernels = Kernels {
    name: "avx2-vnni",
    i8: bytes!(Vnni<Avx2>, i8 => i32, ["popcnt,avx2,fma,f16c,avxvnni"]),
    u8: bytes!(Vnni<Avx2>, u8 => u32, ["popcnt,avx2,fma,f16c,avxvnni"]),
    codes: codes!(Vnni<Avx2>, ["popcnt,avx2,fma,f16c,avxvnni"]),
    ..BASE
};

const BASE: Kernels = kernel_set!("avx2", Avx2, ["popcnt,avx2,fma,f16c"]);

impl Token for Avx2 {
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

/// The 16 bytes of `bits`, the lowest first.
#[inline(always)]
fn vector(_: Avx2, bits: u128) -> __m128i {
    op!(_mm_set_epi64x((bits >> 64) as i64, bits as i64))
}

/// Adds up the halves of a vector.
#[inline(always)]
fn fold(_: Avx2, a: __m256) -> __m128 {
    op!(_mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a)))
}

impl Lanes<f32> for Avx2 {
    type Chunk = [f32; 8];
    type V = __m256;
    #[inline(always)]
    fn split(of: &[f32]) -> (&[[f32; 8]], &[f32]) {
        of.as_chunks()
    }
    #[inline(always)]
    fn load(self, chunk: &[f32; 8]) -> __m256 {
        // SAFETY: the 32 bytes read are those of `chunk`; the load needs no alignment.
        unsafe { _mm256_loadu_ps(chunk.as_ptr()) }
    }
    #[inline(always)]
    fn load_partial(self, rest: &[f32]) -> __m256 {
        let length = rest.len().min(8) as i32;
        // SAFETY: lane i is read only where i < length, hence inside of `rest`.
        unsafe {
            let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            _mm256_maskload_ps(rest.as_ptr(), _mm256_cmpgt_epi32(_mm256_set1_epi32(length), lane))
        }
    }
}

impl Lanes<f16> for Avx2 {
    type Chunk = [f16; 8];
    type V = __m256;
    #[inline(always)]
    fn split(of: &[f16]) -> (&[[f16; 8]], &[f16]) {
        of.as_chunks()
    }
    #[inline(always)]
    fn load(self, chunk: &[f16; 8]) -> __m256 {
        // SAFETY: the 16 bytes read are those of `chunk`; the load needs no alignment.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(chunk.as_ptr().cast())) }
    }
    #[inline(always)]
    fn load_partial(self, rest: &[f16]) -> __m256 {
        op!(_mm256_cvtph_ps(vector(self, gather(rest.as_bytes()))))
    }
}

macro_rules! byte_lanes {
    ($e:ty) => {
        impl Lanes<$e> for Avx2 {
            type Chunk = [$e; 32];
            type V = __m256i;
            #[inline(always)]
            fn split(of: &[$e]) -> (&[[$e; 32]], &[$e]) {
                of.as_chunks()
            }
            #[inline(always)]
            fn load(self, chunk: &[$e; 32]) -> __m256i {
                // SAFETY: the 32 bytes read are those of `chunk`; the load needs no alignment.
                unsafe { _mm256_loadu_si256(chunk.as_ptr().cast()) }
            }
            #[inline(always)]
            fn load_partial(self, rest: &[$e]) -> __m256i {
                let rest = rest.as_bytes();
                let (low, high) = rest.split_at(rest.len().min(16));
                op!(_mm256_set_m128i(vector(self, gather(high)), vector(self, gather(low))))
            }
        }
    };
}

byte_lanes!(u8);
byte_lanes!(i8);

impl Floats for Avx2 {
    type V = __m256;
    type Wide = [__m256d; 2];
    #[inline(always)]
    fn zero(self) -> __m256 {
        op!(_mm256_setzero_ps())
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        op!(_mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        op!(_mm256_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        op!(_mm256_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn abs(self, a: __m256) -> __m256 {
        op!(_mm256_andnot_ps(_mm256_set1_ps(-0.0), a))
    }
    #[inline(always)]
    fn total(self, a: __m256) -> f32 {
        let four = fold(self, a);
        op!({
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        })
    }
    #[inline(always)]
    fn wide_zero(self) -> [__m256d; 2] {
        op!([_mm256_setzero_pd(); 2])
    }
    #[inline(always)]
    fn wide_add_square(self, [low, high]: [__m256d; 2], a: __m256) -> [__m256d; 2] {
        op!({
            let a_low = _mm256_cvtps_pd(_mm256_castps256_ps128(a));
            let a_high = _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(a));
            [_mm256_fmadd_pd(a_low, a_low, low), _mm256_fmadd_pd(a_high, a_high, high)]
        })
    }
    #[inline(always)]
    fn wide_add(self, a: [__m256d; 2], b: [__m256d; 2]) -> [__m256d; 2] {
        op!([_mm256_add_pd(a[0], b[0]), _mm256_add_pd(a[1], b[1])])
    }
    #[inline(always)]
    fn wide_total(self, [low, high]: [__m256d; 2]) -> f64 {
        op!({
            let four = _mm256_add_pd(low, high);
            let two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd::<1>(four));
            _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
        })
    }
}

impl Tiles<2> for Avx2 {
    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        op!(_mm256_set1_ps(x))
    }
    #[inline(always)]
    fn load_line(self, line: &[f32; 16]) -> [__m256; 2] {
        let (parts, _) = line.as_chunks::<8>();
        let mut vectors = [Floats::zero(self); 2];
        for (vector, part) in vectors.iter_mut().zip(parts) {
            *vector = <Self as Lanes<f32>>::load(self, part);
        }
        vectors
    }
    #[inline(always)]
    fn store_line(self, vectors: [__m256; 2], line: &mut [f32; 16]) {
        let (parts, _) = line.as_chunks_mut::<8>();
        for (vector, part) in vectors.into_iter().zip(parts) {
            // SAFETY: the 32 bytes written are those of `part`; the store needs no alignment.
            unsafe { _mm256_storeu_ps(part.as_mut_ptr(), vector) }
        }
    }
}

impl Tiling for Avx2 {
    #[inline(always)]
    fn nearest(self, rows: &[&[f32]], panels: &Panels, out: &mut [Nearest]) {
        nearest::<Self, 2, 6, 1>(self, rows, panels, out);
    }
}

/// Without VNNI: even and odd bytes as 16-bit numbers, whose products VPMADDWD adds in pairs.
impl Integers for Avx2 {
    type Acc = __m256i;
    #[inline(always)]
    fn zero(self) -> __m256i {
        op!(_mm256_setzero_si256())
    }
    #[inline(always)]
    fn merge(self, a: __m256i, b: __m256i) -> __m256i {
        op!(_mm256_add_epi32(a, b))
    }
    #[inline(always)]
    fn dot_u8(self, sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
        op!({
            let low = _mm256_set1_epi16(0xff);
            let even = _mm256_madd_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
            let odd = _mm256_madd_epi16(_mm256_srli_epi16::<8>(a), _mm256_srli_epi16::<8>(b));
            _mm256_add_epi32(sum, _mm256_add_epi32(even, odd))
        })
    }
    #[inline(always)]
    fn dot_i8(self, sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
        op!({
            let a_even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(a));
            let b_even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(b));
            let even = _mm256_madd_epi16(a_even, b_even);
            let odd = _mm256_madd_epi16(_mm256_srai_epi16::<8>(a), _mm256_srai_epi16::<8>(b));
            _mm256_add_epi32(sum, _mm256_add_epi32(even, odd))
        })
    }
    #[inline(always)]
    fn difference_u8(self, a: __m256i, b: __m256i) -> __m256i {
        op!(_mm256_sub_epi8(_mm256_max_epu8(a, b), _mm256_min_epu8(a, b)))
    }
    #[inline(always)]
    fn difference_i8(self, a: __m256i, b: __m256i) -> __m256i {
        op!(_mm256_sub_epi8(_mm256_max_epi8(a, b), _mm256_min_epi8(a, b)))
    }
    #[inline(always)]
    fn total_u8(self, sum: __m256i) -> u32 {
        self.total_i8(sum).cast_unsigned()
    }
    #[inline(always)]
    fn total_i8(self, sum: __m256i) -> i32 {
        op!({
            let four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
            let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b01_00_11_10>(four));
            _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b00_00_00_01>(two)))
        })
    }
}

/// Without VNNI: as above, one side signed.
impl Mixed for Avx2 {
    type Sum = __m256i;
    #[inline(always)]
    fn none(self) -> __m256i {
        op!(_mm256_setzero_si256())
    }
    #[inline(always)]
    fn dot_mixed(self, sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
        op!({
            let low = _mm256_set1_epi16(0xff);
            let b_even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(b));
            let even = _mm256_madd_epi16(_mm256_and_si256(a, low), b_even);
            let odd = _mm256_madd_epi16(_mm256_srli_epi16::<8>(a), _mm256_srai_epi16::<8>(b));
            _mm256_add_epi32(sum, _mm256_add_epi32(even, odd))
        })
    }
    #[inline(always)]
    fn dot_small(self, sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
        // A pair of products is at most 2·3·128, far from where VPMADDUBSW saturates.
        op!(_mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1))))
    }
    #[inline(always)]
    fn field(self, of: __m256i, shift: u32, mask: u8) -> __m256i {
        // Bits that cross from one byte of a pair into the other are masked away.
        op!(_mm256_and_si256(
            _mm256_srl_epi16(of, _mm_cvtsi32_si128(shift as i32)),
            _mm256_set1_epi8(mask.cast_signed())
        ))
    }
    #[inline(always)]
    fn total(self, sum: __m256i) -> i32 {
        self.total_i8(sum)
    }
}

impl Dpbusd for Avx2 {
    #[inline(always)]
    unsafe fn dpbusd(self, sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller vouches for AVX-VNNI; no memory is touched.
        unsafe { _mm256_dpbusd_avx_epi32(sum, a, b) }
    }
    #[inline(always)]
    fn sub_i32(self, a: __m256i, b: __m256i) -> __m256i {
        op!(_mm256_sub_epi32(a, b))
    }
    #[inline(always)]
    fn splat(self, byte: i8) -> __m256i {
        op!(_mm256_set1_epi8(byte))
    }
}

/// A table of the counts of four bits, looked up for either half of each byte.
impl Bitwise for Avx2 {
    type Acc = __m256i;
    #[inline(always)]
    fn zero(self) -> __m256i {
        op!(_mm256_setzero_si256())
    }
    #[inline(always)]
    fn merge(self, a: __m256i, b: __m256i) -> __m256i {
        op!(_mm256_add_epi64(a, b))
    }
    #[inline(always)]
    fn and(self, a: __m256i, b: __m256i) -> __m256i {
        op!(_mm256_and_si256(a, b))
    }
    #[inline(always)]
    fn or(self, a: __m256i, b: __m256i) -> __m256i {
        op!(_mm256_or_si256(a, b))
    }
    #[inline(always)]
    fn xor(self, a: __m256i, b: __m256i) -> __m256i {
        op!(_mm256_xor_si256(a, b))
    }
    #[inline(always)]
    fn count(self, sum: __m256i, a: __m256i) -> __m256i {
        op!({
            let counts =
                _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
            let nibble = _mm256_set1_epi8(0x0f);
            let low = _mm256_shuffle_epi8(counts, _mm256_and_si256(a, nibble));
            let high = _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16::<4>(a), nibble));
            let bytes = _mm256_add_epi8(low, high);
            _mm256_add_epi64(sum, _mm256_sad_epu8(bytes, _mm256_setzero_si256()))
        })
    }
    #[inline(always)]
    fn total(self, sum: __m256i) -> u64 {
        op!({
            let two = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
            _mm_cvtsi128_si64(_mm_add_epi64(two, _mm_unpackhi_epi64(two, two))).cast_unsigned()
        })
    }
}

impl Halves<8> for Avx2 {
    #[inline(always)]
    fn widen(self, from: &[f16; 8], to: &mut [f32; 8]) {
        // SAFETY: 16 bytes are read from `from` and 32 written to `to`, as large as they are; no alignment is needed.
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), _mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().cast())));
        }
    }
    #[inline(always)]
    fn narrow(self, from: &[f32; 8], to: &mut [f16; 8]) {
        // SAFETY: 32 bytes are read from `from` and 16 written to `to`, as large as they are; no alignment is needed.
        unsafe {
            let halves = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm256_loadu_ps(from.as_ptr()));
            _mm_storeu_si128(to.as_mut_ptr().cast(), halves);
        }
    }
}
