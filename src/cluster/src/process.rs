//! Running programs, and finding and ending server processes.

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Runs `command` to its end and answers what it wrote to standard output. A failure is an error that holds the command and
/// what it wrote to standard error.
pub fn run(command: &mut Command) -> Result<String> {
    let output = run_bytes(command)?;
    String::from_utf8(output).with_context(|| format!("{command:?} did not answer in UTF-8"))
}

/// [`run`] for programs that answer bytes.
pub(crate) fn run_bytes(command: &mut Command) -> Result<Vec<u8>> {
    let Output { status, stdout, stderr } =
        command.output().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    ensure!(status.success(), "{command:?}: {status}\n{}", String::from_utf8_lossy(&stderr).trim_end());
    Ok(stdout)
}

/// Takes the caller's settings away from a command: a PGHOST or PGSERVICE in the environment must not lead it to another
/// server, and what a server answers must not depend on who started it.
pub(crate) fn clean_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let bytes = name.as_encoded_bytes();
        if bytes.starts_with(b"PG") && !bytes.starts_with(b"PGRX") {
            command.env_remove(&name);
        }
    }
    // An extension's errors would carry a backtrace in their DETAIL where these ask for one.
    command.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE");
    command.env("LC_ALL", "C");
}

/// The process id of the server that runs on the data folder, if one does. A process id left behind by a server that is gone
/// is not taken for another process that got the same number.
pub(crate) fn postmaster(data: &Path) -> Option<Pid> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid: i32 = text.lines().next()?.trim().parse().ok()?;
    let working_folder = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    (working_folder == fs::canonicalize(data).ok()?).then(|| Pid::from_raw(pid))
}

/// Ends the server on the data folder without a checkpoint, and lets it give its shared memory back.
pub(crate) fn end_server(data: &Path) -> Result<()> {
    let Some(postmaster) = postmaster(data) else { return Ok(()) };
    // SIGQUIT is an immediate shutdown.
    let _ = kill(postmaster, Signal::SIGQUIT);
    if wait_for_end(&[postmaster]).is_ok() { Ok(()) } else { kill_server(data) }
}

/// Ends the server on the data folder, and all its children, as a crash of the machine would.
pub(crate) fn kill_server(data: &Path) -> Result<()> {
    let Some(postmaster) = postmaster(data) else { return Ok(()) };
    // The postmaster first: it must not see its children die and begin a recovery.
    let all: Vec<Pid> = std::iter::once(postmaster).chain(children(postmaster)).collect();
    for pid in &all {
        // One that has ended by itself meanwhile is as good.
        let _ = kill(*pid, Signal::SIGKILL);
    }
    wait_for_end(&all)?;
    // Nobody is left to own its lock files. Where nobody collects the dead postmaster, it stays a zombie, and the next server
    // would take that for a living one.
    let sockets = fs::read_dir(data.join(".."))?.flatten().map(|entry| entry.path());
    let locks = sockets.filter(|path| path.extension().is_some_and(|extension| extension == "lock"));
    for file in locks.chain([data.join("postmaster.pid")]) {
        fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    }
    Ok(())
}

fn wait_for_end(all: &[Pid]) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    for pid in all {
        while is_running(*pid) {
            ensure!(Instant::now() < deadline, "process {pid} does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(())
}

/// Sends SIGKILL to one process.
pub(crate) fn kill_one(pid: i32) -> Result<()> {
    kill(Pid::from_raw(pid), Signal::SIGKILL).with_context(|| format!("cannot kill process {pid}"))
}

/// State and parent out of `/proc/<pid>/stat`: the fields after the command's name, which may itself hold parentheses.
fn state_and_parent(pid: &str) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

/// A zombie counts as gone: in a container nobody may collect it.
fn is_running(pid: Pid) -> bool {
    state_and_parent(&pid.to_string()).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

fn children(parent: Pid) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok()?.parse::<i32>().ok())
        .filter(|pid| state_and_parent(&pid.to_string()).is_some_and(|(_, of)| of == parent.as_raw()))
        .map(Pid::from_raw)
        .collect()
}
