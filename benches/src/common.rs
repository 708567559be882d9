//! What all benches of indexes are told: who competes, on which data.

use crate::data::Source;
use crate::engine::{Arm, KNOWN, Kind, OWN, Peer};
use crate::settings::Settings;
use anyhow::{Context, Error, Result, ensure};
use clap::Args;
use std::str::FromStr;

/// Who competes, on which data, and how often.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Where another engine is: `pgvector=PG_CONFIG_OR_TREE`, `vchord=postgres://…`, `hnswlib=PYTHON`; may be given several
    /// times
    #[arg(long, value_name = "NAME=PLACE")]
    pub(crate) peer: Vec<Peer>,
    /// What competes: `ENGINE:METHOD[,option=value…]`, such as `pgvector:hnsw,m=16,sweep=20/40/80`; may be given several times
    /// (default: the usual ones of every engine that is there)
    #[arg(long, value_name = "ARM")]
    pub(crate) arm: Vec<Arm>,
    /// Vectors: `debian`, `generated:200kx768`, or a file (.npy, .fvecs, .hdf5); may be given several times
    #[arg(long, value_name = "SOURCE", default_value = "debian")]
    pub(crate) data: Vec<Source>,
    /// Rows asked for
    #[arg(long, default_value_t = 10)]
    pub(crate) k: usize,
    /// Queries of a pass, at most
    #[arg(long, default_value_t = 1000)]
    pub(crate) queries: usize,
    /// Measurements of everything
    #[arg(long, default_value_t = 5)]
    pub(crate) repeats: usize,
    /// Ends a pass early, in seconds
    #[arg(long, default_value_t = 10.0)]
    pub(crate) budget: f64,
    /// Keeps each client and the server process that works for it on one processor (Linux): else the scheduler's choice adds
    /// tens of microseconds to some passes and not to others
    #[arg(long)]
    pub(crate) pin: bool,
    /// Changes a setting of the throw-away servers
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<Setting>,
    /// The arm that the others are compared with, or the beginning of its name
    #[arg(long)]
    pub(crate) baseline: Option<String>,
}

/// A server setting.
#[derive(Debug, Clone)]
pub(crate) struct Setting(String, String);

impl FromStr for Setting {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, value) = text.split_once('=').context("give it as NAME=VALUE")?;
        Ok(Self(name.trim().into(), value.trim().into()))
    }
}

impl Common {
    /// Fails on numbers that make no bench.
    pub(crate) fn check(&self) -> Result<()> {
        let counts = [("k", self.k), ("queries", self.queries), ("repeats", self.repeats)];
        counts.iter().try_for_each(|(name, count)| {
            ensure!(*count > 0, "--{name} must be at least 1");
            Ok(())
        })
    }

    /// What the throw-away servers are started with.
    pub(crate) fn settings(&self) -> Settings {
        let changes: Vec<_> =
            self.set.iter().map(|Setting(name, value)| (name.clone(), value.clone())).collect();
        Settings::for_indexes().with(&changes)
    }

    /// The engines that are there: our own, and the peers given.
    pub(crate) fn present(&self) -> impl Iterator<Item = &'static Kind> {
        let own = KNOWN.iter().filter(|kind| kind.name == OWN);
        own.chain(self.peer.iter().map(|peer| peer.kind))
    }

    /// Names of the peers that the bench knows and was not given.
    pub(crate) fn absent(&self) -> Vec<String> {
        let given = |kind: &Kind| self.present().any(|present| present.name == kind.name);
        KNOWN
            .iter()
            .filter(|kind| kind.name != "pgkite-other" && !given(kind))
            .map(|kind| kind.name.into())
            .collect()
    }

    /// The arms asked for, of which all engines must be there; else the usual ones.
    pub(crate) fn arms(&self) -> Result<Vec<Arm>> {
        for arm in &self.arm {
            ensure!(
                self.present().any(|kind| kind.name == arm.kind.name),
                "{arm} needs to know where it is: --peer {}=PLACE",
                arm.kind.name
            );
        }
        let names: Vec<String> = self.arm.iter().map(ToString::to_string).collect();
        for (n, name) in names.iter().enumerate() {
            ensure!(!names[..n].contains(name), "two arms are called {name}: tell them apart with `as=NAME`");
        }
        if !self.arm.is_empty() {
            return Ok(self.arm.clone());
        }
        self.present().flat_map(|kind| kind.usual.iter().map(|arm| arm.parse())).collect()
    }

    /// The peer of this name.
    pub(crate) fn peer(&self, kind: &Kind) -> Option<&Peer> {
        self.peer.iter().find(|peer| peer.kind.name == kind.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        common: Common,
    }

    fn common(words: &str) -> Common {
        Line::parse_from(std::iter::once("bench").chain(words.split_whitespace())).common
    }

    #[test]
    fn who_is_absent_is_known() {
        let alone = common("");
        assert_eq!(alone.absent(), ["pgvector", "vchord", "pgvectorscale", "hnswlib", "faiss"]);
        let beside = common("--peer vchord=postgres://x/y");
        assert!(!beside.absent().contains(&"vchord".to_owned()));
        assert!(beside.arms().unwrap().iter().any(|arm| arm.kind.name == "vchord"));
        let lost = common("--arm pgvector:hnsw").arms().unwrap_err().to_string();
        assert!(lost.contains("--peer pgvector=PLACE"), "{lost}");
        let twice = common("--arm pgkite:exact --arm pgkite:exact").arms().unwrap_err().to_string();
        assert!(twice.contains("as=NAME"), "{twice}");
    }

    #[test]
    fn settings_can_be_changed() {
        let settings = common("--set shared_buffers=1GB --set jit=on").settings();
        assert_eq!(
            (settings.map()["shared_buffers"].as_str(), settings.map()["jit"].as_str()),
            ("1GB", "on")
        );
        assert!("jit".parse::<Setting>().is_err());
        assert!(common("--k 0").check().is_err() && common("").check().is_ok());
    }
}
