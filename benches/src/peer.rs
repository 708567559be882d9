//! Engines to compare with: found where the caller built or installed them, and copied into private trees.

use anyhow::{Context, Error, Result, bail, ensure};
use kite_cluster::{PrivateTree, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

/// Engines that the benches know, and the names of their extensions. The second is another build of this workspace's.
const KNOWN: &[(&str, &str)] = &[("pgvector", "vector"), ("pgkite-other", "pgkite")];

/// An engine installed for some PostgreSQL.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) extension: &'static str,
    pg_config: PathBuf,
}

/// Reads `NAME=PATH`, where the path is a `pg_config` or a PostgreSQL tree that holds one.
impl FromStr for Peer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, path) = text.split_once('=').context("give it as NAME=PATH")?;
        let Some((_, extension)) = KNOWN.iter().find(|(known, _)| *known == name) else {
            let known: Vec<_> = KNOWN.iter().map(|(known, _)| *known).collect();
            bail!("no engine called {name} is known; known are: {}", known.join(", "));
        };
        Ok(Self { name: name.into(), extension, pg_config: pg_config(Path::new(path))? })
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

impl Peer {
    /// Copies the extension's files into the tree, whose server must be the version that the peer was built for.
    pub(crate) fn lend_to(&self, tree: &PrivateTree) -> Result<()> {
        let ask = |option: &str| -> Result<String> {
            Ok(run(Command::new(&self.pg_config).arg(option))?.trim().to_owned())
        };
        let (theirs, ours) =
            (ask("--version")?, run(Command::new(tree.pg_config()).arg("--version"))?.trim().to_owned());
        ensure!(theirs == ours, "{} is built for {theirs}, and the bench runs {ours}", self.name);
        let scripts = PathBuf::from(ask("--sharedir")?).join("extension");
        tree.add_extension(self.extension, Path::new(&ask("--pkglibdir")?), &scripts)
    }
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
        let expected = bin.join("pg_config").canonicalize().unwrap();
        for path in [folder.path(), &expected] {
            let peer: Peer = format!("pgvector={}", path.display()).parse().unwrap();
            assert_eq!((peer.extension, &peer.pg_config), ("vector", &expected));
        }
        for (bad, complaint) in [
            ("pgvector", "NAME=PATH"),
            ("milvus=/", "known are: pgvector, pgkite-other"),
            ("pgvector=/nowhere/pg_config", "no pg_config at"),
        ] {
            let error = bad.parse::<Peer>().unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
