//! How times grow with the number of rows, where several sets differ in nothing else.

use super::ann::time;
use super::command::metric;
use super::curve::{Cost, curves};
use super::gather::{Entrant, Gathered, Section};
use super::{NONE, grouped, number, table};
use crate::front::Estimate;
use crate::record::{Build, BuildMode};
use crate::stats::{line, median};
use std::fmt::Write as _;

/// The recall whose time is looked at.
const RECALL: f64 = 0.98;

/// A table for each family of sets; empty where no two sets are of one.
pub(super) fn markdown(all: &Gathered) -> String {
    let mut text = String::new();
    for (_, mut sections) in grouped(&all.sections, |section| section.family(&name(section))) {
        sections.sort_by_key(|section| section.data.rows);
        sections.dedup_by_key(|section| section.data.rows);
        let tables = [
            growing(&sections, "Mean microseconds per query at recall 0.98, one client", searched),
            growing(&sections, "Seconds to build the index", built),
        ];
        let tables: Vec<String> = tables.into_iter().flatten().collect();
        if !tables.is_empty() {
            let (data, metric) = (&sections[0].data, metric(sections[0]));
            let _ = write!(
                text,
                "\n## Growth: {} × {}, {metric}, k = {}\n\n{}",
                name(sections[0]),
                data.dims,
                sections[0].k,
                tables.join("\n")
            );
        }
    }
    text
}

/// A set's name without the number of its rows: `generated:clusters` of `generated:clusters:10kx64`.
fn name(section: &Section) -> String {
    let dims = format!("x{}", section.data.dims);
    let of_rows = |part: &&str| {
        let count = part.strip_suffix(&dims).or_else(|| part.strip_prefix("rows="));
        count.is_some_and(|count| count.trim_end_matches(['k', 'm']).parse::<u64>().is_ok())
    };
    let parts = |text: &str, between: &str| {
        text.split(between).filter(|part| !of_rows(part)).collect::<Vec<_>>().join(between)
    };
    parts(&section.data.name.split(',').map(|part| parts(part, ":")).collect::<Vec<_>>().join(","), ",")
}

/// What is said of an arm on a set: in words, and as a number if it is known.
type Said = (String, Option<f64>);

/// The arms that were measured on two sets at least, with the power of the rows by which the number grows.
fn growing(
    sections: &[&Section],
    what: &str,
    of: impl Fn(&Section, &Entrant) -> Option<Said>,
) -> Option<String> {
    let mut labels: Vec<&str> = Vec::new();
    for entrant in sections.iter().flat_map(|section| &section.entrants) {
        if !labels.contains(&entrant.label.as_str()) {
            labels.push(&entrant.label);
        }
    }
    let rows: Vec<Vec<String>> = labels
        .into_iter()
        .filter_map(|label| {
            let said = |section: &&Section| {
                let entrant = section.entrants.iter().find(|entrant| entrant.label == label)?;
                of(section, entrant)
            };
            let said: Vec<Option<Said>> = sections.iter().map(said).collect();
            let logarithms = sections.iter().zip(&said).filter_map(|(section, said)| {
                let value = said.as_ref()?.1?;
                (value > 0.0).then(|| ((section.data.rows as f64).ln(), value.ln()))
            });
            let points: Vec<(f64, f64)> = logarithms.collect();
            let power = (points.len() > 1).then(|| format!("{:.2}", line(&points).1));
            let cells = said.iter().map(|said| said.as_ref().map_or(NONE.into(), |(text, _)| text.clone()));
            let row = std::iter::once(label.to_owned()).chain(cells).chain([power.unwrap_or(NONE.into())]);
            (said.iter().flatten().count() > 1).then(|| row.collect())
        })
        .collect();
    let sizes: Vec<String> = sections.iter().map(|section| format!("{} rows", section.data.rows)).collect();
    let header = std::iter::once("arm").chain(sizes.iter().map(String::as_str)).chain(["power of the rows"]);
    let header: Vec<&str> = header.collect();
    (!rows.is_empty()).then(|| format!("{what}:\n\n{}\n", table(1, &header, &rows)))
}

/// What is only an upper bound is shown, and is no point of the line.
fn searched(section: &Section, entrant: &Entrant) -> Option<Said> {
    let curves = curves(section, 1);
    let curve = curves.iter().find(|curve| std::ptr::eq(curve.entrant, entrant) && curve.swept())?;
    let number = match curve.at(Cost::Mean, RECALL)? {
        Estimate::Exact(cost) | Estimate::Interpolated(cost) => Some(cost),
        Estimate::Below(_) | Estimate::Unreached { .. } => None,
    };
    Some((time(curve, Cost::Mean, RECALL), number))
}

fn built(section: &Section, entrant: &Entrant) -> Option<Said> {
    let whole = |build: &&Build| build.mode == BuildMode::AfterLoad && build.rows == section.data.rows;
    let seconds: Vec<f64> = entrant.builds.iter().filter(whole).map(|build| build.seconds).collect();
    let seconds = (!seconds.is_empty()).then(|| median(&seconds))?;
    Some((number(seconds), Some(seconds)))
}
