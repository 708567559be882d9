//! Regular expressions: RE2's, which Milvus has, written as PostgreSQL's.
//!
//! The two agree on the shape of expressions and not on what the short forms mean: `\b` is a word boundary to one and a backspace to the
//! other, `\w` means ASCII letters to one and the collation's to the other, `.` and `^` stand differently to newlines. So the expression is
//! taken apart and written out again in forms that leave no doubt: classes as ranges of characters, anchors and boundaries as constraints. A
//! match is looked for anywhere in the text. The order of alternatives and laziness say where a match is, not whether there is one.

use regex_syntax::ast::{
    self, Assertion, AssertionKind, Ast, ClassAsciiKind, ClassPerlKind, ClassSet, ClassSetItem, Flag,
    FlagsItemKind, GroupKind, RepetitionKind, RepetitionRange,
};
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};
use std::fmt::Write as _;

/// The longest expression, in bytes.
const MAX_LENGTH: usize = 1000;
/// The most characters and classes, with all repetitions written out. PostgreSQL takes many seconds for some expressions of 2,000, such as
/// repetitions of repetitions of what can be empty.
const MAX_SIZE: u32 = 500;
/// The most repetitions that PostgreSQL counts.
const MAX_REPETITIONS: u32 = 255;
/// The deepest nesting.
const MAX_NESTING: u32 = 40;

/// A regular expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Regex {
    /// As it was written.
    #[cfg(feature = "testing")]
    pub(crate) source: String,
    /// As PostgreSQL reads it.
    pub(crate) sql: String,
}

impl Regex {
    /// Reads an expression.
    ///
    /// # Errors
    /// Says what is wrong with it, or what of it is not supported.
    pub(crate) fn new(source: &str) -> Result<Self, String> {
        if source.len() > MAX_LENGTH {
            return Err(format!("it has more than {MAX_LENGTH} bytes"));
        }
        let tree = ast::parse::ParserBuilder::new().nest_limit(MAX_NESTING).build().parse(source);
        let tree = tree.map_err(|error| error.kind().to_string())?;
        let mut writer = Writer { sql: String::new(), size: 0, flags: Flags::default() };
        writer.expression(&tree, 1)?;
        Ok(Self {
            #[cfg(feature = "testing")]
            source: source.to_owned(),
            sql: writer.sql,
        })
    }
}

/// `(?i)`, `(?m)`, `(?s)`.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    any_case: bool,
    lines: bool,
    dot_is_newline: bool,
}

struct Writer {
    sql: String,
    size: u32,
    flags: Flags,
}

impl Writer {
    /// Writes an expression that stands so many times in what it is part of.
    fn expression(&mut self, tree: &Ast, times: u32) -> Result<(), String> {
        match tree {
            Ast::Empty(_) => {}
            Ast::Flags(set) => self.flags = changed(self.flags, &set.flags)?,
            Ast::Literal(literal) => self.class(&range(literal.c, literal.c), times)?,
            Ast::Dot(_) => {
                let mut class =
                    if self.flags.dot_is_newline { ClassUnicode::empty() } else { range('\n', '\n') };
                class.negate();
                self.unfolded(&class, times)?;
            }
            Ast::Assertion(assertion) => self.assertion(assertion)?,
            Ast::ClassUnicode(_) => return Err("a Unicode class (\\p) is not supported".into()),
            Ast::ClassPerl(perl) => self.class(&perl_class(perl), times)?,
            Ast::ClassBracketed(bracketed) => {
                let mut class = self.folded(set(&bracketed.kind)?)?;
                if bracketed.negated {
                    class.negate();
                }
                self.unfolded(&class, times)?;
            }
            Ast::Repetition(repetition) => {
                let (least, most) = bounds(&repetition.op.kind);
                let count = most.unwrap_or(least.max(1));
                if count > MAX_REPETITIONS {
                    return Err(format!("more than {MAX_REPETITIONS} repetitions are not supported"));
                }
                self.group(&repetition.ast, times.saturating_mul(count.max(1)))?;
                let most = most.map_or_else(String::new, |most| most.to_string());
                // Writing to a string does not fail.
                let _ = write!(self.sql, "{{{least},{most}}}");
            }
            Ast::Group(group) => {
                let flags = self.flags;
                if let GroupKind::NonCapturing(change) = &group.kind {
                    self.flags = changed(flags, change)?;
                }
                self.group(&group.ast, times)?;
                self.flags = flags;
            }
            Ast::Alternation(alternation) => {
                let flags = self.flags;
                for (i, branch) in alternation.asts.iter().enumerate() {
                    self.sql.push_str(if i == 0 { "" } else { "|" });
                    self.group(branch, times)?;
                }
                self.flags = flags;
            }
            Ast::Concat(concat) => {
                for part in &concat.asts {
                    match part {
                        Ast::Alternation(_) => self.group(part, times)?,
                        _ => self.expression(part, times)?,
                    }
                }
            }
        }
        Ok(())
    }

