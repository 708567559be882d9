//! Answers held against the truth.

use crate::data::{Dataset, Truth};
use crate::metric::Metric;
use crate::sessions::Answers;
use crate::stats::quantiles;
use anyhow::{Result, ensure};

/// How good the answers of a pass are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quality {
    /// Mean recall@k.
    pub(crate) recall: f64,
    /// Of the query that fared worst.
    pub(crate) recall_min: f64,
    /// Queries that got fewer than k rows.
    pub(crate) short: usize,
    /// Mean number of rows.
    pub(crate) rows: f64,
}

/// How long they took, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Times {
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    /// Queries per second of all clients together.
    pub(crate) qps: f64,
}

/// Compares what was found with the nearest rows.
pub(crate) fn quality(
    answers: &Answers,
    data: &Dataset,
    metric: Metric,
    truth: &Truth,
    k: usize,
) -> Result<Quality> {
    ensure!(!answers.queries.is_empty(), "nothing was asked");
    let mut all = Quality { recall: 0.0, recall_min: 1.0, short: 0, rows: 0.0 };
    for (&query, found) in answers.queries.iter().zip(&answers.found) {
        let recall = truth.recall(query, found, k, |id| data.distance(metric, query, id))?;
        all.recall += recall;
        all.recall_min = all.recall_min.min(recall);
        all.short += usize::from(found.len() < k);
        all.rows += found.len() as f64;
    }
    all.recall /= answers.queries.len() as f64;
    all.rows /= answers.queries.len() as f64;
    Ok(all)
}

/// Sums up the times of a pass.
pub(crate) fn times(answers: &Answers) -> Times {
    let micros: Vec<f64> = answers.seconds.iter().map(|seconds| seconds * 1e6).collect();
    let [p50, p95, p99] = quantiles(&micros, [0.5, 0.95, 0.99]);
    Times {
        mean: micros.iter().sum::<f64>() / micros.len() as f64,
        p50,
        p95,
        p99,
        qps: micros.len() as f64 / answers.wall,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_by_hand() {
        let answers = Answers {
            queries: vec![0, 1, 2, 3],
            found: vec![Vec::new(); 4],
            seconds: vec![1e-3, 3e-3, 2e-3, 10e-3],
            wall: 8e-3,
        };
        let times = times(&answers);
        assert!((times.mean - 4000.0).abs() < 1e-6 && (times.p50 - 2500.0).abs() < 1e-6, "{times:?}");
        assert!((times.qps - 500.0).abs() < 1e-6 && times.p99 > times.p95, "{times:?}");
    }
}
