//! What a row of timings says.

use serde::Serialize;

/// How many resamples stand behind a confidence interval.
const RESAMPLES: usize = 4000;

/// The middle of some numbers and how far they spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    /// First quartile.
    pub(crate) q1: f64,
    /// Third quartile.
    pub(crate) q3: f64,
}

impl Summary {
    /// Of at least one number.
    pub(crate) fn of(numbers: &[f64]) -> Self {
        let sorted = sorted(numbers);
        Self { median: quantile(&sorted, 0.5), q1: quantile(&sorted, 0.25), q3: quantile(&sorted, 0.75) }
    }

    /// The interquartile range as a share of the median.
    pub(crate) fn spread(&self) -> f64 {
        (self.q3 - self.q1) / self.median
    }

    /// The same summary in another unit.
    pub(crate) fn scaled(&self, factor: f64) -> Self {
        Self { median: self.median * factor, q1: self.q1 * factor, q3: self.q3 * factor }
    }
}

/// A ratio of two medians, with its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Ratio {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Ratio {
    /// `median(a) / median(b)`, where `a[i]` and `b[i]` were measured next to each other. The interval is a percentile
    /// bootstrap over such pairs, so what disturbs both (another program, the clock rate) does not widen it twice.
    pub(crate) fn of_medians(a: &[f64], b: &[f64]) -> Self {
        assert_eq!(a.len(), b.len(), "pairs of timings");
        let mut random = fastrand::Rng::with_seed(1);
        let mut ratios: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let (a, b): (Vec<f64>, Vec<f64>) = (0..a.len())
                    .map(|_| {
                        let pair = random.usize(..a.len());
                        (a[pair], b[pair])
                    })
                    .unzip();
                median(&a) / median(&b)
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        Self { value: median(a) / median(b), low: quantile(&ratios, 0.025), high: quantile(&ratios, 0.975) }
    }
}

/// The line `base + slope * x` with the least squared error through the points, of which at least two differ in x.
pub(crate) fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let n = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / n;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / n;
    let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let slope = covariance / variance;
    (mean_y - slope * mean_x, slope)
}

pub(crate) fn median(numbers: &[f64]) -> f64 {
    quantile(&sorted(numbers), 0.5)
}

/// The values below which these shares of the numbers lie.
pub(crate) fn quantiles<const N: usize>(numbers: &[f64], shares: [f64; N]) -> [f64; N] {
    let sorted = sorted(numbers);
    shares.map(|share| quantile(&sorted, share))
}

fn sorted(numbers: &[f64]) -> Vec<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The value below which the share `q` of the sorted numbers lies, interpolated between neighbours.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_hand_made_numbers() {
        let odd = Summary::of(&[9.0, 1.0, 5.0, 3.0, 7.0]);
        assert_eq!(odd, Summary { median: 5.0, q1: 3.0, q3: 7.0 });
        assert!((odd.spread() - 0.8).abs() < 1e-12);
        // Between 2 and 3, a quarter of the way from 1.75, …: the usual (type 7) interpolation.
        assert_eq!(Summary::of(&[4.0, 1.0, 3.0, 2.0]), Summary { median: 2.5, q1: 1.75, q3: 3.25 });
        assert_eq!(Summary::of(&[6.0]), Summary { median: 6.0, q1: 6.0, q3: 6.0 });
        assert_eq!(odd.scaled(2.0), Summary { median: 10.0, q1: 6.0, q3: 14.0 });
    }

    #[test]
    fn one_wild_timing_moves_no_median() {
        assert!((median(&[1.0, 1.0, 1.1, 1.1, 1000.0]) - 1.1).abs() < 1e-12);
    }

    #[test]
    fn a_constant_ratio_has_no_doubt() {
        let b: Vec<f64> = (1..=21).map(f64::from).collect();
        let a: Vec<f64> = b.iter().map(|b| b * 0.5).collect();
        let ratio = Ratio::of_medians(&a, &b);
        assert!([ratio.value, ratio.low, ratio.high].iter().all(|&ratio| (ratio - 0.5).abs() < 1e-12));
    }

    #[test]
    fn the_interval_holds_the_ratio_and_grows_with_the_noise() {
        let noisy = |noise: f64| {
            let mut random = fastrand::Rng::with_seed(7);
            let mut draw = |mean: f64| -> Vec<f64> {
                (0..51).map(|_| mean * (1.0 + noise * (random.f64() - 0.5))).collect()
            };
            let (a, b) = (draw(8.0), draw(10.0));
            Ratio::of_medians(&a, &b)
        };
        let (quiet, loud) = (noisy(0.02), noisy(0.4));
        for ratio in [quiet, loud] {
            assert!(ratio.low <= ratio.value && ratio.value <= ratio.high);
            assert!(ratio.low < 0.8 && 0.8 < ratio.high, "{ratio:?}");
        }
        assert!(loud.high - loud.low > 5.0 * (quiet.high - quiet.low));
    }

    #[test]
    fn lines() {
        let (base, slope) = line(&[(1.0, 5.0), (2.0, 7.0), (4.0, 11.0)]);
        assert!((base - 3.0).abs() < 1e-12 && (slope - 2.0).abs() < 1e-12);
        // Off the line by +1, -1, -1, +1: the least squares stay on it.
        let (base, slope) = line(&[(0.0, 1.0), (1.0, -1.0), (2.0, -1.0), (3.0, 1.0)]);
        assert!(base.abs() < 1e-12 && slope.abs() < 1e-12);
    }
}
