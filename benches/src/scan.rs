//! `scan`: exact k-NN by sequential scan and top-N sort, beside peers.

use crate::clock::Clock;
use crate::data::Dataset;
use crate::engine::{Engine, Facts, Peer, interleave};
use crate::exact::Truth;
use crate::metric::{Element, Metric};
use crate::plan::assert_plan;
use crate::report;
use crate::settings::{Machine, Settings};
use crate::stats::{Ratio, Summary};
use crate::table::{Placement, Shape, Storage};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A backend settles on a plan for a prepared statement at its sixth execution.
const WARM_UP: usize = 7;

/// What to measure.
#[derive(Debug, Args, Serialize)]
pub(crate) struct Options {
    /// An engine to compare with, and where it is installed: `pgvector=PG_CONFIG_OR_TREE`; may be given several times
    #[arg(long, value_name = "NAME=PATH")]
    #[serde(skip)]
    peer: Vec<Peer>,
    /// Rows of each table
    #[arg(long, default_value_t = 50_000)]
    rows: usize,
    /// Element types
    #[arg(long, value_enum, value_delimiter = ',', default_value = "vector,halfvec")]
    #[serde(skip)]
    types: Vec<Element>,
    /// Numbers of dimensions
    #[arg(long, value_delimiter = ',', default_value = "384,768")]
    #[serde(skip)]
    dims: Vec<usize>,
    /// Where the vectors lie
    #[arg(long, value_enum, value_delimiter = ',', default_value = "inline,toasted")]
    #[serde(skip)]
    storage: Vec<Storage>,
    /// Metrics to order by
    #[arg(long, value_enum, value_delimiter = ',', default_value = "l2,ip,cosine,l1")]
    #[serde(skip)]
    metrics: Vec<Metric>,
    /// Rows asked for
    #[arg(long, default_value_t = 10)]
    k: usize,
    /// Different vectors to search for, in turn
    #[arg(long, default_value_t = 8)]
    queries: usize,
    /// Timed executions of each statement on each engine
    #[arg(long, default_value_t = 61)]
    repeats: usize,
    /// Which time is measured
    #[arg(long, value_enum, default_value = "wall")]
    clock: Clock,
    /// Names the generated vectors
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// One line of the results.
#[derive(Debug, Serialize)]
struct Cell<'a> {
    bench: &'static str,
    #[serde(flatten)]
    shape: Shape,
    /// None: the control, a scan of the same table that computes no distance.
    metric: Option<Metric>,
    placement: Placement,
    /// Milliseconds by engine.
    times: BTreeMap<&'a str, Summary>,
    /// Time of pgkite as a share of a peer's, by peer.
    ratios: BTreeMap<&'a str, Ratio>,
    /// The ratio that is promised.
    target: Option<f64>,
    options: &'a Options,
    settings: &'a Settings,
    engines: &'a [Facts],
    machine: &'a Machine,
}

/// What all cells have in common.
#[derive(Clone, Copy)]
struct Circumstances<'a> {
    options: &'a Options,
    settings: &'a Settings,
    facts: &'a [Facts],
    machine: &'a Machine,
}

