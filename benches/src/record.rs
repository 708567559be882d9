//! The lines of a journal: one JSON object a line, told apart by its `kind`.
//!
//! A journal starts with a [`Run`], names each [`Arm`] before the first measurement of it, and may end anywhere: a run that was
//! interrupted leaves all that it had measured. Times of queries are in microseconds, other times in seconds, sizes in bytes.
//! A reader ignores fields that it does not know.

use crate::data::Correlation;
use crate::settings::Machine;
use crate::table::Storage;
use anyhow::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::{fmt, fs};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Record {
    Run(Run),
    Arm(Arm),
    Unable(Unable),
    Pass(Pass),
    Floor(Floor),
    Build(Build),
    Insert(Insert),
    Update(Update),
    Vacuum(Vacuum),
    Filter(FilterPass),
    Cold(Cold),
    Graph(GraphPass),
}

/// What is common to all measurements of one start of the bench.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Unique: the time of the start and some random digits.
    pub(crate) run: String,
    /// The bench's command: `ann`, `build`, …
    pub(crate) command: String,
    /// All words after the program's name.
    pub(crate) arguments: Vec<String>,
    /// Of the checkout that the bench was started in, or `unknown`.
    pub(crate) commit: String,
    /// Whether tracked files differed from that commit.
    pub(crate) dirty: bool,
    /// In UTC, as RFC 3339 writes it.
    pub(crate) started: String,
    pub(crate) machine: Machine,
    /// What each cluster was started with.
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) data: DataFacts,
    /// Rows asked for by each query.
    pub(crate) k: usize,
    pub(crate) repeats: usize,
    /// Peers that the bench knows and that were not given.
    #[serde(default)]
    pub(crate) absent: Vec<String>,
}

/// What was searched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DataFacts {
    pub(crate) name: String,
    /// A hash of all vectors: equal names with other vectors are another data set.
    pub(crate) fingerprint: String,
    pub(crate) rows: usize,
    pub(crate) dims: usize,
    pub(crate) queries: usize,
    pub(crate) metric: String,
}

/// One competitor: an engine with an index made in one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Arm {
    pub(crate) run: String,
    /// Unique within a run, such as `pgvector:hnsw,m=16`.
    pub(crate) arm: String,
    pub(crate) engine: String,
    pub(crate) version: String,
    /// The server's own words for its version.
    pub(crate) server: Option<String>,
    /// The set of distance kernels, where the engine tells.
    pub(crate) kernels: Option<String>,
    /// The statement that made the index.
    pub(crate) index: Option<String>,
    /// What each session sets before its queries.
    pub(crate) session: Vec<String>,
    /// The setting that is swept, such as `hnsw.ef_search`.
    pub(crate) parameter: Option<String>,
    /// Whether it runs within a process of its own, without a server.
    pub(crate) in_process: bool,
    /// Server settings other than those of the run.
    #[serde(default)]
    pub(crate) settings: BTreeMap<String, String>,
}

/// An arm that was asked for and does not compete: its engine has no such index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unable {
    pub(crate) run: String,
    pub(crate) arm: String,
    /// In the engine's own words where it was asked.
    pub(crate) why: String,
}

/// All queries, once, at one value of the swept setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pass {
    pub(crate) run: String,
    pub(crate) arm: String,
    /// Of the swept setting.
    pub(crate) value: Option<f64>,
    pub(crate) clients: usize,
    pub(crate) repeat: usize,
    pub(crate) queries: usize,
    /// Queries that the same sessions were asked at the same value before anything was timed.
    #[serde(default)]
    pub(crate) untimed: usize,
    /// Mean share of the k nearest rows that came.
    pub(crate) recall: f64,
    /// That share for the query that fared worst.
    pub(crate) recall_min: f64,
    /// Queries that got fewer than k rows.
    pub(crate) short: usize,
    pub(crate) mean_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p95_us: f64,
    pub(crate) p99_us: f64,
    /// Queries per second of all clients together.
    pub(crate) qps: f64,
    /// The plan's nodes, outermost first: `Limit > Index Scan using items_1_idx`.
    pub(crate) plan: Option<String>,
    /// The machine's load average over the last minute.
    pub(crate) load: Option<f64>,
}

/// A statement that does nothing, prepared: what the engine's server and the way to it take of each query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Floor {
    pub(crate) run: String,
    /// As its arms name it.
    pub(crate) engine: String,
    pub(crate) clients: usize,
    pub(crate) repeat: usize,
    pub(crate) mean_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) qps: f64,
}

