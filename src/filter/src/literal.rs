//! What the digits of a number and the escapes of a string mean.

/// The most that an integer literal can be: 2⁶³, of which only the negative exists.
const LARGEST: u64 = 1 << 63;

/// An integer: decimal, `0x` hexadecimal, `0b` binary, or octal when it begins with `0`. `None` when it is out of range, or an octal
/// number with a digit that none has.
pub(crate) fn integer(digits: &str) -> Option<u64> {
    let lower = digits.to_ascii_lowercase();
    let value = if let Some(hexadecimal) = lower.strip_prefix("0x") {
        u64::from_str_radix(hexadecimal, 16)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        u64::from_str_radix(binary, 2)
    } else if lower.len() > 1 && lower.starts_with('0') {
        u64::from_str_radix(&lower, 8)
    } else {
        lower.parse()
    };
    value.ok().filter(|value| *value <= LARGEST)
}

/// A float, decimal or C's hexadecimal form. `None` when it is out of range.
pub(crate) fn float(digits: &str) -> Option<f64> {
    let lower = digits.to_ascii_lowercase();
    let value = match lower.strip_prefix("0x") {
        Some(hexadecimal) => hexadecimal_float(hexadecimal)?,
        None => lower.parse().ok()?,
    };
    value.is_finite().then_some(value)
}

/// `h.hhhp±d`: the significand's first 60 bits, a last bit that stands for all that follow, and a scale.
fn hexadecimal_float(text: &str) -> Option<f64> {
    let (significand, exponent) = text.split_once('p')?;
    let (whole, fraction) = significand.split_once('.').unwrap_or((significand, ""));
    // An exponent this far out is infinity or zero, whatever the significand (at most so many digits long as the text).
    let mut scale = exponent.parse::<i64>().unwrap_or(if exponent.starts_with('-') {
        i64::MIN / 4
    } else {
        i64::MAX / 4
    });
    let mut mantissa = 0_u64;
    for (digits, after_point) in [(whole, false), (fraction, true)] {
        for digit in digits.chars() {
            let digit = u64::from(digit.to_digit(16)?);
            if mantissa >> 56 == 0 {
                mantissa = mantissa << 4 | digit;
                scale -= if after_point { 4 } else { 0 };
            } else {
                mantissa |= u64::from(digit != 0);
                scale += if after_point { 0 } else { 4 };
            }
        }
    }
    let mut value = mantissa as f64;
    // In steps, since 2 to the whole scale may overflow where the product does not.
    while scale != 0 && value != 0.0 && value.is_finite() {
        let step = scale.clamp(-60, 60) as i32;
        value *= 2_f64.powi(step);
        scale -= i64::from(step);
    }
    Some(value)
}

/// Where in the text something is wrong, and what.
type Fault = (usize, &'static str);

/// Replaces the escapes of C. One that C does not know stays as it is, backslash included, which is how a pattern's `\%` and `\_` get
/// through.
pub(crate) fn unescape(text: &str) -> Result<String, Fault> {
    if !text.contains('\\') {
        return Ok(text.to_owned());
    }
    // Bytes, since `\xhh` and `\ooo` name bytes: several together make a character.
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let position = text.len() - rest.len() + at;
        rest = &rest[at + 1..];
        let Some(escape) = rest.chars().next() else {
            return Err((position, "the string ends in an escape"));
        };
        rest = &rest[escape.len_utf8()..];
        match escape {
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            'r' => out.push(b'\r'),
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'v' => out.push(11),
            '\\' | '\'' | '"' | '?' => out.push(escape as u8),
            '\n' => {}
            '\r' => rest = rest.strip_prefix('\n').unwrap_or(rest),
            '0'..='7' => {
                let more = rest.bytes().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let value =
                    u32::from_str_radix(&text[position + 1..position + 2 + more], 8).unwrap_or(u32::MAX);
                out.push(u8::try_from(value).map_err(|_| (position, "an octal escape is at most \\377"))?);
                rest = &rest[more..];
            }
            'x' => out.push(
                code(&mut rest, 2).ok_or((position, "expected two hexadecimal digits behind \\x"))? as u8,
            ),
            'u' | 'U' => {
                let (digits, fault) = match escape {
                    'u' => (4, "expected four hexadecimal digits of a character behind \\u"),
                    _ => (8, "expected eight hexadecimal digits of a character behind \\U"),
                };
                let character = code(&mut rest, digits).and_then(char::from_u32).ok_or((position, fault))?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => {
                out.push(b'\\');
                out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8(out).map_err(|_| (0, "the escapes of the string do not make UTF-8"))
}

/// Takes exactly so many hexadecimal digits.
fn code(rest: &mut &str, digits: usize) -> Option<u32> {
    let text = rest.get(..digits)?;
    let all = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    *rest = &rest[digits..];
    all.then(|| u32::from_str_radix(text, 16).ok())?
}
