//! Results for people and for programs.

mod ann;
mod curve;
mod filter;
mod gather;
mod graph;
mod growth;
mod head;
mod pictures;
mod upkeep;

mod command;
#[cfg(test)]
mod tests_of_journals;

pub(crate) use command::{Options, run, show};

use crate::stats::Summary;
use anyhow::{Context, Result};
use comfy_table::{Cell, CellAlignment, Table, presets};
use kite_cluster::workspace_root;
use serde::Serialize;
use std::fs;

/// A Markdown table; the first `left` columns are text, the others numbers.
pub(crate) fn table(left: usize, header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for row in rows {
        table.add_row(row.iter().map(Cell::new));
    }
    for column in table.column_iter_mut().skip(left) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// Writes `target/bench/<name>.md` and `.jsonl` (an object a line), and both to standard output.
pub(crate) fn write<T: Serialize>(name: &str, markdown: &str, objects: &[T]) -> Result<()> {
    let folder = workspace_root().join("target/bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut lines = String::new();
    for object in objects {
        lines += &serde_json::to_string(object)?;
        lines.push('\n');
    }
    for (ending, text) in [("md", markdown), ("jsonl", &lines)] {
        let file = folder.join(format!("{name}.{ending}"));
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        eprintln!("wrote {}", file.display());
    }
    print!("{markdown}\n{lines}");
    Ok(())
}

/// A number with as many decimals as its size leaves room for.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        1000.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// The median of repeats and half the interquartile range around it; a dash where there is none.
fn measured(values: &[f64]) -> String {
    match values {
        [] => NONE.into(),
        [value] => number(*value),
        _ => {
            let summary = Summary::of(values);
            with_spread(number(summary.median), Some(summary.spread() / 2.0))
        }
    }
}

/// `text` is what it is give or take such a share.
fn with_spread(text: String, share: Option<f64>) -> String {
    match share {
        Some(share) if share.is_finite() => format!("{text} ±{:.0} %", 100.0 * share),
        _ => text,
    }
}

/// What has the same key, in the order of the first of each.
fn grouped<'a, T, K: PartialEq>(
    all: impl IntoIterator<Item = &'a T>,
    key: impl Fn(&T) -> K,
) -> Vec<(K, Vec<&'a T>)> {
    let mut groups: Vec<(K, Vec<&'a T>)> = Vec::new();
    for one in all {
        let key = key(one);
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, group)) => group.push(one),
            None => groups.push((key, vec![one])),
        }
    }
    groups
}

/// A cell with nothing in it.
const NONE: &str = "–";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_markdown() {
        let text =
            table(1, &["what", "ms"], &[vec!["a".into(), number(12.34)], vec!["b".into(), number(0.5)]]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.starts_with('|') && line.ends_with('|')), "{text}");
        assert!(lines[2].contains("12.3 |") && lines[3].contains("0.500 |"), "{text}");
    }
}
