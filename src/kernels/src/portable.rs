//! Plain Rust on arrays of the width of a small vector register. The compiler turns it into vector code for whatever
//! features the function around it has.

#![allow(unsafe_code)]

use crate::codes::Mixed;
use crate::convert::{Halves, f16_to_f32, f32_to_f16};
use crate::lanes::{Bitwise, Floats, Integers, Lanes, Token, gather};
use crate::quantise::eights_of_arrays;
use crate::set::kernel_set;
use crate::tiles::{Tiles, Tiling, nearest};
use crate::{Kernels, Nearest, Panels};
use half::f16;
use zerocopy::IntoBytes;

/// Stands for no feature at all.
#[derive(Clone, Copy)]
pub(crate) struct Portable(());

pub(crate) static KERNELS: Kernels = kernel_set!("portable", Portable, []);

const FLOATS: usize = 4;
const BYTES: usize = 16;

impl Token for Portable {
    #[inline(always)]
    unsafe fn assume() -> Self {
        Self(())
    }
}

/// Applies `f` lane by lane. (Loops, because `array::map` keeps LLVM from making vectors.)
#[inline(always)]
fn map<A: Copy, B: Copy + Default, const N: usize>(a: [A; N], f: impl Fn(A) -> B) -> [B; N] {
    let mut result = [B::default(); N];
    for i in 0..N {
        result[i] = f(a[i]);
    }
    result
}

#[inline(always)]
fn zip<A: Copy, B: Copy, C: Copy + Default, const N: usize>(
    a: [A; N],
    b: [B; N],
    f: impl Fn(A, B) -> C,
) -> [C; N] {
    let mut result = [C::default(); N];
    for i in 0..N {
        result[i] = f(a[i], b[i]);
    }
    result
}

macro_rules! float_lanes {
    ($e:ty, $widen:expr) => {
        impl Lanes<$e> for Portable {
            type Chunk = [$e; FLOATS];
            type V = [f32; FLOATS];
            #[inline(always)]
            fn split(of: &[$e]) -> (&[[$e; FLOATS]], &[$e]) {
                of.as_chunks()
            }
            #[inline(always)]
            fn load(self, chunk: &[$e; FLOATS]) -> [f32; FLOATS] {
                map(*chunk, $widen)
            }
            #[inline(always)]
            fn load_partial(self, rest: &[$e]) -> [f32; FLOATS] {
                let mut lanes = [0.0; FLOATS];
                for i in 0..FLOATS {
                    lanes[i] = rest.get(i).map_or(0.0, |element| $widen(*element));
                }
                lanes
            }
        }
    };
}

float_lanes!(f32, |x| x);
float_lanes!(f16, f16_to_f32);

macro_rules! byte_lanes {
    ($e:ty) => {
        impl Lanes<$e> for Portable {
            type Chunk = [$e; BYTES];
            type V = [u8; BYTES];
            #[inline(always)]
            fn split(of: &[$e]) -> (&[[$e; BYTES]], &[$e]) {
                of.as_chunks()
            }
            #[inline(always)]
            fn load(self, chunk: &[$e; BYTES]) -> [u8; BYTES] {
                map(*chunk, |byte| byte as u8)
            }
            #[inline(always)]
            fn load_partial(self, rest: &[$e]) -> [u8; BYTES] {
                gather(rest.as_bytes()).to_le_bytes()
            }
        }
    };
}

byte_lanes!(u8);
byte_lanes!(i8);

