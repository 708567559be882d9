//! Conditions on rows, in three values: `None` is unknown.

use super::decimal::Decimal;
use super::row::{Datum, Row};
use crate::condition::{Access, Arithmetic, Comparison, Condition, Operand, Operation};
use crate::value::{JsonKind, Value};
use regex::Regex;
use serde_json::Value as Json;
use std::cmp::Ordering;

pub(super) fn evaluate(condition: &Condition, row: &Row) -> Option<bool> {
    match condition {
        Condition::Always(value) => Some(*value),
        Condition::Sample(_) => Some(true),
        Condition::Not(inner) => evaluate(inner, row).map(|value| !value),
        Condition::And(parts) => all(parts.iter().map(|part| evaluate(part, row))),
        Condition::Or(parts) => {
            all(parts.iter().map(|part| evaluate(part, row).map(|value| !value))).map(|value| !value)
        }
        Condition::Compare(operand, comparison, value) => compare(operand, *comparison, value, row),
        Condition::CompareColumns(left, comparison, right) => {
            let (left, right) = (datum(left, row)?, datum(right, row)?);
            Some(comparison.holds(order(left, right)?))
        }
        Condition::Arithmetic(operand, arithmetic, comparison, value) => match operand.access {
            Access::Json(_) => json_arithmetic(json(operand, row)?, arithmetic, *comparison, value),
            _ => arithmetic_on(datum(operand, row)?, arithmetic, *comparison, value),
        },
        Condition::Length(operand, comparison, value) => {
            let length = match operand.access {
                Access::Json(_) => json(operand, row)?.as_array()?.len(),
                _ => elements(operand, row)?.len(),
            };
            Some(comparison.holds(i64::try_from(length).ok()?.cmp(value)))
        }
        Condition::In(operand, values) => is_in(operand, values, row),
        Condition::Like(operand, pattern) => match operand.access {
            Access::Json(_) => json(operand, row)?.as_str().map(|text| pattern.matches(text)),
            _ => match datum(operand, row)? {
                Datum::Text(text) => Some(pattern.matches(text)),
                _ => None,
            },
        },
        Condition::Regex(operand, regex) => {
            let text = match operand.access {
                Access::Json(_) => json(operand, row)?.as_str()?,
                _ => match datum(operand, row)? {
                    Datum::Text(text) => text,
                    _ => return None,
                },
            };
            Some(is_match(&regex.source, text))
        }
        Condition::IsNull(operand) => Some(*row.get(&operand.field) == Datum::Null),
        Condition::Exists(operand) => Some(json(operand, row).is_some_and(|value| !value.is_null())),
        Condition::Contains { operand, all, values } => contains(operand, *all, values, row),
    }
}

/// By another engine, for which the short forms that mean ASCII in RE2 are spelled out.
fn is_match(source: &str, text: &str) -> bool {
    let mut spelled_out = String::new();
    let mut characters = source.chars();
    while let Some(character) = characters.next() {
        let escaped = if character == '\\' { characters.next() } else { None };
        match escaped {
            None => spelled_out.push(character),
            Some('w') => spelled_out.push_str("[0-9A-Za-z_]"),
            Some('W') => spelled_out.push_str("[^0-9A-Za-z_]"),
            Some('d') => spelled_out.push_str("[0-9]"),
            Some('s') => spelled_out.push_str(r"[\t\n\f\r ]"),
            Some('b') => spelled_out.push_str(r"(?-u:\b)"),
            Some('B') => spelled_out.push_str(r"(?-u:\B)"),
            Some(other) => spelled_out.extend(['\\', other]),
        }
    }
    Regex::new(&spelled_out).expect("a regular expression").is_match(text)
}

/// Kleene's AND: false if one is, else unknown if one is.
fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let parts: Vec<_> = parts.collect();
    if parts.contains(&Some(false)) {
        Some(false)
    } else {
        parts.into_iter().collect::<Option<Vec<_>>>().map(|_| true)
    }
}

