//! From conditions to a WHERE condition of PostgreSQL.
//!
//! A row is taken when its condition is true, so false and unknown need not be told apart, except below a NOT. Kleene's logic lets a NOT
//! sink through AND and OR to the tests, where it turns the operator: so each test is printed as an SQL condition that is true exactly
//! where the test has the wanted answer, and false or NULL elsewhere. That is what lets a test of JSON be a bare `@>`, which a GIN index
//! can answer, and no test needs a `CASE` for its unknowns.
//!
//! The text depends on the shape of the filter alone: names, operators, and how constants relate to the types of columns. Constants are
//! parameters. Functions and operators are named in `pg_catalog`, so nothing on the caller's search path is ever called.

mod columns;
mod json;

use crate::condition::{Access, Condition, Operand};
use crate::parameter::{Parameter, identifier, quoted};

/// How the condition stands in its statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlOptions<'a> {
    /// The alias (or name) of the table, put before every column.
    pub table_alias: Option<&'a str>,
    /// The number of the first parameter.
    pub first_parameter: usize,
}

impl Default for SqlOptions<'_> {
    /// No alias, `$1`.
    fn default() -> Self {
        Self { table_alias: None, first_parameter: 1 }
    }
}

/// A condition in SQL.
#[derive(Debug, Clone, PartialEq)]
pub struct Sql {
    /// A boolean expression, in parentheses where it needs them: true for the rows that match, false or NULL for others.
    pub text: String,
    /// The values of `$first_parameter` and so on. Each has to be bound with its type, since the text may have no use for one: the index of
    /// an element that no comparison can match.
    pub parameters: Vec<Parameter>,
}

pub(crate) fn print(condition: &Condition, options: &SqlOptions<'_>) -> Sql {
    let mut printer = Printer { options, parameters: Vec::new(), for_people: false };
    let text = printer.condition(condition, true);
    Sql { text, parameters: printer.parameters }
}

pub(crate) fn display(condition: &Condition, options: &SqlOptions<'_>) -> String {
    Printer { options, parameters: Vec::new(), for_people: true }.condition(condition, true)
}

struct Printer<'a> {
    options: &'a SqlOptions<'a>,
    parameters: Vec<Parameter>,
    /// Plain operators, and literals in place of parameters.
    for_people: bool,
}

impl Printer<'_> {
    /// A condition that is true where `condition` is `wanted`.
    fn condition(&mut self, condition: &Condition, wanted: bool) -> String {
        match condition {
            Condition::Always(value) => truth(*value == wanted),
            Condition::Not(inner) => self.condition(inner, !wanted),
            Condition::And(parts) => self.join(parts, wanted, if wanted { " AND " } else { " OR " }),
            Condition::Or(parts) => self.join(parts, wanted, if wanted { " OR " } else { " AND " }),
            Condition::Compare(operand, comparison, value) => {
                let comparison = if wanted { *comparison } else { comparison.negated() };
                match &operand.access {
                    Access::Json(path) => self.json_compare(operand, path, comparison, value),
                    _ => self.compare(operand, comparison, value),
                }
            }
            Condition::CompareColumns(left, comparison, right) => {
                let comparison = if wanted { *comparison } else { comparison.negated() };
                self.compare_columns(left, comparison, right)
            }
            Condition::Arithmetic(operand, arithmetic, comparison, value) => {
                let comparison = if wanted { *comparison } else { comparison.negated() };
                match &operand.access {
                    Access::Json(path) => self.json_arithmetic(operand, path, arithmetic, comparison, value),
                    _ => self.arithmetic(operand, arithmetic, comparison, value),
                }
            }
            Condition::Length(operand, comparison, value) => {
                let comparison = if wanted { *comparison } else { comparison.negated() };
                self.length(operand, comparison, *value)
            }
            Condition::In(operand, values) => match &operand.access {
                Access::Json(path) => self.json_in(operand, path, values, wanted),
                _ => self.in_list(operand, values, wanted),
            },
            Condition::Like(operand, pattern) => {
                self.matches(operand, if wanted { "~~" } else { "!~~" }, &pattern.sql())
            }
            Condition::Regex(operand, regex) => {
                self.matches(operand, if wanted { "~" } else { "!~" }, &regex.sql)
            }
            Condition::IsNull(operand) => {
                format!("({} IS {}NULL)", self.column(operand), if wanted { "" } else { "NOT " })
            }
            Condition::Exists(operand) => self.json_exists(operand, wanted),
            Condition::Contains { operand, all, values } => match &operand.access {
                Access::Json(path) => self.json_contains(operand, path, (*all, values), wanted),
                _ => self.array_contains(operand, (*all, values), wanted),
            },
            Condition::Sample(fraction) => {
                let random = self.function("random");
                let fraction = self.bind(Parameter::Float8(*fraction));
                self.binary(&format!("{random}()"), if wanted { "<" } else { ">=" }, &fraction)
            }
        }
    }

    fn join(&mut self, parts: &[Condition], wanted: bool, between: &str) -> String {
        let parts: Vec<String> = parts.iter().map(|part| self.condition(part, wanted)).collect();
        format!("({})", parts.join(between))
    }

    /// The column's name.
    fn column(&self, operand: &Operand) -> String {
        let column = identifier(&operand.column);
        match self.options.table_alias {
            Some(alias) => format!("{}.{column}", identifier(alias)),
            None => column,
        }
    }

    /// A parameter, or the literal for people.
    fn bind(&mut self, parameter: Parameter) -> String {
        if self.for_people {
            return parameter.literal();
        }
        let number = self.options.first_parameter + self.parameters.len();
        self.parameters.push(parameter);
        format!("${number}")
    }

    /// An operator of `pg_catalog`.
    fn operator(&self, operator: &str) -> String {
        if self.for_people { operator.to_owned() } else { format!("OPERATOR(pg_catalog.{operator})") }
    }

    /// A function of `pg_catalog`.
    fn function(&self, name: &str) -> String {
        if self.for_people { name.to_owned() } else { format!("pg_catalog.{name}") }
    }

    fn call(&self, function: &str, argument: &str) -> String {
        format!("{}({argument})", self.function(function))
    }

    fn binary(&self, left: &str, operator: &str, right: &str) -> String {
        format!("({left} {} {right})", self.operator(operator))
    }

    /// `left operator ANY (right)`, or ALL.
    fn quantified(&self, left: &str, operator: &str, quantifier: &str, right: &str) -> String {
        format!("({left} {} {quantifier} ({right}))", self.operator(operator))
    }

    /// The order of text is that of its bytes, whatever the database's collation is.
    fn bytewise(&self, right: &str) -> String {
        format!("{right} COLLATE {}", if self.for_people { "\"C\"" } else { "pg_catalog.\"C\"" })
    }
}

fn truth(value: bool) -> String {
    if value { "TRUE".into() } else { "FALSE".into() }
}

/// A fixed string of the printer's own.
fn fixed(text: &str) -> String {
    quoted(text)
}
