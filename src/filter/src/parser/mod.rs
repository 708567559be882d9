//! From tokens to a tree, by precedence climbing.
//!
//! The precedences are those of Milvus's grammar, where the order of alternatives decides. Two of them surprise: `not` binds tighter than
//! a comparison (`not a == 1` is `(not a) == 1`), and `in` tighter than `<` but looser than `+`.

mod names;

use crate::error::{Error, ErrorKind, Result, quote};
use crate::lexer::{Lexer, Symbol, Token};
use crate::syntax::{How, Kind, MAX_DEPTH, Node, too_deep};

/// The longest text that is read, in bytes: a list of 16,384 long ids fits. The tree of a text takes up to 40 times its length; a template
/// variable takes lists of any length.
const MAX_LENGTH: usize = 1 << 20;

/// How tightly operators bind.
mod binding {
    pub(super) const LOWEST: u32 = 0;
    pub(super) const RANGE: u32 = 8;
    pub(super) const IN: u32 = 9;
    pub(super) const UNARY: u32 = 13;
    pub(super) const EXISTS: u32 = 17;
}

/// How tightly a binary operator binds; `None` where the symbol is not one.
fn binding_of(symbol: Symbol) -> Option<u32> {
    Some(match symbol {
        Symbol::Or => 1,
        Symbol::And => 2,
        Symbol::BitOr => 3,
        Symbol::BitXor => 4,
        Symbol::BitAnd => 5,
        Symbol::Equal | Symbol::NotEqual => 6,
        Symbol::Less | Symbol::LessEqual | Symbol::Greater | Symbol::GreaterEqual => 7,
        Symbol::In | Symbol::Not => binding::IN,
        Symbol::ShiftLeft | Symbol::ShiftRight => 10,
        Symbol::Add | Symbol::Subtract => 11,
        Symbol::Multiply | Symbol::Divide | Symbol::Modulo => 12,
        Symbol::Power => 14,
        Symbol::Match | Symbol::NotMatch => 15,
        Symbol::Like => 16,
        _ => return None,
    })
}

/// Reads an expression; `None` where the text is empty, which matches every row.
pub(crate) fn parse(text: &str) -> Result<Option<Node>> {
    if text.len() > MAX_LENGTH {
        let message =
            format!("the expression has {} bytes, more than the {MAX_LENGTH} that are read", text.len());
        return Err(Error::new(ErrorKind::Limit, text.floor_char_boundary(MAX_LENGTH), message));
    }
    let mut parser = Parser { lexer: Lexer::new(text), token: Token::End, at: 0, level: 0 };
    parser.advance()?;
    if parser.token == Token::End {
        return Ok(None);
    }
    let node = parser.expression(binding::LOWEST)?;
    if parser.token == Token::End { Ok(Some(node)) } else { Err(parser.expected("an operator or the end")) }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The token that comes next, and where it begins.
    token: Token,
    at: usize,
    /// How many calls of [`Parser::expression`] are open.
    level: u32,
}

