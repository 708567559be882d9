//! `cargo xtask bench`: hands over to package kite-bench.

use crate::shell::{cargo, step};
use crate::{extension, setup};
use anyhow::Result;

/// What needs neither a server nor the extension.
const SERVERLESS: [&str; 2] = ["graph", "report"];

/// Runs `kernels` with criterion, or a command of kite-bench on private trees that hold the extension.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if let Some((first, rest)) = arguments.split_first()
        && first == "kernels"
    {
        return step(cargo("bench").args(["--package", "kite-bench", "--"]).args(rest));
    }
    if arguments.first().is_none_or(|command| !SERVERLESS.contains(&command.as_str())) {
        setup::server_and_headers()?;
        extension::into_private_trees()?;
    }
    step(cargo("run").args(["--release", "--package", "kite-bench", "--"]).args(arguments))
}