/// Measures all cells and writes `scan.md` and `scan.jsonl`.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(options.rows >= options.k && options.k > 0, "--rows must be at least --k, and --k at least 1");
    ensure!(options.queries > 0 && options.repeats > 0, "--queries and --repeats must be at least 1");
    for element in &options.types {
        let dense = [Element::Vector, Element::Halfvec].contains(element);
        ensure!(dense, "--types: {} is not scanned here, only vector and halfvec", element.sql());
        let unknown = options.metrics.iter().find(|metric| !element.metrics().contains(metric));
        if let Some(metric) = unknown {
            bail!("--metrics: {} has no operator {}", element.sql(), metric.operator());
        }
    }
    let settings = Settings::for_scans();
    let mut engines = Engine::with_peers(&options.peer, &settings)?;
    let facts: Vec<Facts> = engines.iter().map(|engine| engine.facts.clone()).collect();
    let around = Circumstances { options, settings: &settings, facts: &facts, machine: &Machine::here() };
    let mut cells = Vec::new();
    for &dims in &options.dims {
        let data = Dataset::generate(options.rows, options.queries, dims, options.seed)?;
        for (&element, &storage) in options
            .types
            .iter()
            .flat_map(|element| options.storage.iter().map(move |storage| (element, storage)))
        {
            let shape = Shape { element, dims, storage };
            let placement = load(&mut engines, shape, &data)?;
            let controls = std::iter::once(None);
            for metric in controls.chain(options.metrics.iter().copied().map(Some)) {
                let seconds = match metric {
                    None => control(&mut engines, options)?,
                    Some(metric) => nearest(&mut engines, &data, element, metric, options)
                        .with_context(|| format!("{} {storage:?} {}", shape.column(), metric.operator()))?,
                };
                let cell = cell(shape, metric, placement, &seconds, around);
                eprintln!("{}", line(&cell).join("  "));
                cells.push(cell);
            }
        }
    }
    report::write("scan", &markdown(&cells, around), &cells)
}

fn load(engines: &mut [Engine], shape: Shape, data: &Dataset) -> Result<Placement> {
    let placements = engines
        .iter_mut()
        .map(|engine| {
            shape
                .load(&mut engine.client, data)
                .with_context(|| format!("cannot load {} into {}", shape.column(), engine.facts.name))
        })
        .collect::<Result<Vec<_>>>()?;
    ensure!(
        placements.iter().all(|placement| *placement == placements[0]),
        "the engines store the same rows in different space: {placements:?}"
    );
    Ok(placements[0])
}

/// Times a scan that all engines leave to the server: how far two engines seem to differ when they do not.
fn control(engines: &mut [Engine], options: &Options) -> Result<Vec<Vec<f64>>> {
    const STATEMENT: &str = "SELECT id FROM items WHERE id < 0";
    let mut prepared = Vec::new();
    for engine in engines.iter_mut() {
        let statement = engine.client.prepare(STATEMENT)?;
        for _ in 0..WARM_UP {
            engine.client.query(&statement, &[])?;
        }
        assert_plan(&mut engine.client, STATEMENT, &[], &["Seq Scan"])?;
        prepared.push(statement);
    }
    interleave(engines, options.repeats, |engine, n, _| {
        let (answer, time) = engine.timed(options.clock, &prepared[n], &[])?;
        ensure!(answer.is_empty(), "ids count from 0");
        Ok(time)
    })
}

/// Times the search, after its answers were checked; each timed answer must be the checked one.
fn nearest(
    engines: &mut [Engine],
    data: &Dataset,
    element: Element,
    metric: Metric,
    options: &Options,
) -> Result<Vec<Vec<f64>>> {
    let text =
        format!("SELECT id FROM items ORDER BY embedding {} $1 LIMIT {}", metric.operator(), options.k);
    let queries: Vec<_> = data.queries().map(|query| element.bind(query)).collect();
    let truth = Truth::of(data, element, metric)?;
    let (mut prepared, mut answers) = (Vec::new(), Vec::new());
    let ids = |rows: Vec<postgres::Row>| rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>();
    for engine in engines.iter_mut() {
        let name = &engine.facts.name;
        let statement = engine.client.prepare(&text)?;
        let mut checked = Vec::new();
        for (query, truth) in queries.iter().zip(&truth) {
            let found = ids(engine.client.query(&statement, &[query.as_ref()])?);
            truth.check(&found, options.k).with_context(|| format!("{name} answers wrongly"))?;
            checked.push(found);
        }
        for query in queries.iter().cycle().take(WARM_UP) {
            engine.client.query(&statement, &[query.as_ref()])?;
        }
        let plan = ["Limit", "Sort (top-N heapsort)", "Seq Scan"];
        assert_plan(&mut engine.client, &text, &[queries[0].as_ref()], &plan)
            .with_context(|| format!("{name} works in another way than the bench is about"))?;
        prepared.push(statement);
        answers.push(checked);
    }
    interleave(engines, options.repeats, |engine, n, repeat| {
        let query = repeat % queries.len();
        let (rows, time) = engine.timed(options.clock, &prepared[n], &[queries[query].as_ref()])?;
        ensure!(ids(rows) == answers[n][query], "{} changed its answer", engine.facts.name);
        Ok(time)
    })
}