impl Parser<'_> {
    /// Answers the token that came next, and reads another.
    fn advance(&mut self) -> Result<Token> {
        let (at, token) = self.lexer.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn is(&self, symbol: Symbol) -> bool {
        self.token == Token::Symbol(symbol)
    }

    fn take(&mut self, symbol: Symbol) -> Result<bool> {
        let taken = self.is(symbol);
        if taken {
            self.advance()?;
        }
        Ok(taken)
    }

    /// Takes a keyword that is an identifier elsewhere.
    fn take_word(&mut self, spellings: [&str; 2]) -> Result<bool> {
        let taken = matches!(&self.token, Token::Identifier(name) if spellings.contains(&name.as_str()));
        if taken {
            self.advance()?;
        }
        Ok(taken)
    }

    fn expect(&mut self, symbol: Symbol, what: &str) -> Result<()> {
        if self.take(symbol)? { Ok(()) } else { Err(self.expected(what)) }
    }

    fn expected(&self, what: &str) -> Error {
        let found = match &self.token {
            Token::End => "the end".to_owned(),
            Token::Symbol(symbol) => format!("\"{}\"", symbol.text()),
            Token::Identifier(name) => format!("\"{}\"", quote(name)),
            Token::Meta => "\"$meta\"".to_owned(),
            Token::Bool(value) => format!("\"{value}\""),
            Token::Int(_) | Token::Float(_) => "a number".to_owned(),
            Token::Text(_) => "a string".to_owned(),
        };
        Error::syntax(self.at, format!("expected {what}, found {found}"))
    }

    /// An expression of operators that bind at least so tightly.
    fn expression(&mut self, least: u32) -> Result<Node> {
        self.level += 1;
        // Parentheses make no node, so a tree within its depth may take twice as many calls.
        if self.level > 2 * MAX_DEPTH {
            return Err(too_deep(self.at));
        }
        let mut left = self.operand()?;
        while let Token::Symbol(symbol) = self.token {
            let Some(binding) = binding_of(symbol).filter(|binding| *binding >= least) else { break };
            left = self.infix(left, symbol, binding)?;
        }
        self.level -= 1;
        Ok(left)
    }

    /// The rest of a binary expression behind its left side.
    fn infix(&mut self, left: Node, symbol: Symbol, binding: u32) -> Result<Node> {
        let at = left.at;
        match symbol {
            Symbol::And | Symbol::Or => return self.connective(left, symbol, binding),
            Symbol::Less | Symbol::LessEqual | Symbol::Greater | Symbol::GreaterEqual => {
                return self.relation(left, symbol);
            }
            Symbol::In | Symbol::Not => {
                let negated = self.take(Symbol::Not)?;
                self.expect(Symbol::In, "\"in\" behind \"not\"")?;
                let list = Box::new(self.expression(binding + 1)?);
                return Node::new(at, Kind::In { field: Box::new(left), list, negated });
            }
            _ => {}
        }
        self.advance()?;
        let right = self.expression(binding + 1)?;
        Node::new(at, Kind::Binary(symbol, Box::new(left), Box::new(right)))
    }

    /// A chain of one connective is one node, however long it is.
    fn connective(&mut self, first: Node, symbol: Symbol, binding: u32) -> Result<Node> {
        let at = first.at;
        let mut parts = Vec::new();
        flatten(first, symbol, &mut parts);
        while self.take(symbol)? {
            flatten(self.expression(binding + 1)?, symbol, &mut parts);
        }
        Node::new(at, if symbol == Symbol::And { Kind::And(parts) } else { Kind::Or(parts) })
    }

    /// A comparison, or a range when a field stands between two that point the same way.
    fn relation(&mut self, left: Node, symbol: Symbol) -> Result<Node> {
        self.advance()?;
        let at = left.at;
        let middle = self.expression(binding::RANGE + 1)?;
        let second = match self.token {
            Token::Symbol(second)
                if matches!(middle.kind, Kind::Field(_)) && is_rising(second) == is_rising(symbol) =>
            {
                second
            }
            _ => return Node::new(at, Kind::Binary(symbol, Box::new(left), Box::new(middle))),
        };
        self.advance()?;
        let right = self.expression(binding::RANGE + 1)?;
        let (left, field, right) = (Box::new(left), Box::new(middle), Box::new(right));
        let kind = match (symbol, second) {
            (Symbol::Less | Symbol::LessEqual, _) => {
                Kind::Range { lower: left, above: symbol, field, below: second, upper: right }
            }
            _ => {
                Kind::Range { lower: right, above: turned(second), field, below: turned(symbol), upper: left }
            }
        };
        Node::new(at, kind)
    }

    /// An operand with the operators before it.
    fn operand(&mut self) -> Result<Node> {
        let at = self.at;
        let Token::Symbol(symbol) = self.token else { return self.primary() };
        match symbol {
            Symbol::Exists => {
                self.advance()?;
                Node::new(at, Kind::Exists(Box::new(self.expression(binding::EXISTS)?)))
            }
            Symbol::Subtract => {
                self.advance()?;
                if self.token == Token::Int(1 << 63) {
                    self.advance()?;
                    return Node::new(at, Kind::Int(i64::MIN));
                }
                let child = self.expression(binding::UNARY)?;
                // A sign and digits are a literal.
                match child.kind {
                    Kind::Int(value) if value != i64::MIN => Node::new(at, Kind::Int(-value)),
                    Kind::Float(value) => Node::new(at, Kind::Float(-value)),
                    _ => Node::new(at, Kind::Unary(symbol, Box::new(child))),
                }
            }
            Symbol::Add | Symbol::BitNot | Symbol::Not => {
                self.advance()?;
                Node::new(at, Kind::Unary(symbol, Box::new(self.expression(binding::UNARY)?)))
            }
            Symbol::Open => {
                self.advance()?;
                let inside = self.expression(binding::LOWEST)?;
                self.expect(Symbol::Close, "\")\"")?;
                Ok(inside)
            }
            Symbol::OpenList => self.list(),
            Symbol::OpenBrace => {
                self.advance()?;
                let Token::Identifier(_) = self.token else {
                    return Err(self.expected("the name of a template variable"));
                };
                let Token::Identifier(name) = self.advance()? else { return Err(self.expected("a name")) };
                self.expect(Symbol::CloseBrace, "\"}\"")?;
                Node::new(at, Kind::Template(name))
            }
            Symbol::Dollar => Err(Error::unsupported(at, "a field of a struct ($)")),
            _ => Err(self.expected("a field, a constant or \"(\"")),
        }
    }

    fn list(&mut self) -> Result<Node> {
        let at = self.at;
        self.advance()?;
        let mut values = Vec::new();
        while !self.is(Symbol::CloseList) {
            let value = self.expression(binding::LOWEST)?;
            values
                .try_reserve(1)
                .map_err(|_| Error::new(ErrorKind::Limit, at, "out of memory for the list"))?;
            values.push(value);
            if !self.take(Symbol::Comma)? {
                break;
            }
        }
        self.expect(Symbol::CloseList, "\",\" or \"]\"")?;
        Node::new(at, Kind::List(values))
    }

    fn primary(&mut self) -> Result<Node> {
        let at = self.at;
        match &self.token {
            Token::Identifier(_) | Token::Meta => return self.name_or_call(),
            Token::End => return Err(self.expected("a field, a constant or \"(\"")),
            _ => {}
        }
        let kind = match self.advance()? {
            Token::Int(value) => match i64::try_from(value) {
                Ok(value) => Kind::Int(value),
                Err(_) => {
                    return Err(Error::syntax(at, format!("{value} is out of range of a 64-bit integer")));
                }
            },
            Token::Float(value) => Kind::Float(value),
            Token::Bool(value) => Kind::Bool(value),
            Token::Text(value) => Kind::Text(value),
            _ => return Err(Error::syntax(at, "expected a field, a constant or \"(\"")),
        };
        Node::new(at, kind)
    }
}

/// Appends a node to the parts of a connective, or its parts when it is the same connective.
fn flatten(node: Node, symbol: Symbol, parts: &mut Vec<Node>) {
    match node.kind {
        Kind::And(inner) if symbol == Symbol::And => parts.extend(inner),
        Kind::Or(inner) if symbol == Symbol::Or => parts.extend(inner),
        _ => parts.push(node),
    }
}

/// Which way an inequality points; `None` for other symbols.
fn is_rising(symbol: Symbol) -> Option<bool> {
    match symbol {
        Symbol::Less | Symbol::LessEqual => Some(true),
        Symbol::Greater | Symbol::GreaterEqual => Some(false),
        _ => None,
    }
}

/// The inequality seen from its other side.
pub(crate) fn turned(symbol: Symbol) -> Symbol {
    match symbol {
        Symbol::Less => Symbol::Greater,
        Symbol::LessEqual => Symbol::GreaterEqual,
        Symbol::Greater => Symbol::Less,
        Symbol::GreaterEqual => Symbol::LessEqual,
        other => other,
    }
}

impl How {
    /// The operation of a function's name in lower case, behind `json_` or `array_`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::One, Self::All, Self::Any].into_iter().find(|how| how.name() == name)
    }
}
