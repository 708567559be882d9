//! Searches with a filter: what the planner chose, and what it could have chosen.

use super::gather::{Entrant, Section};
use super::{NONE, grouped, measured, number, table};
use crate::data::Correlation;
use crate::filter::ENOUGH;
use crate::record::{FilterPass, Limit, Way};
use crate::stats::median;
use crate::table::Storage;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

/// A plan that takes more times as long as the best is named.
const FAR: f64 = 1.5;

/// The repeats of one way.
struct Tried<'a> {
    way: Way,
    passes: Vec<&'a FilterPass>,
}

impl Tried<'_> {
    fn median(&self, of: impl Fn(&FilterPass) -> f64) -> f64 {
        median(&self.all(of))
    }

    fn all(&self, of: impl Fn(&FilterPass) -> f64) -> Vec<f64> {
        self.passes.iter().map(|pass| of(pass)).collect()
    }

    fn plan(&self) -> &str {
        &self.passes[0].plan
    }

    fn mean(&self) -> f64 {
        self.median(|pass| pass.mean_us)
    }

    fn enough(&self) -> bool {
        self.median(|pass| pass.recall) >= ENOUGH
    }
}

/// What is the same in all rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Case {
    storage: Option<Storage>,
    limit: Limit,
    without_btree: bool,
}

impl Case {
    fn of(pass: &FilterPass) -> Self {
        Self { storage: pass.storage, limit: pass.limit, without_btree: !pass.btree }
    }

    /// Those of a section.
    pub(super) fn all(section: &Section) -> BTreeSet<Self> {
        section.entrants.iter().flat_map(|entrant| &entrant.filters).map(Self::of).collect()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            Limit::Rows(rows) => write!(f, "LIMIT {rows}")?,
            Limit::None => f.write_str("no LIMIT")?,
        }
        f.write_str(if self.without_btree { ", no b-tree" } else { ", a b-tree on the column" })?;
        f.write_str(match self.storage {
            None => "",
            Some(Storage::Inline) => ", vectors in the rows",
            Some(Storage::Toasted) => ", vectors in TOAST",
        })
    }
}

/// The tables of a section; empty where nothing was filtered.
pub(super) fn markdown(section: &Section) -> String {
    let tables: Vec<String> = Case::all(section).into_iter().map(|case| of_case(section, case)).collect();
    if tables.is_empty() {
        return String::new();
    }
    format!("### With a filter\n\n{}\n{}", tables.join("\n"), counts(section))
}

/// How many cells each entrant was asked in, and by name those where it found too little or the planner chose badly.
fn counts(section: &Section) -> String {
    let mut text = String::from("In all:\n\n");
    for entrant in section.having(|entrant| &entrant.filters) {
        let mut cells = BTreeMap::<Correlation, usize>::new();
        let mut short = BTreeMap::<Correlation, Vec<String>>::new();
        let mut slow = Vec::new();
        for case in Case::all(section) {
            for (correlation, selectivity) in cells_of(entrant, case) {
                let ways = ways(entrant, case, (correlation, selectivity));
                let Some(chosen) = chosen(&ways) else { continue };
                *cells.entry(correlation).or_default() += 1;
                let cell = format!("{case}, {}, {} %", word(correlation), 100.0 * selectivity);
                if !chosen.enough() {
                    let recall = chosen.median(|pass| pass.recall);
                    short.entry(correlation).or_default().push(format!("{cell}: recall {recall:.4}"));
                } else if let Some(best) = fastest(&ways)
                    && chosen.mean() > FAR * best.mean()
                {
                    slow.push((
                        chosen.mean() / best.mean(),
                        format!("{cell}: {} instead of {}", chosen.plan(), best.plan()),
                    ));
                }
            }
        }
        let by_correlation = |of: &dyn Fn(Correlation) -> usize| {
            let counts =
                cells.keys().map(|&correlation| format!("{} {}", word(correlation), of(correlation)));
            counts.collect::<Vec<_>>().join(", ")
        };
        let all: usize = cells.values().sum();
        let of_short = |correlation| short.get(&correlation).map_or(0, Vec::len);
        let _ =
            writeln!(text, "- **{}**: {all} cells ({})", entrant.label, by_correlation(&|one| cells[&one]));
        let _ = writeln!(text, "  - recall of the plan chosen below {ENOUGH}: {}", by_correlation(&of_short));
        for line in short.values().flatten() {
            let _ = writeln!(text, "    - {line}");
        }
        let _ = writeln!(text, "  - more than {FAR} times as long as the best plan: {}", slow.len());
        slow.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (times, line) in slow {
            let _ = writeln!(text, "    - {times:.2} times: {line}");
        }
    }
    text
}

fn word(correlation: Correlation) -> String {
    format!("{correlation:?}").to_lowercase()
}

