//! Rows as a column of some type holds them.

use super::Rows;
use super::hash::Hash;
use crate::metric::Element;
use anyhow::Result;

/// Rows made what the column holds of them.
#[derive(Debug)]
pub(super) struct Typed {
    pub(super) rows: Box<dyn Rows>,
    pub(super) element: Element,
}

impl Rows for Typed {
    fn dims(&self) -> usize {
        self.rows.dims()
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn read(&self, first: usize, out: &mut [f32]) -> Result<()> {
        self.rows.read(first, out)?;
        self.element.round(out);
        Ok(())
    }

    fn identify(&self, hash: &mut Hash) -> Result<()> {
        hash.text(self.element.sql());
        self.rows.identify(hash)
    }
}
