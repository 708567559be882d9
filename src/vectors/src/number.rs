//! Numbers in literals, by the grammar of C's `strtof` and `strtol`, which Postgres's own float and integer input follow.

/// A number read from the front of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Number {
    /// Nearest `f32`; infinite where the text says so or the number is too large.
    pub(crate) value: f32,
    /// Bytes of the text that belong to it.
    pub(crate) len: usize,
    /// A finite number that was too large.
    pub(crate) overflow: bool,
    /// A number other than zero that became zero.
    pub(crate) underflow: bool,
}

/// White space as Postgres's scanner sees it.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn count(text: &[u8], mut accept: impl FnMut(u8) -> bool) -> usize {
    text.iter().position(|&byte| !accept(byte)).unwrap_or(text.len())
}

fn starts_with(text: &[u8], lower: &[u8]) -> bool {
    text.get(..lower.len()).is_some_and(|start| start.eq_ignore_ascii_case(lower))
}

/// Reads a float as `strtof` does: decimal, hexadecimal, `inf`, `infinity`, `nan`. `None` where no number starts.
pub(crate) fn float(text: &[u8]) -> Option<Number> {
    let space = count(text, is_space);
    let text = &text[space..];
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let negative = text.first() == Some(&b'-');
    let body = &text[sign..];

    let special = |value: f32, len: usize| Number {
        value: if negative { -value } else { value },
        len: space + sign + len,
        overflow: false,
        underflow: false,
    };
    if starts_with(body, b"inf") {
        let len = if starts_with(body, b"infinity") { 8 } else { 3 };
        return Some(special(f32::INFINITY, len));
    }
    if starts_with(body, b"nan") {
        return Some(special(f32::NAN, 3 + nan_payload(&body[3..])));
    }
    if let Some((value, zero, len)) = starts_with(body, b"0x").then(|| hexadecimal(body)).flatten() {
        return Some(Number {
            overflow: value.is_infinite(),
            underflow: value == 0.0 && !zero,
            ..special(value, len)
        });
    }

    let (len, zero) = decimal(body)?;
    let token = std::str::from_utf8(&text[..sign + len]).ok()?;
    let value: f32 = token.parse().ok()?;
    Some(Number {
        value,
        len: space + sign + len,
        overflow: value.is_infinite(),
        underflow: value == 0.0 && !zero,
    })
}

/// Length of `(characters)` behind `nan`, or 0.
fn nan_payload(text: &[u8]) -> usize {
    if text.first() != Some(&b'(') {
        return 0;
    }
    let inner = count(&text[1..], |byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if text.get(1 + inner) == Some(&b')') { inner + 2 } else { 0 }
}

/// Length of an unsigned decimal number, and whether all its digits are zero.
fn decimal(text: &[u8]) -> Option<(usize, bool)> {
    let mut zero = true;
    let mut digit = |byte: u8| {
        zero &= byte == b'0' || !byte.is_ascii_digit();
        byte.is_ascii_digit()
    };
    let whole = count(text, &mut digit);
    let mut len = whole;
    if text.get(len) == Some(&b'.') {
        let fraction = count(&text[len + 1..], &mut digit);
        if whole + fraction == 0 {
            return None;
        }
        len += 1 + fraction;
    } else if whole == 0 {
        return None;
    }
    Some((len + exponent(&text[len..], b'e').0, zero))
}

/// Length and value of `e[+-]digits`; `(0, 0)` where the digits are missing, as the letter then is not part of the number.
fn exponent(text: &[u8], letter: u8) -> (usize, i32) {
    if !text.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&letter)) {
        return (0, 0);
    }
    let sign = usize::from(matches!(text.get(1), Some(b'+' | b'-')));
    let digits = &text[1 + sign..];
    let digits = &digits[..count(digits, |byte| byte.is_ascii_digit())];
    if digits.is_empty() {
        return (0, 0);
    }
    let size =
        digits.iter().fold(0i32, |sum, byte| sum.saturating_mul(10).saturating_add(i32::from(byte - b'0')));
    // Far beyond any float's exponent, and far from overflowing what is added to it.
    let size = size.min(1_000_000_000);
    (1 + sign + digits.len(), if text[1] == b'-' { -size } else { size })
}

