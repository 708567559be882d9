//! The right answers, by comparing every query with every row.

use super::attributes::Filter;
use super::hash::Hash;
use super::nearest::{Nearest, Neighbour};
use super::search::Search;
use super::{Dataset, parallel, store};
use crate::metric::Metric;
use anyhow::{Context, Result, ensure};
use kite_cluster::workspace_root;
use std::fs;
use std::path::{Path, PathBuf};

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
            match fs::read(&path).context("it cannot be read").and_then(|bytes| store::decode(&bytes, &about))
            {
                Ok(found) => return Ok(Self { metric, k, filter: filter.cloned(), found }),
                Err(error) => eprintln!("{} is made anew: {error:#}", path.display()),
            }
        }
        let truth = Self::compute(data, metric, k, filter, progress)?;
        store::replace(&path, |file| {
            Ok(std::io::Write::write_all(file, &store::encode(&truth.found, &about))?)
        })?;
        Ok(truth)
    }

    fn path(folder: &Path, about: &str) -> PathBuf {
        folder.join(format!("{}.bin", Hash::default().text(about).hex()))
    }

    /// The nearest rows of a query, nearest first; fewer than k where no more pass the filter.
    #[cfg(test)]
    pub(super) fn neighbours(&self, query: usize) -> &[Neighbour] {
        &self.found[query]
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::by_hand;
    use super::super::{Correlation, Source, widen};
    use super::*;
    use crate::data::Attributes;
    use std::cell::RefCell;

    const METRICS: [Metric; 4] = [Metric::L2, Metric::Ip, Metric::Cosine, Metric::L1];

    fn compute(data: &Dataset, metric: Metric, k: usize, filter: Option<&Filter>) -> Truth {
        Truth::compute(data, metric, k, filter, &|_, _| ()).unwrap()
    }

    /// By sorting all rows.
    fn sorted(
        data: &Dataset,
        metric: Metric,
        k: usize,
        query: usize,
        filter: Option<&Filter>,
    ) -> Vec<Neighbour> {
        let mut all = Vec::new();
        data.for_each_row(0..data.len(), |row, values| {
            let distance = metric.exact(&widen(data.query(query)), &widen(values));
            if !distance.is_nan() && filter.is_none_or(|filter| filter.passes(query, row)) {
                all.push(Neighbour { distance, id: row as u32 });
            }
            Ok(())
        })
        .unwrap();
        all.sort();
        all.truncate(k);
        all
    }

    #[test]
    fn all_metrics_as_by_sorting() {
        // Several blocks, rows of different length, equal ones among them.
        let (rows, dims) = (4000, 96);
        let made = Dataset::generate(rows, 4, dims, 3).unwrap();
        let mut values = vec![0.0; rows * dims];
        made.read(0, &mut values).unwrap();
        for (n, row) in values.chunks_exact_mut(dims).enumerate() {
            row.iter_mut().for_each(|x| *x *= 1.0 + (n % 7) as f32);
        }
        values.copy_within(0..30 * dims, 3900 * dims);
        let queries = made.queries().flatten().copied().collect();
        let data = by_hand(dims, values, queries, Metric::Cosine);
        let filter = Attributes::of(&data).unwrap().window(Correlation::None, 0.01);
        for metric in METRICS {
            for (k, filter) in [(10, None), (25, Some(&filter)), (60, Some(&filter))] {
                let truth = compute(&data, metric, k, filter);
                for query in 0..4 {
                    let wanted = sorted(&data, metric, k, query, filter);
                    assert_eq!(wanted.len(), if filter.is_some() { k.min(40) } else { k });
                    assert_eq!(truth.neighbours(query), wanted, "{metric:?} {k}");
                }
            }
        }
    }

    #[test]
    fn lengths_of_zero_have_no_cosine() {
        let rows = vec![0.0, 0.0, 1.0, 0.0, 0.0, 2.0];
        let data = by_hand(2, rows, vec![1.0, 1.0, 0.0, 0.0], Metric::Cosine);
        let ids = |metric, query| -> Vec<u32> {
            compute(&data, metric, 5, None).neighbours(query).iter().map(|near| near.id).collect()
        };
        assert_eq!((ids(Metric::Cosine, 0), ids(Metric::Cosine, 1)), (vec![1, 2], vec![]));
        assert_eq!((ids(Metric::L2, 0), ids(Metric::L2, 1)), (vec![1, 0, 2], vec![0, 1, 2]));
        assert_eq!((ids(Metric::Ip, 0), ids(Metric::Ip, 1)), (vec![2, 1, 0], vec![0, 1, 2]));
    }

    #[test]
    fn rows_closer_than_single_precision_are_told_apart() {
        // One is nearer by less than the last bit of a sum of squares in single precision.
        let far = 1000.0_f32;
        let rows = vec![far, 0.02, far, 0.01, far, 0.03];
        let data = by_hand(2, rows, vec![0.0, 0.0], Metric::L2);
        let near = compute(&data, Metric::L2, 1, None).neighbours(0)[0];
        assert_eq!(near.id, 1);
    }

    #[test]
    fn what_was_computed_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let data = Dataset::generate(500, 3, 16, 1).unwrap();
        let runs = RefCell::new(0);
        let get = |metric, k, filter: Option<&Filter>| {
            let last = RefCell::new((0, 0));
            let hear = |done, all| *last.borrow_mut() = (done, all);
            let truth = Truth::cached_in(folder.path(), &data, metric, k, filter, &hear).unwrap();
            *runs.borrow_mut() += usize::from(last.into_inner() == (500, 500));
            assert_eq!(truth.found, compute(&data, metric, k, filter).found);
            *runs.borrow()
        };
        let filter = Attributes::of(&data).unwrap().window(Correlation::Positive, 0.1);
        let other = Attributes::of(&data).unwrap().window(Correlation::Negative, 0.1);
        assert_eq!((get(Metric::L2, 5, None), get(Metric::L2, 5, None)), (1, 1));
        assert_eq!((get(Metric::L2, 6, None), get(Metric::L1, 5, None)), (2, 3));
        assert_eq!((get(Metric::L2, 5, Some(&filter)), get(Metric::L2, 5, Some(&other))), (4, 5));
        assert_eq!((get(Metric::L2, 5, Some(&filter)), get(Metric::L2, 5, None)), (5, 5));
        for file in fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
        assert_eq!((get(Metric::L2, 5, None), get(Metric::L2, 5, None)), (6, 6));
    }

    #[test]
    fn filters_of_other_data_are_refused() {
        let (one, other) = (Dataset::generate(50, 3, 4, 1).unwrap(), Dataset::generate(51, 3, 4, 1).unwrap());
        let filter = Attributes::of(&one).unwrap().window(Correlation::None, 0.5);
        assert!(Truth::compute(&other, Metric::L2, 1, Some(&filter), &|_, _| ()).is_err());
        assert!(Truth::compute(&one, Metric::L2, 0, None, &|_, _| ()).is_err());
    }

    /// Compares with the answers that the real set carries, for as many of its queries as a build without optimisation does
    /// in seconds.
    #[test]
    fn the_real_set_agrees() {
        let data = match "debian,queries=20".parse::<Source>().unwrap().open() {
            Ok(data) => data,
            Err(error) => return eprintln!("SKIPPED, nothing was compared: {error:#}"),
        };
        let folder = std::env::var_os("KITE_DATA")
            .map_or_else(|| workspace_root().join("../shared/data/debian-packages"), PathBuf::from);
        let bytes = fs::read(folder.join("groundtruth-cosine-top100.i32.npy")).unwrap();
        let (numbers, _) = bytes[bytes.len() - 400_000..].as_chunks::<4>();
        let given: Vec<i64> = numbers.iter().map(|&bytes| i64::from(i32::from_le_bytes(bytes))).collect();
        let truth = compute(&data, Metric::Cosine, 100, None);
        for (query, given) in given.chunks_exact(100).take(20).enumerate() {
            for k in [1, 10, 100] {
                let distance = |id| data.distance(Metric::Cosine, query, id);
                assert_eq!(truth.recall(query, given, k, distance).unwrap(), 1.0, "query {query}");
            }
            let ours = truth.neighbours(query).iter().map(|near| near.distance);
            for (ours, &id) in ours.zip(given) {
                let given = data.distance(Metric::Cosine, query, id).unwrap();
                assert!((ours - given).abs() < 1e-6, "query {query}: {ours} {given}");
            }
        }
    }
}
