//! Which operator orders rows for a metric, and Milvus's score for what the operator answers.

use kite_schema::{DataType, Metric};

/// How rows are compared with a query vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// By a distance, the operator of the metric's operator class.
    Distance(&'static str),
    /// Not at all: rows match or don't, and `query operator row` says which.
    Match(&'static str),
}

/// What a metric is in SQL.
pub(super) fn order(metric: Metric) -> Order {
    match metric {
        Metric::L2 => Order::Distance("<->"),
        Metric::Ip => Order::Distance("<#>"),
        Metric::Cosine => Order::Distance("<=>"),
        Metric::Hamming => Order::Distance("<~>"),
        Metric::Jaccard => Order::Distance("<%>"),
        Metric::Substructure => Order::Match("<@"),
        Metric::Superstructure => Order::Match("@>"),
    }
}

/// Milvus's score from the operator's distance. The distances of dense vectors are sums of single precision, of which `<->` takes the
/// root: rounded back to single precision, the square is the very sum again.
pub(super) fn score(metric: Metric, distance: f64) -> f64 {
    match metric {
        Metric::L2 => f64::from((distance * distance) as f32),
        // Not by negation, which would make a zero negative.
        Metric::Ip => 0.0 - distance,
        Metric::Cosine => 1.0 - distance,
        _ => distance,
    }
}

/// The same in SQL, of an expression that is the operator's distance.
pub(super) fn score_sql(metric: Metric, distance: &str) -> String {
    match metric {
        Metric::L2 => format!("CAST({distance} OPERATOR(pg_catalog.*) {distance} AS pg_catalog.float4)"),
        Metric::Ip => format!("(0::pg_catalog.float8 OPERATOR(pg_catalog.-) {distance})"),
        Metric::Cosine => format!("(1::pg_catalog.float8 OPERATOR(pg_catalog.-) {distance})"),
        _ => distance.to_owned(),
    }
}

/// Whether `a` is a better score than `b`.
pub(super) fn is_better(metric: Metric, a: f64, b: f64) -> bool {
    if metric.larger_is_better() { a > b } else { a < b }
}

/// A score in [0, 1] or so, larger is better: what rankers add up.
pub(super) fn normalised(metric: Metric, score: f64) -> f64 {
    use std::f64::consts::PI;
    match metric {
        Metric::Cosine => (1.0 + score) / 2.0,
        Metric::Ip => 0.5 + score.atan() / PI,
        _ => 1.0 - 2.0 * score.atan() / PI,
    }
}

/// A score of which larger is better, otherwise as it is.
pub(super) fn ascending(metric: Metric, score: f64) -> f64 {
    if metric.larger_is_better() { score } else { normalised(metric, score) }
}

/// Rounds as Milvus does, halves away from zero.
pub(super) fn round(score: f64, decimals: Option<u8>) -> f64 {
    let Some(decimals) = decimals else { return score };
    let scale = 10_f64.powi(i32::from(decimals));
    let rounded = (score * scale).round() / scale;
    if rounded.is_finite() { rounded } else { score }
}

/// Whether it is compared bit by bit.
pub(super) fn is_binary(kind: DataType) -> bool {
    kind == DataType::BinaryVector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_the_sums_that_were_rooted() {
        for sum in [0.0_f32, 2.0, 3.0, 0.1, 1e-30, 7.25e20, f32::MAX] {
            assert_eq!(score(Metric::L2, f64::from(sum).sqrt()), f64::from(sum));
        }
    }

    #[test]
    fn no_zero_is_negative() {
        assert!(score(Metric::Ip, 0.0).is_sign_positive());
    }

    #[test]
    fn halves_go_away_from_zero() {
        assert_eq!(round(0.125, Some(2)), 0.13);
        assert_eq!(round(-0.125, Some(2)), -0.13);
        assert_eq!(round(2.5, Some(0)), 3.0);
        assert_eq!(round(0.125, None), 0.125);
        assert_eq!(round(1e308, Some(6)), 1e308);
        assert!(round(f64::NAN, Some(1)).is_nan());
    }

    #[test]
    fn normalised_scores_are_milvus_s() {
        assert_eq!(normalised(Metric::Cosine, 0.5), 0.75);
        assert_eq!(normalised(Metric::Ip, 1.0), 0.75);
        assert_eq!(normalised(Metric::L2, 1.0), 0.5);
        assert_eq!(normalised(Metric::Jaccard, 0.0), 1.0);
        assert_eq!((ascending(Metric::Ip, 3.0), ascending(Metric::L2, 1.0)), (3.0, 0.5));
    }
}
