//! Literals: `[1,2,3]` for dense vectors, `{index:value,…}/dimensions` (indices from 1) for sparse ones.
//!
//! Which texts are taken, which are refused, and in what words is pgvector's contract, which client tests match verbatim.

use crate::{
    Error, Kind, Result, SPARSEVEC, Scalar, check_type_modifier,
    number::{Number, float, integer, is_space},
    sparse::{MAX_ELEMENTS, SparseBuf, check_index},
};

/// The most bytes of a literal that an error quotes. A literal may have a gigabyte, and a message that long cannot be raised: the
/// server allocates it, more than once, after the point from which a failure could still be reported.
const QUOTED: usize = 64 << 10;

/// What an error says of a text: all of it, or its beginning up to a whole character.
fn quote(text: &[u8]) -> String {
    if text.len() <= QUOTED {
        return String::from_utf8_lossy(text).into_owned();
    }
    // A character has up to three bytes behind its first.
    let start = (QUOTED - 3..=QUOTED).rev().find(|&at| text[at] & 0xc0 != 0x80).unwrap_or(QUOTED);
    String::from_utf8_lossy(&text[..start]).into_owned() + "..."
}

/// A literal and how far it is read.
struct Scanner<'a> {
    kind: Kind,
    literal: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Scanner<'a> {
    fn new(kind: Kind, literal: &'a [u8]) -> Self {
        Self { kind, literal, rest: literal }
    }

    fn syntax(&self, detail: Option<&'static str>) -> Error {
        Error::Syntax { kind: self.kind.name, literal: quote(self.literal), detail }
    }

    fn skip_space(&mut self) {
        while let [first, rest @ ..] = self.rest
            && is_space(*first)
        {
            self.rest = rest;
        }
    }

    /// Skips white space, then takes `byte` if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let taken = self.rest.first() == Some(&byte);
        if taken {
            self.rest = &self.rest[1..];
        }
        taken
    }

    fn expect(&mut self, byte: u8, detail: Option<&'static str>) -> Result<()> {
        if self.take(byte) { Ok(()) } else { Err(self.syntax(detail)) }
    }

    fn expect_end(&mut self, detail: &'static str) -> Result<()> {
        self.skip_space();
        if self.rest.is_empty() { Ok(()) } else { Err(self.syntax(Some(detail))) }
    }

    /// A finite float; `refuse` says which range problems this type minds.
    fn finite(&mut self, refuse: impl Fn(&Number) -> bool) -> Result<f32> {
        self.skip_space();
        let number = float(self.rest).ok_or_else(|| self.syntax(None))?;
        let (token, rest) = self.rest.split_at(number.len);
        if refuse(&number) {
            return Err(Error::OutOfRange { kind: self.kind.name, text: quote(token) });
        }
        self.kind.check_element(number.value)?;
        self.rest = rest;
        Ok(number.value)
    }

    fn integer(&mut self) -> Result<i64> {
        self.skip_space();
        let (value, len) = integer(self.rest).ok_or_else(|| self.syntax(None))?;
        self.rest = &self.rest[len..];
        Ok(value)
    }
}

/// Reads a dense vector of the given type modifier (`-1`: any dimensions).
pub fn parse_dense<E: Scalar>(literal: &[u8], type_modifier: i32) -> Result<Vec<E>> {
    let kind = E::KIND;
    let mut scanner = Scanner::new(kind, literal);
    scanner.expect(b'[', Some("Vector contents must start with \"[\"."))?;
    scanner.skip_space();
    if scanner.rest.first() == Some(&b']') {
        return Err(Error::NoDimensions { kind: kind.name });
    }
    let mut elements = Vec::with_capacity(literal.len().div_ceil(2).min(kind.max_dims));
    loop {
        if elements.len() == kind.max_dims {
            return Err(Error::TooManyDimensions { kind: kind.name, max: kind.max_dims });
        }
        let value = scanner.finite(|number| {
            number.overflow || (number.value.is_finite() && E::narrow(number.value).is_err())
        })?;
        elements.push(E::narrow(value)?);
        if scanner.take(b',') {
            continue;
        }
        scanner.expect(b']', None)?;
        break;
    }
    scanner.expect_end("Junk after closing right brace.")?;
    check_type_modifier(type_modifier, elements.len())?;
    Ok(elements)
}

