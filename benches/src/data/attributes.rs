//! Integers beside the vectors, to filter by: unrelated to them, or alike for near ones.

use super::Dataset;
use super::hash::{Hash, Stream, mix};
use super::order::Order;
use anyhow::{Result, ensure};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const SEED: u64 = 0x6b69_7465;

/// How a filter relates to the query's neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Correlation {
    /// Not at all: neighbours pass as often as other rows.
    None,
    /// Neighbours pass more often than other rows.
    Positive,
    /// Neighbours pass less often than other rows.
    Negative,
}

/// For each query the rows with `low <= attribute <= high`.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    name: String,
    attribute: Arc<[u32]>,
    /// By query: low and high.
    windows: Vec<(u32, u32)>,
}

impl Filter {
    pub(crate) fn new(name: String, attribute: Arc<[u32]>, windows: Vec<(u32, u32)>) -> Self {
        Self { name, attribute, windows }
    }

    /// The same rows for every query: those that `keep` says.
    pub(crate) fn rows_where(data: &Dataset, name: String, keep: impl Fn(usize) -> bool) -> Self {
        let attribute = (0..data.len()).map(|row| u32::from(keep(row))).collect();
        Self::new(name, attribute, vec![(1, 1); data.queries().len()])
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Low and high of a query's window, both inside.
    pub(crate) fn window(&self, query: usize) -> (u32, u32) {
        self.windows[query]
    }

    pub(crate) fn passes(&self, query: usize, row: usize) -> bool {
        let (low, high) = self.windows[query];
        (low..=high).contains(&self.attribute[row])
    }

    /// How many rows pass, where each number stands for one row.
    pub(crate) fn matching(&self, query: usize) -> usize {
        let (low, high) = self.windows[query];
        (high - low) as usize + 1
    }

    pub(super) fn rows(&self) -> usize {
        self.attribute.len()
    }

    /// Fails unless the filter was made for as many rows and queries.
    pub(super) fn fits(&self, data: &Dataset) -> Result<()> {
        let (rows, queries) = (self.attribute.len(), self.windows.len());
        ensure!(
            rows == data.len() && queries == data.queries().len(),
            "the filter {} is for {rows} rows and {queries} queries, not for {}",
            self.name,
            data.name()
        );
        Ok(())
    }

    pub(super) fn fingerprint(&self) -> String {
        let mut hash = Hash::default();
        hash.text(&self.name).numbers(&self.attribute);
        self.windows.iter().for_each(|&(low, high)| {
            hash.number(u64::from(low)).number(u64::from(high));
        });
        hash.hex()
    }
}

/// Two attributes of each row; each holds all numbers from 0 up to the number of rows once.
#[derive(Debug)]
pub(crate) struct Attributes {
    uncorrelated: Arc<[u32]>,
    near: Arc<[u32]>,
    /// Where each query would stand among the rows by `near`.
    positions: Vec<u32>,
    /// Where the rows stand that are far from each query.
    far: Vec<u32>,
}

impl Attributes {
    /// Reads the data twice: a sample, then all of it.
    pub(crate) fn of(data: &Dataset) -> Result<Self> {
        let order = Order::of(data)?;
        let shuffle = Shuffle::new(data.len() as u64, SEED);
        let uncorrelated = (0..data.len() as u64).map(|row| shuffle.of(row) as u32).collect();
        let positions = data.queries().map(|query| order.position(query)).collect();
        let far = data.queries().map(|query| order.far_position(query)).collect();
        Ok(Self { uncorrelated, near: order.into_ranks().into(), positions, far })
    }

    /// Rows in random order.
    pub(crate) fn uncorrelated(&self) -> &Arc<[u32]> {
        &self.uncorrelated
    }

    /// Rows in an order that keeps near ones together.
    pub(crate) fn near(&self) -> &Arc<[u32]> {
        &self.near
    }

