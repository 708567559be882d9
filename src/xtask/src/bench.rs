//! `cargo xtask bench`: hands over to package kite-bench.

use crate::shell::{cargo, step};
use crate::{extension, setup};
use anyhow::Result;

/// Runs `kernels` with criterion, or a command of kite-bench on private trees that hold the extension.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if let Some((first, rest)) = arguments.split_first()
        && first == "kernels"
    {
        return step(cargo("bench").args(["--package", "kite-bench", "--"]).args(rest));
    }
    setup::server_and_headers()?;
    extension::into_private_trees()?;
    step(cargo("run").args(["--release", "--package", "kite-bench", "--"]).args(arguments))
}
