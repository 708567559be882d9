//! Distances and set tests on bit strings of equal length.

use crate::{Error, Result};
use kite_kernels::{Bits, Overlap};

/// Refuses two bit strings of different lengths (in bits).
pub fn check_same_length(left: usize, right: usize) -> Result<()> {
    if left == right { Ok(()) } else { Err(Error::DifferentBitLengths { left, right }) }
}

/// 1 − |A ∩ B| / |A ∪ B|; two strings that share nothing, be they empty, are at distance 1.
pub fn jaccard(kernels: &Bits, a: &[u8], b: &[u8]) -> f64 {
    let Overlap { and, or } = (kernels.overlap)(a, b);
    if and == 0 { 1.0 } else { 1.0 - and as f64 / or as f64 }
}

/// −log₂(1 − Jaccard distance), as Milvus scores TANIMOTO: 0 for equal sets, infinite for sets that share nothing.
pub fn tanimoto(kernels: &Bits, a: &[u8], b: &[u8]) -> f64 {
    let Overlap { and, or } = (kernels.overlap)(a, b);
    if and == 0 { f64::INFINITY } else { (or as f64 / and as f64).log2() }
}

/// Whether every bit of `part` is set in `whole`.
pub fn is_subset(kernels: &Bits, part: &[u8], whole: &[u8]) -> bool {
    // |part \ whole| = 0 exactly where the intersection is all of `part`.
    (kernels.and_popcount)(part, whole) == (kernels.and_popcount)(part, part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kite_kernels::kernels;

    #[test]
    fn sets_of_bits() {
        let bits = &kernels().bits;
        let (a, b) = ([0b1111_0000u8], [0b1100_0000u8]);
        assert_eq!(jaccard(bits, &a, &b), 0.5);
        assert_eq!(tanimoto(bits, &a, &b), 1.0);
        assert_eq!(tanimoto(bits, &a, &a), 0.0);
        assert_eq!(jaccard(bits, &[0], &[0]), 1.0);
        assert_eq!(tanimoto(bits, &[0], &[1]), f64::INFINITY);
        assert!(is_subset(bits, &b, &a) && !is_subset(bits, &a, &b));
        assert!(is_subset(bits, &[0], &a) && is_subset(bits, &a, &a) && is_subset(bits, &[], &[]));
        assert_eq!(check_same_length(3, 4), Err(Error::DifferentBitLengths { left: 3, right: 4 }));
    }
}
