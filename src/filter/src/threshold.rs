//! `x + 5 > 10` as `x > 5`: computations turned into comparisons of the operand alone.
//!
//! `x ∘ c` for a constant `c`, computed in integers or in IEEE floats (whose rounding is monotone), never falls or never rises as `x`
//! grows. So the values of `x` for which a comparison of the result holds are an interval, or all outside of one, and the ends are found by
//! bisection, once per filter. The row is then compared as it is: an index can answer, nothing overflows, and nothing is divided.

use crate::condition::{Comparison, Operation};
use std::cmp::Ordering;

/// For which values of the operand, none of them NULL, a comparison holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Solution<T> {
    Never,
    Always,
    Compare(Comparison, T),
    /// From the first to the second, both included.
    Between(T, T),
    Outside(T, T),
}

/// A type with a value for every key between two, in the same order.
pub(crate) trait Ordered: Copy {
    fn to_key(self) -> u64;
    fn from_key(key: u64) -> Self;
}

impl Ordered for i64 {
    fn to_key(self) -> u64 {
        self.cast_unsigned() ^ (1 << 63)
    }

    fn from_key(key: u64) -> Self {
        (key ^ (1 << 63)).cast_signed()
    }
}

/// Not NaN. Negative zero comes right before zero, and no computation tells the two apart in a comparison.
impl Ordered for f64 {
    fn to_key(self) -> u64 {
        let bits = self.to_bits();
        if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
    }

    fn from_key(key: u64) -> Self {
        Self::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
    }
}

/// As for `f64`.
impl Ordered for f32 {
    fn to_key(self) -> u64 {
        let bits = self.to_bits();
        u64::from(if bits >> 31 == 0 { bits | 1 << 31 } else { !bits })
    }

    fn from_key(key: u64) -> Self {
        let key = key as u32;
        Self::from_bits(if key >> 31 == 1 { key & !(1 << 31) } else { !key })
    }
}

/// The values from `least` to `greatest` for which `order` fits the comparison. `order` is that of the result and the constant it is
/// compared with, and rises with its argument, or falls where `falling`.
fn solve<T: Ordered>(
    (least, greatest): (T, T),
    falling: bool,
    comparison: Comparison,
    order: impl Fn(T) -> Ordering,
) -> Solution<T> {
    let comparison = if falling { comparison.turned() } else { comparison };
    let order = |key| if falling { order(T::from_key(key)).reverse() } else { order(T::from_key(key)) };
    let (low, high) = (least.to_key(), greatest.to_key());
    // Where the result reaches the constant, and where it has passed it.
    let reached = first(low, high, |key| order(key).is_ge());
    let passed = first(low, high, |key| order(key).is_gt());
    let below = |end: Option<u64>| match end {
        None => Solution::Always,
        Some(end) if end == low => Solution::Never,
        Some(end) => Solution::Compare(Comparison::Less, T::from_key(end)),
    };
    let from = |start: Option<u64>| match start {
        None => Solution::Never,
        Some(start) if start == low => Solution::Always,
        Some(start) => Solution::Compare(Comparison::GreaterEqual, T::from_key(start)),
    };
    match comparison {
        Comparison::Less => below(reached),
        Comparison::LessEqual => below(passed),
        Comparison::Greater => from(passed),
        Comparison::GreaterEqual => from(reached),
        Comparison::Equal | Comparison::NotEqual => {
            let equal = comparison == Comparison::Equal;
            let last = passed.map_or(high, |passed| passed.saturating_sub(1));
            let Some(start) = reached.filter(|_| reached != passed) else {
                return if equal { Solution::Never } else { Solution::Always };
            };
            let (start, end) = (T::from_key(start), T::from_key(last));
            match (equal, start.to_key() == last) {
                (true, true) => Solution::Compare(Comparison::Equal, start),
                (false, true) => Solution::Compare(Comparison::NotEqual, start),
                (true, false) => Solution::Between(start, end),
                (false, false) => Solution::Outside(start, end),
            }
        }
    }
}

