//! The right answers, by comparing every query with every row.

use super::attributes::Filter;
use super::hash::Hash;
use super::nearest::{Nearest, Neighbour};
use super::{Dataset, parallel, store, widen};
use crate::metric::Metric;
use anyhow::{Context, Result, ensure};
use kite_cluster::workspace_root;
use kite_kernels::kernels;
use std::fs;
use std::path::{Path, PathBuf};

/// Values of the rows that all queries are compared with before the next rows: they stay in a core's second cache.
const TILE: usize = 1 << 15;
const MAGIC: &[u8; 8] = b"kitetrue";
/// Of the file and of what decides its contents.
const VERSION: u32 = 1;

/// The k nearest rows of each query, by distance and then by row number.
///
/// Distances are those of the values in double precision, and the rows are the nearest by them: single precision only rules
/// out rows that are farther by more than its error. Rows and queries of length zero have no cosine distance: such rows are no
/// one's neighbours, as in an index, and such queries have none.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(super) metric: Metric,
    pub(super) k: usize,
    pub(super) filter: Option<Filter>,
    pub(super) found: Vec<Vec<Neighbour>>,
}

impl Truth {
    /// Computes by all cores; `progress` hears of the rows done and of all rows.
    pub(crate) fn compute(
        data: &Dataset,
        metric: Metric,
        k: usize,
        filter: Option<&Filter>,
        progress: &dyn Fn(u64, u64),
    ) -> Result<Self> {
        ensure!(k > 0, "k must be at least 1");
        if let Some(filter) = filter {
            filter.fits(data)?;
        }
        let search = Search::new(data, metric, filter);
        let parts = parallel::for_blocks(
            data.len(),
            data.rows_per_block(),
            progress,
            || search.start(k),
            |state, range| {
                state.block.resize(range.len() * data.dims(), 0.0);
                data.read(range.start, &mut state.block)?;
                search.block(state, range.start);
                Ok(())
            },
        )?;
        let mut all = vec![Nearest::new(k); data.queries().len()];
        for part in parts {
            all.iter_mut().zip(part.nearest).for_each(|(all, part)| all.merge(part));
        }
        let found = all.into_iter().map(Nearest::sorted).collect();
        Ok(Self { metric, k, filter: filter.cloned(), found })
    }

    /// As [`Self::compute`], from `target/bench/truth` where an earlier run left it.
    pub(crate) fn cached(
        data: &Dataset,
        metric: Metric,
        k: usize,
        filter: Option<&Filter>,
        progress: &dyn Fn(u64, u64),
    ) -> Result<Self> {
        let folder = workspace_root().join("target/bench/truth");
        Self::cached_in(&folder, data, metric, k, filter, progress)
    }

    fn cached_in(
        folder: &Path,
        data: &Dataset,
        metric: Metric,
        k: usize,
        filter: Option<&Filter>,
        progress: &dyn Fn(u64, u64),
    ) -> Result<Self> {
        let about = serde_json::json!({
            "data": data.name(),
            "fingerprint": data.fingerprint(),
            "rows": data.len(),
            "queries": data.queries().len(),
            "metric": metric,
            "k": k,
            "filter": filter.map(Filter::fingerprint),
        })
        .to_string();
        let path = Self::path(folder, &about);
        if path.exists() {
            match fs::read(&path).context("it cannot be read").and_then(|bytes| decode(&bytes, &about)) {
                Ok(found) => return Ok(Self { metric, k, filter: filter.cloned(), found }),
                Err(error) => eprintln!("{} is made anew: {error:#}", path.display()),
            }
        }
        let truth = Self::compute(data, metric, k, filter, progress)?;
        store::replace(&path, |file| Ok(std::io::Write::write_all(file, &encode(&truth.found, &about))?))?;
        Ok(truth)
    }

    fn path(folder: &Path, about: &str) -> PathBuf {
        folder.join(format!("{}.bin", Hash::default().text(about).hex()))
    }

    /// The nearest rows of a query, nearest first; fewer than k where no more pass the filter.
    pub(crate) fn neighbours(&self, query: usize) -> &[Neighbour] {
        &self.found[query]
    }
}

/// What is fixed while rows are compared.
struct Search<'a> {
    data: &'a Dataset,
    metric: Metric,
    filter: Option<&'a Filter>,
    raw: fn(&[f32], &[f32]) -> f32,
    exact: Vec<Vec<f64>>,
    norms: Vec<f64>,
    /// More than a sum in single precision is off by, relative to the magnitudes that it sums.
    error: f64,
}

struct State {
    nearest: Vec<Nearest>,
    block: Vec<f32>,
    factors: Vec<f32>,
}

impl<'a> Search<'a> {
    fn new(data: &'a Dataset, metric: Metric, filter: Option<&'a Filter>) -> Self {
        let set = &kernels().f32;
        let raw = match metric {
            Metric::L2 => set.l2_squared,
            Metric::Ip | Metric::Cosine => set.dot,
            Metric::L1 => set.l1,
        };
        let exact = data.queries().map(widen).collect();
        let norms = data.queries().map(|query| (set.norm_squared)(query).sqrt()).collect();
        // Of a kernel's sum, and of the few operations behind it.
        let error = (data.dims() + 16) as f64 * f64::from(f32::EPSILON) / 2.0;
        Self { data, metric, filter, raw, exact, norms, error }
    }

