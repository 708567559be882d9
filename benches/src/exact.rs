//! The right answer, computed without Postgres: a wrong one must not look fast.

use crate::data::Dataset;
use crate::metric::{Element, Metric};
use anyhow::{Context, Result, ensure};

/// How far a distance summed in single precision may be off, relative to the larger of the distance and 1. Rows closer to
/// each other than that may change places.
const TOLERANCE: f64 = 1e-5;

/// The distances of all rows from one query.
#[derive(Debug)]
pub(crate) struct Truth {
    distances: Vec<f64>,
}

impl Truth {
    /// Of each query of the data set, as the column stores the vectors.
    pub(crate) fn of(data: &Dataset, element: Element, metric: Metric) -> Result<Vec<Self>> {
        let queries: Vec<Vec<f64>> = data.queries().map(|query| element.stored(query)).collect();
        let mut all: Vec<Self> =
            queries.iter().map(|_| Self { distances: Vec::with_capacity(data.len()) }).collect();
        data.for_each_row(0..data.len(), |_, row| {
            let row = element.stored(row);
            for (truth, query) in all.iter_mut().zip(&queries) {
                truth.distances.push(metric.exact(query, &row));
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// Fails unless `ids` (row numbers from 0) are k nearest rows, nearest first, up to rounding.
    pub(crate) fn check(&self, ids: &[i32], k: usize) -> Result<()> {
        let mut sorted = self.distances.clone();
        sorted.sort_by(f64::total_cmp);
        let wanted = &sorted[..k.min(sorted.len())];
        ensure!(ids.len() == wanted.len(), "{} rows instead of {}", ids.len(), wanted.len());
        let mut seen = ids.to_vec();
        seen.sort_unstable();
        ensure!(seen.windows(2).all(|pair| pair[0] != pair[1]), "a row came twice: {ids:?}");
        for (rank, (&id, &wanted)) in ids.iter().zip(wanted).enumerate() {
            let found = usize::try_from(id).ok().and_then(|id| self.distances.get(id));
            let found = *found.with_context(|| format!("there is no row {id}"))?;
            ensure!(
                (found - wanted).abs() <= TOLERANCE * wanted.abs().max(1.0),
                "at rank {rank}: row {id} at distance {found} instead of {wanted}"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged() {
        let truth = Truth { distances: vec![0.5, 0.1, 0.3, 0.1 + 1e-9, 9.0] };
        for good in [[1, 3, 2], [3, 1, 2]] {
            truth.check(&good, 3).unwrap();
        }
        for bad in [&[1, 3][..], &[1, 3, 0], &[1, 2, 3], &[1, 1, 2], &[1, 3, 7], &[1, 3, -1]] {
            assert!(truth.check(bad, 3).is_err(), "{bad:?}");
        }
        truth.check(&[1, 3, 2, 0, 4], 10).unwrap();
    }

    #[test]
    fn truth_is_about_what_is_stored() {
        let data = Dataset::generate(30, 2, 16, 3).unwrap();
        let query = data.queries().nth(1).unwrap();
        let mut row = [0.0; 16];
        data.read(7, &mut row).unwrap();
        for element in [Element::Vector, Element::Halfvec] {
            let truth = Truth::of(&data, element, Metric::L2).unwrap();
            let by_hand = Metric::L2.exact(&element.stored(query), &element.stored(&row));
            assert_eq!(truth[1].distances[7], by_hand);
        }
    }
}
