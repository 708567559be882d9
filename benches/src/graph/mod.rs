//! `graph`: the graph index by itself, without a server. Layouts on pages are searched beside the same graph in arrays.

mod beam;
mod contest;
mod flat;
mod index;
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

use crate::data::Source;
use crate::engine::Peer;
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
    search: Search,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Layouts of one graph beside each other: recall, queries a second, page reads (the default)
    Search(Search),
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

/// Which layouts are compared.
#[derive(Debug, Clone, Args)]
struct Search {
    #[command(flatten)]
    common: Common,
    /// `flat`, `pgvector[,together=N]` or `kite[,payload=sq8/half/full][,codes=0/1/2][,width=1/2/4]`; may be given several
    /// times, and `/` separates alternatives
    #[arg(long, value_name = "LAYOUT", default_values = ["flat", "pgvector,together=1/8"])]
    layout: Vec<Ways>,
    /// hnswlib, as the limit that others have reached: `hnswlib=PYTHON`
    #[arg(long, value_name = "NAME=PLACE")]
    peer: Vec<Peer>,
    /// What a page read is made to take, in nanoseconds, beyond what it takes here
    #[arg(long, default_value_t = 0)]
    page_ns: u64,
}

/// Measures, and reports what was measured.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.command {
        None => search::run(&options.search),
        Some(Command::Search(search)) => search::run(search),
    }
}
