//! Stamps the tables of one CPU level out of the generic loops.
//!
//! The generic code is `#[inline(always)]` and names no CPU feature. Each function stamped here carries the
//! `#[target_feature]` of its level, so the loops are compiled anew in it, with those instructions.

/// One entry of a table: a function compiled for `$features`, behind a safe pointer.
macro_rules! entry {
    ([$($features:literal)?] $token:ty, |$isa:ident, $($arg:ident: $type:ty),*| -> $out:ty $body:block) => {{
        $(#[target_feature(enable = $features)])?
        fn compiled($($arg: $type),*) -> $out {
            // SAFETY: the features of this function are those of the token, and it runs: the CPU has them.
            let $isa = unsafe { <$token as $crate::lanes::Token>::assume() };
            $body
        }
        fn call($($arg: $type),*) -> $out {
            // SAFETY: this pointer leaves the crate only in a table that `dispatch` hands out, which it does after it has
            // seen that the CPU has these features.
            #[allow(unused_unsafe, reason = "the baseline has no features to be sure of")]
            unsafe { compiled($($arg),*) }
        }
        call
    }};
}

/// A [`crate::Dense`] table for elements of `$e`.
macro_rules! dense {
    ($token:ty, $e:ty, $features:tt) => {
        $crate::Dense::<$e> {
            l2_squared: $crate::set::entry!($features $token, |isa, a: &[$e], b: &[$e]| -> f32 {
                $crate::pass::pass::<$crate::sums::L2Squared, _, _>(isa, a, b)
            }),
            dot: $crate::set::entry!($features $token, |isa, a: &[$e], b: &[$e]| -> f32 {
                $crate::pass::pass::<$crate::sums::Dot, _, _>(isa, a, b)
            }),
            l1: $crate::set::entry!($features $token, |isa, a: &[$e], b: &[$e]| -> f32 {
                $crate::pass::pass::<$crate::sums::L1, _, _>(isa, a, b)
            }),
            cosine: $crate::set::entry!($features $token, |isa, a: &[$e], b: &[$e]| -> $crate::CosineSums {
                $crate::pass::pass::<$crate::sums::Cosine, _, _>(isa, a, b)
            }),
            norm_squared: $crate::set::entry!($features $token, |isa, a: &[$e]| -> f64 {
                $crate::pass::pass::<$crate::sums::NormSquared, _, _>(isa, a, a)
            }),
        }
    };
}

/// A [`crate::Bytes`] table for elements of `$e`, with dot products in `$sum`.
macro_rules! bytes {
    ($token:ty, $e:ty => $sum:ty, $features:tt) => {
        $crate::Bytes::<$e, $sum> {
            dot: $crate::set::entry!($features $token, |isa, a: &[$e], b: &[$e]| -> $sum {
                $crate::pass::pass::<$crate::sums::ByteDot, _, _>(isa, a, b)
            }),
            dots: $crate::set::entry!($features $token, |isa, a: &[$e], others: [&[$e]; $crate::FAN]| -> [$sum; $crate::FAN] {
                $crate::pass::fan::<$crate::sums::ByteDot, _, _, _>(isa, a, others)
            }),
            l2_squared: $crate::set::entry!($features $token, |isa, a: &[$e], b: &[$e]| -> u32 {
                $crate::pass::pass::<$crate::sums::ByteL2Squared, _, _>(isa, a, b)
            }),
        }
    };
}

/// A [`crate::Bits`] table.
macro_rules! bits {
    ($token:ty, $features:tt) => {
        $crate::Bits {
            hamming: $crate::set::entry!($features $token, |isa, a: &[u8], b: &[u8]| -> u64 {
                $crate::pass::pass::<$crate::sums::Hamming, _, _>(isa, a, b)
            }),
            overlap: $crate::set::entry!($features $token, |isa, a: &[u8], b: &[u8]| -> $crate::Overlap {
                $crate::pass::pass::<$crate::sums::BothCounts, _, _>(isa, a, b)
            }),
            and_popcount: $crate::set::entry!($features $token, |isa, a: &[u8], b: &[u8]| -> u64 {
                $crate::pass::pass::<$crate::sums::AndPopcount, _, _>(isa, a, b)
            }),
        }
    };
}

/// A [`crate::Codes`] table.
macro_rules! codes {
    ($token:ty, $features:tt) => {
        $crate::Codes {
            one_bit: $crate::set::entry!($features $token, |isa, query: &[i8], codes: &[u8], out: &mut [i32]| -> () {
                $crate::codes::score::<1, _>(isa, query, codes, out)
            }),
            two_bits: $crate::set::entry!($features $token, |isa, query: &[i8], codes: &[u8], out: &mut [i32]| -> () {
                $crate::codes::score::<2, _>(isa, query, codes, out)
            }),
            dot_split: $crate::set::entry!($features $token, |isa, code: &[u8], high: &[i8], low: &[i8]| -> i64 {
                $crate::codes::dot_split(isa, code, high, low)
            }),
        }
    };
}

/// A whole set, with one token for all of it, or another one for the codes.
macro_rules! kernel_set {
    ($name:literal, $token:ty, $features:tt) => {
        $crate::set::kernel_set!($name, $token, $features, codes: $token)
    };
    ($name:literal, $token:ty, $features:tt, codes: $codes:ty) => {
        $crate::Kernels {
            name: $name,
            f32: $crate::set::dense!($token, f32, $features),
            f16: $crate::set::dense!($token, half::f16, $features),
            i8: $crate::set::bytes!($token, i8 => i32, $features),
            u8: $crate::set::bytes!($token, u8 => u32, $features),
            bits: $crate::set::bits!($token, $features),
            codes: $crate::set::codes!($codes, $features),
            nearest: $crate::set::entry!($features $token, |isa, rows: &[&[f32]], panels: &$crate::Panels, out: &mut [$crate::Nearest]| -> () {
                $crate::tiles::Tiling::nearest(isa, rows, panels, out)
            }),
            hadamard: $crate::set::entry!($features $token, |_isa, values: &mut [f32]| -> () {
                $crate::transform::hadamard(values)
            }),
            encode_one_bit: $crate::set::entry!($features $token, |_isa, values: &[f32], code: &mut [u8]| -> f64 {
                $crate::fields::encode::<1>(values, code)
            }),
            encode_two_bits: $crate::set::entry!($features $token, |_isa, values: &[f32], code: &mut [u8]| -> f64 {
                $crate::fields::encode::<2>(values, code)
            }),
            // Of the same loop with wider vectors the compiler makes comparisons and choices, which take four to six times as long.
            range: $crate::set::entry!([] $crate::portable::Portable, |_isa, values: &[f32]| -> (f32, f32) {
                $crate::quantise::range(values)
            }),
            quantise: $crate::set::entry!($features $token, |isa, values: &[f32], steps: &$crate::Steps, codes: &mut [u8]| -> $crate::Quantised {
                $crate::quantise::quantise(isa, values, steps, codes)
            }),
            affine_keys: $crate::set::entry!($features $token, |isa, form: $crate::KeyForm, a: &$crate::Affine, others: &$crate::Affines| -> [f32; $crate::KEYS] {
                $crate::affine::keys(isa, form, a, others)
            }),
            f16_to_f32: $crate::set::entry!($features $token, |isa, from: &[half::f16], to: &mut [f32]| -> () {
                $crate::convert::widen(isa, from, to)
            }),
            f32_to_f16: $crate::set::entry!($features $token, |isa, from: &[f32], to: &mut [half::f16]| -> () {
                $crate::convert::narrow(isa, from, to)
            }),
        }
    };
}

pub(crate) use {bits, bytes, codes, dense, entry, kernel_set};
