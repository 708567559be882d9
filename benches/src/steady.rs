//! One look at an arm, at its steady value: how good its answers are, and how long they take.

use crate::data::{Filter, Truth};
use crate::interrupt;
use crate::judge::{Quality, Times, quality, times};
use crate::stage::Stage;
use anyhow::Result;

/// Asks all queries once by the index, and holds the answers against `truth`.
pub(crate) fn ask(stage: &mut Stage<'_>, n: usize, truth: &Truth) -> Result<(Quality, Times)> {
    interrupt::check()?;
    let mut contender = stage.contender(n, 1)?;
    contender.command("SET enable_seqscan = off")?;
    let value = stage.arms[n].arm.steady().to_owned();
    contender.set(&value)?;
    contender.warm(1, stage.budget())?;
    let answers = contender.pass(1, stage.budget())?;
    Ok((quality(&answers, stage.data, stage.metric(), truth, stage.common.k)?, times(&answers)))
}

/// Recall of an arm among the rows that pass the filter, or all.
pub(crate) fn recall(stage: &mut Stage<'_>, n: usize, filter: Option<&Filter>) -> Result<f64> {
    let truth = stage.truth(filter)?;
    Ok(ask(stage, n, &truth)?.0.recall)
}

/// Recall of all arms, for their first records to take.
pub(crate) fn recalls(stage: &mut Stage<'_>, filter: Option<&Filter>) -> Result<Vec<Option<f64>>> {
    (0..stage.arms.len()).map(|n| recall(stage, n, filter).map(Some)).collect()
}
