//! The one loop behind every kernel: a pass over two slices of equal length.

use crate::lanes::Lanes;

/// What a pass adds up. `E` is the type of the elements, `S` the token of the CPU.
pub(crate) trait Sum<S: Lanes<E>, E> {
    type Acc: Copy;
    type Out;
    fn zero(isa: S) -> Self::Acc;
    /// Adds the contribution of two vectors. Lanes that are zero in both must contribute nothing.
    fn step(isa: S, sum: Self::Acc, a: S::V, b: S::V) -> Self::Acc;
    fn merge(isa: S, a: Self::Acc, b: Self::Acc) -> Self::Acc;
    fn finish(isa: S, sum: Self::Acc) -> Self::Out;
}

/// Runs `K` over `a` and `b`. Four independent sums keep the adders busy while one addition waits for the one before it.
#[inline(always)]
pub(crate) fn pass<K: Sum<S, E>, S: Lanes<E>, E>(isa: S, a: &[E], b: &[E]) -> K::Out {
    if a.len() != b.len() {
        unequal(a.len(), b.len());
    }
    let ((a_chunks, a_rest), (b_chunks, b_rest)) = (S::split(a), S::split(b));
    let mut sums = [K::zero(isa); 4];
    if !a_chunks.is_empty() {
        let ((a_fours, a_ones), (b_fours, b_ones)) = (a_chunks.as_chunks::<4>(), b_chunks.as_chunks::<4>());
        for (a, b) in a_fours.iter().zip(b_fours) {
            for i in 0..4 {
                sums[i] = K::step(isa, sums[i], isa.load(&a[i]), isa.load(&b[i]));
            }
        }
        // A fixed count, so that it unrolls and the sums stay in registers.
        for (i, sum) in sums.iter_mut().enumerate().take(3) {
            let (Some(a), Some(b)) = (a_ones.get(i), b_ones.get(i)) else { break };
            *sum = K::step(isa, *sum, isa.load(a), isa.load(b));
        }
    }
    if !a_rest.is_empty() {
        sums[3] = K::step(isa, sums[3], isa.load_partial(a_rest), isa.load_partial(b_rest));
        if a_chunks.is_empty() {
            return K::finish(isa, sums[3]);
        }
    }
    let [s, t, u, v] = sums;
    K::finish(isa, K::merge(isa, K::merge(isa, s, t), K::merge(isa, u, v)))
}

#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn unequal(a: usize, b: usize) -> ! {
    panic!("kernels need slices of equal length, not {a} and {b}")
}
