//! The server ends in the middle of a build, of inserts and of a vacuum: what is left is sound, finds what it found before, and goes on.

use anyhow::{Result, bail, ensure};
use fastrand::Rng;
use kite_cluster::{Cluster, Shutdown};
use kite_tests::method::Method;
use kite_tests::search::{number, sound};
use kite_tests::server;
use kite_tests::workload::{Work, Workload, complete};
use kite_tests::{journal, vectors};
use postgres::Client;
use std::time::Duration;

kite_tests::for_each_method! {
    a_build_that_is_cut_off_leaves_nothing,
    inserts_that_are_cut_off_leave_a_sound_index,
    a_vacuum_that_is_cut_off_is_finished_by_the_next,
    an_unlogged_index_is_empty_after_a_crash_and_works,
    what_a_transaction_has_not_logged_is_there_after_its_commit,
}

/// How a server ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// `pg_ctl stop -m immediate`
    Immediate,
    /// SIGKILL to all of its processes.
    Kill,
    /// SIGKILL to one backend, upon which the postmaster ends the others and recovers.
    Backend,
}

const ENDS: [End; 3] = [End::Immediate, End::Kill, End::Backend];

/// A small server with frequent checkpoints, so that recovery begins at many places.
fn server() -> Result<Cluster> {
    let tree = server::installed(kite_cluster::PrivateTree::OWN)?;
    let cluster = Cluster::builder(&tree)
        .setting("checkpoint_timeout", "30s")
        .setting("max_wal_size", "64MB")
        .setting("min_wal_size", "32MB")
        .setting("autovacuum", "off")
        .start()?;
    server::database(&cluster, "test", "pgkite")?;
    Ok(cluster)
}

/// Ends the server and starts it again. Sessions of its database are gone afterwards.
fn crash(cluster: &Cluster, how: End) -> Result<()> {
    match how {
        End::Immediate => cluster.restart(Shutdown::Immediate),
        End::Kill => {
            cluster.kill()?;
            cluster.start()
        }
        End::Backend => {
            let mut victim = cluster.connect()?;
            // The session that works, where there is one.
            let pid = "SELECT coalesce(max(pid) FILTER (WHERE datname = 'test' AND state = 'active'), pg_backend_pid())
                       FROM pg_stat_activity";
            cluster.kill_backend(victim.query_one(pid, &[])?.get(0))?;
            await_recovery(cluster)
        }
    }
}

/// Waits for the postmaster to have recovered from a crash of a backend.
fn await_recovery(cluster: &Cluster) -> Result<()> {
    for _ in 0..600 {
        std::thread::sleep(Duration::from_millis(100));
        if cluster.connect_to("test").is_ok() {
            return Ok(());
        }
    }
    bail!("the server does not recover")
}

/// Runs a statement in another thread, and ends the server after `delay` from when `begun` answers true.
fn crash_during(cluster: &Cluster, statement: &str, begun: &str, delay: Duration, how: End) -> Result<()> {
    let (mut session, mut watch) = (cluster.connect_to("test")?, cluster.connect_to("test")?);
    std::thread::scope(|scope| {
        // It ends with the server, or is done before: both are to be coped with.
        let work = scope.spawn(move || session.batch_execute(statement).is_ok());
        while !work.is_finished() && !watch.query_one(begun, &[])?.get::<_, bool>(0) {}
        std::thread::sleep(delay);
        crash(cluster, how)?;
        let done = work.join().expect("a session does not panic");
        eprintln!("{how:?} after {delay:?}: the statement was {}", if done { "done" } else { "cut off" });
        Ok(())
    })
}

/// That no temporary file is left.
fn no_temporary_files(cluster: &Cluster) -> Result<()> {
    let folder = cluster.data_dir().join("base/pgsql_tmp");
    let files: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.file_name()).collect();
    ensure!(files.is_empty(), "temporary files are left: {files:?}");
    Ok(())
}

/// Inserts, vacuums and rebuilds.
fn goes_on(client: &mut Client, workload: &Workload, rng: &mut Rng) -> Result<()> {
    for _ in 0..50 {
        client.batch_execute(&format!("INSERT INTO t (v) VALUES ('{}')", workload.vector(rng)))?;
    }
    complete(client, "t", "i")
}

