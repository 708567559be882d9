//! Servers with the extension, and with its neighbours.

use anyhow::{Result, ensure};
use kite_cluster::{Cluster, DEFAULT_MAJOR, PrivateTree};
use postgres::Client;
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
    tree.add_extension("pgkite", &own.pkglib_dir(), &own.extension_dir())?;
    Ok(tree)
}

/// Copies the real pgvector's files into a private tree.
///
/// # Errors
/// Where `peer` has none for this PostgreSQL version.
pub fn lend_pgvector(peer: &Path, tree: &PrivateTree) -> Result<()> {
    let major = DEFAULT_MAJOR;
    let libraries = peer.join(format!("usr/lib/postgresql/{major}/lib"));
    tree.add_extension("vector", &libraries, &peer.join(format!("usr/share/postgresql/{major}/extension")))
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
