//! One battery for every set of kernels that this CPU runs, against plain loops in `f64` and `u64`.

mod affine;
mod bits;
mod bytes;
mod codes;
mod conversions;
mod fields;
mod guard;
mod nearest;
mod reference;
mod special;
mod sums;
mod transforms;

use kite_kernels::{Kernels, available};

/// Runs a test on every set; a failure names the set.
fn every_set(test: impl Fn(&'static Kernels)) {
    for set in available() {
        // Shown with a failing test only.
        println!("set {}", set.name);
        test(set);
    }
}

/// All lengths up to two vectors of the widest kind and a bit, then around multiples of them and the sizes of models.
fn lengths() -> impl Iterator<Item = usize> {
    let far =
        [191, 192, 255, 256, 257, 383, 384, 385, 511, 513, 768, 769, 1535, 1536, 3071, 3072, 15_999, 16_000];
    (0..=132).chain(far)
}

/// Starts of two slices, in elements, so that neither, one or both are unaligned, by different amounts.
const STARTS: [(usize, usize); 4] = [(0, 0), (1, 0), (0, 3), (5, 7)];

/// The wider of the offsets in [`STARTS`].
const LONGEST_START: usize = 7;

/// A reproducible stream of numbers that look random (SplitMix64).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// Whole numbers from −3 to 3.
    fn small_integers(&mut self, length: usize) -> Vec<f32> {
        (0..length).map(|_| (self.next() % 7) as f32 - 3.0).collect()
    }

    /// Numbers in [−1, 1).
    fn unit(&mut self, length: usize) -> Vec<f32> {
        (0..length).map(|_| (self.next() >> 40) as f32 / (1u32 << 23) as f32 - 1.0).collect()
    }
}
