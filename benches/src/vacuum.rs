//! `vacuum`: a fifth of the rows deleted, and what VACUUM takes and leaves.

use crate::building::{sizes, wal_position};
use crate::common::Common;
use crate::data::{Filter, Truth};
use crate::engine::turns;
use crate::record::{self, Record};
use crate::stage::{Stage, on_all_data};
use crate::steady::ask;
use anyhow::{Result, ensure};
use clap::Args;
use std::time::Instant;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Share of the rows that is deleted
    #[arg(long, default_value_t = 0.2)]
    share: f64,
}

/// Knuth's multiplicative hash of a row's number decides whether it goes: no neighbourhood of numbers goes as a whole.
const FACTOR: u64 = 2_654_435_761;

/// Whether a row is deleted.
pub(crate) fn goes(row: usize, share: f64) -> bool {
    (row as u64).wrapping_mul(FACTOR) % (1 << 32) < limit(share)
}

fn limit(share: f64) -> u64 {
    (share * f64::from(u32::MAX)) as u64
}

/// Loads, builds, deletes and vacuums each arm in turn, as often as asked.
pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!((0.0..1.0).contains(&options.share), "--share is between 0 and 1");
    on_all_data("vacuum", &options.common, |stage| measure(stage, options))
}

fn measure(stage: &mut Stage<'_>, options: &Options) -> Result<()> {
    let data = stage.data;
    stage.arms.retain(|act| act.library.is_none() && act.index.is_some());
    let stay =
        Filter::rows_where(data, format!("{} deleted", options.share), |row| !goes(row, options.share));
    let truths = [stage.truth(None)?, stage.truth(Some(&stay))?];
    for repeat in 0..options.common.repeats {
        for n in turns(stage.arms.len(), repeat) {
            stage.load(n, 0..data.len(), None)?;
            stage.build(n, repeat)?;
            let record = arm(stage, n, repeat, options.share, &truths)?;
            stage.journal.write(&Record::Vacuum(record))?;
        }
    }
    Ok(())
}

fn arm(
    stage: &mut Stage<'_>,
    n: usize,
    repeat: usize,
    share: f64,
    [all, left]: &[Truth; 2],
) -> Result<record::Vacuum> {
    let (before, times_before) = ask(stage, n, all)?;
    let (name, table) = (stage.arms[n].name.clone(), stage.arms[n].table.clone());
    let mut client = stage.server(&stage.arms[n])?.connect()?;
    let gone = client.execute(
        &format!("DELETE FROM {table} WHERE id::int8 * {FACTOR} % 4294967296 < {}", limit(share)),
        &[],
    )?;
    let expected = (0..stage.data.len()).filter(|&row| goes(row, share)).count();
    ensure!(gone == expected as u64, "{gone} rows instead of {expected} were deleted");
    let (deleted, _) = ask(stage, n, left)?;
    let bytes_before = sizes(&mut client, &table)?.index;
    client.batch_execute("CHECKPOINT").ok();
    eprintln!("vacuuming {name}");
    let wal = wal_position(&mut client)?;
    let start = Instant::now();
    client.batch_execute(&format!("VACUUM (INDEX_CLEANUP ON) {table}"))?;
    let seconds = start.elapsed().as_secs_f64();
    let wal_bytes = wal_position(&mut client)?.saturating_sub(wal);
    let (after, times_after) = ask(stage, n, left)?;
    Ok(record::Vacuum {
        run: stage.journal.run_id().into(),
        arm: name,
        repeat,
        deleted_share: share,
        seconds,
        index_bytes_before: bytes_before,
        index_bytes_after: sizes(&mut client, &table)?.index,
        index_bytes_refilled: None,
        lists_repaired: None,
        wal_bytes: Some(wal_bytes),
        value: crate::ann::number(stage.arms[n].arm.steady()),
        recall_before: before.recall,
        recall_deleted: deleted.recall,
        recall_after: after.recall,
        mean_us_before: times_before.mean,
        mean_us_after: times_after.mean,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_kept() {
        let gone = (0..100_000).filter(|&row| goes(row, 0.2)).count();
        assert!((19_800..20_200).contains(&gone), "{gone}");
        assert!((0..1000).all(|row| !goes(row, 0.0)));
    }
}
