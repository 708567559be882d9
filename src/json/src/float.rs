//! Single-precision numbers, correctly rounded.

/// Powers of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Bits of a double behind those of a float.
const REST: u32 = f64::MANTISSA_DIGITS - f32::MANTISSA_DIGITS;

/// Digits that a number is made of: `digits · 10^exponent`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decimal {
    pub(crate) negative: bool,
    /// Meaningless where `many`.
    pub(crate) digits: u64,
    /// Whether there are more than 19 digits, which `digits` may have no room for.
    pub(crate) many: bool,
    pub(crate) exponent: i64,
}

/// The float nearest to the number, whose text is `token`; infinite if it is too large.
#[inline]
pub(crate) fn nearest<'a>(decimal: &Decimal, token: impl FnOnce() -> &'a str) -> f32 {
    quick(decimal).unwrap_or_else(|| token().parse().unwrap_or(f32::NAN))
}

/// One operation on exact doubles rounds once (Clinger, "How to read floating point numbers accurately", 1990). Rounding again to single
/// precision is right unless the double lies on the middle between two floats: then the number itself may lie beside it.
#[inline]
pub(crate) fn quick(decimal: &Decimal) -> Option<f32> {
    if decimal.many || decimal.digits > 1 << f64::MANTISSA_DIGITS {
        return None;
    }
    let power = *POWERS.get(usize::try_from(decimal.exponent.unsigned_abs()).ok()?)?;
    let digits = decimal.digits as f64;
    let double = if decimal.exponent < 0 { digits / power } else { digits * power };
    let is_middle = double.to_bits() & ((1 << REST) - 1) == 1 << (REST - 1);
    // Below the normal floats the middles lie elsewhere.
    if is_middle || (double < f64::from(f32::MIN_POSITIVE) && double != 0.0) {
        return None;
    }
    // Half of the numbers are negative, which no branch could foresee.
    let sign = u64::from(decimal.negative) << 63;
    Some(f64::from_bits(double.to_bits() | sign) as f32)
}
