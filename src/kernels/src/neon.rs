//! AArch64 with NEON: registers of 16 bytes, floats in pairs of them.

#![allow(unsafe_code)]

use crate::convert::Halves;
use crate::lanes::{Bitwise, Floats, Integers, Lanes, Token, gather};
use crate::portable::Portable;
use crate::quantise::eights_of_arrays;
use crate::set::kernel_set;
use crate::tiles::{Tiles, Tiling, nearest};
use crate::{Kernels, Nearest, Panels};
use core::arch::aarch64::*;
use half::f16;
use std::arch::is_aarch64_feature_detected;
use zerocopy::IntoBytes;

/// Stands for NEON. Its conversions of half precision are in every CPU that has it.
#[derive(Clone, Copy)]
pub(crate) struct Neon(());

static KERNELS: Kernels = kernel_set!("neon", Neon, ["neon"], codes: Portable);

/// The sets for this CPU, slowest first.
pub(crate) fn available() -> impl Iterator<Item = &'static Kernels> {
    is_aarch64_feature_detected!("neon").then_some(&KERNELS).into_iter()
}

impl Token for Neon {
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
fn vector(_: Neon, bits: u128) -> uint8x16_t {
    op!(vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(bits as u64), vcreate_u64((bits >> 64) as u64))))
}

/// Eight halves as floats.
#[inline(always)]
fn widen(_: Neon, halves: uint8x16_t) -> [float32x4_t; 2] {
    op!({
        let halves = vreinterpretq_u16_u8(halves);
        let (low, high) = (vget_low_u16(halves), vget_high_u16(halves));
        [vcvt_f32_f16(vreinterpret_f16_u16(low)), vcvt_f32_f16(vreinterpret_f16_u16(high))]
    })
}

impl Lanes<f32> for Neon {
    type Chunk = [f32; 8];
    type V = [float32x4_t; 2];
    #[inline(always)]
    fn split(of: &[f32]) -> (&[[f32; 8]], &[f32]) {
        of.as_chunks()
    }
    #[inline(always)]
    fn load(self, chunk: &[f32; 8]) -> [float32x4_t; 2] {
        // SAFETY: the two reads of 16 bytes are the 32 bytes of `chunk`.
        unsafe { [vld1q_f32(chunk.as_ptr()), vld1q_f32(chunk.as_ptr().add(4))] }
    }
    #[inline(always)]
    fn load_partial(self, rest: &[f32]) -> [float32x4_t; 2] {
        let (low, high) = rest.split_at(rest.len().min(4));
        [low, high].map(|part| op!(vreinterpretq_f32_u8(vector(self, gather(part.as_bytes())))))
    }
}

impl Lanes<f16> for Neon {
    type Chunk = [f16; 8];
    type V = [float32x4_t; 2];
    #[inline(always)]
    fn split(of: &[f16]) -> (&[[f16; 8]], &[f16]) {
        of.as_chunks()
    }
    #[inline(always)]
    fn load(self, chunk: &[f16; 8]) -> [float32x4_t; 2] {
        // SAFETY: the 16 bytes read are those of `chunk`.
        let halves = unsafe { vld1q_u8(chunk.as_ptr().cast()) };
        widen(self, halves)
    }
    #[inline(always)]
    fn load_partial(self, rest: &[f16]) -> [float32x4_t; 2] {
        widen(self, vector(self, gather(rest.as_bytes())))
    }
}

macro_rules! byte_lanes {
    ($e:ty) => {
        impl Lanes<$e> for Neon {
            type Chunk = [$e; 16];
            type V = uint8x16_t;
            #[inline(always)]
            fn split(of: &[$e]) -> (&[[$e; 16]], &[$e]) {
                of.as_chunks()
            }
            #[inline(always)]
            fn load(self, chunk: &[$e; 16]) -> uint8x16_t {
                // SAFETY: the 16 bytes read are those of `chunk`.
                unsafe { vld1q_u8(chunk.as_ptr().cast()) }
            }
            #[inline(always)]
            fn load_partial(self, rest: &[$e]) -> uint8x16_t {
                vector(self, gather(rest.as_bytes()))
            }
        }
    };
}

byte_lanes!(u8);
byte_lanes!(i8);

/// Each method does the same to both registers of the pair.
impl Floats for Neon {
    type V = [float32x4_t; 2];
    type Wide = [float64x2_t; 4];
    #[inline(always)]
    fn zero(self) -> Self::V {
        op!([vdupq_n_f32(0.0); 2])
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        op!([vaddq_f32(a[0], b[0]), vaddq_f32(a[1], b[1])])
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        op!([vsubq_f32(a[0], b[0]), vsubq_f32(a[1], b[1])])
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        op!([vfmaq_f32(c[0], a[0], b[0]), vfmaq_f32(c[1], a[1], b[1])])
    }
    #[inline(always)]
    fn abs(self, a: Self::V) -> Self::V {
        op!([vabsq_f32(a[0]), vabsq_f32(a[1])])
    }
    #[inline(always)]
    fn total(self, a: Self::V) -> f32 {
        op!(vaddvq_f32(vaddq_f32(a[0], a[1])))
    }
    #[inline(always)]
    fn wide_zero(self) -> Self::Wide {
        op!([vdupq_n_f64(0.0); 4])
    }
    #[inline(always)]
    fn wide_add_square(self, sum: Self::Wide, a: Self::V) -> Self::Wide {
        op!({
            let square = |sum, a| vfmaq_f64(sum, a, a);
            [
                square(sum[0], vcvt_f64_f32(vget_low_f32(a[0]))),
                square(sum[1], vcvt_high_f64_f32(a[0])),
                square(sum[2], vcvt_f64_f32(vget_low_f32(a[1]))),
                square(sum[3], vcvt_high_f64_f32(a[1])),
            ]
        })
    }
    #[inline(always)]
    fn wide_add(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        op!([vaddq_f64(a[0], b[0]), vaddq_f64(a[1], b[1]), vaddq_f64(a[2], b[2]), vaddq_f64(a[3], b[3])])
    }
    #[inline(always)]
    fn wide_total(self, a: Self::Wide) -> f64 {
        op!(vaddvq_f64(vaddq_f64(vaddq_f64(a[0], a[1]), vaddq_f64(a[2], a[3]))))
    }
}

