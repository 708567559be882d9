//! How far a long run is, on standard error.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, stderr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often a line is written where standard error is no terminal.
const QUIET: Duration = Duration::from_secs(15);

/// One piece of work: a moving bar on a terminal, a line now and then in a log.
#[derive(Debug)]
pub(crate) struct Progress {
    what: String,
    bar: Option<ProgressBar>,
    said: Mutex<Instant>,
}

impl Progress {
    pub(crate) fn new(what: &str) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix} {msg} {wide_bar} {pos}/{len} {eta}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            bar.with_style(style).with_prefix(what.to_owned())
        });
        if bar.is_none() {
            eprintln!("{what}");
        }
        Self { what: what.into(), bar, said: Mutex::new(Instant::now()) }
    }

    /// Says how far it is. A total of 0 is not known.
    pub(crate) fn say(&self, phase: &str, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_message(phase.to_owned());
            bar.set_length(total);
            bar.set_position(done);
            return;
        }
        let Ok(mut said) = self.said.lock() else { return };
        if said.elapsed() >= QUIET {
            *said = Instant::now();
            eprintln!("{}: {phase} {done}/{total}", self.what);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
