//! Kernels of every set that this CPU runs, beside simsimd's.
//!
//! `cargo bench -p kite-bench --bench kernels` measures with criterion (about four minutes);
//! `cargo bench -p kite-bench --bench kernels -- --table` prints the median nanoseconds per call as a Markdown table (about
//! half a minute).

mod meter;

use kite_kernels::{
    Bytes, Element, FAN, Kernels, Nearest, Panels, Steps, arrange_one_bit, arrange_two_bits, available, f16,
};
use meter::{Meter, Run};
use simsimd::{BinarySimilarity, SpatialSimilarity};
use std::collections::BTreeSet;
use std::hint::black_box;
use std::ops::{Deref, Range};

const SIMSIMD: &str = "simsimd";
const DIMENSIONS: [usize; 9] = [3, 16, 64, 128, 384, 768, 1536, 3072, 16_000];

fn main() {
    meter::main(&DIMENSIONS, AllKernels);
}

struct AllKernels;

impl Run for AllKernels {
    fn run(self, meter: &mut impl Meter) {
        run(meter);
    }
}

fn run(meter: &mut impl Meter) {
    dense::<f32>(meter, "f32");
    spatial(meter, "f32", float::<f32>);
    dense::<f16>(meter, "f16");
    spatial(meter, "f16", |byte| simsimd::f16(float::<f16>(byte).to_bits()));
    bytes(meter, "i8", |set| set.i8, u8::cast_signed);
    spatial(meter, "i8", u8::cast_signed);
    bytes(meter, "u8", |set| set.u8, |byte| byte);
    fan(meter);
    bits(meter);
    codes(meter);
    conversions(meter);
    tiles(meter);
    transforms(meter);
}

fn dense<E: Element>(meter: &mut impl Meter, name: &str) {
    pairs(meter, &format!("{name} l2²"), |set| E::of(set).l2_squared, |d| d, float::<E>);
    pairs(meter, &format!("{name} dot"), |set| E::of(set).dot, |d| d, float::<E>);
    pairs(meter, &format!("{name} l1"), |set| E::of(set).l1, |d| d, float::<E>);
    pairs(meter, &format!("{name} cosine"), |set| E::of(set).cosine, |d| d, float::<E>);
    let name = format!("{name} norm²");
    each_set(
        |set| E::of(set).norm_squared as usize,
        |set| {
            for d in DIMENSIONS {
                let [a, _] = Values::pair(d, float::<E>);
                let a: &[E] = &a;
                meter.time(&name, set.name, d, || black_box(E::of(set).norm_squared)(black_box(a)));
            }
        },
    );
}

