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

/// Two heaps of rows; the far one has those of kind b.
const HEAPS: &str = "
    CREATE TABLE far (id int PRIMARY KEY, kind text, touched int DEFAULT 0, v vector(8)) WITH (fillfactor = 60);
    INSERT INTO far SELECT i, CASE WHEN i > 8000 THEN 'b' ELSE 'a' END, 0,
        (SELECT array_agg(random() + CASE WHEN i > 8000 THEN 9 * (d > 0)::int ELSE 0 END) FROM generate_series(1, 8) d)::vector
        FROM generate_series(1, 10000) i;
    CREATE INDEX far_v ON far USING hnsw (v vector_l2_ops);
    ANALYZE far;
    SET log_min_messages = debug1";

#[test]
fn a_scan_that_turns_keeps_to_its_snapshot() -> Result<()> {
    for (condition, instead) in [("kind = 'b'", "the table"), ("id > 9950", "rows that another index finds")]
    {
        let (cluster, mut client) = server::own_database()?;
        client.batch_execute(HEAPS)?;
        // A sort is as dear as can be, so that the index of vectors is scanned whatever else there is.
        client.batch_execute("SET enable_sort = off")?;
        let mut other = cluster.connect_to("test")?;
        let near = format!(
            "SELECT string_agg(id::text, ' ') FROM
             (SELECT id FROM far WHERE {condition} ORDER BY v <-> array_fill(0.5, array[8])::vector LIMIT 40) near"
        );
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM far LIMIT 1")?;
        // New versions on the same page and on others, rows that go and come, and what a vacuum may do about it.
        other.batch_execute(
            "UPDATE far SET touched = 1; DELETE FROM far WHERE id % 2 = 0;
             UPDATE far SET v = v + array_fill(-8, array[8])::vector WHERE id % 5 = 1;
             INSERT INTO far SELECT 20000 + i, 'b', 0, array_fill(1, array[8])::vector FROM generate_series(1, 100) i",
        )?;
        other.batch_execute("VACUUM far")?;
        let by_index = text(&mut client, &near)?;
        client.batch_execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")?;
        let by_table = text(&mut client, &near)?;
        ensure!(by_index == by_table, "{condition}: {by_index}\ninstead of\n{by_table}");
        client.batch_execute("COMMIT")?;
        let log = cluster.log()?;
        let turns = "scan of index \"far_v\" found few rows near the query that match, and reads ";
        ensure!(log.matches(turns).count() == 1, "{condition}: the scan has not turned");
        let told = log.lines().find(|line| line.contains(turns));
        ensure!(told.is_some_and(|line| line.ends_with(instead)), "{condition}: {told:?}");
        ensure!(text(&mut client, &near)? != by_table, "{condition}: nothing has changed");
        ensure!(number(&mut client, "SELECT count(*) FROM kite.index_check('far_v')")? == 0);
    }
    Ok(())
}

#[test]
fn reading_the_table_can_be_cancelled() -> Result<()> {
    let (cluster, mut client) = server::own_database()?;
    client.batch_execute(HEAPS)?;
    // Fast for what the search meets; the far rows, which only the table's reading comes to, take a tenth of a second each.
    client.batch_execute(
        "CREATE FUNCTION is_b(kind text) RETURNS bool LANGUAGE plpgsql STABLE COST 1 AS
             $$ BEGIN IF kind = 'b' THEN PERFORM pg_sleep(0.1); END IF; RETURN kind = 'b'; END $$;
         SET statement_timeout = '1s'",
    )?;
    let near = "SELECT id FROM far WHERE is_b(kind) AND kind = 'b' ORDER BY v <-> array_fill(0.5, array[8])::vector LIMIT 5";
    let error = client.query(near, &[]).err().context("2,000 rows at a tenth of a second each")?;
    ensure!(error.code() == Some(&postgres::error::SqlState::QUERY_CANCELED), "{error}");
    ensure!(cluster.log()?.contains("and reads the table"), "the scan has not turned to the table");
    client.batch_execute("SET statement_timeout = 0")?;
    let all = "SELECT count(*) FROM (SELECT FROM far WHERE kind = 'b' ORDER BY v <-> array_fill(9.5, array[8])::vector LIMIT 50) t";
    ensure!(number(&mut client, all)? == 50);
    Ok(())
}
