//! Installs what is missing on a Debian or Ubuntu machine.

use crate::shell::{cargo, step, succeeds};
use anyhow::{Context, Result, bail};
use kite_cluster::{DEFAULT_MAJOR, PrivateTree, workspace_root};
use nix::unistd::Uid;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of cargo-pgrx that goes with the pgrx in Cargo.toml.
const CARGO_PGRX: &str = "0.18.1";

/// `cargo xtask setup`: all that any command needs.
pub(crate) fn everything() -> Result<()> {
    server_and_headers()?;
    for variant in [PrivateTree::OWN, PrivateTree::AS_VECTOR] {
        let tree = private_tree(variant)?;
        println!(
            "private PostgreSQL: {}",
            tree.pg_config().ancestors().nth(6).unwrap_or(Path::new("")).display()
        );
    }
    backend_test_tools()?;
    client_test_tools();
    println!("ready: `cargo xtask demo`, `cargo xtask test`");
    Ok(())
}

/// PostgreSQL with headers, and libclang, with which pgrx reads them.
pub(crate) fn server_and_headers() -> Result<()> {
    let major = DEFAULT_MAJOR;
    let mut missing = Vec::new();
    if !Path::new(&format!("/usr/lib/postgresql/{major}/bin/postgres")).exists() {
        missing.push(format!("postgresql-{major}"));
    }
    if !Path::new(&format!("/usr/include/postgresql/{major}/server/postgres.h")).exists() {
        missing.push(format!("postgresql-server-dev-{major}"));
    }
    if !has_libclang() {
        missing.push("libclang-dev".into());
    }
    apt_install(&missing)
}

/// The private tree of this variant; tells where it lies when that is a surprise.
pub(crate) fn private_tree(variant: &str) -> Result<PrivateTree> {
    let tree = PrivateTree::open(DEFAULT_MAJOR, variant)?;
    if let Some(note) = tree.note() {
        println!("note: {note}");
    }
    Ok(tree)
}

/// cargo-pgrx of the right version, and sudo, by which it starts a server as another user when run by root. Answers the PATH
/// that finds them.
pub(crate) fn backend_test_tools() -> Result<OsString> {
    if Uid::effective().is_root() && !succeeds(Command::new("sudo").arg("--version")) {
        apt_install(&["sudo".into()])?;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    if has_cargo_pgrx(&path) {
        return Ok(path);
    }
    // Not where `cargo install` puts it by default: another project of the user's may need another version there.
    let root = workspace_root().join("target/tools");
    let bin = root.join("bin");
    let path = env::join_paths(std::iter::once(bin).chain(env::split_paths(&path)))?;
    if !has_cargo_pgrx(&path) {
        println!("cargo-pgrx {CARGO_PGRX} is not installed; it takes some minutes");
        // Its default features want OpenSSL, for a command that downloads PostgreSQL. It waits for the server and for cargo, so that to optimise it
        // would take longer than it saves.
        let install =
            ["cargo-pgrx", "--version", CARGO_PGRX, "--locked", "--debug", "--no-default-features", "--root"];
        step(cargo("install").args(install).arg(root))?;
    }
    Ok(path)
}

/// Python's virtual environments, in which its drivers are tested. Where they cannot be had, those tests say what they miss.
pub(crate) fn client_test_tools() {
    if succeeds(Command::new("python3").args(["-c", "import venv, ensurepip"])) {
        return;
    }
    if let Err(error) = apt_install(&["python3-venv".into()]) {
        println!("note: the drivers of Python cannot be tested: {error:#}");
    }
}

fn has_cargo_pgrx(path: &OsString) -> bool {
    let version = Command::new("cargo-pgrx").args(["pgrx", "--version"]).env("PATH", path).output();
    version.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).trim() == format!("cargo-pgrx {CARGO_PGRX}")
    })
}

fn has_libclang() -> bool {
    let mut folders: Vec<PathBuf> = env::var_os("LIBCLANG_PATH").map(PathBuf::from).into_iter().collect();
    folders.extend(
        entries(Path::new("/usr/lib"))
            .filter(|folder| name(folder).starts_with("llvm-"))
            .map(|f| f.join("lib")),
    );
    // The library alone is not enough: the compiler's own headers are with the development package.
    folders.iter().flat_map(|folder| entries(folder)).any(|file| name(&file) == "libclang.so")
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Installs Debian packages: directly as root, else through sudo, else it says what somebody who may should type.
fn apt_install(packages: &[String]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let wanted = packages.join(" ");
    let by_hand = format!("apt-get update && apt-get install --no-install-recommends {wanted}");
    if !succeeds(Command::new("apt-get").arg("--version")) {
        bail!(
            "missing: {wanted} (names of Debian's packages). Install them with this system's package manager"
        );
    }
    let prefix: &[&str] = if Uid::effective().is_root() {
        &["env"]
    } else if succeeds(Command::new("sudo").arg("--version")) {
        &["sudo", "env"]
    } else {
        bail!("missing: {wanted}. As root: {by_hand}");
    };
    let apt_get = || {
        let mut command = Command::new(prefix[0]);
        command.args(&prefix[1..]).args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        command
    };
    println!("missing Debian packages: {wanted}");
    if wanted.contains("postgresql-1") {
        println!(
            "(Debian's server package also makes a cluster `main` on port 5432; pgkite does not use it)"
        );
    }
    let advice = || format!("packages are missing. To install them as root: {by_hand}");
    step(apt_get().args(["update", "-q"])).with_context(advice)?;
    for package in packages {
        // A package that is known but not available has a policy without a candidate.
        let policy = Command::new("apt-cache").args(["policy", package]).env("LC_ALL", "C").output()?;
        let policy = String::from_utf8_lossy(&policy.stdout).into_owned();
        if !policy.contains("Candidate:") || policy.contains("Candidate: (none)") {
            bail!(
                "this release of the system has no package {package}. PostgreSQL's own repository has it: \
                 `apt-get install postgresql-common` and then \
                 `/usr/share/postgresql-common/pgdg/apt.postgresql.org.sh`, as root"
            );
        }
    }
    step(apt_get().args(["install", "-q", "-y", "--no-install-recommends"]).args(packages))
        .with_context(advice)
}
