//! Statements that fail or are cancelled, transactions that are rolled back: nothing of them stays behind.

use anyhow::{Result, ensure};
use fastrand::Rng;
use kite_cluster::Cluster;
use kite_tests::method::Method;
use kite_tests::script::describe;
use kite_tests::search::{in_order, number, rows, sound};
use kite_tests::workload::{Workload, complete};
use kite_tests::{journal, server};
use postgres::Client;
use std::time::{Duration, Instant};

kite_tests::for_each_method! {
    a_build_is_cancelled_at_any_moment,
    little_memory_makes_parts_and_leaves_no_files,
    a_value_that_cannot_be_indexed_ends_a_build_and_an_insert,
    subtransactions_come_and_go,
    a_cursor_sees_the_rows_of_its_snapshot,
    scans_that_end_early_give_their_memory_back,
}

const CANCELLED: &str = "57014: canceling statement due to user request";

fn table(method: Method, count: usize, dims: usize, rng: &mut Rng) -> Result<(Cluster, Workload, Client)> {
    let tree = server::installed(kite_cluster::PrivateTree::OWN)?;
    let cluster = Cluster::builder(&tree).setting("autovacuum", "off").start()?;
    server::database(&cluster, "test", "pgkite")?;
    let workload = Workload::create(method, &cluster, (count, dims), rng)?;
    let client = workload.connect(&cluster)?;
    Ok((cluster, workload, client))
}

/// That no index `i` is there, nor files of one, nor temporary files.
fn nothing_is_left(cluster: &Cluster, client: &mut Client, files: i64) -> Result<()> {
    ensure!(
        number(
            client,
            "SELECT count(*) FROM pg_class WHERE relname LIKE 'i%' AND relnamespace = 'public'::regnamespace"
        )? == 0
    );
    let temporary = number(client, "SELECT count(*) FROM pg_ls_tmpdir()")?;
    ensure!(temporary == 0, "{temporary} temporary files are left");
    // What is removed is emptied first, and unlinked by the next checkpoint.
    client.batch_execute("CHECKPOINT")?;
    ensure!(
        count_files(client)? == files,
        "files of a relation are left in {}",
        cluster.data_dir().display()
    );
    Ok(())
}

/// Files of the database that hold anything.
fn count_files(client: &mut Client) -> Result<i64> {
    number(
        client,
        "SELECT count(*) FROM pg_ls_dir('base/' || (SELECT oid FROM pg_database WHERE datname = current_database())) file
         WHERE file ~ '^[0-9.]+$'",
    )
}

/// What goes wrong with a statement.
fn error(client: &mut Client, sql: &str) -> String {
    client.batch_execute(sql).map_or_else(|error| describe(&error), |()| "nothing".to_owned())
}

fn a_build_is_cancelled_at_any_moment(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(1);
    let (cluster, workload, mut client) = table(method, 30_000, 32, &mut rng)?;
    client.batch_execute("CHECKPOINT")?;
    let files = count_files(&mut client)?;
    let mut watch = workload.connect(&cluster)?;
    let build = method.index("i", "t (v vector_l2_ops)");
    for (round, phase) in method.phases.iter().cycle().take(6).enumerate() {
        // Parts are there only where memory is short.
        let memory = if round % 2 == 1 || *phase == "dividing" { "2MB" } else { "256MB" };
        client.batch_execute(&format!("SET maintenance_work_mem = '{memory}'"))?;
        let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
        let reached = format!(
            "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE phase LIKE 'building index: {phase}%')"
        );
        let delay = Duration::from_millis(rng.u64(..30));
        let (outcome, waited) = std::thread::scope(|scope| -> Result<_> {
            let building = scope.spawn(|| error(&mut client, &build));
            while !building.is_finished() && !watch.query_one(&reached, &[])?.get::<_, bool>(0) {}
            std::thread::sleep(delay);
            watch.execute("SELECT pg_cancel_backend($1)", &[&pid])?;
            let asked = Instant::now();
            Ok((building.join().expect("a session does not panic"), asked.elapsed()))
        })?;
        eprintln!("cancelled {delay:?} into {phase} with {memory}: {waited:?}, {outcome}");
        if outcome == "nothing" {
            // It was done before.
            client.batch_execute("DROP INDEX i")?;
        } else {
            ensure!(outcome == CANCELLED, "{outcome}");
            // Far from the second that is promised, but on a busy machine, too.
            ensure!(waited < Duration::from_secs(10), "it takes {waited:?} to stop");
        }
        nothing_is_left(&cluster, &mut client, files)?;
    }
    let outcome = error(&mut client, &format!("SET statement_timeout = '10ms'; {build}"));
    ensure!(outcome == "57014: canceling statement due to statement timeout", "{outcome}");
    client.batch_execute("SET statement_timeout = 0")?;
    nothing_is_left(&cluster, &mut client, files)?;
    workload.index(&mut client)?;
    complete(&mut client, "t", "i")?;
    journal::no_crash(&cluster, &[])
}

