//! Values, objects and arrays, from front to back.

use crate::float::{Decimal, nearest, quick};
use crate::{Error, Problem, Result, string};
use std::borrow::Cow;

/// A kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are JSON's")]
pub enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    /// Its name with an article.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// A place in a text. After an error it stands anywhere, and is of no more use.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// What comes after a value in an array or object.
#[derive(PartialEq, Eq)]
enum Next {
    Another,
    End,
}

impl<'a> Reader<'a> {
    /// Stands before the first value of a text.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn fault<T>(&self, problem: Problem) -> Result<T> {
        Err(Error { position: self.at, problem })
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Skips white space, then takes `byte` if it comes next.
    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let taken = self.byte() == Some(byte);
        self.at += usize::from(taken);
        taken
    }

    /// The kind of the value that comes next, by its first byte.
    ///
    /// # Errors
    /// Where no value can begin so.
    pub fn kind(&mut self) -> Result<Kind> {
        self.skip_space();
        Ok(match self.byte() {
            Some(b'n') => Kind::Null,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            Some(b'"') => Kind::String,
            Some(b'[') => Kind::Array,
            Some(b'{') => Kind::Object,
            _ => return self.fault(Problem::Syntax),
        })
    }

    fn expect(&mut self, kind: Kind) -> Result<()> {
        if self.kind()? == kind { Ok(()) } else { self.fault(Problem::Expected(kind)) }
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.text[self.at..].starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Whether a null comes next; if so, it is read.
    ///
    /// # Errors
    /// Where no value can begin so.
    pub fn null(&mut self) -> Result<bool> {
        if self.kind()? != Kind::Null {
            return Ok(false);
        }
        if self.word("null") { Ok(true) } else { self.fault(Problem::Syntax) }
    }

    /// Reads a boolean.
    ///
    /// # Errors
    /// Where something else comes next.
    pub fn boolean(&mut self) -> Result<bool> {
        self.expect(Kind::Boolean)?;
        if self.word("true") {
            Ok(true)
        } else if self.word("false") {
            Ok(false)
        } else {
            self.fault(Problem::Syntax)
        }
    }

    /// Reads a number, and lends its text.
    ///
    /// # Errors
    /// Where something else comes next.
    pub fn number(&mut self) -> Result<&'a str> {
        self.expect(Kind::Number)?;
        let start = self.at;
        self.decimal()?;
        Ok(&self.text[start..self.at])
    }

    /// Reads a number as the nearest float.
    ///
    /// # Errors
    /// Where something else comes next, or the float would be infinite.
    #[inline]
    pub fn float(&mut self) -> Result<f32> {
        self.skip_space();
        if let Some(value) = self.fraction() {
            return Ok(value);
        }
        if !matches!(self.byte(), Some(b'-' | b'0'..=b'9')) {
            self.expect(Kind::Number)?;
        }
        let start = self.at;
        let decimal = self.decimal()?;
        let value = nearest(&decimal, || &self.text[start..self.at]);
        if value.is_finite() { Ok(value) } else { Err(Error { position: start, problem: Problem::TooLarge }) }
    }

    /// Reads an array of numbers, and answers how many there are. The first ones are put behind what `out` has, as long as it then has
    /// no more than `most`.
    ///
    /// # Errors
    /// Where something else than an array of numbers comes next, or one is too large.
    pub fn floats(&mut self, out: &mut Vec<f32>, most: usize) -> Result<usize> {
        let mut count = 0;
        self.array(|reader, _| {
            let value = reader.float()?;
            count += 1;
            if out.len() < most {
                out.push(value);
            }
            Ok::<_, Error>(())
        })?;
        Ok(count)
    }

    /// Reads a string.
    ///
    /// # Errors
    /// Where something else comes next, or a character is one that text cannot hold.
    pub fn string(&mut self) -> Result<Cow<'a, str>> {
        let (start, end, escaped) = self.quoted()?;
        string::read(self.text, start, end, escaped)
    }

    /// Reads an array: calls `each` before every element, which has to read it. Elements are counted from 0.
    ///
    /// # Errors
    /// Where something else comes next; those of `each`.
    pub fn array<E: From<Error>>(
        &mut self,
        mut each: impl FnMut(&mut Self, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(Kind::Array)?;
        self.at += 1;
        if self.take(b']') {
            return Ok(());
        }
        for place in 0.. {
            each(self, place)?;
            if self.next(b']')? == Next::End {
                break;
            }
        }
        Ok(())
    }

    /// Reads an object: calls `each` before the value of every key, which has to read it.
    ///
    /// # Errors
    /// Where something else comes next; those of `each`.
    pub fn object<E: From<Error>>(
        &mut self,
        mut each: impl FnMut(&mut Self, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(Kind::Object)?;
        self.at += 1;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = self.key()?;
            each(self, &key)?;
            if self.next(b'}')? == Next::End {
                return Ok(());
            }
        }
    }

    fn key(&mut self) -> Result<Cow<'a, str>> {
        let key = self.string()?;
        if self.take(b':') { Ok(key) } else { self.fault(Problem::Syntax) }
    }

    #[inline]
    fn next(&mut self, end: u8) -> Result<Next> {
        if self.take(b',') {
            Ok(Next::Another)
        } else if self.take(end) {
            Ok(Next::End)
        } else {
            self.fault(Problem::Syntax)
        }
    }

    /// Reads any value, and lends its text.
    ///
    /// # Errors
    /// Where it is no JSON, or a string in it has a character that text cannot hold.
    pub fn skip(&mut self) -> Result<&'a str> {
        self.skip_space();
        let start = self.at;
        // Of the arrays and objects around the value, whether each is an object.
        let mut within: Vec<bool> = Vec::new();
        loop {
            // At the beginning of a value.
            let opened = match self.kind()? {
                Kind::Null => {
                    self.null()?;
                    None
                }
                Kind::Boolean => {
                    self.boolean()?;
                    None
                }
                Kind::Number => {
                    self.number()?;
                    None
                }
                Kind::String => {
                    self.quoted()?;
                    None
                }
                kind => Some(kind == Kind::Object),
            };
            if let Some(is_object) = opened {
                self.at += 1;
                if !self.take(close(is_object)) {
                    within.push(is_object);
                    self.skip_key(is_object)?;
                    continue;
                }
            }
            // Behind a value.
            loop {
                let Some(&is_object) = within.last() else { return Ok(&self.text[start..self.at]) };
                if self.next(close(is_object))? == Next::Another {
                    self.skip_key(is_object)?;
                    break;
                }
                within.pop();
            }
        }
    }

    fn skip_key(&mut self, is_object: bool) -> Result<()> {
        if is_object {
            self.quoted()?;
            if !self.take(b':') {
                return self.fault(Problem::Syntax);
            }
        }
        Ok(())
    }

    /// Reads a string up to behind its quotes: where it begins and ends between them, and whether it has escapes.
    fn quoted(&mut self) -> Result<(usize, usize, bool)> {
        self.expect(Kind::String)?;
        let start = self.at + 1;
        let (end, escaped) = string::end(self.text, start)?;
        self.at = end + 1;
        Ok((start, end, escaped))
    }

    /// The end of the text: nothing but white space comes any more.
    ///
    /// # Errors
    /// Where something does.
    pub fn end(&mut self) -> Result<()> {
        self.skip_space();
        if self.at == self.text.len() { Ok(()) } else { self.fault(Problem::Syntax) }
    }

    /// Reads a number as the elements of vectors mostly are: one digit, a point, up to fifteen more, and no exponent. Reads nothing where
    /// it is another, or is near the end of the text.
    #[inline]
    fn fraction(&mut self) -> Option<f32> {
        // A sign, a digit, the point, sixteen bytes, and what stands behind fifteen digits is among them.
        let bytes: &[u8; 19] = self.text.as_bytes().get(self.at..)?.first_chunk()?;
        let negative = bytes[0] == b'-';
        let sign = usize::from(negative);
        let first = bytes[sign].wrapping_sub(b'0');
        if first > 9 || bytes[sign + 1] != b'.' {
            return None;
        }
        let places = bytes[sign + 2..].first_chunk()?;
        let (value, count) = digits_of(places);
        if count == 0 || matches!(places.get(count), None | Some(b'e' | b'E')) {
            return None;
        }
        let digits = u64::from(first) * TENS[count] + value;
        let decimal = Decimal { negative, digits, many: false, exponent: -(count as i64) };
        let value = quick(&decimal)?;
        self.at += sign + 2 + count;
        Some(value)
    }

    /// Reads the number that begins here by JSON's grammar.
    #[inline]
    fn decimal(&mut self) -> Result<Decimal> {
        let negative = self.byte() == Some(b'-');
        self.at += usize::from(negative);
        let mut decimal = Decimal { negative, digits: 0, many: false, exponent: 0 };
        let first = self.at;
        self.few_digits(&mut decimal.digits);
        let mut count = self.at - first;
        if count == 0 || (count > 1 && self.text.as_bytes()[first] == b'0') {
            return self.fault(Problem::Syntax);
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            let first = self.at;
            self.many_digits(&mut decimal.digits);
            let places = self.at - first;
            if places == 0 {
                return self.fault(Problem::Syntax);
            }
            count += places;
            decimal.exponent = -(places as i64);
        }
        decimal.many = count > 19;
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            let down = self.byte() == Some(b'-');
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            let (mut exponent, first) = (0_u64, self.at);
            while let Some(byte @ b'0'..=b'9') = self.byte() {
                // Beyond this every number is zero or too large, unless it has very many digits, which take the long way.
                exponent = (exponent * 10 + u64::from(byte - b'0')).min(1 << 40);
                self.at += 1;
            }
            if self.at == first {
                return self.fault(Problem::Syntax);
            }
            decimal.exponent += if down { -(exponent as i64) } else { exponent as i64 };
        }
        Ok(decimal)
    }

    /// Reads up to sixteen digits at once: how many there are differs from number to number, so that a loop that ends behind the last
    /// one would be predicted wrongly at almost each of them.
    #[inline]
    fn many_digits(&mut self, digits: &mut u64) {
        let bytes = self.text.as_bytes();
        if let Some(sixteen) = bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            let (value, count) = digits_of(sixteen);
            *digits = digits.wrapping_mul(TENS[count]).wrapping_add(value);
            self.at += count;
            if count < sixteen.len() {
                return;
            }
        }
        self.few_digits(digits);
    }

    #[inline]
    fn few_digits(&mut self, digits: &mut u64) {
        while let Some(byte @ b'0'..=b'9') = self.byte() {
            *digits = digits.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
            self.at += 1;
        }
    }
}

