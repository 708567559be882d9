//! SSE2, which every x86-64 CPU has: vectors of 16 bytes. Half precision is converted by integer arithmetic.

use crate::codes::Mixed;
use crate::convert::Halves;
use crate::lanes::{Bitwise, Floats, Integers, Lanes, Token, gather};
use crate::portable::Portable;
use crate::set::{bits, kernel_set};
use crate::tiles::{Tiles, Tiling, nearest};
use crate::{Kernels, Nearest, Panels};
use core::arch::x86_64::*;
use half::f16;
use zerocopy::IntoBytes;

/// Stands for SSE2.
#[derive(Clone, Copy)]
pub(crate) struct Sse2(());

pub(crate) static KERNELS: Kernels = BASE;

/// CPUs since 2009, and what virtual machines often offer: with an instruction that counts the bits of an integer, which the
/// plain loops become.
pub(crate) static WITH_POPCNT: Kernels =
    Kernels { name: "sse2-popcnt", bits: bits!(Portable, ["sse2,popcnt"]), ..BASE };

const BASE: Kernels = kernel_set!("sse2", Sse2, ["sse2"]);

impl Token for Sse2 {
    #[inline(always)]
    unsafe fn assume() -> Self {
        Self(())
    }
}

/// An intrinsic without memory operand, in a function that has a token.
macro_rules! op {
    ($intrinsic:expr) => {
        // SAFETY: it only needs the CPU feature, which the token proves; it touches no memory.
        unsafe { $intrinsic }
    };
}

/// The 16 bytes of `bits`, the lowest first.
#[inline(always)]
fn vector(_: Sse2, bits: u128) -> __m128i {
    op!(_mm_set_epi64x((bits >> 64) as i64, bits as i64))
}

/// The halves in the low 8 bytes as floats: [`crate::convert::f16_to_f32`] in vectors.
#[inline(always)]
fn widen(_: Sse2, halves: __m128i) -> __m128 {
    op!({
        let bits = _mm_unpacklo_epi16(halves, _mm_setzero_si128());
        let magnitude = _mm_and_si128(bits, _mm_set1_epi32(0x7fff));
        let sign = _mm_slli_epi32::<16>(_mm_xor_si128(bits, magnitude));
        let scale = _mm_castsi128_ps(_mm_set1_epi32(0x7780_0000));
        let finite = _mm_mul_ps(_mm_castsi128_ps(_mm_slli_epi32::<13>(magnitude)), scale);
        let not_finite = _mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x7bff));
        let special = _mm_and_si128(not_finite, _mm_set1_epi32(0x7f80_0000));
        _mm_or_ps(finite, _mm_castsi128_ps(_mm_or_si128(special, sign)))
    })
}

/// Floats as halves in the low end of 32-bit lanes, sign-extended: [`crate::convert::f32_to_f16`] in vectors.
#[inline(always)]
fn narrow(_: Sse2, floats: __m128) -> __m128i {
    let choose = |mask, yes, no| op!(_mm_or_si128(_mm_and_si128(mask, yes), _mm_andnot_si128(mask, no)));
    let splat = |value| op!(_mm_set1_epi32(value));
    // Magnitudes are below 2³¹, so that signed comparison serves.
    let above = |a, b| op!(_mm_cmpgt_epi32(a, splat(b)));
    op!({
        let bits = _mm_castps_si128(floats);
        let magnitude = _mm_and_si128(bits, splat(0x7fff_ffff));
        let half = _mm_set1_ps(0.5);
        let subnormal = _mm_castps_si128(_mm_add_ps(_mm_castsi128_ps(magnitude), half));
        let subnormal = _mm_sub_epi32(subnormal, _mm_castps_si128(half));
        let odd = _mm_and_si128(_mm_srli_epi32::<13>(magnitude), splat(1));
        let rounded = _mm_add_epi32(magnitude, _mm_add_epi32(odd, splat(0xfff)));
        let normal = _mm_sub_epi32(_mm_srli_epi32::<13>(rounded), splat(112 << 10));
        let finite = choose(above(magnitude, 0x387f_ffff), normal, subnormal);
        let number = choose(above(magnitude, 0x477f_efff), splat(0x7c00), finite);
        let payload = _mm_and_si128(_mm_srli_epi32::<13>(magnitude), splat(0x3ff));
        let nan = _mm_or_si128(payload, splat(0x7e00));
        let result = choose(above(magnitude, 0x7f80_0000), nan, number);
        let sign = _mm_and_si128(_mm_srli_epi32::<16>(bits), splat(0x8000));
        _mm_srai_epi32::<16>(_mm_slli_epi32::<16>(_mm_or_si128(result, sign)))
    })
}