/// Value, whether all digits are zero, and length of `0x…`. The leading bits are kept exactly and the rest is folded into
/// the lowest one (rounding to odd), so that the one rounding to `f32` at the end is the right one.
fn hexadecimal(text: &[u8]) -> Option<(f32, bool, usize)> {
    let mut mantissa = 0u64;
    let mut shift = 0i32;
    let mut digit = |byte: u8, in_fraction: bool| -> bool {
        let Some(value) = char::from(byte).to_digit(16) else {
            return false;
        };
        if mantissa >> 48 == 0 {
            mantissa = mantissa << 4 | u64::from(value);
            shift = shift.saturating_sub(if in_fraction { 4 } else { 0 });
        } else {
            mantissa |= u64::from(value != 0);
            shift = shift.saturating_add(if in_fraction { 0 } else { 4 });
        }
        true
    };
    let mut len = 2;
    let whole = count(&text[len..], |byte| digit(byte, false));
    len += whole;
    let mut fraction = 0;
    if text.get(len) == Some(&b'.') {
        fraction = count(&text[len + 1..], |byte| digit(byte, true));
        len += 1 + fraction;
    }
    if whole + fraction == 0 {
        return None;
    }
    let (exponent_len, exponent) = exponent(&text[len..], b'p');
    let scale = shift.saturating_add(exponent).clamp(-500, 500);
    // At most 52 bits: exact in f64, and so is the scaling within f64's exponents.
    let value = mantissa as f64 * 2f64.powi(scale);
    Some((value as f32, mantissa == 0, len + exponent_len))
}

/// Reads an integer as `strtol` with base 10 does, saturating. `None` where no number starts.
pub(crate) fn integer(text: &[u8]) -> Option<(i64, usize)> {
    let space = count(text, is_space);
    let sign = usize::from(matches!(text.get(space), Some(b'+' | b'-')));
    let digits = &text[space + sign..];
    let digits = &digits[..count(digits, |byte| byte.is_ascii_digit())];
    if digits.is_empty() {
        return None;
    }
    let negative = text[space] == b'-';
    let value = digits.iter().fold(0i64, |sum, byte| {
        let digit = i64::from(byte - b'0');
        sum.saturating_mul(10).saturating_add(if negative { -digit } else { digit })
    });
    Some((value, space + sign + digits.len()))
}

/// A finite `f32` as Postgres prints it: the fewest digits that read back, scientific from 1e6 and below 1e-4.
/// Only for messages; the extension prints values by Postgres's own function.
pub fn shortest(value: f32) -> String {
    let scientific = (0..9).map(|places| format!("{value:.places$e}")).find(|text| reads_back(text, value));
    let scientific = scientific.unwrap_or_else(|| format!("{value:e}"));
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
        }
        _ => format!("{value}"),
    }
}

