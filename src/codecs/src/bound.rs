//! Lower bounds of what an operator computes, whatever the order of its sums.
//!
//! With u = 2⁻²⁴, an `f32` sum of n terms of which each has been rounded up to three times is off by at most
//! γ = (n + 3)u / (1 − (n + 3)u) of the sum of the magnitudes of its terms, in any order, fused or not, and by 2⁻¹⁴⁹ for
//! each product that underflows. Everything here is in `f64`, rounded towards what is safe by [`UP`] and [`DOWN`].

use crate::Metric;

/// Covers the handful of `f64` roundings of a formula here.
pub(crate) const UP: f64 = 1.0 + 1.0 / (1u64 << 48) as f64;
/// The same, downwards.
pub(crate) const DOWN: f64 = 1.0 - 1.0 / (1u64 << 48) as f64;
/// Sums below this neither overflow nor come near it, with all of their partial sums.
const LARGEST: f64 = f32::MAX as f64 * 0.99;

/// What `n` terms may lose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slack {
    /// Of the magnitudes of the terms.
    pub(crate) gamma: f64,
    /// By underflow.
    pub(crate) tiny: f64,
}

impl Slack {
    pub(crate) fn of(terms: usize) -> Self {
        let n = terms as f64;
        let nu = (n + 3.0) / f64::from(1u32 << 24);
        Self { gamma: nu / (1.0 - nu) * UP, tiny: n * f64::from(f32::from_bits(1)) }
    }

    /// The least that a sum of magnitudes can be of which `f32` arithmetic has made `computed`.
    pub(crate) fn at_least(self, computed: f32) -> f64 {
        // Infinity stands for anything near the largest number or beyond.
        let computed = f64::from(computed.min(f32::MAX));
        ((computed - self.tiny) / (1.0 + self.gamma) * DOWN).max(0.0)
    }

    /// What `<->` computes at least where |q − x| is at least `near`.
    pub(crate) fn l2(self, near: f64) -> f64 {
        let near = near.max(0.0);
        let squared = (near * near * (1.0 - self.gamma) * DOWN - self.tiny).min(f64::from(f32::MAX));
        sound(squared.max(0.0).sqrt() * DOWN)
    }

    /// What `<+>` computes at least where Σ|q − x| is at least `near`.
    pub(crate) fn l1(self, near: f64) -> f64 {
        sound((near * (1.0 - self.gamma) * DOWN).clamp(0.0, f64::from(f32::MAX)))
    }

    /// What `<#>` computes at least where q·x is at most `high`, |q| at most `q` and |x| at most `x`.
    pub(crate) fn inner_product(self, high: f64, q: f64, x: f64) -> f64 {
        let magnitude = q * x * UP;
        if magnitude * (1.0 + self.gamma) + self.tiny < LARGEST {
            let computed = high.min(magnitude) + self.gamma * magnitude + self.tiny;
            sound(-(computed + magnitude * (UP - 1.0)))
        } else {
            // A partial sum may overflow, to either side.
            f64::NEG_INFINITY
        }
    }

    /// What `<=>` computes at least where the cosine is at most `high` and the norms lie in `q` and `x` (at least, at most).
    pub(crate) fn cosine(self, high: f64, q: (f64, f64), x: (f64, f64)) -> f64 {
        let fits = |(low, high): (f64, f64)| low > 0.0 && high * high * (1.0 + self.gamma) < LARGEST;
        // Relative error of a computed square of a norm.
        let error = self.gamma + self.tiny / (q.0 * q.0).min(x.0 * x.0);
        if !(fits(q) && fits(x) && error < 0.1) {
            // The distance is kept within [0, 2], whatever its sums are.
            return 0.0;
        }
        let dot = high.min(1.0) + self.gamma + self.tiny / (q.0 * x.0);
        let similarity = if dot > 0.0 { dot / (1.0 - error) } else { dot / (1.0 + error) };
        let bound = 1.0 - similarity - (UP - 1.0);
        if bound > 0.0 { bound } else { 0.0 }
    }
}

