//! Decimal numbers, as `numeric` has them: exact where 38 digits are enough, else the nearest float.

use serde_json::Number;
use std::cmp::Ordering;

/// `digits · 10^-scale`
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal {
    digits: i128,
    scale: i32,
}

impl Decimal {
    /// The number whose shortest decimal form this is.
    pub(super) fn new(number: &Number) -> Option<Self> {
        let text = number.to_string();
        let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let scale = i32::try_from(fraction.len()).ok()? - exponent.parse::<i32>().ok()?;
        Some(Self { digits: format!("{whole}{fraction}").parse().ok()?, scale })
    }

    fn float(self) -> f64 {
        self.digits as f64 * 10_f64.powi(-self.scale)
    }

    /// Both at the same scale.
    fn aligned(self, other: Self) -> Option<(i128, i128, i32)> {
        let scale = self.scale.max(other.scale);
        let at = |decimal: Self| {
            let more = 10_i128.checked_pow(scale.abs_diff(decimal.scale))?;
            decimal.digits.checked_mul(more)
        };
        Some((at(self)?, at(other)?, scale))
    }

    pub(super) fn add(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.aligned(other)?;
        Some(Self { digits: a.checked_add(b)?, scale })
    }

    pub(super) fn negated(self) -> Self {
        Self { digits: -self.digits, scale: self.scale }
    }

    pub(super) fn multiply(self, other: Self) -> Option<Self> {
        Some(Self {
            digits: self.digits.checked_mul(other.digits)?,
            scale: self.scale.checked_add(other.scale)?,
        })
    }

    /// The integer that it is.
    pub(super) fn whole(self) -> Option<i128> {
        let power = 10_i128.checked_pow(self.scale.unsigned_abs())?;
        if self.scale <= 0 {
            return self.digits.checked_mul(power);
        }
        (self.digits % power == 0).then_some(self.digits / power)
    }

    pub(super) fn from_whole(digits: i128) -> Self {
        Self { digits, scale: 0 }
    }

    pub(super) fn is_negative(self) -> bool {
        self.digits < 0
    }

    pub(super) fn order(self, other: Self) -> Ordering {
        match self.aligned(other) {
            Some((a, b, _)) => a.cmp(&b),
            None => self.float().total_cmp(&other.float()),
        }
    }
}