/// The making of an index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Build {
    pub(crate) run: String,
    pub(crate) arm: String,
    pub(crate) repeat: usize,
    pub(crate) seconds: f64,
    /// Of the backend and its workers together.
    pub(crate) peak_memory_bytes: Option<u64>,
    pub(crate) index_bytes: u64,
    pub(crate) heap_bytes: u64,
    pub(crate) toast_bytes: u64,
    pub(crate) wal_bytes: Option<u64>,
    /// The most parallel workers seen at once.
    pub(crate) workers: Option<u32>,
    pub(crate) mode: BuildMode,
    pub(crate) rows: usize,
}

/// Whether rows or index come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BuildMode {
    /// The index is made on a table that holds all rows.
    AfterLoad,
    /// The index is made on an empty table, and the rows are loaded then: the time is that of the load.
    EmptyFirst,
}

/// Rows added to a table with an index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Insert {
    pub(crate) run: String,
    pub(crate) arm: String,
    pub(crate) repeat: usize,
    pub(crate) writers: usize,
    /// Rows of one statement.
    pub(crate) batch: usize,
    /// Rows added by all writers.
    pub(crate) rows: usize,
    pub(crate) seconds: f64,
    pub(crate) rows_per_second: f64,
    pub(crate) wal_bytes: Option<u64>,
    /// WAL records, where they were counted.
    #[serde(default)]
    pub(crate) wal_records: Option<u64>,
    pub(crate) recall_before: Option<f64>,
    pub(crate) recall_after: Option<f64>,
}

/// Another column of indexed rows set to something else, a row a statement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Update {
    pub(crate) run: String,
    pub(crate) arm: String,
    pub(crate) repeat: usize,
    pub(crate) writers: usize,
    /// Rows updated by all writers, none of them twice in a run.
    pub(crate) rows: usize,
    pub(crate) seconds: f64,
    pub(crate) rows_per_second: f64,
    pub(crate) wal_bytes: u64,
    /// Share of the new versions that lie on the page of the old one and that no index hears of.
    pub(crate) hot_share: Option<f64>,
    pub(crate) index_bytes_before: u64,
    pub(crate) index_bytes_after: u64,
    pub(crate) recall_before: Option<f64>,
    pub(crate) recall_after: Option<f64>,
}

/// Rows deleted and vacuumed away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Vacuum {
    pub(crate) run: String,
    pub(crate) arm: String,
    pub(crate) repeat: usize,
    /// Share of the rows that was deleted.
    pub(crate) deleted_share: f64,
    pub(crate) seconds: f64,
    pub(crate) index_bytes_before: u64,
    pub(crate) index_bytes_after: u64,
    /// After as many rows were inserted as were deleted.
    #[serde(default)]
    pub(crate) index_bytes_refilled: Option<u64>,
    /// Lists of links that led to deleted rows.
    #[serde(default)]
    pub(crate) lists_repaired: Option<u64>,
    pub(crate) wal_bytes: Option<u64>,
    /// Of the swept setting, for the recalls and times here.
    pub(crate) value: Option<f64>,
    pub(crate) recall_before: f64,
    /// After DELETE and before VACUUM.
    pub(crate) recall_deleted: f64,
    pub(crate) recall_after: f64,
    pub(crate) mean_us_before: f64,
    pub(crate) mean_us_after: f64,
}

/// All queries with a filter, once, by one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct FilterPass {
    pub(crate) run: String,
    pub(crate) arm: String,
    /// Whether the filter's column has a b-tree.
    #[serde(default = "yes")]
    pub(crate) btree: bool,
    #[serde(default)]
    pub(crate) limit: Limit,
    /// Where the vectors lie; none: where the type puts them.
    #[serde(default)]
    pub(crate) storage: Option<Storage>,
    pub(crate) correlation: Correlation,
    /// Share of the rows that passes the filter.
    pub(crate) selectivity: f64,
    pub(crate) way: Way,
    /// The plan's nodes, outermost first.
    pub(crate) plan: String,
    pub(crate) repeat: usize,
    pub(crate) queries: usize,
    /// Of as many rows as were asked for; without a LIMIT of the first k, or the share of all rows that came if that is less.
    pub(crate) recall: f64,
    /// Mean rows that came.
    pub(crate) rows: f64,
    pub(crate) mean_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Whether it was measured no further, since it took much longer than the plan that was chosen: the times are of a few queries, and
    /// those that were ended count as if they had found nothing.
    #[serde(default)]
    pub(crate) given_up: bool,
}

/// How many rows a query asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Limit {
    Rows(usize),
    /// For all: it has no LIMIT.
    None,
}

/// That of journals from before there was a choice, if nothing else was asked for.
impl Default for Limit {
    fn default() -> Self {
        Self::Rows(10)
    }
}

impl FromStr for Limit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "none" {
            return Ok(Self::None);
        }
        let rows = text.parse().ok().filter(|&rows| rows > 0);
        Ok(Self::Rows(rows.with_context(|| format!("{text} is neither a number of rows nor `none`"))?))
    }
}

