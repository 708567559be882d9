//! What a reader has to know before the figures.

use super::gather::{Gathered, Section, short, statement};
use super::table;
use crate::record::{Arm, Run};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The title, and what was measured where, how and with what, and what was not.
pub(super) fn markdown(all: &Gathered, title: &str) -> String {
    let mut text = format!("# {title}\n\n");
    let mut line = |what: &str, values: Vec<String>| {
        for value in values {
            let _ = writeln!(text, "- {what}: {value}");
        }
    };
    line("machine", unique(all.runs.iter().map(machine)));
    line("load average while measuring", load(all).into_iter().collect());
    line("engine", unique(all_arms(all).map(engine)));
    let absent = absent(all).join(", ");
    line("not compared, since not given", if absent.is_empty() { Vec::new() } else { vec![absent] });
    line("settings", unique(all.runs.iter().map(|run| format!("`{}`", settings(&run.settings)))));
    line("note", all.notes.clone());
    let rows: Vec<Vec<String>> = all
        .runs
        .iter()
        .map(|run| {
            let dirty = if run.dirty { " with changes" } else { "" };
            vec![
                run.run.clone(),
                format!("`{}`", command(&run.arguments)),
                run.data.name.clone(),
                format!("{}{dirty}", short(&run.commit)),
                run.repeats.to_string(),
            ]
        })
        .collect();
    let _ = writeln!(text, "\n{}", table(4, &["run", "command", "data", "commit", "repeats"], &rows));
    text += "\nFigures are medians of repeats ± half the interquartile range; engines took turns within each run.\n";
    text
}

/// What the names in a section's tables stand for.
pub(super) fn arms(section: &Section) -> String {
    let mut text = format!(
        "{} queries; the vectors' fingerprint is `{}`.\n\n",
        section.data.queries, section.data.fingerprint
    );
    for entrant in &section.entrants {
        let Arm { engine, version, index, session, parameter, settings: own, .. } = &entrant.arm;
        let mut parts = vec![format!("{engine} {version}")];
        // A library has options, and no statement.
        let index = index.iter().filter(|_| !entrant.arm.in_process);
        parts.extend(index.map(|index| format!("`{}`", statement(index))));
        parts.extend(session.iter().map(|set| format!("`{set}`")));
        parts.extend(parameter.iter().map(|parameter| format!("`{parameter}` is swept")));
        parts.extend((!own.is_empty()).then(|| format!("settings `{}`", settings(own))));
        parts.extend(entrant.arm.in_process.then(|| "in a process of its own, without a server".into()));
        let _ = writeln!(text, "- **{}**: {}", entrant.label, parts.join("; "));
    }
    for (arm, why) in &section.unable {
        let _ = writeln!(text, "- **{arm}** is not able to compete: {why}");
    }
    text
}

fn all_arms(all: &Gathered) -> impl Iterator<Item = &Arm> {
    all.sections.iter().flat_map(|section| &section.entrants).map(|entrant| &entrant.arm)
}

fn machine(run: &Run) -> String {
    let machine = &run.machine;
    let mut parts = vec![machine.cpu.clone(), format!("{} cores", machine.cores)];
    parts.extend(machine.memory_bytes.map(|bytes| format!("{:.0} GiB", bytes as f64 / 1024_f64.powi(3))));
    parts.extend(machine.kernel.iter().map(|kernel| format!("kernel {kernel}")));
    parts.join(", ")
}

fn load(all: &Gathered) -> Option<String> {
    let passes =
        all.sections.iter().flat_map(|section| &section.entrants).flat_map(|entrant| &entrant.passes);
    let starts = all.runs.iter().filter_map(|run| run.machine.load);
    let loads: Vec<f64> = passes.filter_map(|pass| pass.load).chain(starts).collect();
    let lowest = loads.iter().copied().reduce(f64::min)?;
    let highest = loads.iter().copied().reduce(f64::max)?;
    Some(format!("{lowest:.1} to {highest:.1}"))
}

fn engine(arm: &Arm) -> String {
    let server = arm.server.as_ref().map(|server| format!(" on PostgreSQL {server}")).unwrap_or_default();
    let kernels = arm.kernels.as_ref().map(|kernels| format!(", kernels {kernels}")).unwrap_or_default();
    format!("{} {}{server}{kernels}", arm.engine, arm.version)
}

/// What one run went without and no other had.
fn absent(all: &Gathered) -> Vec<String> {
    let present: BTreeSet<&str> = all_arms(all).map(|arm| arm.engine.as_str()).collect();
    let absent: BTreeSet<&String> = all.runs.iter().flat_map(|run| &run.absent).collect();
    absent.into_iter().filter(|name| !present.contains(name.as_str())).cloned().collect()
}

fn settings(settings: &BTreeMap<String, String>) -> String {
    settings.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// The words of a command, with folders left out: they say nothing on another machine.
fn command(arguments: &[String]) -> String {
    let word = |word: &String| {
        word.split_inclusive(['=', ','])
            .map(|part| match part.rsplit_once('/') {
                Some((folder, name)) if folder.is_empty() || folder.starts_with('/') => format!("…/{name}"),
                _ => part.to_owned(),
            })
            .collect::<String>()
    };
    arguments.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// In the order of their first appearance.
fn unique(lines: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    lines.into_iter().filter(|line| seen.insert(line.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_no_folders() {
        let words = ["ann", "--peer", "a=/usr/bin/pg_config,b=/x", "--data", "sets/one.npy"];
        let words = words.map(String::from);
        assert_eq!(command(&words), "ann --peer a=…/pg_config,b=…/x --data sets/one.npy");
    }

    #[test]
    fn lines_come_once() {
        assert_eq!(unique(["b", "a", "b"].map(String::from)), ["b", "a"]);
    }
}
