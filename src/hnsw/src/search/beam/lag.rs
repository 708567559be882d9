//! How far estimates are off.

/// Standard deviations beyond which hardly any estimate lies: one in a thousand by the normal distribution.
const HARDLY_ANY: f32 = 3.1;

/// Standard deviations by which an estimate may be beyond the farthest result where estimates do not tell results apart.
const SLACK: f32 = 3.0;

/// What is known of the differences between estimates and keys: a vertex whose estimate is too high is read too late.
///
/// Keys are squares of what may be very large or very small, and the squares of those are counted here: more than `f32` can hold.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lag {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Lag {
    /// A vertex that waited with an estimate was read.
    #[inline]
    pub(super) fn note(&mut self, estimate: f32, key: f32) {
        let above = f64::from(estimate) - f64::from(key);
        // Entry points wait without an estimate, and vectors may be larger than their squares can be.
        if above.is_finite() {
            self.count += 1.0;
            self.sum += above;
            self.squares += above * above;
        }
    }

    /// By how much an estimate may be beyond the farthest of the best, which are `spread` apart.
    ///
    /// Estimates of vectors in a dense cluster differ by less than they are off, and all are too high where the code of one is: the
    /// nearest may well have one that is beyond the farthest result. Where results are farther apart than that, a wider beam pays more
    /// than a longer reach; so this grows with the share that the error has in the spread.
    #[inline]
    pub(super) fn slack(&self, spread: f32) -> f32 {
        let deviation = self.deviation();
        let share = (deviation / spread.max(f32::MIN_POSITIVE)).min(1.0);
        share * (self.mean().max(0.0) + SLACK * deviation)
    }

    /// The mean of the differences.
    #[inline]
    fn mean(&self) -> f32 {
        (self.sum / self.count.max(1.0)) as f32
    }

    /// The standard deviation of the differences.
    #[inline]
    fn deviation(&self) -> f32 {
        if self.count == 0.0 {
            return 0.0;
        }
        let mean = self.sum / self.count;
        (self.squares / self.count - mean * mean).max(0.0).sqrt() as f32
    }

    /// How far hardly any estimate is above the key.
    pub(super) fn most(&self) -> f32 {
        (self.mean() + HARDLY_ANY * self.deviation()).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardly_any_estimate_is_further_above() {
        let mut lag = Lag::default();
        assert_eq!(lag.most(), 0.0);
        lag.note(f32::NEG_INFINITY, 1.0);
        lag.note(f32::INFINITY, 1.0);
        assert_eq!(lag.most(), 0.0);
        // What has squares beyond those of `f32`, on either side.
        for scale in [1e36_f32, 1e-36] {
            let mut lag = Lag::default();
            (0..1000).for_each(|n| lag.note((n % 2) as f32 * 2.0 * scale, 0.0));
            assert!((lag.most() / scale - 4.1).abs() < 0.01, "{scale}: {}", lag.most());
        }
        let mut rng = fastrand::Rng::with_seed(1);
        // The sum of twelve uniform numbers is nearly normal, with a variance of one.
        let mut off = || 0.5 + 2.0 * ((0..12).map(|_| rng.f32()).sum::<f32>() - 6.0);
        (0..10_000).for_each(|_| lag.note(off() + 7.0, 7.0));
        let above = (0..10_000).filter(|_| off() > lag.most()).count();
        assert!((1..40).contains(&above), "{above} of 10,000 above {}", lag.most());
        // The mean is 0.5 and the deviation 2: all of it counts where results are no farther apart, and little where they are.
        for (spread, slack) in [(0.0, 6.5), (1.0, 6.5), (2.0, 6.5), (20.0, 0.65)] {
            assert!((lag.slack(spread) / slack - 1.0).abs() < 0.1, "{spread}: {}", lag.slack(spread));
        }
    }
}
