//! What is wrong with a filter, and where.

use std::fmt;

/// Why a filter is refused. The position counts bytes of the expression's text, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    position: usize,
    message: String,
}

/// What is wrong, by who can mend it and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is not an expression of the language.
    Syntax,
    /// The expression names a field that the collection does not have.
    UnknownField,
    /// An operator or a function does not take what it is given.
    Type,
    /// A template variable has no value, or one that no literal could have.
    Template,
    /// The language has it and this implementation does not.
    Unsupported,
    /// The expression is too long, too deep or has too many parts.
    Limit,
}

/// What a function of this crate answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, position: usize, message: impl Into<String>) -> Self {
        Self { kind, position, message: message.into() }
    }

    pub(crate) fn syntax(position: usize, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Syntax, position, message)
    }

    pub(crate) fn wrong_type(position: usize, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Type, position, message)
    }

    pub(crate) fn unsupported(position: usize, what: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Unsupported, position, format!("{what} is not supported"))
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Where it is wrong: bytes of the text before it.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// What is wrong, without the position.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The code under which PostgreSQL reports such an error.
    #[must_use]
    pub fn sqlstate(&self) -> &'static str {
        match self.kind {
            ErrorKind::Syntax => "42601",
            ErrorKind::UnknownField => "42703",
            ErrorKind::Type => "42804",
            ErrorKind::Template => "42P02",
            ErrorKind::Unsupported => "0A000",
            ErrorKind::Limit => "54000",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = match self.kind {
            ErrorKind::Syntax | ErrorKind::Limit => "cannot parse filter",
            _ => "invalid filter",
        };
        write!(f, "{failed} at position {}: {}", self.position, self.message)
    }
}

impl std::error::Error for Error {}

/// The beginning of a text, as an error quotes it: the text may be megabytes long.
pub(crate) fn quote(text: &str) -> String {
    const MOST: usize = 64;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
