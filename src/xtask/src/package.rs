//! `cargo xtask package`: the extension's files in an archive.

use crate::extension::{build, write};
use crate::files::Writer;
use crate::setup;
use crate::shell::step;
use anyhow::{Context, Result};
use kite_cluster::{PrivateTree, workspace_root};
use kite_script::Layout;
use std::fs;
use std::process::Command;

/// Builds the extension and packs its files at the places that Debian's PostgreSQL gives them.
pub(crate) fn run(layout: Layout) -> Result<()> {
    setup::server_and_headers()?;
    let tree = setup::private_tree(PrivateTree::OWN)?;
    let library = build(&tree.pg_config(), tree.major())?;

    let kind = if layout == Layout::AsVector { "-as-vector" } else { "" };
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("pgkite-{version}-pg{}-{}{kind}", tree.major(), std::env::consts::ARCH);
    let folder = workspace_root().join("target/package");
    let root = folder.join(&name);
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("cannot renew {}", root.display()))?;
    }
    let pkglib_dir = root.join(format!("usr/lib/postgresql/{}/lib", tree.major()));
    let extension_dir = root.join(format!("usr/share/postgresql/{}/extension", tree.major()));
    let doc_dir = root.join("usr/share/doc/pgkite");
    for made in [&pkglib_dir, &extension_dir, &doc_dir] {
        fs::create_dir_all(made)?;
    }
    write(&library, layout, &pkglib_dir, &extension_dir, &Writer::Caller)?;
    fs::copy(workspace_root().join("LICENSE"), doc_dir.join("copyright"))?;

    let archive = folder.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(["--create", "--gzip", "--owner=0", "--group=0", "--file"]).arg(&archive);
    step(tar.arg("--directory").arg(&root).arg("usr"))?;
    println!("packed     {}", archive.display());
    println!("On Debian, as root: tar --extract --file {name}.tar.gz --directory /");
    Ok(())
}
