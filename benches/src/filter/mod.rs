//! `filter`: a range condition beside the order, more or less selective, along with the vectors and across them.

mod ways;

use crate::common::Common;
use crate::data::{Attributes, Correlation, Filter, Truth};
use crate::engine::turns;
use crate::judge::{quality, times};
use crate::plan;
use crate::progress::Progress;
use crate::record::{FilterPass, Limit, Record, Way};
use crate::sessions::{Answers, Parameters, Sessions};
use crate::stage::{Act, Stage, on_all_data};
use crate::table::Storage;
use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use ways::{Measured, WAYS, measure};

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Shares of the rows that pass
    #[arg(long, value_delimiter = ',', default_value = "1,0.5,0.1,0.01,0.001")]
    selectivity: Vec<f64>,
    /// How the filter relates to the queries
    #[arg(long, value_enum, value_delimiter = ',', default_value = "none,positive,negative")]
    correlation: Vec<Correlation>,
    /// Whether the filter's column has a b-tree
    #[arg(long, value_enum, value_delimiter = ',', default_value = "with")]
    btree: Vec<Btree>,
    /// Rows asked for, or `none` for a query without LIMIT [default: as many as --k says]
    #[arg(long, value_delimiter = ',')]
    limit: Vec<Limit>,
    /// Where the vectors lie [default: where the type puts them]
    #[arg(long, value_enum, value_delimiter = ',')]
    storage: Vec<Storage>,
}

/// What the filter's column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Btree {
    With,
    Without,
}

/// Queries of a pass whose plans are looked at.
const PLANNED: usize = 10;

/// What a plan finds that counts as an answer.
pub(crate) const ENOUGH: f64 = 0.95;

/// Measures the grid on every data set.
pub(crate) fn run(options: &Options) -> Result<()> {
    for share in &options.selectivity {
        ensure!(*share > 0.0 && *share <= 1.0, "a selectivity is above 0 and at most 1");
    }
    on_all_data("filter", &options.common, |stage| grid(stage, options))
}

/// One combination of filter and query.
struct Cell<'a> {
    filter: &'a Filter,
    correlation: Correlation,
    selectivity: f64,
    btree: bool,
    limit: Limit,
}

impl Options {
    fn limits(&self) -> Vec<Limit> {
        if self.limit.is_empty() { vec![Limit::Rows(self.common.k)] } else { self.limit.clone() }
    }

    fn storages(&self) -> Vec<Option<Storage>> {
        if self.storage.is_empty() { vec![None] } else { self.storage.iter().copied().map(Some).collect() }
    }
}

fn grid(stage: &mut Stage<'_>, options: &Options) -> Result<()> {
    let data = stage.data;
    stage.arms.retain(|act| act.library.is_none());
    eprintln!("ordering the rows of {} by place", data.name());
    let attributes = Attributes::of(data)?;
    for storage in options.storages() {
        stage.storage = storage;
        for n in 0..stage.arms.len() {
            stage.load(n, 0..data.len(), Some(&attributes))?;
            stage.build(n, 0)?;
        }
        for &btree in &options.btree {
            let has_btree = btree == Btree::With;
            for act in &stage.arms {
                index_columns(stage, act, has_btree)?;
            }
            walk(stage, options, &attributes, has_btree)?;
        }
    }
    Ok(())
}

/// Gives the filters' columns b-trees, or takes them away.
fn index_columns(stage: &Stage<'_>, act: &Act, wanted: bool) -> Result<()> {
    let mut client = stage.server(act)?.connect()?;
    for column in ["spread", "near"] {
        let table = &act.table;
        client.batch_execute(&format!("DROP INDEX IF EXISTS {table}_{column}_idx"))?;
        if wanted {
            client.batch_execute(&format!("CREATE INDEX {table}_{column}_idx ON {table} ({column})"))?;
        }
    }
    Ok(())
}

