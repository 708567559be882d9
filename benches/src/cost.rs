//! `cost`: what a distance takes beside a scan, for the constants of the extension's planner support function.

use crate::clock::Clock;
use crate::data::Dataset;
use crate::engine::{Engine, interleave};
use crate::metric::Element;
use crate::report;
use crate::settings::Settings;
use crate::stats::{line, median};
use crate::table::{Shape, Storage};
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;

/// Payload of one TOAST tuple with 8 kB pages.
const CHUNK: usize = 1996;
/// `cpu_tuple_cost`, which stands for the time that a plain scan spends on a row.
const CPU_TUPLE_COST: f64 = 0.01;
/// `cpu_operator_cost`.
const CPU_OPERATOR_COST: f64 = 0.0025;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Rows of each table
    #[arg(long, default_value_t = 20_000)]
    rows: usize,
    /// Timed executions of each statement
    #[arg(long, default_value_t = 31)]
    repeats: usize,
    /// Which time is measured
    #[arg(long, value_enum, default_value = "wall")]
    clock: Clock,
}

/// Nanoseconds a row.
#[derive(Debug, Serialize)]
struct Cell {
    bench: &'static str,
    #[serde(flatten)]
    shape: Shape,
    /// Bytes of a value.
    bytes: usize,
    /// A scan of the table with a filter on its integer.
    plain: f64,
    /// What a filter on the distance takes beyond that.
    distance: f64,
}

/// Measures pgkite alone and writes `cost.md` and `cost.jsonl`.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(options.rows > 0 && options.repeats > 0, "--rows and --repeats must be at least 1");
    let mut engines = [Engine::own(&Settings::for_scans())?];
    let mut cells = Vec::new();
    for (storage, all) in
        [(Storage::Inline, &[32, 128, 384, 768, 1536][..]), (Storage::Toasted, &[384, 768, 1024, 1536])]
    {
        for &dims in all {
            let shape = Shape { element: Element::Vector, dims, storage };
            let data = Dataset::generate(options.rows, 1, dims, 1)?;
            shape.load(&mut engines[0].client, &data)?;
            cells.push(measure(&mut engines, shape, &data, options)?);
        }
    }
    report::write("cost", &markdown(&cells), &cells)
}

fn measure(engines: &mut [Engine], shape: Shape, data: &Dataset, options: &Options) -> Result<Cell> {
    let query = data.queries().next().map(|query| shape.element.bind(query));
    let mut nanoseconds =
        |filter: &str, parameters: &[&(dyn postgres::types::ToSql + Sync)]| -> Result<f64> {
            let statement = engines[0].client.prepare(&format!("SELECT id FROM items WHERE {filter}"))?;
            let warm_up = 7;
            let seconds = interleave(engines, warm_up + options.repeats, |engine, _, _| {
                let (rows, time) = engine.timed(options.clock, &statement, parameters)?;
                ensure!(rows.is_empty(), "no row passes {filter}");
                Ok(time)
            })?;
            Ok(median(&seconds[0][warm_up..]) * 1e9 / options.rows as f64)
        };
    let plain = nanoseconds("id < 0", &[])?;
    let query: Vec<&(dyn postgres::types::ToSql + Sync)> =
        query.iter().map(std::convert::AsRef::as_ref).collect();
    let distance = nanoseconds("embedding <-> $1 < -1", &query)? - plain;
    let bytes = shape.element.bytes(shape.dims).context("values of one length")?;
    let cell = Cell { bench: "cost", shape, bytes, plain, distance };
    eprintln!("{cell:?}");
    Ok(cell)
}

fn chunks(bytes: usize) -> f64 {
    (bytes - 4).div_ceil(CHUNK) as f64
}

fn markdown(cells: &[Cell]) -> String {
    let rows: Vec<Vec<String>> = cells
        .iter()
        .map(|cell| {
            let storage = format!("{:?}", cell.shape.storage).to_lowercase();
            let [plain, distance] = [cell.plain, cell.distance].map(|ns| format!("{ns:.0}"));
            vec![cell.shape.column(), storage, cell.bytes.to_string(), plain, distance]
        })
        .collect();
    let mut text = report::table(2, &["column", "storage", "bytes", "scan ns/row", "distance ns/row"], &rows);
    let of = |storage| cells.iter().filter(move |cell| cell.shape.storage == storage);
    // The smallest rows come closest to what cpu_tuple_cost stands for; larger ones add page reads, which seq_page_cost is for.
    let per_row = of(Storage::Inline).map(|cell| cell.plain).fold(f64::INFINITY, f64::min);
    let (call, byte) =
        line(&of(Storage::Inline).map(|cell| (cell.bytes as f64, cell.distance)).collect::<Vec<_>>());
    let (base, chunk) = line(
        &of(Storage::Toasted)
            .map(|cell| (chunks(cell.bytes), cell.distance - call - byte * cell.bytes as f64))
            .collect::<Vec<_>>(),
    );
    let operator = per_row * CPU_OPERATOR_COST / CPU_TUPLE_COST;
    let _ = writeln!(
        text,
        "\n\nA plain row takes {per_row:.0} ns, so that cpu_operator_cost stands for {operator:.1} ns.\n"
    );
    for (what, ns) in [
        ("call", call),
        ("kibibyte of a value", byte * 1024.0),
        ("value in TOAST", base),
        ("chunk of it", chunk),
    ] {
        let _ = writeln!(text, "- per {what}: {ns:.0} ns = {:.1} operators", ns / operator);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_taken_apart() {
        // Made from 20 ns a call, 0.1 ns a byte, 500 ns a value and 200 ns a chunk; 40 ns a plain row.
        let cell = |dims: usize, storage: Storage| {
            let shape = Shape { element: Element::Vector, dims, storage };
            let bytes = shape.element.bytes(dims).unwrap();
            let toast = if storage == Storage::Toasted { 500.0 + 200.0 * chunks(bytes) } else { 0.0 };
            let distance = 20.0 + 0.1 * bytes as f64 + toast;
            Cell { bench: "cost", shape, bytes, plain: 40.0 + dims as f64 / 100.0 - 0.32, distance }
        };
        let inline = [32, 384, 1536].map(|dims| cell(dims, Storage::Inline));
        let toasted = [384, 768, 1536].map(|dims| cell(dims, Storage::Toasted));
        let text = markdown(&inline.into_iter().chain(toasted).collect::<Vec<_>>());
        for found in [
            "plain row takes 40 ns",
            "10.0 ns",
            "per call: 20 ns = 2.0 operators",
            "kibibyte of a value: 102 ns",
            "value in TOAST: 500 ns = 50.0",
            "chunk of it: 200 ns = 20.0",
        ] {
            assert!(text.contains(found), "{found} in {text}");
        }
    }
}
