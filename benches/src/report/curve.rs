//! An entrant's recall and cost over the swept setting, at one number of clients.

use super::gather::{Entrant, Section};
use super::grouped;
use crate::front::{Estimate, Front, Point};
use crate::record::Pass;
use crate::stats::{Summary, median};
use std::collections::{BTreeMap, BTreeSet};

/// What is taken for the cost of a query, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// Mean latency.
    Mean,
    /// Mean latency less the median of a statement that does nothing, in the same run.
    Net,
    /// What 99 % of the queries stay below.
    P99,
    /// The time that all clients together take for a query: a million over queries per second.
    Share,
}

/// The passes of one entrant with one number of clients.
#[derive(Debug)]
pub(super) struct Curve<'a> {
    pub(super) section: &'a Section,
    pub(super) entrant: &'a Entrant,
    passes: Vec<&'a Pass>,
}

/// The repeats of one setting.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    pub(super) value: Option<f64>,
    pub(super) passes: Vec<&'a Pass>,
}

impl Setting<'_> {
    pub(super) fn all(&self, of: impl Fn(&Pass) -> f64) -> Vec<f64> {
        self.passes.iter().map(|pass| of(pass)).collect()
    }

    pub(super) fn median(&self, of: impl Fn(&Pass) -> f64) -> f64 {
        median(&self.all(of))
    }
}

/// All curves of a section with so many clients, and the numbers of clients there are.
pub(super) fn curves<'a>(section: &'a Section, clients: usize) -> Vec<Curve<'a>> {
    let curve = |entrant: &'a Entrant| {
        let passes: Vec<&Pass> = entrant.passes.iter().filter(|pass| pass.clients == clients).collect();
        (!passes.is_empty()).then_some(Curve { section, entrant, passes })
    };
    section.entrants.iter().filter_map(curve).collect()
}

/// The numbers of clients that a section was searched with.
pub(super) fn clients(section: &Section) -> BTreeSet<usize> {
    section.entrants.iter().flat_map(|entrant| &entrant.passes).map(|pass| pass.clients).collect()
}

impl<'a> Curve<'a> {
    pub(super) fn swept(&self) -> bool {
        self.entrant.arm.parameter.is_some()
    }

    /// By rising value.
    pub(super) fn settings(&self) -> Vec<Setting<'a>> {
        let groups = grouped(self.passes.iter().copied(), |pass| pass.value);
        let mut settings: Vec<Setting<'a>> =
            groups.into_iter().map(|(value, passes)| Setting { value, passes }).collect();
        settings.sort_by(|a, b| a.value.unwrap_or(0.0).total_cmp(&b.value.unwrap_or(0.0)));
        settings
    }

    fn cost(&self, cost: Cost, pass: &Pass) -> Option<f64> {
        match cost {
            Cost::Mean => Some(pass.mean_us),
            Cost::P99 => Some(pass.p99_us),
            Cost::Share => Some(1e6 / pass.qps),
            Cost::Net => {
                let floor = self.section.floor(&pass.run, &self.entrant.arm, pass.clients)?;
                Some(pass.mean_us - floor)
            }
        }
    }

    /// The median over the repeats of each setting; none of them where a floor is missing.
    pub(super) fn points(&self, cost: Cost) -> Vec<Point> {
        let point = |setting: Setting<'_>| {
            let costs: Option<Vec<f64>> = setting.passes.iter().map(|pass| self.cost(cost, pass)).collect();
            Some(Point { recall: setting.median(|pass| pass.recall), cost: median(&costs?) })
        };
        self.settings().into_iter().filter_map(point).collect()
    }

    pub(super) fn front(&self, cost: Cost) -> Front {
        Front::of(self.points(cost))
    }

    /// What a recall costs; none where a floor is missing.
    pub(super) fn at(&self, cost: Cost, recall: f64) -> Option<Estimate> {
        let points = self.points(cost);
        (!points.is_empty()).then(|| Front::of(points).at(recall))
    }

    /// Half the interquartile range of what a recall costs in each repeat by itself, as a share of the median; none with a
    /// single repeat.
    pub(super) fn spread(&self, cost: Cost, recall: f64) -> Option<f64> {
        let mut repeats: BTreeMap<(&str, usize), Vec<Point>> = BTreeMap::new();
        for pass in &self.passes {
            let points = repeats.entry((&pass.run, pass.repeat)).or_default();
            points.extend(self.cost(cost, pass).map(|cost| Point { recall: pass.recall, cost }));
        }
        let costs = repeats.into_values().filter_map(|points| Front::of(points).at(recall).cost());
        let costs: Vec<f64> = costs.collect();
        (costs.len() > 1).then(|| Summary::of(&costs).spread() / 2.0)
    }
}
