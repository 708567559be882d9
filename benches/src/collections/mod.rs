//! `collections`: what a function of schema `kite` takes beside the plain SQL that does the same.

mod copy;
mod insert;
mod search;

use crate::clock::Clock;
use crate::data::Source;
use crate::engine::{Engine, Facts, turns};
use crate::report;
use crate::settings::{Machine, Settings};
use crate::stats::{Ratio, Summary};
use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;
use std::time::Duration;

/// What to measure.
#[derive(Debug, Args, Serialize)]
pub(crate) struct Options {
    /// Vectors, as for `ann`
    #[arg(long, value_name = "SOURCE", default_value = "debian")]
    #[serde(skip)]
    data: Source,
    /// Rows of a call that inserts
    #[arg(long, default_value_t = 1000)]
    batch: usize,
    /// Rows asked for by a search
    #[arg(long, default_value_t = 10)]
    k: usize,
    /// Calls of each way of inserting
    #[arg(long, default_value_t = 31)]
    inserts: usize,
    /// Calls of each way of searching
    #[arg(long, default_value_t = 1001)]
    searches: usize,
    /// Which time is measured
    #[arg(long, value_enum, default_value = "wall")]
    clock: Clock,
}

/// A way of doing something, and the times of its calls beside those of the plain one.
#[derive(Debug, Serialize)]
struct Cell<'a> {
    bench: &'static str,
    task: &'static str,
    way: &'static str,
    /// Milliseconds.
    time: Summary,
    /// Time as a share of that of the first way of the task.
    ratio: Ratio,
    /// The ratio that is promised.
    target: Option<f64>,
    data: &'a str,
    options: &'a Options,
    settings: &'a Settings,
    engine: &'a Facts,
    machine: &'a Machine,
}

type Run<'a> = Box<dyn FnMut(&mut Engine, usize) -> Result<Duration> + 'a>;

/// One of the ways.
struct Way<'a> {
    name: &'static str,
    target: Option<f64>,
    /// Runs the n-th call and answers how long it took.
    run: Run<'a>,
}

/// Measures all tasks, and writes `collections.md` and `collections.jsonl`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let data = options.data.open()?;
    ensure!(options.batch > 0 && options.batch <= data.len(), "--batch must be from 1 to {}", data.len());
    ensure!(options.k > 0 && options.k <= data.len(), "--k must be from 1 to {}", data.len());
    ensure!(options.inserts > 0 && options.searches > 0, "--inserts and --searches must be at least 1");
    let settings = Settings::for_indexes();
    let machine = Machine::here();
    let mut engine = Engine::own(&settings)?;
    let mut measured = Vec::new();
    for (task, calls, mut ways) in [
        ("insert", options.inserts, insert::ways(&mut engine, &data, options)?),
        ("search", options.searches, search::ways(&mut engine, &data, options, false)?),
        ("search with a filter", options.searches, search::ways(&mut engine, &data, options, true)?),
    ] {
        let seconds = take_turns(&mut engine, calls, &mut ways)?;
        let times = ways.iter().zip(&seconds).map(|(way, own)| {
            (task, way.name, way.target, Summary::of(own).scaled(1e3), Ratio::of_medians(own, &seconds[0]))
        });
        measured.extend(times);
    }
    let facts = engine.facts.clone();
    let cells: Vec<Cell<'_>> = measured
        .into_iter()
        .map(|(task, way, target, time, ratio)| Cell {
            bench: "collections",
            task,
            way,
            time,
            ratio,
            target,
            data: data.name(),
            options,
            settings: &settings,
            engine: &facts,
            machine: &machine,
        })
        .collect();
    report::write("collections", &markdown(&cells), &cells)
}

/// Runs all ways in turns, after a few rounds that are not counted: by then plans and memory are what they stay.
fn take_turns(engine: &mut Engine, calls: usize, ways: &mut [Way<'_>]) -> Result<Vec<Vec<f64>>> {
    const WARM_UP: usize = 7;
    let mut seconds = vec![Vec::with_capacity(calls); ways.len()];
    for call in 0..WARM_UP + calls {
        for n in turns(ways.len(), call) {
            let time = (ways[n].run)(engine, call)?.as_secs_f64();
            if call >= WARM_UP {
                seconds[n].push(time);
            }
        }
    }
    Ok(seconds)
}

fn markdown(cells: &[Cell<'_>]) -> String {
    let line = |cell: &Cell<'_>| {
        let Ratio { value, low, high } = cell.ratio;
        vec![
            cell.task.to_owned(),
            cell.way.to_owned(),
            format!("{} ±{:.0} %", report::number(cell.time.median), 50.0 * cell.time.spread()),
            format!("{value:.3} [{low:.3}, {high:.3}]"),
            cell.target.map_or("–".into(), |target| {
                format!("{} {target:.2}", if value <= target { "met:" } else { "MISSED:" })
            }),
        ]
    };
    let lines: Vec<Vec<String>> = cells.iter().map(line).collect();
    let mut text = report::table(2, &["task", "way", "ms", "share [95 %]", "at most"], &lines);
    let Some(Cell { options, settings, engine, machine, data, .. }) = cells.first() else { return text };
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "\n\n`{data}`, {} rows a call of insert, k = {}; {} time, medians of {} and {} calls ± half the interquartile range, in turns.",
        options.batch,
        options.k,
        match options.clock {
            Clock::Wall => "wall",
            Clock::Cpu => "the backend's processor",
        },
        options.inserts,
        options.searches,
    );
    let _ = writeln!(text, "- pgkite {} on PostgreSQL {}", engine.version, engine.server);
    let _ = writeln!(text, "- {}, {} cores", machine.cpu, machine.cores);
    let _ = writeln!(text, "- settings: `{settings}`");
    text
}
