//! `cargo xtask test`: the tiers of the test suite.

use crate::shell::{cargo, step, succeeds};
use crate::{extension, setup};
use anyhow::{Result, ensure};
use clap::ValueEnum;
use kite_cluster::workspace_root;
use std::process::Command;
use std::time::Instant;

/// A group of tests by what it needs to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tier {
    /// Crates without PostgreSQL
    Pure,
    /// `#[pg_test]`: Rust code inside a server, by cargo-pgrx
    Backend,
    /// sqllogictest scripts
    Sql,
    /// Clients, drivers, dumps and crashes on throw-away servers
    Client,
}

/// The library crates whose tests need no server.
const LIBRARIES: &[&str] = &[
    "kite-kernels",
    "kite-vectors",
    "kite-codecs",
    "kite-pages",
    "kite-build",
    "kite-hnsw",
    "kite-ivf",
    "kite-schema",
    "kite-filter",
    "kite-json",
    "kite-script",
];

/// The programs whose tests need no server.
const PROGRAMS: &[&str] = &["xtask", "kite-bench"];

/// Crates whose optimised code is tested too: what the compiler makes of their loops is not what it makes in a debug build.
const OPTIMISED: &[&str] = &["kite-kernels", "kite-codecs"];

/// Runs the named tiers (all, when none is named), goes on after a failure, and fails at the end if one did.
pub(crate) fn run(named: &[Tier]) -> Result<()> {
    let tiers = if named.is_empty() { Tier::value_variants() } else { named };
    let mut suite = Suite { installed: false };
    let mut outcomes = Vec::new();
    for tier in tiers {
        println!("\n=== tier {} ===", tier.name());
        let start = Instant::now();
        let outcome = suite.run(*tier);
        if let Err(error) = &outcome {
            println!("{error:#}");
        }
        outcomes.push((tier.name(), outcome.is_ok(), start.elapsed().as_secs_f64()));
    }
    println!();
    for (name, passed, seconds) in &outcomes {
        println!("tier {name:8} {} in {seconds:.0} s", if *passed { "passed" } else { "FAILED" });
    }
    let failed = outcomes.iter().filter(|(_, passed, _)| !passed).count();
    println!("tiers: {} passed, {failed} failed", outcomes.len() - failed);
    ensure!(failed == 0, "not all tiers passed");
    Ok(())
}

impl Tier {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

struct Suite {
    /// Whether the private trees hold the extension as it is now.
    installed: bool,
}

impl Suite {
    fn run(&mut self, tier: Tier) -> Result<()> {
        match tier {
            Tier::Pure => {
                // Examples in comments, which nextest does not run.
                step(cargo("test").args(["--doc", "--package", "kite-cluster"]).args(packages(LIBRARIES)))?;
                tests(&packages(LIBRARIES))?;
                // Their folders of tests are for servers.
                tests(&[packages(PROGRAMS), vec!["--bins"]].concat())?;
                tests(&[vec!["--release"], packages(OPTIMISED)].concat())
            }
            Tier::Backend => backend(),
            Tier::Sql => {
                self.install()?;
                tests(&["--package", "kite-tests", "--test", "sql"])
            }
            Tier::Client => {
                setup::client_test_tools();
                self.install()?;
                tests(&["--package", "kite-cluster"])?;
                tests(&["--package", "kite-tests", "--lib", "--test", "client*"])?;
                tests(&["--package", "kite-bench", "--test", "client*"])
            }
        }
    }

    fn install(&mut self) -> Result<()> {
        if !self.installed {
            setup::server_and_headers()?;
            extension::into_private_trees()?;
            self.installed = true;
        }
        Ok(())
    }
}

/// Arguments that select packages.
fn packages(names: &[&'static str]) -> Vec<&'static str> {
    names.iter().flat_map(|name| ["--package", name]).collect()
}

/// Runs tests by nextest, or by cargo where nextest is not installed.
fn tests(selection: &[&str]) -> Result<()> {
    let mut command = if succeeds(Command::new("cargo-nextest").args(["nextest", "--version"])) {
        let mut nextest = cargo("nextest");
        nextest.arg("run");
        nextest
    } else {
        cargo("test")
    };
    step(command.arg("--no-fail-fast").args(selection))
}

/// `cargo pgrx test` on a tree of its own, since it installs a build with the tests in it, and with a target folder of its own,
/// since another `pg_config` makes cargo build pgrx anew.
fn backend() -> Result<()> {
    setup::server_and_headers()?;
    let path = setup::backend_test_tools()?;
    let tree = setup::private_tree("backend")?;
    let mut command = cargo("pgrx");
    command
        .args(["test", &format!("pg{}", tree.major()), "--package", "pgkite"])
        .arg("--pgdata")
        .arg(tree.scratch("backend")?.join("data"))
        .env("PATH", path)
        .env("PGRX_PG_CONFIG_PATH", tree.pg_config())
        .env("CARGO_TARGET_DIR", workspace_root().join("target/backend"))
        // Flags in the environment replace those by which cargo-pgrx keeps the section that the install script comes from.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    match tree.user().name() {
        Some(name) => command.args(["--runas", name]),
        // cargo-pgrx takes the caller's name from here, and containers often do not set it.
        None => command.env("USER", kite_cluster::run(Command::new("id").arg("-un"))?.trim()),
    };
    step(&mut command)
}