/// The cells of a case that an entrant was asked in, the wide ones first.
fn cells_of(entrant: &Entrant, case: Case) -> Vec<(Correlation, f64)> {
    let here = entrant.filters.iter().filter(|pass| Case::of(pass) == case);
    let mut cells: Vec<_> = here.map(|pass| (pass.correlation, pass.selectivity)).collect();
    cells.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    cells.dedup();
    cells
}

fn of_case(section: &Section, case: Case) -> String {
    let entrants = section.having(|entrant| &entrant.filters);
    let mut cells: Vec<_> = entrants.iter().flat_map(|entrant| cells_of(entrant, case)).collect();
    cells.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    cells.dedup();
    let rows: Vec<Vec<String>> = cells
        .into_iter()
        .flat_map(|cell| entrants.iter().filter_map(move |entrant| row(entrant, case, cell)))
        .collect();
    let header = [
        "arm",
        "correlation",
        "passes",
        "plan chosen",
        "best plan with recall 0.95",
        "recall",
        "rows",
        "mean µs",
        "p99 µs",
        "best µs",
        "chosen / best",
    ];
    format!("{case}:\n\n{}\n", table(5, &header, &rows))
}

/// What a share of the rows takes in the mean, in microseconds.
pub(super) struct Times {
    pub(super) selectivity: f64,
    pub(super) chosen: Option<f64>,
    /// Of the ways that find enough.
    pub(super) fastest: Option<f64>,
}

/// The times of one entrant, by falling share.
pub(super) fn times(entrant: &Entrant, case: Case, correlation: Correlation) -> Vec<Times> {
    let here =
        entrant.filters.iter().filter(|pass| Case::of(pass) == case && pass.correlation == correlation);
    let mut shares: Vec<f64> = here.map(|pass| pass.selectivity).collect();
    shares.sort_by(|a, b| b.total_cmp(a));
    shares.dedup();
    let times = |selectivity| {
        let ways = ways(entrant, case, (correlation, selectivity));
        Times {
            selectivity,
            chosen: chosen(&ways).map(Tried::mean),
            fastest: fastest(&ways).map(Tried::mean),
        }
    };
    shares.into_iter().map(times).collect()
}

fn chosen<'a, 'b>(ways: &'b [Tried<'a>]) -> Option<&'b Tried<'a>> {
    ways.iter().find(|tried| tried.way == Way::Chosen)
}

/// Of those that find enough. The same plan is as fast, whoever chose it: what two measurements of it differ by is noise.
fn fastest<'a, 'b>(ways: &'b [Tried<'a>]) -> Option<&'b Tried<'a>> {
    let enough = || ways.iter().filter(|tried| tried.enough());
    let best = enough().min_by(|a, b| a.mean().total_cmp(&b.mean()))?;
    let chosen = enough().find(|tried| tried.way == Way::Chosen && tried.plan() == best.plan());
    Some(chosen.unwrap_or(best))
}

fn ways(entrant: &Entrant, case: Case, cell: (Correlation, f64)) -> Vec<Tried<'_>> {
    // One that was given up is not the best, and its times are not whole.
    let of_case = entrant.filters.iter().filter(|pass| Case::of(pass) == case && !pass.given_up);
    let here = of_case.filter(|pass| (pass.correlation, pass.selectivity) == cell);
    grouped(here, |pass| pass.way).into_iter().map(|(way, passes)| Tried { way, passes }).collect()
}

fn row(entrant: &Entrant, case: Case, (correlation, selectivity): (Correlation, f64)) -> Option<Vec<String>> {
    let ways = ways(entrant, case, (correlation, selectivity));
    let (chosen, fastest) = (chosen(&ways), fastest(&ways));
    let of_chosen = |text: &dyn Fn(&Tried<'_>) -> String| chosen.map_or(NONE.into(), text);
    let row = vec![
        entrant.label.clone(),
        word(correlation),
        format!("{} %", 100.0 * selectivity),
        of_chosen(&|chosen| chosen.plan().into()),
        match (chosen, fastest) {
            (_, None) => "no plan reaches it".into(),
            (Some(chosen), Some(fastest)) if chosen.plan() == fastest.plan() => "the one chosen".into(),
            (_, Some(fastest)) => fastest.plan().into(),
        },
        of_chosen(&|chosen| format!("{:.4}", chosen.median(|pass| pass.recall))),
        of_chosen(&|chosen| number(chosen.median(|pass| pass.rows))),
        of_chosen(&|chosen| measured(&chosen.all(|pass| pass.mean_us))),
        of_chosen(&|chosen| number(chosen.median(|pass| pass.p99_us))),
        fastest.map_or(NONE.into(), |fastest| measured(&fastest.all(|pass| pass.mean_us))),
        match (chosen, fastest) {
            (Some(chosen), Some(_)) if !chosen.enough() => "falls short".into(),
            (Some(chosen), Some(fastest)) => format!("{:.2}", chosen.mean() / fastest.mean()),
            _ => NONE.into(),
        },
    ];
    (!ways.is_empty()).then_some(row)
}
