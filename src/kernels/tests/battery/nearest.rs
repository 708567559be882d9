//! Vectors against panels of others.

use crate::{Noise, every_set, lengths};
use kite_kernels::{Kernels, Nearest, Panels};
use proptest::prelude::*;
use std::panic::catch_unwind;

/// Packed vectors, with `mul` and `add`.
type Packed = Vec<(Vec<f32>, f32, f32)>;

fn pack(len: usize, packed: &Packed) -> Panels {
    let vectors = packed.iter().map(|(vector, mul, add)| (vector.as_slice(), *mul, *add));
    Panels::pack(len, vectors).expect("some memory")
}

fn run(set: &'static Kernels, rows: &[Vec<f32>], panels: &Panels) -> Vec<Nearest> {
    let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
    let mut found = vec![Nearest { place: 9, key: 9.0, next: 9.0 }; rows.len()];
    (set.nearest)(&rows, panels, &mut found);
    found
}

/// A key in `f64`, and how far one in `f32` may be from it.
fn key(row: &[f32], (vector, mul, add): &(Vec<f32>, f32, f32)) -> (f64, f64) {
    let (mul, add) = (f64::from(*mul), f64::from(*add));
    let terms = || row.iter().zip(vector).map(|(a, b)| f64::from(*a) * f64::from(*b));
    let key = terms().sum::<f64>() * mul + add;
    let sizes = terms().map(f64::abs).sum::<f64>() * mul.abs() + add.abs();
    // Products that underflow are off by less than the least number each.
    (key, (row.len() + 5) as f64 * (sizes * 2f64.powi(-24) + 2f64.powi(-149) * mul.abs().max(1.0)))
}

/// Holds what was found against all keys.
fn check(row: &[f32], packed: &Packed, found: Nearest, exact: bool) {
    let keys: Vec<(f64, f64)> = packed.iter().map(|packed| key(row, packed)).collect();
    let Some(&(own, slack)) = keys.get(found.place as usize) else {
        assert!(packed.is_empty(), "{found:?}");
        assert_eq!(found, Nearest { place: 0, key: f32::INFINITY, next: f32::INFINITY });
        return;
    };
    let near = |a: f64, b: f64, slack: f64| (a - b).abs() <= if exact { 0.0 } else { slack };
    assert!(near(f64::from(found.key), own, slack), "{found:?}: its key is {own}");
    let mut next = (f64::INFINITY, 0.0);
    for (n, &(key, its_slack)) in keys.iter().enumerate() {
        if n != found.place as usize {
            assert!(own <= key + if exact { 0.0 } else { slack + its_slack }, "{found:?}: {n} has {key}");
            next = if key < next.0 { (key, its_slack) } else { next };
        }
        if exact && n < found.place as usize {
            assert!(key > own, "{found:?}: {n} is as near and comes first");
        }
    }
    // The next one by these keys may be another than by exact ones, if both are within the error.
    let most = keys.iter().fold(0f64, |most, key| most.max(key.1));
    assert!(
        found.next.is_infinite() && next.0.is_infinite() || near(found.next.into(), next.0, most),
        "{next:?}"
    );
}

fn draw(count: usize, len: usize, mut values: impl FnMut(usize) -> Vec<f32>) -> Vec<Vec<f32>> {
    (0..count).map(|_| values(len)).collect()
}

/// Numbers of vectors of both sides, around the sizes of tiles, panels and blocks.
const COUNTS: [(usize, usize); 12] = [
    (0, 5),
    (5, 0),
    (1, 1),
    (2, 15),
    (3, 16),
    (5, 17),
    (7, 31),
    (8, 32),
    (9, 33),
    (23, 48),
    (25, 49),
    (60, 70),
];

/// One left out, taken twice or paired with the wrong neighbour shows; and of equal ones, of which there are many, the first is found.
#[test]
fn whole_numbers_are_exact() {
    every_set(|set| {
        let mut noise = Noise(5);
        for (rows, count) in COUNTS {
            for len in lengths().filter(|&len| len <= 40 || [257, 384, 769].contains(&len)) {
                let packed: Packed = draw(count, len, |len| noise.small_integers(len))
                    .into_iter()
                    .enumerate()
                    .map(|(n, vector)| (vector, [-1.0, -2.0, 0.5][n % 3], (n * 7 % 5) as f32))
                    .collect();
                let rows = draw(rows, len, |len| noise.small_integers(len));
                let found = run(set, &rows, &pack(len, &packed));
                rows.iter().zip(found).for_each(|(row, found)| check(row, &packed, found, true));
            }
        }
    });
}