/// The scalar, or the element; `None` where it is NULL or not there.
fn datum<'r>(operand: &Operand, row: &'r Row) -> Option<&'r Datum> {
    let datum = match (operand.access.clone(), row.get(&operand.field)) {
        (Access::Element(_, index), Datum::Array(elements)) => elements.get(usize::try_from(index).ok()?)?,
        (_, datum) => datum,
    };
    (*datum != Datum::Null).then_some(datum)
}

fn elements<'r>(operand: &Operand, row: &'r Row) -> Option<&'r [Datum]> {
    match row.get(&operand.field) {
        Datum::Array(elements) => Some(elements),
        _ => None,
    }
}

/// What the path leads to.
fn json<'r>(operand: &Operand, row: &'r Row) -> Option<&'r Json> {
    let (Access::Json(path), Datum::Json(root)) = (&operand.access, row.get(&operand.field)) else {
        return None;
    };
    path.iter().try_fold(root, |value, key| match value {
        Json::Object(entries) => entries.get(key),
        Json::Array(elements) if key == "0" || !key.starts_with(['0', '+']) => {
            elements.get(key.parse::<usize>().ok()?)
        }
        _ => None,
    })
}

fn kind(value: &Json) -> Option<JsonKind> {
    match value {
        Json::Bool(_) => Some(JsonKind::Boolean),
        Json::Number(_) => Some(JsonKind::Number),
        Json::String(_) => Some(JsonKind::String),
        Json::Array(_) => Some(JsonKind::Array),
        Json::Null | Json::Object(_) => None,
    }
}

/// The constant as a value of the row's type, to which Milvus converts it too.
fn like(datum: &Datum, value: &Value) -> Option<Datum> {
    Some(match (datum, value) {
        (Datum::Bool(_), Value::Bool(value)) => Datum::Bool(*value),
        (Datum::Int(_), Value::Int(value)) => Datum::Int(*value),
        (Datum::Float(_), value) => Datum::Float(value.as_float()? as f32),
        (Datum::Double(_), value) => Datum::Double(value.as_float()?),
        (Datum::Text(_), Value::Text(value)) => Datum::Text(value.clone()),
        _ => return None,
    })
}