fn a_build_that_is_cut_off_leaves_nothing(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(1);
    let cluster = server()?;
    let workload = Workload::create(method, &cluster, (10_000, 48), &mut rng)?;
    let queries = workload.queries(&mut rng, 20);
    // Loading, in parts with temporary files, and writing.
    let building =
        "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE phase LIKE 'building index:%')";
    for (round, how) in ENDS.into_iter().cycle().take(6).enumerate() {
        let memory = if round % 2 == 0 { "1MB" } else { "64MB" };
        let build =
            format!("SET maintenance_work_mem = '{memory}'; {}", method.index("i", "t (v vector_l2_ops)"));
        let delay = Duration::from_millis(rng.u64(..300));
        crash_during(&cluster, &build, building, delay, how)?;
        let mut client = workload.connect(&cluster)?;
        let built = number(&mut client, "SELECT count(*) FROM pg_class WHERE relname = 'i'")?;
        if built == 1 {
            sound(&mut client, "i")?;
            client.batch_execute("DROP INDEX i")?;
        }
        no_temporary_files(&cluster)?;
        ensure!(number(&mut client, "SELECT count(*) FROM t")? == 10_000);
    }
    let mut client = workload.connect(&cluster)?;
    workload.index(&mut client)?;
    // A rebuild that is cut off leaves the index as it was.
    for how in ENDS {
        crash_during(&cluster, "REINDEX INDEX i", building, Duration::from_millis(rng.u64(..300)), how)?;
        let mut client = workload.connect(&cluster)?;
        sound(&mut client, "i")?;
        workload.search().recalls(&mut client, &queries, 0.95)?;
    }
    goes_on(&mut workload.connect(&cluster)?, &workload, &mut rng)?;
    journal::no_crash(&cluster, &["terminated by signal 9"])
}

fn inserts_that_are_cut_off_leave_a_sound_index(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(2);
    let cluster = server()?;
    let workload = Workload::create(method, &cluster, (500, 48), &mut rng)?;
    let queries = workload.queries(&mut rng, 20);
    workload.index(&mut workload.connect(&cluster)?)?;
    let writer: &[(Work, u32)] = &[(Work::Insert, 8), (Work::Move, 2), (Work::Touch, 1), (Work::Delete, 1)];
    for (round, how) in ENDS.into_iter().cycle().take(6).enumerate() {
        let delay = Duration::from_millis(rng.u64(200..1200));
        let outcome = workload.run_while(&cluster, &[writer, writer, writer], round as u64 * 10, || {
            std::thread::sleep(delay);
            crash(&cluster, how)
        });
        let error = outcome.expect_err("sessions outlive their server");
        ensure!(is_crash(&error), "{error:#}");
        let mut client = workload.connect(&cluster)?;
        let rows = number(&mut client, "SELECT count(*) FROM t")?;
        eprintln!("{how:?} after {delay:?}: {rows} rows");
        sound(&mut client, "i")?;
        workload.search().recalls(&mut client, &queries, 0.95)?;
        goes_on(&mut client, &workload, &mut rng)?;
    }
    let mut client = workload.connect(&cluster)?;
    client.batch_execute("REINDEX INDEX i")?;
    complete(&mut client, "t", "i")?;
    workload.search().recalls(&mut client, &queries, 0.95)?;
    journal::no_crash(&cluster, &["terminated by signal 9"])
}

