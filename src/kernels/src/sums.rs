//! What is added up: the mathematics of every kernel, written once for all CPUs and element types.

use crate::lanes::{Bitwise, Floats, Integers, Lanes};
use crate::pass::Sum;
use crate::{CosineSums, Overlap};

/// A token whose vectors of `E` are vectors of `f32`.
pub(crate) trait FloatLanes<E>: Floats + Lanes<E, V = <Self as Floats>::V> {}
impl<E, S: Floats + Lanes<E, V = <S as Floats>::V>> FloatLanes<E> for S {}

type F<S> = <S as Floats>::V;

/// A sum in one vector of `f32`.
macro_rules! float_sum {
    ($name:ident, |$isa:ident, $sum:ident, $a:ident, $b:ident| $step:expr) => {
        pub(crate) struct $name;
        impl<E, S: FloatLanes<E>> Sum<S, E> for $name {
            type Acc = F<S>;
            type Out = f32;
            #[inline(always)]
            fn zero(isa: S) -> F<S> {
                isa.zero()
            }
            #[inline(always)]
            fn step($isa: S, $sum: F<S>, $a: F<S>, $b: F<S>) -> F<S> {
                $step
            }
            #[inline(always)]
            fn merge(isa: S, a: F<S>, b: F<S>) -> F<S> {
                isa.add(a, b)
            }
            #[inline(always)]
            fn finish(isa: S, sum: F<S>) -> f32 {
                isa.total(sum)
            }
        }
    };
}

float_sum!(L2Squared, |isa, sum, a, b| {
    let difference = isa.sub(a, b);
    isa.mul_add(difference, difference, sum)
});
float_sum!(Dot, |isa, sum, a, b| isa.mul_add(a, b, sum));
float_sum!(L1, |isa, sum, a, b| isa.add(sum, isa.abs(isa.sub(a, b))));

pub(crate) struct Cosine;

impl<E, S: FloatLanes<E>> Sum<S, E> for Cosine {
    /// dot, norm of a, norm of b
    type Acc = [F<S>; 3];
    type Out = CosineSums;
    #[inline(always)]
    fn zero(isa: S) -> Self::Acc {
        [isa.zero(); 3]
    }
    #[inline(always)]
    fn step(isa: S, [dot, norm_a, norm_b]: Self::Acc, a: F<S>, b: F<S>) -> Self::Acc {
        [isa.mul_add(a, b, dot), isa.mul_add(a, a, norm_a), isa.mul_add(b, b, norm_b)]
    }
    #[inline(always)]
    fn merge(isa: S, a: Self::Acc, b: Self::Acc) -> Self::Acc {
        [isa.add(a[0], b[0]), isa.add(a[1], b[1]), isa.add(a[2], b[2])]
    }
    #[inline(always)]
    fn finish(isa: S, [dot, norm_a, norm_b]: Self::Acc) -> CosineSums {
        CosineSums { dot: isa.total(dot), norm_a: isa.total(norm_a), norm_b: isa.total(norm_b) }
    }
}

/// Σ aᵢ²; the second slice is the first, and its loads vanish.
pub(crate) struct NormSquared;

impl<E, S: FloatLanes<E>> Sum<S, E> for NormSquared {
    type Acc = S::Wide;
    type Out = f64;
    #[inline(always)]
    fn zero(isa: S) -> S::Wide {
        isa.wide_zero()
    }
    #[inline(always)]
    fn step(isa: S, sum: S::Wide, a: F<S>, _: F<S>) -> S::Wide {
        isa.wide_add_square(sum, a)
    }
    #[inline(always)]
    fn merge(isa: S, a: S::Wide, b: S::Wide) -> S::Wide {
        isa.wide_add(a, b)
    }
    #[inline(always)]
    fn finish(isa: S, sum: S::Wide) -> f64 {
        isa.wide_total(sum)
    }
}

/// A sum over bytes of type `$e`.
macro_rules! byte_sum {
    ($name:ident, $e:ty => $out:ty, $total:ident $($totals:ident)?, |$isa:ident, $sum:ident, $a:ident, $b:ident| $step:expr) => {
        impl<S: Integers> Sum<S, $e> for $name {
            type Acc = S::Acc;
            type Out = $out;
            #[inline(always)]
            fn zero(isa: S) -> S::Acc {
                isa.zero()
            }
            #[inline(always)]
            fn step($isa: S, $sum: S::Acc, $a: <S as Lanes<$e>>::V, $b: <S as Lanes<$e>>::V) -> S::Acc {
                $step
            }
            #[inline(always)]
            fn merge(isa: S, a: S::Acc, b: S::Acc) -> S::Acc {
                isa.merge(a, b)
            }
            #[inline(always)]
            fn finish(isa: S, sum: S::Acc) -> $out {
                isa.$total(sum)
            }
            $(#[inline(always)]
            fn finish_all<const N: usize>(isa: S, sums: [S::Acc; N]) -> [$out; N] {
                isa.$totals(sums)
            })?
        }
    };
}

pub(crate) struct ByteDot;
byte_sum!(ByteDot, u8 => u32, total_u8 totals_u8, |isa, sum, a, b| isa.dot_u8(sum, a, b));
byte_sum!(ByteDot, i8 => i32, total_i8, |isa, sum, a, b| isa.dot_i8(sum, a, b));

pub(crate) struct ByteL2Squared;
byte_sum!(ByteL2Squared, u8 => u32, total_u8, |isa, sum, a, b| {
    let difference = isa.difference_u8(a, b);
    isa.dot_u8(sum, difference, difference)
});
byte_sum!(ByteL2Squared, i8 => u32, total_u8, |isa, sum, a, b| {
    let difference = isa.difference_i8(a, b);
    isa.dot_u8(sum, difference, difference)
});

/// A number of bits.
macro_rules! bit_count {
    ($name:ident, $operation:ident) => {
        pub(crate) struct $name;
        impl<S: Bitwise> Sum<S, u8> for $name {
            type Acc = S::Acc;
            type Out = u64;
            #[inline(always)]
            fn zero(isa: S) -> S::Acc {
                isa.zero()
            }
            #[inline(always)]
            fn step(isa: S, sum: S::Acc, a: S::V, b: S::V) -> S::Acc {
                isa.count(sum, isa.$operation(a, b))
            }
            #[inline(always)]
            fn merge(isa: S, a: S::Acc, b: S::Acc) -> S::Acc {
                isa.merge(a, b)
            }
            #[inline(always)]
            fn finish(isa: S, sum: S::Acc) -> u64 {
                isa.total(sum)
            }
        }
    };
}

bit_count!(Hamming, xor);
bit_count!(AndPopcount, and);

pub(crate) struct BothCounts;

impl<S: Bitwise> Sum<S, u8> for BothCounts {
    /// and, or
    type Acc = [S::Acc; 2];
    type Out = Overlap;
    #[inline(always)]
    fn zero(isa: S) -> Self::Acc {
        [isa.zero(); 2]
    }
    #[inline(always)]
    fn step(isa: S, [and, or]: Self::Acc, a: S::V, b: S::V) -> Self::Acc {
        [isa.count(and, isa.and(a, b)), isa.count(or, isa.or(a, b))]
    }
    #[inline(always)]
    fn merge(isa: S, a: Self::Acc, b: Self::Acc) -> Self::Acc {
        [isa.merge(a[0], b[0]), isa.merge(a[1], b[1])]
    }
    #[inline(always)]
    fn finish(isa: S, [and, or]: Self::Acc) -> Overlap {
        Overlap { and: isa.total(and), or: isa.total(or) }
    }
}