fn little_memory_makes_parts_and_leaves_no_files(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(2);
    let (cluster, workload, mut client) = table(method, 10_000, 32, &mut rng)?;
    client.batch_execute("CHECKPOINT")?;
    let files = count_files(&mut client)?;
    client.batch_execute("SET maintenance_work_mem = '1MB'; SET temp_file_limit = '64kB'")?;
    let outcome = error(&mut client, &method.index("i", "t (v vector_l2_ops)"));
    ensure!(outcome == "53400: temporary file size exceeds temp_file_limit (64kB)", "{outcome}");
    nothing_is_left(&cluster, &mut client, files)?;

    client.batch_execute("SET temp_file_limit = -1")?;
    workload.index(&mut client)?;
    ensure!(number(&mut client, "SELECT count(*) FROM pg_ls_tmpdir()")? == 0);
    complete(&mut client, "t", "i")?;
    workload.search().recalls(&mut client, &workload.queries(&mut rng, 30), 0.95)
}

fn a_value_that_cannot_be_indexed_ends_a_build_and_an_insert(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(3);
    let (cluster, _, mut client) = table(method, 1, 3, &mut rng)?;
    client.batch_execute(
        "CREATE TABLE u (id int, e vector);
         INSERT INTO u SELECT i, array_fill(i, ARRAY[3])::vector FROM generate_series(1, 3000) i;
         INSERT INTO u VALUES (0, '[1,2]')",
    )?;
    client.batch_execute("CHECKPOINT")?;
    let files = count_files(&mut client)?;
    let build = &method.index("i", "u ((e::vector(3)) vector_l2_ops)");
    for memory in ["64MB", "1MB"] {
        client.batch_execute(&format!("SET maintenance_work_mem = '{memory}'"))?;
        let outcome = error(&mut client, build);
        ensure!(outcome == "22000: expected 3 dimensions, not 2", "{outcome}");
        nothing_is_left(&cluster, &mut client, files)?;
    }
    client.batch_execute("DELETE FROM u WHERE id = 0")?;
    client.batch_execute(build)?;
    let outcome = error(&mut client, "INSERT INTO u VALUES (1, '[1,2,3]'), (0, '[1,2]')");
    ensure!(outcome == "22000: expected 3 dimensions, not 2", "{outcome}");
    complete(&mut client, "u", "i")
}

fn subtransactions_come_and_go(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(4);
    let (cluster, workload, mut client) = table(method, 1_000, 16, &mut rng)?;
    client.batch_execute("CHECKPOINT")?;
    let files = count_files(&mut client)?;
    let index = method.index("i", "t (v vector_l2_ops)");
    let insert = |rng: &mut Rng| format!("INSERT INTO t (v) VALUES ('{}')", workload.vector(rng));
    client.batch_execute(&format!("BEGIN; SAVEPOINT s; {index}; {}; ROLLBACK TO s", insert(&mut rng)))?;
    client.batch_execute("COMMIT")?;
    nothing_is_left(&cluster, &mut client, files)?;

    // Another index takes the place of the one that is gone, in the same transaction.
    client.batch_execute(&format!("BEGIN; SAVEPOINT s; {index}; ROLLBACK TO s; {index}"))?;
    for round in 0..20 {
        let outcome = if round % 3 == 0 { "ROLLBACK TO s" } else { "RELEASE s" };
        client.batch_execute(&format!(
            "SAVEPOINT s; {}; {}; {outcome}",
            insert(&mut rng),
            insert(&mut rng)
        ))?;
    }
    client.batch_execute("COMMIT")?;
    complete(&mut client, "t", "i")?;
    ensure!(number(&mut client, "SELECT count(*) FROM t")? == 1_026);
    client.batch_execute("BEGIN; REINDEX INDEX i; TRUNCATE t; ROLLBACK")?;
    complete(&mut client, "t", "i")?;
    client.batch_execute("TRUNCATE t")?;
    client.batch_execute(&insert(&mut rng))?;
    complete(&mut client, "t", "i")?;
    journal::quiet(&cluster, &[])
}

