//! `empty-first`: an index created on an empty table into which the rows come later, as migrations do it, beside the same
//! index built on the full table.

use crate::ann;
use crate::building::{Built, sizes, wal_position};
use crate::common::Common;
use crate::items;
use crate::record::BuildMode;
use crate::stage::{Stage, on_all_data};
use anyhow::{Context, Result};
use clap::Args;
use std::time::Instant;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
}

/// Makes each index in both orders, and asks both.
pub(crate) fn run(options: &Options) -> Result<()> {
    on_all_data("empty-first", &options.common, measure)
}

fn measure(stage: &mut Stage<'_>) -> Result<()> {
    let data = stage.data;
    stage.arms.retain(|act| act.index.is_some() && act.library.is_none());
    let after_load = stage.arms.len();
    for n in 0..after_load {
        let arm = stage.arms[n].arm.clone();
        stage.enter(&arm.named(format!("{arm} (empty first)")))?;
    }
    let truth = stage.truth(None)?;
    for n in 0..stage.arms.len() {
        if n < after_load {
            stage.load(n, 0..data.len(), None)?;
            stage.build(n, 0)?;
        } else {
            load_behind_index(stage, n)?;
        }
    }
    ann::sweep(stage, &truth, &[1])
}

fn load_behind_index(stage: &mut Stage<'_>, n: usize) -> Result<()> {
    stage.arms[n].rows = stage.data.len();
    let act = &stage.arms[n];
    let mut client = stage.server(act)?.connect()?;
    items::create(&mut client, &act.table, stage.data.column(), None)?;
    client.batch_execute(act.index.as_deref().context("an index")?)?;
    let wal = wal_position(&mut client)?;
    let start = Instant::now();
    items::copy(&mut client, &act.table, stage.data, 0..stage.data.len(), None)?;
    let built = Built {
        seconds: start.elapsed().as_secs_f64(),
        wal_bytes: wal_position(&mut client)?.saturating_sub(wal),
        ..Built::default()
    };
    items::settle(&mut client, &act.table)?;
    let bytes = sizes(&mut client, &act.table)?;
    stage.record_build(n, 0, BuildMode::EmptyFirst, built, bytes)
}