impl Lanes<f32> for Sse2 {
    type Chunk = [f32; 4];
    type V = __m128;
    #[inline(always)]
    fn split(of: &[f32]) -> (&[[f32; 4]], &[f32]) {
        of.as_chunks()
    }
    #[inline(always)]
    fn load(self, chunk: &[f32; 4]) -> __m128 {
        // SAFETY: the 16 bytes read are those of `chunk`; the load needs no alignment.
        unsafe { _mm_loadu_ps(chunk.as_ptr()) }
    }
    #[inline(always)]
    fn load_partial(self, rest: &[f32]) -> __m128 {
        op!(_mm_castsi128_ps(vector(self, gather(rest.as_bytes()))))
    }
}

impl Lanes<f16> for Sse2 {
    type Chunk = [f16; 4];
    type V = __m128;
    #[inline(always)]
    fn split(of: &[f16]) -> (&[[f16; 4]], &[f16]) {
        of.as_chunks()
    }
    #[inline(always)]
    fn load(self, chunk: &[f16; 4]) -> __m128 {
        // SAFETY: the 8 bytes read are those of `chunk`; the load needs no alignment.
        widen(self, unsafe { _mm_loadl_epi64(chunk.as_ptr().cast()) })
    }
    #[inline(always)]
    fn load_partial(self, rest: &[f16]) -> __m128 {
        widen(self, vector(self, gather(rest.as_bytes())))
    }
}

macro_rules! byte_lanes {
    ($e:ty) => {
        impl Lanes<$e> for Sse2 {
            type Chunk = [$e; 16];
            type V = __m128i;
            #[inline(always)]
            fn split(of: &[$e]) -> (&[[$e; 16]], &[$e]) {
                of.as_chunks()
            }
            #[inline(always)]
            fn load(self, chunk: &[$e; 16]) -> __m128i {
                // SAFETY: the 16 bytes read are those of `chunk`; the load needs no alignment.
                unsafe { _mm_loadu_si128(chunk.as_ptr().cast()) }
            }
            #[inline(always)]
            fn load_partial(self, rest: &[$e]) -> __m128i {
                vector(self, gather(rest.as_bytes()))
            }
        }
    };
}

byte_lanes!(u8);
byte_lanes!(i8);

