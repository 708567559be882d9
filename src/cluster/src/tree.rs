//! A private copy of the machine's PostgreSQL.

use crate::folders;
use crate::place::{Place, workspace_root};
use crate::user::ServerUser;
use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The major version that builds and tests use unless told otherwise.
pub const DEFAULT_MAJOR: u32 = 15;

/// A copy of an installed PostgreSQL with folders of its own: programs, libraries, shared files and headers.
///
/// PostgreSQL finds its folders relative to the program that runs, so a copy which keeps their relative places is a complete
/// installation. It is made once, and made anew (without any extension installed into it) when the system's PostgreSQL
/// changes. The system's own folders are only read.
#[derive(Debug, Clone)]
pub struct PrivateTree {
    root: PathBuf,
    named: PathBuf,
    clusters: PathBuf,
    templates: PathBuf,
    major: u32,
    user: ServerUser,
    note: Option<String>,
}

impl PrivateTree {
    /// The tree in which `pgkite` holds everything: `target/pg15`.
    pub const OWN: &'static str = "";
    /// The tree in which a complete extension `vector` comes with it: `target/pg15-as-vector`.
    pub const AS_VECTOR: &'static str = "as-vector";

    /// Opens the tree `target/pg<major>[-<variant>]`, and makes or renews it when needed. Trees of different variants are
    /// independent copies.
    pub fn open(major: u32, variant: &str) -> Result<Self> {
        ensure!((14..=18).contains(&major), "PostgreSQL {major} is not supported: choose 14 to 18");
        let name = if variant.is_empty() { format!("pg{major}") } else { format!("pg{major}-{variant}") };
        let user = ServerUser::find()?;
        let place = Place::find(&user)?;
        let tree = Self {
            root: place.trees.join(&name),
            named: workspace_root().join("target").join(&name),
            clusters: place.clusters.join("c"),
            templates: place.trees.clone(),
            major,
            user,
            note: place.note.clone(),
        };
        let _lock = folders::lock(&place.trees.join(format!("{name}.lock")))?;
        tree.refresh()?;
        place.link(&name)?;
        Ok(tree)
    }

    fn refresh(&self) -> Result<()> {
        let stamp = system_stamp(self.major)?;
        if fs::read_to_string(self.stamp_file()).is_ok_and(|old| old == stamp) {
            return Ok(());
        }
        if self.root.exists() {
            fs::remove_dir_all(&self.root)
                .with_context(|| format!("cannot renew {}", self.root.display()))?;
        }
        // Headers of the client library lie beside the versioned ones, which other major versions share.
        let all_versions = |path: &Path| {
            let top = path.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
            top.is_none_or(|top| top.parse::<u32>().map_or(true, |version| version == self.major))
        };
        for (folder, keep) in [
            (
                format!("usr/lib/postgresql/{}", self.major),
                &(|path: &Path| !is_ours(path)) as &dyn Fn(&Path) -> bool,
            ),
            (format!("usr/share/postgresql/{}", self.major), &|path: &Path| !is_ours(path)),
            ("usr/include/postgresql".into(), &all_versions),
        ] {
            folders::copy(&Path::new("/").join(&folder), &self.root.join(&folder), keep)?;
        }
        // Last: a copy that was interrupted has no stamp and is made anew.
        fs::write(self.stamp_file(), stamp)?;
        Ok(())
    }

    fn stamp_file(&self) -> PathBuf {
        self.root.join("stamp")
    }

    /// Identifies the copied PostgreSQL build: clusters made by one can be used by another with the same stamp.
    pub(crate) fn stamp(&self) -> Result<String> {
        Ok(fs::read_to_string(self.stamp_file())?)
    }

    /// The PostgreSQL major version.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// What the user should know about where the tree lies, where that is not `target/`.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The account that servers run as.
    pub fn user(&self) -> &ServerUser {
        &self.user
    }

    /// The folder of the programs.
    pub fn bin_dir(&self) -> PathBuf {
        self.root.join(format!("usr/lib/postgresql/{}/bin", self.major))
    }

    /// `$libdir`: the folder of loadable libraries.
    pub fn pkglib_dir(&self) -> PathBuf {
        self.root.join(format!("usr/lib/postgresql/{}/lib", self.major))
    }

    /// The folder of control files and install scripts.
    pub fn extension_dir(&self) -> PathBuf {
        self.root.join(format!("usr/share/postgresql/{}/extension", self.major))
    }

    /// The tree's `pg_config`, by its name below `target/` (which builds see as a constant path).
    pub fn pg_config(&self) -> PathBuf {
        self.named.join(format!("usr/lib/postgresql/{}/bin/pg_config", self.major))
    }

    /// A new empty folder of this name that belongs to the server's account, in place of an old one: for servers that somebody
    /// else starts on this tree. Its path is short enough for a Unix socket.
    pub fn scratch(&self, name: &str) -> Result<PathBuf> {
        let folder = self.clusters.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot renew {}", folder.display()))?;
        }
        folders::readable(&folder)?;
        self.user.own(&folder)?;
        Ok(folder)
    }

    /// The folder in which clusters on this tree are made.
    pub(crate) fn clusters(&self) -> &Path {
        &self.clusters
    }

    /// The folder in which template clusters are kept.
    pub(crate) fn templates(&self) -> &Path {
        &self.templates
    }

    /// A server program (`initdb`, `pg_ctl`, `pg_basebackup`), to run as the server's account.
    pub(crate) fn server_program(&self, name: &str) -> Command {
        let mut command = self.as_server_user(self.bin_dir().join(name));
        crate::process::clean_environment(&mut command);
        command
    }

    /// Any program, to run as the server's account.
    pub(crate) fn as_server_user(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        self.user.apply(&mut command);
        // The caller's own folder may be closed to that account.
        command.current_dir("/");
        command
    }
}

/// Whether a file of the system's belongs to an installed pgvector or pgkite. Such files stay out of the copy, so that a tree
/// holds what this workspace put there and nothing else.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    ["vector", "pgkite"].iter().any(|extension| {
        name.strip_prefix(extension).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
    })
}

/// Describes the system's installation: a change of it changes the text.
fn system_stamp(major: u32) -> Result<String> {
    let mut stamp = String::from("2\n");
    for (file, package) in [
        (format!("/usr/lib/postgresql/{major}/bin/postgres"), format!("postgresql-{major}")),
        (
            format!("/usr/include/postgresql/{major}/server/postgres.h"),
            format!("postgresql-server-dev-{major}"),
        ),
    ] {
        let found = fs::metadata(&file).with_context(|| {
            format!("{file} is missing: run `cargo xtask setup`, or `apt-get install {package}` as root")
        })?;
        writeln!(stamp, "{file} {} {}.{:09}", found.size(), found.mtime(), found.mtime_nsec())?;
    }
    Ok(stamp)
}
