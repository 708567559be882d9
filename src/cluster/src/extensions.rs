//! Extensions built elsewhere, brought into a private tree.

use crate::tree::PrivateTree;
use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

impl PrivateTree {
    /// Copies an extension (its library, control file and scripts) into this tree from the library folder and the script
    /// folder of another installation of the same PostgreSQL version.
    pub fn add_extension(&self, name: &str, libraries: &Path, scripts: &Path) -> Result<()> {
        copy(name, libraries, &self.pkglib_dir())?;
        copy(name, scripts, &self.extension_dir())
    }

    /// Puts a file into the library folder: whole, or not at all.
    pub fn put_library(&self, name: &str, content: &[u8]) -> Result<()> {
        put(&self.pkglib_dir().join(name), content)
    }

    /// Puts a control file or a script into the folder of extensions: whole, or not at all.
    pub fn put_script(&self, name: &str, content: &[u8]) -> Result<()> {
        put(&self.extension_dir().join(name), content)
    }
}

/// Copies `vector.so` (or `vector-0.8.so`), `vector.control`, `vector--0.8.6.sql` and the like, but no other extension's
/// `vector_more.so`.
fn copy(extension: &str, from: &Path, to: &Path) -> Result<()> {
    let mut copied = 0;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let rest = name.strip_prefix(extension).unwrap_or_default();
        if path.is_file() && rest.starts_with(['.', '-']) {
            put(&to.join(name), &fs::read(&path)?)?;
            copied += 1;
        }
    }
    ensure!(copied > 0, "no file of extension {extension} in {}", from.display());
    Ok(())
}

/// Renamed into place: a server that runs keeps the file that it has mapped, and nobody reads half a file.
fn put(target: &Path, content: &[u8]) -> Result<()> {
    if fs::read(target).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let new = target.with_added_extension(format!("new-{}", std::process::id()));
    fs::write(&new, content)
        .and_then(|()| fs::rename(&new, target))
        .with_context(|| format!("cannot write {}", target.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_its_own_files_only() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["vector.so", "vector--0.8.6.sql", "vector_more.so", "vectorscale.control"] {
            fs::write(from.path().join(name), name).unwrap();
        }
        copy("vector", from.path(), to.path()).unwrap();
        let mut found: Vec<_> =
            fs::read_dir(to.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        found.sort();
        assert_eq!(found, ["vector--0.8.6.sql", "vector.so"]);
        let missing = copy("pgkite", from.path(), to.path()).unwrap_err().to_string();
        assert!(missing.contains("no file of extension pgkite"), "{missing}");
    }
}
