//! The scripts in `sql/`, each in a database of its own.

use anyhow::{Result, ensure};
use kite_cluster::Cluster;
use kite_tests::script::{Session, SqlError, run_script};
use kite_tests::server;
use postgres::NoTls;
use std::path::{Path, PathBuf};

#[test]
fn statements_that_succeed() -> Result<()> {
    run_all("sql", &server::own()?, "pgkite")
}

#[test]
fn statements_that_must_fail() -> Result<()> {
    run_all("sql/fail", &server::own()?, "pgkite")
}

#[test]
fn what_the_scripts_say_about_pgvector_is_true() -> Result<()> {
    let Some(cluster) = server::pgvector("the same scripts on pgvector")? else { return Ok(()) };
    run_all("sql", &cluster, "vector")?;
    run_all("sql/fail", &cluster, "vector")
}

/// Runs every script of a folder and goes on after a failure. Records marked `onlyif pgkite` are left out on pgvector.
fn run_all(folder: &str, cluster: &Cluster, extension: &'static str) -> Result<()> {
    let mut failures = String::new();
    let scripts = scripts(folder)?;
    ensure!(!scripts.is_empty(), "no script in {folder}");
    for script in &scripts {
        let name = script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let database = format!("{}_{name}", folder.replace('/', "_"));
        server::database(cluster, &database, extension)?;
        let config = cluster.config(&database);
        let connect = move || Ok::<_, SqlError>(Session::new(config.connect(NoTls)?, extension));
        if let Err(error) = run_script(script, connect) {
            failures.push_str(&format!("{error}\n"));
        }
    }
    println!("{} scripts of {folder} on {extension}", scripts.len());
    ensure!(failures.is_empty(), "{failures}");
    Ok(())
}

fn scripts(folder: &str) -> Result<Vec<PathBuf>> {
    let mut scripts = Vec::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "slt") {
            scripts.push(path);
        }
    }
    scripts.sort();
    Ok(scripts)
}
