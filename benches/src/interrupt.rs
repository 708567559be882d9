//! Ctrl-C ends a run in order: what was measured is kept and reported, and the servers are stopped.

use anyhow::{Context, Result, bail};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);
static WATCHING: Once = Once::new();

/// From here on the first SIGINT, SIGTERM or SIGHUP only asks the run to end; a second one ends the program at once.
pub(crate) fn watch() -> Result<()> {
    let mut outcome = Ok(());
    WATCHING.call_once(|| {
        outcome = ctrlc::set_handler(|| {
            if ASKED.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            eprintln!("ending after this measurement; once more to end at once");
        });
    });
    outcome.context("cannot watch for signals")
}

/// Whether the run was asked to end.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Fails once the run was asked to end.
pub(crate) fn check() -> Result<()> {
    if asked() {
        bail!("the run was interrupted");
    }
    Ok(())
}
