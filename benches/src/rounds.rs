//! One round of a bench for each data set, and the report of all.

use crate::data::{Dataset, Source};
use crate::{interrupt, report};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// Measures on every data set, and reports what the journals then hold, to which `measure` adds the path of its own. What was
/// measured before an interruption or a failure is reported too.
pub(crate) fn on_each(
    sources: &[Source],
    baseline: Option<&str>,
    mut measure: impl FnMut(&Dataset, &mut Vec<PathBuf>) -> Result<()>,
) -> Result<()> {
    interrupt::watch()?;
    let (mut journals, mut outcome) = (Vec::new(), Ok(()));
    for source in sources {
        let data = source.open()?;
        let before = journals.len();
        outcome = measure(&data, &mut journals).with_context(|| format!("on {}", data.name()));
        if outcome.is_err() {
            for journal in &journals[before..] {
                eprintln!("what was measured stays in {}", journal.display());
            }
            break;
        }
    }
    if journals.is_empty() { outcome } else { report::show(&journals, baseline).and(outcome) }
}
