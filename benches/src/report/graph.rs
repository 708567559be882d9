//! Layouts of a graph: what they cost in memory, and page reads priced.

use super::gather::{Entrant, Section};
use super::{NONE, grouped, number, table, with_spread};
use crate::front::{Estimate, Front, Point};
use crate::record::GraphPass;
use crate::stats::{Summary, median};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The recalls at which layouts are compared.
const TARGETS: [f64; 3] = [0.95, 0.98, 0.99];
/// Where pages and fetches are told.
const AMONG: f64 = 0.98;
/// What a page read costs in a server beyond what it costs here, in microseconds.
const PAGE_US: f64 = 0.1;
/// What the others are compared with; where neither is there, the first.
const BASELINES: [&str; 2] = ["flat", "pgvector"];

/// What is taken for the cost of a query.
type Cost = fn(&GraphPass) -> f64;

fn measured(pass: &GraphPass) -> f64 {
    pass.mean_us
}

fn priced(pass: &GraphPass) -> f64 {
    pass.mean_us + PAGE_US * pass.pages()
}

/// The tables of a section; empty where no graph was searched.
pub(super) fn markdown(section: &Section) -> String {
    let entrants = section.having(|entrant| &entrant.graphs);
    if entrants.is_empty() {
        return String::new();
    }
    let mut text = String::from("### One thread within the bench's own process\n\n");
    let _ = writeln!(
        text,
        "Queries per second at equal recall, as measured and with {PAGE_US} µs more for each page read (of the index, and of \
         table and TOAST for rows looked at again); pages and rows at recall {AMONG}:\n\n{}",
        rates(&entrants)
    );
    let mut baselines: Vec<&Entrant> =
        entrants.iter().copied().filter(|entrant| BASELINES.contains(&entrant.label.as_str())).collect();
    if baselines.is_empty() && entrants.len() > 1 {
        baselines.push(entrants[0]);
    }
    for baseline in baselines {
        let _ = writeln!(
            text,
            "\nQueries per second as a multiple of {}'s, as measured and with {PAGE_US} µs more for each page:\n\n{}",
            baseline.label,
            ratios(&entrants, baseline)
        );
    }
    let _ = writeln!(text, "\nEvery measured point:\n\n{}", points(&entrants));
    text
}

fn rates(entrants: &[&Entrant]) -> String {
    let mut header = vec!["layout".to_owned(), "bytes a row".to_owned()];
    for what in ["", "+ pages "] {
        header.extend(TARGETS.iter().map(|recall| format!("{what}{recall:.2}")));
    }
    header.extend(["pages".to_owned(), "rows".to_owned(), "best recall".to_owned()]);
    let row = |entrant: &&Entrant| {
        let built = entrant.builds.last();
        let bytes = built.map_or(NONE.into(), |build| number(build.index_bytes as f64 / build.rows as f64));
        let mut row = vec![entrant.label.clone(), bytes];
        for cost in [measured as Cost, priced] {
            row.extend(TARGETS.iter().map(|&recall| rate(entrant, cost, recall)));
        }
        let of = |cost: Cost| at(entrant, cost, AMONG).cost().map_or(NONE.into(), number);
        let best = entrant.graphs.iter().map(|pass| pass.recall).fold(0.0, f64::max);
        row.extend([of(GraphPass::pages), of(|pass| pass.fetches), format!("{best:.4}")]);
        row
    };
    show(&header, &entrants.iter().map(row).collect::<Vec<_>>())
}

fn ratios(entrants: &[&Entrant], baseline: &Entrant) -> String {
    let mut header = vec!["layout".to_owned()];
    for what in ["", "+ pages "] {
        header.extend(TARGETS.iter().map(|recall| format!("{what}{recall:.2}")));
    }
    let row = |entrant: &&Entrant| {
        let mut row = vec![entrant.label.clone()];
        for cost in [measured as Cost, priced] {
            row.extend(TARGETS.iter().map(|&recall| ratio(entrant, baseline, cost, recall)));
        }
        row
    };
    show(&header, &entrants.iter().map(row).collect::<Vec<_>>())
}

