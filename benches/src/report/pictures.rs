//! The pictures of a report.

use super::command::{heading, metric};
use super::curve::{Cost, Curve, clients, curves};
use super::filter;
use super::gather::{Entrant, Gathered, Section};
use super::number;
use crate::data::Correlation;
use crate::front::Point;
use crate::plot::{self, Axis, Bars, Chart, Panel, Series, stretch};
use crate::record::{Build, BuildMode};
use crate::stats::median;
use anyhow::Result;
use std::path::Path;

/// One picture and the name of its files.
pub(super) struct Picture {
    name: String,
    content: Content,
}

enum Content {
    Chart(Chart),
    Bars(Bars),
}

impl Picture {
    /// Of the files, without an ending.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn title(&self) -> &str {
        match &self.content {
            Content::Chart(chart) => &chart.title,
            Content::Bars(bars) => &bars.title,
        }
    }
}

/// Draws all pictures of all sections into a folder.
pub(super) fn write(all: &Gathered, folder: &Path) -> Result<()> {
    for picture in all.sections.iter().flat_map(of) {
        match &picture.content {
            Content::Chart(chart) => plot::write(chart, folder, &picture.name)?,
            Content::Bars(bars) => plot::write(bars, folder, &picture.name)?,
        }
    }
    Ok(())
}

/// The pictures of a section.
pub(super) fn of(section: &Section) -> Vec<Picture> {
    let prefix = file_name(section);
    let mut pictures = Vec::new();
    let mut add =
        |suffix: String, content| pictures.push(Picture { name: format!("{prefix}-{suffix}"), content });
    for clients in clients(section) {
        let suffix = format!("clients-{clients}");
        add(suffix, Content::Chart(recall_chart(section, &curves(section, clients), clients)));
    }
    // Of a grid the first case: the others are in the tables.
    if let Some(&case) = filter::Case::all(section).first() {
        for correlation in [Correlation::None, Correlation::Positive, Correlation::Negative] {
            if let Some(chart) = filter_chart(section, case, correlation) {
                add(format!("filter-{correlation:?}").to_lowercase(), Content::Chart(chart));
            }
        }
    }
    for (mode, suffix, what) in
        [(BuildMode::AfterLoad, "build", "building"), (BuildMode::EmptyFirst, "empty-first", "loading")]
    {
        if let Some(bars) = build_bars(section, mode, what) {
            add(suffix.into(), Content::Bars(bars));
        }
    }
    pictures
}

/// Letters and digits of what tells a section from others.
fn file_name(section: &Section) -> String {
    let text = format!("{} {} k{}", section.data.name, metric(section), section.k).to_lowercase();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

fn recall_chart(section: &Section, curves: &[Curve<'_>], clients: usize) -> Chart {
    let of = |curve: &Curve<'_>| (curve.front(Cost::Share).points().to_vec(), curve.points(Cost::Share));
    let points: Vec<_> = curves.iter().map(of).collect();
    // A recall of 1 lies where half a row less than the smallest miss would be.
    let misses = points.iter().flat_map(|(_, all)| all).map(|point| 1.0 - point.recall);
    let smallest = misses.filter(|&miss| miss > 1e-9).fold(1.0, f64::min);
    let one = 0.3 - smallest.log10();
    let place = |point: &Point| (stretch(point.recall, one), (1e6 / point.cost).log10());
    let series: Vec<Series> = curves
        .iter()
        .zip(&points)
        .map(|(curve, (front, all))| Series {
            style: section.place(curve.entrant),
            label: curve.entrant.label.clone(),
            line: front.iter().map(place).collect(),
            others: all.iter().filter(|point| !front.contains(point)).map(place).collect(),
        })
        .collect();
    let who = if clients == 1 { "1 client".into() } else { format!("{clients} clients") };
    chart(
        format!("{}, {who}", heading(section)),
        series,
        |x| Axis::recall(&format!("recall@{} (stretched towards 1)", section.k), x, one),
        |y| Axis::logarithmic("queries per second", y),
        "Lines join the fronts; hollow signs are settings that another one beats.",
    )
}

fn filter_chart(section: &Section, case: filter::Case, correlation: Correlation) -> Option<Chart> {
    let series: Vec<Series> = section
        .having(|entrant| &entrant.filters)
        .into_iter()
        .filter_map(|entrant| {
            let cells = filter::times(entrant, case, correlation);
            let place = |share: f64, time: f64| ((100.0 * share).log10(), time.log10());
            let line: Vec<_> =
                cells.iter().filter_map(|cell| Some(place(cell.selectivity, cell.chosen?))).collect();
            let others = cells.iter().filter_map(|cell| Some(place(cell.selectivity, cell.fastest?)));
            let others = others.filter(|point| !line.contains(point)).collect();
            (!cells.is_empty()).then(|| Series {
                style: section.place(entrant),
                label: entrant.label.clone(),
                line,
                others,
            })
        })
        .collect();
    let relation = match correlation {
        Correlation::None => "that has nothing to do with the query",
        Correlation::Positive => "that favours rows near the query",
        Correlation::Negative => "that favours rows far from the query",
    };
    (!series.is_empty()).then(|| {
        chart(
            format!("{}, filter {relation}; {case}", heading(section)),
            series,
            |x| Axis::logarithmic("% of the rows pass", x),
            |y| Axis::logarithmic("mean µs per query", y),
            "Lines join the plans that were chosen; hollow signs are the fastest ways with recall 0.95.",
        )
    })
}

fn chart(
    title: String,
    series: Vec<Series>,
    x: impl Fn(&[f64]) -> Axis,
    y: impl Fn(&[f64]) -> Axis,
    remark: &str,
) -> Chart {
    let points = || series.iter().flat_map(|series| series.line.iter().chain(&series.others));
    let x = x(&points().map(|point| point.0).collect::<Vec<_>>());
    let y = y(&points().map(|point| point.1).collect::<Vec<_>>());
    Chart { title, x, y, series, remark: remark.into() }
}

fn build_bars(section: &Section, mode: BuildMode, what: &str) -> Option<Bars> {
    const MIB: f64 = 1024.0 * 1024.0;
    let entrants: Vec<&Entrant> = section
        .having(|entrant| &entrant.builds)
        .into_iter()
        .filter(|entrant| entrant.builds.iter().any(|build| build.mode == mode))
        .collect();
    let bar = |entrant: &&Entrant, of: fn(&Build) -> Option<f64>| {
        let values: Vec<f64> =
            entrant.builds.iter().filter(|build| build.mode == mode).filter_map(of).collect();
        (!values.is_empty()).then(|| (median(&values), number(median(&values))))
    };
    let panel = |what: &str, of: fn(&Build) -> Option<f64>| Panel {
        what: what.into(),
        bars: entrants.iter().map(|entrant| bar(entrant, of)).collect(),
    };
    let panels = vec![
        panel("seconds", |build| Some(build.seconds)),
        panel("index MiB", |build| Some(build.index_bytes as f64 / MIB)),
        panel("peak memory MiB", |build| build.peak_memory_bytes.map(|bytes| bytes as f64 / MIB)),
    ];
    (!entrants.is_empty()).then(|| Bars {
        title: format!("{}: {what}", heading(section)),
        names: entrants.iter().map(|entrant| (section.place(entrant), entrant.label.clone())).collect(),
        panels,
    })
}