    fn group(&mut self, tree: &Ast, times: u32) -> Result<(), String> {
        self.sql.push_str("(?:");
        self.expression(tree, times)?;
        self.sql.push(')');
        Ok(())
    }

    fn assertion(&mut self, assertion: &Assertion) -> Result<(), String> {
        const WORD: &str = "[0-9A-Za-z_]";
        let constraint = match assertion.kind {
            AssertionKind::StartLine if self.flags.lines => "(?<![^\\u000a])".to_owned(),
            AssertionKind::EndLine if self.flags.lines => "(?![^\\u000a])".to_owned(),
            AssertionKind::StartLine | AssertionKind::StartText => "\\A".to_owned(),
            AssertionKind::EndLine | AssertionKind::EndText => "\\Z".to_owned(),
            AssertionKind::WordBoundary => format!("(?:(?<={WORD})(?!{WORD})|(?<!{WORD})(?={WORD}))"),
            AssertionKind::NotWordBoundary => format!("(?:(?<={WORD})(?={WORD})|(?<!{WORD})(?!{WORD}))"),
            _ => return Err("\\b{...} is not supported".into()),
        };
        self.sql.push_str(&constraint);
        Ok(())
    }

    fn folded(&self, mut class: ClassUnicode) -> Result<ClassUnicode, String> {
        if self.flags.any_case {
            class.try_case_fold_simple().map_err(|error| error.to_string())?;
        }
        Ok(class)
    }

    fn class(&mut self, class: &ClassUnicode, times: u32) -> Result<(), String> {
        let class = self.folded(class.clone())?;
        self.unfolded(&class, times)
    }

    /// Writes a class whose cases are settled.
    fn unfolded(&mut self, class: &ClassUnicode, times: u32) -> Result<(), String> {
        self.size = self.size.saturating_add(times);
        if self.size > MAX_SIZE {
            return Err(format!("it is larger than {MAX_SIZE} characters with all repetitions written out"));
        }
        match class.ranges() {
            [] => return Err("a class without characters is not supported".into()),
            [one] if one.start() == one.end() => {
                let character = one.start();
                if !character.is_alphanumeric() {
                    let _ = write!(self.sql, "{}", Code(character));
                } else {
                    self.sql.push(character);
                }
            }
            ranges => {
                self.sql.push('[');
                for range in ranges {
                    // No text has U+0000.
                    let _ = write!(self.sql, "{}-{}", Code(range.start().max('\u{1}')), Code(range.end()));
                }
                self.sql.push(']');
            }
        }
        Ok(())
    }
}

/// A character as PostgreSQL's escape for it.
struct Code(char);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match u32::from(self.0) {
            code @ ..0x1_0000 => write!(f, "\\u{code:04x}"),
            code => write!(f, "\\U{code:08x}"),
        }
    }
}

fn range(start: char, end: char) -> ClassUnicode {
    ranges(&[(start, end)])
}

fn ranges(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(ranges.iter().map(|(start, end)| ClassUnicodeRange::new(*start, *end)))
}

fn negated_if(negated: bool, mut class: ClassUnicode) -> ClassUnicode {
    if negated {
        class.negate();
    }
    class
}

