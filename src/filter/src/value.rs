//! Constants: what literals and template variables come to, and arithmetic among them.

use crate::error::{Error, Result, quote};
use crate::lexer::{Symbol, ZERO};
use crate::schema::Scalar;
use crate::syntax::MAX_DEPTH;
use serde_json::Value as Json;
use std::cmp::Ordering;

/// A constant. Floats are finite.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Value>),
}

/// The kind of a JSON value, as `jsonb_typeof` names it. Values of different kinds are never equal, nor is one less than the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum JsonKind {
    Boolean,
    Number,
    String,
    Array,
}

impl JsonKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
        }
    }
}

impl Value {
    /// What a template variable is bound to.
    ///
    /// # Errors
    /// Says what is wrong with a value that no literal could have.
    pub(crate) fn from_json(json: &Json) -> Result<Self, String> {
        Self::nested(json, 0)
    }

    fn nested(json: &Json, depth: u32) -> Result<Self, String> {
        Ok(match json {
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(value), _) => Self::Int(value),
                (None, Some(value)) if value.is_finite() => Self::Float(value),
                _ => return Err(format!("{number} is out of range of a 64-bit float")),
            },
            Json::String(text) if text.contains('\0') => return Err(ZERO.into()),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(_) if depth >= MAX_DEPTH => return Err("its lists are nested too deep".into()),
            Json::Array(values) => Self::List(
                values.iter().map(|value| Self::nested(value, depth + 1)).collect::<Result<_, _>>()?,
            ),
            Json::Null | Json::Object(_) => {
                return Err("it must be a boolean, a number, a string or a list of these".into());
            }
        })
    }

    pub(crate) fn to_json(&self) -> Json {
        match self {
            Self::Bool(value) => Json::from(*value),
            Self::Int(value) => Json::from(*value),
            Self::Float(value) => Json::from(*value),
            Self::Text(value) => Json::from(value.as_str()),
            Self::List(values) => values.iter().map(Self::to_json).collect(),
        }
    }

    pub(crate) fn kind(&self) -> JsonKind {
        match self {
            Self::Bool(_) => JsonKind::Boolean,
            Self::Int(_) | Self::Float(_) => JsonKind::Number,
            Self::Text(_) => JsonKind::String,
            Self::List(_) => JsonKind::Array,
        }
    }

    /// What Milvus calls its type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "Bool",
            Self::Int(_) => "Int64",
            Self::Float(_) => "Double",
            Self::Text(_) => "VarChar",
            Self::List(_) => "Array",
        }
    }

    /// Whether the type of a column can be compared with it at all.
    pub(crate) fn is_comparable_with(&self, scalar: Scalar) -> bool {
        match self {
            Self::Bool(_) => scalar == Scalar::Bool,
            Self::Int(_) | Self::Float(_) => scalar.is_number(),
            Self::Text(_) => scalar == Scalar::VarChar,
            Self::List(_) => false,
        }
    }

    /// Whether [`Value::cast`] succeeds.
    pub(crate) fn fits(&self, scalar: Scalar) -> bool {
        self.is_comparable_with(scalar) && !(scalar.is_integer() && matches!(self, Self::Float(_)))
    }

    /// The constant as one of the type of a column. An integer becomes a float; the other way is an error, which names both.
    pub(crate) fn cast(self, scalar: Scalar) -> Result<Self, String> {
        match self {
            Self::Int(value) if matches!(scalar, Scalar::Float | Scalar::Double) => {
                Ok(Self::Float(value as f64))
            }
            value if value.fits(scalar) => Ok(value),
            value => {
                let text = quote(&value.to_json().to_string());
                Err(format!("cannot cast value to {scalar}, value: {text}"))
            }
        }
    }

    pub(crate) fn as_float(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The order of two constants; `None` where they have none.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            _ => self.as_float()?.partial_cmp(&other.as_float()?),
        }
    }
}

/// Computes with two constants, as Milvus folds them: `**` always gives a float, `/` between integers an integer.
pub(crate) fn compute(at: usize, operator: Symbol, left: &Value, right: &Value) -> Result<Value> {
    let name = operation(operator);
    let number = |value: &Value| {
        let fault = || Error::wrong_type(at, format!("{name} cannot apply on {}", value.type_name()));
        value.as_float().ok_or_else(fault)
    };
    let (a, b) = (number(left)?, number(right)?);
    if matches!(operator, Symbol::Divide | Symbol::Modulo) && b == 0.0 {
        return Err(Error::wrong_type(
            at,
            format!("cannot {} by zero", if operator == Symbol::Divide { "divide" } else { "modulo" }),
        ));
    }
    if let (Value::Int(a), Value::Int(b)) = (left, right) {
        let whole = match operator {
            Symbol::Add => a.checked_add(*b),
            Symbol::Subtract => a.checked_sub(*b),
            Symbol::Multiply => a.checked_mul(*b),
            Symbol::Divide => a.checked_div(*b),
            Symbol::Modulo => Some(a.wrapping_rem(*b)),
            _ => return float(at, (*a as f64).powf(*b as f64)),
        };
        let fault = || {
            Error::wrong_type(at, format!("{name} of these constants is out of range of a 64-bit integer"))
        };
        return whole.map(Value::Int).ok_or_else(fault);
    }
    match operator {
        Symbol::Add => float(at, a + b),
        Symbol::Subtract => float(at, a - b),
        Symbol::Multiply => float(at, a * b),
        Symbol::Divide => float(at, a / b),
        Symbol::Modulo => Err(Error::wrong_type(at, "modulo can only apply on integer")),
        _ => float(at, a.powf(b)),
    }
}

fn float(at: usize, value: f64) -> Result<Value> {
    if value.is_finite() {
        Ok(Value::Float(value))
    } else {
        Err(Error::wrong_type(at, "the result of these constants is out of range of a 64-bit float"))
    }
}

/// What Milvus calls an arithmetic operation.
pub(crate) fn operation(operator: Symbol) -> &'static str {
    match operator {
        Symbol::Add => "add",
        Symbol::Subtract => "subtract",
        Symbol::Multiply => "multiply",
        Symbol::Divide => "divide",
        Symbol::Modulo => "modulo",
        _ => "power",
    }
}
