//! What every cluster of a bench is started with, and what it runs on.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::{fmt, fs};

/// What all servers have in common: everything is in shared buffers, nothing runs in the background, no disk is waited for.
const COMMON: &[(&str, &str)] = &[
    ("work_mem", "64MB"),
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
    ("autovacuum", "off"),
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("max_wal_size", "16GB"),
    ("checkpoint_timeout", "1h"),
    ("huge_pages", "off"),
];

/// For exact scans: no WAL matters. A sequential scan of a table larger than a quarter of the buffers would bypass them.
const SCAN: &[(&str, &str)] = &[
    ("shared_buffers", "3GB"),
    ("maintenance_work_mem", "1GB"),
    ("full_page_writes", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
];

/// For indexes: WAL is written as on a server that has replicas, since it is part of what an index costs.
const INDEX: &[(&str, &str)] = &[
    ("shared_buffers", "4GB"),
    ("maintenance_work_mem", "2GB"),
    ("max_parallel_maintenance_workers", "2"),
    ("full_page_writes", "on"),
    ("wal_level", "replica"),
];

/// Lines of `postgresql.conf`, the same for all throw-away servers of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Settings(BTreeMap<String, String>);

impl Settings {
    pub(crate) fn for_scans() -> Self {
        Self::of(SCAN)
    }

    pub(crate) fn for_indexes() -> Self {
        Self::of(INDEX)
    }

    /// For what runs without a server.
    pub(crate) fn none() -> Self {
        Self(BTreeMap::new())
    }

    fn of(special: &[(&str, &str)]) -> Self {
        Self(COMMON.iter().chain(special).map(|&(name, value)| (name.into(), value.into())).collect())
    }

    /// The same with these in place of, or beside, what is there.
    pub(crate) fn with(mut self, changes: &[(String, String)]) -> Self {
        self.0.extend(changes.iter().cloned());
        self
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn map(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// The settings in one line.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.iter().map(|(name, value)| format!("{name}={value}")).collect();
        f.write_str(&all.join(" "))
    }
}

/// The machine, as far as a reader of the results needs to know it. What only Linux tells is missing elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_bytes: Option<u64>,
    /// Release of the kernel.
    pub(crate) kernel: Option<String>,
    /// Load average over the minute before.
    pub(crate) load: Option<f64>,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        Self {
            cpu: cpu(&info).unwrap_or_else(|| std::env::consts::ARCH.into()),
            cores,
            memory_bytes: memory_bytes(&memory),
            kernel: kernel.map(|release| release.trim().into()),
            load: load_average(),
        }
    }
}

/// Processes that ran or waited to run, over the last minute (Linux only).
pub(crate) fn load_average() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_ascii_whitespace().next()?.parse().ok()
}

fn memory_bytes(info: &str) -> Option<u64> {
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// Model of the first processor; x86 names such as "AMD EPYC" are vague without family and model.
fn cpu(info: &str) -> Option<String> {
    let field = |name: &str| {
        info.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.trim() == name)
            .map(|(_, value)| value.trim().to_owned())
    };
    let name = field("model name")?;
    Some(match (field("cpu family"), field("model")) {
        (Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        _ => name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_wins() {
        let settings =
            Settings::for_indexes().with(&[("jit".into(), "on".into()), ("geqo".into(), "off".into())]);
        assert_eq!(settings.map()["jit"], "on");
        let line = settings.to_string();
        assert!(line.contains("geqo=off") && line.contains("wal_level=replica"), "{line}");
    }

    #[test]
    fn a_processor_is_named() {
        let info =
            "processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\n";
        assert_eq!(cpu(info).unwrap(), "AMD EPYC (family 26, model 2)");
        assert_eq!(cpu("model name\t: Some ARM"), Some("Some ARM".into()));
        assert_eq!(cpu("BogoMIPS : 50"), None);
    }

    #[test]
    fn memory_is_counted_in_bytes() {
        assert_eq!(memory_bytes("MemTotal:       2048 kB\nMemFree: 1 kB\n"), Some(2_097_152));
        assert_eq!(memory_bytes("MemFree: 1 kB"), None);
    }
}