/// `\d`, `\s`, `\w`: of ASCII, as in RE2.
fn perl_class(perl: &ast::ClassPerl) -> ClassUnicode {
    let class = match perl.kind {
        ClassPerlKind::Digit => range('0', '9'),
        ClassPerlKind::Space => ranges(&[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')]),
        ClassPerlKind::Word => ranges(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
    };
    negated_if(perl.negated, class)
}

/// `[:alpha:]` and the like.
fn ascii_class(class: &ast::ClassAscii) -> ClassUnicode {
    let characters: &[(char, char)] = match class.kind {
        ClassAsciiKind::Alnum => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        ClassAsciiKind::Alpha => &[('A', 'Z'), ('a', 'z')],
        ClassAsciiKind::Ascii => &[('\0', '\x7f')],
        ClassAsciiKind::Blank => &[('\t', '\t'), (' ', ' ')],
        ClassAsciiKind::Cntrl => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        ClassAsciiKind::Digit => &[('0', '9')],
        ClassAsciiKind::Graph => &[('!', '~')],
        ClassAsciiKind::Lower => &[('a', 'z')],
        ClassAsciiKind::Print => &[(' ', '~')],
        ClassAsciiKind::Punct => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        ClassAsciiKind::Space => &[('\t', '\r'), (' ', ' ')],
        ClassAsciiKind::Upper => &[('A', 'Z')],
        ClassAsciiKind::Word => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        ClassAsciiKind::Xdigit => &[('0', '9'), ('A', 'F'), ('a', 'f')],
    };
    negated_if(class.negated, ranges(characters))
}

/// The characters in brackets.
fn set(set: &ClassSet) -> Result<ClassUnicode, String> {
    match set {
        ClassSet::Item(item) => class_item(item),
        ClassSet::BinaryOp(_) => Err("an operation between classes is not supported".into()),
    }
}

fn class_item(item: &ClassSetItem) -> Result<ClassUnicode, String> {
    Ok(match item {
        ClassSetItem::Empty(_) => ClassUnicode::empty(),
        ClassSetItem::Literal(literal) => range(literal.c, literal.c),
        ClassSetItem::Range(from) => range(from.start.c, from.end.c),
        ClassSetItem::Ascii(class) => ascii_class(class),
        ClassSetItem::Perl(perl) => perl_class(perl),
        ClassSetItem::Unicode(_) => return Err("a Unicode class (\\p) is not supported".into()),
        ClassSetItem::Bracketed(_) => {
            return Err("a class in a class is not supported: write \\[ for a bracket".into());
        }
        ClassSetItem::Union(union) => {
            let mut class = ClassUnicode::empty();
            for item in &union.items {
                class.union(&class_item(item)?);
            }
            class
        }
    })
}

fn bounds(kind: &RepetitionKind) -> (u32, Option<u32>) {
    match kind {
        RepetitionKind::ZeroOrOne => (0, Some(1)),
        RepetitionKind::ZeroOrMore => (0, None),
        RepetitionKind::OneOrMore => (1, None),
        RepetitionKind::Range(RepetitionRange::Exactly(count)) => (*count, Some(*count)),
        RepetitionKind::Range(RepetitionRange::AtLeast(least)) => (*least, None),
        RepetitionKind::Range(RepetitionRange::Bounded(least, most)) => (*least, Some(*most)),
    }
}

fn changed(mut flags: Flags, change: &ast::Flags) -> Result<Flags, String> {
    let mut value = true;
    for item in &change.items {
        match item.kind {
            FlagsItemKind::Negation => value = false,
            FlagsItemKind::Flag(Flag::CaseInsensitive) => flags.any_case = value,
            FlagsItemKind::Flag(Flag::MultiLine) => flags.lines = value,
            FlagsItemKind::Flag(Flag::DotMatchesNewLine) => flags.dot_is_newline = value,
            FlagsItemKind::Flag(Flag::SwapGreed) => {}
            FlagsItemKind::Flag(_) => return Err("of the flags only i, m, s and U are supported".into()),
        }
    }
    Ok(flags)
}
