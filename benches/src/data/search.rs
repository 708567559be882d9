//! Queries compared with blocks of rows, by one thread: what exact answers are made of.

use super::attributes::Filter;
use super::nearest::{Nearest, Neighbour};
use super::{Dataset, widen};
use crate::metric::{Element, Metric};
use kite_kernels::kernels;

/// Values of the rows that all queries are compared with before the next rows: they stay in a core's second cache.
const TILE: usize = 1 << 15;

/// What is fixed while rows are compared.
pub(super) struct Search<'a> {
    data: &'a Dataset,
    metric: Metric,
    filter: Option<&'a Filter>,
    way: Way,
}

/// How a block of rows is compared.
enum Way {
    /// Kernels in single precision rule rows out.
    Dense(Dense),
    /// Only elements that are not zero are looked at, in double precision: nothing else counts in any metric.
    Sparse(Vec<Sparse>),
}

/// The state of one thread.
pub(super) struct State {
    pub(super) nearest: Vec<Nearest>,
    /// Where the rows of the next block go.
    pub(super) block: Vec<f32>,
    factors: Vec<f32>,
    pair: [Vec<f64>; 2],
}

impl<'a> Search<'a> {
    pub(super) fn new(data: &'a Dataset, metric: Metric, filter: Option<&'a Filter>) -> Self {
        let way = match data.element() {
            Element::Sparsevec => Way::Sparse(data.queries().map(Sparse::of).collect()),
            Element::Vector | Element::Halfvec | Element::Bit => Way::Dense(Dense::new(data, metric)),
        };
        Self { data, metric, filter, way }
    }

    pub(super) fn start(&self, k: usize) -> State {
        let nearest = vec![Nearest::new(k); self.data.queries().len()];
        State { nearest, block: Vec::new(), factors: Vec::new(), pair: [Vec::new(), Vec::new()] }
    }

    /// Offers the rows of the state's block, of which this is the number of the first one.
    pub(super) fn block(&self, State { nearest, block, factors, pair }: &mut State, first: usize) {
        match &self.way {
            Way::Dense(dense) => self.dense(dense, nearest, (first, block), factors),
            Way::Sparse(queries) => self.sparse(queries, nearest, (first, block), pair),
        }
    }

    fn passes(&self, query: usize, row: usize) -> bool {
        self.filter.is_none_or(|filter| filter.passes(query, row))
    }

    fn sparse(
        &self,
        queries: &[Sparse],
        nearest: &mut [Nearest],
        (first, block): (usize, &[f32]),
        pair: &mut [Vec<f64>; 2],
    ) {
        for (id, row) in (first..).zip(block.chunks_exact(self.data.dims())) {
            let row = Sparse::of(row);
            for (n, (query, nearest)) in queries.iter().zip(&mut *nearest).enumerate() {
                if self.passes(n, id) {
                    query.beside(&row, pair);
                    let distance = self.metric.exact(&pair[0], &pair[1]);
                    if !distance.is_nan() {
                        nearest.offer(Neighbour { distance, id: id as u32 });
                    }
                }
            }
        }
    }

    fn dense(
        &self,
        dense: &Dense,
        nearest: &mut [Nearest],
        (first, block): (usize, &[f32]),
        factors: &mut Vec<f32>,
    ) {
        let dims = self.data.dims();
        let longest = dense.factors(block, dims, factors);
        let rows = (TILE / dims).max(1);
        for (n, (tile, factors)) in block.chunks(rows * dims).zip(factors.chunks(rows)).enumerate() {
            for (query, nearest) in nearest.iter_mut().enumerate() {
                self.tile(dense, query, nearest, (first + n * rows, tile, factors), longest);
            }
        }
    }

    fn tile(
        &self,
        dense: &Dense,
        query: usize,
        nearest: &mut Nearest,
        (first, tile, factors): (usize, &[f32], &[f32]),
        longest: f64,
    ) {
        let values = self.data.query(query);
        let mut limit = dense.limit(query, nearest.limit(), longest);
        for (n, (row, factor)) in tile.chunks_exact(self.data.dims()).zip(factors).enumerate() {
            let id = first + n;
            if !self.passes(query, id) {
                continue;
            }
            // Also false for NaN.
            if dense.key(query, values, row, *factor) <= limit {
                let distance = self.metric.exact(&dense.exact[query], &widen(row));
                if nearest.offer(Neighbour { distance, id: id as u32 }) {
                    limit = dense.limit(query, nearest.limit(), longest);
                }
            }
        }
    }
}

