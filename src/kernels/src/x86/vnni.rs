//! Dot products of bytes by VPDPBUSD, which adds four products of an unsigned and a signed byte to a 32-bit lane. Both
//! register widths and both encodings (AVX-512 and AVX) share this.

use crate::codes::Mixed;
use crate::lanes::{Bitwise, ByteVector, Integers, Lanes, Token};

/// The instruction, for a token whose sums of bytes are plain vectors of 32-bit lanes.
pub(crate) trait Dpbusd:
    Bitwise + Integers<Acc = ByteVector<Self>> + Mixed<Sum = ByteVector<Self>>
{
    /// sum + Σ over four bytes each of unsigned a · signed b
    ///
    /// # Safety
    /// The CPU must have the instruction, for which `Self` does not stand.
    unsafe fn dpbusd(
        self,
        sum: ByteVector<Self>,
        a: ByteVector<Self>,
        b: ByteVector<Self>,
    ) -> ByteVector<Self>;
    fn sub_i32(self, a: ByteVector<Self>, b: ByteVector<Self>) -> ByteVector<Self>;
    /// `byte` in every lane.
    fn splat(self, byte: i8) -> ByteVector<Self>;
}

/// `S` with VNNI.
#[derive(Clone, Copy)]
pub(crate) struct Vnni<S>(S);

impl<S: Dpbusd> Vnni<S> {
    #[inline(always)]
    fn dpbusd(self, sum: ByteVector<S>, a: ByteVector<S>, b: ByteVector<S>) -> ByteVector<S> {
        // SAFETY: this token stands for the instruction.
        unsafe { self.0.dpbusd(sum, a, b) }
    }
}

impl<S: Token> Token for Vnni<S> {
    #[inline(always)]
    unsafe fn assume() -> Self {
        // SAFETY: the caller vouches for VNNI and for the features of `S`.
        Self(unsafe { S::assume() })
    }
}

impl<E, S: Lanes<E>> Lanes<E> for Vnni<S> {
    type Chunk = S::Chunk;
    type V = S::V;
    #[inline(always)]
    fn split(of: &[E]) -> (&[S::Chunk], &[E]) {
        <S as Lanes<E>>::split(of)
    }
    #[inline(always)]
    fn load(self, chunk: &S::Chunk) -> S::V {
        <S as Lanes<E>>::load(self.0, chunk)
    }
    #[inline(always)]
    fn load_partial(self, rest: &[E]) -> S::V {
        <S as Lanes<E>>::load_partial(self.0, rest)
    }
}

/// One operand has the wrong sign, so its top bit is flipped, which is an offset of 128; a second sum brings back what the
/// offset took: `ab = a(b − 128) + 2·64a` for unsigned bytes, `ab = (a + 128)b − 2·64b` for signed ones.
impl<S: Dpbusd> Integers for Vnni<S> {
    /// The sum with the offset, and the sum of 64a or 64b.
    type Acc = [ByteVector<S>; 2];
    #[inline(always)]
    fn zero(self) -> Self::Acc {
        [Integers::zero(self.0); 2]
    }
    #[inline(always)]
    fn merge(self, a: Self::Acc, b: Self::Acc) -> Self::Acc {
        [Integers::merge(self.0, a[0], b[0]), Integers::merge(self.0, a[1], b[1])]
    }
    #[inline(always)]
    fn dot_u8(self, [sum, offset]: Self::Acc, a: ByteVector<Self>, b: ByteVector<Self>) -> Self::Acc {
        let b = self.0.xor(b, self.0.splat(i8::MIN));
        [self.dpbusd(sum, a, b), self.dpbusd(offset, a, self.0.splat(64))]
    }
    #[inline(always)]
    fn dot_i8(self, [sum, offset]: Self::Acc, a: ByteVector<Self>, b: ByteVector<Self>) -> Self::Acc {
        let a = self.0.xor(a, self.0.splat(i8::MIN));
        [self.dpbusd(sum, a, b), self.dpbusd(offset, self.0.splat(64), b)]
    }
    #[inline(always)]
    fn difference_u8(self, a: ByteVector<Self>, b: ByteVector<Self>) -> ByteVector<Self> {
        self.0.difference_u8(a, b)
    }
    #[inline(always)]
    fn difference_i8(self, a: ByteVector<Self>, b: ByteVector<Self>) -> ByteVector<Self> {
        self.0.difference_i8(a, b)
    }
    #[inline(always)]
    fn total_u8(self, [sum, offset]: Self::Acc) -> u32 {
        let twice = Integers::merge(self.0, offset, offset);
        self.0.total_u8(Integers::merge(self.0, sum, twice))
    }
    #[inline(always)]
    fn totals_u8<const N: usize>(self, sums: [Self::Acc; N]) -> [u32; N] {
        let mut whole = [Integers::zero(self.0); N];
        for n in 0..N {
            let [sum, offset] = sums[n];
            whole[n] = Integers::merge(self.0, sum, Integers::merge(self.0, offset, offset));
        }
        self.0.totals_u8(whole)
    }
    #[inline(always)]
    fn total_i8(self, [sum, offset]: Self::Acc) -> i32 {
        let twice = Integers::merge(self.0, offset, offset);
        self.0.total_i8(self.0.sub_i32(sum, twice))
    }
}

/// Here both operands have the sign that the instruction wants.
impl<S: Dpbusd> Mixed for Vnni<S> {
    type Sum = ByteVector<S>;
    #[inline(always)]
    fn none(self) -> Self::Sum {
        self.0.none()
    }
    #[inline(always)]
    fn dot_mixed(self, sum: Self::Sum, a: ByteVector<Self>, b: ByteVector<Self>) -> Self::Sum {
        self.dpbusd(sum, a, b)
    }
    #[inline(always)]
    fn dot_small(self, sum: Self::Sum, a: ByteVector<Self>, b: ByteVector<Self>) -> Self::Sum {
        self.dpbusd(sum, a, b)
    }
    #[inline(always)]
    fn field(self, of: ByteVector<Self>, shift: u32, mask: u8) -> ByteVector<Self> {
        self.0.field(of, shift, mask)
    }
    #[inline(always)]
    fn total(self, sum: Self::Sum) -> i32 {
        Mixed::total(self.0, sum)
    }
    #[inline(always)]
    fn totals<const N: usize>(self, sums: [Self::Sum; N]) -> [i32; N] {
        Mixed::totals(self.0, sums)
    }
}