impl Floats for Sse2 {
    type V = __m128;
    type Wide = [__m128d; 2];
    #[inline(always)]
    fn zero(self) -> __m128 {
        op!(_mm_setzero_ps())
    }
    #[inline(always)]
    fn add(self, a: __m128, b: __m128) -> __m128 {
        op!(_mm_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m128, b: __m128) -> __m128 {
        op!(_mm_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: __m128, b: __m128, c: __m128) -> __m128 {
        op!(_mm_add_ps(_mm_mul_ps(a, b), c))
    }
    #[inline(always)]
    fn abs(self, a: __m128) -> __m128 {
        op!(_mm_andnot_ps(_mm_set1_ps(-0.0), a))
    }
    #[inline(always)]
    fn total(self, a: __m128) -> f32 {
        op!({
            let two = _mm_add_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        })
    }
    #[inline(always)]
    fn wide_zero(self) -> [__m128d; 2] {
        op!([_mm_setzero_pd(); 2])
    }
    #[inline(always)]
    fn wide_add_square(self, [low, high]: [__m128d; 2], a: __m128) -> [__m128d; 2] {
        op!({
            let (a_low, a_high) = (_mm_cvtps_pd(a), _mm_cvtps_pd(_mm_movehl_ps(a, a)));
            [_mm_add_pd(low, _mm_mul_pd(a_low, a_low)), _mm_add_pd(high, _mm_mul_pd(a_high, a_high))]
        })
    }
    #[inline(always)]
    fn wide_add(self, a: [__m128d; 2], b: [__m128d; 2]) -> [__m128d; 2] {
        op!([_mm_add_pd(a[0], b[0]), _mm_add_pd(a[1], b[1])])
    }
    #[inline(always)]
    fn wide_total(self, [low, high]: [__m128d; 2]) -> f64 {
        op!({
            let two = _mm_add_pd(low, high);
            _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
        })
    }
}

impl Tiles<4> for Sse2 {
    #[inline(always)]
    fn splat(self, x: f32) -> __m128 {
        op!(_mm_set1_ps(x))
    }
    #[inline(always)]
    fn load_line(self, line: &[f32; 16]) -> [__m128; 4] {
        let (parts, _) = line.as_chunks::<4>();
        let mut vectors = [Floats::zero(self); 4];
        for (vector, part) in vectors.iter_mut().zip(parts) {
            *vector = <Self as Lanes<f32>>::load(self, part);
        }
        vectors
    }
    #[inline(always)]
    fn store_line(self, vectors: [__m128; 4], line: &mut [f32; 16]) {
        let (parts, _) = line.as_chunks_mut::<4>();
        for (vector, part) in vectors.into_iter().zip(parts) {
            // SAFETY: the 16 bytes written are those of `part`; the store needs no alignment.
            unsafe { _mm_storeu_ps(part.as_mut_ptr(), vector) }
        }
    }
}

impl Tiling for Sse2 {
    #[inline(always)]
    fn nearest(self, rows: &[&[f32]], panels: &Panels, out: &mut [Nearest]) {
        nearest::<Self, 4, 3, 1>(self, rows, panels, out);
    }
}

/// Even and odd bytes as 16-bit numbers, whose products PMADDWD adds in pairs.
impl Integers for Sse2 {
    type Acc = __m128i;
    #[inline(always)]
    fn zero(self) -> __m128i {
        op!(_mm_setzero_si128())
    }
    #[inline(always)]
    fn merge(self, a: __m128i, b: __m128i) -> __m128i {
        op!(_mm_add_epi32(a, b))
    }
    #[inline(always)]
    fn dot_u8(self, sum: __m128i, a: __m128i, b: __m128i) -> __m128i {
        op!({
            let low = _mm_set1_epi16(0xff);
            let even = _mm_madd_epi16(_mm_and_si128(a, low), _mm_and_si128(b, low));
            let odd = _mm_madd_epi16(_mm_srli_epi16::<8>(a), _mm_srli_epi16::<8>(b));
            _mm_add_epi32(sum, _mm_add_epi32(even, odd))
        })
    }
    #[inline(always)]
    fn dot_i8(self, sum: __m128i, a: __m128i, b: __m128i) -> __m128i {
        op!({
            let a_even = _mm_srai_epi16::<8>(_mm_slli_epi16::<8>(a));
            let b_even = _mm_srai_epi16::<8>(_mm_slli_epi16::<8>(b));
            let even = _mm_madd_epi16(a_even, b_even);
            let odd = _mm_madd_epi16(_mm_srai_epi16::<8>(a), _mm_srai_epi16::<8>(b));
            _mm_add_epi32(sum, _mm_add_epi32(even, odd))
        })
    }
    #[inline(always)]
    fn difference_u8(self, a: __m128i, b: __m128i) -> __m128i {
        op!(_mm_sub_epi8(_mm_max_epu8(a, b), _mm_min_epu8(a, b)))
    }
    #[inline(always)]
    fn difference_i8(self, a: __m128i, b: __m128i) -> __m128i {
        // There is no signed maximum. Moving both by 128 makes them unsigned and keeps the difference.
        let tops = op!(_mm_set1_epi8(i8::MIN));
        self.difference_u8(self.xor(a, tops), self.xor(b, tops))
    }
    #[inline(always)]
    fn total_u8(self, sum: __m128i) -> u32 {
        self.total_i8(sum).cast_unsigned()
    }
    #[inline(always)]
    fn total_i8(self, sum: __m128i) -> i32 {
        op!({
            let two = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b01_00_11_10>(sum));
            _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b00_00_00_01>(two)))
        })
    }
}

