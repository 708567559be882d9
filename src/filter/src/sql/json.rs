//! Tests of what a path leads to in a `jsonb` column.
//!
//! A value of another kind than the constant's is neither equal nor unequal to it, less nor greater: the answer is unknown, as for a key
//! that is missing. `jsonb_typeof` keeps such values out, for `jsonb`'s own order has a place for every kind. No cast can fail, since it
//! stands in a CASE that has looked at the kind.

use super::{Printer, fixed, truth};
use crate::condition::{Access, Arithmetic, Comparison, Operand, Operation};
use crate::parameter::Parameter;
use crate::threshold::{self, Solution};
use crate::value::{JsonKind, Value};
use serde_json::{Map, Value as Json};

/// A list longer than this is searched by its hash in every row and not, constant by constant, in an index.
const FEW: usize = 64;

/// What a key can mean to PostgreSQL's `#>`.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    /// A key of an object, and of nothing else.
    Key,
    /// A key of an object, or the index of an element, in decimal digits.
    Either,
    /// A key of an object which `#>` would also take for an index: `-1`, ` 1`, `01`.
    Disguised,
}

fn step(key: &str) -> Step {
    let digits = key.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let digits = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        Step::Key
    } else if digits.len() == key.len() && (key == "0" || !key.starts_with('0')) {
        Step::Either
    } else {
        Step::Disguised
    }
}

/// Whether the path leads through objects alone, so that containment of an object says the same as the path.
fn only_keys(path: &[String]) -> bool {
    !path.is_empty() && path.iter().all(|key| step(key) != Step::Either)
}

/// The object in which the path leads to the value.
fn at_path(path: &[String], value: Json) -> String {
    path.iter()
        .rev()
        .fold(value, |inner, key| Json::Object(Map::from_iter([(key.clone(), inner)])))
        .to_string()
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::List(_))
}

