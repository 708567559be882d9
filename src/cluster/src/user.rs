//! Who runs the servers.

use anyhow::{Context, Result};
use nix::unistd::{Uid, User};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// The operating-system account that server programs run as: the caller, or `postgres` where the caller is root.
#[derive(Debug, Clone)]
pub struct ServerUser {
    /// Set where programs have to change user: name, user id, group id.
    other: Option<(String, u32, u32)>,
}

impl ServerUser {
    /// Finds the account. Fails where the caller is root and the system has no user `postgres`.
    pub fn find() -> Result<Self> {
        if !Uid::effective().is_root() {
            return Ok(Self { other: None });
        }
        let user = User::from_name("postgres")
            .context("cannot look up the user `postgres`")?
            .context(
                "PostgreSQL does not run as root, and this system has no user `postgres` to run it as: \
                 install the server (apt-get install postgresql-15), or add the user (adduser --system --group postgres), \
                 or work as an ordinary user",
            )?;
        Ok(Self { other: Some((user.name, user.uid.as_raw(), user.gid.as_raw())) })
    }

    /// The account's name, where it is not the caller's own.
    pub fn name(&self) -> Option<&str> {
        self.other.as_ref().map(|(name, ..)| name.as_str())
    }

    /// Makes `command` run as this account, without the caller's supplementary groups.
    pub(crate) fn apply(&self, command: &mut Command) {
        if let Some((_, uid, gid)) = self.other {
            // The standard library drops all supplementary groups when root sets a user id.
            command.uid(uid).gid(gid);
        }
    }

    /// Gives a file or folder to this account.
    pub(crate) fn own(&self, path: &Path) -> Result<()> {
        if let Some((name, uid, gid)) = &self.other {
            std::os::unix::fs::chown(path, Some(*uid), Some(*gid))
                .with_context(|| format!("cannot give {} to {name}", path.display()))?;
        }
        Ok(())
    }

    /// Whether this account can list and enter the folder.
    pub(crate) fn reaches(&self, folder: &Path) -> Result<bool> {
        let mut command = Command::new("test");
        command.arg("-r").arg(folder).arg("-a").arg("-x").arg(folder).current_dir("/");
        self.apply(&mut command);
        Ok(command.status().context("cannot run `test`")?.success())
    }
}