/// The end of the statement.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(rows) => write!(f, "LIMIT {rows}"),
            Self::None => Ok(()),
        }
    }
}

/// What a journal without the field had.
fn yes() -> bool {
    true
}

/// What the planner was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Way {
    /// The planner's own choice.
    Chosen,
    /// The vector index.
    Index,
    /// The filter's index, and a sort by distance.
    FilterSort,
    /// A sequential scan, and a sort by distance.
    Seqscan,
}

/// All queries with a cache far smaller than the index: pages asked for by each query, in the mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cold {
    pub(crate) run: String,
    pub(crate) arm: String,
    pub(crate) value: Option<f64>,
    /// As the server was told, such as `16MB`.
    pub(crate) shared_buffers: String,
    pub(crate) recall: f64,
    pub(crate) queries: usize,
    pub(crate) index_reads: f64,
    pub(crate) index_hits: f64,
    pub(crate) heap_reads: f64,
    pub(crate) heap_hits: f64,
    pub(crate) toast_reads: f64,
    pub(crate) toast_hits: f64,
    pub(crate) mean_us: f64,
}

/// All queries, once, in one layout of a graph, by one thread in the bench's own process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GraphPass {
    pub(crate) run: String,
    pub(crate) arm: String,
    /// Width of the beam.
    pub(crate) ef: usize,
    pub(crate) repeat: usize,
    pub(crate) queries: usize,
    pub(crate) recall: f64,
    pub(crate) recall_min: f64,
    pub(crate) mean_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Pages of the index that a query reads, in the mean.
    pub(crate) index_pages: f64,
    /// Rows that a query looks at to put its answer in order, in the mean.
    pub(crate) fetches: f64,
    /// Pages of table and TOAST that these lie on.
    pub(crate) heap_pages: f64,
    /// The machine's load average over the last minute.
    pub(crate) load: Option<f64>,
}

impl GraphPass {
    /// Pages that a query reads.
    pub(crate) fn pages(&self) -> f64 {
        self.index_pages + self.heap_pages
    }
}

/// Reads a journal. The second answer says what is odd about it without making it useless.
pub(crate) fn read(file: &Path) -> Result<(Vec<Record>, Option<String>)> {
    let name = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
    let (records, torn) = parse(&text).with_context(|| format!("{name} is not a journal of this bench"))?;
    let short = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    Ok((records, torn.then(|| format!("{short} ends within a line: the run was interrupted"))))
}

/// The records of a text, and whether it ends within a line: that line is left out.
pub(crate) fn parse(text: &str) -> Result<(Vec<Record>, bool)> {
    let mut records = Vec::new();
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        match serde_json::from_str(line) {
            Ok(record) => records.push(record),
            Err(_) if line.trim().is_empty() => {}
            Err(_) if !line.ends_with('\n') => return Ok((records, true)),
            Err(error) => return Err(error).with_context(|| format!("line {number}")),
        }
    }
    Ok((records, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: &str = r#"{"kind":"floor","run":"r","engine":"e","clients":1,"repeat":0,"mean_us":1.5,"p50_us":1,"p99_us":2,"qps":9}"#;

    #[test]
    fn a_torn_line_is_left_out_and_noted() {
        let whole = format!("{FLOOR}\n\n{FLOOR}\n");
        let (records, torn) = parse(&whole).unwrap();
        assert_eq!((records.len(), torn), (2, false));
        let (records, torn) = parse(&format!("{whole}{}", &FLOOR[..60])).unwrap();
        assert_eq!((records.len(), torn), (2, true));
        // Only the newline is missing: nothing is lost.
        let (records, torn) = parse(&format!("{whole}{FLOOR}")).unwrap();
        assert_eq!((records.len(), torn), (3, false));
        let error = parse(&format!("{FLOOR}\n{}\n{FLOOR}\n", &FLOOR[..60])).unwrap_err();
        assert!(format!("{error:#}").contains("line 2"), "{error:#}");
        assert!(parse("{\"kind\":\"other\"}\n").is_err());
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let newer = FLOOR.replace("\"clients\"", "\"colour\":[1,{}],\"clients\"");
        let (records, _) = parse(&format!("{newer}\n")).unwrap();
        let Record::Floor(floor) = &records[0] else { panic!("{records:?}") };
        assert_eq!((floor.clients, floor.mean_us), (1, 1.5));
    }

    #[test]
    fn a_file_is_named_in_errors_and_notes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ann-1.jsonl");
        assert!(read(&file).unwrap_err().to_string().contains("ann-1.jsonl"));
        std::fs::write(&file, &FLOOR[..30]).unwrap();
        let (records, note) = read(&file).unwrap();
        assert!(records.is_empty() && note.unwrap().contains("ann-1.jsonl"));
        std::fs::write(&file, "[]\n").unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("ann-1.jsonl"));
    }
}
