//! A server with an engine on it: a throw-away cluster, or somebody's running one.

use super::known::{Home, Kind, OWN};
use super::peer::{Peer, Place, lend};
use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use kite_cluster::{Cluster, DEFAULT_MAJOR, PrivateTree, Shutdown};
use postgres::{Client, Config, NoTls};
use serde::Serialize;
use std::collections::BTreeMap;

/// The schema of the bench's tables on a server that is not the bench's own.
const SCHEMA: &str = "kite_bench";

/// A running engine. Throw-away servers are all copies of the system's, with the same settings.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) kind: &'static Kind,
    pub(crate) facts: Facts,
    /// Whether each session and its client are kept on a processor of their own.
    pub(crate) pinned: bool,
    place: Running,
}

#[derive(Debug)]
enum Running {
    Own(Box<Cluster>),
    Theirs(Box<Config>),
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

impl Server {
    /// pgkite, as `cargo xtask install` left it in the private tree.
    pub(crate) fn own(settings: &Settings) -> Result<Self> {
        let kind = super::known::kind(OWN).context("pgkite is known")?;
        let tree = PrivateTree::open(DEFAULT_MAJOR, PrivateTree::OWN)?;
        Self::start(kind, &tree, settings)
            .context("cannot start pgkite: `cargo xtask bench` builds and installs it first")
    }

    /// A peer, in a private tree of its own, or where it runs.
    pub(crate) fn peer(peer: &Peer, settings: &Settings) -> Result<Self> {
        let Home::Server { extensions, .. } = peer.kind.home else {
            bail!("{} runs in the asking process", peer.kind.name);
        };
        match &peer.place {
            Place::Installed(pg_config) => {
                let tree = PrivateTree::open(DEFAULT_MAJOR, &format!("bench-{}", peer.kind.name))?;
                lend(pg_config, extensions, &tree)?;
                Self::start(peer.kind, &tree, settings)
            }
            Place::Running(url) => {
                let mut config: Config = url.parse().context("not a connection string")?;
                let options =
                    format!("{} -c search_path={SCHEMA},public", config.get_options().unwrap_or_default());
                config.options(&options);
                let place = Running::Theirs(Box::new(config));
                let mut client = place.connect()?;
                client.batch_execute(&format!(
                    "DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}"
                ))?;
                Self::on(peer.kind, place, &mut client)
            }
            Place::Python(_) => bail!("{} needs a server", peer.kind.name),
        }
    }

    fn start(kind: &'static Kind, tree: &PrivateTree, settings: &Settings) -> Result<Self> {
        let mut builder = Cluster::builder(tree).socket_only();
        for (name, value) in settings.iter() {
            builder = builder.setting(name, value);
        }
        if let Home::Server { preload: Some(library), .. } = kind.home {
            builder = builder.setting("shared_preload_libraries", library);
        }
        let place = Running::Own(Box::new(builder.start()?));
        let mut client = place.connect()?;
        Self::on(kind, place, &mut client)
    }

    fn on(kind: &'static Kind, place: Running, client: &mut Client) -> Result<Self> {
        let Home::Server { extensions, .. } = kind.home else {
            bail!("{} runs in the asking process", kind.name);
        };
        for extension in extensions {
            client
                .batch_execute(&format!("CREATE EXTENSION IF NOT EXISTS {extension}"))
                .with_context(|| format!("cannot create the extension {extension} of {}", kind.name))?;
        }
        let own = extensions.last().context("an engine has an extension")?;
        let row = client.query_one(
            "SELECT extversion, current_setting('server_version') FROM pg_extension WHERE extname = $1",
            &[own],
        )?;
        let kernels = match *own {
            OWN => Some(client.query_one("SELECT kite.kernels()", &[])?.get(0)),
            _ => None,
        };
        let facts = Facts { name: kind.name.into(), version: row.get(0), server: row.get(1), kernels };
        Ok(Self { kind, facts, pinned: false, place })
    }

    /// A new session.
    pub(crate) fn connect(&self) -> Result<Client> {
        self.place.connect().with_context(|| format!("cannot connect to {}", self.kind.name))
    }

    /// Where its settings differ from those that the bench gives its own servers, and what it preloads.
    pub(crate) fn other_settings(&self, usual: &Settings) -> Result<BTreeMap<String, String>> {
        let mut client = self.connect()?;
        let mut differing = BTreeMap::new();
        for (name, wanted) in usual.iter().chain([("shared_preload_libraries", "")]) {
            let set: String = client.query_one("SELECT current_setting($1)", &[&name])?.get(0);
            if set != wanted {
                differing.insert(name.to_owned(), set);
            }
        }
        Ok(differing)
    }

    /// Whether it is a cluster of the bench's own, on this machine.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.place, Running::Own(_))
    }

    /// Restarts the server with another value of a setting. All its sessions end.
    pub(crate) fn restart_with(&self, name: &str, value: &str) -> Result<()> {
        match &self.place {
            Running::Own(cluster) => {
                cluster.set(name, value)?;
                cluster.restart(Shutdown::Fast)
            }
            Running::Theirs(_) => bail!("the server of {} is not the bench's own to restart", self.kind.name),
        }
    }
}

impl Running {
    fn connect(&self) -> Result<Client> {
        match self {
            Self::Own(cluster) => cluster.connect(),
            Self::Theirs(config) => Ok(config.connect(NoTls)?),
        }
    }
}

/// What the bench made on somebody's server goes with it.
impl Drop for Server {
    fn drop(&mut self) {
        if !self.is_own()
            && let Err(error) = self
                .connect()
                .and_then(|mut client| Ok(client.batch_execute(&format!("DROP SCHEMA {SCHEMA} CASCADE"))?))
        {
            eprintln!("schema {SCHEMA} of {} was not dropped: {error:#}", self.kind.name);
        }
    }
}
