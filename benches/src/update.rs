//! `update`: another column of indexed rows changes, and their vectors stay what they are.

use crate::building::sizes;
use crate::common::Common;
use crate::engine::{Server, turns};
use crate::interrupt;
use crate::progress::Progress;
use crate::record::{self, Record};
use crate::stage::{Stage, on_all_data};
use crate::steady;
use crate::writers::{Warming, Written, together};
use anyhow::{Context, Result, ensure};
use clap::Args;
use postgres::Client;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Numbers of sessions that update at the same time
    #[arg(long, value_delimiter = ',', default_value = "1,4")]
    writers: Vec<usize>,
    /// Rows of a measurement, each in a statement of its own
    #[arg(long, default_value_t = 1000)]
    rows: usize,
    /// Puts a b-tree on the updated column too, so that no update is heap-only (HOT)
    #[arg(long)]
    never_hot: bool,
}

/// Builds every arm's index on all rows, and updates some of them again and again, in turns.
pub(crate) fn run(options: &Options) -> Result<()> {
    on_all_data("update", &options.common, |stage| measure(stage, options))
}

fn measure(stage: &mut Stage<'_>, options: &Options) -> Result<()> {
    let (common, data) = (stage.common, stage.data);
    let measurements = common.repeats * options.writers.len();
    let total = measurements * options.rows;
    ensure!(
        total <= data.len(),
        "{total} different rows would be updated, and there are {} (--rows, --repeats)",
        data.len()
    );
    stage.arms.retain(|act| act.library.is_none());
    for n in 0..stage.arms.len() {
        stage.load(n, 0..data.len(), None)?;
        let act = &stage.arms[n];
        let (mut client, table) = (stage.server(act)?.connect()?, &act.table);
        client.batch_execute(&format!("CREATE INDEX ON {table} (id)"))?;
        if options.never_hot {
            client.batch_execute(&format!("CREATE INDEX ON {table} (spread)"))?;
        }
        stage.build(n, 0)?;
    }
    let mut recalls = steady::recalls(stage, None)?;
    let progress = Progress::new(&format!("updating {}", data.name()));
    let spread = Spread::over(data.len());
    let mut done = 0;
    for repeat in 0..common.repeats {
        for (step, &writers) in options.writers.iter().enumerate() {
            let rows: Vec<i32> = (done * options.rows..(done + 1) * options.rows)
                .map(|n| Ok(i32::try_from(spread.row(n))?))
                .collect::<Result<_>>()?;
            done += 1;
            for n in turns(stage.arms.len(), repeat + step) {
                interrupt::check()?;
                let act = &stage.arms[n];
                let updated =
                    update(stage.server(act)?, &act.table, &rows, (writers, &Warming::of(stage, n)))
                        .with_context(|| format!("{writers} writers on {}", act.name))?;
                let last = done == measurements;
                let after = if last { Some(steady::recall(stage, n, None)?) } else { None };
                stage.journal.write(&Record::Update(record::Update {
                    run: stage.journal.run_id().into(),
                    arm: stage.arms[n].name.clone(),
                    repeat,
                    writers,
                    rows: rows.len(),
                    seconds: updated.written.seconds,
                    rows_per_second: rows.len() as f64 / updated.written.seconds,
                    wal_bytes: updated.written.wal_bytes,
                    hot_share: updated.hot_share,
                    index_bytes_before: updated.index_bytes[0],
                    index_bytes_after: updated.index_bytes[1],
                    recall_before: recalls[n].take(),
                    recall_after: after,
                }))?;
            }
            progress.say("rows", (done * options.rows) as u64, total as u64);
        }
    }
    Ok(())
}

/// What updating some rows took.
struct Updated {
    written: Written,
    hot_share: Option<f64>,
    /// Before and after.
    index_bytes: [u64; 2],
}

/// Updates rows by several sessions, each its share, a row a statement and a statement a transaction.
fn update(
    server: &Server,
    table: &str,
    rows: &[i32],
    (writers, warming): (usize, &Warming),
) -> Result<Updated> {
    // The column is NULL where no attributes were loaded.
    let statement = format!("UPDATE {table} SET spread = coalesce(spread, 0) + 1 WHERE id = $1");
    let mut observer = server.connect()?;
    let before = (sizes(&mut observer, table)?.index, Counts::of(&mut observer, table)?);
    let written = together(server, (&statement, warming), rows, writers, |client, statement, own| {
        for row in own {
            let updated = client.execute(statement, &[row])?;
            ensure!(updated == 1, "{updated} rows have the number {row}");
        }
        Ok(())
    })?;
    let after = (sizes(&mut observer, table)?.index, Counts::of(&mut observer, table)?);
    let hot_share = after.1.hot_share_since(&before.1, rows.len());
    Ok(Updated { written, hot_share, index_bytes: [before.0, after.0] })
}

/// Rows updated since the server counts.
#[derive(Debug)]
struct Counts {
    all: i64,
    hot: i64,
}

impl Counts {
    fn of(client: &mut Client, table: &str) -> Result<Self> {
        let row = client.query_one(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = to_regclass($1)",
            &[&table],
        )?;
        Ok(Self { all: row.get(0), hot: row.get(1) })
    }

    /// The share of HOT updates; none where the server has not counted them all yet.
    fn hot_share_since(&self, before: &Self, rows: usize) -> Option<f64> {
        let all = usize::try_from(self.all - before.all).ok()?;
        (all == rows && rows > 0).then(|| (self.hot - before.hot) as f64 / rows as f64)
    }
}

/// All rows once, in an order by multiplicative hashing with the golden section: however many have come, they lie about
/// evenly over the table. A row then seldom comes to a page that an update has made room on, and the new version lies
/// elsewhere.
#[derive(Debug, Clone, Copy)]
struct Spread {
    rows: u64,
    step: u64,
}

impl Spread {
    fn over(rows: usize) -> Self {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let rows = rows as u64;
        let nearest = ((rows as f64 * GOLDEN).round() as u64).max(1);
        // 1 has no factor in common with anything.
        let step = (1..=nearest).rev().find(|&step| common_factor(rows, step) == 1).unwrap_or(1);
        Self { rows, step }
    }

    fn row(self, n: usize) -> u64 {
        n as u64 * self.step % self.rows
    }
}

fn common_factor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_once_and_evenly() {
        for rows in [1, 2, 3, 10, 61_440, 200_000] {
            let spread = Spread::over(rows);
            let mut order: Vec<u64> = (0..rows).map(|n| spread.row(n)).collect();
            let mut some = order[..rows.div_ceil(10)].to_vec();
            order.sort_unstable();
            assert!(order.iter().zip(0..).all(|(&a, b)| a == b), "{rows}");
            some.sort_unstable();
            let gaps = || some.windows(2).map(|pair| pair[1] - pair[0]);
            if rows > 10 {
                let (least, most) = (gaps().min().unwrap(), gaps().max().unwrap());
                assert!(least >= 3 && most <= 40, "{rows}: {least} to {most} where 10 would be even");
            }
        }
    }

    #[test]
    fn a_share_is_that_of_updates_counted() {
        let before = Counts { all: 100, hot: 40 };
        assert_eq!(Counts { all: 150, hot: 50 }.hot_share_since(&before, 50), Some(0.2));
        for late in [149, 100, 99] {
            assert_eq!(Counts { all: late, hot: 50 }.hot_share_since(&before, 50), None);
        }
    }
}
