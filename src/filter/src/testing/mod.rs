//! What the tests of this crate share with tests that have a server: an evaluator of filters on rows, tables of cases, and random
//! expressions and rows.

pub mod cases;
mod decimal;
mod evaluate;
mod generate;
mod row;

pub use generate::{Generator, schema};
pub use row::{Datum, Row};

use crate::CheckedFilter;

impl CheckedFilter {
    /// Whether the row matches, computed from the checked tree without any SQL. A random sample takes every row here.
    ///
    /// This follows the words of the README and shares nothing with the printer: computations are done on the row's value, NOT is a NOT
    /// of three values.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        evaluate::evaluate(&self.condition, row) == Some(true)
    }

    /// As [`CheckedFilter::matches`], with `None` for unknown.
    #[must_use]
    pub fn evaluate(&self, row: &Row) -> Option<bool> {
        evaluate::evaluate(&self.condition, row)
    }
}
