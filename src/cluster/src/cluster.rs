//! One server: its data folder, port and life.

use crate::process::{end_server, kill_one, kill_server, postmaster, run};
use crate::template::fresh_cluster;
use crate::tree::PrivateTree;
use crate::{folders, tools};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What a throw-away server is started with: small and quick, and no promise to survive a power cut.
const DEFAULTS: &[(&str, &str)] = &[
    ("fsync", "off"),
    ("shared_buffers", "32MB"),
    ("max_connections", "50"),
    ("timezone", "UTC"),
    ("log_line_prefix", "%m [%p] "),
];

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Sessions are ended, then the server writes a checkpoint: nothing to recover at the next start.
    Fast,
    /// Everything ends at once: the next start recovers from WAL.
    Immediate,
}

/// A cluster to be made.
#[derive(Debug)]
pub struct Builder<'a> {
    tree: &'a PrivateTree,
    settings: Vec<(String, String)>,
    kept: Option<String>,
    socket_only: bool,
}

/// A PostgreSQL server with a data folder of its own. Dropping it stops the server and removes the folder.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) tree: PrivateTree,
    home: Home,
    port: u16,
}

/// The folder of a cluster: the data folder, the socket and the log.
#[derive(Debug)]
enum Home {
    /// Removed at the end. The lock tells other processes that somebody still wants it.
    Temporary { folder: TempDir, _owner: File },
    /// Outlives the process.
    Kept(PathBuf),
}

impl<'a> Builder<'a> {
    /// Adds a line to `postgresql.conf`. The value is quoted here.
    #[must_use]
    pub fn setting(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.settings.push((name.into(), value.to_string()));
        self
    }

    /// Names a cluster that goes on running when the value is dropped, until [`Cluster::discard`]. One of the same name that
    /// exists is discarded first.
    #[must_use]
    pub fn kept_as(mut self, name: &str) -> Self {
        self.kept = Some(name.into());
        self
    }

    /// Listens on the Unix socket alone, whose folder only the server's account (and root) can enter.
    #[must_use]
    pub fn socket_only(mut self) -> Self {
        self.socket_only = true;
        self
    }

    /// Makes the data folder and starts the server.
    pub fn start(self) -> Result<Cluster> {
        self.start_with(|data| {
            fresh_cluster(self.tree, data)?;
            DEFAULTS.iter().try_for_each(|(name, value)| append_setting(data, name, value))
        })
    }

    /// Lets `fill` make the data folder, and starts the server.
    pub(crate) fn start_with(&self, fill: impl FnOnce(&Path) -> Result<()>) -> Result<Cluster> {
        let home = Home::make(self.tree, self.kept.as_deref())?;
        let mut cluster = Cluster { tree: self.tree.clone(), home, port: 0 };
        fill(&cluster.data_dir())?;
        cluster.set("listen_addresses", if self.socket_only { "" } else { "127.0.0.1" })?;
        cluster.set("unix_socket_directories", cluster.socket_dir().display())?;
        for (name, value) in &self.settings {
            cluster.set(name, value)?;
        }
        cluster.start_on_a_free_port()?;
        Ok(cluster)
    }
}

