//! Strings and their escapes.

use crate::{Error, Problem, Result};
use std::borrow::Cow;

/// Finds the end of a string whose first character stands at `start`: the place of its closing quote, and whether it has escapes.
/// Escapes are checked.
pub(crate) fn end(text: &str, start: usize) -> Result<(usize, bool)> {
    let bytes = text.as_bytes();
    let (mut at, mut escaped) = (start, false);
    loop {
        let rest = bytes.get(at..).unwrap_or(&[]);
        let run = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len());
        at += run;
        match bytes.get(at) {
            Some(b'"') => return Ok((at, escaped)),
            Some(b'\\') => {
                escaped = true;
                at += escape(text, at)?.1;
            }
            _ => return Err(Error { position: at, problem: Problem::Syntax }),
        }
    }
}

/// A string without its quotes, its escapes read.
pub(crate) fn read(text: &str, start: usize, end: usize, escaped: bool) -> Result<Cow<'_, str>> {
    let inner = &text[start..end];
    if !escaped {
        return Ok(Cow::Borrowed(inner));
    }
    let (mut read, mut at) = (String::with_capacity(inner.len()), start);
    while at < end {
        let run = text[at..end].find('\\').unwrap_or(end - at);
        read.push_str(&text[at..at + run]);
        at += run;
        if at < end {
            let (character, length) = escape(text, at)?;
            read.push(character);
            at += length;
        }
    }
    Ok(Cow::Owned(read))
}

/// The character that an escape stands for, and the bytes of it, the backslash included.
fn escape(text: &str, at: usize) -> Result<(char, usize)> {
    let fault = |problem| Err(Error { position: at, problem });
    let character = match text.as_bytes().get(at + 1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => {
            let Some(first) = unit(text, at) else { return fault(Problem::Syntax) };
            if first == 0 {
                return fault(Problem::Character);
            }
            if let Some(character) = char::from_u32(first) {
                return Ok((character, 6));
            }
            // The first half of a pair has the upper ten bits.
            return match unit(text, at + 6) {
                Some(second @ 0xDC00..0xE000) if first < 0xDC00 => {
                    let whole = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                    char::from_u32(whole).map_or_else(|| fault(Problem::Character), |c| Ok((c, 12)))
                }
                _ => fault(Problem::Character),
            };
        }
        _ => return fault(Problem::Syntax),
    };
    Ok((character, 2))
}

/// The number of an escape `\uXXXX`.
fn unit(text: &str, at: usize) -> Option<u32> {
    let bytes = text.as_bytes().get(at..at + 6)?;
    if !bytes.starts_with(b"\\u") {
        return None;
    }
    bytes[2..].iter().try_fold(0, |number, &byte| Some(number << 4 | char::from(byte).to_digit(16)?))
}
