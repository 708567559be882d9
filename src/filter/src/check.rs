//! From a tree as written to a tree of conditions on columns: names, types and template variables.
//!
//! The rules, and where it has some the texts of errors, are those of Milvus's own checker.

mod arithmetic;
mod compare;
mod lists;

use crate::condition::{Access, Arithmetic, Comparison, Condition, Operand};
use crate::error::{Error, ErrorKind, Result, quote};
use crate::lexer::Symbol;
use crate::schema::{DataType, Schema};
use crate::syntax::{Kind, Name, Node, Step};
use crate::value::{Value, compute};
use serde_json::{Map, Value as Json};

/// The most comparisons and other tests of a filter, and steps of paths in them. Each test is a node of the server's plan and takes up to
/// four parameters, a step up to one more; a statement has 65,535. A list is one test, however long.
const MAX_TESTS: usize = 10_000;

/// What a part of an expression comes to.
enum Part {
    Constant {
        value: Value,
        template: bool,
    },
    Operand(Operand),
    Arithmetic(Operand, Arithmetic),
    Length(Operand),
    Condition(Condition),
    /// A condition with a random sample at its end, which can stand in no other.
    Sampled(Condition),
}

/// What expressions are checked against.
struct Checker<'a> {
    schema: &'a Schema,
    parameters: &'a Map<String, Json>,
    tests: usize,
}

/// Checks an expression against a schema, with the values of template variables.
pub(crate) fn check(root: &Node, schema: &Schema, parameters: &Map<String, Json>) -> Result<Condition> {
    let mut checker = Checker { schema, parameters, tests: 0 };
    match checker.part(root)? {
        Part::Condition(condition) | Part::Sampled(condition) => Ok(condition),
        Part::Constant { value: Value::Bool(value), .. } => Ok(Condition::Always(value)),
        other => Err(Error::wrong_type(
            root.at,
            format!(
                "predicate is not a boolean expression: {}, data type: {}",
                shown(root),
                other.type_name()
            ),
        )),
    }
}

/// A part of the expression, as an error quotes it.
fn shown(node: &Node) -> String {
    quote(&node.to_string())
}