/// Powers of ten for up to sixteen digits.
const TENS: [u64; 17] = {
    let mut tens = [1; 17];
    let mut n = 1;
    while n < tens.len() {
        tens[n] = tens[n - 1] * 10;
        n += 1;
    }
    tens
};

/// The number that the digits make with which sixteen bytes begin, and how many digits these are.
#[inline]
fn digits_of(bytes: &[u8; 16]) -> (u64, usize) {
    const HIGH: u128 = u128::from_ne_bytes([0xF0; 16]);
    const ZEROS: u128 = u128::from_ne_bytes([b'0'; 16]);
    const SIXES: u128 = u128::from_ne_bytes([0x06; 16]);
    let word = u128::from_le_bytes(*bytes);
    // A digit's upper half is 3, and still is with 6 added, which takes `:` and what follows to 4. Of the bytes that are none the first
    // counts, which no carry from behind it reaches: bytes are added from the lowest, which is the first.
    let other = ((word & HIGH) ^ ZEROS) | ((word.wrapping_add(SIXES) & HIGH) ^ ZEROS);
    let count = (other.trailing_zeros() / 8).min(16);
    // The digits go to the end, and zeros before them. A shift by all bits would be none.
    let ones = (word & !HIGH) << (8 * (15 - count.min(15))) << (8 * u32::from(count < 16));
    let (first, last) = (ones as u64, (ones >> 64) as u64);
    (eight_digits(first) * 100_000_000 + eight_digits(last), count as usize)
}

/// The number that eight digits make, the first of them in the lowest byte, each as its value: pairs, then fours, then both halves are
/// added up at once (Lemire, "Number parsing at a gigabyte per second", 2021).
#[inline]
fn eight_digits(ones: u64) -> u64 {
    // The products hold no more than their bytes: 99, 9999, 99999999.
    let pairs = (ones * 10 + (ones >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_FFFF_0000_FFFF;
    (fours & 0xFFFF) * 10_000 + (fours >> 32)
}

fn close(is_object: bool) -> u8 {
    if is_object { b'}' } else { b']' }
}