impl Printer<'_> {
    /// What the path leads to; NULL where it leads nowhere.
    fn json(&mut self, operand: &Operand, path: &[String]) -> String {
        let mut value = self.column(operand);
        for steps in path.chunk_by(|a, b| step(a) != Step::Disguised && step(b) != Step::Disguised) {
            value = if let ([key], Step::Disguised) = (steps, step(&steps[0])) {
                let key = self.bind(Parameter::Text(key.clone()));
                self.binary(&value, "->", &key)
            } else {
                let keys = self.bind(Parameter::TextArray(steps.to_vec()));
                self.binary(&value, "#>", &keys)
            };
        }
        value
    }

    fn kind_of(&self, value: &str) -> String {
        self.call("jsonb_typeof", value)
    }

    fn is_kind(&self, value: &str, kind: JsonKind) -> String {
        self.binary(&self.kind_of(value), "=", &fixed(kind.name()))
    }

    fn bind_json(&mut self, value: &Value) -> String {
        self.bind(Parameter::Jsonb(value.to_json().to_string()))
    }

    /// `column @> {"path": value}`, which an index can answer.
    fn holds(&mut self, operand: &Operand, path: &[String], value: Json) -> String {
        let object = self.bind(Parameter::Jsonb(at_path(path, value)));
        self.binary(&self.column(operand), "@>", &object)
    }

    /// `column @> ANY` of such objects.
    fn holds_any(
        &mut self,
        operand: &Operand,
        path: &[String],
        values: impl Iterator<Item = Json>,
    ) -> String {
        let objects = values.map(|value| at_path(path, value)).collect();
        let objects = self.bind(Parameter::JsonbArray(objects));
        self.quantified(&self.column(operand), "@>", "ANY", &objects)
    }

    pub(super) fn json_compare(
        &mut self,
        operand: &Operand,
        path: &[String],
        comparison: Comparison,
        constant: &Value,
    ) -> String {
        if comparison == Comparison::Equal && is_scalar(constant) && only_keys(path) {
            return self.holds(operand, path, constant.to_json());
        }
        let value = self.json(operand, path);
        let test = match constant {
            // The order of strings in `jsonb` is that of the database's collation.
            Value::Text(text) if comparison.is_ordering() => {
                let right = self.bind(Parameter::Text(text.clone()));
                self.binary(&self.text_of(&value), comparison.sql(), &self.bytewise(&right))
            }
            _ => {
                let right = self.bind_json(constant);
                self.binary(&value, comparison.sql(), &right)
            }
        };
        if comparison == Comparison::Equal {
            return test;
        }
        format!("({} AND {test})", self.is_kind(&value, constant.kind()))
    }

    /// The text of a JSON string, or of another value.
    fn text_of(&self, value: &str) -> String {
        self.binary(value, "#>>", &fixed("{}"))
    }

    pub(super) fn json_in(
        &mut self,
        operand: &Operand,
        path: &[String],
        constants: &[Value],
        wanted: bool,
    ) -> String {
        if wanted && only_keys(path) && constants.len() <= FEW && constants.iter().all(is_scalar) {
            return self.holds_any(operand, path, constants.iter().map(Value::to_json));
        }
        let value = self.json(operand, path);
        if constants.is_empty() {
            return if wanted {
                truth(false)
            } else {
                self.binary(&self.kind_of(&value), "<>", &fixed("null"))
            };
        }
        let list =
            Parameter::JsonbArray(constants.iter().map(|constant| constant.to_json().to_string()).collect());
        let list = self.bind(list);
        if wanted {
            return self.quantified(&value, "=", "ANY", &list);
        }
        let mut kinds: Vec<JsonKind> = constants.iter().map(Value::kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let kinds = self.bind(Parameter::TextArray(kinds.iter().map(|kind| kind.name().into()).collect()));
        let of_kind = self.quantified(&self.kind_of(&value), "=", "ANY", &kinds);
        let outside = self.quantified(&value, "<>", "ALL", &list);
        format!("({of_kind} AND {outside})")
    }

    pub(super) fn json_matches(
        &mut self,
        operand: &Operand,
        path: &[String],
        operator: &str,
        pattern: &str,
    ) -> String {
        let value = self.json(operand, path);
        let pattern = self.bind(Parameter::Text(pattern.into()));
        let test = self.binary(&self.text_of(&value), operator, &self.bytewise(&pattern));
        format!("({} AND {test})", self.is_kind(&value, JsonKind::String))
    }

    pub(super) fn json_exists(&mut self, operand: &Operand, wanted: bool) -> String {
        let Access::Json(path) = &operand.access else { return truth(false) };
        let value = self.json(operand, path);
        let kind = self.kind_of(&value);
        if wanted {
            self.binary(&kind, "<>", &fixed("null"))
        } else {
            self.binary(&format!("COALESCE({kind}, {})", fixed("null")), "=", &fixed("null"))
        }
    }

    /// `then` where the value is of the kind, and NULL elsewhere. What is in `then` is not computed elsewhere either.
    fn case(&self, value: &str, kind: JsonKind, then: &str) -> String {
        format!("(CASE WHEN {} THEN {then} END)", self.is_kind(value, kind))
    }

    pub(super) fn json_length(
        &mut self,
        operand: &Operand,
        path: &[String],
        comparison: Comparison,
        constant: i64,
    ) -> String {
        let value = self.json(operand, path);
        let bounds = (i64::from(i32::MIN), i64::from(i32::MAX));
        match threshold::plain(bounds, comparison, constant) {
            Solution::Compare(comparison, constant) => {
                let length = self.call("jsonb_array_length", &value);
                let constant = self.bind(Parameter::Int4(i32::try_from(constant).unwrap_or(i32::MAX)));
                let test = self.binary(&length, comparison.sql(), &constant);
                self.case(&value, JsonKind::Array, &test)
            }
            Solution::Always => self.is_kind(&value, JsonKind::Array),
            _ => truth(false),
        }
    }

    /// Exact decimal arithmetic. Numbers that no 64-bit float comes near are left out, since those could overflow even `numeric`.
    pub(super) fn json_arithmetic(
        &mut self,
        operand: &Operand,
        path: &[String],
        arithmetic: &Arithmetic,
        comparison: Comparison,
        constant: &Value,
    ) -> String {
        let value = self.json(operand, path);
        let number = numeric(&value);
        let (by, to) = (numeric(&self.bind_json(&arithmetic.by)), numeric(&self.bind_json(constant)));
        let of = |printer: &Self, operator: &str| {
            let result = printer.binary(&number, operator, &by);
            printer.binary(&result, comparison.sql(), &to)
        };
        let is_whole = self.binary(&number, "=", &self.call("trunc", &number));
        let test = match arithmetic.operation {
            Operation::Add => of(self, "+"),
            Operation::Subtract => of(self, "-"),
            Operation::Multiply => of(self, "*"),
            Operation::Modulo => format!("CASE WHEN {is_whole} THEN {} END", of(self, "%")),
            Operation::Divide => {
                // Division is not exact in decimals; multiplication of the other side is.
                let falling = arithmetic.by.as_float().is_some_and(|by| by < 0.0);
                let turned = if falling { comparison.turned() } else { comparison };
                let exact = self.binary(&number, turned.sql(), &self.binary(&to, "*", &by));
                match (&arithmetic.by, constant) {
                    (Value::Int(_), Value::Int(_)) => {
                        let quotient = self.call("div", &format!("{number}, {by}"));
                        let whole = self.binary(&quotient, comparison.sql(), &to);
                        format!("CASE WHEN {is_whole} THEN {whole} ELSE {exact} END")
                    }
                    _ => exact,
                }
            }
        };
        let limit = numeric(&fixed("1e309"));
        let is_modest = self.binary(&self.call("abs", &number), "<", &limit);
        self.case(&value, JsonKind::Number, &format!("CASE WHEN {is_modest} THEN {test} END"))
    }

    pub(super) fn json_contains(
        &mut self,
        operand: &Operand,
        path: &[String],
        (all, constants): (bool, &[Value]),
        wanted: bool,
    ) -> String {
        let scalars = constants.iter().all(is_scalar);
        let list = || constants.iter().map(Value::to_json);
        if wanted && scalars && only_keys(path) && all {
            return self.holds(operand, path, list().collect());
        }
        if wanted && scalars && only_keys(path) && constants.len() <= FEW {
            return self.holds_any(operand, path, list().map(|constant| Json::Array(vec![constant])));
        }
        let value = self.json(operand, path);
        let test = if scalars && all {
            let array = self.bind(Parameter::Jsonb(list().collect::<Json>().to_string()));
            self.binary(&value, "@>", &array)
        } else {
            // An element that is a list is equal to a constant, or it is not; containment would look into it.
            let elements = format!(
                "ARRAY(SELECT kite_element.value FROM {}({}) AS kite_element (value))",
                self.function("jsonb_array_elements"),
                self.case(&value, JsonKind::Array, &value)
            );
            let array =
                self.bind(Parameter::JsonbArray(list().map(|constant| constant.to_string()).collect()));
            self.binary(&elements, if all { "@>" } else { "&&" }, &array)
        };
        let not = if wanted { "" } else { "NOT " };
        format!("({} AND {not}{test})", self.is_kind(&value, JsonKind::Array))
    }
}

/// The number of a JSON value, or of the printer's own text.
fn numeric(value: &str) -> String {
    format!("({value})::pg_catalog.numeric")
}
