//! How much of the right answer was found.

use super::truth::Truth;
use crate::metric::Metric;
use anyhow::{Context, Result, ensure};
use std::collections::HashSet;

/// Distances that differ by less than this share of the larger one are the same.
///
/// An engine computes in single precision: a sum of a few hundred terms of one sign is off by about 10⁻⁷ of itself (rounding
/// errors of 6·10⁻⁸ mostly cancel), so it cannot tell rows apart that differ by less than some 10⁻⁷; 10⁻⁶ leaves room for
/// that and is far below what separates neighbours that are not equal.
const SAME: f64 = 1e-6;

impl Truth {
    /// The share of the k nearest rows of a query that `found` (row numbers, in the order of the answer) holds.
    ///
    /// A row counts if it is as near as the k-th true one; the same row counts once, and what comes behind the first k not at
    /// all. Where fewer than k rows exist or pass the filter, it is the share of those, and 1 if there are none. `distance_of`
    /// is asked for the exact distance of rows that are not among the true ones. A row that does not exist or does not pass
    /// the filter is an error: such an answer is wrong, not incomplete.
    pub(crate) fn recall(
        &self,
        query: usize,
        found: &[i64],
        k: usize,
        mut distance_of: impl FnMut(i64) -> Result<f64>,
    ) -> Result<f64> {
        ensure!(0 < k && k <= self.k, "the {} nearest rows are known, not {k}", self.k);
        let near = self.found.get(query).with_context(|| format!("there is no query {query}"))?;
        let near = &near[..k.min(near.len())];
        let limit = near.last().map(|last| last.distance + tolerance(self.metric, last.distance));
        let mut seen = HashSet::new();
        let mut hits = 0;
        for &id in found.iter().take(k).filter(|&&id| seen.insert(id)) {
            if let Some(filter) = &self.filter {
                let row = usize::try_from(id).ok().filter(|&row| row < filter.rows());
                let row = row.with_context(|| format!("there is no row {id}"))?;
                ensure!(filter.passes(query, row), "row {id} does not pass the filter of query {query}");
            }
            let known = near.iter().any(|near| i64::from(near.id) == id);
            let near_enough = known || {
                let distance = distance_of(id)?;
                limit.is_some_and(|limit| distance <= limit)
            };
            hits += usize::from(near_enough);
        }
        Ok(if near.is_empty() { 1.0 } else { hits.min(near.len()) as f64 / near.len() as f64 })
    }
}

