//! The program, run as from a command line.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::process::Command;

/// Runs a command of kite-bench. Answers the records of its journal, and what it printed.
pub(crate) fn bench(command: &str, arguments: &[&str]) -> Result<(Vec<Value>, String)> {
    let output = Command::new(env!("CARGO_BIN_EXE_kite-bench")).arg(command).args(arguments).output()?;
    let (said, printed) =
        (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout).into_owned());
    ensure!(output.status.success(), "{command} failed: {said}");
    let path = said
        .lines()
        .find_map(|line| line.strip_prefix("results go to "))
        .with_context(|| format!("{command} named no journal: {said}"))?;
    let records = std::fs::read_to_string(path)?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<Vec<Value>, _>>()?;
    std::fs::remove_file(path)?;
    Ok((records, printed))
}

/// The records of a kind.
pub(crate) fn of_kind<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["kind"] == kind).collect()
}
