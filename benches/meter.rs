//! Times calls, with criterion or as a Markdown table.

use criterion::Criterion;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// What a bench runs, whichever way it is timed.
pub(crate) trait Run {
    fn run(self, meter: &mut impl Meter);
}

/// Runs a bench: with `--table` as a table with these columns, else with criterion.
pub(crate) fn main(dimensions: &[usize], bench: impl Run) {
    if std::env::args().any(|argument| argument == "--table") {
        let mut table = Table { dimensions, rows: Vec::new() };
        bench.run(&mut table);
        table.print();
    } else {
        let mut criterion = Criterion::default()
            .sample_size(10)
            .warm_up_time(Duration::from_millis(50))
            .measurement_time(Duration::from_millis(150))
            .configure_from_args();
        bench.run(&mut criterion);
        criterion.final_summary();
    }
}

/// Something that times a call.
pub(crate) trait Meter {
    fn time<R>(&mut self, kernel: &str, set: &str, dimensions: usize, call: impl FnMut() -> R);
}

impl Meter for Criterion {
    fn time<R>(&mut self, kernel: &str, set: &str, dimensions: usize, mut call: impl FnMut() -> R) {
        let mut group = self.benchmark_group(kernel);
        group.bench_function(format!("{set}/{dimensions}"), |bencher| bencher.iter(&mut call));
        group.finish();
    }
}

/// The rows of the table: kernel, set, and the cells by dimension.
struct Table<'a> {
    dimensions: &'a [usize],
    rows: Vec<(String, String, Vec<f64>)>,
}

impl Table<'_> {
    const SAMPLES: usize = 101;
    /// Short beside a scheduler's time slice, so that most samples are whole even where other work runs.
    const SAMPLE: Duration = Duration::from_micros(200);

    fn print(&self) {
        let line = |first: &str, second: &str, cells: &mut dyn Iterator<Item = String>| {
            println!("| {first} | {second} | {} |", cells.collect::<Vec<_>>().join(" | "));
        };
        line("kernel", "set", &mut self.dimensions.iter().map(usize::to_string));
        line("---", "---", &mut self.dimensions.iter().map(|_| "---:".to_owned()));
        for (kernel, set, cells) in &self.rows {
            let mut cells =
                cells.iter().map(|ns| if *ns < 100.0 { format!("{ns:.1}") } else { format!("{ns:.0}") });
            line(kernel, set, &mut cells);
        }
    }
}

impl Meter for Table<'_> {
    fn time<R>(&mut self, kernel: &str, set: &str, _: usize, mut call: impl FnMut() -> R) {
        let mut sample = |calls: u32| {
            let start = Instant::now();
            for _ in 0..calls {
                black_box(call());
            }
            start.elapsed()
        };
        let mut calls = 1;
        while sample(calls) < Self::SAMPLE {
            calls *= 2;
        }
        let mut samples: Vec<_> = (0..Self::SAMPLES).map(|_| sample(calls)).collect();
        samples.sort_unstable();
        let median = samples[Self::SAMPLES / 2].as_secs_f64() * 1e9 / f64::from(calls);
        match self.rows.iter_mut().find(|(k, s, _)| k == kernel && s == set) {
            Some((_, _, cells)) => cells.push(median),
            None => {
                // Rows of one kernel stand together.
                let place = self
                    .rows
                    .iter()
                    .rposition(|(k, ..)| k == kernel)
                    .map_or(self.rows.len(), |last| last + 1);
                self.rows.insert(place, (kernel.to_owned(), set.to_owned(), vec![median]));
            }
        }
    }
}