fn a_cursor_sees_the_rows_of_its_snapshot(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(5);
    let (cluster, workload, mut client) = table(method, 1_500, 16, &mut rng)?;
    workload.index(&mut client)?;
    let query = workload.vector(&mut rng);
    let exact = workload.search().exactly(&mut client, &query, 1_500)?;
    client.batch_execute("SET enable_seqscan = off; SET enable_indexscan = on; SET enable_sort = off")?;
    let cursor = workload.search().sql(&query, 1_500);
    client.batch_execute(&format!("BEGIN; DECLARE c CURSOR FOR {cursor}"))?;
    let mut found = rows(&mut client, "FETCH 10 FROM c")?;
    let mut other = workload.connect(&cluster)?;
    for _ in 0..4 {
        other.batch_execute("DELETE FROM t WHERE random() < 0.3")?;
        for _ in 0..50 {
            other.batch_execute(&format!("INSERT INTO t (v) VALUES ('{}')", workload.vector(&mut rng)))?;
        }
        other.batch_execute("VACUUM (INDEX_CLEANUP ON) t")?;
        found.extend(rows(&mut client, "FETCH 100 FROM c")?);
    }
    found.extend(rows(&mut client, "FETCH ALL FROM c")?);
    client.batch_execute("COMMIT")?;
    in_order(&found)?;
    ensure!(found.iter().all(|row| exact.contains(row)), "a row is none of the snapshot's");
    eprintln!("{} rows of {}", found.len(), exact.len());
    ensure!(found.len() * 100 >= exact.len() * 95, "{} rows of {}", found.len(), exact.len());
    complete(&mut other, "t", "i")?;
    sound(&mut other, "i")
}

fn scans_that_end_early_give_their_memory_back(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(6);
    let (cluster, workload, mut client) = table(method, 3_000, 16, &mut rng)?;
    workload.index(&mut client)?;
    let query = workload.vector(&mut rng);
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let order = format!("ORDER BY v <-> '{query}'");
    client.batch_execute(&format!(
        "SET enable_seqscan = off;
         CREATE FUNCTION fails(times int) RETURNS int LANGUAGE plpgsql AS $$
         DECLARE failed int := 0; row record;
         BEGIN
             FOR i IN 1..times LOOP
                 BEGIN
                     -- In the middle of a scan that has gone on.
                     PERFORM 1 / (900 - row_number) FROM (SELECT row_number() OVER () FROM (SELECT FROM t {order}) a) b;
                 EXCEPTION WHEN division_by_zero THEN failed := failed + 1;
                 END;
                 FOR row IN SELECT id FROM t {order} LOOP EXIT; END LOOP;
             END LOOP;
             RETURN failed;
         END $$"
    ))?;
    // What caches there are, are filled first.
    ensure!(number(&mut client, "SELECT fails(20)")? == 20);
    let before = anonymous_memory(pid)?;
    ensure!(number(&mut client, "SELECT fails(300)")? == 300);
    let after = anonymous_memory(pid)?;
    eprintln!("{before} kB before, {after} kB after");
    // A scan that kept its state would keep half a megabyte each time.
    ensure!(after < before + 8_192, "{before} kB before, {after} kB after");
    journal::no_crash(&cluster, &[])
}

/// Memory of a process that is its own, in kB.
fn anonymous_memory(pid: i32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
