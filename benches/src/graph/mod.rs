//! `graph`: the graph index by itself, without a server. Layouts on pages are searched beside the same graph in arrays, and beside
//! an inverted file.

mod beam;
mod build;
mod contest;
mod empty_first;
mod flat;
mod hnswlib;
mod index;
mod insert;
mod ivf;
mod kite;
mod layout;
mod link;
mod pgvector;
mod recheck;
mod run;
mod search;
mod set;
#[cfg(test)]
mod tests;
mod vacuum;

use crate::data::Source;
use anyhow::{Result, ensure};
use clap::{Args, Subcommand};
use contest::Searching;
use layout::Ways;
use link::Building;

/// What to measure: layouts searched, or what a subcommand says.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    search: search::Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Layouts of one graph beside each other: recall, queries a second, page reads (the default)
    Search(search::Options),
    /// Threads and memory: time, the most bytes held, recall
    Build(build::Options),
    /// An index that is there before its rows
    EmptyFirst(Indexes),
    /// Rows into a built index: rows a second, bytes of WAL, recall before and after
    Insert(insert::Options),
    /// A share of the rows deleted and vacuumed: time for each list, recall before, between and after, space used again
    Vacuum(Indexes),
}

/// What all subcommands are told.
#[derive(Debug, Clone, Args)]
struct Common {
    /// Vectors: `debian`, `generated:200kx768`, or a file (.npy, .fvecs, .hdf5); may be given several times
    #[arg(long, value_name = "SOURCE", default_value = "debian")]
    data: Vec<Source>,
    /// Rows asked for
    #[arg(long, default_value_t = 10)]
    k: usize,
    /// Queries, at most
    #[arg(long, default_value_t = 1000)]
    queries: usize,
    #[command(flatten)]
    building: Building,
    #[command(flatten)]
    searching: Searching,
}

/// What benches of kite-hnsw alone are told.
#[derive(Debug, Clone, Args)]
struct Indexes {
    #[command(flatten)]
    common: Common,
    /// Indexes: `kite[,payload=sq8/half/full][,codes=0/1/2]`
    #[arg(long, value_name = "LAYOUT", default_value = "kite")]
    layout: Vec<Ways>,
}

impl Common {
    /// Fails on numbers that make no bench.
    fn check(&self) -> Result<()> {
        let Searching { ef, repeats, chunk, .. } = &self.searching;
        let counts = [("k", self.k), ("queries", self.queries), ("repeats", *repeats), ("chunk", *chunk)];
        for (name, count) in counts {
            ensure!(count > 0, "--{name} must be at least 1");
        }
        ensure!(!ef.is_empty() && ef.iter().all(|&ef| ef > 0), "--ef must be at least 1");
        ensure!(ef.is_sorted(), "--ef lists widths from narrow to wide");
        Ok(())
    }
}

/// Measures, and reports what was measured.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.command {
        None => search::run(&options.search),
        Some(Command::Search(options)) => search::run(options),
        Some(Command::Build(options)) => build::run(options),
        Some(Command::EmptyFirst(options)) => empty_first::run(options),
        Some(Command::Insert(options)) => insert::run(options),
        Some(Command::Vacuum(options)) => vacuum::run(options),
    }
}
