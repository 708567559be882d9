//! Streaming standbys.

use crate::cluster::Cluster;
use crate::process::run;
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

impl Cluster {
    /// Makes a streaming standby of this cluster from a base backup and starts it. The primary keeps the WAL that the standby
    /// has not received.
    pub fn replica(&self) -> Result<Cluster> {
        Cluster::builder(&self.tree).start_with(|data| {
            let slot = format!("kite_{}", std::process::id()) + &random_suffix(data);
            let mut backup = self.tree.server_program("pg_basebackup");
            backup.args(["--checkpoint=fast", "--no-sync", "--wal-method=stream", "--write-recovery-conf"]);
            backup.args(["--create-slot", "--slot", &slot, "--username=postgres", "--pgdata"]).arg(data);
            backup.arg("--host").arg(self.socket_dir()).arg("--port").arg(self.port().to_string());
            run(&mut backup).map(drop).context("cannot take a base backup")
        })
    }

    /// Waits until this standby has replayed all that `primary` had written when this was called.
    pub fn catch_up(&self, primary: &Cluster) -> Result<()> {
        let mut writer = primary.connect()?;
        // A synchronous commit of its own: whatever was written before is flushed and on its way with it.
        writer
            .batch_execute("SET synchronous_commit = on; SELECT pg_logical_emit_message(true, 'kite', '')")?;
        let goal: String = writer.query_one("SELECT pg_current_wal_flush_lsn()::text", &[])?.get(0);
        let mut session = self.connect()?;
        let deadline = Instant::now() + Duration::from_secs(120);
        let reached = format!("SELECT coalesce(pg_last_wal_replay_lsn() >= '{goal}', false)");
        while !session.query_one(&reached, &[])?.get::<_, bool>(0) {
            ensure!(Instant::now() < deadline, "the standby does not reach {goal}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// The cluster's folder has a random name: lower-cased, it makes the slot's name unique.
fn random_suffix(data: &std::path::Path) -> String {
    let folder = data.parent().and_then(|parent| parent.file_name()).unwrap_or_default();
    let letters = folder.to_string_lossy().to_lowercase();
    letters.chars().filter(char::is_ascii_alphanumeric).collect()
}
