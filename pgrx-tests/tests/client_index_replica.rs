//! A streaming standby: it answers as the primary does, searches while it replays, and takes over. Every record is replayed beside
//! an image of the page that the primary had then.

use anyhow::{Result, ensure};
use fastrand::Rng;
use kite_cluster::Cluster;
use kite_tests::method::Method;
use kite_tests::search::{number, sound};
use kite_tests::workload::{Work, Workload, complete, stress_time};
use kite_tests::{journal, server};
use std::time::Duration;

kite_tests::for_each_method! {
    a_standby_follows_answers_and_takes_over,
    a_standby_searches_while_it_replays_inserts_and_vacuums,
    replay_after_a_crash_is_consistent,
}

/// A primary whose records of access methods like ours carry images to compare with.
fn primary() -> Result<Cluster> {
    let tree = server::installed(kite_cluster::PrivateTree::OWN)?;
    let cluster = Cluster::builder(&tree)
        .setting("wal_consistency_checking", "generic")
        .setting("max_wal_size", "256MB")
        .setting("autovacuum", "off")
        // Standbys take this over: what they replay waits for their searches.
        .setting("max_standby_streaming_delay", "-1")
        .start()?;
    server::database(&cluster, "test", "pgkite")?;
    Ok(cluster)
}

/// That both servers answer the same rows, in the same order.
fn agree(primary: &Cluster, standby: &Cluster, workload: &Workload, queries: &[String]) -> Result<()> {
    standby.catch_up(primary)?;
    let (mut here, mut there) = (workload.connect(primary)?, workload.connect(standby)?);
    for query in queries {
        let rows = workload.search().by_index(&mut here, query, 100)?;
        ensure!(rows.len() == 100);
        ensure!(
            rows == workload.search().by_index(&mut there, query, 100)?,
            "the standby answers {query} otherwise"
        );
    }
    sound(&mut there, "i")
}

fn a_standby_follows_answers_and_takes_over(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(1);
    let primary = primary()?;
    let workload = Workload::create(method, &primary, (3_000, 48), &mut rng)?;
    let queries = workload.queries(&mut rng, 20);
    let standby = primary.replica()?;
    let mut client = workload.connect(&primary)?;
    workload.index(&mut client)?;
    agree(&primary, &standby, &workload, &queries)?;

    // In parts, too, and again while it is in use.
    client.batch_execute("DROP INDEX i; SET maintenance_work_mem = '1MB'")?;
    workload.index(&mut client)?;
    client.batch_execute("REINDEX INDEX CONCURRENTLY i")?;
    agree(&primary, &standby, &workload, &queries)?;

    client.batch_execute("DELETE FROM t WHERE id % 5 = 0")?;
    complete(&mut client, "t", "i")?;
    agree(&primary, &standby, &workload, &queries)?;
    for _ in 0..300 {
        client.batch_execute(&format!("INSERT INTO t (v) VALUES ('{}')", workload.vector(&mut rng)))?;
    }
    complete(&mut client, "t", "i")?;
    agree(&primary, &standby, &workload, &queries)?;

    // An index that begins empty: a graph learns its frame from records, too.
    client.batch_execute("CREATE TABLE u (LIKE t INCLUDING DEFAULTS)")?;
    client.batch_execute(&format!("{} {}", method.index("j", "u (v vector_l2_ops)"), method.with))?;
    client.batch_execute("INSERT INTO u SELECT * FROM t")?;
    standby.catch_up(&primary)?;
    let mut follower = workload.connect(&standby)?;
    sound(&mut follower, "j")?;
    let frame = number(&mut follower, "SELECT coalesce(kite.index_info('j') ->> 'frame', '1')")?;
    ensure!(frame == 1);

    drop(primary);
    follower.batch_execute("SELECT pg_promote()")?;
    workload.search().recalls(&mut follower, &queries, 0.95)?;
    for _ in 0..100 {
        follower.batch_execute(&format!("INSERT INTO t (v) VALUES ('{}')", workload.vector(&mut rng)))?;
    }
    complete(&mut follower, "t", "i")?;
    workload.search().recalls(&mut follower, &queries, 0.95)?;
    journal::no_crash(&standby, &[])
}

fn a_standby_searches_while_it_replays_inserts_and_vacuums(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(2);
    let primary = primary()?;
    let workload = Workload::create(method, &primary, (1_500, 48), &mut rng)?;
    workload.index(&mut workload.connect(&primary)?)?;
    let standby = primary.replica()?;
    let writer: &[(Work, u32)] =
        &[(Work::Insert, 40), (Work::Move, 20), (Work::Touch, 10), (Work::Delete, 30), (Work::Vacuum, 1)];
    let reader: &[(Work, u32)] = &[(Work::Find, 1)];
    let time = stress_time(8);
    // Those who read are done first, since the standby's replay waits for them.
    let mut answers = Default::default();
    let writes = workload.run_while(&primary, &[writer, writer], 1, || {
        answers = workload.run(&standby, &[reader, reader], time, 100)?;
        Ok(())
    })?;
    eprintln!("{} statements, {} searches with recall {:.4}", writes.done, answers.done, answers.recall());
    ensure!(answers.done > 0 && answers.recall() >= 0.97, "the standby's recall is {}", answers.recall());
    let queries = workload.queries(&mut rng, 20);
    agree(&primary, &standby, &workload, &queries)?;
    complete(&mut workload.connect(&primary)?, "t", "i")?;
    agree(&primary, &standby, &workload, &queries)?;
    journal::quiet(&standby, &["canceling statement due to user request", "terminating walreceiver"])?;
    journal::quiet(&primary, &[])
}

fn replay_after_a_crash_is_consistent(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(3);
    let primary = primary()?;
    let workload = Workload::create(method, &primary, (1_000, 16), &mut rng)?;
    let mut client = workload.connect(&primary)?;
    client.batch_execute("CHECKPOINT")?;
    workload.index(&mut client)?;
    let writer: &[(Work, u32)] =
        &[(Work::Insert, 40), (Work::Move, 20), (Work::Touch, 10), (Work::Delete, 30), (Work::Vacuum, 1)];
    workload.run(&primary, &[writer, writer, writer], Duration::from_secs(3), 1)?;
    primary.restart(kite_cluster::Shutdown::Immediate)?;
    complete(&mut workload.connect(&primary)?, "t", "i")?;
    journal::no_crash(&primary, &[])
}
