//! Names for contents, and numbers from counters.

use std::hash::Hasher as _;
use twox_hash::XxHash64;

/// A hash of everything that is added to it; the same on every machine.
#[derive(Default)]
pub(super) struct Hash(XxHash64);

impl Hash {
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.write(bytes);
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    pub(super) fn number(&mut self, number: u64) -> &mut Self {
        self.0.write(&number.to_le_bytes());
        self
    }

    pub(super) fn floats(&mut self, values: &[f32]) -> &mut Self {
        self.number(values.len() as u64);
        values.iter().for_each(|value| self.0.write(&value.to_le_bytes()));
        self
    }

    pub(super) fn numbers(&mut self, values: &[u32]) -> &mut Self {
        self.number(values.len() as u64);
        values.iter().for_each(|value| self.0.write(&value.to_le_bytes()));
        self
    }

    pub(super) fn finish(&self) -> u64 {
        self.0.finish()
    }

    pub(super) fn hex(&self) -> String {
        format!("{:016x}", self.finish())
    }
}

/// A bijection of 64 bits that leaves no visible relation between input and output (the finish of the generator SplitMix64).
pub(super) fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A sequence of random numbers that its key alone determines: the generator SplitMix64.
#[derive(Debug, Clone)]
pub(super) struct Stream(u64);

impl Stream {
    /// The stream of a path: of a seed, then of a part of what is made from it, and so on.
    pub(super) fn new(path: &[u64]) -> Self {
        Self(path.iter().fold(0, |key, &step| mix(key.wrapping_add(Self::STEP) ^ mix(step.wrapping_add(1)))))
    }

    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(Self::STEP);
        mix(self.0)
    }

    /// Uniform in (0, 1].
    pub(super) fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Nearly normal: the sum of four uniform numbers, of mean 0 and variance 1.
    pub(super) fn normal(&mut self) -> f32 {
        // Sixteen bits each; their sum has the variance 4·(2³² - 1)/12.
        const SCALE: f32 = 1.0 / 37_837.23;
        let bits = self.bits();
        let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
        (sum as u32 as f32 - 131_070.0) * SCALE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut stream = Stream::new(&[1, 2]);
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|_| f64::from(stream.normal())).collect();
        let moment = |power: i32| draws.iter().map(|x| x.powi(power)).sum::<f64>() / f64::from(n);
        assert!(moment(1).abs() < 0.02 && (moment(2) - 1.0).abs() < 0.02, "{} {}", moment(1), moment(2));
        // Of four uniform numbers the fourth moment is 2.7 rather than 3.
        assert!((moment(4) - 2.7).abs() < 0.1, "{}", moment(4));
    }

    #[test]
    fn paths_make_streams() {
        let first = |path: &[u64]| Stream::new(path).bits();
        assert_eq!(first(&[3, 4]), first(&[3, 4]));
        for other in [&[4, 3][..], &[3], &[3, 4, 0], &[3, 5], &[]] {
            assert_ne!(first(&[3, 4]), first(other), "{other:?}");
        }
    }
}
