//! Libraries that search within their own process, as the limit of what a server could reach: hnswlib and faiss, each behind
//! a small Python program (`benches/inprocess/runner.py`, which describes the protocol).

use crate::metric::Metric;
use crate::sessions::Answers;
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use kite_cluster::workspace_root;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A library that the runner knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Library {
    /// Graphs: `hnsw`, with options `m` and `ef_construction`, searched with `ef`.
    Hnswlib,
    /// Graphs as above, and inverted lists: `ivfflat`, with option `lists`, searched with `nprobe`.
    Faiss,
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hnswlib => "hnswlib",
            Self::Faiss => "faiss",
        })
    }
}

/// What the runner says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Hello {
    /// The library's version.
    pub(crate) version: String,
    /// Python's.
    pub(crate) python: String,
    /// Threads that build.
    pub(crate) threads: usize,
    /// The instructions in use, where the library tells.
    pub(crate) simd: Option<String>,
}

/// What a build took.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(crate) struct BuildFigures {
    /// Wall time of the library's calls: neither reading the rows nor bringing them to unit length.
    pub(crate) seconds: f64,
    /// Bytes of the index in a file, vectors included.
    pub(crate) bytes: u64,
    /// The most that the process had resident during the build, beyond itself and the rows that it was given. None: this
    /// system does not tell.
    pub(crate) peak_rss_bytes: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Request<'a> {
    Build { rows: &'a Path, metric: Metric, method: &'a str, options: &'a BTreeMap<String, String> },
    LoadQueries { path: &'a Path, count: usize },
    Search { k: usize, value: u64, threads: usize },
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply<T> {
    Ok(T),
    Error(String),
    /// A Python module that is not there.
    Missing(String),
}

#[derive(Deserialize)]
struct Found {
    found: Vec<Vec<i64>>,
    seconds: Vec<f64>,
    wall: f64,
}

/// A library in a process that lives as long as this.
#[derive(Debug)]
pub(crate) struct InProcess {
    library: Library,
    hello: Hello,
    pipe: Pipe,
    /// How many queries are loaded.
    queries: usize,
}

impl InProcess {
    /// Starts the library under a Python that has it.
    pub(crate) fn start(python: &Path, library: Library) -> Result<Self> {
        let threads = std::thread::available_parallelism()?;
        let mut command = Command::new(python);
        command
            .arg(workspace_root().join("benches/inprocess/runner.py"))
            .arg(library.to_string())
            .env("OMP_NUM_THREADS", threads.to_string());
        Self::run(command, library)
            .with_context(|| format!("cannot measure {library} with {}", python.display()))
    }

    fn run(command: Command, library: Library) -> Result<Self> {
        let mut pipe = Pipe::open(command)?;
        let hello = pipe.reply()?;
        Ok(Self { library, hello, pipe, queries: 0 })
    }

    /// The library's version.
    pub(crate) fn version(&self) -> &str {
        &self.hello.version
    }

    /// What the runner said of itself.
    pub(crate) fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Builds an index over the rows of a `.npy` file, on all cores, in place of the one before. Options left out have the
    /// library's own defaults. For cosine the vectors are brought to unit length first, and so are queries.
    pub(crate) fn build(
        &mut self,
        rows: &Path,
        metric: Metric,
        method: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<BuildFigures> {
        self.queries = 0;
        self.pipe
            .ask(&Request::Build { rows, metric, method, options })
            .with_context(|| format!("{} cannot build {method} over {}", self.library, rows.display()))
    }

    /// Has the first `count` queries of a `.npy` file ready for searches in the index that was built last.
    pub(crate) fn load_queries(&mut self, path: &Path, count: usize) -> Result<()> {
        self.queries = self
            .pipe
            .ask(&Request::LoadQueries { path, count })
            .with_context(|| format!("{} cannot read {}", self.library, path.display()))?;
        Ok(())
    }

    /// Asks all loaded queries for their `k` nearest rows, one query a call, in so many threads at once, with `value` for what
    /// trades recall for time. What is timed of a query is the library's call alone.
    pub(crate) fn search(&mut self, k: usize, value: &str, threads: usize) -> Result<Answers> {
        ensure!(threads > 0, "a search needs a thread");
        let value =
            value.parse().with_context(|| format!("{}: {value:?} is no whole number", self.library))?;
        let Found { found, seconds, wall } = self
            .pipe
            .ask(&Request::Search { k, value, threads })
            .with_context(|| format!("{} cannot search", self.library))?;
        ensure!(
            found.len() == self.queries && seconds.len() == self.queries,
            "{} answered {} of {} queries",
            self.library,
            found.len().min(seconds.len()),
            self.queries
        );
        Ok(Answers { queries: (0..self.queries).collect(), found, seconds, wall })
    }
}

/// The two ends of a runner: lines to it, lines from it.
#[derive(Debug)]
struct Pipe {
    process: Child,
    /// Taken when it is closed.
    requests: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
}

impl Pipe {
    fn open(mut command: Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {program}"))?;
        let requests = process.stdin.take();
        let replies = BufReader::new(process.stdout.take().context("a runner without output")?);
        Ok(Self { process, requests, replies })
    }

    fn ask<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T> {
        let line = serde_json::to_string(request)? + "\n";
        let requests = self.requests.as_mut().context("a runner without input")?;
        // A runner that no longer reads has ended, and the missing reply tells how.
        let _ = requests.write_all(line.as_bytes());
        self.reply()
    }

    fn reply<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        if self.replies.read_line(&mut line)? == 0 {
            self.requests = None;
            bail!("the runner ended ({}); what it said stands above", self.process.wait()?);
        }
        let reply = serde_json::from_str(&line).with_context(|| {
            let line: String = line.trim_end().chars().take(200).collect();
            format!("the runner's reply is not understood: {line}")
        })?;
        match reply {
            Reply::Ok(answer) => Ok(answer),
            Reply::Error(why) => bail!(why),
            Reply::Missing(module) => bail!(
                "this Python has no module {module}: install it as its own project says \
                 (benches/inprocess/requirements.txt names the versions measured), or name another Python"
            ),
        }
    }
}

/// Closes the runner's input, which ends it.
impl Drop for Pipe {
    fn drop(&mut self) {
        self.requests = None;
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests;