/// Asks all arms in all cells of the tables as they are.
fn walk(stage: &mut Stage<'_>, options: &Options, attributes: &Attributes, btree: bool) -> Result<()> {
    let limits = options.limits();
    let rows = |limit: &Limit| if let Limit::Rows(rows) = limit { *rows } else { options.common.k };
    let most = limits.iter().map(rows).max().unwrap_or(options.common.k);
    let progress = Progress::new(&format!("searching {}", stage.data.name()));
    let filters = options.common.repeats * options.correlation.len() * options.selectivity.len();
    let mut done = 0;
    let mut sessions = sessions(stage)?;
    for repeat in 0..options.common.repeats {
        for &correlation in &options.correlation {
            for &selectivity in &options.selectivity {
                let filter = attributes.window(correlation, selectivity);
                let truth = stage.truth_of(most, Some(&filter))?;
                for &limit in &limits {
                    let cell = Cell { filter: &filter, correlation, selectivity, btree, limit };
                    for n in turns(stage.arms.len(), repeat + done) {
                        ask(stage, n, &mut sessions[n], repeat, &cell, &truth).with_context(|| {
                            format!("{} at {correlation:?} {selectivity}", stage.arms[n].name)
                        })?;
                    }
                }
                done += 1;
                progress.say("filters", done as u64, filters as u64);
            }
        }
    }
    Ok(())
}

/// A session on each arm's server. It stays from cell to cell, since a new process would pay for each page that it touches first.
fn sessions(stage: &Stage<'_>) -> Result<Vec<Sessions>> {
    let open = |act: &Act| {
        let mut set_up = act.arm.set_up();
        // The planner sees the values, as it does those that are written into a statement.
        set_up.push("SET plan_cache_mode = force_custom_plan".into());
        Sessions::open(stage.server(act)?, 1, &set_up, "SELECT 1")
    };
    stage.arms.iter().map(open).collect()
}

/// Asks one arm by all ways, but for those whose plan is the chosen one.
fn ask(
    stage: &mut Stage<'_>,
    n: usize,
    sessions: &mut Sessions,
    repeat: usize,
    cell: &Cell<'_>,
    truth: &Truth,
) -> Result<()> {
    let act = &stage.arms[n];
    let column = if cell.correlation == Correlation::None { "spread" } else { "near" };
    let statement = format!(
        "SELECT id FROM {} WHERE {column} BETWEEN $2 AND $3 ORDER BY {} {}",
        act.table,
        act.arm.order(stage.data.column()),
        cell.limit
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
    sessions.prepare(&statement)?;
    let mut passes: Vec<FilterPass> = Vec::new();
    // What the chosen plan took, where it finds enough.
    let mut rival: Option<Vec<f64>> = None;
    for &(way, off) in WAYS {
        if way == Way::Index && act.index.is_none() || way == Way::FilterSort && !cell.btree {
            continue;
        }
        for setting in off {
            sessions.all(&format!("SET {setting} = off"))?;
        }
        let plan = plans(sessions, &statement, &queries)?;
        let new = passes.first().is_none_or(|chosen| chosen.plan != plan);
        let measured = new
            .then(|| sessions.alone(|session| measure(session, &queries, stage.budget(), rival.as_deref())));
        for setting in off {
            sessions.all(&format!("RESET {setting}"))?;
        }
        let Some(Measured { answers, given_up }) = measured.transpose()? else { continue };
        let (recall, rows) = found(&answers, stage, cell, truth)?;
        let times = times(&answers);
        if way == Way::Chosen && recall >= ENOUGH {
            rival = Some(answers.seconds);
        }
        passes.push(FilterPass {
            run: stage.journal.run_id().into(),
            arm: act.name.clone(),
            btree: cell.btree,
            limit: cell.limit,
            storage: stage.storage,
            correlation: cell.correlation,
            selectivity: cell.selectivity,
            way,
            plan,
            repeat,
            queries: answers.queries.len(),
            recall,
            rows,
            mean_us: times.mean,
            p50_us: times.p50,
            p99_us: times.p99,
            given_up,
        });
    }
    passes.into_iter().try_for_each(|pass| stage.journal.write(&Record::Filter(pass)))
}

/// Recall and mean number of rows.
fn found(answers: &Answers, stage: &Stage<'_>, cell: &Cell<'_>, truth: &Truth) -> Result<(f64, f64)> {
    let k = if let Limit::Rows(rows) = cell.limit { rows } else { stage.common.k };
    let quality = quality(answers, stage.data, stage.metric(), truth, k)?;
    let recall = match cell.limit {
        Limit::Rows(_) => quality.recall,
        Limit::None => {
            let matching = |&query: &usize| cell.filter.matching(query) as f64;
            let all = answers.queries.iter().map(matching).sum::<f64>() / answers.queries.len() as f64;
            quality.recall.min(quality.rows / all)
        }
    };
    Ok((recall, quality.rows))
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
