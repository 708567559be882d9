//! A data set as a search within this process sees it: all of it in memory, distances by function.

use crate::data::{Dataset, Truth};
use crate::judge::{Quality, quality};
use crate::metric::Metric;
use crate::sessions::Answers;
use anyhow::{Result, bail};
use kite_kernels::{Kernels, kernels};

/// Rows and queries, of unit length where the metric is cosine, and the right answers.
#[derive(Debug)]
pub(super) struct Set<'a> {
    pub(super) data: &'a Dataset,
    pub(super) ranking: Ranking,
    pub(super) rows: Vectors,
    pub(super) queries: Vectors,
    /// Among all rows.
    pub(super) truth: Truth,
    /// Rows asked for.
    pub(super) k: usize,
}

impl<'a> Set<'a> {
    /// Reads all rows, and so many queries at most.
    pub(super) fn read(data: &'a Dataset, k: usize, queries: usize, truth: Truth) -> Result<Self> {
        let mut rows = Vectors { dims: data.dims(), values: Vec::new() };
        rows.values.reserve_exact(data.len() * data.dims());
        data.for_each_row(0..data.len(), |_, row| {
            rows.values.extend_from_slice(row);
            Ok(())
        })?;
        let mut asked = Vectors { dims: data.dims(), values: Vec::new() };
        data.queries().take(queries).for_each(|query| asked.values.extend_from_slice(query));
        let ranking = Ranking::new(data.metric())?;
        if data.metric() == Metric::Cosine {
            rows.normalize();
            asked.normalize();
        }
        Ok(Self { data, ranking, rows, queries: asked, truth, k })
    }

    /// How good the answers to all queries are, in the order of the queries.
    pub(super) fn quality(&self, found: Vec<Vec<i64>>, truth: &Truth) -> Result<Quality> {
        let answers = Answers { queries: (0..found.len()).collect(), found, seconds: Vec::new(), wall: 0.0 };
        quality(&answers, self.data, self.data.metric(), truth, self.k)
    }
}

/// Vectors one after the other.
#[derive(Debug)]
pub(super) struct Vectors {
    pub(super) dims: usize,
    pub(super) values: Vec<f32>,
}

impl Vectors {
    pub(super) fn len(&self) -> usize {
        self.values.len() / self.dims
    }

    #[inline]
    pub(super) fn get(&self, n: usize) -> &[f32] {
        &self.values[n * self.dims..][..self.dims]
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.dims)
    }

    /// Gives all of them unit length, but for those without direction.
    fn normalize(&mut self) {
        let norm_squared = kernels().f32.norm_squared;
        for vector in self.values.chunks_exact_mut(self.dims) {
            let norm = norm_squared(vector).sqrt();
            if norm > 0.0 {
                vector.iter_mut().for_each(|x| *x = (f64::from(*x) / norm) as f32);
            }
        }
    }
}

/// What ranks, and what SQL computes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ranking {
    metric: Metric,
    kernels: &'static Kernels,
    raw: fn(&[f32], &[f32]) -> f32,
    factor: f32,
}

impl Ranking {
    fn new(metric: Metric) -> Result<Self> {
        let kernels = kernels();
        let (raw, factor) = match metric {
            Metric::L2 => (kernels.f32.l2_squared, 1.0),
            Metric::Ip | Metric::Cosine => (kernels.f32.dot, -1.0),
            Metric::L1 => (kernels.f32.l1, 1.0),
            Metric::Hamming | Metric::Jaccard => bail!("no layout is made for bits"),
        };
        Ok(Self { metric, kernels, raw, factor })
    }

    /// Smaller where the row is nearer. Under cosine distance both must have unit length.
    #[inline]
    pub(super) fn key(&self, query: &[f32], row: &[f32]) -> f32 {
        self.factor * (self.raw)(query, row)
    }

    /// What the SQL operator of pgkite computes, in this process.
    pub(super) fn operator(&self, query: &[f32], row: &[f32]) -> f64 {
        match self.metric {
            Metric::L2 => f64::from((self.raw)(query, row)).sqrt(),
            Metric::Cosine => kite_vectors::dense::cosine_distance(&self.kernels.f32, query, row),
            Metric::Ip | Metric::L1 | Metric::Hamming | Metric::Jaccard => {
                f64::from(self.factor * (self.raw)(query, row))
            }
        }
    }
}
