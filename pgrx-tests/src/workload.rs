//! Sessions that write, search and vacuum at the same time.

use crate::method::Method;
use crate::search::{Search, number};
use crate::vectors::{copy_into, gaussian, literal, normal};
use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use kite_cluster::Cluster;
use postgres::Client;
use std::collections::HashSet;
use std::iter::repeat_with;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a session does with the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A new row.
    Insert,
    /// A row gets another vector.
    Move,
    /// A row keeps its vector, and another indexed column changes.
    Touch,
    /// A row goes.
    Delete,
    /// A search, beside an exact one of the same snapshot.
    Find,
    /// A vacuum of the index, however little there is to do.
    Vacuum,
}

/// Table `t` with an index `i` on its vectors: rows around a few centres.
#[derive(Debug, Clone)]
pub struct Workload {
    method: Method,
    centres: Vec<Vec<f32>>,
}

/// What sessions have done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Statements.
    pub done: u64,
    /// Rows that searches had to find.
    pub wanted: u64,
    /// Those that they have found.
    pub found: u64,
}

impl Tally {
    /// The share of rows that searches have found.
    #[must_use]
    pub fn recall(&self) -> f64 {
        self.found as f64 / self.wanted.max(1) as f64
    }

    fn add(&mut self, other: Self) {
        self.done += other.done;
        self.wanted += other.wanted;
        self.found += other.found;
    }
}