fn bytes<E: 'static, S: 'static>(
    meter: &mut impl Meter,
    name: &str,
    of: impl Fn(&'static Kernels) -> Bytes<E, S>,
    element: impl Fn(u8) -> E + Copy,
) {
    pairs(meter, &format!("{name} l2²"), |set| of(set).l2_squared, |d| d, element);
    pairs(meter, &format!("{name} dot"), |set| of(set).dot, |d| d, element);
}

/// Nanoseconds for all products of one vector with several.
fn fan(meter: &mut impl Meter) {
    each_set(
        |set| set.u8.dots as usize,
        |set| {
            for d in DIMENSIONS {
                let [a, b] = Values::pair(d, |byte| byte);
                let others: [&[u8]; FAN] = [&b, &a, &b, &a];
                meter.time("u8 dot of 4", set.name, d, || {
                    black_box(set.u8.dots)(black_box(&a), black_box(others))
                });
            }
        },
    );
}

/// Dimensions are bits here.
fn bits(meter: &mut impl Meter) {
    let size = |d: usize| d.div_ceil(8);
    pairs(meter, "bit hamming", |set| set.bits.hamming, size, |byte| byte);
    time_pair(meter, "bit hamming", SIMSIMD, u8::hamming, size, |byte| byte);
    pairs(meter, "bit overlap", |set| set.bits.overlap, size, |byte| byte);
    // The quotient of what `overlap` counts.
    time_pair(meter, "bit overlap", SIMSIMD, u8::jaccard, size, |byte| byte);
    pairs(meter, "bit and", |set| set.bits.and_popcount, size, |byte| byte);
}

/// Nanoseconds for a whole edge list, of 32 codes.
fn codes(meter: &mut impl Meter) {
    const LIST: usize = 32;
    for (name, bits) in [("32 codes, 1 bit", 1), ("32 codes, 2 bits", 2)] {
        let of = |set: &Kernels| if bits == 1 { set.codes.one_bit } else { set.codes.two_bits };
        let arrange = if bits == 1 { arrange_one_bit } else { arrange_two_bits };
        each_set(
            |set| of(set) as usize,
            |set| {
                for d in DIMENSIONS.map(|d| d.next_multiple_of(8)) {
                    let [query, _] = Values::pair(d, u8::cast_signed);
                    let query = arrange(&query);
                    let [codes, _] = Values::pair(d * bits / 8 * LIST, |byte| byte);
                    let mut out = [0; LIST];
                    meter.time(name, set.name, d, || {
                        black_box(of(set))(black_box(&query), black_box(&codes), &mut out);
                    });
                }
            },
        );
    }
    each_set(
        |set| set.codes.dot_split as usize,
        |set| {
            for d in DIMENSIONS {
                let [high, low] = Values::pair(d, u8::cast_signed);
                let [code, _] = Values::pair(d, |byte| byte);
                meter.time("u8 · i16", set.name, d, || {
                    black_box(set.codes.dot_split)(black_box(&code), black_box(&high), black_box(&low))
                });
            }
        },
    );
}

fn conversions(meter: &mut impl Meter) {
    each_set(
        |set| set.f16_to_f32 as usize,
        |set| {
            for d in DIMENSIONS {
                let [from, _] = Values::pair(d, float::<f16>);
                let from: &[f16] = &from;
                let mut to = vec![0.0; d];
                meter.time("f16 → f32", set.name, d, || {
                    black_box(set.f16_to_f32)(black_box(from), &mut to);
                });
            }
        },
    );
    each_set(
        |set| set.f32_to_f16 as usize,
        |set| {
            for d in DIMENSIONS {
                let [from, _] = Values::pair(d, float::<f32>);
                let from: &[f32] = &from;
                let mut to = vec![f16::ZERO; d];
                meter.time("f32 → f16", set.name, d, || {
                    black_box(set.f32_to_f16)(black_box(from), &mut to);
                });
            }
        },
    );
}

/// 24 vectors against 64 that are packed.
fn tiles(meter: &mut impl Meter) {
    const ROWS: usize = 24;
    const PACKED: usize = 64;
    each_set(
        |set| set.nearest as usize,
        |set| {
            for d in DIMENSIONS {
                let [rows, packed] = Values::pair(d * PACKED, float::<f32>);
                let rows: Vec<&[f32]> = rows.chunks_exact(d).take(ROWS).collect();
                let vectors = packed.chunks_exact(d).map(|vector| (vector, -2.0, 1.0));
                let panels = Panels::pack(d, vectors).expect("memory");
                let mut found = vec![Nearest { place: 0, key: 0.0, next: 0.0 }; ROWS];
                meter.time("nearest, 24 of 64", set.name, d, || {
                    black_box(set.nearest)(black_box(&rows), black_box(&panels), &mut found);
                });
            }
        },
    );
}

fn transforms(meter: &mut impl Meter) {
    each_set(
        |set| set.hadamard as usize,
        |set| {
            for d in DIMENSIONS {
                let [values, _] = Values::pair(1 << d.ilog2(), float::<f32>);
                let mut values = values.to_vec();
                meter.time("hadamard", set.name, d, || black_box(set.hadamard)(black_box(&mut values)));
            }
        },
    );
    each_set(
        |set| set.encode_two_bits as usize,
        |set| {
            for d in DIMENSIONS {
                let [values, _] = Values::pair(d.next_multiple_of(8), float::<f32>);
                let values: &[f32] = &values;
                for (name, bits, encode) in
                    [("encode 1 bit", 1, set.encode_one_bit), ("encode 2 bits", 2, set.encode_two_bits)]
                {
                    let mut code = vec![0; values.len() * bits / 8];
                    meter.time(name, set.name, d, || black_box(encode)(black_box(values), &mut code));
                }
            }
        },
    );
    each_set(
        |set| set.quantise as usize,
        |set| {
            for d in DIMENSIONS {
                let [values, _] = Values::pair(d, float::<f32>);
                let values: &[f32] = &values;
                let steps = Steps { factor: 1.0, offset: -1.0, step: 2.0 / 255.0, inverse: 255.0 / 2.0 };
                let mut codes = vec![0; d];
                meter.time("f32 → u8", set.name, d, || {
                    black_box(set.quantise)(black_box(values), black_box(&steps), &mut codes)
                });
            }
        },
    );
}

/// What simsimd has of these. Its cosine is the distance, which takes the three sums and a root.
fn spatial<E: SpatialSimilarity>(meter: &mut impl Meter, name: &str, element: impl Fn(u8) -> E + Copy) {
    time_pair(meter, &format!("{name} l2²"), SIMSIMD, E::l2sq, |d| d, element);
    time_pair(meter, &format!("{name} dot"), SIMSIMD, E::dot, |d| d, element);
    if name != "i8" {
        time_pair(meter, &format!("{name} cosine"), SIMSIMD, E::cos, |d| d, element);
    }
}

/// Visits each set whose kernel at `address` is not that of a set before it.
fn each_set(address: impl Fn(&'static Kernels) -> usize, mut visit: impl FnMut(&'static Kernels)) {
    let mut seen = BTreeSet::new();
    for set in available() {
        if seen.insert(address(set)) {
            visit(set);
        }
    }
}

fn pairs<E, R>(
    meter: &mut impl Meter,
    kernel: &str,
    of: impl Fn(&'static Kernels) -> fn(&[E], &[E]) -> R,
    size: impl Fn(usize) -> usize,
    element: impl Fn(u8) -> E + Copy,
) {
    each_set(|set| of(set) as usize, |set| time_pair(meter, kernel, set.name, of(set), &size, element));
}

/// `size` tells how many elements so many dimensions take.
fn time_pair<E, R>(
    meter: &mut impl Meter,
    kernel: &str,
    set: &str,
    function: fn(&[E], &[E]) -> R,
    size: impl Fn(usize) -> usize,
    element: impl Fn(u8) -> E + Copy,
) {
    for d in DIMENSIONS {
        let [a, b] = Values::pair(size(d), element);
        let (a, b): (&[E], &[E]) = (&a, &b);
        // `black_box` keeps the call an indirect one, as in use.
        meter.time(kernel, set, d, || black_box(function)(black_box(a), black_box(b)));
    }
}

/// In [−1, 1).
fn float<E: Element>(byte: u8) -> E {
    E::from_f32(f32::from(byte) / 128.0 - 1.0)
}

/// Reproducible noise that begins 16 bytes past a multiple of 64, as the data behind a Postgres header may: so all rows
/// meet the same alignment, and wide loads the cache line ends that they meet in use.
struct Values<E> {
    all: Vec<E>,
    range: Range<usize>,
}

impl<E> Deref for Values<E> {
    type Target = [E];
    fn deref(&self) -> &[E] {
        &self.all[self.range.clone()]
    }
}

impl<E> Values<E> {
    fn pair(length: usize, element: impl Fn(u8) -> E) -> [Self; 2] {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            element((state >> 56) as u8)
        };
        [0, 1].map(|_| {
            let all: Vec<E> = (0..length + 64).map(|_| next()).collect();
            let misaligned = |i: &usize| (all.as_ptr().wrapping_add(*i) as usize) % 64 == 16;
            let start = (0..64).find(misaligned).expect("an element size that divides 16");
            Self { all, range: start..start + length }
        })
    }
}