fn points(entrants: &[&Entrant]) -> String {
    let header = [
        "layout",
        "ef",
        "recall",
        "worst query",
        "mean µs",
        "p50 µs",
        "p99 µs",
        "index pages",
        "rows",
        "their pages",
    ];
    let mut rows = Vec::new();
    for entrant in entrants {
        for (ef, passes) in settings(&entrant.graphs) {
            let of = |of: Cost| median(&passes.iter().map(|pass| of(pass)).collect::<Vec<_>>());
            rows.push(vec![
                entrant.label.clone(),
                ef.to_string(),
                format!("{:.4}", of(|pass| pass.recall)),
                format!("{:.2}", of(|pass| pass.recall_min)),
                super::measured(&passes.iter().map(|pass| pass.mean_us).collect::<Vec<_>>()),
                number(of(|pass| pass.p50_us)),
                number(of(|pass| pass.p99_us)),
                number(of(|pass| pass.index_pages)),
                number(of(|pass| pass.fetches)),
                number(of(|pass| pass.heap_pages)),
            ]);
        }
    }
    table(1, &header, &rows)
}

fn show(header: &[String], rows: &[Vec<String>]) -> String {
    table(1, &header.iter().map(String::as_str).collect::<Vec<_>>(), rows)
}

/// Repeats by the width of the beam, narrow ones first.
fn settings(passes: &[GraphPass]) -> Vec<(usize, Vec<&GraphPass>)> {
    let mut groups = grouped(passes, |pass| pass.ef);
    groups.sort_by_key(|(ef, _)| *ef);
    groups
}

/// What a recall costs, by the medians of the repeats.
fn at(entrant: &Entrant, cost: Cost, recall: f64) -> Estimate {
    let point = |(_, passes): (usize, Vec<&GraphPass>)| Point {
        recall: median(&passes.iter().map(|pass| pass.recall).collect::<Vec<_>>()),
        cost: median(&passes.iter().map(|pass| cost(pass)).collect::<Vec<_>>()),
    };
    Front::of(settings(&entrant.graphs).into_iter().map(point)).at(recall)
}

/// Half the interquartile range of what a recall costs in each repeat by itself, as a share of the median.
fn spread(entrant: &Entrant, cost: Cost, recall: f64) -> Option<f64> {
    let mut repeats: BTreeMap<(&str, usize), Vec<Point>> = BTreeMap::new();
    for pass in &entrant.graphs {
        let points = repeats.entry((&pass.run, pass.repeat)).or_default();
        points.push(Point { recall: pass.recall, cost: cost(pass) });
    }
    let costs: Vec<f64> =
        repeats.into_values().filter_map(|points| Front::of(points).at(recall).cost()).collect();
    (costs.len() > 1).then(|| Summary::of(&costs).spread() / 2.0)
}

fn rate(entrant: &Entrant, cost: Cost, recall: f64) -> String {
    let estimate = at(entrant, cost, recall);
    let Some(micros) = estimate.cost() else { return NONE.into() };
    let sign = if matches!(estimate, Estimate::Below(_)) { "≥ " } else { "" };
    with_spread(format!("{sign}{}", number(1e6 / micros)), spread(entrant, cost, recall))
}

/// With a sign where one of the two is only known not to be slower.
fn ratio(entrant: &Entrant, baseline: &Entrant, cost: Cost, recall: f64) -> String {
    let (own, other) = (at(entrant, cost, recall), at(baseline, cost, recall));
    let (Some(micros), Some(base)) = (own.cost(), other.cost()) else { return NONE.into() };
    let bounded = |estimate| matches!(estimate, Estimate::Below(_));
    let sign = match (bounded(own), bounded(other)) {
        (false, false) => "",
        (true, false) => "≥ ",
        (false, true) => "≤ ",
        (true, true) => "~ ",
    };
    format!("{sign}{:.2}", base / micros)
}
