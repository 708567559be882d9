//! The loops behind every kernel: a pass over two slices of equal length, or over one and several others.

use crate::lanes::Lanes;

/// What a pass adds up. `E` is the type of the elements, `S` the token of the CPU.
pub(crate) trait Sum<S: Lanes<E>, E> {
    type Acc: Copy;
    type Out: Copy;
    fn zero(isa: S) -> Self::Acc;
    /// Adds the contribution of two vectors. Lanes that are zero in both must contribute nothing.
    fn step(isa: S, sum: Self::Acc, a: S::V, b: S::V) -> Self::Acc;
    fn merge(isa: S, a: Self::Acc, b: Self::Acc) -> Self::Acc;
    fn finish(isa: S, sum: Self::Acc) -> Self::Out;
    /// [`Sum::finish`] for several, of which there is one at least.
    #[inline(always)]
    fn finish_all<const N: usize>(isa: S, sums: [Self::Acc; N]) -> [Self::Out; N] {
        let mut all = [Self::finish(isa, sums[0]); N];
        for n in 1..N {
            all[n] = Self::finish(isa, sums[n]);
        }
        all
    }
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

/// Runs `K` over `a` and each of `N` others: `a` is loaded once, and what ends a sum is done for all together.
#[inline(always)]
pub(crate) fn fan<K: Sum<S, E>, S: Lanes<E>, E, const N: usize>(
    isa: S,
    a: &[E],
    others: [&[E]; N],
) -> [K::Out; N] {
    for other in others {
        if a.len() != other.len() {
            unequal(a.len(), other.len());
        }
    }
    let (chunks, rest) = S::split(a);
    let (mut whole, mut rests) = ([chunks; N], [rest; N]);
    for n in 0..N {
        let (chunks_of, rest_of) = S::split(others[n]);
        // As many as of `a`, which the compiler sees from here on.
        (whole[n], rests[n]) = (&chunks_of[..chunks.len()], rest_of);
    }
    let mut sums = [K::zero(isa); N];
    for (i, a) in chunks.iter().enumerate() {
        let a = isa.load(a);
        for n in 0..N {
            sums[n] = K::step(isa, sums[n], a, isa.load(&whole[n][i]));
        }
    }
    if !rest.is_empty() {
        let a = isa.load_partial(rest);
        for n in 0..N {
            sums[n] = K::step(isa, sums[n], a, isa.load_partial(rests[n]));
        }
    }
    K::finish_all(isa, sums)
}

#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn unequal(a: usize, b: usize) -> ! {
    panic!("kernels need slices of equal length, not {a} and {b}")
}
