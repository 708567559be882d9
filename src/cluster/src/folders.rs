//! Folders that another account must be able to read, and locks between processes.

use anyhow::{Context, Result, ensure};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// Makes a folder (and its parents) that everybody may read, whatever the caller's umask.
pub(crate) fn readable(path: &Path) -> Result<()> {
    make_readable(path).with_context(|| format!("cannot make the folder {}", path.display()))
}

fn make_readable(path: &Path) -> std::io::Result<()> {
    if !path.is_dir() {
        if let Some(parent) = path.parent() {
            make_readable(parent)?;
        }
        match fs::DirBuilder::new().mode(0o755).create(path) {
            // Another process was faster.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        fs::set_permissions(path, Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Makes or takes over a folder in a place that others may write to. A folder of another account's is refused.
pub(crate) fn readable_and_mine(path: &Path) -> Result<()> {
    readable(path)?;
    let found = fs::symlink_metadata(path)?;
    ensure!(
        found.is_dir() && found.uid() == nix::unistd::Uid::effective().as_raw(),
        "{} belongs to somebody else: remove it, or set TMPDIR to another folder",
        path.display()
    );
    Ok(())
}

/// Waits for the lock named by `path` and holds it until the answer is dropped, or the process ends.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("cannot open the lock file {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// Whether the lock file exists and nobody holds it.
pub(crate) fn is_abandoned(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// Copies files, folders and links of `from` into the new folder `to`, leaving out what `keep` refuses by its path below
/// `from`.
pub(crate) fn copy(from: &Path, to: &Path, keep: &dyn Fn(&Path) -> bool) -> Result<()> {
    copy_below(from, from, to, keep)
}

fn copy_below(top: &Path, from: &Path, to: &Path, keep: &dyn Fn(&Path) -> bool) -> Result<()> {
    readable(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if !keep(source.strip_prefix(top).unwrap_or(&source)) {
            continue;
        }
        let context = || format!("cannot copy {} to {}", source.display(), target.display());
        // Links are followed: the copy must not lead back into the system's folders.
        if source.is_dir() {
            copy_below(top, &source, &target, keep)?;
        } else if source.exists() {
            fs::copy(&source, &target).with_context(context)?;
        }
    }
    Ok(())
}
