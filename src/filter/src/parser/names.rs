//! What begins with a name: fields with the path into them, and functions.

use super::{Parser, binding};
use crate::error::{Error, Result, quote};
use crate::functions::{self, Function};
use crate::lexer::{Symbol, Token};
use crate::syntax::{Kind, MAX_DEPTH, Name, Node, Step, too_deep};

impl Parser<'_> {
    /// Something that begins with a name: a field, perhaps with `is null` behind it, or a function.
    pub(super) fn name_or_call(&mut self) -> Result<Node> {
        let at = self.at;
        let name = match self.advance()? {
            Token::Identifier(name) => Some(name),
            _ => None,
        };
        if let Some(name) = &name {
            if self.is(Symbol::Open) {
                return self.call(at, name);
            }
            if functions::is_iso(name) && matches!(self.token, Token::Text(_)) {
                return Err(Error::unsupported(at, "ISO, a comparison with a timestamp,"));
            }
        }
        let field = self.path(at, name)?;
        if !self.take_word(["is", "IS"])? {
            return Ok(field);
        }
        let negated = self.take(Symbol::Not)?;
        if !self.take_word(["null", "NULL"])? {
            return Err(self.expected(if negated { "\"null\"" } else { "\"null\" or \"not null\"" }));
        }
        Node::new(at, Kind::IsNull { field: Box::new(field), negated })
    }

    /// The steps behind a name.
    fn path(&mut self, at: usize, name: Option<String>) -> Result<Node> {
        let mut path = Vec::new();
        while self.take(Symbol::OpenList)? {
            // Every step is a level of what the server walks.
            if path.len() >= MAX_DEPTH as usize {
                return Err(too_deep(self.at));
            }
            let step_at = self.at;
            path.push(match self.advance()? {
                Token::Text(key) if key.is_empty() => {
                    return Err(Error::syntax(step_at, "a json key cannot be empty"));
                }
                Token::Text(key) => Step::Key(key),
                Token::Int(index) if self.lexer.is_decimal(step_at) => Step::Index(index),
                Token::Identifier(key) => {
                    let message = format!(
                        "json key must be enclosed in double quotes or single quotes: \"{}\"",
                        quote(&key)
                    );
                    return Err(Error::syntax(step_at, message));
                }
                _ => {
                    return Err(Error::syntax(
                        step_at,
                        "expected a quoted key or a decimal index that is not negative",
                    ));
                }
            });
            self.expect(Symbol::CloseList, "\"]\"")?;
        }
        Node::new(at, Kind::Field(Name { name, path }))
    }

    /// A function, with its name read and its parenthesis next.
    fn call(&mut self, at: usize, name: &str) -> Result<Node> {
        let Some(function) = functions::find(name) else {
            return Err(Error::unsupported(at, format_args!("function {}", quote(name))));
        };
        self.advance()?;
        // The deepest frames of all: a call counts as two levels.
        self.level += 1;
        let kind = match function {
            Function::Contains(how) => {
                let field = Box::new(self.expression(binding::LOWEST)?);
                self.expect(Symbol::Comma, "\",\"")?;
                Kind::Contains { how, field, values: Box::new(self.expression(binding::LOWEST)?) }
            }
            Function::Length => {
                let field = self.expression(binding::LOWEST)?;
                if !matches!(field.kind, Kind::Field(_)) {
                    return Err(Error::syntax(field.at, "array_length takes a field"));
                }
                Kind::Length(Box::new(field))
            }
            Function::Sample => Kind::Sample(Box::new(self.expression(binding::LOWEST)?)),
            Function::Other(name) => {
                self.arguments()?;
                return Err(Error::unsupported(at, name));
            }
        };
        self.level -= 1;
        self.expect(Symbol::Close, "\")\"")?;
        Node::new(at, kind)
    }

    /// Reads the arguments of a function that is not supported, so that what is wrong in them is said first.
    fn arguments(&mut self) -> Result<()> {
        while !self.is(Symbol::Close) {
            let argument = self.expression(binding::LOWEST)?;
            if matches!(argument.kind, Kind::Field(_)) && self.take(Symbol::Assign)? {
                self.expression(binding::LOWEST)?;
            }
            if !self.take(Symbol::Comma)? {
                break;
            }
        }
        self.expect(Symbol::Close, "\",\" or \")\"")
    }
}
