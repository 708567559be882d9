//! Tokens: what Milvus's lexer makes of the text, one token at a time.
//!
//! Keywords are keywords in lower and in upper case only, as there: `And` is an identifier. Names of functions and the words `is`,
//! `null`, `iso` and `interval` are identifiers here and keywords to the parser where one can stand, so that fields may have these names.

use crate::error::{Error, Result, quote};
use crate::literal;
use winnow::combinator::{alt, opt};
use winnow::error::EmptyError;
use winnow::prelude::*;
use winnow::token::{any, literal as exactly, one_of, take_while};

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// A literal up to 2⁶³, which only a minus sign before it makes fit.
    Int(u64),
    Float(f64),
    Bool(bool),
    Text(String),
    Identifier(String),
    /// `$meta`
    Meta,
    /// A keyword, an operator or a bracket, in its canonical spelling.
    Symbol(Symbol),
    End,
}

/// Declares symbols: the canonical spelling of each, then others.
macro_rules! symbols {
    ($($name:ident $canonical:literal $(| $other:literal)*),+ $(,)?) => {
        /// A keyword, an operator or a bracket.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Symbol { $($name),+ }

        impl Symbol {
            /// How the symbol is written.
            pub(crate) fn text(self) -> &'static str {
                match self { $(Self::$name => $canonical),+ }
            }

            /// The symbol that a keyword or a sign stands for.
            fn named(text: &str) -> Option<Self> {
                match text { $($canonical $(| $other)* => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

symbols! {
    And "and" | "AND" | "&&", Or "or" | "OR" | "||", Not "not" | "NOT" | "!", In "in" | "IN", Like "like" | "LIKE",
    Exists "exists" | "EXISTS",
    Less "<", LessEqual "<=", Greater ">", GreaterEqual ">=", Equal "==", NotEqual "!=", Match "=~", NotMatch "!~", Assign "=",
    Add "+", Subtract "-", Multiply "*", Divide "/", Modulo "%", Power "**", ShiftLeft "<<", ShiftRight ">>",
    BitAnd "&", BitOr "|", BitXor "^", BitNot "~",
    Open "(", Close ")", OpenList "[", CloseList "]", OpenBrace "{", CloseBrace "}", Comma ",", Dollar "$",
}

/// The text and how far it is read.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    rest: &'a str,
}

type Recognised<T> = std::result::Result<T, EmptyError>;

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, rest: text }
    }

    /// Bytes read so far.
    pub(crate) fn position(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// Whether the number at this position is written in decimal digits without zeroes before it.
    pub(crate) fn is_decimal(&self, position: usize) -> bool {
        let digits = &self.text.as_bytes()[position..];
        digits[0] != b'0' || !digits.get(1).is_some_and(u8::is_ascii_alphanumeric)
    }

    /// Skips white space; then the next token and where it begins.
    pub(crate) fn next(&mut self) -> Result<(usize, Token)> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let start = self.position();
        let Some(first) = self.rest.chars().next() else { return Ok((start, Token::End)) };
        let token = match first {
            '0'..='9' => self.number(start)?,
            '.' if self.rest[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number(start)?,
            '"' | '\'' => Token::Text(self.quoted(start)?),
            'a'..='z' | 'A'..='Z' | '_' => self.word(start)?,
            '$' => self.dollar(),
            _ => self.sign(start, first)?,
        };
        Ok((start, token))
    }

    fn number(&mut self, start: usize) -> Result<Token> {
        let Ok((float, digits)) = number.parse_next(&mut self.rest) else {
            return Err(Error::syntax(start, "expected a number"));
        };
        if self.rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            let end =
                self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
            let whole = format!("{digits}{}", &self.rest[..end]);
            return Err(Error::syntax(start, format!("\"{}\" is not a number", quote(&whole))));
        }
        let value = if float {
            literal::float(digits).map(Token::Float)
        } else {
            literal::integer(digits).map(Token::Int)
        };
        value.ok_or_else(|| {
            let name = if float { "a 64-bit float" } else { "a 64-bit integer" };
            Error::syntax(start, format!("{} is out of range of {name}", quote(digits)))
        })
    }

    /// An identifier, a keyword, or a string with a prefix.
    fn word(&mut self, start: usize) -> Result<Token> {
        let Ok(word) = identifier.parse_next(&mut self.rest) else {
            return Err(Error::syntax(start, "expected a name"));
        };
        if self.rest.starts_with(['"', '\'']) {
            match word {
                "r" | "R" => return Ok(Token::Text(self.raw(start)?)),
                "u8" | "u" | "U" | "L" => return Ok(Token::Text(self.quoted(start)?)),
                _ => {}
            }
        }
        Ok(match word {
            "true" | "True" | "TRUE" => Token::Bool(true),
            "false" | "False" | "FALSE" => Token::Bool(false),
            _ => Symbol::named(word).map_or_else(|| Token::Identifier(word.to_owned()), Token::Symbol),
        })
    }

    fn dollar(&mut self) -> Token {
        self.rest = &self.rest[1..];
        let mut after = self.rest;
        match identifier.parse_next(&mut after) {
            Ok("meta") => {
                self.rest = after;
                Token::Meta
            }
            _ => Token::Symbol(Symbol::Dollar),
        }
    }

    fn sign(&mut self, start: usize, first: char) -> Result<Token> {
        match sign.parse_next(&mut self.rest).ok().and_then(Symbol::named) {
            Some(symbol) => Ok(Token::Symbol(symbol)),
            None => Err(Error::syntax(start, format!("unexpected character {first:?}"))),
        }
    }

    /// The inside of a quoted string, and then what comes behind it: a backslash protects the character behind it.
    fn body(&mut self, start: usize) -> Result<&'a str> {
        let open = self.rest.as_bytes()[0];
        let inside = &self.rest[1..];
        let mut at = 0;
        let bytes = inside.as_bytes();
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'\\' if bytes[at + 1..].starts_with(b"\r\n") => at += 3,
                b'\\' => at += 2,
                b'\r' | b'\n' => return Err(Error::syntax(start, "the string does not end in its line")),
                _ if byte == open => {
                    self.rest = &inside[at + 1..];
                    return Ok(&inside[..at]);
                }
                _ => at += 1,
            }
        }
        Err(Error::syntax(start, "the string has no end"))
    }

    fn quoted(&mut self, start: usize) -> Result<String> {
        let inside = self.position() + 1;
        let body = self.body(start)?;
        let text = literal::unescape(body).map_err(|(at, message)| Error::syntax(inside + at, message))?;
        without_zero(start, text)
    }

    /// A raw string: nothing in it is an escape, though a backslash keeps the quote behind it from ending the string.
    fn raw(&mut self, start: usize) -> Result<String> {
        let body = self.body(start)?;
        if body.contains(['\r', '\n']) {
            return Err(Error::syntax(start, "the string does not end in its line"));
        }
        without_zero(start, body.to_owned())
    }
}

