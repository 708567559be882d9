//! Sessions that send the same prepared statement with one query after another.

use crate::engine::Server;
use crate::pin;
use anyhow::{Context, Result, ensure};
use postgres::types::ToSql;
use postgres::{Client, Statement};
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// The parameters of one query.
pub(crate) type Parameters = Vec<Box<dyn ToSql + Sync>>;

/// What a pass over the queries gave.
#[derive(Debug, Default, Clone)]
pub(crate) struct Answers {
    /// Numbers of the queries that were asked.
    pub(crate) queries: Vec<usize>,
    /// The ids that each of them found, nearest first.
    pub(crate) found: Vec<Vec<i64>>,
    /// What each of them took, as its client saw it.
    pub(crate) seconds: Vec<f64>,
    /// From the first question to the last answer.
    pub(crate) wall: f64,
}

/// A pass is cut short when it takes too long, but not before this many queries.
const AT_LEAST: usize = 20;
/// Executions after which a backend has settled on a plan for a prepared statement.
pub(crate) const SETTLED: usize = 7;

/// Open sessions, each with the statement prepared.
pub(crate) struct Sessions {
    open: Vec<Session>,
}

/// One of them.
pub(crate) struct Session {
    client: Client,
    statement: Statement,
    /// The processor that the session's client and its server process share.
    core: Option<usize>,
}

impl Sessions {
    /// Opens `count` sessions, runs `set_up` in each, and prepares the statement, whose first column is an int4.
    pub(crate) fn open(server: &Server, count: usize, set_up: &[String], statement: &str) -> Result<Self> {
        let open = (0..count)
            .map(|n| {
                let mut client = server.connect()?;
                set_up.iter().try_for_each(|command| client.batch_execute(command))?;
                let statement = client.prepare(statement)?;
                let core = server.pinned.then(|| pin::core(n)).transpose()?;
                if let Some(core) = core {
                    let backend: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
                    pin::process(backend, core).context("cannot pin a server process (--pin)")?;
                }
                Ok(Session { client, statement, core })
            })
            .collect::<Result<_>>()?;
        Ok(Self { open })
    }

    /// Runs a command in all sessions.
    pub(crate) fn all(&mut self, command: &str) -> Result<()> {
        self.open.iter_mut().try_for_each(|session| Ok(session.client.batch_execute(command)?))
    }

    /// Prepares another statement in all sessions, in place of the one before.
    pub(crate) fn prepare(&mut self, statement: &str) -> Result<()> {
        self.open.iter_mut().try_for_each(|session| {
            session.statement = session.client.prepare(statement)?;
            Ok(())
        })
    }

    /// Lets a session ask by a rule of the caller's, in a thread of its own, which shares the processor with it as those of a pass do.
    pub(crate) fn alone<T: Send>(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<T> + Send,
    ) -> Result<T> {
        let session = &mut self.open[0];
        let within = move || {
            session.pin()?;
            work(session)
        };
        std::thread::scope(|scope| scope.spawn(within).join())
            .unwrap_or_else(|_| anyhow::bail!("a client panicked"))
    }

    /// A session, for questions beside the measured ones.
    pub(crate) fn any(&mut self) -> &mut Client {
        &mut self.open[0].client
    }

    /// Lets the first `clients` sessions ask all queries once, each its share of them one after the other, until the budget
    /// is spent. A few are asked beforehand, untimed.
    pub(crate) fn pass(
        &mut self,
        clients: usize,
        queries: &[Parameters],
        budget: Duration,
    ) -> Result<Answers> {
        ensure!(clients <= self.open.len() && clients > 0, "{} sessions are open", self.open.len());
        let start = Barrier::new(clients);
        let shares = std::thread::scope(|scope| {
            let asking: Vec<_> = self.open[..clients]
                .iter_mut()
                .enumerate()
                .map(|(client, session)| {
                    let (start, own) = (&start, (client..queries.len()).step_by(clients));
                    scope.spawn(move || ask(session, queries, own, start, budget))
                })
                .collect();
            asking
                .into_iter()
                .map(|client| client.join().unwrap_or_else(|_| anyhow::bail!("a client panicked")))
                .collect::<Result<Vec<_>>>()
        })?;
        let mut all = Answers::default();
        for share in shares {
            all.queries.extend(share.queries);
            all.found.extend(share.found);
            all.seconds.extend(share.seconds);
            all.wall = all.wall.max(share.wall);
        }
        Ok(all)
    }
}

impl Session {
    /// Keeps the calling thread on the session's processor.
    fn pin(&self) -> Result<()> {
        self.core.map_or(Ok(()), |core| pin::process(0, core)).context("cannot pin a client (--pin)")
    }

    /// Runs a command.
    pub(crate) fn command(&mut self, command: &str) -> Result<()> {
        Ok(self.client.batch_execute(command)?)
    }

    /// Asks a query: the ids that it found, nearest first, and the seconds that it took.
    pub(crate) fn ask(&mut self, query: &Parameters) -> Result<(Vec<i64>, f64), postgres::Error> {
        let parameters: Vec<_> = query.iter().map(AsRef::as_ref).collect();
        let asked = Instant::now();
        let rows = self.client.query(&self.statement, &parameters)?;
        let seconds = asked.elapsed().as_secs_f64();
        Ok((rows.iter().map(|row| i64::from(row.get::<_, i32>(0))).collect(), seconds))
    }
}

fn ask(
    session: &mut Session,
    queries: &[Parameters],
    own: impl Iterator<Item = usize> + Clone,
    start: &Barrier,
    budget: Duration,
) -> Result<Answers> {
    let warm = own.clone().take(SETTLED).try_for_each(|query| session.ask(&queries[query]).map(drop));
    let pinned = session.pin();
    // Reached by every client, whatever happened to it.
    start.wait();
    warm?;
    pinned?;
    let mut answers = Answers::default();
    let begin = Instant::now();
    for query in own {
        if answers.queries.len() >= AT_LEAST && begin.elapsed() > budget {
            break;
        }
        let (found, seconds) = session.ask(&queries[query])?;
        answers.seconds.push(seconds);
        answers.queries.push(query);
        answers.found.push(found);
    }
    answers.wall = begin.elapsed().as_secs_f64();
    Ok(answers)
}