/// The queries, and what rules rows out.
struct Dense {
    metric: Metric,
    raw: fn(&[f32], &[f32]) -> f32,
    exact: Vec<Vec<f64>>,
    norms: Vec<f64>,
    /// More than a sum in single precision is off by, relative to the magnitudes that it sums.
    error: f64,
}

impl Dense {
    fn new(data: &Dataset, metric: Metric) -> Self {
        let set = &kernels().f32;
        let raw = match metric {
            Metric::L2 => set.l2_squared,
            Metric::Ip | Metric::Cosine | Metric::Jaccard => set.dot,
            // Of bits, which are numbers here, the two are the same.
            Metric::L1 | Metric::Hamming => set.l1,
        };
        let exact = data.queries().map(widen).collect();
        let norms = data.queries().map(|query| (set.norm_squared)(query).sqrt()).collect();
        // Of a kernel's sum, and of the few operations behind it.
        let error = (data.dims() + 16) as f64 * f64::from(f32::EPSILON) / 2.0;
        Self { metric, raw, exact, norms, error }
    }

    /// What the raw number of each row is multiplied by to grow with the distance: NaN for a row that has none; of Jaccard's
    /// distance, the number of bits that are set. Answers the length of the longest row.
    fn factors(&self, block: &[f32], dims: usize, factors: &mut Vec<f32>) -> f64 {
        factors.clear();
        let mut longest = 0.0_f64;
        factors.extend(block.chunks_exact(dims).map(|row| {
            let norm_squared = || (kernels().f32.norm_squared)(row);
            match self.metric {
                Metric::L2 | Metric::L1 | Metric::Hamming => 1.0,
                Metric::Jaccard => norm_squared() as f32,
                Metric::Ip | Metric::Cosine => {
                    let norm = norm_squared().sqrt();
                    longest = longest.max(norm);
                    match self.metric {
                        Metric::Cosine if norm == 0.0 => f32::NAN,
                        Metric::Cosine => (-1.0 / norm) as f32,
                        _ => -1.0,
                    }
                }
            }
        }));
        longest
    }

    /// A number that grows with the distance.
    fn key(&self, query: usize, values: &[f32], row: &[f32], factor: f32) -> f32 {
        let raw = (self.raw)(values, row);
        match self.metric {
            Metric::Jaccard if raw == 0.0 => 1.0,
            Metric::Jaccard => {
                let set = (self.norms[query] * self.norms[query]) as f32;
                1.0 - raw / (set + factor - raw)
            }
            _ => raw * factor,
        }
    }

    /// The key that a row at this distance may have at most; NaN where a query has no distances.
    fn limit(&self, query: usize, distance: f64, longest: f64) -> f32 {
        let (norm, error) = (self.norms[query], self.error);
        let limit = match self.metric {
            Metric::L2 => distance * distance * (1.0 + error),
            Metric::L1 | Metric::Hamming => distance * (1.0 + error),
            Metric::Ip => distance + norm * longest * error,
            Metric::Jaccard => distance + error,
            Metric::Cosine if norm == 0.0 => f64::NAN,
            Metric::Cosine => (distance - 1.0 + 2.0 * error) * norm,
        };
        limit as f32
    }
}

/// Elements that are not zero, by rising index.
struct Sparse(Vec<(usize, f64)>);

impl Sparse {
    fn of(values: &[f32]) -> Self {
        let all = values.iter().enumerate();
        Self(all.filter(|(_, x)| **x != 0.0).map(|(index, &x)| (index, f64::from(x))).collect())
    }

    /// Puts both vectors down at all places where one of them is not zero.
    fn beside(&self, other: &Self, [own, others]: &mut [Vec<f64>; 2]) {
        own.clear();
        others.clear();
        let mut put = |a: f64, b: f64| {
            own.push(a);
            others.push(b);
        };
        let (mut left, mut right) = (&self.0[..], &other.0[..]);
        while let (Some(&(i, a)), Some(&(j, b))) = (left.first(), right.first()) {
            put(if i <= j { a } else { 0.0 }, if j <= i { b } else { 0.0 });
            left = &left[usize::from(i <= j)..];
            right = &right[usize::from(j <= i)..];
        }
        left.iter().for_each(|&(_, a)| put(a, 0.0));
        right.iter().for_each(|&(_, b)| put(0.0, b));
    }
}
