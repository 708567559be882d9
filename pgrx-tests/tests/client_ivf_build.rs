//! What a build of lists tells: notices, progress, and that options and memory are kept to.

use anyhow::{Result, ensure};
use fastrand::Rng;
use kite_cluster::Cluster;
use kite_tests::method::{IVF, IVFFLAT};
use kite_tests::search::{Search, number};
use kite_tests::{server, vectors};
use postgres::{Client, NoTls};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// A session, and the notices that it gets.
fn session(cluster: &Cluster) -> Result<(Client, Arc<Mutex<Vec<String>>>)> {
    let notices = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&notices);
    let mut config = cluster.config("test");
    config.notice_callback(move |notice| {
        let parts = [Some(notice.message()), notice.detail(), notice.hint()];
        let line = parts.into_iter().flatten().collect::<Vec<_>>().join(" | ");
        kept.lock().expect("no test panics here").push(line);
    });
    Ok((config.connect(NoTls)?, notices))
}

#[test]
fn an_index_of_little_data_says_so() -> Result<()> {
    let (cluster, mut client) = server::own_database()?;
    client.batch_execute(
        "CREATE TABLE t (id int, v vector(3));
         INSERT INTO t SELECT i, ARRAY[i, i % 7, 0]::vector FROM generate_series(1, 99) i;
         INSERT INTO t VALUES (0, '[0,0,0]')",
    )?;
    let flat = "ivfflat index created with little data | This will cause low recall. | Drop the index until the table has more data.";
    let ivf = "ivf index created with little data | Its lists do not fit rows that come later. | REINDEX it when the table has more data.";
    let (mut client, notices) = session(&cluster)?;
    for (index, told) in [
        ("ivfflat (v)", None),
        ("ivfflat (v) WITH (lists = 101)", Some(flat)),
        // A vector without a direction is none of the rows.
        ("ivfflat (v vector_cosine_ops)", Some(flat)),
        ("ivfflat (v) WITH (lists = 10)", None),
        ("ivf (v)", None),
        ("ivf (v) WITH (lists = 101)", Some(ivf)),
    ] {
        client.batch_execute(&format!("CREATE INDEX i ON t USING {index}; DROP INDEX i"))?;
        let found: Vec<String> = notices.lock().expect("no test panics here").drain(..).collect();
        ensure!(found.iter().map(String::as_str).eq(told), "{index}: {found:?}");
    }
    client.batch_execute("TRUNCATE t")?;
    for (index, told) in [("ivfflat (v)", flat), ("ivf (v)", ivf)] {
        client.batch_execute(&format!("CREATE INDEX i ON t USING {index}; DROP INDEX i"))?;
        let found: Vec<String> = notices.lock().expect("no test panics here").drain(..).collect();
        ensure!(found == [told], "{index}: {found:?}");
    }
    Ok(())
}

#[test]
fn a_build_shows_what_it_is_at() -> Result<()> {
    let (cluster, mut client) = server::own_database()?;
    let mut rng = Rng::with_seed(1);
    client.batch_execute("CREATE TABLE t (id int, v vector(64))")?;
    let rows: Vec<String> =
        vectors::clustered(&mut rng, 30_000, 64).iter().map(|v| vectors::literal(v)).collect();
    vectors::copy_into(&mut client, "t", 0, rows)?;
    let mut watch = cluster.connect_to("test")?;
    let (mut phases, mut done) = (BTreeSet::new(), 0);
    std::thread::scope(|scope| -> Result<()> {
        let building = scope.spawn(|| -> Result<()> {
            for _ in 0..5 {
                client.batch_execute("CREATE INDEX ON t USING ivf (v) WITH (lists = 300)")?;
            }
            Ok(())
        });
        while !building.is_finished() {
            let row = watch.query_opt(
                "SELECT phase, tuples_done, tuples_total FROM pg_stat_progress_create_index
                 WHERE phase LIKE 'building index: %'",
                &[],
            )?;
            let Some(row) = row else { continue };
            let (phase, tuples, total): (String, i64, i64) = (row.get(0), row.get(1), row.get(2));
            phases.insert(phase.trim_start_matches("building index: ").to_owned());
            ensure!(total == 0 || tuples <= total.max(30_000), "{phase}: {tuples} of {total}");
            done = done.max(tuples);
        }
        building.join().expect("a session does not panic")
    })?;
    eprintln!("{phases:?}, {done} rows");
    for phase in ["performing k-means", "assigning tuples"] {
        ensure!(phases.contains(phase), "{phases:?}");
    }
    ensure!(done > 0);
    Ok(())
}

/// With a thread or two, in memory or beyond: the same lists, so the same rows of a few probes.
#[test]
fn lists_do_not_depend_on_threads() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    client.batch_execute("CREATE TABLE t (id int, v vector(384))")?;
    let mut base: Vec<String> = vectors::demo()?.iter().map(|v| vectors::literal(v)).collect();
    let queries = base.split_off(base.len() - 20);
    vectors::copy_into(&mut client, "t", 0, base)?;
    let search = Search::new("t", "<=>", "vector");
    for method in [IVF, IVFFLAT] {
        let index = method.index("i", "t (v vector_cosine_ops)");
        let mut answers = Vec::new();
        for workers in [0, 1, 4] {
            client.batch_execute(&format!("ALTER TABLE t SET (parallel_workers = {workers})"))?;
            client.batch_execute(&format!("{index} WITH (lists = 20)"))?;
            client.batch_execute("SET kite.ivf_probes = 2; SET ivfflat.probes = 2")?;
            let found = queries.iter().map(|query| search.by_index(&mut client, query, 10));
            answers.push(found.collect::<Result<Vec<_>>>()?);
            client.batch_execute("DROP INDEX i")?;
        }
        ensure!(answers[0] == answers[1] && answers[0] == answers[2], "{}", method.name);
    }
    Ok(())
}

#[test]
fn lists_are_as_many_as_the_rows_ask_for() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    client.batch_execute(
        "CREATE TABLE t (v vector(2));
         INSERT INTO t SELECT ARRAY[random(), random()]::vector FROM generate_series(1, 10000);
         CREATE INDEX i ON t USING ivf (v)",
    )?;
    ensure!(number(&mut client, "SELECT kite.index_info('i') ->> 'lists'")? == 100);
    client.batch_execute("DELETE FROM t WHERE v <-> '[0,0]' > 0.3")?;
    client.batch_execute("REINDEX INDEX i")?;
    let (lists, rows) = (
        number(&mut client, "SELECT kite.index_info('i') ->> 'lists'")?,
        number(&mut client, "SELECT count(*) FROM t")?,
    );
    ensure!(lists == rows / 32, "{lists} lists of {rows} rows");
    Ok(())
}