/// The first key of the range for which a test that never becomes false again is true.
fn first(low: u64, high: u64, test: impl Fn(u64) -> bool) -> Option<u64> {
    if !test(high) {
        return None;
    }
    let (mut low, mut high) = (low, high);
    while low < high {
        let middle = low + (high - low) / 2;
        if test(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
}

/// Solves a comparison of an integer between `bounds` with any integer.
pub(crate) fn plain(bounds: (i64, i64), comparison: Comparison, value: i64) -> Solution<i64> {
    if bounds.0 <= value && value <= bounds.1 {
        return Solution::Compare(comparison, value);
    }
    solve(bounds, false, comparison, |x| x.cmp(&value))
}

/// Solves `x ∘ by` beside `value` in exact integers. Not for `%`, which rises and falls.
pub(crate) fn integers(
    bounds: (i64, i64),
    operation: Operation,
    by: i64,
    comparison: Comparison,
    value: i64,
) -> Solution<i64> {
    let scales = matches!(operation, Operation::Multiply | Operation::Divide);
    solve(bounds, scales && by < 0, comparison, |x| {
        let (x, by) = (i128::from(x), i128::from(by));
        let result = match operation {
            Operation::Add => x + by,
            Operation::Subtract => x - by,
            Operation::Multiply => x * by,
            Operation::Divide => x / by,
            Operation::Modulo => x % by,
        };
        result.cmp(&i128::from(value))
    })
}

/// Solves `x ∘ by` beside `value` for a float type, given its arithmetic. The infinities are values of `x`, NaN is not.
pub(crate) fn floats<T: Ordered + PartialOrd + Default>(
    infinities: (T, T),
    operation: Operation,
    by: T,
    comparison: Comparison,
    value: T,
    compute: impl Fn(T, Operation, T) -> T,
) -> Solution<T> {
    let zero = T::default();
    let scales = matches!(operation, Operation::Multiply | Operation::Divide);
    solve(infinities, scales && by < zero, comparison, |x| {
        // Infinity times zero would be NaN; like any number times zero it is taken for zero.
        let result =
            if operation == Operation::Multiply && by == zero { zero } else { compute(x, operation, by) };
        result.partial_cmp(&value).unwrap_or(Ordering::Equal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds<T: PartialOrd + Copy>(solution: Solution<T>, x: T) -> bool {
        let order = |a: &T| x.partial_cmp(a).expect("a number");
        match solution {
            Solution::Never => false,
            Solution::Always => true,
            Solution::Compare(comparison, value) => comparison.holds(order(&value)),
            Solution::Between(low, high) => order(&low).is_ge() && order(&high).is_le(),
            Solution::Outside(low, high) => order(&low).is_lt() || order(&high).is_gt(),
        }
    }

    const COMPARISONS: [Comparison; 6] = [
        Comparison::Less,
        Comparison::LessEqual,
        Comparison::Greater,
        Comparison::GreaterEqual,
        Comparison::Equal,
        Comparison::NotEqual,
    ];
    const MONOTONE: [Operation; 4] =
        [Operation::Add, Operation::Subtract, Operation::Multiply, Operation::Divide];

    fn integer() -> impl Strategy<Value = i64> {
        prop_oneof![-20..20_i64, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
    }

    fn float() -> impl Strategy<Value = f64> {
        prop_oneof![
            (-40..40_i32).prop_map(|x| f64::from(x) / 4.0),
            proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO
        ]
    }

    fn compute(x: f64, operation: Operation, by: f64) -> f64 {
        match operation {
            Operation::Add => x + by,
            Operation::Subtract => x - by,
            Operation::Multiply => x * by,
            Operation::Divide => x / by,
            Operation::Modulo => x % by,
        }
    }

    proptest! {
        #[test]
        fn integers_are_solved(x in integer(), by in integer(), value in integer(), o in 0..4_usize, c in 0..6_usize, near: bool) {
            let operation = MONOTONE[o];
            prop_assume!(operation != Operation::Divide || by != 0);
            let wide = |x: i64| match operation {
                Operation::Add => i128::from(x) + i128::from(by),
                Operation::Subtract => i128::from(x) - i128::from(by),
                Operation::Multiply => i128::from(x) * i128::from(by),
                _ => i128::from(x) / i128::from(by),
            };
            // Often the very result, where the ends of intervals are.
            let value = if near { i64::try_from(wide(x)).unwrap_or(value) } else { value };
            let solution = integers((i64::MIN, i64::MAX), operation, by, COMPARISONS[c], value);
            let expected = COMPARISONS[c].holds(wide(x).cmp(&i128::from(value)));
            prop_assert_eq!(holds(solution, x), expected, "{:?}", solution);
        }

        #[test]
        fn floats_are_solved(x in float(), by in float(), value in float(), o in 0..4_usize, c in 0..6_usize, near: bool) {
            let operation = MONOTONE[o];
            prop_assume!(operation != Operation::Divide || by != 0.0);
            let result = compute(x, operation, by);
            let value = if near && result.is_finite() { result } else { value };
            let solution =
                floats((f64::NEG_INFINITY, f64::INFINITY), operation, by, COMPARISONS[c], value, compute);
            let expected = COMPARISONS[c].holds(result.partial_cmp(&value).expect("no NaN"));
            prop_assert_eq!(holds(solution, x), expected, "{:?}", solution);
        }

        #[test]
        fn small_types_meet_any_constant(x: i16, value in integer(), c in 0..6_usize) {
            let solution = plain((i64::from(i16::MIN), i64::from(i16::MAX)), COMPARISONS[c], value);
            prop_assert_eq!(holds(solution, i64::from(x)), COMPARISONS[c].holds(i64::from(x).cmp(&value)));
        }
    }
}
