//! Servers with the extension, and with its neighbours.

use anyhow::{Context, Result, ensure};
use kite_cluster::{Cluster, DEFAULT_MAJOR, PrivateTree};
use postgres::Client;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Names a PostgreSQL tree, laid out as the private ones, that has the real pgvector installed. Tests then also compare with it.
pub const PGVECTOR_TREE: &str = "KITE_PGVECTOR_TREE";

/// A server on which `CREATE EXTENSION pgkite` brings everything.
///
/// # Errors
/// Where `cargo xtask test` (or anything else) has not installed the extension into the private tree.
pub fn own() -> Result<Cluster> {
    Cluster::builder(&installed(PrivateTree::OWN)?).start()
}

/// A server on which pgkite stands in for the extension `vector`.
///
/// # Errors
/// As [`own`].
pub fn as_vector() -> Result<Cluster> {
    Cluster::builder(&installed(PrivateTree::AS_VECTOR)?).start()
}

/// A server with the real pgvector, where [`PGVECTOR_TREE`] names one; else says on standard error what is skipped.
///
/// # Errors
/// Where the tree has no pgvector for this PostgreSQL version.
pub fn pgvector(skipped: &str) -> Result<Option<Cluster>> {
    let Some(peer) = pgvector_tree(skipped) else { return Ok(None) };
    let tree = PrivateTree::open(DEFAULT_MAJOR, "pgvector")?;
    lend_pgvector(&peer, &tree)?;
    Cluster::builder(&tree).start().map(Some)
}

/// The tree that [`PGVECTOR_TREE`] names; else says on standard error what is skipped.
#[must_use]
pub fn pgvector_tree(skipped: &str) -> Option<PathBuf> {
    let tree = std::env::var_os(PGVECTOR_TREE).filter(|tree| !tree.is_empty()).map(PathBuf::from);
    if tree.is_none() {
        eprintln!(
            "SKIPPED: {skipped}: set {PGVECTOR_TREE} to a PostgreSQL tree with the real pgvector in it"
        );
    }
    tree
}

/// The private tree of this variant, into which the extension has been installed.
///
/// # Errors
/// Where it has not.
pub fn installed(variant: &str) -> Result<PrivateTree> {
    let tree = PrivateTree::open(DEFAULT_MAJOR, variant)?;
    ensure!(
        tree.extension_dir().join("pgkite.control").exists(),
        "the extension is not installed in {}: run these tests by `cargo xtask test`, which does it",
        tree.extension_dir().display()
    );
    Ok(tree)
}

/// A tree of its own that has our extension beside whatever the caller adds.
///
/// # Errors
/// As [`own`].
pub fn tree_with_pgkite(variant: &str) -> Result<PrivateTree> {
    let (own, tree) = (installed(PrivateTree::OWN)?, PrivateTree::open(DEFAULT_MAJOR, variant)?);
    lend(&own.pkglib_dir(), &tree.pkglib_dir(), "pgkite")?;
    lend(&own.extension_dir(), &tree.extension_dir(), "pgkite")?;
    Ok(tree)
}

/// Copies the real pgvector's files into a private tree.
///
/// # Errors
/// Where `peer` has none for this PostgreSQL version.
pub fn lend_pgvector(peer: &Path, tree: &PrivateTree) -> Result<()> {
    let major = DEFAULT_MAJOR;
    lend(&peer.join(format!("usr/lib/postgresql/{major}/lib")), &tree.pkglib_dir(), "vector")?;
    lend(&peer.join(format!("usr/share/postgresql/{major}/extension")), &tree.extension_dir(), "vector")
}

/// Copies the files of an extension from one folder to another.
fn lend(from: &Path, to: &Path, extension: &str) -> Result<()> {
    let mut copied = 0;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let rest = name.strip_prefix(extension).unwrap_or_default();
        if path.is_file() && (rest.starts_with('.') || rest.starts_with("--")) {
            put(&to.join(name), &fs::read(&path)?)?;
            copied += 1;
        }
    }
    ensure!(copied > 0, "no file of extension {extension} in {}", from.display());
    Ok(())
}

/// Puts a file into a tree that servers of other tests may be running from: whole, or not at all.
///
/// # Errors
/// Where it cannot be written.
pub fn put(target: &Path, content: &[u8]) -> Result<()> {
    if fs::read(target).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let new = target.with_added_extension(format!("new-{}", std::process::id()));
    fs::write(&new, content)
        .and_then(|()| fs::rename(&new, target))
        .with_context(|| format!("cannot write {}", target.display()))
}

/// A session in a new database in which `extension` has been created.
///
/// # Errors
/// As the server says it.
pub fn database(cluster: &Cluster, name: &str, extension: &str) -> Result<Client> {
    cluster.create_database(name)?;
    let mut client = cluster.connect_to(name)?;
    client.batch_execute(&format!("CREATE EXTENSION {extension}"))?;
    Ok(client)
}

/// A session in a new database, and its server, where pgkite's own layout has been created.
///
/// # Errors
/// As [`own`], and as the server says it.
pub fn own_database() -> Result<(Cluster, Client)> {
    let cluster = own()?;
    let client = database(&cluster, "test", "pgkite")?;
    Ok((cluster, client))
}