/// Without VNNI: as above, one side signed.
impl Mixed for Sse2 {
    type Sum = __m128i;
    #[inline(always)]
    fn none(self) -> __m128i {
        op!(_mm_setzero_si128())
    }
    #[inline(always)]
    fn dot_mixed(self, sum: __m128i, a: __m128i, b: __m128i) -> __m128i {
        op!({
            let low = _mm_set1_epi16(0xff);
            let b_even = _mm_srai_epi16::<8>(_mm_slli_epi16::<8>(b));
            let even = _mm_madd_epi16(_mm_and_si128(a, low), b_even);
            let odd = _mm_madd_epi16(_mm_srli_epi16::<8>(a), _mm_srai_epi16::<8>(b));
            _mm_add_epi32(sum, _mm_add_epi32(even, odd))
        })
    }
    #[inline(always)]
    fn dot_small(self, sum: __m128i, a: __m128i, b: __m128i) -> __m128i {
        self.dot_mixed(sum, a, b)
    }
    #[inline(always)]
    fn field(self, of: __m128i, shift: u32, mask: u8) -> __m128i {
        // Bits that cross from one byte of a pair into the other are masked away.
        op!(_mm_and_si128(
            _mm_srl_epi16(of, _mm_cvtsi32_si128(shift as i32)),
            _mm_set1_epi8(mask.cast_signed())
        ))
    }
    #[inline(always)]
    fn total(self, sum: __m128i) -> i32 {
        self.total_i8(sum)
    }
}

/// Sums of neighbouring bits, then of pairs, then of groups of four.
impl Bitwise for Sse2 {
    type Acc = __m128i;
    #[inline(always)]
    fn zero(self) -> __m128i {
        op!(_mm_setzero_si128())
    }
    #[inline(always)]
    fn merge(self, a: __m128i, b: __m128i) -> __m128i {
        op!(_mm_add_epi64(a, b))
    }
    #[inline(always)]
    fn and(self, a: __m128i, b: __m128i) -> __m128i {
        op!(_mm_and_si128(a, b))
    }
    #[inline(always)]
    fn or(self, a: __m128i, b: __m128i) -> __m128i {
        op!(_mm_or_si128(a, b))
    }
    #[inline(always)]
    fn xor(self, a: __m128i, b: __m128i) -> __m128i {
        op!(_mm_xor_si128(a, b))
    }
    #[inline(always)]
    fn count(self, sum: __m128i, a: __m128i) -> __m128i {
        op!({
            let (ones, twos, fours) = (_mm_set1_epi8(0x55), _mm_set1_epi8(0x33), _mm_set1_epi8(0x0f));
            let pairs = _mm_sub_epi8(a, _mm_and_si128(_mm_srli_epi16::<1>(a), ones));
            let nibbles =
                _mm_add_epi8(_mm_and_si128(pairs, twos), _mm_and_si128(_mm_srli_epi16::<2>(pairs), twos));
            let bytes = _mm_and_si128(_mm_add_epi8(nibbles, _mm_srli_epi16::<4>(nibbles)), fours);
            _mm_add_epi64(sum, _mm_sad_epu8(bytes, _mm_setzero_si128()))
        })
    }
    #[inline(always)]
    fn total(self, sum: __m128i) -> u64 {
        op!(_mm_cvtsi128_si64(_mm_add_epi64(sum, _mm_unpackhi_epi64(sum, sum)))).cast_unsigned()
    }
}

impl Halves<8> for Sse2 {
    #[inline(always)]
    fn widen(self, from: &[f16; 8], to: &mut [f32; 8]) {
        // SAFETY: 16 bytes are read from `from` and twice 16 written to `to`, as large as they are, at any alignment.
        unsafe {
            let halves = _mm_loadu_si128(from.as_ptr().cast());
            _mm_storeu_ps(to.as_mut_ptr(), widen(self, halves));
            _mm_storeu_ps(to.as_mut_ptr().add(4), widen(self, _mm_unpackhi_epi64(halves, halves)));
        }
    }
    #[inline(always)]
    fn narrow(self, from: &[f32; 8], to: &mut [f16; 8]) {
        // SAFETY: twice 16 bytes are read from `from` and 16 written to `to`, as large as they are, at any alignment.
        unsafe {
            let low = narrow(self, _mm_loadu_ps(from.as_ptr()));
            let high = narrow(self, _mm_loadu_ps(from.as_ptr().add(4)));
            // Sign-extended as they are, saturation changes nothing.
            _mm_storeu_si128(to.as_mut_ptr().cast(), _mm_packs_epi32(low, high));
        }
    }
}
