//! Running other programs before the user's eyes.

use anyhow::{Context, Result, ensure};
use kite_cluster::workspace_root;
use std::env;
use std::process::Command;

/// Cargo, in the workspace.
pub(crate) fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace_root()).arg(subcommand);
    command
}

/// Prints the command, runs it with this process's output, and fails when it does.
pub(crate) fn step(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status =
        command.status().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    ensure!(status.success(), "`{}` failed: {status}", shown(command));
    Ok(())
}

/// Whether the command runs and succeeds; what it prints is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let words =
        std::iter::once(program.file_name().unwrap_or(command.get_program())).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
