//! Tests of scalar columns, of arrays and of their elements.

use super::{Printer, truth};
use crate::condition::{Access, Arithmetic, Comparison, Operand, Operation};
use crate::parameter::Parameter;
use crate::schema::Scalar;
use crate::threshold::{self, Ordered, Solution};
use crate::value::Value;

impl Printer<'_> {
    /// The column, or an element of it. PostgreSQL counts elements from 1.
    fn value(&mut self, operand: &Operand) -> String {
        let column = self.column(operand);
        match operand.access {
            Access::Element(_, index) => {
                let position = i32::try_from(index.saturating_add(1)).unwrap_or(i32::MAX);
                let position = self.bind(Parameter::Int4(position));
                format!("({column}[{position}])")
            }
            _ => column,
        }
    }

    pub(super) fn compare(&mut self, operand: &Operand, comparison: Comparison, value: &Value) -> String {
        if let (Access::Array(element), Value::List(values)) = (&operand.access, value) {
            return self.whole_array(operand, *element, comparison, values);
        }
        let left = self.value(operand);
        let Some(scalar) = operand.scalar() else { return truth(false) };
        if let (Some(bounds), Value::Int(constant)) = (scalar.integers(), value) {
            let solution = threshold::plain(bounds, comparison, *constant);
            return self.solution(&left, operand, scalar, solution, Value::Int);
        }
        let Some(parameter) = Parameter::scalar(scalar, value) else { return truth(false) };
        let mut right = self.bind(parameter);
        if scalar == Scalar::VarChar && comparison.is_ordering() {
            right = self.bytewise(&right);
        }
        self.binary(&left, comparison.sql(), &right)
    }

    fn whole_array(
        &mut self,
        operand: &Operand,
        element: Scalar,
        comparison: Comparison,
        values: &[Value],
    ) -> String {
        let column = self.column(operand);
        if !all_fit(element, values) {
            return self.not_null(&column, operand, comparison == Comparison::NotEqual);
        }
        let right = self.bind(Parameter::scalars(element, values));
        self.binary(&column, comparison.sql(), &right)
    }

    /// True for every row that is not NULL, or for none.
    fn not_null(&self, left: &str, operand: &Operand, always: bool) -> String {
        let is_element = matches!(operand.access, Access::Element(..));
        match (always, operand.nullable || is_element) {
            (false, _) => truth(false),
            (true, false) => truth(true),
            (true, true) => format!("({left} IS NOT NULL)"),
        }
    }

    fn solution<T: Ordered>(
        &mut self,
        left: &str,
        operand: &Operand,
        scalar: Scalar,
        solution: Solution<T>,
        value: impl Fn(T) -> Value,
    ) -> String {
        let side = |printer: &mut Self, operator: &str, x: T| match Parameter::scalar(scalar, &value(x)) {
            Some(parameter) => {
                let right = printer.bind(parameter);
                printer.binary(left, operator, &right)
            }
            None => truth(false),
        };
        match solution {
            Solution::Never => truth(false),
            Solution::Always => self.not_null(left, operand, true),
            Solution::Compare(comparison, x) => side(self, comparison.sql(), x),
            Solution::Between(low, high) => {
                format!("({} AND {})", side(self, ">=", low), side(self, "<=", high))
            }
            Solution::Outside(low, high) => {
                format!("({} OR {})", side(self, "<", low), side(self, ">", high))
            }
        }
    }

    pub(super) fn arithmetic(
        &mut self,
        operand: &Operand,
        arithmetic: &Arithmetic,
        comparison: Comparison,
        value: &Value,
    ) -> String {
        let left = self.value(operand);
        let Some(scalar) = operand.scalar() else { return truth(false) };
        let operation = arithmetic.operation;
        match (scalar.integers(), &arithmetic.by, value) {
            (Some(_), Value::Int(by), Value::Int(value)) if operation == Operation::Modulo => {
                // The remainder by -1 is 0 in PostgreSQL, without the overflow that it is to a processor.
                let by = self.bind(Parameter::Int8(*by));
                let remainder = self.binary(&left, "%", &by);
                let right = self.bind(Parameter::Int8(*value));
                self.binary(&remainder, comparison.sql(), &right)
            }
            (Some(bounds), Value::Int(by), Value::Int(value)) => {
                let solution = threshold::integers(bounds, operation, *by, comparison, *value);
                self.solution(&left, operand, scalar, solution, Value::Int)
            }
            (None, by, value) => {
                let (by, value) = (by.as_float().unwrap_or_default(), value.as_float().unwrap_or_default());
                self.float_arithmetic(&left, operand, scalar, (operation, by), comparison, value)
            }
            _ => truth(false),
        }
    }

    fn float_arithmetic(
        &mut self,
        left: &str,
        operand: &Operand,
        scalar: Scalar,
        (operation, by): (Operation, f64),
        comparison: Comparison,
        value: f64,
    ) -> String {
        if scalar == Scalar::Float {
            let infinities = (f32::NEG_INFINITY, f32::INFINITY);
            let (by, value) = (by as f32, value as f32);
            let solution = threshold::floats(infinities, operation, by, comparison, value, single);
            self.solution(left, operand, scalar, solution, |x| Value::Float(f64::from(x)))
        } else {
            let infinities = (f64::NEG_INFINITY, f64::INFINITY);
            let solution = threshold::floats(infinities, operation, by, comparison, value, double);
            self.solution(left, operand, scalar, solution, Value::Float)
        }
    }

    pub(super) fn compare_columns(
        &mut self,
        left: &Operand,
        comparison: Comparison,
        right: &Operand,
    ) -> String {
        let is_text = left.scalar() == Some(Scalar::VarChar);
        let left = self.value(left);
        let mut right = self.value(right);
        if is_text {
            // Two columns may have collations of their own, between which PostgreSQL would not choose.
            right = self.bytewise(&right);
        }
        self.binary(&left, comparison.sql(), &right)
    }

    pub(super) fn in_list(&mut self, operand: &Operand, values: &[Value], wanted: bool) -> String {
        let left = self.value(operand);
        let Some(scalar) = operand.scalar() else { return truth(false) };
        let list = self.bind(Parameter::scalars(scalar, values));
        if wanted {
            return self.quantified(&left, "=", "ANY", &list);
        }
        let outside = self.quantified(&left, "<>", "ALL", &list);
        // NULL is unequal to all of no constants.
        if operand.nullable || matches!(operand.access, Access::Element(..)) {
            format!("({outside} AND {left} IS NOT NULL)")
        } else {
            outside
        }
    }

    pub(super) fn matches(&mut self, operand: &Operand, operator: &str, pattern: &str) -> String {
        match &operand.access {
            Access::Json(path) => self.json_matches(operand, path, operator, pattern),
            _ => {
                let left = self.value(operand);
                let pattern = self.bind(Parameter::Text(pattern.into()));
                self.binary(&left, operator, &self.bytewise(&pattern))
            }
        }
    }

    pub(super) fn length(&mut self, operand: &Operand, comparison: Comparison, value: i64) -> String {
        if let Access::Json(path) = &operand.access {
            return self.json_length(operand, path, comparison, value);
        }
        let length = self.call("cardinality", &self.column(operand));
        let bounds = (i64::from(i32::MIN), i64::from(i32::MAX));
        let solution = threshold::plain(bounds, comparison, value);
        self.solution(&length, operand, Scalar::Int32, solution, Value::Int)
    }

    pub(super) fn array_contains(
        &mut self,
        operand: &Operand,
        (all, values): (bool, &[Value]),
        wanted: bool,
    ) -> String {
        let column = self.column(operand);
        let Access::Array(element) = operand.access else { return truth(false) };
        if all && !all_fit(element, values) {
            return self.not_null(&column, operand, !wanted);
        }
        let list = self.bind(Parameter::scalars(element, values));
        let test = self.binary(&column, if all { "@>" } else { "&&" }, &list);
        if wanted { test } else { format!("(NOT {test})") }
    }
}

/// Whether the type of the elements has all of these values.
fn all_fit(element: Scalar, values: &[Value]) -> bool {
    values.iter().all(|value| Parameter::scalar(element, value).is_some())
}

fn single(x: f32, operation: Operation, by: f32) -> f32 {
    match operation {
        Operation::Add => x + by,
        Operation::Subtract => x - by,
        Operation::Multiply => x * by,
        Operation::Divide => x / by,
        Operation::Modulo => x % by,
    }
}

fn double(x: f64, operation: Operation, by: f64) -> f64 {
    match operation {
        Operation::Add => x + by,
        Operation::Subtract => x - by,
        Operation::Multiply => x * by,
        Operation::Divide => x / by,
        Operation::Modulo => x % by,
    }
}
