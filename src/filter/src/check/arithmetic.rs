//! `+ - * / %`: between constants, or between one field and a constant.

use super::{Checker, Part, placeholder, whole_array};
use crate::condition::{Access, Arithmetic, Comparison, Condition, Operand, Operation};
use crate::error::{Error, Result};
use crate::lexer::Symbol;
use crate::schema::Scalar;
use crate::value::{Value, compute, operation};

impl Checker<'_> {
    pub(super) fn arithmetic(&self, at: usize, symbol: Symbol, parts: [Part; 2]) -> Result<Part> {
        let wrong = |message: &str| Err(Error::wrong_type(at, message));
        let constants = |value: Value, other: Value, template| {
            if template {
                return Err(placeholder(at, symbol));
            }
            Ok(Part::Constant { value: compute(at, symbol, &value, &other)?, template: false })
        };
        let (operand, by, reversed) = match parts {
            [Part::Constant { value, template: a }, Part::Constant { value: other, template: b }] => {
                return constants(value, other, a || b);
            }
            _ if symbol == Symbol::Power => return wrong("power can only apply on constants"),
            [Part::Operand(operand), Part::Constant { value, .. }] => (operand, value, false),
            [Part::Constant { value, .. }, Part::Operand(operand)] => (operand, value, true),
            [Part::Operand(_), Part::Operand(_)] => {
                return wrong("not supported to do arithmetic operations between multiple fields");
            }
            [Part::Arithmetic(..) | Part::Length(_), _] | [_, Part::Arithmetic(..) | Part::Length(_)] => {
                return wrong("complicated arithmetic operations are not supported");
            }
            _ => return wrong(&format!("{} cannot apply on Bool", operation(symbol))),
        };
        if let Access::Array(_) = operand.access {
            return Err(whole_array(at));
        }
        let by = self.right_operand(at, symbol, &operand, by)?;
        let operation = match symbol {
            Symbol::Add => Operation::Add,
            Symbol::Subtract => Operation::Subtract,
            Symbol::Multiply => Operation::Multiply,
            Symbol::Divide => Operation::Divide,
            _ => Operation::Modulo,
        };
        if reversed && !matches!(operation, Operation::Add | Operation::Multiply) {
            return wrong("module field is not yet supported");
        }
        Ok(Part::Arithmetic(operand, Arithmetic { operation, by }))
    }

    /// The constant, as one that can be computed with beside the operand.
    fn right_operand(&self, at: usize, symbol: Symbol, operand: &Operand, by: Value) -> Result<Value> {
        let scalar = operand.scalar();
        let fits = match (scalar, &by) {
            (None, Value::Int(_) | Value::Float(_)) => true,
            (Some(scalar), Value::Int(_)) => scalar.is_number(),
            (Some(scalar), Value::Float(_)) => matches!(scalar, Scalar::Float | Scalar::Double),
            _ => false,
        };
        if !fits {
            let kind = scalar.map_or_else(|| "JSON".to_owned(), |scalar| scalar.to_string());
            let message = format!(
                "'{}' cannot perform arithmetic between {kind} field and {}",
                operation(symbol),
                by.type_name()
            );
            return Err(Error::wrong_type(at, message));
        }
        let floating =
            matches!(by, Value::Float(_)) || matches!(scalar, Some(Scalar::Float | Scalar::Double));
        if symbol == Symbol::Modulo && floating {
            return Err(Error::wrong_type(at, "modulo can only apply on integer types"));
        }
        let by = match scalar {
            Some(scalar) => by.cast(scalar).map_err(|message| Error::wrong_type(at, message))?,
            None => by,
        };
        // Computation with a Float is in its 32 bits.
        let effective = match (&by, scalar) {
            (Value::Float(value), Some(Scalar::Float)) => f64::from(*value as f32),
            _ => by.as_float().unwrap_or_default(),
        };
        if matches!(symbol, Symbol::Divide | Symbol::Modulo) && effective == 0.0 {
            return Err(Error::wrong_type(at, "division or modulus by zero"));
        }
        if !effective.is_finite() {
            return Err(Error::wrong_type(at, "the constant is out of range of the field's type"));
        }
        Ok(by)
    }

    /// What comes of a computation beside a constant.
    pub(super) fn computed(
        &self,
        at: usize,
        (operand, arithmetic): (Operand, Arithmetic),
        comparison: Comparison,
        value: Value,
    ) -> Result<Condition> {
        let value = match (operand.scalar(), value) {
            (Some(scalar), value) => value.cast(scalar).map_err(|message| Error::wrong_type(at, message))?,
            (None, value @ (Value::Int(_) | Value::Float(_))) => value,
            (None, value) => {
                let message = format!("comparisons between JSON and {} are not supported", value.type_name());
                return Err(Error::wrong_type(at, message));
            }
        };
        Ok(Condition::Arithmetic(operand, arithmetic, comparison, value))
    }
}