impl Checker<'_> {
    fn part(&mut self, node: &Node) -> Result<Part> {
        let constant = |value| Ok(Part::Constant { value, template: false });
        match &node.kind {
            Kind::Bool(value) => constant(Value::Bool(*value)),
            Kind::Int(value) => constant(Value::Int(*value)),
            Kind::Float(value) => constant(Value::Float(*value)),
            Kind::Text(value) => constant(Value::Text(value.clone())),
            Kind::List(values) => constant(self.list(node.at, values)?),
            Kind::Template(name) => self.template(node.at, name),
            Kind::Field(name) => self.operand(node.at, name).map(Part::Operand),
            Kind::Unary(symbol, child) => self.unary(node.at, *symbol, child),
            Kind::Binary(symbol, left, right) => self.binary(node.at, *symbol, left, right),
            Kind::And(children) => self.connective(children, "and"),
            Kind::Or(children) => self.connective(children, "or"),
            Kind::Sample(factor) => self.sample(factor),
            Kind::Length(field) => self.length(field),
            _ => {
                self.count(node.at, 1)?;
                self.test(node).map(Part::Condition)
            }
        }
    }

    /// What is a condition by itself.
    fn test(&mut self, node: &Node) -> Result<Condition> {
        match &node.kind {
            Kind::In { field, list, negated } => {
                self.term(field, list).map(|condition| negate_if(*negated, condition))
            }
            Kind::Range { lower, above, field, below, upper } => {
                self.count(node.at, 1)?;
                self.range(node.at, [lower, upper], [*above, *below], field)
            }
            Kind::IsNull { field, negated } => {
                self.is_null(field).map(|condition| negate_if(*negated, condition))
            }
            Kind::Exists(child) => self.exists(child),
            Kind::Contains { how, field, values } => self.contains(*how, field, values),
            _ => Err(Error::syntax(node.at, "expected a condition")),
        }
    }

    fn count(&mut self, at: usize, more: usize) -> Result<()> {
        self.tests += more;
        if self.tests > MAX_TESTS {
            let message = format!("the filter has more than {MAX_TESTS} tests and steps of paths");
            return Err(Error::new(ErrorKind::Limit, at, message));
        }
        Ok(())
    }

    fn list(&mut self, at: usize, nodes: &[Node]) -> Result<Value> {
        let mut values = Vec::new();
        values
            .try_reserve_exact(nodes.len())
            .map_err(|_| Error::new(ErrorKind::Limit, at, "out of memory for a list"))?;
        for node in nodes {
            match self.part(node)? {
                Part::Constant { value, template: false } => values.push(value),
                _ => {
                    let message =
                        format!("array element type must be generic value, but got: {}", shown(node));
                    return Err(Error::wrong_type(node.at, message));
                }
            }
        }
        Ok(Value::List(values))
    }

    fn template(&self, at: usize, name: &str) -> Result<Part> {
        let fault = |message| Error::new(ErrorKind::Template, at, message);
        let Some(json) = self.parameters.get(name) else {
            let name = quote(name);
            return Err(fault(format!(
                "the value of expression template variable name {{{name}}} is not found"
            )));
        };
        match Value::from_json(json) {
            Ok(value) => Ok(Part::Constant { value, template: true }),
            Err(message) => {
                Err(fault(format!("the value of template variable {{{}}}: {message}", quote(name))))
            }
        }
    }

    /// The column that a name stands for, and the way into it.
    fn operand(&mut self, at: usize, name: &Name) -> Result<Operand> {
        self.count(at, name.path.len())?;
        let unknown =
            |name: &str| Error::new(ErrorKind::UnknownField, at, format!("field {} not exist", quote(name)));
        let field = name.name.as_deref().and_then(|name| self.schema.field(name));
        let keys = name.path.iter().map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::Index(index) => index.to_string(),
        });
        let Some(field) = field else {
            let shown = name.name.as_deref().unwrap_or("$meta");
            let column = self.schema.dynamic_column.clone().ok_or_else(|| unknown(shown))?;
            let path = name.name.iter().cloned().chain(keys).collect();
            return Ok(Operand { field: "$meta".into(), column, nullable: true, access: Access::Json(path) });
        };
        let wrong = |message| Err(Error::wrong_type(at, message));
        let access = match (&field.data_type, name.path.as_slice()) {
            (DataType::Scalar(scalar), []) => Access::Scalar(*scalar),
            (DataType::Array(element), []) => Access::Array(*element),
            (DataType::Array(element), [Step::Index(index)]) => Access::Element(*element, *index),
            (DataType::Array(_), [Step::Key(_), ..]) => {
                return wrong("can only access array field with integer index".into());
            }
            (DataType::Array(_), _) => {
                return wrong(format!("an element of array field {} has no elements", quote(&field.name)));
            }
            (DataType::Json, _) => Access::Json(keys.collect()),
            (DataType::Opaque(kind), _) => {
                return wrong(format!("filter on {kind} field ({}) is not supported", quote(&field.name)));
            }
            (DataType::Scalar(scalar), _) => {
                return wrong(format!("{scalar} data type not supported accessed with []"));
            }
        };
        let nullable = field.nullable && !field.primary_key;
        Ok(Operand { field: field.name.clone(), column: field.column.clone(), nullable, access })
    }

    fn unary(&mut self, at: usize, symbol: Symbol, child: &Node) -> Result<Part> {
        let part = self.part(child)?;
        match (symbol, part) {
            (Symbol::BitNot, _) => Err(Error::unsupported(at, "BitNot")),
            (Symbol::Not, Part::Condition(condition)) => {
                Ok(Part::Condition(Condition::Not(Box::new(condition))))
            }
            (Symbol::Not, Part::Constant { value: Value::Bool(value), template: false }) => {
                Ok(Part::Constant { value: Value::Bool(!value), template: false })
            }
            (_, Part::Sampled(_)) => {
                Err(Error::wrong_type(at, "random sample expression cannot be used in unary expression"))
            }
            (Symbol::Not, _) => {
                Err(Error::wrong_type(at, "not op can only be applied on boolean expression"))
            }
            (Symbol::Add, part @ (Part::Constant { .. } | Part::Operand(_))) => Ok(part),
            (Symbol::Subtract, Part::Constant { value, template: false }) => {
                let value = match value {
                    // `-(-x)` and the like; a literal has its sign.
                    Value::Float(value) => Value::Float(-value),
                    value => compute(at, Symbol::Subtract, &Value::Int(0), &value)?,
                };
                Ok(Part::Constant { value, template: false })
            }
            (symbol, _) => {
                let message = format!("unexpected op: {} before {}", symbol.text(), shown(child));
                Err(Error::wrong_type(at, message))
            }
        }
    }

    fn binary(&mut self, at: usize, symbol: Symbol, left: &Node, right: &Node) -> Result<Part> {
        match symbol {
            Symbol::BitAnd => return Err(Error::unsupported(at, "BitAnd")),
            Symbol::BitOr => return Err(Error::unsupported(at, "BitOr")),
            Symbol::BitXor => return Err(Error::unsupported(at, "BitXor")),
            Symbol::ShiftLeft | Symbol::ShiftRight => return Err(Error::unsupported(at, "shift")),
            Symbol::Like | Symbol::Match | Symbol::NotMatch => {
                self.count(at, 1)?;
                return self.pattern(symbol, left, right).map(Part::Condition);
            }
            _ => {}
        }
        let parts = [self.part(left)?, self.part(right)?];
        match comparison(symbol) {
            Some(comparison) => {
                self.count(at, 1)?;
                self.comparison(at, symbol, comparison, parts)
            }
            None => self.arithmetic(at, symbol, parts),
        }
    }

    fn connective(&mut self, children: &[Node], name: &str) -> Result<Part> {
        let mut conditions = Vec::with_capacity(children.len());
        let mut sampled = false;
        for (i, child) in children.iter().enumerate() {
            conditions.push(match self.part(child)? {
                Part::Condition(condition) => condition,
                Part::Constant { value: Value::Bool(value), .. } => {
                    self.count(child.at, 1)?;
                    Condition::Always(value)
                }
                Part::Sampled(condition) if name == "and" && i + 1 == children.len() => {
                    sampled = true;
                    condition
                }
                Part::Sampled(_) if name == "and" => {
                    let message = "random sample expression can only be the last expression in the logical and expression";
                    return Err(Error::wrong_type(child.at, message));
                }
                Part::Sampled(_) => {
                    let message = "random sample expression cannot be used in logical or expression";
                    return Err(Error::wrong_type(child.at, message));
                }
                _ => {
                    let message = format!("'{name}' can only be used between boolean expressions");
                    return Err(Error::wrong_type(child.at, message));
                }
            });
        }
        Ok(match (name, sampled) {
            ("or", _) => Part::Condition(Condition::Or(conditions)),
            (_, false) => Part::Condition(Condition::And(conditions)),
            (_, true) => Part::Sampled(Condition::And(conditions)),
        })
    }

    fn sample(&mut self, factor: &Node) -> Result<Part> {
        let Part::Constant { value: Value::Float(value), .. } = self.part(factor)? else {
            let message = format!(
                "\"float factor\" should be a const float expression: \"float factor\" passed: {}",
                shown(factor)
            );
            return Err(Error::wrong_type(factor.at, message));
        };
        if value <= 1e-10 || value >= 1.0 - 1e-10 {
            let message = format!(
                "the sample factor should be between 0 and 1 and not too close to 0 or 1 (the difference should be larger than \
                 1e-10), but got {}",
                shown(factor)
            );
            return Err(Error::wrong_type(factor.at, message));
        }
        self.count(factor.at, 1)?;
        Ok(Part::Sampled(Condition::Sample(value)))
    }
}

