//! Eight numbers at a time, in registers of each width.

use super::avx2::Avx2;
use super::avx512::Avx512;
use super::sse2::Sse2;
use crate::quantise::Eights;
use core::arch::x86_64::*;

/// An intrinsic without memory operand, in a method of a token.
macro_rules! op {
    ($intrinsic:expr) => {
        // SAFETY: it only needs the CPU feature, which the token `self` proves; it touches no memory.
        unsafe { $intrinsic }
    };
}

impl Eights for Sse2 {
    type Wide = [__m128d; 4];
    type Whole = [__m128i; 2];
    #[inline(always)]
    fn widen(self, chunk: &[f32; 8]) -> [__m128d; 4] {
        // SAFETY: the 32 bytes read are those of `chunk`; the loads need no alignment, and the token `self` proves the CPU feature.
        let (a, b) = unsafe { (_mm_loadu_ps(chunk.as_ptr()), _mm_loadu_ps(chunk[4..].as_ptr())) };
        op!([
            _mm_cvtps_pd(a),
            _mm_cvtps_pd(_mm_movehl_ps(a, a)),
            _mm_cvtps_pd(b),
            _mm_cvtps_pd(_mm_movehl_ps(b, b))
        ])
    }
    #[inline(always)]
    fn all(self, x: f64) -> [__m128d; 4] {
        op!([_mm_set1_pd(x); 4])
    }
    #[inline(always)]
    fn zero(self) -> [__m128i; 2] {
        op!([_mm_setzero_si128(); 2])
    }
    #[inline(always)]
    fn plus(self, a: [__m128d; 4], b: [__m128d; 4]) -> [__m128d; 4] {
        op!([_mm_add_pd(a[0], b[0]), _mm_add_pd(a[1], b[1]), _mm_add_pd(a[2], b[2]), _mm_add_pd(a[3], b[3])])
    }
    #[inline(always)]
    fn minus(self, a: [__m128d; 4], b: [__m128d; 4]) -> [__m128d; 4] {
        op!([_mm_sub_pd(a[0], b[0]), _mm_sub_pd(a[1], b[1]), _mm_sub_pd(a[2], b[2]), _mm_sub_pd(a[3], b[3])])
    }
    #[inline(always)]
    fn times(self, a: [__m128d; 4], b: [__m128d; 4]) -> [__m128d; 4] {
        op!([_mm_mul_pd(a[0], b[0]), _mm_mul_pd(a[1], b[1]), _mm_mul_pd(a[2], b[2]), _mm_mul_pd(a[3], b[3])])
    }
    #[inline(always)]
    fn magnitude(self, a: [__m128d; 4]) -> [__m128d; 4] {
        let sign = op!(_mm_set1_pd(-0.0));
        a.map(|a| op!(_mm_andnot_pd(sign, a)))
    }
    #[inline(always)]
    fn floor(self, a: [__m128d; 4]) -> [__m128i; 2] {
        // Of a pair with what is no number both instructions answer the second.
        let floor =
            |a| op!(_mm_cvttpd_epi32(_mm_min_pd(_mm_max_pd(a, _mm_setzero_pd()), _mm_set1_pd(255.0))));
        op!([_mm_unpacklo_epi64(floor(a[0]), floor(a[1])), _mm_unpacklo_epi64(floor(a[2]), floor(a[3]))])
    }
    #[inline(always)]
    fn to_wide(self, [a, b]: [__m128i; 2]) -> [__m128d; 4] {
        op!([
            _mm_cvtepi32_pd(a),
            _mm_cvtepi32_pd(_mm_unpackhi_epi64(a, a)),
            _mm_cvtepi32_pd(b),
            _mm_cvtepi32_pd(_mm_unpackhi_epi64(b, b))
        ])
    }
    #[inline(always)]
    fn place(self, offset: f32, step: f32, [a, b]: [__m128i; 2]) -> [__m128d; 4] {
        let place =
            |a| op!(_mm_add_ps(_mm_set1_ps(offset), _mm_mul_ps(_mm_set1_ps(step), _mm_cvtepi32_ps(a))));
        let (a, b) = (place(a), place(b));
        op!([
            _mm_cvtps_pd(a),
            _mm_cvtps_pd(_mm_movehl_ps(a, a)),
            _mm_cvtps_pd(b),
            _mm_cvtps_pd(_mm_movehl_ps(b, b))
        ])
    }
    #[inline(always)]
    fn add(self, a: [__m128i; 2], b: [__m128i; 2]) -> [__m128i; 2] {
        op!([_mm_add_epi32(a[0], b[0]), _mm_add_epi32(a[1], b[1])])
    }
    #[inline(always)]
    fn squares(self, a: [__m128i; 2]) -> [__m128i; 2] {
        // Of two numbers of 16 bits the upper one is 0.
        op!([_mm_madd_epi16(a[0], a[0]), _mm_madd_epi16(a[1], a[1])])
    }
    #[inline(always)]
    fn bytes(self, [a, b]: [__m128i; 2]) -> [u8; 8] {
        op!({
            let halves = _mm_packs_epi32(a, b);
            _mm_cvtsi128_si64(_mm_packus_epi16(halves, halves)).to_ne_bytes()
        })
    }
    #[inline(always)]
    fn whole(self, chunk: &[i32; 8]) -> [__m128i; 2] {
        // SAFETY: the 32 bytes read are those of `chunk`; the loads need no alignment, and the token `self` proves the CPU feature.
        unsafe { [_mm_loadu_si128(chunk.as_ptr().cast()), _mm_loadu_si128(chunk[4..].as_ptr().cast())] }
    }
    #[inline(always)]
    fn above_zero(self, a: [__m128d; 4]) -> [__m128d; 4] {
        // Of a pair with what is no number the instruction answers the second.
        a.map(|a| op!(_mm_max_pd(a, _mm_setzero_pd())))
    }
    #[inline(always)]
    fn narrow(self, a: [__m128d; 4]) -> [f32; 8] {
        let mut lanes = [0.0; 8];
        for (to, a) in lanes.as_chunks_mut::<4>().0.iter_mut().zip(a.as_chunks::<2>().0) {
            // SAFETY: the 16 bytes written are those of `to`; the store needs no alignment, and the token `self` proves the CPU feature.
            unsafe { _mm_storeu_ps(to.as_mut_ptr(), _mm_movelh_ps(_mm_cvtpd_ps(a[0]), _mm_cvtpd_ps(a[1]))) };
        }
        lanes
    }
    #[inline(always)]
    fn lanes(self, a: [__m128d; 4]) -> [f64; 8] {
        let mut lanes = [0.0; 8];
        for (to, a) in lanes.as_chunks_mut::<2>().0.iter_mut().zip(a) {
            // SAFETY: the 16 bytes written are those of `to`; the store needs no alignment, and the token `self` proves the CPU feature.
            unsafe { _mm_storeu_pd(to.as_mut_ptr(), a) };
        }
        lanes
    }
    #[inline(always)]
    fn whole_lanes(self, a: [__m128i; 2]) -> [i32; 8] {
        let mut lanes = [0; 8];
        for (to, a) in lanes.as_chunks_mut::<4>().0.iter_mut().zip(a) {
            // SAFETY: the 16 bytes written are those of `to`; the store needs no alignment, and the token `self` proves the CPU feature.
            unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), a) };
        }
        lanes
    }
}

