//! `filter`: a range condition beside the order, more or less selective, along with the vectors and across them.

use crate::common::Common;
use crate::data::{Attributes, Correlation, Filter, Truth};
use crate::engine::turns;
use crate::interrupt;
use crate::judge::{quality, times};
use crate::plan;
use crate::progress::Progress;
use crate::record::{FilterPass, Record, Way};
use crate::sessions::{Parameters, Sessions};
use crate::stage::{Stage, on_all_data};
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::collections::BTreeMap;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Shares of the rows that pass
    #[arg(long, value_delimiter = ',', default_value = "0.1,0.01,0.001")]
    selectivity: Vec<f64>,
    /// Leaves the filter's column without a b-tree
    #[arg(long)]
    no_btree: bool,
}

/// Queries of a pass whose plans are looked at.
const PLANNED: usize = 10;

/// Planner settings for each way; the first one leaves the choice to the planner.
const WAYS: &[(Way, &[&str])] = &[
    (Way::Chosen, &[]),
    (Way::Index, &["enable_seqscan", "enable_bitmapscan", "enable_sort"]),
    (Way::FilterSort, &["enable_seqscan", "enable_indexscan"]),
    (Way::Seqscan, &["enable_indexscan", "enable_bitmapscan"]),
];

const CORRELATIONS: &[(Correlation, &str)] =
    &[(Correlation::None, "spread"), (Correlation::Positive, "near"), (Correlation::Negative, "near")];

/// Measures the grid on every data set.
pub(crate) fn run(options: &Options) -> Result<()> {
    for share in &options.selectivity {
        ensure!(*share > 0.0 && *share <= 1.0, "a selectivity is above 0 and at most 1");
    }
    on_all_data("filter", &options.common, |stage| measure(stage, options))
}

/// One combination of filter and arm.
struct Cell<'a> {
    filter: &'a Filter,
    column: &'a str,
    correlation: Correlation,
    selectivity: f64,
}

fn measure(stage: &mut Stage<'_>, options: &Options) -> Result<()> {
    let data = stage.data;
    stage.arms.retain(|act| act.library.is_none());
    eprintln!("ordering the rows of {} by place", data.name());
    let attributes = Attributes::of(data)?;
    for n in 0..stage.arms.len() {
        stage.load(n, 0..data.len(), Some(&attributes))?;
        let act = &stage.arms[n];
        if !options.no_btree {
            let (mut client, table) = (stage.server(act)?.connect()?, &act.table);
            client.batch_execute(&format!(
                "CREATE INDEX ON {table} (spread); CREATE INDEX ON {table} (near)"
            ))?;
        }
        stage.build(n, 0)?;
    }
    let progress = Progress::new(&format!("searching {}", data.name()));
    let cells = options.common.repeats * CORRELATIONS.len() * options.selectivity.len();
    let mut done = 0;
    for repeat in 0..options.common.repeats {
        for &(correlation, column) in CORRELATIONS {
            for &selectivity in &options.selectivity {
                let filter = attributes.window(correlation, selectivity);
                let truth = stage.truth(Some(&filter))?;
                let cell = Cell { filter: &filter, column, correlation, selectivity };
                for n in turns(stage.arms.len(), repeat + done) {
                    ask(stage, n, repeat, &cell, &truth).with_context(|| {
                        format!("{} at {correlation:?} {selectivity}", stage.arms[n].name)
                    })?;
                }
                done += 1;
                progress.say("cells", done as u64, cells as u64);
            }
        }
    }
    Ok(())
}

/// Asks one arm by all ways.
fn ask(stage: &mut Stage<'_>, n: usize, repeat: usize, cell: &Cell<'_>, truth: &Truth) -> Result<()> {
    let act = &stage.arms[n];
    let statement = format!(
        "SELECT id FROM {} WHERE {} BETWEEN $2 AND $3 ORDER BY {} LIMIT {}",
        act.table,
        cell.column,
        act.arm.order(stage.data.column()),
        stage.common.k
    );
    let element = act.arm.method.searched(stage.data.element());
    let queries: Vec<Parameters> = stage
        .data
        .queries()
        .take(stage.queries())
        .enumerate()
        .map(|(n, query)| -> Parameters {
            let (low, high) = cell.filter.window(n);
            let ends = [low.cast_signed(), high.cast_signed()];
            vec![element.bind(query), Box::new(ends[0]), Box::new(ends[1])]
        })
        .collect();
    let mut set_up = act.arm.set_up();
    // The planner sees the values, as it does those that are written into a statement.
    set_up.push("SET plan_cache_mode = force_custom_plan".into());
    let mut sessions = Sessions::open(stage.server(act)?, 1, &set_up, &statement)?;
    let mut passes = Vec::new();
    for &(way, off) in WAYS {
        interrupt::check()?;
        if way == Way::Index && act.index.is_none() {
            continue;
        }
        for setting in off {
            sessions.all(&format!("SET {setting} = off"))?;
        }
        let plan = plans(&mut sessions, &statement, &queries)?;
        let answers = sessions.pass(1, &queries, stage.budget())?;
        for setting in off {
            sessions.all(&format!("RESET {setting}"))?;
        }
        let (quality, times) =
            (quality(&answers, stage.data, stage.metric(), truth, stage.common.k)?, times(&answers));
        passes.push(FilterPass {
            run: stage.journal.run_id().into(),
            arm: act.name.clone(),
            correlation: cell.correlation,
            selectivity: cell.selectivity,
            way,
            plan,
            repeat,
            queries: answers.queries.len(),
            recall: quality.recall,
            rows: quality.rows,
            mean_us: times.mean,
            p50_us: times.p50,
            p99_us: times.p99,
        });
    }
    passes.into_iter().try_for_each(|pass| stage.journal.write(&Record::Filter(pass)))
}

/// The plans of some of the queries, the most frequent first: `A`, or `A (7), B (3)`.
fn plans(sessions: &mut Sessions, statement: &str, queries: &[Parameters]) -> Result<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for query in queries.iter().step_by(queries.len().div_ceil(PLANNED)) {
        let parameters: Vec<_> = query.iter().map(AsRef::as_ref).collect();
        *counts.entry(plan::nodes(sessions.any(), statement, &parameters)?).or_default() += 1;
    }
    let mut plans: Vec<(String, usize)> = counts.into_iter().collect();
    plans.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Ok(match &plans[..] {
        [(only, _)] => only.clone(),
        _ => plans.iter().map(|(plan, count)| format!("{plan} ({count})")).collect::<Vec<_>>().join(", "),
    })
}
