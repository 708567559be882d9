//! What a CPU must offer for the generic loops of [`crate::pass`] to run on it.
//!
//! An implementation of these traits is a *token*: a zero-sized value that exists only where the CPU has the instructions
//! the token stands for. Holding one is the proof that its methods may run, so the loops above need no `unsafe`.

#![allow(unsafe_code)]

/// Proof that the CPU has a set of features.
pub(crate) trait Token: Copy {
    /// # Safety
    /// The CPU must have every feature that the implementing type names in its documentation.
    unsafe fn assume() -> Self;
}

/// Vectors of elements of type `E`.
pub(crate) trait Lanes<E>: Token {
    /// An array of as many elements as one vector holds.
    type Chunk: Copy;
    /// A vector in registers.
    type V: Copy;
    /// Whole chunks, and the rest, which is shorter than a chunk.
    fn split(of: &[E]) -> (&[Self::Chunk], &[E]);
    fn load(self, chunk: &Self::Chunk) -> Self::V;
    /// Loads less than a chunk; the other lanes are zero. Never reads outside of `rest`.
    fn load_partial(self, rest: &[E]) -> Self::V;
}

/// Arithmetic on vectors of `f32`.
pub(crate) trait Floats: Token {
    type V: Copy;
    /// As many `f64` lanes as `V` has lanes.
    type Wide: Copy;
    fn zero(self) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// a·b + c, rounded once or twice.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    fn abs(self, a: Self::V) -> Self::V;
    /// Sum of all lanes.
    fn total(self, a: Self::V) -> f32;
    fn wide_zero(self) -> Self::Wide;
    /// sum + a², in `f64`, where the square of an `f32` is exact.
    fn wide_add_square(self, sum: Self::Wide, a: Self::V) -> Self::Wide;
    fn wide_add(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;
    fn wide_total(self, a: Self::Wide) -> f64;
}

/// Sums of products of bytes in 32-bit lanes, all modulo 2³². Hence a sum is exact whenever its true value fits its type,
/// whatever the partial sums did on the way.
pub(crate) trait Integers: Lanes<u8> + Lanes<i8, V = <Self as Lanes<u8>>::V> {
    type Acc: Copy;
    fn zero(self) -> Self::Acc;
    fn merge(self, a: Self::Acc, b: Self::Acc) -> Self::Acc;
    /// sum + Σ aᵢ·bᵢ over unsigned bytes.
    fn dot_u8(self, sum: Self::Acc, a: ByteVector<Self>, b: ByteVector<Self>) -> Self::Acc;
    /// sum + Σ aᵢ·bᵢ over signed bytes.
    fn dot_i8(self, sum: Self::Acc, a: ByteVector<Self>, b: ByteVector<Self>) -> Self::Acc;
    /// |aᵢ − bᵢ| of unsigned bytes.
    fn difference_u8(self, a: ByteVector<Self>, b: ByteVector<Self>) -> ByteVector<Self>;
    /// |aᵢ − bᵢ| of signed bytes, as unsigned ones: it is at most 255.
    fn difference_i8(self, a: ByteVector<Self>, b: ByteVector<Self>) -> ByteVector<Self>;
    /// The value of sums made by `dot_u8`.
    fn total_u8(self, sum: Self::Acc) -> u32;
    /// Those of several sums: in registers of many lanes less work together than one by one.
    #[inline(always)]
    fn totals_u8<const N: usize>(self, sums: [Self::Acc; N]) -> [u32; N] {
        let mut totals = [0; N];
        for n in 0..N {
            totals[n] = self.total_u8(sums[n]);
        }
        totals
    }
    /// The value of sums made by `dot_i8`.
    fn total_i8(self, sum: Self::Acc) -> i32;
}

/// A vector of bytes, signed or not.
pub(crate) type ByteVector<S> = <S as Lanes<u8>>::V;

/// Counting of bits in vectors of bytes.
pub(crate) trait Bitwise: Lanes<u8> {
    type Acc: Copy;
    fn zero(self) -> Self::Acc;
    fn merge(self, a: Self::Acc, b: Self::Acc) -> Self::Acc;
    fn and(self, a: Self::V, b: Self::V) -> Self::V;
    fn or(self, a: Self::V, b: Self::V) -> Self::V;
    fn xor(self, a: Self::V, b: Self::V) -> Self::V;
    /// sum + number of bits set in `a`.
    fn count(self, sum: Self::Acc, a: Self::V) -> Self::Acc;
    fn total(self, sum: Self::Acc) -> u64;
}

/// Fewer than 16 bytes, little-endian in the low end, the others zero. (All 16 if there are more.)
///
/// The two reads overlap where the length is no power of two; the bits they share are equal, so or-ing them is harmless.
#[inline(always)]
pub(crate) fn gather(bytes: &[u8]) -> u128 {
    macro_rules! two_reads {
        ($int:ty) => {
            if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
                let shift = 8 * (bytes.len() - size_of::<$int>());
                return u128::from(<$int>::from_le_bytes(*first))
                    | u128::from(<$int>::from_le_bytes(*last)) << shift;
            }
        };
    }
    if let Some(all) = bytes.first_chunk() {
        return u128::from_le_bytes(*all);
    }
    two_reads!(u64);
    two_reads!(u32);
    two_reads!(u16);
    bytes.first().map_or(0, |&byte| u128::from(byte))
}
