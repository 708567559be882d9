//! Products of a query with packed codes: what steers a search, so many codes are scored in one call.
//!
//! A code with `B` bits for each of `n·8/B` dimensions takes `n` bytes, in *planes*: field `s` of byte `j` (bits `sB` to
//! `sB + B − 1`) belongs to dimension `s·n + j`. So the fields of consecutive bytes meet consecutive bytes of the query after
//! one shift and one mask, on every CPU, without a shuffle and at any length.

use crate::lanes::{ByteVector, Lanes};
use crate::pass::unequal;

/// Products of unsigned with signed bytes. Sums are modulo 2³², as those of [`crate::lanes::Integers`].
pub(crate) trait Mixed: Lanes<u8> + Lanes<i8, V = <Self as Lanes<u8>>::V> {
    type Sum: Copy;
    fn none(self) -> Self::Sum;
    /// sum + Σ aᵢ·bᵢ of unsigned `a` and signed `b`.
    fn dot_mixed(self, sum: Self::Sum, a: ByteVector<Self>, b: ByteVector<Self>) -> Self::Sum;
    /// The same where no byte of `a` is above 3.
    fn dot_small(self, sum: Self::Sum, a: ByteVector<Self>, b: ByteVector<Self>) -> Self::Sum;
    /// Bits `shift` and up of each byte, as many as `mask` has; `shift` is below 8 and `mask` below 2^(8 − shift).
    fn field(self, of: ByteVector<Self>, shift: u32, mask: u8) -> ByteVector<Self>;
    fn total(self, sum: Self::Sum) -> i32;
    /// The totals of several sums: in registers of many lanes less work together than one by one.
    #[inline(always)]
    fn totals<const N: usize>(self, sums: [Self::Sum; N]) -> [i32; N] {
        let mut totals = [0; N];
        for n in 0..N {
            totals[n] = self.total(sums[n]);
        }
        totals
    }
}

/// How many codes share each load of the query, and how many sums are independent of each other.
const TOGETHER: usize = 4;

/// Bytes of a block: what the longest registers hold.
const BLOCK: usize = 64;

/// A query as [`score`] takes it: for each block of a code the planes that meet it, one after the other, the last block filled up
/// with zeros. So no load of the query is cut short, and none is looked for.
pub(crate) fn arrange<const BITS: usize>(query: &[i8]) -> Vec<i8> {
    let planes = 8 / BITS;
    let size = query.len() / planes;
    if query.len() != size * planes {
        ragged(query.len(), planes);
    }
    let mut arranged = vec![0; size.div_ceil(BLOCK) * planes * BLOCK];
    for (place, block) in arranged.chunks_exact_mut(planes * BLOCK).enumerate() {
        for (plane, into) in query.chunks_exact(size).zip(block.chunks_exact_mut(BLOCK)) {
            let from = &plane[place * BLOCK..];
            let whole = from.len().min(BLOCK);
            into[..whole].copy_from_slice(&from[..whole]);
        }
    }
    arranged
}

/// Σ fieldᵢ·queryᵢ for each of the codes of `BITS` bits that lie one after the other in `codes`, for a query that was arranged.
#[inline(always)]
pub(crate) fn score<const BITS: usize, S: Mixed>(isa: S, query: &[i8], codes: &[u8], out: &mut [i32]) {
    let size = codes.len() / out.len().max(1);
    if codes.len() != size * out.len() {
        unequal(codes.len(), size * out.len());
    }
    let arranged = size.div_ceil(BLOCK) * (8 / BITS) * BLOCK;
    if query.len() != arranged && !out.is_empty() {
        unequal(query.len(), arranged);
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
    let mut blocks = [codes.as_chunks::<BLOCK>(); N];
    for n in 0..N {
        blocks[n] = codes[n * size..(n + 1) * size].as_chunks();
    }
    let whole = blocks[0].0.len();
    let mut sums = [isa.none(); N];
    let (planes, _) = query.as_chunks::<BLOCK>();
    let mut planes = planes.chunks_exact(8 / BITS);
    for (i, planes) in planes.by_ref().take(whole).enumerate() {
        let mut block = [&[0; BLOCK]; N];
        for n in 0..N {
            block[n] = &blocks[n].0[i];
        }
        sums = add_block::<BITS, N, S>(isa, sums, block.map(<[u8; BLOCK]>::as_slice), planes);
    }
    if let Some(planes) = planes.next() {
        sums = add_block::<BITS, N, S>(isa, sums, blocks.map(|(_, rest)| rest), planes);
    }
    *out = isa.totals(sums);
}

/// Adds the products of a block of each code, all of one length, with the planes that meet it.
#[inline(always)]
fn add_block<const BITS: usize, const N: usize, S: Mixed>(
    isa: S,
    mut sums: [S::Sum; N],
    codes: [&[u8]; N],
    planes: &[[i8; BLOCK]],
) -> [S::Sum; N] {
    let mut split = [<S as Lanes<u8>>::split(codes[0]); N];
    for n in 1..N {
        split[n] = <S as Lanes<u8>>::split(codes[n]);
    }
    let (chunks, rest) = split[0];
    for i in 0..chunks.len() + usize::from(!rest.is_empty()) {
        let mut vectors = [<S as Lanes<u8>>::load_partial(isa, &[]); N];
        for n in 0..N {
            vectors[n] = match split[n].0.get(i) {
                Some(chunk) => <S as Lanes<u8>>::load(isa, chunk),
                None => <S as Lanes<u8>>::load_partial(isa, split[n].1),
            };
        }
        for (s, plane) in planes.iter().take(8 / BITS).enumerate() {
            let (plane, _) = <S as Lanes<i8>>::split(plane);
            let query = <S as Lanes<i8>>::load(isa, &plane[i]);
            for n in 0..N {
                let field = isa.field(vectors[n], (s * BITS) as u32, (1 << BITS) - 1);
                sums[n] = isa.dot_small(sums[n], field, query);
            }
        }
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
