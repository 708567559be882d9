//! `ann`: recall against speed of every arm, one client and several.

use crate::common::Common;
use crate::contender::Contender;
use crate::data::Truth;
use crate::engine::turns;
use crate::floor::Floors;
use crate::interrupt;
use crate::judge::{quality, times};
use crate::progress::Progress;
use crate::record::{Pass, Record};
use crate::settings::load_average;
use crate::stage::{Stage, on_all_data};
use anyhow::{Context, Result};
use clap::Args;
use std::collections::BTreeMap;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Numbers of clients that ask at the same time
    #[arg(long, value_delimiter = ',', default_value = "1")]
    clients: Vec<usize>,
}

/// Measures every data set, and reports all of them.
pub(crate) fn run(options: &Options) -> Result<()> {
    on_all_data("ann", &options.common, |stage| {
        let truth = stage.truth(None)?;
        for n in 0..stage.arms.len() {
            stage.load(n, 0..stage.data.len(), None)?;
            stage.build(n, 0)?;
        }
        sweep(stage, &truth, &options.clients)
    })
}

/// Asks all arms at all values of what they sweep, an arm after the other at each step.
pub(crate) fn sweep(stage: &mut Stage<'_>, truth: &Truth, clients: &[usize]) -> Result<()> {
    let most = clients.iter().copied().max().unwrap_or(1);
    let mut contenders =
        (0..stage.arms.len()).map(|n| stage.contender(n, most)).collect::<Result<Vec<_>>>()?;
    for (contender, act) in contenders.iter_mut().zip(&stage.arms) {
        if act.index.is_some() {
            // What is asked here is how fast the index is; when it is chosen is the business of `filter`.
            contender.command("SET enable_seqscan = off")?;
        }
    }
    let mut floors = Floors::open(&stage.servers, most)?;
    let steps = stage.arms.iter().map(|act| act.arm.values.len()).max().unwrap_or(0);
    let progress = Progress::new(&format!("searching {}", stage.data.name()));
    let total = (stage.common.repeats * clients.len() * steps) as u64;
    let mut done = 0;
    // Queries that were asked beforehand, by arm, step and number of clients.
    let mut untimed = BTreeMap::new();
    for repeat in 0..stage.common.repeats {
        for &clients in clients {
            let queries = stage.queries();
            floors.measure(&mut stage.journal, clients, repeat, queries)?;
            for step in 0..steps {
                for n in turns(contenders.len(), repeat + step) {
                    let Some(value) = stage.arms[n].arm.values.get(step).cloned() else { continue };
                    let at = Point { value: &value, clients, repeat };
                    let known = untimed.get(&(n, step, clients)).copied();
                    let pass = pass(stage, n, &mut contenders[n], truth, at, known)
                        .with_context(|| format!("{} at {value}", stage.arms[n].name))?;
                    untimed.insert((n, step, clients), pass.untimed);
                    stage.journal.write(&Record::Pass(pass))?;
                }
                done += 1;
                progress.say("rounds", done, total);
            }
        }
    }
    Ok(())
}

/// What a pass is measured at.
#[derive(Clone, Copy)]
struct Point<'a> {
    value: &'a str,
    clients: usize,
    repeat: usize,
}

/// Measures a pass, after one that is not timed where there was none at this value with so many clients.
fn pass(
    stage: &Stage<'_>,
    n: usize,
    contender: &mut Contender,
    truth: &Truth,
    Point { value, clients, repeat }: Point<'_>,
    untimed: Option<usize>,
) -> Result<Pass> {
    interrupt::check()?;
    contender.set(value)?;
    let plan = contender.plan()?;
    let untimed = untimed.map_or_else(|| contender.warm(clients, stage.budget()), Ok)?;
    let answers = contender.pass(clients, stage.budget())?;
    let quality = quality(&answers, stage.data, stage.metric(), truth, stage.common.k)?;
    let times = times(&answers);
    Ok(Pass {
        run: stage.journal.run_id().into(),
        arm: stage.arms[n].name.clone(),
        value: number(value),
        clients,
        repeat,
        queries: answers.queries.len(),
        untimed,
        recall: quality.recall,
        recall_min: quality.recall_min,
        short: quality.short,
        mean_us: times.mean,
        p50_us: times.p50,
        p95_us: times.p95,
        p99_us: times.p99,
        qps: times.qps,
        plan,
        load: load_average(),
    })
}

/// The value of a swept parameter; of a list (one number for each level of an index), the last.
pub(crate) fn number(value: &str) -> Option<f64> {
    value.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_parameters() {
        assert_eq!((number("40"), number("8,32"), number("")), (Some(40.0), Some(32.0), None));
    }
}