/// PostgreSQL has no text with this character, so no row can have one and no parameter could.
pub(crate) const ZERO: &str =
    "a string cannot contain the character U+0000, which PostgreSQL's text does not have";

fn without_zero(start: usize, text: String) -> Result<String> {
    if text.contains('\0') { Err(Error::syntax(start, ZERO)) } else { Ok(text) }
}

fn identifier<'i>(input: &mut &'i str) -> Recognised<&'i str> {
    (
        one_of(|c: char| c.is_ascii_alphabetic() || c == '_'),
        take_while(0.., |c: char| c.is_ascii_alphanumeric() || c == '_'),
    )
        .take()
        .parse_next(input)
}

/// A number, and whether it is a float.
fn number<'i>(input: &mut &'i str) -> Recognised<(bool, &'i str)> {
    alt((
        hexadecimal_float.take().map(|digits| (true, digits)),
        radix.take().map(|digits| (false, digits)),
        decimal_float.take().map(|digits| (true, digits)),
        take_while(1.., '0'..='9').map(|digits| (false, digits)),
    ))
    .parse_next(input)
}

fn radix(input: &mut &str) -> Recognised<()> {
    alt((
        ('0', one_of(['x', 'X']), take_while(1.., |c: char| c.is_ascii_hexdigit())).void(),
        ('0', one_of(['b', 'B']), take_while(1.., '0'..='1')).void(),
    ))
    .parse_next(input)
}

fn exponent(input: &mut &str) -> Recognised<()> {
    (opt(one_of(['+', '-'])), take_while(1.., '0'..='9')).void().parse_next(input)
}

fn decimal_float(input: &mut &str) -> Recognised<()> {
    let digits = |least: usize| take_while(least.., '0'..='9');
    alt((
        (digits(0), '.', digits(1), opt((one_of(['e', 'E']), exponent))).void(),
        (digits(1), '.', opt((one_of(['e', 'E']), exponent))).void(),
        (digits(1), one_of(['e', 'E']), exponent).void(),
    ))
    .parse_next(input)
}

fn hexadecimal_float(input: &mut &str) -> Recognised<()> {
    let digits = |least: usize| take_while(least.., |c: char| c.is_ascii_hexdigit());
    let significand = alt(((digits(0), '.', digits(1)).void(), (digits(1), '.').void(), digits(1).void()));
    ('0', one_of(['x', 'X']), significand, one_of(['p', 'P']), exponent).void().parse_next(input)
}

/// The longest operator or bracket.
fn sign<'i>(input: &mut &'i str) -> Recognised<&'i str> {
    alt((
        alt((exactly("<="), exactly(">="), exactly("=="), exactly("!="), exactly("=~"), exactly("!~"))),
        alt((exactly("**"), exactly("<<"), exactly(">>"), exactly("&&"), exactly("||"))),
        any.take(),
    ))
    .parse_next(input)
}
