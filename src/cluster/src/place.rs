//! Where trees and clusters lie.

use crate::folders;
use crate::user::ServerUser;
use anyhow::{Context, Result};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A Unix socket's path has at most 107 bytes; a cluster adds `/c/XXXXXX/.s.PGSQL.65535` to its place.
const LONGEST_PLACE: usize = 107 - "/c/XXXXXX/.s.PGSQL.65535".len();

/// The folder of the workspace's root `Cargo.toml`.
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Where things lie: in `target/` of the workspace, or below the system's folder for temporary files where the server's
/// account cannot reach the workspace, or where its path is too long for a Unix socket.
#[derive(Debug)]
pub(crate) struct Place {
    /// Holds trees and the template cluster.
    pub(crate) trees: PathBuf,
    /// Holds clusters.
    pub(crate) clusters: PathBuf,
    /// What the user should know about it.
    pub(crate) note: Option<String>,
}

impl Place {
    pub(crate) fn find(user: &ServerUser) -> Result<Self> {
        let root = workspace_root();
        let target = root.join("target");
        folders::readable(&target)?;
        if !user.reaches(&target)? {
            let elsewhere = fallback(&root)?;
            let note = format!(
                "the user {} cannot reach {}: the private PostgreSQL lies in {}",
                user.name().unwrap_or("that runs the server"),
                target.display(),
                elsewhere.display()
            );
            return Ok(Self { clusters: elsewhere.clone(), trees: elsewhere, note: Some(note) });
        }
        if target.as_os_str().as_bytes().len() > LONGEST_PLACE {
            return Ok(Self { clusters: fallback(&root)?, trees: target, note: None });
        }
        Ok(Self { clusters: target.clone(), trees: target, note: None })
    }

    /// The path that builds name, `target/<name>`: the tree itself, or a link to it where it lies elsewhere.
    pub(crate) fn link(&self, name: &str) -> Result<()> {
        let link = workspace_root().join("target").join(name);
        let tree = self.trees.join(name);
        if link == tree || fs::read_link(&link).is_ok_and(|to| to == tree) {
            return Ok(());
        }
        if link.is_dir() && !link.is_symlink() {
            fs::remove_dir_all(&link).with_context(|| format!("cannot replace {}", link.display()))?;
        } else {
            let _ = fs::remove_file(&link);
        }
        std::os::unix::fs::symlink(&tree, &link)
            .with_context(|| format!("cannot make the link {}", link.display()))
    }
}

fn fallback(root: &Path) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    root.hash(&mut hasher);
    let name = format!("pgkite-{}-{:08x}", nix::unistd::Uid::effective(), hasher.finish() as u32);
    let folder = std::env::temp_dir().join(name);
    folders::readable_and_mine(&folder)?;
    Ok(folder)
}
