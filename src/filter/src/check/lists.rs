//! IN, NULL, EXISTS, and what is asked of arrays.

use super::{Checker, Part, shown, whole_array};
use crate::condition::{Access, Condition, Operand};
use crate::error::{Error, Result, quote};
use crate::schema::Scalar;
use crate::syntax::{How, Kind, Node};
use crate::value::Value;

impl Checker<'_> {
    pub(super) fn term(&mut self, field: &Node, list: &Node) -> Result<Condition> {
        let wrong = |node: &Node, before: &str| {
            Err(Error::wrong_type(node.at, format!("{before}, but got: {}", shown(node))))
        };
        let operand = match self.part(field)? {
            Part::Operand(operand) => operand,
            Part::Constant { .. } => return wrong(field, "'term' can only be used on non-const expression"),
            _ => return wrong(field, "'term' can only be used on single field"),
        };
        let values = match self.part(list)? {
            Part::Constant { value: Value::List(values), .. } => values,
            Part::Constant { .. } => return wrong(list, "the right-hand side of 'in' must be a list"),
            _ => {
                let message = format!("value '{}' in list cannot be a non-const expression", shown(list));
                return Err(Error::wrong_type(list.at, message));
            }
        };
        let values = match (&operand.access, operand.scalar()) {
            (Access::Array(_), _) => return Err(whole_array(field.at)),
            (_, Some(scalar)) => {
                if let Some(value) = values.iter().find(|value| !value.fits(scalar)) {
                    let text = quote(&value.to_json().to_string());
                    let message = format!("value '{text}' in list cannot be casted to {scalar}");
                    return Err(Error::wrong_type(list.at, message));
                }
                let cast =
                    |value: Value| value.cast(scalar).map_err(|message| Error::wrong_type(list.at, message));
                values.into_iter().map(cast).collect::<Result<_>>()?
            }
            _ => values,
        };
        Ok(Condition::In(operand, values))
    }

    pub(super) fn is_null(&mut self, node: &Node) -> Result<Condition> {
        let operand = self.single_field(node)?;
        match &operand.access {
            Access::Scalar(_) | Access::Array(_) => Ok(Condition::IsNull(operand)),
            Access::Json(path) if path.is_empty() => Ok(Condition::IsNull(operand)),
            _ => Ok(Condition::Not(Box::new(exists(node, operand)?))),
        }
    }

    pub(super) fn exists(&mut self, node: &Node) -> Result<Condition> {
        let operand = self.single_field(node)?;
        exists(node, operand)
    }

    fn single_field(&mut self, node: &Node) -> Result<Operand> {
        match &node.kind {
            Kind::Field(name) => self.operand(node.at, name),
            _ => {
                let message = format!(
                    "exists operations are only supported on single fields now, got: {}",
                    shown(node)
                );
                Err(Error::wrong_type(node.at, message))
            }
        }
    }

    pub(super) fn contains(&mut self, how: How, field: &Node, values: &Node) -> Result<Condition> {
        let name = how.name();
        let operand = self.json_or_array(field, name)?;
        let Part::Constant { value, .. } = self.part(values)? else {
            let message = format!(
                "{name} operation are only supported explicitly specified element, got: {}",
                shown(values)
            );
            return Err(Error::wrong_type(values.at, message));
        };
        let values_of = |value| match (how, value) {
            (How::One, value) => Ok(vec![value]),
            (_, Value::List(list)) => Ok(list),
            _ => Err(Error::wrong_type(values.at, format!("{name} operation element must be an array"))),
        };
        let mut constants = values_of(value)?;
        if let Access::Array(element) = operand.access {
            constants = constants
                .into_iter()
                .map(|value| fit(values.at, name, element, value))
                .collect::<Result<_>>()?;
        }
        Ok(Condition::Contains { operand, all: how != How::Any, values: constants })
    }

    pub(super) fn length(&mut self, field: &Node) -> Result<Part> {
        self.json_or_array(field, "array_length").map(Part::Length)
    }

    /// A field that can have elements.
    fn json_or_array(&mut self, field: &Node, operation: &str) -> Result<Operand> {
        match self.part(field)? {
            Part::Operand(operand) if matches!(operand.access, Access::Json(_) | Access::Array(_)) => {
                Ok(operand)
            }
            _ => {
                let message = format!(
                    "{operation} operation are only supported on json or array fields now, got: {}",
                    shown(field)
                );
                Err(Error::wrong_type(field.at, message))
            }
        }
    }
}

fn exists(node: &Node, operand: Operand) -> Result<Condition> {
    match &operand.access {
        Access::Json(path) if path.is_empty() => {
            Err(Error::wrong_type(node.at, "exists operations are only supported on json key"))
        }
        Access::Json(_) => Ok(Condition::Exists(operand)),
        _ => {
            let message =
                format!("exists operations are only supported on json field, got: {}", operand.type_name());
            Err(Error::wrong_type(node.at, message))
        }
    }
}

/// A constant as an element of an array.
fn fit(at: usize, name: &str, element: Scalar, value: Value) -> Result<Value> {
    if !value.is_comparable_with(element) {
        let other = value.type_name();
        let message =
            format!("{name} operation can't compare between array element type: {element} and {other}");
        return Err(Error::wrong_type(at, message));
    }
    value.cast(element).map_err(|message| Error::wrong_type(at, message))
}
