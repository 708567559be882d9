//! What a server's log must not hold.

use anyhow::{Result, ensure};
use kite_cluster::Cluster;

/// Levels that tell of something out of the ordinary.
const ALARMS: [&str; 4] = ["WARNING:", "ERROR:", "FATAL:", "PANIC:"];
/// What a crash of our own making, or a damaged page on a standby, looks like.
const CRASHES: [&str; 5] =
    ["PANIC:", "was terminated by signal", "inconsistent page", "panicked at", "TRAP:"];

/// That the log has no line of level WARNING or above, but for those that hold one of the `expected` texts.
///
/// # Errors
/// The first such lines.
pub fn quiet(cluster: &Cluster, expected: &[&str]) -> Result<()> {
    no_line(cluster, &[ALARMS.as_slice(), &CRASHES].concat(), expected)
}

/// That no process of the server has crashed, but for those that hold one of the `expected` texts.
///
/// # Errors
/// The first lines that tell of it.
pub fn no_crash(cluster: &Cluster, expected: &[&str]) -> Result<()> {
    no_line(cluster, &CRASHES, expected)
}

fn no_line(cluster: &Cluster, unwanted: &[&str], expected: &[&str]) -> Result<()> {
    let log = cluster.log()?;
    let holds = |line: &str, texts: &[&str]| texts.iter().any(|text| line.contains(text));
    let alarms: Vec<&str> =
        log.lines().filter(|line| holds(line, unwanted) && !holds(line, expected)).collect();
    ensure!(
        alarms.is_empty(),
        "{} alarms in the log:\n{}",
        alarms.len(),
        alarms[..alarms.len().min(10)].join("\n")
    );
    Ok(())
}