fn cell<'a>(
    shape: Shape,
    metric: Option<Metric>,
    placement: Placement,
    seconds: &[Vec<f64>],
    Circumstances { options, settings, facts, machine }: Circumstances<'a>,
) -> Cell<'a> {
    let names = || facts.iter().map(|facts| facts.name.as_str()).zip(seconds);
    Cell {
        bench: "scan",
        shape,
        metric,
        placement,
        times: names().map(|(name, seconds)| (name, Summary::of(seconds).scaled(1e3))).collect(),
        ratios: names().skip(1).map(|(name, peer)| (name, Ratio::of_medians(&seconds[0], peer))).collect(),
        target: metric.map(|_| target(shape.storage)),
        options,
        settings,
        engines: facts,
        machine,
    }
}

/// What issue and README promise: no slower than pgvector; detoasting, which is the server's work, is allowed some noise.
fn target(storage: Storage) -> f64 {
    match storage {
        Storage::Inline => 1.0,
        Storage::Toasted => 1.05,
    }
}

/// A cell as a row of the table: the columns of `header`.
fn line(cell: &Cell<'_>) -> Vec<String> {
    let storage = format!("{:?}", cell.shape.storage).to_lowercase();
    let metric = cell.metric.map_or("no distance".into(), |metric| format!("`{}`", metric.operator()));
    let mut line = vec![cell.shape.column(), storage, metric];
    for facts in cell.engines {
        let time = &cell.times[facts.name.as_str()];
        line.push(format!("{} ±{:.0} %", report::number(time.median), 50.0 * time.spread()));
    }
    for facts in &cell.engines[1..] {
        let Ratio { value, low, high } = cell.ratios[facts.name.as_str()];
        line.push(format!("{value:.3} [{low:.3}, {high:.3}]"));
        line.push(match cell.target {
            None => "–".into(),
            Some(target) if low > target => format!("MISSED: over {target:.2}"),
            Some(target) if value > target => format!("missed, within noise of {target:.2}"),
            Some(target) if high > target => format!("met, within noise of {target:.2}"),
            Some(_) => "met".into(),
        });
    }
    line
}

fn header(facts: &[Facts]) -> Vec<String> {
    let mut header = vec!["column".into(), "storage".into(), "order by".into()];
    header.extend(facts.iter().map(|facts| format!("{} ms", facts.name)));
    for peer in &facts[1..] {
        header.extend([format!("{} / {} [95 %]", facts[0].name, peer.name), "target".into()]);
    }
    header
}

fn markdown(cells: &[Cell<'_>], around: Circumstances<'_>) -> String {
    let Circumstances { options, settings, facts, machine } = around;
    let header = header(facts);
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut text = report::table(3, &header, &cells.iter().map(line).collect::<Vec<_>>());
    let _ = writeln!(
        text,
        "\n\n{} rows, k = {}, {} time, median of {} executions ± half the interquartile range; seed {}.",
        options.rows,
        options.k,
        match options.clock {
            Clock::Wall => "wall",
            Clock::Cpu => "the backend's processor",
        },
        options.repeats,
        options.seed
    );
    for Facts { name, version, server, kernels } in facts {
        let kernels = kernels.as_ref().map(|kernels| format!(", kernels {kernels}")).unwrap_or_default();
        let _ = writeln!(text, "- {name} {version} on PostgreSQL {server}{kernels}");
    }
    if facts.len() == 1 {
        text += "- no peer was given (`--peer pgvector=PATH`): nothing is compared\n";
    }
    let _ = writeln!(text, "- {}, {} cores", machine.cpu, machine.cores);
    let _ = writeln!(text, "- settings: `{settings}`");
    text
}