impl Part {
    fn type_name(&self) -> String {
        match self {
            Self::Constant { value, .. } => value.type_name().into(),
            Self::Operand(operand) | Self::Arithmetic(operand, _) => operand.type_name(),
            Self::Length(_) => "Int64".into(),
            Self::Condition(_) | Self::Sampled(_) => "Bool".into(),
        }
    }
}

fn negate_if(negated: bool, condition: Condition) -> Condition {
    if negated { Condition::Not(Box::new(condition)) } else { condition }
}

fn comparison(symbol: Symbol) -> Option<Comparison> {
    Some(match symbol {
        Symbol::Less => Comparison::Less,
        Symbol::LessEqual => Comparison::LessEqual,
        Symbol::Greater => Comparison::Greater,
        Symbol::GreaterEqual => Comparison::GreaterEqual,
        Symbol::Equal => Comparison::Equal,
        Symbol::NotEqual => Comparison::NotEqual,
        _ => return None,
    })
}

/// The error for an operator between two constants of which one is a template variable.
fn placeholder(at: usize, symbol: Symbol) -> Error {
    let message =
        format!("placeholder was not supported between two constants with operator: {}", symbol.text());
    Error::new(ErrorKind::Template, at, message)
}

/// The error for an array that is compared or computed with as a whole.
fn whole_array(at: usize) -> Error {
    Error::wrong_type(at, "can not comparisons array fields directly")
}
