//! Writing into folders of a server.

use crate::shell::{step, succeeds};
use anyhow::{Context, Result, ensure};
use nix::unistd::Uid;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Who writes.
pub(crate) enum Writer {
    /// This process.
    Caller,
    /// Root, through sudo, one printed command a file.
    Sudo,
}

impl Writer {
    /// Finds out who may write to all of these folders.
    pub(crate) fn of(folders: &[&Path]) -> Result<Self> {
        let closed = folders.iter().find(|folder| tempfile::tempfile_in(folder).is_err());
        let Some(closed) = closed else { return Ok(Self::Caller) };
        ensure!(
            !Uid::effective().is_root() && succeeds(Command::new("sudo").arg("--version")),
            "{} cannot be written: pack the files with `cargo xtask package`, and let somebody who may unpack them",
            closed.display()
        );
        Ok(Self::Sudo)
    }

    /// Puts a new file in place of an old one. A running server that has the old one mapped keeps it.
    pub(crate) fn put(&self, content: &[u8], target: &Path, mode: &str) -> Result<()> {
        let folder = match self {
            Self::Caller => target.parent().context("a file in a folder is expected")?.to_path_buf(),
            Self::Sudo => std::env::temp_dir(),
        };
        let mut staged = tempfile::NamedTempFile::new_in(folder).context("cannot make a temporary file")?;
        staged.write_all(content)?;
        match self {
            Self::Caller => {
                use std::os::unix::fs::PermissionsExt;
                let mode = u32::from_str_radix(mode, 8)?;
                fs::set_permissions(staged.path(), fs::Permissions::from_mode(mode))?;
                staged.persist(target).map(drop).with_context(|| format!("cannot write {}", target.display()))
            }
            Self::Sudo => {
                step(Command::new("sudo").args(["install", "-m", mode]).arg(staged.path()).arg(target))
            }
        }
    }

    /// Gives a file another name in its folder.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        match self {
            Self::Caller => fs::rename(from, to).with_context(|| format!("cannot rename {}", from.display())),
            Self::Sudo => step(Command::new("sudo").arg("mv").arg(from).arg(to)),
        }
    }
}
