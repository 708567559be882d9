//! `insert`: rows into a table whose index is built.

use crate::common::Common;
use crate::data::{Dataset, Filter};
use crate::engine::{Server, turns};
use crate::interrupt;
use crate::progress::Progress;
use crate::record::{self, Record};
use crate::stage::{Stage, on_all_data};
use crate::steady;
use crate::writers::{Warming, Written, together};
use anyhow::{Context, Result, ensure};
use clap::Args;
use postgres::types::ToSql;
use std::fmt::Write as _;
use std::ops::Range;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Numbers of sessions that insert at the same time
    #[arg(long, value_delimiter = ',', default_value = "1,4")]
    writers: Vec<usize>,
    /// Rows of a statement
    #[arg(long, value_delimiter = ',', default_value = "1,100")]
    batch: Vec<usize>,
    /// Rows of a measurement
    #[arg(long, default_value_t = 1000)]
    rows: usize,
}

/// Keeps the last rows of each data set back, and inserts them piece by piece.
pub(crate) fn run(options: &Options) -> Result<()> {
    on_all_data("insert", &options.common, |stage| measure(stage, options))
}

fn measure(stage: &mut Stage<'_>, options: &Options) -> Result<()> {
    let (common, data) = (stage.common, stage.data);
    let cells: Vec<(usize, usize)> = options
        .writers
        .iter()
        .flat_map(|&writers| options.batch.iter().map(move |&batch| (writers, batch)))
        .collect();
    let later = common.repeats * cells.len() * options.rows;
    ensure!(
        later * 2 <= data.len(),
        "{later} of {} rows would be inserted: that leaves too few for the index (--rows, --repeats)",
        data.len()
    );
    let before = data.len() - later;
    stage.arms.retain(|act| act.library.is_none());
    for n in 0..stage.arms.len() {
        stage.load(n, 0..before, None)?;
        stage.build(n, 0)?;
    }
    let first = Filter::rows_where(data, format!("first {before}"), |row| row < before);
    let mut recalls = steady::recalls(stage, Some(&first))?;
    let progress = Progress::new(&format!("inserting into {}", data.name()));
    let mut at = before;
    for repeat in 0..common.repeats {
        for (step, &(writers, batch)) in cells.iter().enumerate() {
            let rows = at..at + options.rows;
            at = rows.end;
            let last = at == data.len();
            for n in turns(stage.arms.len(), repeat + step) {
                interrupt::check()?;
                let act = &stage.arms[n];
                let Written { seconds, wal_bytes } = insert(
                    stage.server(act)?,
                    &act.table,
                    data,
                    rows.clone(),
                    (writers, batch, &Warming::of(stage, n)),
                )
                .with_context(|| format!("{writers} writers into {}", act.name))?;
                let after = if last { Some(steady::recall(stage, n, None)?) } else { None };
                stage.journal.write(&Record::Insert(record::Insert {
                    run: stage.journal.run_id().into(),
                    arm: stage.arms[n].name.clone(),
                    repeat,
                    writers,
                    batch,
                    rows: options.rows,
                    seconds,
                    rows_per_second: options.rows as f64 / seconds,
                    wal_bytes: Some(wal_bytes),
                    wal_records: None,
                    recall_before: recalls[n].take(),
                    recall_after: after,
                }))?;
                progress.say("rows", (at - before) as u64, later as u64);
            }
        }
    }
    Ok(())
}

/// Inserts rows by several sessions, each its share, in statements of `batch` rows, every one a transaction.
fn insert(
    server: &Server,
    table: &str,
    data: &Dataset,
    rows: Range<usize>,
    (writers, batch, warming): (usize, usize, &Warming),
) -> Result<Written> {
    let mut vectors = Vec::with_capacity(rows.len());
    data.for_each_row(rows.clone(), |row, values| {
        vectors.push((i32::try_from(row)?, data.element().bind(values)));
        Ok(())
    })?;
    together(server, (&insertion(table, batch), warming), &vectors, writers, |client, statement, own| {
        for rows in own.chunks(batch) {
            let parameters: Vec<&(dyn ToSql + Sync)> =
                rows.iter().flat_map(|(id, vector)| [id as &(dyn ToSql + Sync), vector.as_ref()]).collect();
            if rows.len() == batch {
                client.execute(statement, &parameters)?;
            } else {
                client.execute(&insertion(table, rows.len()), &parameters)?;
            }
        }
        Ok(())
    })
}

fn insertion(table: &str, rows: usize) -> String {
    let mut text = format!("INSERT INTO {table} (id, embedding) VALUES ");
    for row in 0..rows {
        let comma = if row == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}(${}, ${})", 2 * row + 1, 2 * row + 2);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_for_each_batch() {
        assert_eq!(insertion("t", 2), "INSERT INTO t (id, embedding) VALUES ($1, $2), ($3, $4)");
    }
}
