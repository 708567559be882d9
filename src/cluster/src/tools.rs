//! Talking to a cluster: a client, and the programs of the tree.

use crate::cluster::Cluster;
use crate::process::{clean_environment, run, run_bytes};
use anyhow::{Context, Result};
use postgres::{Client, Config, NoTls};
use std::io::{Seek, Write};
use std::process::{Command, Stdio};

/// The superuser of every cluster.
const SUPERUSER: &str = "postgres";

impl Cluster {
    /// A session of the superuser on the database `postgres`.
    pub fn connect(&self) -> Result<Client> {
        self.connect_to("postgres")
    }

    /// A session of the superuser on `database`.
    pub fn connect_to(&self, database: &str) -> Result<Client> {
        self.config(database).connect(NoTls).with_context(|| format!("cannot connect to {database}"))
    }

    /// Connection parameters of the superuser on `database`, for sessions that need something else changed.
    pub fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config.host_path(self.socket_dir()).port(self.port()).user(SUPERUSER).dbname(database);
        config
    }

    /// A libpq URL of `database` over TCP, for clients in other languages.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://{SUPERUSER}@127.0.0.1:{}/{database}", self.port())
    }

    /// Makes a database.
    pub fn create_database(&self, name: &str) -> Result<()> {
        let quoted = name.replace('"', "\"\"");
        self.connect()?
            .batch_execute(&format!("CREATE DATABASE \"{quoted}\""))
            .with_context(|| format!("cannot create the database {name}"))
    }

    /// A program of the tree (`psql`, `pg_dump`, `pgbench`, …) that talks to this cluster through libpq's environment.
    /// The database is `postgres` unless the arguments say otherwise.
    pub fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(self.tree.bin_dir().join(name));
        self.aim(&mut command, "postgres");
        command
    }

    /// Makes any libpq program talk to `database` of this cluster.
    pub fn aim(&self, command: &mut Command, database: &str) {
        clean_environment(command);
        command
            .env("PGHOST", self.socket_dir())
            .env("PGPORT", self.port().to_string())
            .env("PGUSER", SUPERUSER)
            .env("PGDATABASE", database);
    }

    /// Runs a script of any length with psql, up to the first error. Answers unaligned rows without headings.
    pub fn psql(&self, database: &str, script: &str) -> Result<String> {
        let mut psql = self.tool("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"]);
        run(psql.stdin(as_input(script.as_bytes())?))
    }

    /// `pg_dump` of a database with further arguments. Answers the dump.
    pub fn pg_dump(&self, database: &str, arguments: &[&str]) -> Result<Vec<u8>> {
        run_bytes(self.tool("pg_dump").args(arguments).args(["-d", database]))
    }

    /// Restores a dump in custom or tar format into an existing database, up to the first error.
    pub fn pg_restore(&self, database: &str, dump: &[u8], arguments: &[&str]) -> Result<()> {
        let mut restore = self.tool("pg_restore");
        restore.args(["--exit-on-error", "-d", database]).args(arguments);
        run(restore.stdin(as_input(dump)?)).map(drop)
    }
}

/// Standard input for a program, through a file, so that neither side can wait for the other.
fn as_input(bytes: &[u8]) -> Result<Stdio> {
    let mut file = tempfile::tempfile().context("no temporary file")?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

/// Tells the user something that is no error of the caller's.
pub(crate) fn say(what: std::fmt::Arguments<'_>) {
    eprintln!("kite-cluster: {what}");
}
