//! Where engines other than our own are found: in an installation that the caller made, on a server that runs, or in a
//! Python.

use super::known::{Home, KNOWN, Kind, OWN, kind};
use anyhow::{Context, Error, Result, ensure};
use kite_cluster::{PrivateTree, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

/// An engine to compare with.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) kind: &'static Kind,
    pub(crate) place: Place,
}

/// Where an engine is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Installed for some PostgreSQL: its `pg_config`.
    Installed(PathBuf),
    /// On a server that somebody else runs: a connection string.
    Running(String),
    /// In a Python interpreter's modules.
    Python(PathBuf),
}

/// Reads `NAME=PLACE`: a `pg_config`, a PostgreSQL tree that holds one, a `postgres://` URL, or a Python interpreter.
impl FromStr for Peer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, place) = text.split_once('=').context("give it as NAME=PLACE")?;
        let kind = kind(name).filter(|kind| kind.name != OWN).with_context(|| {
            let known: Vec<_> = KNOWN.iter().map(|kind| kind.name).filter(|&name| name != OWN).collect();
            format!("no peer called {name} is known; known are: {}", known.join(", "))
        })?;
        let place = match kind.home {
            Home::InProcess => {
                // Not made canonical: an interpreter of a virtual environment is a link, and knows it by its name.
                let path = std::path::absolute(place)?;
                ensure!(path.is_file(), "no Python interpreter at {place}");
                Place::Python(path)
            }
            Home::Server { .. } if place.starts_with("postgres://") || place.starts_with("postgresql://") => {
                Place::Running(place.into())
            }
            Home::Server { .. } => Place::Installed(pg_config(Path::new(place))?),
        };
        Ok(Self { kind, place })
    }
}

/// The `pg_config` that a path means.
fn pg_config(path: &Path) -> Result<PathBuf> {
    let found = if path.is_dir() {
        let major = kite_cluster::DEFAULT_MAJOR;
        [format!("usr/lib/postgresql/{major}/bin"), format!("lib/postgresql/{major}/bin"), "bin".into()]
            .iter()
            .map(|folder| path.join(folder).join("pg_config"))
            .find(|file| file.is_file())
            .with_context(|| format!("no pg_config below {}", path.display()))?
    } else {
        path.to_owned()
    };
    found.canonicalize().with_context(|| format!("no pg_config at {}", path.display()))
}

/// Copies the extensions that belong to `pg_config` into the tree, whose server must be of the version they were built for.
pub(crate) fn lend(pg_config: &Path, extensions: &[&str], tree: &PrivateTree) -> Result<()> {
    let ask = |pg_config: &Path, option: &str| -> Result<String> {
        Ok(run(Command::new(pg_config).arg(option))?.trim().to_owned())
    };
    let (theirs, ours) = (ask(pg_config, "--version")?, ask(&tree.pg_config(), "--version")?);
    ensure!(theirs == ours, "{} is of {theirs}, and the bench runs {ours}", pg_config.display());
    let scripts = PathBuf::from(ask(pg_config, "--sharedir")?).join("extension");
    let libraries = PathBuf::from(ask(pg_config, "--pkglibdir")?);
    extensions.iter().try_for_each(|name| {
        // A library may carry its version in its name, which its control file then tells.
        tree.add_extension(name, &libraries, &scripts)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_peer_is_a_known_name_and_a_place() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("pg_config"), "").unwrap();
        let expected = Place::Installed(bin.join("pg_config").canonicalize().unwrap());
        for path in [folder.path(), &bin.join("pg_config")] {
            let peer: Peer = format!("pgvector={}", path.display()).parse().unwrap();
            assert_eq!((peer.kind.name, &peer.place), ("pgvector", &expected));
        }
        let running: Peer = "vchord=postgres://somewhere/db".parse().unwrap();
        assert_eq!(running.place, Place::Running("postgres://somewhere/db".into()));
        for (bad, complaint) in [
            ("pgvector", "NAME=PLACE"),
            ("milvus=/", "known are: pgkite-other, pgvector"),
            ("pgkite=/", "no peer called pgkite"),
            ("pgvector=/nowhere/pg_config", "no pg_config at"),
            ("hnswlib=/nowhere/python", "no Python"),
        ] {
            let error = bad.parse::<Peer>().unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
