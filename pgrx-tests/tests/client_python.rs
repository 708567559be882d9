//! pgvector-python with psycopg, asyncpg and SQLAlchemy, in a virtual environment under `target/`: as they are used with pgvector, and
//! on collections.

use anyhow::{Context, Result, bail};
use kite_cluster::{run, workspace_root};
use kite_tests::server;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn python_clients_of_pgvector_work_on_the_stand_in() -> Result<()> {
    let Some(python) = interpreter()? else { return Ok(()) };
    let cluster = server::as_vector()?;
    cluster.create_database("python")?;
    drivers(&python, &cluster.url("python"))
}

#[test]
fn an_orm_works_on_a_collection() -> Result<()> {
    let Some(python) = interpreter()? else { return Ok(()) };
    let cluster = server::own()?;
    cluster.create_database("orm")?;
    script(&python, "test_collections.py", &cluster.url("orm"))
}

#[test]
fn python_clients_say_the_same_of_pgvector() -> Result<()> {
    let Some(cluster) = server::pgvector("Python clients on pgvector itself")? else { return Ok(()) };
    let Some(python) = interpreter()? else { return Ok(()) };
    cluster.create_database("python")?;
    drivers(&python, &cluster.url("python"))
}

fn drivers(python: &Path, url: &str) -> Result<()> {
    script(python, "test_drivers.py", url)
}

fn script(python: &Path, name: &str, url: &str) -> Result<()> {
    let script = folder().join(name);
    // unittest reports on standard error.
    let output = Command::new(python).arg(script).env("KITE_URL", url).output()?;
    let report = String::from_utf8_lossy(&output.stderr);
    println!("{report}");
    anyhow::ensure!(output.status.success(), "{report}");
    Ok(())
}

/// Python with the pinned packages. None, and a loud word on standard error, where this machine cannot have it; in CI that is
/// an error.
fn interpreter() -> Result<Option<PathBuf>> {
    match environment() {
        Ok(python) => Ok(Some(python)),
        Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => bail!(error),
        Err(error) => {
            eprintln!(
                "SKIPPED: Python clients: {error:#}\nThey need python3 with venv (apt-get install python3-venv) and PyPI."
            );
            Ok(None)
        }
    }
}

/// Makes the virtual environment, unless one with the same requirements is there. Two tests may want it at once.
fn environment() -> Result<PathBuf> {
    let requirements = folder().join("requirements.txt");
    let wanted = fs::read_to_string(&requirements)?;
    let target = workspace_root().join("target");
    fs::create_dir_all(&target)?;
    let lock = fs::File::create(target.join("python-drivers.lock"))?;
    lock.lock()?;
    let (home, stamp) = (target.join("python-drivers"), target.join("python-drivers/stamp"));
    let python = home.join("bin/python");
    if fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))
        .context("no virtual environment")?;
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary=:all:",
        "--requirement",
    ]);
    run(pip.arg(requirements)).context("the packages cannot be installed")?;
    fs::write(stamp, wanted)?;
    Ok(python)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}