/// Seconds that stress tests run: `KITE_STRESS_SECONDS`, or what suits a CI run.
#[must_use]
pub fn stress_time(seconds: u64) -> Duration {
    let asked = std::env::var("KITE_STRESS_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(seconds))
}

impl Workload {
    /// Makes the table in database `test`, which has the extension, with so many rows, and without the index.
    ///
    /// # Errors
    /// As the server says it.
    pub fn create(
        method: Method,
        cluster: &Cluster,
        (count, dims): (usize, usize),
        rng: &mut Rng,
    ) -> Result<Self> {
        let centres = repeat_with(|| gaussian(rng, dims)).take(40).collect();
        let workload = Self { method, centres };
        let mut client = workload.connect(cluster)?;
        // No autovacuum: vacuums come when a test asks for them.
        client.batch_execute(&format!(
            "CREATE TABLE t (id bigserial PRIMARY KEY, n int NOT NULL DEFAULT 0, v vector({dims}))
                 WITH (autovacuum_enabled = off);
             CREATE INDEX t_n ON t (n)"
        ))?;
        copy_into(&mut client, "t", 1, repeat_with(|| workload.vector(rng)).take(count))?;
        client.batch_execute("SELECT setval('t_id_seq', max(id)) FROM t; ANALYZE t")?;
        Ok(workload)
    }

    /// Makes the index, with all parts that one can have.
    ///
    /// # Errors
    /// As the server says it.
    pub fn index(&self, client: &mut Client) -> Result<()> {
        let index = self.method.index("i", "t (v vector_l2_ops)");
        Ok(client.batch_execute(&format!("{index} {}", self.method.with))?)
    }

    /// A session whose searches look far enough to find nearly all: what is missing then is missing in the index.
    ///
    /// # Errors
    /// As the server says it.
    pub fn connect(&self, cluster: &Cluster) -> Result<Client> {
        let mut client = cluster.connect_to("test")?;
        client.batch_execute(self.method.thorough)?;
        Ok(client)
    }

    /// A literal of a vector near one of the centres.
    pub fn vector(&self, rng: &mut Rng) -> String {
        let centre = &self.centres[rng.usize(..self.centres.len())];
        let vector: Vec<f32> = centre.iter().map(|x| x + 0.4 * normal(rng)).collect();
        literal(&vector)
    }

    /// Literals of queries.
    pub fn queries(&self, rng: &mut Rng, count: usize) -> Vec<String> {
        repeat_with(|| self.vector(rng)).take(count).collect()
    }

    /// The search of the table.
    #[must_use]
    pub fn search(&self) -> Search {
        Search::new("t", "<->", "vector")
    }

    /// Works in one session per mix until the time is over. A mix says how often a session does what, relative to the rest.
    ///
    /// # Errors
    /// The first error of a session.
    pub fn run(
        &self,
        cluster: &Cluster,
        mixes: &[&[(Work, u32)]],
        time: Duration,
        seed: u64,
    ) -> Result<Tally> {
        self.run_while(cluster, mixes, seed, || {
            std::thread::sleep(time);
            Ok(())
        })
    }

    /// [`Workload::run`] for as long as `meanwhile` takes in this thread.
    ///
    /// # Errors
    /// As [`Workload::run`], and those of `meanwhile`.
    pub fn run_while(
        &self,
        cluster: &Cluster,
        mixes: &[&[(Work, u32)]],
        seed: u64,
        meanwhile: impl FnOnce() -> Result<()>,
    ) -> Result<Tally> {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let sessions: Vec<_> = (seed..)
                .zip(mixes)
                .map(|(seed, mix)| (Rng::with_seed(seed), mix, &stop))
                .map(|(rng, mix, stop)| scope.spawn(move || self.session(cluster, mix, rng, stop)))
                .collect();
            let outcome = meanwhile();
            stop.store(true, Ordering::Relaxed);
            let mut tally = Tally::default();
            for session in sessions {
                tally.add(session.join().expect("a session does not panic")?);
            }
            outcome.map(|()| tally)
        })
    }

    fn session(
        &self,
        cluster: &Cluster,
        mix: &[(Work, u32)],
        mut rng: Rng,
        stop: &AtomicBool,
    ) -> Result<Tally> {
        let mut client = self.connect(cluster)?;
        client.batch_execute("SET statement_timeout = '60s'")?;
        let mut tally = Tally::default();
        while !stop.load(Ordering::Relaxed) {
            let work = pick(mix, &mut rng);
            self.step(&mut client, work, &mut rng, &mut tally).with_context(|| format!("{work:?}"))?;
            tally.done += 1;
        }
        Ok(tally)
    }

    fn step(&self, client: &mut Client, work: Work, rng: &mut Rng, tally: &mut Tally) -> Result<()> {
        let vector = self.vector(rng);
        // Any row, found without a look at the whole table.
        let row = format!(
            "id = (SELECT id FROM t WHERE id >= (SELECT max(id) FROM t) * {:.6} ORDER BY id LIMIT 1)",
            rng.f64()
        );
        match work {
            Work::Insert => client.batch_execute(&format!("INSERT INTO t (v) VALUES ('{vector}')"))?,
            Work::Move => client.batch_execute(&format!("UPDATE t SET v = '{vector}' WHERE {row}"))?,
            Work::Touch => client.batch_execute(&format!("UPDATE t SET n = n + 1 WHERE {row}"))?,
            Work::Delete => client.batch_execute(&format!("DELETE FROM t WHERE {row}"))?,
            Work::Vacuum => client.batch_execute("VACUUM (INDEX_CLEANUP ON) t")?,
            Work::Find => self.find(client, &vector, tally)?,
        }
        Ok(())
    }

    /// Searches by the index and exactly in one snapshot.
    fn find(&self, client: &mut Client, query: &str, tally: &mut Tally) -> Result<()> {
        const K: usize = 10;
        let search = self.search();
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let exact = search.exactly(client, query, K)?;
        let found = search.by_index(client, query, K)?;
        client.batch_execute("COMMIT")?;
        let live: HashSet<i64> = exact.iter().map(|(id, _)| *id).collect();
        let furthest = exact.last().map_or(f64::NEG_INFINITY, |(_, distance)| *distance);
        for (id, distance) in &found {
            ensure!(
                *distance >= furthest || live.contains(id),
                "row {id} at {distance} is none of the snapshot's"
            );
        }
        tally.wanted += exact.len() as u64;
        tally.found += found.iter().filter(|(_, distance)| *distance <= furthest).count() as u64;
        Ok(())
    }
}

fn pick(mix: &[(Work, u32)], rng: &mut Rng) -> Work {
    let mut left = rng.u32(..mix.iter().map(|(_, weight)| *weight).sum::<u32>());
    for (work, weight) in mix {
        match left.checked_sub(*weight) {
            Some(rest) => left = rest,
            None => return *work,
        }
    }
    unreachable!("the weights add up to more than what was drawn")
}

/// That a vacuum leaves exactly the rows of the table in the index, and that the index is sound. Nobody else may be at work.
///
/// # Errors
/// Where it is not so.
pub fn complete(client: &mut Client, table: &str, index: &str) -> Result<()> {
    client.batch_execute(&format!("VACUUM (INDEX_CLEANUP ON) {table}"))?;
    crate::search::sound(client, index)?;
    let kept = number(client, &format!("SELECT kite.index_info('{index}') ->> 'rows'"))?;
    let rows = number(client, &format!("SELECT count(*) FROM {table}"))?;
    ensure!(kept == rows, "{index} holds {kept} rows of {rows}");
    Ok(())
}

/// Waits until a statement answers `true`.
///
/// # Errors
/// When it does not within a minute.
pub fn wait_until(client: &mut Client, sql: &str) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !client.query_one(sql, &[])?.get::<_, bool>(0) {
        ensure!(Instant::now() < deadline, "it does not come true: {sql}");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
