//! `cargo xtask`: the project's commands. `cargo xtask help` lists them.
//!
//! Everything but `install` works on private copies of the PostgreSQL installation below `target/`: no command touches a
//! server that somebody runs, and only `setup` (which `demo` and `test` include) installs packages.

mod bench;
mod demo;
mod extension;
mod files;
mod install;
mod package;
mod setup;
mod shell;
mod tiers;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The commands of pgkite's workspace")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what is missing: PostgreSQL 15 with its headers, libclang, and what the tests need besides
    Setup,
    /// Search real data on a private server that stays up until `demo --stop`
    Demo {
        /// End the demo's server and remove its data
        #[arg(long)]
        stop: bool,
    },
    /// Run the tests, all tiers unless some are named
    Test {
        /// A tier to run; may be given several times
        #[arg(long, value_enum)]
        tier: Vec<tiers::Tier>,
    },
    /// Run a bench: `kernels`, or one of kite-bench's commands with its arguments
    Bench {
        /// The bench, then what it is given
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Build the extension and install it: into the server that --pg-config names, or else into the private trees
    Install {
        /// The `pg_config` of the server
        #[arg(long, value_name = "PATH")]
        pg_config: Option<PathBuf>,
        /// Install a complete extension `vector` too, so that clients of pgvector run unchanged
        #[arg(long)]
        as_vector: bool,
        /// Put the files of another pgvector aside, or change the layout of an earlier installation
        #[arg(long, requires = "pg_config")]
        replace: bool,
    },
    /// Build the extension and pack its files for other machines: target/package
    Package {
        /// Pack a complete extension `vector` too
        #[arg(long)]
        as_vector: bool,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Task::Setup => setup::everything(),
        Task::Demo { stop: true } => demo::stop(),
        Task::Demo { stop: false } => demo::run(),
        Task::Test { tier } => tiers::run(&tier),
        Task::Bench { arguments } => bench::run(&arguments),
        Task::Install { pg_config: Some(path), as_vector, replace } => {
            install::into_server(&path, extension::layout(as_vector), replace)
        }
        Task::Install { pg_config: None, .. } => install::into_private_trees(),
        Task::Package { as_vector } => package::run(extension::layout(as_vector)),
    }
}
