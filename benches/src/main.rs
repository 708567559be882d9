//! SQL benches: pgkite beside other engines, each in a throw-away cluster, on the same rows with the same settings.
//!
//! `cargo xtask bench <command>` builds and installs the extension and runs this. README.md says what each command measures.

mod clock;
mod cost;
mod dataset;
mod engine;
mod exact;
mod front;
#[allow(dead_code, reason = "the commands that measure come next")]
mod inprocess;
#[allow(dead_code, reason = "the commands that measure come next")]
mod journal;
mod metric;
mod plan;
mod plot;
mod record;
mod report;
mod scan;
#[allow(dead_code, reason = "the commands that measure come next")]
mod sessions;
mod settings;
mod stats;
mod table;

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
    /// Exact k-NN by sequential scan
    Scan(scan::Options),
    /// What a distance takes beside a plain scan: the planner's constants
    Cost(cost::Options),
    /// Tables and pictures from the journals of other commands
    Report(report::Options),
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Scan(options) => scan::run(&options),
        Command::Cost(options) => cost::run(&options),
        Command::Report(options) => report::run(&options),
    }
}
