//! x86-64.

#![allow(unsafe_code)]

mod avx2;
mod avx512;
mod eights;
mod gfni;
mod sse2;
mod vnni;
mod vpopcntdq;

use crate::Kernels;
use std::arch::is_x86_feature_detected as has;

/// The sets for this CPU, slowest first. SSE2 is part of x86-64. Each other condition names exactly the features that the functions of its table are
/// compiled with; `is_x86_feature_detected` also asks whether the operating system saves the registers.
pub(crate) fn available() -> impl Iterator<Item = &'static Kernels> {
    let popcnt = has!("popcnt");
    let avx2 = popcnt && has!("avx2") && has!("fma") && has!("f16c");
    let avx512 = avx2 && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
    let vnni = avx512 && has!("avx512vnni");
    let vpopcntdq = vnni && has!("avx512vpopcntdq");
    [
        (true, &sse2::KERNELS),
        (popcnt, &sse2::WITH_POPCNT),
        (avx2, &avx2::KERNELS),
        (avx2 && has!("avxvnni"), &avx2::WITH_VNNI),
        (avx512, &avx512::KERNELS),
        (vnni, &avx512::WITH_VNNI),
        (vpopcntdq, &avx512::WITH_VNNI_AND_VPOPCNTDQ),
        (vpopcntdq && has!("gfni"), &avx512::WITH_GFNI),
    ]
    .into_iter()
    .filter_map(|(runs, set)| runs.then_some(set))
}
