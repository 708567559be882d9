//! The tree of an expression as it is written, before any schema is known.

use crate::error::{Error, ErrorKind, Result};
use crate::lexer::Symbol;
use std::fmt;

/// The deepest that a tree can be. Everything that walks one calls itself, on a server's stack: a text that goes just beyond costs the
/// parser some 300 kB of it.
pub(crate) const MAX_DEPTH: u32 = 64;

/// A part of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Bytes of the text before it.
    pub(crate) at: usize,
    /// The depth of the tree below and with it.
    depth: u32,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// `{name}`
    Template(String),
    Field(Name),
    Unary(Symbol, Box<Node>),
    /// Every binary operator but those below.
    Binary(Symbol, Box<Node>, Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    In {
        field: Box<Node>,
        list: Box<Node>,
        negated: bool,
    },
    /// `lower < field < upper`; a reversed range is turned round, so that only `<` and `<=` are here.
    Range {
        lower: Box<Node>,
        above: Symbol,
        field: Box<Node>,
        below: Symbol,
        upper: Box<Node>,
    },
    IsNull {
        field: Box<Node>,
        negated: bool,
    },
    Exists(Box<Node>),
    Contains {
        how: How,
        field: Box<Node>,
        values: Box<Node>,
    },
    Length(Box<Node>),
    Sample(Box<Node>),
}

/// A field, dynamic key or `$meta`, and the path into it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Name {
    /// `None` is `$meta`.
    pub(crate) name: Option<String>,
    pub(crate) path: Vec<Step>,
}

/// One step into a JSON value or an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(u64),
}

/// How many of the values an array has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// The one that is given.
    One,
    All,
    Any,
}

impl How {
    /// The name of the operation in Milvus's messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::One => "contains",
            Self::All => "contains_all",
            Self::Any => "contains_any",
        }
    }
}

impl Node {
    /// A node at a position.
    ///
    /// # Errors
    /// Where the tree would be too deep.
    pub(crate) fn new(at: usize, kind: Kind) -> Result<Self> {
        let mut below = 0;
        kind.for_each(|child| below = below.max(child.depth));
        let depth = below + 1;
        if depth > MAX_DEPTH {
            return Err(too_deep(at));
        }
        Ok(Self { kind, at, depth })
    }
}

pub(crate) fn too_deep(at: usize) -> Error {
    Error::new(ErrorKind::Limit, at, format!("the expression is nested more than {MAX_DEPTH} levels deep"))
}

impl Kind {
    /// Calls `visit` on each child.
    fn for_each<'a>(&'a self, mut visit: impl FnMut(&'a Node)) {
        match self {
            Self::List(children) | Self::And(children) | Self::Or(children) => {
                children.iter().for_each(visit);
            }
            Self::Unary(_, child) | Self::Exists(child) | Self::Length(child) | Self::Sample(child) => {
                visit(child);
            }
            Self::IsNull { field, .. } => visit(field),
            Self::Binary(_, left, right) => [left, right].into_iter().for_each(|child| visit(child)),
            Self::In { field, list: other, .. } | Self::Contains { field, values: other, .. } => {
                [field, other].into_iter().for_each(|child| visit(child));
            }
            Self::Range { lower, field, upper, .. } => {
                [lower, field, upper].into_iter().for_each(|child| visit(child));
            }
            _ => {}
        }
    }

    /// Whether the printed form needs no parentheses inside another.
    fn is_closed(&self) -> bool {
        match self {
            Self::Int(value) => *value >= 0,
            Self::Float(value) => !value.is_sign_negative(),
            Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Template(_) | Self::Field(_) => true,
            Self::Contains { .. } | Self::Length(_) | Self::Sample(_) => true,
            _ => false,
        }
    }
}

/// Prints a string literal, all ASCII.
fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(f, "\\{character}")?,
            ' '..='~' => write!(f, "{character}")?,
            other if u32::from(other) < 0x1_0000 => write!(f, "\\u{:04x}", u32::from(other))?,
            other => write!(f, "\\U{:08x}", u32::from(other))?,
        }
    }
    f.write_str("\"")
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or("$meta"))?;
        for step in &self.path {
            f.write_str("[")?;
            match step {
                Step::Key(key) => write_text(f, key)?,
                Step::Index(index) => write!(f, "{index}")?,
            }
            f.write_str("]")?;
        }
        Ok(())
    }
}

/// The node inside another: in parentheses, unless it needs none.
struct Inner<'a>(&'a Node);

impl fmt::Display for Inner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.kind.is_closed() { self.0.fmt(f) } else { write!(f, "({})", self.0) }
    }
}

fn write_joined(f: &mut fmt::Formatter<'_>, nodes: &[Node], between: &str) -> fmt::Result {
    for (i, node) in nodes.iter().enumerate() {
        write!(f, "{}{}", if i == 0 { "" } else { between }, Inner(node))?;
    }
    Ok(())
}

/// The expression, with all of its parentheses: read again, it gives the same tree.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Bool(value) => write!(f, "{value}"),
            Kind::Int(value) => write!(f, "{value}"),
            Kind::Float(value) => write!(f, "{value:?}"),
            Kind::Text(value) => write_text(f, value),
            Kind::List(values) => {
                f.write_str("[")?;
                write_joined(f, values, ", ")?;
                f.write_str("]")
            }
            Kind::Template(name) => write!(f, "{{{name}}}"),
            Kind::Field(name) => name.fmt(f),
            Kind::Unary(operator, child) => write!(f, "{} {}", operator.text(), Inner(child)),
            Kind::Binary(operator, left, right) => {
                write!(f, "{} {} {}", Inner(left), operator.text(), Inner(right))
            }
            Kind::And(children) => write_joined(f, children, " and "),
            Kind::Or(children) => write_joined(f, children, " or "),
            Kind::In { field, list, negated } => {
                write!(f, "{} {}in {}", Inner(field), if *negated { "not " } else { "" }, Inner(list))
            }
            Kind::Range { lower, above, field, below, upper } => {
                write!(f, "{} {} {field} {} {}", Inner(lower), above.text(), below.text(), Inner(upper))
            }
            Kind::IsNull { field, negated } => {
                write!(f, "{field} is {}null", if *negated { "not " } else { "" })
            }
            Kind::Exists(child) => write!(f, "exists {}", Inner(child)),
            Kind::Contains { how, field, values } => write!(f, "json_{}({field}, {values})", how.name()),
            Kind::Length(field) => write!(f, "array_length({field})"),
            Kind::Sample(factor) => write!(f, "random_sample({factor})"),
        }
    }
}