impl Floats for Portable {
    type V = [f32; FLOATS];
    type Wide = [f64; FLOATS];
    #[inline(always)]
    fn zero(self) -> Self::V {
        [0.0; FLOATS]
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // Not `f32::mul_add`, which is a function call where the CPU has no such instruction.
        zip(zip(a, b, |a, b| a * b), c, |product, c| product + c)
    }
    #[inline(always)]
    fn abs(self, a: Self::V) -> Self::V {
        map(a, f32::abs)
    }
    #[inline(always)]
    fn total(self, a: Self::V) -> f32 {
        a.into_iter().fold(0.0, |sum, lane| sum + lane)
    }
    #[inline(always)]
    fn wide_zero(self) -> Self::Wide {
        [0.0; FLOATS]
    }
    #[inline(always)]
    fn wide_add_square(self, sum: Self::Wide, a: Self::V) -> Self::Wide {
        zip(sum, a, |sum, a| sum + f64::from(a) * f64::from(a))
    }
    #[inline(always)]
    fn wide_add(self, a: Self::Wide, b: Self::Wide) -> Self::Wide {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn wide_total(self, a: Self::Wide) -> f64 {
        a.into_iter().fold(0.0, |sum, lane| sum + lane)
    }
}

impl Tiles<4> for Portable {
    #[inline(always)]
    fn splat(self, x: f32) -> [f32; FLOATS] {
        [x; FLOATS]
    }
    #[inline(always)]
    fn load_line(self, line: &[f32; 16]) -> [[f32; FLOATS]; 4] {
        let (parts, _) = line.as_chunks();
        [parts[0], parts[1], parts[2], parts[3]]
    }
    #[inline(always)]
    fn store_line(self, vectors: [[f32; FLOATS]; 4], line: &mut [f32; 16]) {
        let (parts, _) = line.as_chunks_mut();
        for (part, vector) in parts.iter_mut().zip(vectors) {
            *part = vector;
        }
    }
}

impl Tiling for Portable {
    #[inline(always)]
    fn nearest(self, rows: &[&[f32]], panels: &Panels, out: &mut [Nearest]) {
        nearest::<Self, 4, 3, 1>(self, rows, panels, out);
    }
}

impl Integers for Portable {
    type Acc = u32;
    #[inline(always)]
    fn zero(self) -> u32 {
        0
    }
    #[inline(always)]
    fn merge(self, a: u32, b: u32) -> u32 {
        a.wrapping_add(b)
    }
    #[inline(always)]
    fn dot_u8(self, sum: u32, a: [u8; BYTES], b: [u8; BYTES]) -> u32 {
        // At most 16·255², so only the last addition can wrap.
        sum.wrapping_add(a.into_iter().zip(b).map(|(a, b)| u32::from(a) * u32::from(b)).sum())
    }
    #[inline(always)]
    fn dot_i8(self, sum: u32, a: [u8; BYTES], b: [u8; BYTES]) -> u32 {
        let products =
            a.into_iter().zip(b).map(|(a, b)| i32::from(a.cast_signed()) * i32::from(b.cast_signed()));
        sum.wrapping_add(products.sum::<i32>().cast_unsigned())
    }
    #[inline(always)]
    fn difference_u8(self, a: [u8; BYTES], b: [u8; BYTES]) -> [u8; BYTES] {
        zip(a, b, u8::abs_diff)
    }
    #[inline(always)]
    fn difference_i8(self, a: [u8; BYTES], b: [u8; BYTES]) -> [u8; BYTES] {
        // Moving both by 128 makes them unsigned and keeps the difference.
        zip(a, b, |a, b| (a ^ 0x80).abs_diff(b ^ 0x80))
    }
    #[inline(always)]
    fn total_u8(self, sum: u32) -> u32 {
        sum
    }
    #[inline(always)]
    fn total_i8(self, sum: u32) -> i32 {
        sum.cast_signed()
    }
}

impl Mixed for Portable {
    type Sum = [i32; BYTES];
    #[inline(always)]
    fn none(self) -> Self::Sum {
        [0; BYTES]
    }
    #[inline(always)]
    fn dot_mixed(self, sum: Self::Sum, a: [u8; BYTES], b: [u8; BYTES]) -> Self::Sum {
        zip(sum, zip(a, b, |a, b| i32::from(a) * i32::from(b.cast_signed())), i32::wrapping_add)
    }
    #[inline(always)]
    fn dot_small(self, sum: Self::Sum, a: [u8; BYTES], b: [u8; BYTES]) -> Self::Sum {
        self.dot_mixed(sum, a, b)
    }
    #[inline(always)]
    fn field(self, of: [u8; BYTES], shift: u32, mask: u8) -> [u8; BYTES] {
        map(of, |byte| byte >> shift & mask)
    }
    #[inline(always)]
    fn total(self, sum: Self::Sum) -> i32 {
        sum.into_iter().fold(0, i32::wrapping_add)
    }
}

impl Bitwise for Portable {
    type Acc = u64;
    #[inline(always)]
    fn zero(self) -> u64 {
        0
    }
    #[inline(always)]
    fn merge(self, a: u64, b: u64) -> u64 {
        a + b
    }
    #[inline(always)]
    fn and(self, a: [u8; BYTES], b: [u8; BYTES]) -> [u8; BYTES] {
        (u128::from_ne_bytes(a) & u128::from_ne_bytes(b)).to_ne_bytes()
    }
    #[inline(always)]
    fn or(self, a: [u8; BYTES], b: [u8; BYTES]) -> [u8; BYTES] {
        (u128::from_ne_bytes(a) | u128::from_ne_bytes(b)).to_ne_bytes()
    }
    #[inline(always)]
    fn xor(self, a: [u8; BYTES], b: [u8; BYTES]) -> [u8; BYTES] {
        (u128::from_ne_bytes(a) ^ u128::from_ne_bytes(b)).to_ne_bytes()
    }
    #[inline(always)]
    fn count(self, sum: u64, a: [u8; BYTES]) -> u64 {
        sum + u64::from(u128::from_ne_bytes(a).count_ones())
    }
    #[inline(always)]
    fn total(self, sum: u64) -> u64 {
        sum
    }
}

eights_of_arrays!(Portable);

impl Halves<8> for Portable {
    #[inline(always)]
    fn widen(self, from: &[f16; 8], to: &mut [f32; 8]) {
        *to = map(*from, f16_to_f32);
    }
    #[inline(always)]
    fn narrow(self, from: &[f32; 8], to: &mut [f16; 8]) {
        *to = map(*from, f32_to_f16);
    }
}
