//! `build`: what making an index takes, on a table that holds all rows.

use crate::common::Common;
use crate::engine::turns;
use crate::stage::on_all_data;
use anyhow::Result;
use clap::Args;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
}

/// Builds every arm's index again and again, in turns.
pub(crate) fn run(options: &Options) -> Result<()> {
    on_all_data("build", &options.common, |stage| {
        for n in 0..stage.arms.len() {
            stage.load(n, 0..stage.data.len(), None)?;
        }
        for repeat in 0..options.common.repeats {
            for n in turns(stage.arms.len(), repeat) {
                stage.build(n, repeat)?;
            }
        }
        Ok(())
    })
}
