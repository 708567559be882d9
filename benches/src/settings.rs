//! What every cluster of a bench is started with, and what it runs on.

use serde::Serialize;
use std::fs;

/// Lines of `postgresql.conf`. One process works on data that is wholly in shared buffers; nothing runs in the background.
/// A sequential scan of a table larger than a quarter of the buffers would bypass them.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("shared_buffers", "3GB"),
    ("work_mem", "64MB"),
    ("maintenance_work_mem", "1GB"),
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
    ("autovacuum", "off"),
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_wal_size", "16GB"),
    ("checkpoint_timeout", "1h"),
    ("huge_pages", "off"),
];

/// The settings in one line.
pub(crate) fn settings_line() -> String {
    SETTINGS.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// The machine, as far as a reader of the results needs to know it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { cpu: cpu(&info).unwrap_or_else(|| std::env::consts::ARCH.into()), cores }
    }
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
    fn a_processor_is_named() {
        let info =
            "processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\n";
        assert_eq!(cpu(info).unwrap(), "AMD EPYC (family 26, model 2)");
        assert_eq!(cpu("model name\t: Some ARM"), Some("Some ARM".into()));
        assert_eq!(cpu("BogoMIPS : 50"), None);
    }
}
