//! Comparisons, ranges and patterns.

use super::{Checker, Part, comparison, negate_if, placeholder, shown, whole_array};
use crate::condition::{Access, Comparison, Condition, Operand};
use crate::error::{Error, Result};
use crate::lexer::Symbol;
use crate::like::Pattern;
use crate::parser::turned;
use crate::regex::Regex;
use crate::schema::Scalar;
use crate::syntax::Node;
use crate::value::Value;

impl Checker<'_> {
    pub(super) fn comparison(
        &self,
        at: usize,
        symbol: Symbol,
        comparison: Comparison,
        parts: [Part; 2],
    ) -> Result<Part> {
        let wrong = |message: &str| Err(Error::wrong_type(at, message));
        let condition = match parts {
            [Part::Constant { value, template: a }, Part::Constant { value: other, template: b }] => {
                if a || b {
                    return Err(placeholder(at, symbol));
                }
                return constants(at, comparison, &value, &other);
            }
            [Part::Operand(operand), Part::Constant { value, .. }] => {
                constant(at, operand, comparison, value)?
            }
            [Part::Constant { value, .. }, Part::Operand(operand)] => {
                constant(at, operand, comparison.turned(), value)?
            }
            [Part::Operand(left), Part::Operand(right)] => columns(at, left, comparison, right)?,
            [Part::Arithmetic(operand, arithmetic), Part::Constant { value, .. }] => {
                self.computed(at, (operand, arithmetic), comparison, value)?
            }
            [Part::Constant { value, .. }, Part::Arithmetic(operand, arithmetic)] => {
                self.computed(at, (operand, arithmetic), comparison.turned(), value)?
            }
            [Part::Length(operand), Part::Constant { value, .. }] => length(at, operand, comparison, value)?,
            [Part::Constant { value, .. }, Part::Length(operand)] => {
                length(at, operand, comparison.turned(), value)?
            }
            [Part::Condition(_) | Part::Sampled(_), _] | [_, Part::Condition(_) | Part::Sampled(_)] => {
                return wrong(
                    "a condition cannot be compared: put \"not\" before it, or parentheses around the comparison",
                );
            }
            _ => return wrong("only comparison between two fields is supported"),
        };
        Ok(Part::Condition(condition))
    }

    /// `lower < field < upper`.
    pub(super) fn range(
        &mut self,
        at: usize,
        bounds: [&Node; 2],
        symbols: [Symbol; 2],
        field: &Node,
    ) -> Result<Condition> {
        let mut values = Vec::with_capacity(2);
        for (bound, name) in bounds.into_iter().zip(["lowerbound", "upperbound"]) {
            let Part::Constant { value, .. } = self.part(bound)? else {
                let message = format!("{name} cannot be a non-const expression: {}", shown(bound));
                return Err(Error::wrong_type(bound.at, message));
            };
            values.push((bound.at, value));
        }
        let Part::Operand(operand) = self.part(field)? else {
            let message =
                format!("range operations are only supported on single fields now, got: {}", shown(field));
            return Err(Error::wrong_type(field.at, message));
        };
        match operand.access {
            Access::Array(_) => return Err(whole_array(field.at)),
            Access::Scalar(Scalar::Bool) | Access::Element(Scalar::Bool, _) => {
                return Err(Error::wrong_type(field.at, "invalid range operations on boolean expr"));
            }
            _ => {}
        }
        let both_inclusive = symbols == [Symbol::LessEqual; 2];
        let kinds_differ = values[0].1.kind() != values[1].1.kind();
        let mut parts = Vec::with_capacity(2);
        for ((bound_at, value), symbol) in values.iter().zip([turned(symbols[0]), symbols[1]]) {
            let fits = match operand.scalar() {
                Some(scalar) => value.fits(scalar),
                None => matches!(value, Value::Int(_) | Value::Float(_) | Value::Text(_)),
            };
            if !fits || kinds_differ {
                return Err(Error::wrong_type(*bound_at, "invalid range operations"));
            }
            let comparison = comparison(symbol).unwrap_or(Comparison::Equal);
            parts.push(constant(*bound_at, operand.clone(), comparison, value.clone())?);
        }
        let order = values[0].1.order(&values[1].1);
        if order.is_some_and(|order| order.is_gt() || order.is_eq() && !both_inclusive) {
            return Err(Error::wrong_type(at, "invalid range: lowerbound is greater than upperbound"));
        }
        Ok(Condition::And(parts))
    }

    /// `like`, `=~` and `!~`.
    pub(super) fn pattern(&mut self, symbol: Symbol, left: &Node, right: &Node) -> Result<Condition> {
        let name = if symbol == Symbol::Like { "like" } else { "regex match" };
        let Part::Operand(operand) = self.part(left)? else {
            let message = format!("{name} operation on complicated expr is unsupported");
            return Err(Error::wrong_type(left.at, message));
        };
        match (&operand.access, operand.scalar()) {
            (Access::Array(_), _) => return Err(whole_array(left.at)),
            (Access::Json(_), _) | (_, Some(Scalar::VarChar)) => {}
            _ => {
                let message = format!("{name} operation on non-string or no-json field is unsupported");
                return Err(Error::wrong_type(left.at, message));
            }
        }
        let Part::Constant { value: Value::Text(pattern), .. } = self.part(right)? else {
            return Err(Error::wrong_type(right.at, format!("the right operand of {name} must be a string")));
        };
        if symbol == Symbol::Like {
            return Ok(Condition::Like(operand, Pattern::new(&pattern)));
        }
        let regex = Regex::new(&pattern).map_err(|message| {
            Error::wrong_type(right.at, format!("invalid regular expression: {message}"))
        })?;
        Ok(negate_if(symbol == Symbol::NotMatch, Condition::Regex(operand, regex)))
    }
}

