//! Layouts searched by turns, so that what else the machine does meets all of them alike.

use super::layout::{Fetches, Layout};
use super::run::Bench;
use super::set::Set;
use crate::clock::Clock;
use crate::data::Truth;
use crate::engine::turns;
use crate::interrupt;
use crate::judge::Quality;
use crate::pin;
use crate::progress::Progress;
use anyhow::{Context, Result, ensure};
use clap::Args;

/// How searches are measured.
#[derive(Debug, Clone, Args)]
pub(super) struct Searching {
    /// Widths of the beam
    #[arg(long, value_delimiter = ',', default_value = "10,16,24,40,64,100,160,250,400,600,1000")]
    pub(super) ef: Vec<usize>,
    /// Measurements of everything
    #[arg(long, default_value_t = 5)]
    pub(super) repeats: usize,
    /// Queries of one layout before it is the next one's turn
    #[arg(long, default_value_t = 25)]
    pub(super) chunk: usize,
    /// Which time is measured: that on the clock, or what the thread had of its processor
    #[arg(long, value_enum, default_value = "wall")]
    pub(super) clock: Clock,
}

/// Wider beams are left out once so much is found.
const ENOUGH: f64 = 0.997;

/// A layout that competes.
pub(super) struct Contender<'a> {
    pub(super) name: String,
    pub(super) layout: Box<dyn Layout + Send + 'a>,
}

/// What a layout answers with one width of the beam, which is the same each time.
pub(super) struct Known {
    pub(super) ef: usize,
    found: Vec<Vec<i64>>,
    pub(super) quality: Quality,
    /// Pages of the index read by all queries.
    pub(super) reads: u64,
    /// Rows looked at by all queries.
    pub(super) fetches: Fetches,
}

impl Known {
    /// Of what reads no pages.
    pub(super) fn without_pages(ef: usize, found: Vec<Vec<i64>>, quality: Quality) -> Self {
        Self { ef, found, quality, reads: 0, fetches: Fetches::default() }
    }
}

/// Searches all queries once, and learns the answers, held against `truth`, and what they take. All memory has been touched by
/// then.
pub(super) fn warm_up(
    set: &Set<'_>,
    truth: &Truth,
    contender: &mut Contender<'_>,
    efs: &[usize],
) -> Result<Vec<Known>> {
    let mut all = Vec::new();
    for &ef in efs {
        interrupt::check()?;
        let (mut found, mut fetches) = (Vec::new(), Fetches::default());
        contender.layout.take_reads();
        for query in 0..set.queries.len() {
            let mut rows = Vec::with_capacity(set.k);
            let fetched = contender
                .layout
                .search(query, ef, &mut rows)
                .with_context(|| format!("searching {}", contender.name))?;
            fetches.rows += fetched.rows;
            fetches.pages += fetched.pages;
            found.push(rows);
        }
        let reads = contender.layout.take_reads();
        let quality = set.quality(found.clone(), truth)?;
        all.push(Known { ef, found, quality, reads, fetches });
        if quality.recall >= ENOUGH {
            break;
        }
    }
    Ok(all)
}

/// Warms up all contenders and lets them search by turns, pinned to one processor; writes down all passes under their names.
pub(super) fn compete(
    bench: &mut Bench<'_>,
    contenders: &mut [Contender<'_>],
    searching: &Searching,
) -> Result<()> {
    let set = bench.set;
    pinned(|| {
        let known: Vec<Vec<Known>> = contenders
            .iter_mut()
            .map(|contender| warm_up(set, &set.truth, contender, &searching.ef))
            .collect::<Result<_>>()?;
        let names: Vec<String> = contenders.iter().map(|contender| contender.name.clone()).collect();
        contest(set, contenders, &known, searching, |n, step, repeat, seconds| {
            bench.pass(&names[n], &known[n][step], repeat, seconds)
        })
    })
}

/// Runs something on one processor, in a thread of its own: what the calling thread starts later is not to be pinned.
pub(super) fn pinned<T: Send>(run: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            pin::process(0, pin::core(0)?)?;
            run()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Times every query in every layout with every width of the beam, in each repeat. `write` gets the place of a contender, the
/// place of the width among those known of it, the repeat, and the seconds of all queries.
fn contest(
    set: &Set<'_>,
    contenders: &mut [Contender<'_>],
    known: &[Vec<Known>],
    searching: &Searching,
    mut write: impl FnMut(usize, usize, usize, &[f64]) -> Result<()>,
) -> Result<()> {
    let progress = Progress::new(&format!("searching {}", set.data.name()));
    let steps = known.iter().map(Vec::len).max().unwrap_or(0);
    for repeat in 0..searching.repeats {
        for step in 0..steps {
            interrupt::check()?;
            let active: Vec<usize> = (0..known.len()).filter(|&n| step < known[n].len()).collect();
            let mut seconds = vec![vec![0.0; set.queries.len()]; active.len()];
            for (turn, chunk) in schedule(active.len(), set.queries.len().div_ceil(searching.chunk), repeat) {
                let n = active[turn];
                let first = chunk * searching.chunk;
                let queries = first..set.queries.len().min(first + searching.chunk);
                time(&mut contenders[n], &known[n][step], queries, searching.clock, &mut seconds[turn])?;
            }
            for (&n, seconds) in active.iter().zip(&seconds) {
                write(n, step, repeat, seconds)?;
            }
            progress.say("rounds", (repeat * steps + step + 1) as u64, (searching.repeats * steps) as u64);
        }
    }
    Ok(())
}

/// The order of the chunks of all contenders. Neighbours in it never search for the same, as long as there are as many chunks
/// as contenders: what one leaves in the caches is of no use to the next.
fn schedule(contenders: usize, chunks: usize, repeat: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..chunks).flat_map(move |chunk| {
        turns(contenders, repeat + chunk).map(move |n| (n, (chunk + n * chunks / contenders.max(1)) % chunks))
    })
}

/// Times some queries, and holds the answers against those known.
pub(super) fn time(
    contender: &mut Contender<'_>,
    known: &Known,
    queries: std::ops::Range<usize>,
    clock: Clock,
    seconds: &mut [f64],
) -> Result<()> {
    let mut found = Vec::new();
    for query in queries {
        found.clear();
        let begin = clock.here()?;
        contender.layout.search(query, known.ef, &mut found).context("a search failed")?;
        seconds[query] = (clock.here()? - begin).as_secs_f64();
        ensure!(found == known.found[query], "{} changed its answer", contender.name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_searches_everything_once_and_nobody_after_the_same() {
        for (contenders, chunks, repeat) in [(1, 1, 0), (3, 40, 0), (7, 40, 2), (5, 5, 1)] {
            let order: Vec<(usize, usize)> = schedule(contenders, chunks, repeat).collect();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            let all: Vec<(usize, usize)> =
                (0..contenders).flat_map(|n| (0..chunks).map(move |chunk| (n, chunk))).collect();
            assert_eq!(sorted, all);
            let same = order.windows(2).filter(|pair| pair[0].0 != pair[1].0 && pair[0].1 == pair[1].1);
            assert_eq!(same.count(), 0, "{order:?}");
        }
    }
}
