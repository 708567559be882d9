//! Files that are whole or not there.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::Path;

/// Writes a file beside `path` and puts it in its place once it is complete. Makes the folder where there is none.
pub(super) fn replace(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let part = Path::new(&part);
    let put = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = File::create(part)?;
        write(&mut file)?;
        Ok(fs::rename(part, path)?)
    };
    put()
        .inspect_err(|_: &anyhow::Error| {
            let _ = fs::remove_file(part);
        })
        .with_context(|| format!("cannot write {}", path.display()))
}
