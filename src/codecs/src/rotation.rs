//! A random rotation in O(d log d): what makes the elements of any vector alike, so that one bit of each says much.
//!
//! Four rounds of random signs, a Hadamard transform of the largest power of two of elements (first the front, then the
//! back, and again), and, where that is not all of them, a Kac step that mixes the two halves. Each part is orthogonal, hence
//! the whole is, whatever the dimensions. Version 1 of the format means exactly this, with signs from SplitMix64.

use kite_kernels::Kernels;
use std::f32::consts::FRAC_1_SQRT_2;

const ROUNDS: usize = 4;

/// A rotation of vectors of a multiple of 8 dimensions.
#[derive(Debug, Clone)]
pub(crate) struct Rotation {
    dims: usize,
    kernels: &'static Kernels,
    /// The sign bit to flip, per round and element.
    signs: Vec<u32>,
}

impl Rotation {
    /// Dimensions are padded with zeros up to what this gives.
    pub(crate) fn padded(dims: usize) -> usize {
        dims.next_multiple_of(8)
    }

    pub(crate) fn new(dims: usize, seed: u64) -> Self {
        let dims = Self::padded(dims);
        let mut state = seed;
        let mut signs = Vec::with_capacity(ROUNDS * dims);
        while signs.len() < ROUNDS * dims {
            let bits = split_mix(&mut state);
            signs.extend((0..64).map(|i| ((bits >> i & 1) as u32) << 31));
        }
        signs.truncate(ROUNDS * dims);
        Self { dims, kernels: kite_kernels::kernels(), signs }
    }

    /// Rotates in place. The slice has the padded dimensions.
    pub(crate) fn apply(&self, values: &mut [f32]) {
        let power = 1 << self.dims.ilog2();
        for (round, signs) in self.signs.chunks_exact(self.dims).enumerate() {
            for (value, sign) in values.iter_mut().zip(signs) {
                *value = f32::from_bits(value.to_bits() ^ sign);
            }
            let start = if round % 2 == 0 { 0 } else { self.dims - power };
            (self.kernels.hadamard)(&mut values[start..start + power]);
            if power != self.dims {
                let (front, back) = values.split_at_mut(self.dims / 2);
                mix(front, back, FRAC_1_SQRT_2);
            }
        }
    }
}

/// (a, b) becomes ((a + b)·scale, (a − b)·scale).
#[inline]
fn mix(front: &mut [f32], back: &mut [f32], scale: f32) {
    for (a, b) in front.iter_mut().zip(back) {
        (*a, *b) = ((*a + *b) * scale, (*a - *b) * scale);
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_angles_stay() {
        for dims in [1, 3, 8, 17, 64, 100, 128, 384, 768, 1000, 1536, 16_000] {
            let rotation = Rotation::new(dims, 42);
            let padded = Rotation::padded(dims);
            let vector = |seed| {
                let mut rng = fastrand::Rng::with_seed(seed);
                let mut values: Vec<f32> = (0..dims).map(|_| rng.f32() - 0.5).collect();
                values.resize(padded, 0.0);
                values
            };
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            let (a, b) = (vector(1), vector(2));
            let (mut c, mut d) = (a.clone(), b.clone());
            rotation.apply(&mut c);
            rotation.apply(&mut d);
            assert_ne!(a, c);
            let norms = (dot(&a, &a) * dot(&b, &b)).sqrt();
            assert!((dot(&a, &b) - dot(&c, &d)).abs() < 1e-5 * norms, "{dims}");
            assert!((dot(&a, &a) - dot(&c, &c)).abs() < 1e-5 * dot(&a, &a), "{dims}");
        }
    }

    /// One element becomes all of them, each about as large as the next: the worst case for a code of bits.
    #[test]
    fn a_unit_vector_is_spread_out() {
        for dims in [64, 100, 128, 384, 768, 1000, 1536] {
            let mut values = vec![0.0; Rotation::padded(dims)];
            values[dims / 3] = 1.0;
            Rotation::new(dims, 7).apply(&mut values);
            let magnitude: f32 = values.iter().map(|x| x.abs()).sum::<f32>() / (values.len() as f32).sqrt();
            // √(2/π) = 0.798 for a Gaussian vector, 1 where all magnitudes are equal.
            assert!((0.7..=1.001).contains(&magnitude), "{dims}: {magnitude}");
        }
    }

    /// Stored codes mean nothing under another rotation, so this may never change within version 1.
    #[test]
    fn the_rotation_is_fixed() {
        let mut values: Vec<f32> = (1..=24).map(|x| x as f32).collect();
        Rotation::new(24, 1).apply(&mut values);
        let first = [0.515_625, 26.015_625, -28.109_375, -14.078_125];
        assert!(values.iter().zip(first).all(|(value, fixed)| (value - fixed).abs() < 1e-3), "{values:?}");
    }
}