    /// The filter that lets this share of the rows pass, exactly, up to whole rows and at least one: those around the query's
    /// place in the order of the vectors, those around the place that is farthest from the query, or those around a random
    /// number.
    pub(crate) fn window(&self, correlation: Correlation, share: f64) -> Filter {
        let rows = self.near.len() as u64;
        let size = ((rows as f64 * share).round() as u64).clamp(1, rows);
        let windows = (0..).zip(self.positions.iter().zip(&self.far)).map(|(query, (&position, &far))| {
            let middle = match correlation {
                Correlation::Positive => u64::from(position),
                Correlation::Negative => u64::from(far),
                Correlation::None => Stream::new(&[SEED, query]).bits() % rows,
            };
            // Moved inside where it would reach over an end, so that it is whole.
            let low = middle.saturating_sub(size / 2).min(rows - size);
            (low as u32, (low + size - 1) as u32)
        });
        let attribute = match correlation {
            Correlation::None => &self.uncorrelated,
            Correlation::Positive | Correlation::Negative => &self.near,
        };
        let name = format!("{} {}%", format!("{correlation:?}").to_lowercase(), share * 100.0);
        Filter::new(name, Arc::clone(attribute), windows.collect())
    }
}

/// A random order of `0..len` that is computed number by number: a Feistel network of four rounds on the least even number of
/// bits, walked until it falls below `len`.
#[derive(Debug)]
struct Shuffle {
    len: u64,
    half: u32,
    seed: u64,
}

impl Shuffle {
    fn new(len: u64, seed: u64) -> Self {
        let bits = u64::BITS - len.saturating_sub(1).leading_zeros();
        Self { len, half: bits.div_ceil(2).max(1), seed }
    }

    fn of(&self, mut number: u64) -> u64 {
        let mask = (1 << self.half) - 1;
        loop {
            let (mut left, mut right) = (number >> self.half, number & mask);
            for round in 0..4 {
                (left, right) = (right, left ^ (mix(right ^ mix(self.seed ^ round)) & mask));
            }
            number = left << self.half | right;
            if number < self.len {
                return number;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::truth::Truth;
    use super::*;
    use crate::metric::Metric;

    fn numbered_once(attribute: &[u32]) -> bool {
        let mut sorted = attribute.to_vec();
        sorted.sort_unstable();
        sorted.iter().zip(0..).all(|(&a, b)| a == b)
    }

    #[test]
    fn shuffles_are_bijections() {
        for len in [1, 2, 3, 4, 5, 16, 17, 1000, 4097] {
            let shuffle = Shuffle::new(len, 5);
            let order: Vec<u32> = (0..len).map(|n| shuffle.of(n) as u32).collect();
            assert!(numbered_once(&order), "{len}");
            if len == 4097 {
                // Neighbouring rows lie far apart: a third of the range, if they are random.
                let jumps = order.windows(2).map(|pair| f64::from(pair[0].abs_diff(pair[1]))).sum::<f64>();
                assert!((jumps / 4096.0 / 4097.0 - 1.0 / 3.0).abs() < 0.02, "{jumps}");
                assert_ne!(order, (0..len).map(|n| Shuffle::new(len, 6).of(n) as u32).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn windows_let_their_share_pass_and_follow_the_neighbours() {
        let data = Dataset::generate(4000, 50, 32, 1).unwrap();
        let attributes = Attributes::of(&data).unwrap();
        assert!(numbered_once(attributes.near()) && numbered_once(attributes.uncorrelated()));
        let truth = Truth::compute(&data, Metric::Cosine, 10, None, &|_, _| ()).unwrap();
        // The share of the true neighbours that pass.
        let passing = |correlation, share: f64| {
            let filter = attributes.window(correlation, share);
            let count = |query| (0..4000).filter(|&row| filter.passes(query, row)).count();
            for query in 0..50 {
                assert_eq!(
                    count(query),
                    (4000.0 * share) as usize,
                    "{correlation:?} {share} of query {query}"
                );
                let (low, high) = filter.window(query);
                let inside = (low..=high).contains(&attributes.positions[query]);
                assert!(correlation != Correlation::Positive || inside);
            }
            let near = |query| truth.neighbours(query).iter().map(|near| near.id as usize);
            let hits = |query| near(query).filter(|&row| filter.passes(query, row)).count();
            (0..50).map(hits).sum::<usize>() as f64 / 500.0
        };
        let near = [0.1, 0.01].map(|share| passing(Correlation::Positive, share));
        assert!(near[0] > 0.3 && near[1] > 0.1, "{near:?}");
        let far = passing(Correlation::Negative, 0.1);
        assert!(far < 0.02, "{far}");
        let none = passing(Correlation::None, 0.1);
        assert!((0.05..0.15).contains(&none), "{none}");
        assert_eq!(passing(Correlation::None, 1.0), 1.0);
        assert_eq!(attributes.window(Correlation::Negative, 0.001).name(), "negative 0.1%");
    }

    #[test]
    fn data_without_differences_has_an_order_too() {
        let data = super::super::tests::by_hand(2, vec![1.0; 2 * 100], vec![1.0; 2], Metric::L2);
        let attributes = Attributes::of(&data).unwrap();
        assert!(numbered_once(attributes.near()));
        let filter = attributes.window(Correlation::Positive, 0.1);
        assert_eq!((0..100).filter(|&row| filter.passes(0, row)).count(), 10);
    }
}
