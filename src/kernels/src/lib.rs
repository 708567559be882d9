//! Distance and bit kernels on slices: the only crate of pgkite with CPU-specific code.
//!
//! [`kernels`] answers the fastest set of functions for the CPU it runs on. Resolve it once per scan or build and keep the
//! reference: a call is then one indirect call, with no feature test in it.

mod affine;
mod codes;
mod convert;
mod dispatch;
mod fields;
mod lanes;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod neon;
mod panels;
mod pass;
mod portable;
mod prefetch;
mod quantise;
mod set;
mod sums;
mod tiles;
mod transform;
#[cfg(target_arch = "x86_64")]
mod x86;

/// A query in signed bytes in the order in which [`Codes::one_bit`] takes it. Panics unless its length is a multiple of 8.
pub fn arrange_one_bit(query: &[i8]) -> Vec<i8> {
    codes::arrange::<1>(query)
}

/// A query in signed bytes in the order in which [`Codes::two_bits`] takes it. Panics unless its length is a multiple of 4.
pub fn arrange_two_bits(query: &[i8]) -> Vec<i8> {
    codes::arrange::<2>(query)
}

pub use affine::{Affine, Affines, KEYS, KeyForm};
pub use dispatch::{available, kernels};
pub use half::f16;
pub use panels::{Nearest, Panels};
pub use prefetch::prefetch;
pub use quantise::{Quantised, Steps};

/// The three sums that cosine distance needs, accumulated in `f32` lanes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosineSums {
    /// Σ aᵢ·bᵢ
    pub dot: f32,
    /// Σ aᵢ²
    pub norm_a: f32,
    /// Σ bᵢ²
    pub norm_b: f32,
}

/// Kernels over two float slices of equal length. Every function panics when the lengths differ.
///
/// A sum of n terms is off by at most (n + 3)·2⁻²⁴ of the sum of their magnitudes. Infinities, NaN, overflow and subnormal
/// numbers are what they are in a plain loop, but the order of summation differs between sets, and so do the last bits. A sum
/// that is zero is +0.
#[derive(Debug, Clone, Copy)]
pub struct Dense<E: 'static> {
    /// Σ (aᵢ − bᵢ)²
    pub l2_squared: fn(&[E], &[E]) -> f32,
    /// Σ aᵢ·bᵢ
    pub dot: fn(&[E], &[E]) -> f32,
    /// Σ |aᵢ − bᵢ|
    pub l1: fn(&[E], &[E]) -> f32,
    /// Dot product and both squared norms in one pass.
    pub cosine: fn(&[E], &[E]) -> CosineSums,
    /// Σ aᵢ², accumulated in `f64`: it neither overflows nor underflows for any finite input.
    pub norm_squared: fn(&[E]) -> f64,
}

/// How many slices a kernel meets at once that takes one and several others.
pub const FAN: usize = 4;

/// Integer kernels over two byte-sized slices of equal length (codes of scalar quantisers); panics when lengths differ.
///
/// Exact up to 66,051 elements, whatever they are; a longer sum that does not fit its type wraps.
#[derive(Debug, Clone, Copy)]
pub struct Bytes<E: 'static, S: 'static> {
    /// Σ aᵢ·bᵢ
    pub dot: fn(&[E], &[E]) -> S,
    /// [`Bytes::dot`] of one slice and each of several, in less time than one by one.
    pub dots: fn(&[E], [&[E]; FAN]) -> [S; FAN],
    /// Σ (aᵢ − bᵢ)²
    pub l2_squared: fn(&[E], &[E]) -> u32,
}

/// |A ∩ B| and |A ∪ B| in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// Bits set in both.
    pub and: u64,
    /// Bits set in at least one.
    pub or: u64,
}

/// Kernels over two bit strings of equal length in bytes (panics otherwise), of any length and alignment.
#[derive(Debug, Clone, Copy)]
pub struct Bits {
    /// Number of bits that differ.
    pub hamming: fn(&[u8], &[u8]) -> u64,
    /// Sizes of intersection and union.
    pub overlap: fn(&[u8], &[u8]) -> Overlap,
    /// popcount(a & b)
    pub and_popcount: fn(&[u8], &[u8]) -> u64,
}