fn order(left: &Datum, right: &Datum) -> Option<Ordering> {
    let float = |datum: &Datum| match datum {
        Datum::Int(value) => Some(*value as f64),
        Datum::Float(value) => Some(f64::from(*value)),
        Datum::Double(value) => Some(*value),
        _ => None,
    };
    match (left, right) {
        (Datum::Bool(a), Datum::Bool(b)) => Some(a.cmp(b)),
        (Datum::Int(a), Datum::Int(b)) => Some(a.cmp(b)),
        (Datum::Text(a), Datum::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        _ => float(left)?.partial_cmp(&float(right)?),
    }
}

fn equals(datum: &Datum, value: &Value) -> bool {
    like(datum, value).and_then(|value| order(datum, &value)).is_some_and(Ordering::is_eq)
}

fn compare(operand: &Operand, comparison: Comparison, value: &Value, row: &Row) -> Option<bool> {
    match (&operand.access, value) {
        (Access::Json(_), value) => {
            let found = json(operand, row)?;
            if kind(found)? != value.kind() {
                return None;
            }
            Some(comparison.holds(json_order(found, value)))
        }
        (Access::Array(_), Value::List(values)) => {
            let elements = elements(operand, row)?;
            let equal =
                elements.len() == values.len() && elements.iter().zip(values).all(|(a, b)| equals(a, b));
            Some(equal == (comparison == Comparison::Equal))
        }
        _ => {
            let found = datum(operand, row)?;
            Some(comparison.holds(order(found, &like(found, value)?)?))
        }
    }
}

fn number(value: &Value) -> Option<Decimal> {
    match value.to_json() {
        Json::Number(number) => Decimal::new(&number),
        _ => None,
    }
}

/// The order of two values of one kind. Lists are equal or not.
fn json_order(found: &Json, value: &Value) -> Ordering {
    match (found, value) {
        (Json::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Json::String(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Json::Number(a), b) => match (Decimal::new(a), number(b)) {
            (Some(a), Some(b)) => a.order(b),
            _ => Ordering::Less,
        },
        (Json::Array(a), Value::List(b))
            if a.len() == b.len() && a.iter().zip(b).all(|(a, b)| json_equals(a, b)) =>
        {
            Ordering::Equal
        }
        _ => Ordering::Less,
    }
}

fn json_equals(found: &Json, value: &Value) -> bool {
    kind(found) == Some(value.kind()) && json_order(found, value).is_eq()
}

fn is_in(operand: &Operand, values: &[Value], row: &Row) -> Option<bool> {
    if !matches!(operand.access, Access::Json(_)) {
        let found = datum(operand, row)?;
        return Some(values.iter().any(|value| equals(found, value)));
    }
    let found = json(operand, row).filter(|value| !value.is_null())?;
    if values.is_empty() {
        return Some(false);
    }
    let same: Vec<&Value> = values.iter().filter(|value| Some(value.kind()) == kind(found)).collect();
    (!same.is_empty()).then(|| same.into_iter().any(|value| json_equals(found, value)))
}

fn arithmetic_on(
    found: &Datum,
    arithmetic: &Arithmetic,
    comparison: Comparison,
    value: &Value,
) -> Option<bool> {
    let result = match (found, &arithmetic.by, value) {
        (Datum::Int(x), Value::Int(by), Value::Int(value)) => {
            let (x, by) = (i128::from(*x), i128::from(*by));
            let result = match arithmetic.operation {
                Operation::Add => x + by,
                Operation::Subtract => x - by,
                Operation::Multiply => x * by,
                Operation::Divide => x / by,
                Operation::Modulo => x % by,
            };
            result.cmp(&i128::from(*value))
        }
        (Datum::Float(x), by, value) => {
            let by = by.as_float()? as f32;
            let result = match arithmetic.operation {
                Operation::Add => x + by,
                Operation::Subtract => x - by,
                Operation::Multiply => x * by,
                _ => x / by,
            };
            result.partial_cmp(&(value.as_float()? as f32))?
        }
        (Datum::Double(x), by, value) => {
            let by = by.as_float()?;
            let result = match arithmetic.operation {
                Operation::Add => x + by,
                Operation::Subtract => x - by,
                Operation::Multiply => x * by,
                _ => x / by,
            };
            result.partial_cmp(&value.as_float()?)?
        }
        _ => return None,
    };
    Some(comparison.holds(result))
}

fn json_arithmetic(
    found: &Json,
    arithmetic: &Arithmetic,
    comparison: Comparison,
    value: &Value,
) -> Option<bool> {
    let Json::Number(found) = found else { return None };
    let (x, by, to) = (Decimal::new(found)?, number(&arithmetic.by)?, number(value)?);
    let order = match arithmetic.operation {
        Operation::Add => x.add(by)?.order(to),
        Operation::Subtract => x.add(by.negated())?.order(to),
        Operation::Multiply => x.multiply(by)?.order(to),
        Operation::Modulo => Decimal::from_whole(x.whole()? % by.whole()?).order(to),
        Operation::Divide => match (x.whole(), &arithmetic.by, value) {
            (Some(whole), Value::Int(by), Value::Int(_)) => {
                Decimal::from_whole(whole / i128::from(*by)).order(to)
            }
            _ if by.is_negative() => to.multiply(by)?.order(x),
            _ => x.order(to.multiply(by)?),
        },
    };
    Some(comparison.holds(order))
}

fn contains(operand: &Operand, all: bool, values: &[Value], row: &Row) -> Option<bool> {
    let has: Box<dyn Fn(&Value) -> bool> = match operand.access {
        Access::Json(_) => {
            let elements = json(operand, row)?.as_array()?;
            Box::new(move |value| elements.iter().any(|element| json_equals(element, value)))
        }
        _ => {
            let elements = elements(operand, row)?;
            Box::new(move |value| elements.iter().any(|element| equals(element, value)))
        }
    };
    Some(if all { values.iter().all(has) } else { values.iter().any(has) })
}
