//! x86-64.

#![allow(unsafe_code)]

mod avx2;
mod avx512;
mod vnni;

use crate::Kernels;
use crate::portable::Portable;
use crate::set::kernel_set;
use std::arch::is_x86_feature_detected as has;

/// The plain loops with what every CPU since 2009 has: above all, an instruction that counts bits.
static V2: Kernels = kernel_set!("x86-64-v2", Portable, ["sse4.2,popcnt"]);

/// The sets for this CPU, slowest first. Each condition names exactly the features that the functions of its table are
/// compiled with; `is_x86_feature_detected` also asks whether the operating system saves the registers.
pub(crate) fn available() -> impl Iterator<Item = &'static Kernels> {
    let v2 = has!("sse4.2") && has!("popcnt");
    let avx2 = v2 && has!("avx2") && has!("fma") && has!("f16c");
    let avx512 = avx2 && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
    let vnni = avx512 && has!("avx512vnni");
    [
        (v2, &V2),
        (avx2, &avx2::KERNELS),
        (avx2 && has!("avxvnni"), &avx2::WITH_VNNI),
        (avx512, &avx512::KERNELS),
        (vnni, &avx512::WITH_VNNI),
        (vnni && has!("avx512vpopcntdq"), &avx512::WITH_VNNI_AND_VPOPCNTDQ),
    ]
    .into_iter()
    .filter_map(|(runs, set)| runs.then_some(set))
}
