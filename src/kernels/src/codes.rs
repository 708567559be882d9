//! Products of a query with packed codes: what steers a search, so many codes are scored in one call.
//!
//! A code with `B` bits for each of `n·8/B` dimensions takes `n` bytes, in *planes*: field `s` of byte `j` (bits `sB` to
//! `sB + B − 1`) belongs to dimension `s·n + j`. So the fields of consecutive bytes meet consecutive bytes of the query after
//! one shift and one mask, on every CPU, without a shuffle and at any length.

use crate::lanes::{ByteVector, Integers, Lanes};
use crate::pass::unequal;

/// What products of unsigned with signed bytes need beyond [`Integers`]. Sums are modulo 2³², as there.
pub(crate) trait Mixed: Integers {
    type Sum: Copy;
    fn none(self) -> Self::Sum;
    /// sum + Σ aᵢ·bᵢ of unsigned `a` and signed `b`.
    fn dot_mixed(self, sum: Self::Sum, a: ByteVector<Self>, b: ByteVector<Self>) -> Self::Sum;
    /// The same where no byte of `a` is above 3.
    fn dot_small(self, sum: Self::Sum, a: ByteVector<Self>, b: ByteVector<Self>) -> Self::Sum;
    /// Bits `shift` and up of each byte, as many as `mask` has; `shift` is below 8 and `mask` below 2^(8 − shift).
    fn field(self, of: ByteVector<Self>, shift: u32, mask: u8) -> ByteVector<Self>;
    fn total(self, sum: Self::Sum) -> i32;
}

/// How many codes share each load of the query, and how many sums are independent of each other.
const TOGETHER: usize = 4;

/// Σ fieldᵢ·queryᵢ for each of the codes of `BITS` bits that lie one after the other in `codes`.
#[inline(always)]
pub(crate) fn score<const BITS: usize, S: Mixed>(isa: S, query: &[i8], codes: &[u8], out: &mut [i32]) {
    let size = query.len() / (8 / BITS);
    if query.len() != size * (8 / BITS) {
        ragged(query.len(), 8 / BITS);
    }
    if codes.len() != size * out.len() {
        unequal(codes.len(), size * out.len());
    }
    if size == 0 {
        out.fill(0);
        return;
    }
    let (out_fours, out_rest) = out.as_chunks_mut::<TOGETHER>();
    let (fours, rest) = codes.split_at(out_fours.len() * TOGETHER * size);
    for (codes, out) in fours.chunks_exact(TOGETHER * size).zip(out_fours) {
        score_some::<BITS, TOGETHER, S>(isa, query, codes, size, out);
    }
    for (code, out) in rest.chunks_exact(size).zip(out_rest) {
        score_some::<BITS, 1, S>(isa, query, code, size, std::array::from_mut(out));
    }
}

/// `N` codes in one pass over the query.
#[inline(always)]
fn score_some<const BITS: usize, const N: usize, S: Mixed>(
    isa: S,
    query: &[i8],
    codes: &[u8],
    size: usize,
    out: &mut [i32; N],
) {
    let code = |n: usize| <S as Lanes<u8>>::split(&codes[n * size..(n + 1) * size]);
    let codes: [_; N] = std::array::from_fn(code);
    let planes = 8 / BITS;
    let mut sums = [isa.none(); N];
    let mut add = |s: usize, vectors: &[ByteVector<S>; N], query| {
        for n in 0..N {
            let field = isa.field(vectors[n], (s * BITS) as u32, (1 << BITS) - 1);
            sums[n] = isa.dot_small(sums[n], field, query);
        }
    };
    for chunk in 0..codes[0].0.len() {
        let vectors: [_; N] = std::array::from_fn(|n| <S as Lanes<u8>>::load(isa, &codes[n].0[chunk]));
        for s in 0..planes {
            let (plane, _) = <S as Lanes<i8>>::split(&query[s * size..(s + 1) * size]);
            add(s, &vectors, <S as Lanes<i8>>::load(isa, &plane[chunk]));
        }
    }
    if !codes[0].1.is_empty() {
        let vectors: [_; N] = std::array::from_fn(|n| <S as Lanes<u8>>::load_partial(isa, codes[n].1));
        for s in 0..planes {
            let (_, rest) = <S as Lanes<i8>>::split(&query[s * size..(s + 1) * size]);
            add(s, &vectors, <S as Lanes<i8>>::load_partial(isa, rest));
        }
    }
    for n in 0..N {
        out[n] = isa.total(sums[n]);
    }
}

/// Σ codeᵢ·(256·highᵢ + lowᵢ).
#[inline(always)]
pub(crate) fn dot_split<S: Mixed>(isa: S, code: &[u8], high: &[i8], low: &[i8]) -> i64 {
    for half in [high, low] {
        if code.len() != half.len() {
            unequal(code.len(), half.len());
        }
    }
    let (codes, code_rest) = <S as Lanes<u8>>::split(code);
    let (highs, high_rest) = <S as Lanes<i8>>::split(high);
    let (lows, low_rest) = <S as Lanes<i8>>::split(low);
    // Two sums for each half.
    let mut sums = [[isa.none(); 2]; 2];
    let mut add = |i: usize, code, high, low| {
        sums[i % 2] = [isa.dot_mixed(sums[i % 2][0], code, high), isa.dot_mixed(sums[i % 2][1], code, low)];
    };
    for (i, code) in codes.iter().enumerate() {
        let (high, low) = (<S as Lanes<i8>>::load(isa, &highs[i]), <S as Lanes<i8>>::load(isa, &lows[i]));
        add(i, <S as Lanes<u8>>::load(isa, code), high, low);
    }
    if !code_rest.is_empty() {
        let high = <S as Lanes<i8>>::load_partial(isa, high_rest);
        let low = <S as Lanes<i8>>::load_partial(isa, low_rest);
        add(codes.len(), <S as Lanes<u8>>::load_partial(isa, code_rest), high, low);
    }
    let [even, odd] = sums;
    let total = |half: usize| i64::from(isa.total(even[half]).wrapping_add(isa.total(odd[half])));
    256 * total(0) + total(1)
}

#[cold]
#[inline(never)]
#[track_caller]
fn ragged(length: usize, fields: usize) -> ! {
    panic!("a query of {length} dimensions does not fill codes of {fields} dimensions a byte")
}