/// What is no number bounds nothing.
pub(crate) fn sound(bound: f64) -> f64 {
    if bound.is_finite() { bound } else { f64::NEG_INFINITY }
}

/// The smallest `f32` that is not below `value`.
pub(crate) fn round_up(value: f64) -> f32 {
    let rounded = value as f32;
    if f64::from(rounded) < value { rounded.next_up() } else { rounded }
}

/// How far a sum of up to 32,000 magnitudes or squares in `f64` may be off, relative to itself.
pub(crate) const WIDE: f64 = 1.0 / (1u64 << 37) as f64;

/// A norm at least and at most, from one computed in `f64`.
pub(crate) fn norm_range(computed: f64) -> (f64, f64) {
    (computed * (1.0 - WIDE), computed * (1.0 + WIDE))
}

/// The same from one that was then stored by [`round_up`].
pub(crate) fn stored_norm_range(stored: f32) -> (f64, f64) {
    (norm_range(f64::from(stored.next_down())).0, norm_range(f64::from(stored)).1)
}

/// The most that the length of a vector of this norm can be as payloads hold it: under cosine distance divided by its norm.
pub(crate) fn longest(metric: Metric, norm: (f64, f64)) -> f64 {
    if metric == Metric::Cosine { 1.0 + WIDE } else { norm.1 }
}

/// An upper bound of q·x for vectors whose approximations q̃ and x̂ are off by at most `q_error` and `x_error`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Products {
    /// q̃·x̂ at most.
    pub(crate) dot: f64,
    /// |q̃ − x̂| at least.
    pub(crate) near: f64,
    /// |x̂| at most.
    pub(crate) approximate: f64,
    pub(crate) q_error: f64,
    pub(crate) x_error: f64,
}

impl Products {
    /// q·x at most, with |q| at most `q` and |x| at most `x`. Two roads lead there: the errors of the factors, and
    /// 2 q·x = |q|² + |x|² − |q − x|², which is the shorter one where the two are near.
    pub(crate) fn high(self, q: f64, x: f64) -> f64 {
        let straight = self.dot + self.q_error * self.approximate + q * self.x_error;
        let near = (self.near - self.q_error - self.x_error).max(0.0);
        let around = (q * q + x * x - near * near * DOWN) / 2.0;
        let slack = (q * x + q * q + x * x) * (UP - 1.0);
        straight.min(around) + slack
    }

    /// What `<#>` or `<=>` computes at least for vectors whose norms lie in `q` and `x` (at least, at most).
    pub(crate) fn lower_bound(self, metric: Metric, slack: Slack, q: (f64, f64), x: (f64, f64)) -> f64 {
        let high = self.high(longest(metric, q), longest(metric, x));
        if metric == Metric::Cosine { slack.cosine(high, q, x) } else { slack.inner_product(high, q.1, x.1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_goes_up() {
        for value in [0.0, 1.0, 0.1, 1e-46, 1e39, 3.4e38, 1.0 + 1e-12] {
            assert!(f64::from(round_up(value)) >= value, "{value}");
        }
        assert_eq!(round_up(1.0), 1.0);
        assert_eq!(round_up(1e-46), f32::from_bits(1));
    }

    #[test]
    fn what_is_no_number_bounds_nothing() {
        let slack = Slack::of(3);
        assert_eq!(slack.inner_product(1e30, 1e20, 1e20), f64::NEG_INFINITY);
        assert_eq!(slack.inner_product(f64::NAN, f64::NAN, 1.0), f64::NEG_INFINITY);
        assert_eq!(slack.cosine(f64::NAN, (1.0, 1.0), (1.0, 1.0)), 0.0);
        assert_eq!(slack.l2(f64::NAN), 0.0);
        assert_eq!(slack.l1(0.0), 0.0);
    }
}
