//! Sessions that write at the same time.

use crate::building::wal_position;
use crate::contender::{questions, setting};
use crate::engine::Server;
use crate::pin;
use crate::sessions::Parameters;
use crate::stage::Stage;
use anyhow::{Context, Result, ensure};
use postgres::{Client, Statement};
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// What all writers together took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    /// From the first statement to the end of the last.
    pub(crate) seconds: f64,
    pub(crate) wal_bytes: u64,
}

/// How long a session asks questions before it writes, at most.
const WARMED: Duration = Duration::from_secs(2);

/// What every writer does before it writes, untimed: it asks all queries. So it has touched the pages of table and index, which a new process
/// pays for one by one, and has filled its caches as a session has that has worked for a while.
pub(crate) struct Warming {
    commands: Vec<String>,
    statement: String,
    queries: Vec<Parameters>,
}

impl Warming {
    /// By an arm's index, at its steady value.
    pub(crate) fn of(stage: &Stage<'_>, n: usize) -> Self {
        let act = &stage.arms[n];
        let (statement, queries) = questions(act, stage.data, stage.common.k, stage.common.queries);
        let mut commands = act.arm.set_up();
        commands.push("SET enable_seqscan = off".into());
        commands.extend(act.arm.swept.iter().map(|name| setting(name, act.arm.steady())));
        Self { commands, statement, queries }
    }

    fn warm(&self, client: &mut Client) -> Result<()> {
        self.commands.iter().try_for_each(|command| client.batch_execute(command))?;
        let (statement, begin) = (client.prepare(&self.statement)?, Instant::now());
        for query in self.queries.iter().take_while(|_| begin.elapsed() < WARMED) {
            let parameters: Vec<_> = query.iter().map(AsRef::as_ref).collect();
            client.query(&statement, &parameters)?;
        }
        Ok(())
    }
}

/// Divides `work` among sessions, which prepare the statement and warm up. Then all of them begin at the same time.
pub(crate) fn together<T: Sync>(
    server: &Server,
    (statement, warming): (&str, &Warming),
    work: &[T],
    writers: usize,
    write: impl Fn(&mut Client, &Statement, &[T]) -> Result<()> + Sync,
) -> Result<Written> {
    ensure!(writers > 0, "somebody has to write (--writers)");
    let mut observer = server.connect()?;
    let wal = wal_position(&mut observer)?;
    let ready = Barrier::new(writers);
    let share = work.len().div_ceil(writers).max(1);
    let one = |n: usize, own: &[T]| {
        let prepared = open(server, n, statement, warming);
        // Reached by every writer, whatever happened to it.
        ready.wait();
        let (mut client, statement) = prepared?;
        let start = Instant::now();
        write(&mut client, &statement, own)?;
        let end = Instant::now();
        // Counts of rows reach the others at once. Servers before 15 have no such function, and are a second late.
        client.batch_execute("SELECT pg_stat_force_next_flush()").ok();
        Ok((start, end))
    };
    let spans = std::thread::scope(|scope| {
        let one = &one;
        let writing: Vec<_> = work
            .chunks(share)
            .chain(std::iter::repeat(&work[..0]))
            .take(writers)
            .enumerate()
            .map(|(n, own)| scope.spawn(move || one(n, own)))
            .collect();
        writing
            .into_iter()
            .map(|writer| writer.join().unwrap_or_else(|_| anyhow::bail!("a writer panicked")))
            .collect::<Result<Vec<_>>>()
    })?;
    let first = spans.iter().map(|span| span.0).min().context("a writer")?;
    let last = spans.iter().map(|span| span.1).max().context("a writer")?;
    Ok(Written {
        seconds: last.duration_since(first).as_secs_f64(),
        wal_bytes: wal_position(&mut observer)?.saturating_sub(wal),
    })
}

/// The n-th session, on the same processor as its writer where servers are pinned.
fn open(server: &Server, n: usize, statement: &str, warming: &Warming) -> Result<(Client, Statement)> {
    let mut client = server.connect()?;
    if server.pinned {
        let core = pin::core(n)?;
        let backend: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
        pin::process(backend, core)
            .and_then(|()| pin::process(0, core))
            .context("cannot pin a writer (--pin)")?;
    }
    let statement = client.prepare(statement)?;
    warming.warm(&mut client)?;
    Ok((client, statement))
}