impl Eights for Avx2 {
    type Wide = [__m256d; 2];
    type Whole = __m256i;
    #[inline(always)]
    fn widen(self, chunk: &[f32; 8]) -> [__m256d; 2] {
        // SAFETY: the 32 bytes read are those of `chunk`; the load needs no alignment, and the token `self` proves the CPU feature.
        halves(self, unsafe { _mm256_loadu_ps(chunk.as_ptr()) })
    }
    #[inline(always)]
    fn all(self, x: f64) -> [__m256d; 2] {
        op!([_mm256_set1_pd(x); 2])
    }
    #[inline(always)]
    fn zero(self) -> __m256i {
        op!(_mm256_setzero_si256())
    }
    #[inline(always)]
    fn plus(self, a: [__m256d; 2], b: [__m256d; 2]) -> [__m256d; 2] {
        op!([_mm256_add_pd(a[0], b[0]), _mm256_add_pd(a[1], b[1])])
    }
    #[inline(always)]
    fn minus(self, a: [__m256d; 2], b: [__m256d; 2]) -> [__m256d; 2] {
        op!([_mm256_sub_pd(a[0], b[0]), _mm256_sub_pd(a[1], b[1])])
    }
    #[inline(always)]
    fn times(self, a: [__m256d; 2], b: [__m256d; 2]) -> [__m256d; 2] {
        op!([_mm256_mul_pd(a[0], b[0]), _mm256_mul_pd(a[1], b[1])])
    }
    #[inline(always)]
    fn magnitude(self, [a, b]: [__m256d; 2]) -> [__m256d; 2] {
        op!({
            let sign = _mm256_set1_pd(-0.0);
            [_mm256_andnot_pd(sign, a), _mm256_andnot_pd(sign, b)]
        })
    }
    #[inline(always)]
    fn floor(self, [a, b]: [__m256d; 2]) -> __m256i {
        // Of a pair with what is no number both instructions answer the second.
        op!({
            let (least, most) = (_mm256_setzero_pd(), _mm256_set1_pd(255.0));
            let a = _mm256_cvttpd_epi32(_mm256_min_pd(_mm256_max_pd(a, least), most));
            let b = _mm256_cvttpd_epi32(_mm256_min_pd(_mm256_max_pd(b, least), most));
            _mm256_set_m128i(b, a)
        })
    }
    #[inline(always)]
    fn to_wide(self, a: __m256i) -> [__m256d; 2] {
        op!([
            _mm256_cvtepi32_pd(_mm256_castsi256_si128(a)),
            _mm256_cvtepi32_pd(_mm256_extracti128_si256::<1>(a))
        ])
    }
    #[inline(always)]
    fn place(self, offset: f32, step: f32, a: __m256i) -> [__m256d; 2] {
        let place = op!(_mm256_add_ps(
            _mm256_set1_ps(offset),
            _mm256_mul_ps(_mm256_set1_ps(step), _mm256_cvtepi32_ps(a))
        ));
        halves(self, place)
    }
    #[inline(always)]
    fn add(self, a: __m256i, b: __m256i) -> __m256i {
        op!(_mm256_add_epi32(a, b))
    }
    #[inline(always)]
    fn squares(self, a: __m256i) -> __m256i {
        // Of two numbers of 16 bits the upper one is 0.
        op!(_mm256_madd_epi16(a, a))
    }
    #[inline(always)]
    fn bytes(self, a: __m256i) -> [u8; 8] {
        op!({
            let halves = _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256::<1>(a));
            _mm_cvtsi128_si64(_mm_packus_epi16(halves, halves)).to_ne_bytes()
        })
    }
    #[inline(always)]
    fn whole(self, chunk: &[i32; 8]) -> __m256i {
        // SAFETY: the 32 bytes read are those of `chunk`; the load needs no alignment, and the token `self` proves the CPU feature.
        unsafe { _mm256_loadu_si256(chunk.as_ptr().cast()) }
    }
    #[inline(always)]
    fn above_zero(self, [a, b]: [__m256d; 2]) -> [__m256d; 2] {
        // Of a pair with what is no number the instruction answers the second.
        op!([_mm256_max_pd(a, _mm256_setzero_pd()), _mm256_max_pd(b, _mm256_setzero_pd())])
    }
    #[inline(always)]
    fn narrow(self, [a, b]: [__m256d; 2]) -> [f32; 8] {
        let mut lanes = [0.0; 8];
        // SAFETY: the 32 bytes written are those of `lanes`; the stores need no alignment, and the token `self` proves the CPU feature.
        unsafe {
            _mm_storeu_ps(lanes.as_mut_ptr(), _mm256_cvtpd_ps(a));
            _mm_storeu_ps(lanes[4..].as_mut_ptr(), _mm256_cvtpd_ps(b));
        }
        lanes
    }
    #[inline(always)]
    fn lanes(self, [a, b]: [__m256d; 2]) -> [f64; 8] {
        let mut lanes = [0.0; 8];
        // SAFETY: the 64 bytes written are those of `lanes`; the stores need no alignment, and the token `self` proves the CPU feature.
        unsafe {
            _mm256_storeu_pd(lanes.as_mut_ptr(), a);
            _mm256_storeu_pd(lanes[4..].as_mut_ptr(), b);
        }
        lanes
    }
    #[inline(always)]
    fn whole_lanes(self, a: __m256i) -> [i32; 8] {
        let mut lanes = [0; 8];
        // SAFETY: the 32 bytes written are those of `lanes`; the store needs no alignment, and the token `self` proves the CPU feature.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), a) };
        lanes
    }
}

