//! What a session is told of scans that a limit has ended.

use anyhow::{Context, Result, ensure};
use kite_cluster::Cluster;
use kite_tests::search::{number, text};
use kite_tests::server;

/// Lines of the log that tell of an ended scan.
fn told(cluster: &Cluster) -> Result<Vec<String>> {
    let log = cluster.log()?;
    Ok(log.lines().filter(|line| line.contains("scan of index \"i\" ended by")).map(str::to_owned).collect())
}

#[test]
fn a_scan_that_a_limit_has_ended_says_so_once() -> Result<()> {
    let (cluster, mut client) = server::own_database()?;
    client.batch_execute(
        "CREATE TABLE t (v vector(3));
         INSERT INTO t SELECT ARRAY[random(), random(), random()]::vector FROM generate_series(1, 5000);
         CREATE INDEX i ON t USING hnsw (v vector_l2_ops);
         SET enable_seqscan = off; SET log_min_messages = debug1",
    )?;
    let all = "SELECT count(*) FROM (SELECT FROM t ORDER BY v <-> '[0.5,0.5,0.5]' LIMIT 10000) t";
    let scans = "SELECT kite.index_info('i') ->> 'scans'";

    // No limit is met, and none by what has all of its rows.
    client.batch_execute("SET work_mem = '64MB'")?;
    number(&mut client, all)?;
    client.batch_execute("SET hnsw.max_scan_tuples = 300")?;
    number(&mut client, &all.replace("10000", "10"))?;
    ensure!(told(&cluster)?.is_empty(), "{:?}", told(&cluster)?);

    // The search ends once, whatever number of rows it has found by then and hands out.
    let found = number(&mut client, all)?;
    ensure!(found > 200, "{found} rows");
    let lines = told(&cluster)?;
    let line = lines.first().context("the log says nothing")?;
    ensure!(
        lines.len() == 1 && line.contains("DEBUG:  scan of index \"i\" ended by hnsw.max_scan_tuples"),
        "{lines:?}"
    );
    ensure!(
        cluster.log()?.contains("HINT:  Increase hnsw.max_scan_tuples to scan more."),
        "there is no hint"
    );

    client.batch_execute("SET hnsw.max_scan_tuples = 100000; SET work_mem = '64kB'")?;
    number(&mut client, all)?;
    let lines = told(&cluster)?;
    ensure!(lines.len() == 2 && lines[1].contains("ended by memory after"), "{lines:?}");
    let counts = text(&mut client, scans)?;
    ensure!(
        counts
            == r#"{"started": 4, "ended_by_table": 0, "ended_by_memory": 1, "ended_by_max_scan_tuples": 1}"#,
        "{counts}"
    );

    // Another session has its own counts.
    let mut other = cluster.connect_to("test")?;
    let counts = text(&mut other, scans)?;
    ensure!(
        counts
            == r#"{"started": 0, "ended_by_table": 0, "ended_by_memory": 0, "ended_by_max_scan_tuples": 0}"#,
        "{counts}"
    );
    Ok(())
}
