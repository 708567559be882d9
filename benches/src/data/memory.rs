//! Rows in memory.

use super::hash::Hash;
use super::{BLOCK, Rows, parallel};
use anyhow::Result;

/// Rows of more bytes than this stay where they are.
const LIMIT: usize = 4 << 30;

#[derive(Debug)]
pub(super) struct Memory {
    pub(super) dims: usize,
    pub(super) values: Vec<f32>,
}

impl Rows for Memory {
    fn dims(&self) -> usize {
        self.dims
    }

    fn len(&self) -> usize {
        self.values.len() / self.dims
    }

    fn read(&self, first: usize, out: &mut [f32]) -> Result<()> {
        out.copy_from_slice(&self.values[first * self.dims..][..out.len()]);
        Ok(())
    }

    fn identify(&self, hash: &mut Hash) -> Result<()> {
        hash.floats(&self.values);
        Ok(())
    }
}

/// The first `len` rows in memory if they are not too many, else the rows as they are.
pub(super) fn kept(rows: Box<dyn Rows>, len: usize) -> Result<Box<dyn Rows>> {
    let dims = rows.dims();
    if len.saturating_mul(dims * size_of::<f32>()) > LIMIT {
        return Ok(rows);
    }
    let mut values = vec![0.0; len * dims];
    let block = (BLOCK / dims).max(1);
    parallel::fill(&mut values, block * dims, |n, piece| rows.read(n * block, piece))?;
    Ok(Box::new(Memory { dims, values }))
}
