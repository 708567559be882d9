//! The file that a run writes, line by line as it measures.

use crate::record::{DataFacts, Record, Run};
use crate::settings::{Machine, Settings};
use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use kite_cluster::workspace_root;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A journal that is being written. Each line reaches the system before the next is measured, so that whoever interrupts the
/// run keeps what it has measured.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    command: String,
    run: String,
    started: String,
}

impl Journal {
    /// Starts `target/bench/<command>-<run>.jsonl`.
    pub(crate) fn create(command: &str) -> Result<Self> {
        Self::create_in(&workspace_root().join("target/bench"), command)
    }

    fn create_in(folder: &Path, command: &str) -> Result<Self> {
        let now = Timestamp::now();
        let run = format!("{}-{:04x}", now.strftime("%Y%m%dT%H%M%SZ"), fastrand::u16(..));
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join(format!("{command}-{run}.jsonl"));
        let file = File::create_new(&path).with_context(|| format!("cannot make {}", path.display()))?;
        eprintln!("results go to {}", path.display());
        let started = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Ok(Self { file, path, command: command.into(), run, started })
    }

    /// What names this run in all of its records.
    pub(crate) fn run_id(&self) -> &str {
        &self.run
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The first record of the journal, for the caller to write.
    pub(crate) fn run(
        &self,
        data: DataFacts,
        settings: &Settings,
        k: usize,
        repeats: usize,
        absent: Vec<String>,
    ) -> Run {
        let (commit, dirty) = checkout(&workspace_root());
        Run {
            run: self.run.clone(),
            command: self.command.clone(),
            arguments: std::env::args().skip(1).collect(),
            commit,
            dirty,
            started: self.started.clone(),
            machine: Machine::here(),
            settings: settings.map().clone(),
            data,
            k,
            repeats,
            absent,
        }
    }

    /// Appends a line. Fails on a record that could not be read again: JSON has no infinity.
    pub(crate) fn write(&mut self, record: &Record) -> Result<()> {
        let mut line = serde_json::to_string(record)?;
        ensure!(serde_json::from_str::<Record>(&line).is_ok(), "a number is not finite: {line}");
        line.push('\n');
        self.file
            .write_all(line.as_bytes())
            .with_context(|| format!("cannot write to {}", self.path.display()))
    }
}

/// The commit that is checked out in a folder, and whether tracked files differ from it; `unknown` outside a checkout.
fn checkout(folder: &Path) -> (String, bool) {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "HEAD"]) else { return ("unknown".into(), false) };
    let changes = git(&["status", "--porcelain", "--untracked-files=no"]);
    (commit, changes.is_none_or(|changes| !changes.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Floor, read};

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::create_in(folder.path(), "ann").unwrap();
        let data = DataFacts {
            name: "made up".into(),
            fingerprint: "f".into(),
            rows: 10,
            dims: 2,
            queries: 1,
            metric: "l2".into(),
        };
        let run = journal.run(data, &Settings::for_indexes(), 10, 3, vec!["vchord".into()]);
        assert_eq!((run.run.as_str(), run.command.as_str()), (journal.run_id(), "ann"));
        let mut floor = Floor {
            run: run.run.clone(),
            engine: "pgkite".into(),
            clients: 1,
            repeat: 0,
            mean_us: 20.5,
            p50_us: 20.0,
            p99_us: 31.0,
            qps: 48_000.0,
        };
        let written = [Record::Run(run), Record::Floor(floor.clone())];
        for record in &written {
            journal.write(record).unwrap();
            // What was written is there at once, with the journal still open.
            assert!(fs::read_to_string(journal.path()).unwrap().ends_with("}\n"));
        }
        floor.qps = f64::INFINITY;
        assert!(journal.write(&Record::Floor(floor)).unwrap_err().to_string().contains("not finite"));
        assert_eq!(read(journal.path()).unwrap(), (written.to_vec(), None));
    }

    #[test]
    fn a_checkout_tells_its_commit_and_changes() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(checkout(folder.path()), ("unknown".into(), false));
        let git = |arguments: &[&str]| {
            let name = ["-c", "user.name=n", "-c", "user.email=e@example.org"];
            let done =
                Command::new("git").arg("-C").arg(folder.path()).args(name).args(arguments).output().unwrap();
            assert!(done.status.success(), "{done:?}");
        };
        git(&["init", "--quiet"]);
        let file = folder.path().join("file");
        fs::write(&file, "1").unwrap();
        git(&["add", "file"]);
        git(&["commit", "--quiet", "--message", "one"]);
        let (commit, dirty) = checkout(folder.path());
        assert!(commit.len() == 40 && !dirty, "{commit}");
        fs::write(&file, "2").unwrap();
        assert_eq!(checkout(folder.path()), (commit, true));
    }
}
