//! Searches by an index: time at equal recall, and every measured point.

use super::curve::{Cost, Curve, clients, curves};
use super::gather::{Entrant, Section};
use super::{NONE, measured, number, table, with_spread};
use crate::engine::DEFAULT;
use crate::front::Estimate;
use std::fmt::Write as _;

/// The recalls at which entrants are compared.
pub(super) const TARGETS: [f64; 4] = [0.90, 0.95, 0.98, 0.99];
/// How the name of the usual baseline begins.
const BASELINE: &str = "pgvector:hnsw";

/// The tables of a section; empty where nothing was searched.
pub(super) fn markdown(section: &Section, wanted: Option<&str>) -> String {
    let mut text = String::new();
    for clients in clients(section) {
        let curves = curves(section, clients);
        let swept: Vec<&Curve<'_>> = curves.iter().filter(|curve| curve.swept()).collect();
        let entrants: Vec<&Entrant> = curves.iter().map(|curve| curve.entrant).collect();
        let baseline = &curves[baseline(&entrants, wanted)];
        let named = &baseline.entrant.label;
        if clients == 1 {
            text += "### One client\n\n";
            if !swept.is_empty() {
                text += "Mean microseconds per query, at equal recall:\n\n";
                text += &at_targets(&swept, |curve, recall| time(curve, Cost::Mean, recall));
                let _ = writeln!(
                    text,
                    "\nThat time as a multiple of {named}'s; in brackets, after subtracting from each what `SELECT 1` takes:\n"
                );
                text += &at_targets(&swept, |curve, recall| {
                    let [whole, net] =
                        [Cost::Mean, Cost::Net].map(|cost| ratio(curve, baseline, cost, recall));
                    if whole == NONE || whole == "1" { whole } else { format!("{whole} ({net})") }
                });
                text += &floors(section, clients);
                text += "\n99 % of the queries take less than these microseconds:\n\n";
                text += &at_targets(&swept, |curve, recall| time(curve, Cost::P99, recall));
            }
        } else {
            let _ = writeln!(text, "\n### {clients} clients\n");
            if !swept.is_empty() {
                let _ = writeln!(
                    text,
                    "Queries per second of all clients, at equal recall; in brackets, as a multiple of {named}'s:\n"
                );
                text += &at_targets(&swept, |curve, recall| rate(curve, baseline, recall));
            }
        }
        for curve in curves.iter().filter(|curve| !curve.swept()) {
            text += &unswept(curve, baseline);
        }
        let _ = writeln!(text, "\nEvery measured point (* on the front):\n\n{}", points(&curves));
    }
    text
}

/// The place of what the others are compared with: what begins as wanted, else the usual one, else the first.
pub(super) fn baseline(entrants: &[&Entrant], wanted: Option<&str>) -> usize {
    let begins = |with: &str| {
        let exact = entrants.iter().position(|entrant| entrant.label == with);
        exact.or_else(|| entrants.iter().position(|entrant| entrant.label.starts_with(with)))
    };
    wanted.and_then(begins).or_else(|| begins(BASELINE)).unwrap_or(0)
}

/// What was subtracted.
fn floors(section: &Section, clients: usize) -> String {
    let floors: Vec<String> = section
        .floors(clients)
        .into_iter()
        .map(|(engine, means)| format!("{engine} {} µs", measured(&means)))
        .collect();
    if floors.is_empty() { String::new() } else { format!("\n`SELECT 1` takes: {}.\n", floors.join(", ")) }
}

fn at_targets(curves: &[&Curve<'_>], cell: impl Fn(&Curve<'_>, f64) -> String) -> String {
    let header = TARGETS.map(|recall| format!("{recall:.2}"));
    let header: Vec<&str> = std::iter::once("recall").chain(header.iter().map(String::as_str)).collect();
    let row = |curve: &&Curve<'_>| {
        let cells = TARGETS.iter().map(|&recall| cell(curve, recall));
        std::iter::once(curve.entrant.label.clone()).chain(cells).collect()
    };
    format!("{}\n", table(1, &header, &curves.iter().map(row).collect::<Vec<_>>()))
}

pub(super) fn time(curve: &Curve<'_>, cost: Cost, recall: f64) -> String {
    match curve.at(cost, recall) {
        None => NONE.into(),
        Some(Estimate::Unreached { best_recall }) => unreached(best_recall),
        Some(Estimate::Below(cost_there)) => {
            with_spread(format!("≤ {}", number(cost_there)), curve.spread(cost, recall))
        }
        Some(Estimate::Exact(cost_there) | Estimate::Interpolated(cost_there)) => {
            with_spread(number(cost_there), curve.spread(cost, recall))
        }
    }
}

fn unreached(best_recall: f64) -> String {
    format!("reaches {best_recall:.3}")
}

