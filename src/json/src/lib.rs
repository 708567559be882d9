//! A pull reader of JSON texts: straight to numbers and strings, without a tree of values. See the README beside it.
//!
//! ```
//! let mut reader = kite_json::Reader::new(r#"{"a": [1, 2.5], "b": {"c": "skipped"}}"#);
//! let mut floats = Vec::new();
//! reader.object(|reader, key| match key {
//!     "a" => reader.floats(&mut floats, 100).map(drop),
//!     _ => reader.skip().map(drop),
//! })?;
//! reader.end()?;
//! assert_eq!(floats, [1.0, 2.5]);
//! # Ok::<(), kite_json::Error>(())
//! ```

mod float;
mod reader;
mod string;

pub use reader::{Kind, Reader};

use std::fmt;

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Bytes of the text before it.
    pub position: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// It is no JSON here, or ends too early.
    Syntax,
    /// A value of another kind was asked for than stands here.
    Expected(Kind),
    /// A number is beyond the largest float.
    TooLarge,
    /// A string has U+0000, or an escape that is half of a surrogate pair.
    Character,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            Problem::Syntax => write!(f, "invalid JSON at byte {}", self.position),
            Problem::Expected(kind) => write!(f, "expected {}", kind.name()),
            Problem::TooLarge => f.write_str("a number is out of range"),
            Problem::Character => {
                f.write_str("a string has U+0000 or half of a surrogate pair, which text cannot hold")
            }
        }
    }
}

impl std::error::Error for Error {}

/// What a function of this crate answers, unless its caller's own errors come through it.
pub type Result<T, E = Error> = std::result::Result<T, E>;