    fn start(&self, k: usize) -> State {
        let nearest = vec![Nearest::new(k); self.exact.len()];
        State { nearest, block: Vec::new(), factors: Vec::new() }
    }

    fn block(&self, State { nearest, block, factors }: &mut State, first: usize) {
        let dims = self.data.dims();
        let longest = self.factors(block, factors);
        let rows = (TILE / dims).max(1);
        for (n, (tile, factors)) in block.chunks(rows * dims).zip(factors.chunks(rows)).enumerate() {
            for (query, nearest) in nearest.iter_mut().enumerate() {
                self.tile(query, nearest, (first + n * rows, tile, factors), longest);
            }
        }
    }

    /// What the raw number of each row is multiplied by to grow with the distance: NaN for a row that has none. Answers the
    /// length of the longest row.
    fn factors(&self, block: &[f32], factors: &mut Vec<f32>) -> f64 {
        factors.clear();
        let mut longest = 0.0_f64;
        factors.extend(block.chunks_exact(self.data.dims()).map(|row| match self.metric {
            Metric::L2 | Metric::L1 => 1.0,
            Metric::Ip | Metric::Cosine => {
                let norm = (kernels().f32.norm_squared)(row).sqrt();
                longest = longest.max(norm);
                match self.metric {
                    Metric::Cosine if norm == 0.0 => f32::NAN,
                    Metric::Cosine => (-1.0 / norm) as f32,
                    _ => -1.0,
                }
            }
        }));
        longest
    }

    fn tile(
        &self,
        query: usize,
        nearest: &mut Nearest,
        (first, tile, factors): (usize, &[f32], &[f32]),
        longest: f64,
    ) {
        let values = self.data.query(query);
        let mut limit = self.limit(query, nearest.limit(), longest);
        for (n, (row, factor)) in tile.chunks_exact(self.data.dims()).zip(factors).enumerate() {
            let id = first + n;
            if self.filter.is_some_and(|filter| !filter.passes(query, id)) {
                continue;
            }
            // Also false for NaN.
            if (self.raw)(values, row) * factor <= limit {
                let distance = self.metric.exact(&self.exact[query], &widen(row));
                if nearest.offer(Neighbour { distance, id: id as u32 }) {
                    limit = self.limit(query, nearest.limit(), longest);
                }
            }
        }
    }

    /// The raw number times factor that a row at this distance may have at most; NaN where a query has no distances.
    fn limit(&self, query: usize, distance: f64, longest: f64) -> f32 {
        let (norm, error) = (self.norms[query], self.error);
        let limit = match self.metric {
            Metric::L2 => distance * distance * (1.0 + error),
            Metric::L1 => distance * (1.0 + error),
            Metric::Ip => distance + norm * longest * error,
            Metric::Cosine if norm == 0.0 => f64::NAN,
            Metric::Cosine => (distance - 1.0 + 2.0 * error) * norm,
        };
        limit as f32
    }
}

fn encode(found: &[Vec<Neighbour>], about: &str) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(about.len() as u32).to_le_bytes());
    bytes.extend_from_slice(about.as_bytes());
    for found in found {
        bytes.extend_from_slice(&(found.len() as u32).to_le_bytes());
        for Neighbour { distance, id } in found {
            bytes.extend_from_slice(&id.to_le_bytes());
            bytes.extend_from_slice(&distance.to_le_bytes());
        }
    }
    let sum = Hash::default().bytes(&bytes).finish();
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// What [`encode`] was given, if it was about the same and no bit has changed.
fn decode(bytes: &[u8], about: &str) -> Result<Vec<Vec<Neighbour>>> {
    let (body, sum) = bytes.split_last_chunk::<8>().context("it is too short")?;
    ensure!(Hash::default().bytes(body).finish() == u64::from_le_bytes(*sum), "it is damaged");
    let mut rest = body;
    ensure!(take::<8>(&mut rest)? == *MAGIC, "it is something else");
    ensure!(u32::from_le_bytes(take(&mut rest)?) == VERSION, "it is of another version");
    let length = u32::from_le_bytes(take(&mut rest)?) as usize;
    let (said, mut rest) = rest.split_at_checked(length).context("it is too short")?;
    ensure!(said == about.as_bytes(), "it is about other data");
    let mut found = Vec::new();
    while !rest.is_empty() {
        let count = u32::from_le_bytes(take(&mut rest)?);
        let one = (0..count).map(|_| {
            let id = u32::from_le_bytes(take(&mut rest)?);
            Ok(Neighbour { distance: f64::from_le_bytes(take(&mut rest)?), id })
        });
        found.push(one.collect::<Result<_>>()?);
    }
    Ok(found)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk().context("it is too short")?;
    *bytes = rest;
    Ok(*taken)
}