#[test]
fn fractions_are_within_the_bound() {
    every_set(|set| {
        let mut noise = Noise(6);
        for len in lengths().filter(|&len| len >= 100) {
            let packed: Packed =
                draw(35, len, |len| noise.unit(len)).into_iter().map(|vector| (vector, -2.0, 1.0)).collect();
            let rows = draw(10, len, |len| noise.unit(len));
            let found = run(set, &rows, &pack(len, &packed));
            rows.iter().zip(found).for_each(|(row, found)| check(row, &packed, found, false));
        }
    });
}

/// The sum is one term after the other, whatever the tile: rows may come in any
/// company.
#[test]
fn a_row_gets_the_same_answer_in_any_company() {
    every_set(|set| {
        let mut noise = Noise(7);
        let packed: Packed =
            draw(50, 100, |len| noise.unit(len)).into_iter().map(|vector| (vector, -1.0, 0.0)).collect();
        let (rows, panels) = (draw(30, 100, |len| noise.unit(len)), pack(100, &packed));
        let together = run(set, &rows, &panels);
        for (row, found) in rows.iter().zip(&together) {
            assert_eq!(run(set, std::slice::from_ref(row), &panels), [*found]);
        }
    });
}

#[test]
fn what_is_no_number_is_never_the_nearest() {
    every_set(|set| {
        for place in 0..20 {
            let mut packed: Packed = (0..20).map(|n| (vec![1.0, n as f32], -1.0, 50.0)).collect();
            packed[place].0[1] = f32::NAN;
            let found = run(set, &[vec![0.0, 1.0]], &pack(2, &packed))[0];
            let (first, second) = match place {
                19 => (18, 17),
                18 => (19, 17),
                _ => (19, 18),
            };
            let expected = Nearest { place: first, key: 50.0 - first as f32, next: 50.0 - second as f32 };
            assert_eq!(found, expected, "without {place}");
        }
        let nowhere = Nearest { place: 0, key: f32::INFINITY, next: f32::INFINITY };
        for row in [[f32::NAN, 0.0], [f32::INFINITY, -1.0]] {
            // Infinity times a zero of a lane without a vector is no number either.
            let packed: Packed = vec![(vec![0.0, 0.0], 1.0, 0.0); 3];
            assert_eq!(run(set, &[row.to_vec()], &pack(2, &packed)), [nowhere]);
        }
        let packed: Packed = vec![(vec![f32::MAX; 2], -1.0, 0.0), (vec![1.0; 2], -1.0, 0.0)];
        let found = run(set, &[vec![f32::MAX; 2]], &pack(2, &packed))[0];
        assert_eq!((found.place, found.key), (0, f32::NEG_INFINITY));
    });
}

#[test]
fn lengths_that_do_not_match() {
    every_set(|set| {
        let panels = pack(3, &vec![(vec![1.0; 3], 1.0, 0.0)]);
        let none = Nearest { place: 0, key: 0.0, next: 0.0 };
        assert!(catch_unwind(|| (set.nearest)(&[&[1.0; 2]], &panels, &mut [none])).is_err());
        assert!(catch_unwind(|| (set.nearest)(&[&[1.0; 3]], &panels, &mut [none; 2])).is_err());
    });
    assert!(catch_unwind(|| pack(2, &vec![(vec![1.0; 3], 1.0, 0.0)])).is_err());
}

/// Values of up to ±3·10¹⁵ and down to 0, of very different size.
fn any_size() -> impl Strategy<Value = f32> {
    (-1.0f32..1.0, -140i32..52)
        .prop_map(|(mantissa, exponent)| (f64::from(mantissa) * 2f64.powi(exponent)) as f32)
}

proptest! {
    #[test]
    fn values_of_any_size(
        (packed, rows) in (0usize..40).prop_flat_map(|len| {
            let vector = || prop::collection::vec(any_size(), len);
            let packed = prop::collection::vec((vector(), -2.0f32..2.0, any_size()), 0..40);
            (packed, prop::collection::vec(vector(), 1..12))
        })
    ) {
        let panels = pack(rows[0].len(), &packed);
        every_set(|set| {
            let found = run(set, &rows, &panels);
            rows.iter().zip(found).for_each(|(row, found)| check(row, &packed, found, false));
        });
    }
}
