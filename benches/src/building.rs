//! CREATE INDEX, and what it takes: time, memory, WAL, room.

use crate::engine::Server;
use crate::interrupt;
use crate::memory;
use crate::progress::Progress;
use anyhow::{Context, Result};
use postgres::{Client, NoTls};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How often a build is looked at. A peak shorter than that may be missed.
const LOOK: Duration = Duration::from_millis(20);
/// How many looks at memory go by between two questions to the server.
const ASK: usize = 10;

/// What a build took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Built {
    pub(crate) seconds: f64,
    /// Of the backend and its workers; none where the server is not on this machine.
    pub(crate) peak_memory_bytes: Option<u64>,
    /// Parallel workers seen at once.
    pub(crate) workers: u32,
    pub(crate) wal_bytes: u64,
}

/// Bytes on disk.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sizes {
    pub(crate) heap: u64,
    pub(crate) toast: u64,
    pub(crate) index: u64,
}

/// Runs CREATE INDEX in a session of its own, and watches it from another one.
pub(crate) fn create_index(server: &Server, statement: &str, what: &str) -> Result<Built> {
    let mut client = server.connect()?;
    let mut observer = server.connect()?;
    let backend: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    client.batch_execute("CHECKPOINT").or_else(|error| if server.is_own() { Err(error) } else { Ok(()) })?;
    let wal = wal_position(&mut observer)?;
    let progress = Progress::new(what);
    let cancel = client.cancel_token();
    let (done, finished) = channel::<()>();
    let (took, (peak, workers)) = std::thread::scope(|scope| {
        let build = scope.spawn(move || {
            let start = Instant::now();
            let outcome = client.batch_execute(statement);
            let took = start.elapsed();
            drop(done);
            outcome.map(|()| took)
        });
        let mut seen = (0_u64, 0_u32);
        let mut workers: Vec<i32> = Vec::new();
        for look in 0.. {
            if interrupt::asked() {
                // Ends the build with an error, which is what is waited for.
                cancel.cancel_query(NoTls).ok();
            }
            match finished.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
            if look % ASK == 0 {
                // What is watched must not end what is measured.
                workers = ask(&mut observer, backend, &progress).unwrap_or_default();
                seen.1 = seen.1.max(u32::try_from(workers.len()).unwrap_or(u32::MAX));
            }
            if server.is_own() {
                let processes: Vec<i32> = std::iter::once(backend).chain(workers.iter().copied()).collect();
                seen.0 = seen.0.max(memory::in_use(&processes).unwrap_or(0));
            }
        }
        build.join().map(|took| (took, seen)).map_err(|_| anyhow::anyhow!("the build panicked"))
    })?;
    Ok(Built {
        seconds: took.with_context(|| format!("cannot build: {statement}"))?.as_secs_f64(),
        peak_memory_bytes: (peak > 0).then_some(peak),
        workers,
        wal_bytes: wal_position(&mut observer)?.saturating_sub(wal),
    })
}

/// Shows how far the build is, and answers its parallel workers.
fn ask(observer: &mut Client, backend: i32, progress: &Progress) -> Result<Vec<i32>> {
    let far = observer.query_opt(
        "SELECT phase,
                CASE WHEN tuples_total = 0 AND blocks_total > 0 THEN blocks_done ELSE tuples_done END,
                CASE WHEN tuples_total = 0 THEN blocks_total ELSE tuples_total END
         FROM pg_stat_progress_create_index WHERE pid = $1",
        &[&backend],
    )?;
    if let Some(row) = far {
        let (phase, done, total): (String, i64, i64) = (row.get(0), row.get(1), row.get(2));
        progress.say(&phase, done.unsigned_abs(), total.unsigned_abs());
    }
    let workers = observer.query("SELECT pid FROM pg_stat_activity WHERE leader_pid = $1", &[&backend])?;
    Ok(workers.iter().map(|row| row.get(0)).collect())
}

/// Bytes of WAL that the server has written since it was made.
pub(crate) fn wal_position(client: &mut Client) -> Result<u64> {
    let bytes: i64 = client.query_one("SELECT (pg_current_wal_insert_lsn() - '0/0')::int8", &[])?.get(0);
    Ok(bytes.unsigned_abs())
}

/// What a table and its index take.
pub(crate) fn sizes(client: &mut Client, table: &str) -> Result<Sizes> {
    let row = client.query_one(
        "SELECT pg_relation_size(oid), coalesce(pg_relation_size(nullif(reltoastrelid, 0)), 0),
                coalesce(pg_relation_size(to_regclass($1 || '_index')), 0)
         FROM pg_class WHERE oid = to_regclass($1)",
        &[&table],
    )?;
    let bytes = |column: usize| row.get::<_, i64>(column).unsigned_abs();
    Ok(Sizes { heap: bytes(0), toast: bytes(1), index: bytes(2) })
}
