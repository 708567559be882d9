//! SQL benches: pgkite beside other engines, each in a throw-away cluster, on the same rows with the same settings.
//!
//! `cargo xtask bench <command>` builds and installs the extension and runs this. README.md says what each command measures.

mod ann;
mod build;
mod building;
mod clock;
mod cold;
mod collections;
mod common;
mod contender;
mod cost;
mod data;
mod empty_first;
mod engine;
mod exact;
mod filter;
mod floor;
mod front;
mod graph;
mod inprocess;
mod insert;
mod interrupt;
mod items;
mod journal;
mod judge;
mod memory;
mod metric;
mod pin;
mod plan;
mod plot;
mod progress;
mod record;
mod report;
mod rounds;
mod scan;
mod sessions;
mod settings;
mod stage;
mod stats;
mod steady;
mod table;
mod update;
mod vacuum;
mod writers;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask bench", about = "Measure pgkite through SQL, beside other engines")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Recall against speed
    Ann(ann::Options),
    /// Time, memory, WAL and size of an index on a full table
    Build(build::Options),
    /// Rows a second into a built index
    Insert(insert::Options),
    /// Another column of indexed rows updated
    Update(update::Options),
    /// VACUUM after many deletes
    Vacuum(vacuum::Options),
    /// A condition beside the order, and what the planner makes of it
    Filter(filter::Options),
    /// Pages that a query asks for with a small cache
    Cold(cold::Options),
    /// An index that is there before its rows
    EmptyFirst(empty_first::Options),
    /// The graph index by itself: layouts on pages beside arrays, without a server
    Graph(graph::Options),
    /// SELECT 1
    Floor(floor::Options),
    /// Exact k-NN by sequential scan
    Scan(scan::Options),
    /// Functions of schema `kite` beside plain SQL
    Collections(collections::Options),
    /// What a distance takes beside a plain scan: the planner's constants
    Cost(cost::Options),
    /// Tables and pictures from the journals of other commands
    Report(report::Options),
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Ann(options) => ann::run(&options),
        Command::Build(options) => build::run(&options),
        Command::Insert(options) => insert::run(&options),
        Command::Update(options) => update::run(&options),
        Command::Vacuum(options) => vacuum::run(&options),
        Command::Filter(options) => filter::run(&options),
        Command::Cold(options) => cold::run(&options),
        Command::EmptyFirst(options) => empty_first::run(&options),
        Command::Graph(options) => graph::run(&options),
        Command::Floor(options) => floor::run(&options),
        Command::Scan(options) => scan::run(&options),
        Command::Collections(options) => collections::run(&options),
        Command::Cost(options) => cost::run(&options),
        Command::Report(options) => report::run(&options),
    }
}
