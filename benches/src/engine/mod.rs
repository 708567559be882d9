//! Engines: which are known, where they run, and sessions on them.

mod arm;
mod known;
mod peer;
mod server;

pub(crate) use arm::{Arm, DEFAULT};
pub(crate) use known::{Home, KNOWN, Kind, OWN};
pub(crate) use peer::{Peer, Place};
pub(crate) use server::{Facts, Server};

use crate::clock::Clock;
use crate::settings::Settings;
use anyhow::Result;
use postgres::types::ToSql;
use postgres::{Client, Row, Statement};
use std::time::Duration;

/// An engine with one session, for benches that give all engines the same statements.
pub(crate) struct Engine {
    pub(crate) facts: Facts,
    pub(crate) client: Client,
    /// The server process of `client`.
    backend: i32,
    _server: Server,
}

impl Engine {
    fn on(server: Server) -> Result<Self> {
        let mut client = server.connect()?;
        let backend = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
        Ok(Self { facts: server.facts.clone(), client, backend, _server: server })
    }

    /// pgkite alone.
    pub(crate) fn own(settings: &Settings) -> Result<Self> {
        Self::on(Server::own(settings)?)
    }

    /// pgkite first, then the peers in their order.
    pub(crate) fn with_peers(peers: &[Peer], settings: &Settings) -> Result<Vec<Self>> {
        let mut engines = vec![Self::own(settings)?];
        for peer in peers {
            engines.push(Self::on(Server::peer(peer, settings)?)?);
        }
        Ok(engines)
    }

    /// Runs a prepared statement, and answers how long that took as well.
    pub(crate) fn timed(
        &mut self,
        clock: Clock,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<(Vec<Row>, Duration)> {
        self.time(clock, |client| Ok(client.query(statement, parameters)?))
    }

    /// Runs something on the session, and answers how long that took as well.
    pub(crate) fn time<T>(
        &mut self,
        clock: Clock,
        run: impl FnOnce(&mut Client) -> Result<T>,
    ) -> Result<(T, Duration)> {
        clock.time(self.backend, || run(&mut self.client))
    }
}

/// Runs something `repeats` times on each engine, one engine right after the other, and begins with another one each time, so
/// that what else the machine does meets all of them alike. Answers the seconds of each engine in the order of the repeats.
pub(crate) fn interleave(
    engines: &mut [Engine],
    repeats: usize,
    mut run: impl FnMut(&mut Engine, usize, usize) -> Result<Duration>,
) -> Result<Vec<Vec<f64>>> {
    let mut seconds = vec![Vec::with_capacity(repeats); engines.len()];
    for repeat in 0..repeats {
        for n in turns(engines.len(), repeat) {
            seconds[n].push(run(&mut engines[n], n, repeat)?.as_secs_f64());
        }
    }
    Ok(seconds)
}

/// The order of `count` contenders in a round: each round begins with the next one.
pub(crate) fn turns(count: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |turn| (round + turn) % count)
}