/// How many times the baseline's cost, with a sign where one of the two is only known not to be larger.
fn ratio(curve: &Curve<'_>, baseline: &Curve<'_>, cost: Cost, recall: f64) -> String {
    let (Some(own), Some(other)) = (curve.at(cost, recall), baseline.at(cost, recall)) else {
        return NONE.into();
    };
    let (Some(above), Some(below)) = (own.cost(), other.cost()) else { return NONE.into() };
    if std::ptr::eq(curve, baseline) {
        return "1".into();
    }
    // Without its floor a baseline may be lost in noise, and nothing is a multiple of that.
    if below <= 0.0 {
        return NONE.into();
    }
    let bounded =
        |estimate: Estimate, other: &Curve<'_>| matches!(estimate, Estimate::Below(_)) && other.swept();
    let sign = match (bounded(own, curve), bounded(other, baseline)) {
        (false, false) => "",
        (true, false) => "≤ ",
        (false, true) => "≥ ",
        (true, true) => "~ ",
    };
    format!("{sign}{:.2}", above / below)
}

fn rate(curve: &Curve<'_>, baseline: &Curve<'_>, recall: f64) -> String {
    let per_second = |estimate: Estimate| estimate.cost().map(|cost| 1e6 / cost);
    let Some(own) = curve.at(Cost::Share, recall) else { return NONE.into() };
    let Some(rate) = per_second(own) else {
        let Estimate::Unreached { best_recall } = own else { return NONE.into() };
        return unreached(best_recall);
    };
    let bounded = if matches!(own, Estimate::Below(_)) { "≥ " } else { "" };
    let text = with_spread(format!("{bounded}{}", number(rate)), curve.spread(Cost::Share, recall));
    // The inverse of how the costs compare, so the signs turn round with the roles.
    match ratio(baseline, curve, Cost::Share, recall) {
        ratio if ratio == NONE => text,
        ratio => format!("{text} ({ratio})"),
    }
}

/// A line about an entrant without anything to sweep: exact search, most often.
fn unswept(curve: &Curve<'_>, baseline: &Curve<'_>) -> String {
    let settings = curve.settings();
    let setting = &settings[0];
    let recall = setting.median(|pass| pass.recall);
    let mut text = format!("\n- {}, which has nothing to sweep: recall {recall:.4}, ", curve.entrant.label);
    let [mean, p99] =
        [measured(&setting.all(|pass| pass.mean_us)), number(setting.median(|pass| pass.p99_us))];
    let _ = write!(
        text,
        "{mean} µs per query (99 %: {p99}), {} queries per second",
        measured(&setting.all(|pass| pass.qps))
    );
    let target = TARGETS[TARGETS.len() - 1];
    let times = ratio(curve, baseline, Cost::Mean, target);
    if times != NONE && !std::ptr::eq(curve, baseline) {
        let _ = write!(text, "; {times} times what {} takes at recall {target:.2}", baseline.entrant.label);
    }
    text.push('\n');
    text
}

fn points(curves: &[Curve<'_>]) -> String {
    let mut rows = Vec::new();
    for curve in curves {
        let front = curve.front(Cost::Mean);
        let without = if curve.swept() { DEFAULT } else { "" };
        for setting in curve.settings() {
            let (recall, mean) = (setting.median(|pass| pass.recall), setting.median(|pass| pass.mean_us));
            let kept = front.points().iter().any(|point| (point.recall, point.cost) == (recall, mean));
            let worst = setting.passes.iter().map(|pass| pass.recall_min).fold(f64::INFINITY, f64::min);
            let short = setting.passes.iter().map(|pass| pass.short).max().unwrap_or(0);
            rows.push(vec![
                curve.entrant.label.clone(),
                setting.value.map_or_else(|| without.into(), |value| value.to_string()),
                format!("{recall:.4}{}", if kept { " *" } else { "" }),
                format!("{worst:.2}"),
                short.to_string(),
                measured(&setting.all(|pass| pass.mean_us)),
                number(setting.median(|pass| pass.p50_us)),
                number(setting.median(|pass| pass.p99_us)),
                measured(&setting.all(|pass| pass.qps)),
                plan(&setting.passes.iter().filter_map(|pass| pass.plan.as_deref()).collect::<Vec<_>>()),
            ]);
        }
    }
    let header = [
        "arm",
        "value",
        "recall",
        "worst query",
        "short",
        "mean µs",
        "p50 µs",
        "p99 µs",
        "QPS",
        "other plan",
    ];
    table(1, &header, &rows)
}

/// What ran, where that was not the index alone.
fn plan(plans: &[&str]) -> String {
    let mut other: Vec<&str> = plans.iter().copied().filter(|plan| !plan.contains("Index Scan")).collect();
    other.dedup();
    other.join("; ")
}
