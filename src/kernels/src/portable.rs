//! Plain loops that every CPU runs. The compiler vectorises them for the baseline.

use crate::{Bits, Bytes, CosineSums, Dense, Element, Kernels, Overlap, f16};

pub(crate) static KERNELS: Kernels = Kernels {
    name: "portable",
    f32: dense::<f32>(),
    f16: dense::<f16>(),
    i8: Bytes {
        dot: |a, b| pairs(a, b).map(|(x, y)| i32::from(x) * i32::from(y)).sum(),
        l2_squared: |a, b| pairs(a, b).map(|(x, y)| (i32::from(x) - i32::from(y)).pow(2).unsigned_abs()).sum(),
    },
    u8: Bytes {
        dot: |a, b| pairs(a, b).map(|(x, y)| u32::from(x) * u32::from(y)).sum(),
        l2_squared: |a, b| pairs(a, b).map(|(x, y)| u32::from(x.abs_diff(y)).pow(2)).sum(),
    },
    bits: Bits {
        hamming: |a, b| pairs(a, b).map(|(x, y)| u64::from((x ^ y).count_ones())).sum(),
        overlap: |a, b| {
            pairs(a, b).fold(Overlap { and: 0, or: 0 }, |sum, (x, y)| Overlap {
                and: sum.and + u64::from((x & y).count_ones()),
                or: sum.or + u64::from((x | y).count_ones()),
            })
        },
        and_popcount: |a, b| pairs(a, b).map(|(x, y)| u64::from((x & y).count_ones())).sum(),
    },
};

const fn dense<E: Element>() -> Dense<E> {
    Dense {
        l2_squared: |a, b| pairs(a, b).map(|(x, y)| (x.to_f32() - y.to_f32()).powi(2)).sum(),
        dot: |a, b| pairs(a, b).map(|(x, y)| x.to_f32() * y.to_f32()).sum(),
        l1: |a, b| pairs(a, b).map(|(x, y)| (x.to_f32() - y.to_f32()).abs()).sum(),
        cosine: |a, b| {
            pairs(a, b).fold(CosineSums { dot: 0.0, norm_a: 0.0, norm_b: 0.0 }, |sum, (x, y)| {
                let (x, y) = (x.to_f32(), y.to_f32());
                CosineSums { dot: sum.dot + x * y, norm_a: sum.norm_a + x * x, norm_b: sum.norm_b + y * y }
            })
        },
        norm_squared: |a| a.iter().map(|x| f64::from(x.to_f32()).powi(2)).sum(),
    }
}

fn pairs<'a, T: Copy>(a: &'a [T], b: &'a [T]) -> impl Iterator<Item = (T, T)> + 'a {
    assert_eq!(a.len(), b.len(), "kernels need slices of equal length");
    a.iter().copied().zip(b.iter().copied())
}