/// How much farther than the k-th row another may be and count as equally far.
fn tolerance(metric: Metric, distance: f64) -> f64 {
    match metric {
        // One minus a number near one: the error is that of the one, however small the distance.
        Metric::Cosine | Metric::Jaccard => SAME * distance.abs().max(1.0),
        // Differences of equal numbers are zero in any precision, so near zero the error goes to zero as well. Of an inner
        // product near zero it does not, but there the nearest rows have large ones.
        Metric::L2 | Metric::L1 | Metric::Ip | Metric::Hamming => SAME * distance.abs(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::nearest::Neighbour;
    use super::*;
    use anyhow::bail;

    /// Rows at these distances, by number.
    const ROWS: [f64; 8] = [0.1, 0.2, 0.3, 0.3, 0.3 + 1e-9, 0.4, 0.5, 2.0];

    fn truth(k: usize, filter: Option<super::super::Filter>) -> Truth {
        let rows = || (0..).zip(ROWS).map(|(id, distance)| Neighbour { id, distance });
        let passing = |filter: &super::super::Filter| {
            rows().filter(|near| filter.passes(0, near.id as usize)).take(k).collect()
        };
        let found = vec![filter.as_ref().map_or_else(|| rows().take(k).collect(), passing)];
        Truth { metric: Metric::L2, k, filter, found }
    }

    fn distance(id: i64) -> Result<f64> {
        match usize::try_from(id).ok().and_then(|id| ROWS.get(id)) {
            Some(&distance) => Ok(distance),
            None => bail!("there is no row {id}"),
        }
    }

    fn recall(truth: &Truth, found: &[i64], k: usize) -> f64 {
        truth.recall(0, found, k, distance).unwrap()
    }

    #[test]
    fn ties_with_the_last_row_count() {
        let truth = truth(3, None);
        for (found, wanted) in [
            (&[0, 1, 2][..], 3),
            (&[2, 0, 1], 3),
            (&[0, 1, 3], 3),
            (&[0, 1, 4], 3),
            (&[4, 3, 2], 3),
            (&[0, 1, 5], 2),
            (&[5, 6, 7], 0),
            (&[0], 1),
            (&[], 0),
        ] {
            assert_eq!(recall(&truth, found, 3), f64::from(wanted) / 3.0, "{found:?}");
        }
    }

    #[test]
    fn rows_count_once_and_only_the_first_k() {
        let truth = truth(4, None);
        assert_eq!(recall(&truth, &[0, 0, 0], 3), 1.0 / 3.0);
        // The second 0 takes a place of the answer.
        assert_eq!(recall(&truth, &[0, 0, 1, 2], 3), 2.0 / 3.0);
        assert_eq!(recall(&truth, &[5, 6, 7, 0, 1, 2], 3), 0.0);
        // Fewer are judged than are known.
        assert_eq!(recall(&truth, &[1, 0, 7], 2), 1.0);
        assert_eq!(recall(&truth, &[0], 1), 1.0);
    }

    #[test]
    fn a_filter_may_leave_few_rows() {
        let filter = |low, high| {
            super::super::Filter::new("test".into(), (0..8).collect::<Vec<u32>>().into(), vec![(low, high)])
        };
        let few = truth(4, Some(filter(5, 6)));
        assert_eq!(recall(&few, &[5, 6], 4), 1.0);
        assert_eq!(recall(&few, &[6], 4), 0.5);
        assert_eq!(recall(&few, &[], 4), 0.0);
        let none = truth(4, Some(filter(90, 99)));
        assert_eq!(recall(&none, &[], 4), 1.0);
        let error = few.recall(0, &[5, 1], 4, distance).unwrap_err().to_string();
        assert!(error.contains("row 1 does not pass"), "{error}");
        assert!(few.recall(0, &[8], 4, distance).is_err());
    }

    #[test]
    fn what_cannot_be_judged_is_an_error() {
        let truth = truth(3, None);
        for found in [[0, 99, 1], [-1, 0, 1]] {
            assert!(truth.recall(0, &found, 3, distance).unwrap_err().to_string().contains("no row"));
        }
        assert!(truth.recall(0, &[0], 4, distance).is_err());
        assert!(truth.recall(0, &[0], 0, distance).is_err());
        assert!(truth.recall(1, &[0], 3, distance).is_err());
    }

    #[test]
    fn the_tolerance_follows_the_metric() {
        let judge = |metric, near: f64, found: f64| {
            let truth =
                Truth { metric, k: 1, filter: None, found: vec![vec![Neighbour { id: 0, distance: near }]] };
            truth.recall(0, &[1], 1, |_| Ok(found)).unwrap()
        };
        assert_eq!(judge(Metric::Cosine, 0.0, 5e-7), 1.0);
        assert_eq!(judge(Metric::Cosine, 0.0, 2e-6), 0.0);
        assert_eq!(judge(Metric::L2, 0.0, 5e-7), 0.0);
        assert_eq!(judge(Metric::L2, 500.0, 500.0004), 1.0);
        assert_eq!(judge(Metric::L2, 500.0, 500.001), 0.0);
        assert_eq!(judge(Metric::Hamming, 0.0, 1.0), 0.0);
        assert_eq!(judge(Metric::Jaccard, 0.0, 5e-7), 1.0);
        assert_eq!(judge(Metric::Ip, -200.0, -199.9999), 1.0);
        assert_eq!(judge(Metric::Ip, -200.0, -199.999), 0.0);
        // As an index leaves out rows of length zero, one that it answers is not near.
        assert_eq!(judge(Metric::Cosine, 0.5, f64::NAN), 0.0);
    }
}
