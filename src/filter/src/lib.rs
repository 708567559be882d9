//! Milvus boolean expressions: parse them, check them against a schema, print them as a WHERE condition of PostgreSQL.
//!
//! ```
//! use kite_filter::{DataType, Field, Scalar, Schema, SqlOptions};
//!
//! let schema = Schema {
//!     fields: vec![Field::new("age", DataType::Scalar(Scalar::Int64))],
//!     dynamic_column: Some("$meta".into()),
//! };
//! let parameters = serde_json::json!({ "least": 21 });
//! let filter = kite_filter::parse("age >= {least} and subject == 'biology'")?;
//! let sql = filter.check(&schema, parameters.as_object().unwrap())?.to_sql(&SqlOptions::default());
//! assert_eq!(
//!     sql.text,
//!     r#"(("age" OPERATOR(pg_catalog.>=) $1) AND ("$meta" OPERATOR(pg_catalog.@>) $2))"#
//! );
//! assert_eq!(sql.parameters[0], kite_filter::Parameter::Int8(21));
//! # Ok::<(), kite_filter::Error>(())
//! ```
//!
//! Nothing here knows a server. The README beside this crate tells the grammar, the semantics, and why the SQL is as it is.

mod check;
mod condition;
mod error;
mod functions;
mod lexer;
mod like;
mod literal;
mod parameter;
mod parser;
mod regex;
mod schema;
mod sql;
mod syntax;
#[cfg(feature = "testing")]
pub mod testing;
mod threshold;
mod value;

pub use error::{Error, ErrorKind, Result};
pub use parameter::{Parameter, SqlType};
pub use schema::{DataType, Field, Scalar, Schema};
pub use sql::{Sql, SqlOptions};

use serde_json::{Map, Value as Json};
use std::fmt;

/// An expression that has been read. It is checked against one schema or several.
///
/// Printed, it has all of its parentheses, and reads as the same expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// None is the empty expression, which every row matches.
    root: Option<syntax::Node>,
}

/// A filter whose names and types are right, with template variables bound.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedFilter {
    condition: condition::Condition,
}

/// Reads an expression. The empty text, or white space, matches every row.
///
/// # Errors
/// [`ErrorKind::Syntax`], [`ErrorKind::Limit`] (1 MiB of text, 64 levels), or [`ErrorKind::Unsupported`] for a function.
pub fn parse(text: &str) -> Result<Filter> {
    Ok(Filter { root: parser::parse(text)? })
}

impl Filter {
    /// Finds the columns, binds template variables to `parameters` by name, and checks types. Parameters that no variable names are
    /// ignored.
    ///
    /// # Errors
    /// Every kind but [`ErrorKind::Syntax`].
    pub fn check(&self, schema: &Schema, parameters: &Map<String, Json>) -> Result<CheckedFilter> {
        let condition = match &self.root {
            Some(root) => check::check(root, schema, parameters)?,
            None => condition::Condition::Always(true),
        };
        Ok(CheckedFilter { condition })
    }
}

impl CheckedFilter {
    /// The condition in SQL, with every constant a parameter.
    #[must_use]
    pub fn to_sql(&self, options: &SqlOptions<'_>) -> Sql {
        sql::print(&self.condition, options)
    }

    /// The same condition for people to read: plain operators, constants in place and quoted. It can be run, on a search path that
    /// begins with `pg_catalog`.
    #[must_use]
    pub fn to_display_sql(&self, options: &SqlOptions<'_>) -> String {
        sql::display(&self.condition, options)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.as_ref().map_or(Ok(()), |root| root.fmt(f))
    }
}