impl Cluster {
    /// Begins a cluster on the tree.
    pub fn builder(tree: &PrivateTree) -> Builder<'_> {
        Builder { tree, settings: Vec::new(), kept: None, socket_only: false }
    }

    /// Starts the server and waits until it accepts connections, crash recovery included.
    pub fn start(&self) -> Result<()> {
        let mut pg_ctl = self.tree.server_program("pg_ctl");
        pg_ctl
            .args(["start", "-w", "-s", "-t", "600", "-D"])
            .arg(self.data_dir())
            .arg("-l")
            .arg(self.log_file());
        run(&mut pg_ctl).map(drop).with_context(|| {
            let log = self.log().unwrap_or_default();
            format!("the server does not start; its log ends with\n{}", tail(&log, 20))
        })
    }

    /// Stops the server and waits for its end.
    pub fn stop(&self, how: Shutdown) -> Result<()> {
        let mode = match how {
            Shutdown::Fast => "fast",
            Shutdown::Immediate => "immediate",
        };
        let mut pg_ctl = self.tree.server_program("pg_ctl");
        pg_ctl.args(["stop", "-w", "-s", "-t", "600", "-m", mode, "-D"]).arg(self.data_dir());
        run(&mut pg_ctl).map(drop).context("the server does not stop")
    }

    /// [`Cluster::stop`], then [`Cluster::start`].
    pub fn restart(&self, how: Shutdown) -> Result<()> {
        self.stop(how)?;
        self.start()
    }

    /// Ends all of the server's processes with SIGKILL, as a crash of the machine would end them (what the operating system
    /// was given to write is kept).
    pub fn kill(&self) -> Result<()> {
        kill_server(&self.data_dir())
    }

    /// Ends one process of the server with SIGKILL, by the id that `pg_backend_pid()` answers. The server then ends all other
    /// sessions and recovers.
    pub fn kill_backend(&self, pid: i32) -> Result<()> {
        kill_one(pid)
    }

    /// Whether the server runs.
    pub fn is_running(&self) -> bool {
        postmaster(&self.data_dir()).is_some()
    }

    /// Appends a line to `postgresql.conf`, which counts from the next start or reload. The last line of a name wins.
    pub fn set(&self, name: &str, value: impl std::fmt::Display) -> Result<()> {
        append_setting(&self.data_dir(), name, value)
    }

    /// The TCP port on 127.0.0.1; it also names the Unix socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the Unix socket.
    pub fn socket_dir(&self) -> &Path {
        self.home.folder()
    }

    /// The data folder.
    pub fn data_dir(&self) -> PathBuf {
        self.home.folder().join("data")
    }

    /// The server's log since the cluster was made.
    pub fn log(&self) -> Result<String> {
        let bytes = fs::read(self.log_file()).context("cannot read the server's log")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The file of the server's log.
    pub fn log_file(&self) -> PathBuf {
        self.home.folder().join("log")
    }

    /// Stops the kept cluster of this name and removes it. Answers whether there was one.
    pub fn discard(tree: &PrivateTree, name: &str) -> Result<bool> {
        let folder = kept_folder(tree, name);
        if !folder.exists() {
            return Ok(false);
        }
        end(&folder)?;
        Ok(true)
    }

    /// Somebody else may take a free port between the moment it is found and the moment the server binds it: then another
    /// one is tried.
    fn start_on_a_free_port(&mut self) -> Result<()> {
        let mut tries = 0;
        loop {
            self.port = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?.local_addr()?.port();
            self.set("port", self.port)?;
            tries += 1;
            match self.start() {
                Err(_) if tries < 5 && self.log().is_ok_and(|log| log.contains("Address already in use")) => {
                }
                other => return other,
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Home::Temporary { .. } = self.home {
            if std::thread::panicking() {
                let log = self.log().unwrap_or_default();
                tools::say(format_args!("the server's log ends with\n{}", tail(&log, 40)));
            }
            // The folder is removed next: there is nothing to shut down in order.
            if let Err(error) = end_server(&self.data_dir()) {
                tools::say(format_args!("{error:#}"));
            }
        }
    }
}

impl Home {
    fn make(tree: &PrivateTree, kept: Option<&str>) -> Result<Self> {
        let parent = tree.clusters();
        folders::readable(parent)?;
        if let Some(name) = kept {
            Cluster::discard(tree, name)?;
            let folder = kept_folder(tree, name);
            fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
            close(tree, &folder)?;
            return Ok(Self::Kept(folder));
        }
        // Held until the new folder has its own lock, so that nobody takes it for an orphan.
        let _all = folders::lock(&parent.join("lock"))?;
        end_orphans(parent);
        let folder = tempfile::Builder::new().prefix("").rand_bytes(6).tempdir_in(parent)?;
        let owner = folders::lock(&folder.path().join("owner"))?;
        close(tree, folder.path())?;
        Ok(Self::Temporary { folder, _owner: owner })
    }

    fn folder(&self) -> &Path {
        match self {
            Self::Temporary { folder, .. } => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

fn kept_folder(tree: &PrivateTree, name: &str) -> PathBuf {
    tree.clusters().join(name)
}

/// Gives the folder to the server's account and closes it to all others.
fn close(tree: &PrivateTree, folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    tree.user().own(folder)
}

/// Ends the servers whose owners were killed before they could do it.
fn end_orphans(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let orphaned = folders::is_abandoned(&entry.path().join("owner"));
        if orphaned && let Err(error) = end(&entry.path()) {
            tools::say(format_args!("{error:#}"));
        }
    }
}

fn end(folder: &Path) -> Result<()> {
    end_server(&folder.join("data"))?;
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            bail!("cannot remove {}: {error}", folder.display())
        }
        _ => Ok(()),
    }
}

fn append_setting(data: &Path, name: &str, value: impl std::fmt::Display) -> Result<()> {
    let file = data.join("postgresql.conf");
    let quoted = value.to_string().replace('\'', "''");
    File::options()
        .append(true)
        .open(&file)
        .and_then(|mut conf| writeln!(conf, "{name} = '{quoted}'"))
        .with_context(|| format!("cannot write {}", file.display()))
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
