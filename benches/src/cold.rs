//! `cold`: pages that a query asks for when the cache is far smaller than the index.

use crate::common::Common;
use crate::data::Truth;
use crate::interrupt;
use crate::judge::{quality, times};
use crate::progress::Progress;
use crate::record::{self, Record};
use crate::sessions::SETTLED;
use crate::stage::{Stage, on_all_data};
use anyhow::Result;
use clap::Args;
use postgres::Client;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// `shared_buffers` while queries run
    #[arg(long, default_value = "16MB")]
    cache: String,
}

/// Builds with a large cache, restarts the servers with a small one, and counts.
pub(crate) fn run(options: &Options) -> Result<()> {
    on_all_data("cold", &options.common, |stage| measure(stage, options))
}

fn measure(stage: &mut Stage<'_>, options: &Options) -> Result<()> {
    let data = stage.data;
    stage.arms.retain(|act| act.library.is_none());
    let truth = stage.truth(None)?;
    for n in 0..stage.arms.len() {
        stage.load(n, 0..data.len(), None)?;
        stage.build(n, 0)?;
    }
    for server in stage.servers.values() {
        server.restart_with("shared_buffers", &options.cache)?;
    }
    let total = stage.arms.iter().map(|act| act.arm.values.len() as u64).sum();
    let progress = Progress::new(&format!("counting pages of {}", data.name()));
    let mut done = 0;
    for n in 0..stage.arms.len() {
        for value in stage.arms[n].arm.values.clone() {
            let record = count(stage, n, &value, &truth, &options.cache)?;
            stage.journal.write(&Record::Cold(record))?;
            done += 1;
            progress.say("points", done, total);
        }
    }
    Ok(())
}

fn count(stage: &mut Stage<'_>, n: usize, value: &str, truth: &Truth, cache: &str) -> Result<record::Cold> {
    interrupt::check()?;
    let mut contender = stage.contender(n, 1)?;
    contender.command("SET enable_seqscan = off")?;
    contender.set(value)?;
    let act = &stage.arms[n];
    let mut observer = stage.server(act)?.connect()?;
    let before = Pages::of(&mut observer, &act.table)?;
    let answers = contender.pass(1, stage.budget())?;
    // Counts reach the others when the session next rests.
    contender.command("SELECT pg_stat_force_next_flush()")?;
    contender.command("SELECT 1")?;
    let after = Pages::of(&mut observer, &act.table)?;
    let asked = answers.queries.len() + SETTLED.min(stage.queries());
    let each = |pages: fn(&Pages) -> i64| (pages(&after) - pages(&before)) as f64 / asked as f64;
    let quality = quality(&answers, stage.data, stage.metric(), truth, stage.common.k)?;
    Ok(record::Cold {
        run: stage.journal.run_id().into(),
        arm: act.name.clone(),
        value: crate::ann::number(value),
        shared_buffers: cache.into(),
        recall: quality.recall,
        queries: answers.queries.len(),
        index_reads: each(|pages| pages.index.0),
        index_hits: each(|pages| pages.index.1),
        heap_reads: each(|pages| pages.heap.0),
        heap_hits: each(|pages| pages.heap.1),
        toast_reads: each(|pages| pages.toast.0),
        toast_hits: each(|pages| pages.toast.1),
        mean_us: times(&answers).mean,
    })
}

/// Pages read into the cache and found in it, since the server counts.
#[derive(Debug)]
struct Pages {
    index: (i64, i64),
    heap: (i64, i64),
    toast: (i64, i64),
}

impl Pages {
    fn of(client: &mut Client, table: &str) -> Result<Self> {
        let row = client.query_one(
            "SELECT coalesce(idx_blks_read, 0), coalesce(idx_blks_hit, 0), heap_blks_read, heap_blks_hit,
                    coalesce(toast_blks_read, 0) + coalesce(tidx_blks_read, 0),
                    coalesce(toast_blks_hit, 0) + coalesce(tidx_blks_hit, 0)
             FROM pg_statio_all_tables WHERE relid = to_regclass($1)",
            &[&table],
        )?;
        let pair = |at: usize| (row.get(at), row.get(at + 1));
        Ok(Self { index: pair(0), heap: pair(2), toast: pair(4) })
    }
}