impl Tiles<2> for Neon {
    #[inline(always)]
    fn splat(self, x: f32) -> [float32x4_t; 2] {
        op!([vdupq_n_f32(x); 2])
    }
    #[inline(always)]
    fn load_line(self, line: &[f32; 16]) -> [[float32x4_t; 2]; 2] {
        let (parts, _) = line.as_chunks::<8>();
        let mut vectors = [Floats::zero(self); 2];
        for (vector, part) in vectors.iter_mut().zip(parts) {
            *vector = <Self as Lanes<f32>>::load(self, part);
        }
        vectors
    }
    #[inline(always)]
    fn store_line(self, vectors: [[float32x4_t; 2]; 2], line: &mut [f32; 16]) {
        let (parts, _) = line.as_chunks_mut::<4>();
        for (vector, part) in vectors.into_iter().flatten().zip(parts) {
            // SAFETY: the 16 bytes written are those of `part`.
            unsafe { vst1q_f32(part.as_mut_ptr(), vector) }
        }
    }
}

impl Tiling for Neon {
    #[inline(always)]
    fn nearest(self, rows: &[&[f32]], panels: &Panels, out: &mut [Nearest]) {
        nearest::<Self, 2, 6, 1>(self, rows, panels, out);
    }
}

/// Products of 16 bits, added in pairs to lanes of 32. None overflows 16 bits: at most 255² unsigned, 128² signed.
impl Integers for Neon {
    type Acc = uint32x4_t;
    #[inline(always)]
    fn zero(self) -> uint32x4_t {
        op!(vdupq_n_u32(0))
    }
    #[inline(always)]
    fn merge(self, a: uint32x4_t, b: uint32x4_t) -> uint32x4_t {
        op!(vaddq_u32(a, b))
    }
    #[inline(always)]
    fn dot_u8(self, sum: uint32x4_t, a: uint8x16_t, b: uint8x16_t) -> uint32x4_t {
        op!({
            let sum = vpadalq_u16(sum, vmull_u8(vget_low_u8(a), vget_low_u8(b)));
            vpadalq_u16(sum, vmull_high_u8(a, b))
        })
    }
    #[inline(always)]
    fn dot_i8(self, sum: uint32x4_t, a: uint8x16_t, b: uint8x16_t) -> uint32x4_t {
        op!({
            let (a, b) = (vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b));
            let sum = vpadalq_s16(vreinterpretq_s32_u32(sum), vmull_s8(vget_low_s8(a), vget_low_s8(b)));
            vreinterpretq_u32_s32(vpadalq_s16(sum, vmull_high_s8(a, b)))
        })
    }
    #[inline(always)]
    fn difference_u8(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        op!(vabdq_u8(a, b))
    }
    #[inline(always)]
    fn difference_i8(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        op!(vreinterpretq_u8_s8(vabdq_s8(vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b))))
    }
    #[inline(always)]
    fn total_u8(self, sum: uint32x4_t) -> u32 {
        op!(vaddvq_u32(sum))
    }
    #[inline(always)]
    fn total_i8(self, sum: uint32x4_t) -> i32 {
        self.total_u8(sum).cast_signed()
    }
}

impl Bitwise for Neon {
    type Acc = uint64x2_t;
    #[inline(always)]
    fn zero(self) -> uint64x2_t {
        op!(vdupq_n_u64(0))
    }
    #[inline(always)]
    fn merge(self, a: uint64x2_t, b: uint64x2_t) -> uint64x2_t {
        op!(vaddq_u64(a, b))
    }
    #[inline(always)]
    fn and(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        op!(vandq_u8(a, b))
    }
    #[inline(always)]
    fn or(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        op!(vorrq_u8(a, b))
    }
    #[inline(always)]
    fn xor(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        op!(veorq_u8(a, b))
    }
    #[inline(always)]
    fn count(self, sum: uint64x2_t, a: uint8x16_t) -> uint64x2_t {
        op!(vpadalq_u32(sum, vpaddlq_u16(vpaddlq_u8(vcntq_u8(a)))))
    }
    #[inline(always)]
    fn total(self, sum: uint64x2_t) -> u64 {
        op!(vaddvq_u64(sum))
    }
}

eights_of_arrays!(Neon);

impl Halves<8> for Neon {
    #[inline(always)]
    fn widen(self, from: &[f16; 8], to: &mut [f32; 8]) {
        let [low, high] = <Self as Lanes<f16>>::load(self, from);
        // SAFETY: the two writes of 16 bytes are the 32 bytes of `to`.
        unsafe {
            vst1q_f32(to.as_mut_ptr(), low);
            vst1q_f32(to.as_mut_ptr().add(4), high);
        }
    }
    #[inline(always)]
    fn narrow(self, from: &[f32; 8], to: &mut [f16; 8]) {
        let [low, high] = <Self as Lanes<f32>>::load(self, from);
        // SAFETY: the two writes of 8 bytes are the 16 bytes of `to`.
        unsafe {
            vst1_u16(to.as_mut_ptr().cast(), vreinterpret_u16_f16(vcvt_f16_f32(low)));
            vst1_u16(to.as_mut_ptr().cast::<u16>().add(4), vreinterpret_u16_f16(vcvt_f16_f32(high)));
        }
    }
}
