//! Builds the extension and writes its files.

use crate::files::Writer;
use crate::shell::cargo;
use anyhow::{Context, Result, ensure};
use cargo_metadata::Message;
use kite_cluster::{DEFAULT_MAJOR, PrivateTree};
use kite_script::{Layout, scripts};
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The layout that a command line asks for.
pub(crate) fn layout(as_vector: bool) -> Layout {
    if as_vector { Layout::AsVector } else { Layout::Own }
}

/// Builds the optimised library against the server that `pg_config` belongs to. Answers its path.
pub(crate) fn build(pg_config: &Path, major: u32) -> Result<PathBuf> {
    let mut command = cargo("build");
    command.args(["--release", "--package", "pgkite", "--lib", "--message-format=json-render-diagnostics"]);
    if major != DEFAULT_MAJOR {
        command.args(["--no-default-features", "--features", &format!("pg{major}")]);
    }
    command.env("PGRX_PG_CONFIG_PATH", pg_config).stdout(Stdio::piped());
    println!("building the extension for PostgreSQL {major}");
    let mut child = command.spawn().context("cannot run cargo")?;
    let output = BufReader::new(child.stdout.take().context("cargo has no output")?);
    let mut library = None;
    for message in Message::parse_stream(output) {
        if let Message::CompilerArtifact(artifact) = message?
            && artifact.target.name == "pgkite"
        {
            library =
                artifact.filenames.into_iter().find(|file| matches!(file.extension(), Some("so" | "dylib")));
        }
    }
    let status = child.wait()?;
    ensure!(status.success(), "the extension does not build ({status}): see above");
    Ok(library.context("cargo built no library")?.into_std_path_buf())
}

/// Builds once and installs into the private trees of both layouts.
pub(crate) fn into_private_trees() -> Result<[PrivateTree; 2]> {
    let trees = [
        (crate::setup::private_tree(PrivateTree::OWN)?, Layout::Own),
        (crate::setup::private_tree(PrivateTree::AS_VECTOR)?, Layout::AsVector),
    ];
    let library = build(&trees[0].0.pg_config(), trees[0].0.major())?;
    for (tree, layout) in &trees {
        write(&library, *layout, &tree.pkglib_dir(), &tree.extension_dir(), &Writer::Caller)?;
    }
    Ok(trees.map(|(tree, _)| tree))
}

/// Writes the library and the layout's scripts into a server's folders. Answers what it wrote.
pub(crate) fn write(
    library: &Path,
    layout: Layout,
    pkglib_dir: &Path,
    extension_dir: &Path,
    writer: &Writer,
) -> Result<Vec<PathBuf>> {
    let suffix = library.extension().unwrap_or_default().to_string_lossy();
    let target = pkglib_dir.join(format!("pgkite.{suffix}"));
    writer.put(&fs::read(library)?, &target, "755")?;
    let mut written = vec![target];
    for script in scripts(layout) {
        let target = extension_dir.join(&script.file_name);
        writer.put(script.text.as_bytes(), &target, "644")?;
        written.push(target);
    }
    Ok(written)
}