/// Folds a comparison of two constants.
fn constants(at: usize, comparison: Comparison, value: &Value, other: &Value) -> Result<Part> {
    let incompatible =
        || Error::wrong_type(at, "comparison operations cannot be applied to two incompatible operands");
    let is_bool = matches!(value, Value::Bool(_));
    let order =
        value.order(other).filter(|_| !is_bool || !comparison.is_ordering()).ok_or_else(incompatible)?;
    Ok(Part::Constant { value: Value::Bool(comparison.holds(order)), template: false })
}

/// A field beside a constant.
fn constant(at: usize, operand: Operand, comparison: Comparison, value: Value) -> Result<Condition> {
    let unsupported = |operand: &Operand, value: &Value| {
        let message = format!(
            "comparisons between {} and {} are not supported",
            operand.type_name(),
            value.type_name()
        );
        Error::wrong_type(at, message)
    };
    let value = match (&operand.access, value) {
        (Access::Array(_), _) if comparison.is_ordering() => return Err(whole_array(at)),
        (Access::Array(element), Value::List(values)) => {
            let cast = values.into_iter().map(|value| value.cast(*element)).collect::<Result<_, _>>();
            Value::List(cast.map_err(|message| Error::wrong_type(at, message))?)
        }
        (Access::Array(_), _) => return Err(whole_array(at)),
        (Access::Json(_), value @ Value::List(_)) if comparison.is_ordering() => {
            return Err(unsupported(&operand, &value));
        }
        (Access::Json(_), value) => value,
        (Access::Scalar(scalar) | Access::Element(scalar, _), value) => {
            if !value.is_comparable_with(*scalar) {
                return Err(unsupported(&operand, &value));
            }
            value.cast(*scalar).map_err(|message| Error::wrong_type(at, message))?
        }
    };
    Ok(Condition::Compare(operand, comparison, value))
}

/// A field beside another.
fn columns(at: usize, left: Operand, comparison: Comparison, right: Operand) -> Result<Condition> {
    if matches!(left.access, Access::Json(_)) || matches!(right.access, Access::Json(_)) {
        return Err(Error::wrong_type(at, "two column comparison with JSON type is not supported"));
    }
    let (Some(a), Some(b)) = (left.scalar(), right.scalar()) else { return Err(whole_array(at)) };
    if a != b && !(a.is_number() && b.is_number()) {
        let message =
            format!("comparisons between {} and {} are not supported", left.type_name(), right.type_name());
        return Err(Error::wrong_type(at, message));
    }
    Ok(Condition::CompareColumns(left, comparison, right))
}

/// A number of elements beside a constant.
fn length(at: usize, operand: Operand, comparison: Comparison, value: Value) -> Result<Condition> {
    match value.cast(Scalar::Int64) {
        Ok(Value::Int(value)) => Ok(Condition::Length(operand, comparison, value)),
        Ok(_) => Err(Error::wrong_type(at, "array_length is compared with integers")),
        Err(message) => Err(Error::wrong_type(at, message)),
    }
}