fn a_vacuum_that_is_cut_off_is_finished_by_the_next(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(3);
    let cluster = server()?;
    let workload = Workload::create(method, &cluster, (5_000, 48), &mut rng)?;
    let queries = workload.queries(&mut rng, 20);
    workload.index(&mut workload.connect(&cluster)?)?;
    let vacuuming = "SELECT EXISTS (SELECT FROM pg_stat_progress_vacuum WHERE phase LIKE '%index%')";
    for (round, how) in ENDS.into_iter().cycle().take(6).enumerate() {
        let mut client = workload.connect(&cluster)?;
        client.batch_execute(&format!("DELETE FROM t WHERE id % 7 = {round}"))?;
        let vacuum = "VACUUM (INDEX_CLEANUP ON, PARALLEL 0) t";
        crash_during(&cluster, vacuum, vacuuming, Duration::from_millis(rng.u64(..200)), how)?;
        let mut client = workload.connect(&cluster)?;
        sound(&mut client, "i")?;
        workload.search().recalls(&mut client, &queries, 0.95)?;
        if round % 2 == 1 {
            goes_on(&mut client, &workload, &mut rng)?;
            workload.search().recalls(&mut client, &queries, 0.95)?;
        }
        vectors::copy_into(
            &mut client,
            "t",
            10_000 * (round + 1),
            std::iter::repeat_with(|| workload.vector(&mut rng)).take(700),
        )?;
    }
    let mut client = workload.connect(&cluster)?;
    complete(&mut client, "t", "i")?;
    client.batch_execute("REINDEX INDEX CONCURRENTLY i")?;
    complete(&mut client, "t", "i")?;
    journal::no_crash(&cluster, &["terminated by signal 9"])
}

fn an_unlogged_index_is_empty_after_a_crash_and_works(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(4);
    let cluster = server()?;
    let workload = Workload::create(method, &cluster, (500, 8), &mut rng)?;
    let mut client = workload.connect(&cluster)?;
    client.batch_execute("ALTER TABLE t SET UNLOGGED")?;
    workload.index(&mut client)?;
    goes_on(&mut client, &workload, &mut rng)?;
    for how in [Shutdown::Fast, Shutdown::Immediate, Shutdown::Immediate] {
        cluster.restart(how)?;
        let mut client = workload.connect(&cluster)?;
        let kept = if how == Shutdown::Fast { 550 } else { 0 };
        ensure!(number(&mut client, "SELECT count(*) FROM t")? == kept);
        goes_on(&mut client, &workload, &mut rng)?;
        let queries = workload.queries(&mut rng, 10);
        workload.search().recalls(&mut client, &queries, 0.95)?;
    }
    let mut client = workload.connect(&cluster)?;
    client.batch_execute("ALTER TABLE t SET LOGGED")?;
    cluster.restart(Shutdown::Immediate)?;
    goes_on(&mut workload.connect(&cluster)?, &workload, &mut rng)
}

fn what_a_transaction_has_not_logged_is_there_after_its_commit(method: Method) -> Result<()> {
    let mut rng = Rng::with_seed(5);
    let tree = server::installed(kite_cluster::PrivateTree::OWN)?;
    let cluster = Cluster::builder(&tree)
        .setting("wal_level", "minimal")
        .setting("max_wal_senders", 0)
        .setting("wal_skip_threshold", "0")
        .start()?;
    let mut client = server::database(&cluster, "test", "pgkite")?;
    let vector = |rng: &mut Rng| vectors::literal(&vectors::gaussian(rng, 8));
    // Neither table nor index are logged before the commit: they are new.
    client.batch_execute("BEGIN; CREATE TABLE t (id int, v vector(8))")?;
    vectors::copy_into(&mut client, "t", 1, std::iter::repeat_with(|| vector(&mut rng)).take(3_000))?;
    client.batch_execute(&method.index("i", "t (v vector_l2_ops)"))?;
    for id in 0..100 {
        client.batch_execute(&format!("INSERT INTO t VALUES ({id}, '{}')", vector(&mut rng)))?;
    }
    client.batch_execute("COMMIT")?;
    cluster.restart(Shutdown::Immediate)?;
    let mut client = cluster.connect_to("test")?;
    sound(&mut client, "i")?;
    ensure!(number(&mut client, "SELECT kite.index_info('i') ->> 'rows'")? == 3_100);
    complete(&mut client, "t", "i")
}

/// Whether a session was ended by its server's crash.
fn is_crash(error: &anyhow::Error) -> bool {
    let Some(error) = error.downcast_ref::<postgres::Error>() else { return false };
    match error.as_db_error() {
        Some(db) => db.code().code().starts_with("57P"),
        None => true,
    }
}
