//! Queries and codes, exact.

use crate::{Noise, every_set, lengths};
use kite_kernels::{Kernels, arrange_one_bit, arrange_two_bits};

/// Dimension by dimension, out of the definition of the layout.
fn reference(bits: usize, query: &[i8], code: &[u8]) -> i64 {
    let mask = (1u8 << bits) - 1;
    (0..query.len())
        .map(|i| {
            let (s, j) = (i / code.len(), i % code.len());
            i64::from(code[j] >> (s * bits) & mask) * i64::from(query[i])
        })
        .sum()
}

fn check(set: &'static Kernels, bits: usize, query: &[i8], codes: &[u8], count: usize) {
    let (kernel, arranged) = match bits {
        1 => (set.codes.one_bit, arrange_one_bit(query)),
        _ => (set.codes.two_bits, arrange_two_bits(query)),
    };
    let mut out = vec![i32::MIN; count];
    kernel(&arranged, codes, &mut out);
    let size = query.len() * bits / 8;
    for (n, sum) in out.into_iter().enumerate() {
        let expected = reference(bits, query, &codes[n * size..(n + 1) * size]);
        assert_eq!(i64::from(sum), expected, "{bits} bits, {} dimensions, code {n}", query.len());
    }
}

fn signed(bytes: &[u8]) -> Vec<i8> {
    bytes.iter().map(|byte| byte.cast_signed()).collect()
}

#[test]
fn codes_of_every_size_and_number() {
    every_set(|set| {
        let mut noise = Noise(11);
        for size in lengths().filter(|length| *length <= 4_000) {
            for bits in [1, 2] {
                let query = signed(&noise.bytes(size * 8 / bits));
                // Few of the long ones: the reference is slow.
                for count in if size < 140 { vec![0, 1, 3, 4, 5, 9] } else { vec![5] } {
                    check(set, bits, &query, &noise.bytes(size * count), count);
                }
            }
        }
    });
}

#[test]
fn the_largest_sums() {
    every_set(|set| {
        for value in [i8::MIN, i8::MAX, 0, -1] {
            for bits in [1, 2] {
                check(set, bits, &vec![value; 64_000], &vec![255; 8_000 * bits * 2], 2);
            }
        }
    });
}

#[test]
fn split_products() {
    every_set(|set| {
        let mut noise = Noise(12);
        for length in lengths() {
            let (code, high, low) =
                (noise.bytes(length), signed(&noise.bytes(length)), signed(&noise.bytes(length)));
            let expected: i64 = (0..length)
                .map(|i| i64::from(code[i]) * (256 * i64::from(high[i]) + i64::from(low[i])))
                .sum();
            assert_eq!((set.codes.dot_split)(&code, &high, &low), expected, "{length}");
        }
        for (high, low) in [(-128, -128), (127, 127), (-128, 127)] {
            let sum = (set.codes.dot_split)(&[255; 60_000], &[high; 60_000], &[low; 60_000]);
            assert_eq!(sum, 255 * 60_000 * (256 * i64::from(high) + i64::from(low)));
        }
    });
}

#[test]
fn what_does_not_fit_panics() {
    every_set(|set| {
        let panics = |call: &dyn Fn()| {
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err());
        };
        panics(&|| drop(arrange_one_bit(&[1; 9])));
        panics(&|| drop(arrange_two_bits(&[1; 6])));
        panics(&|| (set.codes.one_bit)(&[1; 8], &[1], &mut [0]));
        panics(&|| (set.codes.one_bit)(&arrange_one_bit(&[1; 8]), &[1; 65], &mut [0]));
        panics(&|| (set.codes.one_bit)(&arrange_one_bit(&[1; 8]), &[1; 3], &mut [0; 2]));
        panics(&|| (set.codes.one_bit)(&[], &[1], &mut []));
        panics(&|| {
            (set.codes.dot_split)(&[1], &[1], &[]);
        });
    });
}
