//! What a recall costs: the Pareto front of measured points, and what lies between them.

/// A measured setting: a share of the nearest rows, and what it took to find them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) recall: f64,
    pub(crate) cost: f64,
}

/// The points that no other point beats: more recall costs more all along it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Front {
    points: Vec<Point>,
}

/// What a wanted recall costs. Nothing is said about what lies outside the measured points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Estimate {
    /// A point of the front has just this recall.
    Exact(f64),
    /// Between two points of the front.
    Interpolated(f64),
    /// The cheapest point has more recall than was asked for: at most this.
    Below(f64),
    /// No point has that much.
    Unreached { best_recall: f64 },
}

impl Estimate {
    /// The cost, or its upper bound.
    pub(crate) fn cost(self) -> Option<f64> {
        match self {
            Self::Exact(cost) | Self::Interpolated(cost) | Self::Below(cost) => Some(cost),
            Self::Unreached { .. } => None,
        }
    }
}

impl Front {
    /// Of at least one point.
    pub(crate) fn of(points: impl IntoIterator<Item = Point>) -> Self {
        let mut points: Vec<Point> = points.into_iter().collect();
        points.sort_by(|a, b| b.recall.total_cmp(&a.recall).then(a.cost.total_cmp(&b.cost)));
        let mut cheapest = f64::INFINITY;
        points.retain(|point| {
            let kept = point.cost < cheapest;
            cheapest = cheapest.min(point.cost);
            kept
        });
        points.reverse();
        Self { points }
    }

    /// By rising recall, and so by rising cost.
    pub(crate) fn points(&self) -> &[Point] {
        &self.points
    }

    /// What `recall` costs. Between neighbours the logarithm of the cost is taken to be linear in recall.
    pub(crate) fn at(&self, recall: f64) -> Estimate {
        let after = self.points.partition_point(|point| point.recall < recall);
        let Some(&upper) = self.points.get(after) else {
            let best_recall = self.points.last().map_or(0.0, |point| point.recall);
            return Estimate::Unreached { best_recall };
        };
        if upper.recall == recall {
            return Estimate::Exact(upper.cost);
        }
        let Some(&lower) = after.checked_sub(1).and_then(|before| self.points.get(before)) else {
            return Estimate::Below(upper.cost);
        };
        let share = (recall - lower.recall) / (upper.recall - lower.recall);
        Estimate::Interpolated(if lower.cost > 0.0 {
            lower.cost * (upper.cost / lower.cost).powf(share)
        } else {
            // A cost from which noise was subtracted along with the floor has no logarithm.
            lower.cost + (upper.cost - lower.cost) * share
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn front(points: &[(f64, f64)]) -> Front {
        Front::of(points.iter().map(|&(recall, cost)| Point { recall, cost }))
    }

    #[test]
    fn dominated_points_go() {
        let kept =
            front(&[(0.9, 100.0), (0.8, 110.0), (0.95, 200.0), (0.94, 200.0), (0.5, 20.0), (0.9, 100.0)]);
        let kept: Vec<(f64, f64)> = kept.points().iter().map(|point| (point.recall, point.cost)).collect();
        assert_eq!(kept, [(0.5, 20.0), (0.9, 100.0), (0.95, 200.0)]);
    }

    #[test]
    fn of_equal_recalls_the_cheapest_counts() {
        let front = front(&[(0.9, 120.0), (0.9, 100.0), (0.9, 140.0)]);
        assert_eq!(front.points(), [Point { recall: 0.9, cost: 100.0 }]);
        assert_eq!(front.at(0.9), Estimate::Exact(100.0));
    }

    #[test]
    fn a_single_point_tells_little() {
        let front = front(&[(0.9, 100.0)]);
        assert_eq!(front.at(0.8), Estimate::Below(100.0));
        assert_eq!(front.at(0.9), Estimate::Exact(100.0));
        assert_eq!(front.at(0.95), Estimate::Unreached { best_recall: 0.9 });
        assert_eq!(front.at(0.95).cost(), None);
    }

    #[test]
    fn between_neighbours_the_logarithm_is_linear() {
        let front = front(&[(0.9, 100.0), (1.0, 400.0), (0.8, 10.0)]);
        let Estimate::Interpolated(cost) = front.at(0.95) else { panic!() };
        assert!((cost - 200.0).abs() < 1e-9, "the geometric mean, not {cost}");
        let Estimate::Interpolated(cost) = front.at(0.825) else { panic!() };
        assert!((cost - 10.0 * 10_f64.powf(0.25)).abs() < 1e-9, "{cost}");
        // What is at or below nothing is joined by a straight line.
        let sloping = self::front(&[(0.9, -1.0), (1.0, 3.0)]);
        let Estimate::Interpolated(cost) = sloping.at(0.95) else { panic!() };
        assert!((cost - 1.0).abs() < 1e-9, "{cost}");
    }

    proptest! {
        #[test]
        fn more_recall_never_costs_less(
            points in prop::collection::vec((0.0..=1.0_f64, 0.1..1e6_f64), 1..20),
            a in 0.0..=1.0_f64,
            b in 0.0..=1.0_f64,
        ) {
            let front = front(&points);
            let (low, high) = (a.min(b), a.max(b));
            match (front.at(low).cost(), front.at(high).cost()) {
                (Some(low), Some(high)) => prop_assert!(low <= high * (1.0 + 1e-12)),
                (_, high) => prop_assert!(high.is_none(), "a lower recall is not reached, a higher one is"),
            }
            // No measured point beats the front.
            for &(recall, cost) in &points {
                prop_assert!(front.at(recall).cost().is_some_and(|best| best <= cost * (1.0 + 1e-12)));
            }
        }
    }
}
