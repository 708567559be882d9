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

/// `N` codes in one pass over the query. (Loops instead of closures, which would not be compiled for the caller's CPU.)
#[inline(always)]
fn score_some<const BITS: usize, const N: usize, S: Mixed>(
    isa: S,
    query: &[i8],
    codes: &[u8],
    size: usize,
    out: &mut [i32; N],
) {
    let mut split = [<S as Lanes<u8>>::split(&codes[..size]); N];
    for n in 1..N {
        split[n] = <S as Lanes<u8>>::split(&codes[n * size..(n + 1) * size]);
    }
    let (chunks, rest) = split[0];
    let mut sums = [isa.none(); N];
    for i in 0..chunks.len() {
        let mut vectors = [<S as Lanes<u8>>::load(isa, &chunks[i]); N];
        for n in 1..N {
            vectors[n] = <S as Lanes<u8>>::load(isa, &split[n].0[i]);
        }
        for s in 0..8 / BITS {
            let (plane, _) = <S as Lanes<i8>>::split(&query[s * size..(s + 1) * size]);
            sums = add_fields::<BITS, N, S>(isa, sums, &vectors, s, <S as Lanes<i8>>::load(isa, &plane[i]));
        }
    }
    if !rest.is_empty() {
        let mut vectors = [<S as Lanes<u8>>::load_partial(isa, rest); N];
        for n in 1..N {
            vectors[n] = <S as Lanes<u8>>::load_partial(isa, split[n].1);
        }
        for s in 0..8 / BITS {
            let (_, rest) = <S as Lanes<i8>>::split(&query[s * size..(s + 1) * size]);
            sums =
                add_fields::<BITS, N, S>(isa, sums, &vectors, s, <S as Lanes<i8>>::load_partial(isa, rest));
        }
    }
    for n in 0..N {
        out[n] = isa.total(sums[n]);
    }
}

/// Adds the products of field `s` of each vector of codes with a vector of the query.
#[inline(always)]
fn add_fields<const BITS: usize, const N: usize, S: Mixed>(
    isa: S,
    mut sums: [S::Sum; N],
    vectors: &[ByteVector<S>; N],
    s: usize,
    query: ByteVector<S>,
) -> [S::Sum; N] {
    for n in 0..N {
        let field = isa.field(vectors[n], (s * BITS) as u32, (1 << BITS) - 1);
        sums[n] = isa.dot_small(sums[n], field, query);
    }
    sums
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
    let (code_pairs, code_last) = codes.as_chunks::<2>();
    let (high_pairs, high_last) = highs.as_chunks::<2>();
    let (low_pairs, low_last) = lows.as_chunks::<2>();
    for ((code, high), low) in code_pairs.iter().zip(high_pairs).zip(low_pairs) {
        for i in 0..2 {
            let code = <S as Lanes<u8>>::load(isa, &code[i]);
            sums[i][0] = isa.dot_mixed(sums[i][0], code, <S as Lanes<i8>>::load(isa, &high[i]));
            sums[i][1] = isa.dot_mixed(sums[i][1], code, <S as Lanes<i8>>::load(isa, &low[i]));
        }
    }
    if let ([code], [high], [low]) = (code_last, high_last, low_last) {
        let code = <S as Lanes<u8>>::load(isa, code);
        sums[0][0] = isa.dot_mixed(sums[0][0], code, <S as Lanes<i8>>::load(isa, high));
        sums[0][1] = isa.dot_mixed(sums[0][1], code, <S as Lanes<i8>>::load(isa, low));
    }
    if !code_rest.is_empty() {
        let code = <S as Lanes<u8>>::load_partial(isa, code_rest);
        sums[1][0] = isa.dot_mixed(sums[1][0], code, <S as Lanes<i8>>::load_partial(isa, high_rest));
        sums[1][1] = isa.dot_mixed(sums[1][1], code, <S as Lanes<i8>>::load_partial(isa, low_rest));
    }
    let [even, odd] = sums;
    let high = isa.total(even[0]).wrapping_add(isa.total(odd[0]));
    let low = isa.total(even[1]).wrapping_add(isa.total(odd[1]));
    256 * i64::from(high) + i64::from(low)
}

#[cold]
#[inline(never)]
#[track_caller]
fn ragged(length: usize, fields: usize) -> ! {
    panic!("a query of {length} dimensions does not fill codes of {fields} dimensions a byte")
}