/// Both halves of a vector, exactly.
#[inline(always)]
fn halves(_: Avx2, a: __m256) -> [__m256d; 2] {
    op!([_mm256_cvtps_pd(_mm256_castps256_ps128(a)), _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(a))])
}

impl Eights for Avx512 {
    type Wide = __m512d;
    type Whole = __m256i;
    #[inline(always)]
    fn widen(self, chunk: &[f32; 8]) -> __m512d {
        // SAFETY: the 32 bytes read are those of `chunk`; the load needs no alignment, and the token `self` proves the CPU feature.
        unsafe { _mm512_cvtps_pd(_mm256_loadu_ps(chunk.as_ptr())) }
    }
    #[inline(always)]
    fn all(self, x: f64) -> __m512d {
        op!(_mm512_set1_pd(x))
    }
    #[inline(always)]
    fn zero(self) -> __m256i {
        op!(_mm256_setzero_si256())
    }
    #[inline(always)]
    fn plus(self, a: __m512d, b: __m512d) -> __m512d {
        op!(_mm512_add_pd(a, b))
    }
    #[inline(always)]
    fn minus(self, a: __m512d, b: __m512d) -> __m512d {
        op!(_mm512_sub_pd(a, b))
    }
    #[inline(always)]
    fn times(self, a: __m512d, b: __m512d) -> __m512d {
        op!(_mm512_mul_pd(a, b))
    }
    #[inline(always)]
    fn magnitude(self, a: __m512d) -> __m512d {
        op!(_mm512_abs_pd(a))
    }
    #[inline(always)]
    fn floor(self, a: __m512d) -> __m256i {
        // Of a pair with what is no number both instructions answer the second.
        op!(_mm512_cvttpd_epi32(_mm512_min_pd(_mm512_max_pd(a, _mm512_setzero_pd()), _mm512_set1_pd(255.0))))
    }
    #[inline(always)]
    fn to_wide(self, a: __m256i) -> __m512d {
        op!(_mm512_cvtepi32_pd(a))
    }
    #[inline(always)]
    fn place(self, offset: f32, step: f32, a: __m256i) -> __m512d {
        op!(_mm512_cvtps_pd(_mm256_add_ps(
            _mm256_set1_ps(offset),
            _mm256_mul_ps(_mm256_set1_ps(step), _mm256_cvtepi32_ps(a))
        )))
    }
    #[inline(always)]
    fn add(self, a: __m256i, b: __m256i) -> __m256i {
        op!(_mm256_add_epi32(a, b))
    }
    #[inline(always)]
    fn squares(self, a: __m256i) -> __m256i {
        // Of two numbers of 16 bits the upper one is 0.
        op!(_mm256_madd_epi16(a, a))
    }
    #[inline(always)]
    fn bytes(self, a: __m256i) -> [u8; 8] {
        op!(_mm_cvtsi128_si64(_mm256_cvtepi32_epi8(a)).to_ne_bytes())
    }
    #[inline(always)]
    fn whole(self, chunk: &[i32; 8]) -> __m256i {
        // SAFETY: the 32 bytes read are those of `chunk`; the load needs no alignment, and the token `self` proves the CPU feature.
        unsafe { _mm256_loadu_si256(chunk.as_ptr().cast()) }
    }
    #[inline(always)]
    fn above_zero(self, a: __m512d) -> __m512d {
        // Of a pair with what is no number the instruction answers the second.
        op!(_mm512_max_pd(a, _mm512_setzero_pd()))
    }
    #[inline(always)]
    fn narrow(self, a: __m512d) -> [f32; 8] {
        let mut lanes = [0.0; 8];
        // SAFETY: the 32 bytes written are those of `lanes`; the store needs no alignment, and the token `self` proves the CPU feature.
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), _mm512_cvtpd_ps(a)) };
        lanes
    }
    #[inline(always)]
    fn lanes(self, a: __m512d) -> [f64; 8] {
        let mut lanes = [0.0; 8];
        // SAFETY: the 64 bytes written are those of `lanes`; the store needs no alignment, and the token `self` proves the CPU feature.
        unsafe { _mm512_storeu_pd(lanes.as_mut_ptr(), a) };
        lanes
    }
    #[inline(always)]
    fn whole_lanes(self, a: __m256i) -> [i32; 8] {
        let mut lanes = [0; 8];
        // SAFETY: the 32 bytes written are those of `lanes`; the store needs no alignment, and the token `self` proves the CPU feature.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), a) };
        lanes
    }
}
