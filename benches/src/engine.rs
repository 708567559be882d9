//! One engine: a throw-away cluster with one extension in it, and a session.

use crate::clock::Clock;
use crate::peer::Peer;
use crate::settings::SETTINGS;
use anyhow::{Context, Result};
use kite_cluster::{Cluster, DEFAULT_MAJOR, PrivateTree};
use postgres::types::ToSql;
use postgres::{Client, Row, Statement};
use serde::Serialize;
use std::time::Duration;

/// The name of the engine that this workspace builds.
pub(crate) const OWN: &str = "pgkite";

/// A running engine. All run the same server, copied from the system's, with the same settings.
pub(crate) struct Engine {
    pub(crate) facts: Facts,
    pub(crate) client: Client,
    /// The server process of `client`.
    backend: i32,
    _cluster: Cluster,
}

/// What is reported of an engine.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Facts {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The server's own words for its version.
    pub(crate) server: String,
    /// The set of distance kernels, where the engine tells.
    pub(crate) kernels: Option<String>,
}

impl Engine {
    /// pgkite, as `cargo xtask install` left it in the private tree.
    pub(crate) fn own() -> Result<Self> {
        let tree = PrivateTree::open(DEFAULT_MAJOR, PrivateTree::OWN)?;
        Self::start(OWN, OWN, &tree)
            .context("cannot start pgkite: `cargo xtask bench` builds and installs it first")
    }

    /// A peer, in a private tree of its own.
    pub(crate) fn peer(peer: &Peer) -> Result<Self> {
        let tree = PrivateTree::open(DEFAULT_MAJOR, &format!("bench-{}", peer.name))?;
        peer.lend_to(&tree)?;
        Self::start(&peer.name, peer.extension, &tree)
    }

    /// pgkite first, then the peers in their order.
    pub(crate) fn with_peers(peers: &[Peer]) -> Result<Vec<Self>> {
        std::iter::once(Self::own()).chain(peers.iter().map(Self::peer)).collect()
    }

    fn start(name: &str, extension: &str, tree: &PrivateTree) -> Result<Self> {
        let builder = Cluster::builder(tree).socket_only();
        let builder =
            SETTINGS.iter().fold(builder, |builder, (setting, value)| builder.setting(setting, value));
        let cluster = builder.start()?;
        let mut client = cluster.connect()?;
        client
            .batch_execute(&format!("CREATE EXTENSION {extension}"))
            .with_context(|| format!("cannot create the extension {extension} of {name}"))?;
        let row = client.query_one(
            "SELECT extversion, current_setting('server_version') FROM pg_extension WHERE extname = $1",
            &[&extension],
        )?;
        let kernels = match extension {
            OWN => Some(client.query_one("SELECT kite.kernels()", &[])?.get(0)),
            _ => None,
        };
        let facts = Facts { name: name.into(), version: row.get(0), server: row.get(1), kernels };
        let backend = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
        Ok(Self { facts, client, backend, _cluster: cluster })
    }

    /// Runs a prepared statement, and answers how long that took as well.
    pub(crate) fn timed(
        &mut self,
        clock: Clock,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<(Vec<Row>, Duration)> {
        clock.time(self.backend, || Ok(self.client.query(statement, parameters)?))
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
        for turn in 0..engines.len() {
            let n = (repeat + turn) % engines.len();
            seconds[n].push(run(&mut engines[n], n, repeat)?.as_secs_f64());
        }
    }
    Ok(seconds)
}