/// Whether the digits lie strictly between the middles to the neighbouring floats. A middle itself would be read back too,
/// by rounding to even, but Postgres does not count on readers to do that.
fn reads_back(text: &str, value: f32) -> bool {
    let (Ok(single), Ok(double)) = (text.parse::<f32>(), text.parse::<f64>()) else {
        return false;
    };
    let middle = |neighbour: f32| f64::midpoint(f64::from(value), f64::from(neighbour));
    single == value && double != middle(value.next_up()) && double != middle(value.next_down())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str) -> Option<(f32, usize)> {
        float(text.as_bytes()).map(|number| (number.value, number.len))
    }

    #[test]
    fn floats_are_read_as_strtof_reads_them() {
        assert_eq!(value("1,2"), Some((1.0, 1)));
        assert_eq!(value(" \t-1.5e2]"), Some((-150.0, 8)));
        assert_eq!(value(".5"), Some((0.5, 2)));
        assert_eq!(value("5."), Some((5.0, 2)));
        assert_eq!(value("1e"), Some((1.0, 1)));
        assert_eq!(value("1e+"), Some((1.0, 1)));
        assert_eq!(value("1e+2x"), Some((100.0, 4)));
        assert_eq!(value("0x"), Some((0.0, 1)));
        assert_eq!(value("0x1p3"), Some((8.0, 5)));
        assert_eq!(value("-0xA.8"), Some((-10.5, 6)));
        assert_eq!(value("0x.p1"), Some((0.0, 1)));
        assert_eq!(value("iNFinit"), Some((f32::INFINITY, 3)));
        assert_eq!(value("-infinity"), Some((f32::NEG_INFINITY, 9)));
        for none in ["", " ", ".", "-", "+.", "e5", "x", "--1", "]"] {
            assert_eq!(value(none), None, "{none:?}");
        }
        for (nan, len) in [("nan", 3), ("NAN(a_1)", 8), ("nan(", 3), ("-nan]", 4)] {
            let number = float(nan.as_bytes()).unwrap();
            assert!(number.value.is_nan() && number.len == len, "{nan}");
        }
    }

    #[test]
    fn range_errors_are_told_apart() {
        let flags =
            |text: &str| float(text.as_bytes()).map(|number| (number.overflow, number.underflow)).unwrap();
        assert_eq!(flags("4e38"), (true, false));
        assert_eq!(flags("1e99999999999"), (true, false));
        assert_eq!(flags("1e-46"), (false, true));
        assert_eq!(flags("1e-45"), (false, false));
        assert_eq!(flags("0e-99"), (false, false));
        assert_eq!(flags("inf"), (false, false));
        assert_eq!(flags("0x1p999"), (true, false));
        assert_eq!(flags("0x1p-999999999999"), (false, true));
        assert_eq!(flags("0x0p-999"), (false, false));
    }

    #[test]
    fn hexadecimal_rounds_once() {
        // Exactly half way between two floats, then one bit above: ties go to even, the bit decides the other.
        assert_eq!(value("0x1000001").unwrap().0, 16_777_216.0);
        assert_eq!(value("0x1000001.0000000000000000001").unwrap().0, 16_777_218.0);
        assert_eq!(value("0x1000003").unwrap().0, 16_777_220.0);
    }

    #[test]
    fn integers_saturate() {
        assert_eq!(integer(b" -12:"), Some((-12, 4)));
        assert_eq!(integer(b"99999999999999999999"), Some((i64::MAX, 20)));
        assert_eq!(integer(b"-99999999999999999999"), Some((i64::MIN, 21)));
        assert_eq!(integer(b"-"), None);
        assert_eq!(integer(b"a"), None);
    }

    #[test]
    fn messages_print_floats_as_postgres_does() {
        for (value, text) in [
            (65520.0, "65520"),
            (1e6, "1e+06"),
            (123_456_790.0, "1.2345679e+08"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (-3.5e20, "-3.5e+20"),
            // 9.194222e7 lies in the middle of two floats: it reads back, but is not printed.
            (-91_942_224.0, "-9.1942224e+07"),
            (0.0, "0"),
        ] {
            assert_eq!(shortest(value), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(value: f32) {
            prop_assume!(value.is_finite());
            let text = shortest(value);
            let number = float(text.as_bytes()).unwrap();
            prop_assert_eq!(number.value.to_bits(), value.to_bits());
            prop_assert_eq!(number.len, text.len());
        }

        #[test]
        fn any_bytes_give_a_length_within_the_text(text: Vec<u8>) {
            if let Some(number) = float(&text) {
                prop_assert!(number.len > 0 && number.len <= text.len());
            }
            if let Some((_, len)) = integer(&text) {
                prop_assert!(len > 0 && len <= text.len());
            }
        }
    }
}
