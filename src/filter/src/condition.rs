//! The tree of a filter that has been checked: fields are columns, constants have the types they are compared with.

use crate::like::Pattern;
use crate::regex::Regex;
use crate::schema::Scalar;
use crate::value::Value;
use std::cmp::Ordering;

/// What a row is asked. The answer is true, false or unknown (Kleene's logic); a row is taken when it is true.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    Always(bool),
    Not(Box<Condition>),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    /// An operand beside a constant of its type, or any constant when the operand is JSON.
    Compare(Operand, Comparison, Value),
    /// Two operands of which none is JSON.
    CompareColumns(Operand, Comparison, Operand),
    /// What comes of an operand and a constant, beside a constant.
    Arithmetic(Operand, Arithmetic, Comparison, Value),
    /// The number of elements.
    Length(Operand, Comparison, i64),
    /// Equal to one of the constants.
    In(Operand, Vec<Value>),
    Like(Operand, Pattern),
    /// The regular expression matches somewhere.
    Regex(Operand, Regex),
    IsNull(Operand),
    /// The path leads to something that is not JSON's null.
    Exists(Operand),
    /// The array has one, or all, of the constants.
    Contains {
        operand: Operand,
        all: bool,
        values: Vec<Value>,
    },
    /// Of all rows, such a fraction at random.
    Sample(f64),
}

/// A value in a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Operand {
    /// The field's name; `$meta` for the column of dynamic keys.
    pub(crate) field: String,
    pub(crate) column: String,
    pub(crate) nullable: bool,
    pub(crate) access: Access,
}

/// How the value is found in the column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    Scalar(Scalar),
    Array(Scalar),
    /// An element of an array, counted from 0.
    Element(Scalar, u64),
    /// Keys and indexes into a JSON value; none is the column itself.
    Json(Vec<String>),
}

/// `+ - * / %` and its right operand. Where the operand is a float column, so is the constant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Arithmetic {
    pub(crate) operation: Operation,
    pub(crate) by: Value,
}

/// An arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
}

impl Comparison {
    /// The operator that is true where this one is false.
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Less => Self::GreaterEqual,
            Self::LessEqual => Self::Greater,
            Self::Greater => Self::LessEqual,
            Self::GreaterEqual => Self::Less,
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
        }
    }

    /// The operator with its sides exchanged.
    pub(crate) fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
            other => other,
        }
    }

    /// Whether it asks for the order, not only for equality.
    pub(crate) fn is_ordering(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }

    /// The operator in SQL.
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Equal => "=",
            Self::NotEqual => "<>",
        }
    }

    /// What it says of two values in this order.
    pub(crate) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterEqual => order.is_ge(),
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
        }
    }
}

impl Operand {
    /// The type of the value, where it is a scalar.
    pub(crate) fn scalar(&self) -> Option<Scalar> {
        match self.access {
            Access::Scalar(scalar) | Access::Element(scalar, _) => Some(scalar),
            _ => None,
        }
    }

    /// What Milvus calls its type.
    pub(crate) fn type_name(&self) -> String {
        match &self.access {
            Access::Scalar(scalar) => scalar.to_string(),
            Access::Array(element) | Access::Element(element, _) => format!("Array[{element}]"),
            Access::Json(_) => "JSON".into(),
        }
    }
}