/// Kernels between a query in signed bytes and codes in unsigned ones. Sums are exact up to 66,051 dimensions.
///
/// A code with B bits for each of d dimensions takes n = d·B/8 bytes: bits sB to sB + B − 1 of byte j belong to dimension
/// s·n + j.
#[derive(Debug, Clone, Copy)]
pub struct Codes {
    /// `(query, codes, out)`: Σ codeᵢ·queryᵢ for each of `out.len()` codes of 1 bit that lie one after the other, where the query is what
    /// [`arrange_one_bit`] has made of it. Panics where lengths do not match.
    pub one_bit: fn(&[i8], &[u8], &mut [i32]),
    /// The same for codes of 2 bits, with [`arrange_two_bits`].
    pub two_bits: fn(&[i8], &[u8], &mut [i32]),
    /// `(code, high, low)`: Σ codeᵢ·(256·highᵢ + lowᵢ), a byte code against a query of 16 bits in two halves. Panics unless the
    /// lengths are equal.
    pub dot_split: fn(&[u8], &[i8], &[i8]) -> i64,
}

/// One complete set of kernels.
#[derive(Debug, Clone, Copy)]
pub struct Kernels {
    /// Name of the set, for reports.
    pub name: &'static str,
    /// Single precision.
    pub f32: Dense<f32>,
    /// IEEE half precision, accumulated in `f32`.
    pub f16: Dense<f16>,
    /// Signed bytes.
    pub i8: Bytes<i8, i32>,
    /// Unsigned bytes.
    pub u8: Bytes<u8, u32>,
    /// Bit strings.
    pub bits: Bits,
    /// Queries and codes.
    pub codes: Codes,
    /// `(vectors, panels, out)`: for each vector x which of the packed ones has the least key, the key of c being mul·(Σ xᵢ·cᵢ) + add with its own
    /// two numbers, as [`Panels::pack`] has them. The sum is one term after the other. A key that is no number is none. Panics
    /// where lengths do not match.
    pub nearest: fn(&[&[f32]], &Panels, &mut [Nearest]),
    /// The orthogonal Walsh–Hadamard transform of a power of two of elements (panics otherwise), in place. The same on every CPU, to the
    /// last bit.
    pub hadamard: fn(&mut [f32]),
    /// `(vector, code)`: writes the code of one bit for each element, as [`Codes::one_bit`] takes it, 1 where it is not negative, and answers
    /// Σ xᵢ·yᵢ, where yᵢ is −½ or ½. Panics unless the vector is 8 times as long as the code. The same on every CPU, to the last bit.
    pub encode_one_bit: fn(&[f32], &mut [u8]) -> f64,
    /// The same with two bits, as [`Codes::two_bits`] takes them: yᵢ is −1½, −½, ½ or 1½, and the magnitude above which it is an outer one
    /// is chosen so that y points where the vector does. Panics unless the vector is 4 times as long as the code.
    pub encode_two_bits: fn(&[f32], &mut [u8]) -> f64,
    /// The least and the greatest element; (∞, −∞) where there are none. What is no number is passed over.
    pub range: fn(&[f32]) -> (f32, f32),
    /// Rounds each element to a byte in a slice of equal length (panics otherwise). The same on every CPU, to the last bit.
    pub quantise: fn(&[f32], &Steps, &mut [u8]) -> Quantised,
    /// The keys of several quantised vectors as seen from one. The same on every CPU, to the last bit.
    pub affine_keys: fn(KeyForm, &Affine, &Affines) -> [f32; KEYS],
    /// Widens each element, exactly, into a slice of equal length (panics otherwise).
    pub f16_to_f32: fn(&[f16], &mut [f32]),
    /// Rounds each element to nearest, ties to even, into a slice of equal length (panics otherwise). What is too large
    /// becomes infinite.
    pub f32_to_f16: fn(&[f32], &mut [f16]),
}

/// A float type that a [`Dense`] table exists for.
pub trait Element: Copy + PartialOrd + Default + Send + Sync + 'static {
    /// The kernels of this type out of a set.
    fn of(set: &'static Kernels) -> &'static Dense<Self>;
    /// Exact widening.
    fn to_f32(self) -> f32;
    /// Rounds to nearest, ties to even; what is too large becomes infinite.
    fn from_f32(value: f32) -> Self;
}

impl Element for f32 {
    fn of(set: &'static Kernels) -> &'static Dense<Self> {
        &set.f32
    }
    fn to_f32(self) -> f32 {
        self
    }
    fn from_f32(value: f32) -> Self {
        value
    }
}

impl Element for f16 {
    fn of(set: &'static Kernels) -> &'static Dense<Self> {
        &set.f16
    }
    fn to_f32(self) -> f32 {
        self.to_f32()
    }
    fn from_f32(value: f32) -> Self {
        f16::from_f32(value)
    }
}