/// Reads a sparse vector of the given type modifier (`-1`: any dimensions). Indices may come in any order.
pub fn parse_sparse(literal: &[u8], type_modifier: i32) -> Result<SparseBuf> {
    let kind = SPARSEVEC;
    // Counted before anything is stored, zeros included: a bound on the work that a literal can ask for.
    if literal.iter().filter(|&&byte| byte == b',').count() >= MAX_ELEMENTS {
        return Err(Error::TooManyElements { max: MAX_ELEMENTS });
    }
    let mut scanner = Scanner::new(kind, literal);
    scanner.expect(b'{', Some("Vector contents must start with \"{\"."))?;
    let mut elements = Vec::new();
    if !scanner.take(b'}') {
        loop {
            // Limits keep `index - 1` in range; what they cut off is out of bounds all the same.
            let index = scanner.integer()?.clamp(-i64::from(i32::MAX), i64::from(i32::MAX)) as i32 - 1;
            scanner.expect(b':', None)?;
            let value = scanner.finite(|number| number.overflow || number.underflow)?;
            if value != 0.0 {
                elements.push((index, value));
            }
            if scanner.take(b',') {
                continue;
            }
            scanner.expect(b'}', None)?;
            break;
        }
    }
    scanner.expect(b'/', Some("Unexpected end of input."))?;
    let dims = scanner.integer()?.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    scanner.expect_end("Junk after closing.")?;
    let dims = kind.check_dims(dims)?;
    check_type_modifier(type_modifier, dims)?;

    elements.sort_unstable_by_key(|&(index, _)| index);
    let mut previous = None;
    for &(index, _) in &elements {
        check_index(index, previous, dims)?;
        previous = Some(index);
    }
    let (indices, values) = elements.into_iter().unzip();
    Ok(SparseBuf { dims, indices, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    use proptest::prelude::*;

    fn dense(literal: &str) -> Result<Vec<f32>> {
        parse_dense(literal.as_bytes(), -1)
    }

    fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
        let error = result.unwrap_err();
        format!("{error} | {}", error.detail().unwrap_or("-"))
    }

    #[test]
    fn dense_literals() {
        assert_eq!(dense("[1,2,3]").unwrap(), [1.0, 2.0, 3.0]);
        assert_eq!(dense(" [ 1 ,\t2\n, -3e0 ] ").unwrap(), [1.0, 2.0, -3.0]);
        assert_eq!(dense("[0x1p3]").unwrap(), [8.0]);
        assert_eq!(dense("[1e-46]").unwrap(), [0.0]);
        assert_eq!(parse_dense::<f16>(b"[65504,1e-8]", 2).unwrap(), [f16::MAX, f16::ZERO]);
    }

    #[test]
    fn errors_quote_no_more_than_can_be_raised() {
        let whole = "x".repeat(QUOTED);
        assert_eq!(message(dense(&whole)).matches('x').count(), QUOTED + "syntax".matches('x').count());
        for shift in 0..4 {
            // Characters of four bytes, cut at each of their places.
            let long = "x".repeat(shift) + &"\u{1f985}".repeat(1 << 20);
            let text = message(dense(&long));
            assert!(text.len() < QUOTED + 200 && !text.contains('\u{fffd}'), "{}", text.len());
            assert!(text.contains("\u{1f985}...\""), "{}", &text[text.len() - 100..]);
        }
        let digits = format!("[1{}]", "0".repeat(1 << 20));
        assert!(message(dense(&digits)).len() < QUOTED + 200);
        let index = format!("{{1:1{}}}/2", "0".repeat(1 << 20));
        assert!(message(parse_sparse(index.as_bytes(), -1)).len() < QUOTED + 200);
        // No character at all: cut somewhere.
        assert!(message(parse_dense::<f32>(&vec![0x80; 1 << 20], -1)).len() < 3 * QUOTED + 200);
    }

    #[test]
    fn dense_literals_that_are_refused() {
        let syntax = |literal: &str| format!("invalid input syntax for type vector: \"{literal}\" | ");
        for literal in ["[1,2", "[1,,2]", "[1,]", "[,1]", "[1 2]", "[a]", "[", "[1a]", "[1;2]"] {
            assert_eq!(message(dense(literal)), syntax(literal) + "-", "{literal}");
        }
        for literal in ["", " ", "1", "{1}", "(1)"] {
            assert_eq!(message(dense(literal)), syntax(literal) + "Vector contents must start with \"[\".");
        }
        for literal in ["[1]a", "[1],", "[1]]", "[1] [2]"] {
            assert_eq!(message(dense(literal)), syntax(literal) + "Junk after closing right brace.");
        }
        assert_eq!(message(dense("[]")), "vector must have at least 1 dimension | -");
        assert_eq!(message(dense("[ ]")), "vector must have at least 1 dimension | -");
        assert_eq!(message(dense("[1,nan]")), "NaN not allowed in vector | -");
        assert_eq!(message(dense("[-Infinity]")), "infinite value not allowed in vector | -");
        assert_eq!(message(dense("[ 4e38,1]")), "\"4e38\" is out of range for type vector | -");
        assert_eq!(
            message(parse_dense::<f16>(b"[-65520]", -1)),
            "\"-65520\" is out of range for type halfvec | -"
        );
        assert_eq!(message(parse_dense::<f16>(b"[inf]", -1)), "infinite value not allowed in halfvec | -");
        assert_eq!(message(parse_dense::<f32>(b"[1,2]", 3)), "expected 3 dimensions, not 2 | -");
    }

    #[test]
    fn dense_literals_end_at_the_limit() {
        let literal = |dims: usize| format!("[{}1]", "1,".repeat(dims - 1));
        assert_eq!(dense(&literal(16_000)).unwrap().len(), 16_000);
        assert_eq!(message(dense(&literal(16_001))), "vector cannot have more than 16000 dimensions | -");
    }

    #[test]
    fn sparse_literals() {
        let parsed = parse_sparse(b" { 5 : 2.5 , 1:1,3:0 , +2: -1 } / 5 ", 5).unwrap();
        assert_eq!(parsed, SparseBuf { dims: 5, indices: vec![0, 1, 4], values: vec![1.0, -1.0, 2.5] });
        assert_eq!(
            parse_sparse(b"{}/3", -1).unwrap(),
            SparseBuf { dims: 3, indices: vec![], values: vec![] }
        );
        assert_eq!(parse_sparse(b"{7:0}/3", -1).unwrap().indices, []);
    }

    #[test]
    fn sparse_literals_that_are_refused() {
        let refused = |literal: &str| message(parse_sparse(literal.as_bytes(), -1));
        let syntax = |literal: &str| format!("invalid input syntax for type sparsevec: \"{literal}\" | ");
        for literal in
            ["{1:}/2", "{:1}/2", "{1}/2", "{1:1,}/2", "{1:1", "{1:1}/", "{1:1}/x", "{1:1 2:1}/2", "{a:1}/2"]
        {
            assert_eq!(refused(literal), syntax(literal) + "-", "{literal}");
        }
        assert_eq!(refused("[1]"), syntax("[1]") + "Vector contents must start with \"{\".");
        assert_eq!(refused("{1:1}"), syntax("{1:1}") + "Unexpected end of input.");
        assert_eq!(refused("{1:1}/2x"), syntax("{1:1}/2x") + "Junk after closing.");
        assert_eq!(refused("{1:1e-46}/1"), "\"1e-46\" is out of range for type sparsevec | -");
        assert_eq!(refused("{1:4e38}/1"), "\"4e38\" is out of range for type sparsevec | -");
        assert_eq!(refused("{1:nan}/1"), "NaN not allowed in sparsevec | -");
        assert_eq!(refused("{1:1,1:2}/2"), "sparsevec indices must not contain duplicates | -");
        for literal in ["{0:1}/1", "{2:1}/1", "{-1:1}/1", "{99999999999999:1}/1", "{-99999999999999:1}/1"] {
            assert_eq!(refused(literal), "sparsevec index out of bounds | -", "{literal}");
        }
        assert_eq!(refused("{}/0"), "sparsevec must have at least 1 dimension | -");
        assert_eq!(refused("{}/-1"), "sparsevec must have at least 1 dimension | -");
        assert_eq!(refused("{}/1000000001"), "sparsevec cannot have more than 1000000000 dimensions | -");
        assert_eq!(
            refused("{}/99999999999999999999"),
            "sparsevec cannot have more than 1000000000 dimensions | -"
        );
        let many = format!("{{{}1:1}}/20000", "1:0,".repeat(16_000));
        assert_eq!(refused(&many), "sparsevec cannot have more than 16000 non-zero elements | -");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn any_text_is_read_or_refused(literal in "[\\[\\]{}0-9eExXnaif:,/.+\\- \\t]{0,40}", modifier in -1i32..4) {
            let _ = parse_dense::<f32>(literal.as_bytes(), modifier);
            let _ = parse_dense::<f16>(literal.as_bytes(), modifier);
            if let Ok(sparse) = parse_sparse(literal.as_bytes(), modifier) {
                prop_assert!(sparse.indices.windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert!(sparse.values.iter().all(|value| value.is_finite() && *value != 0.0));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(literal: Vec<u8>) {
            let _ = parse_dense::<f32>(&literal, -1);
            let _ = parse_sparse(&literal, -1);
        }
    }
}
