//! Servers that really run: needs an installed PostgreSQL (`cargo xtask setup`).

use anyhow::Result;
use kite_cluster::{Cluster, DEFAULT_MAJOR, PrivateTree, Shutdown, run};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

fn tree() -> Result<PrivateTree> {
    PrivateTree::open(DEFAULT_MAJOR, PrivateTree::OWN)
}

fn count(cluster: &Cluster) -> Result<i64> {
    Ok(cluster.connect()?.query_one("SELECT count(*) FROM t", &[])?.get(0))
}

#[test]
fn every_folder_that_pg_config_names_for_builds_is_in_the_tree() -> Result<()> {
    let tree = tree()?;
    let root = tree.pg_config().canonicalize()?;
    let root = root.ancestors().nth(6).unwrap();
    for option in [
        "--bindir",
        "--pkglibdir",
        "--sharedir",
        "--includedir",
        "--includedir-server",
        "--pkgincludedir",
        "--pgxs",
    ] {
        let answer = run(Command::new(tree.pg_config()).arg(option))?;
        let path = Path::new(answer.trim());
        assert!(path.starts_with(root), "{option} is {answer}, outside {}", root.display());
        assert!(path.exists(), "{option} is {answer}, which does not exist");
    }
    assert_eq!(tree.bin_dir().canonicalize()?, tree.pg_config().canonicalize()?.parent().unwrap());
    Ok(())
}

#[test]
fn variants_are_separate_copies() -> Result<()> {
    let (own, other) = (tree()?, PrivateTree::open(DEFAULT_MAJOR, PrivateTree::AS_VECTOR)?);
    assert_ne!(own.extension_dir(), other.extension_dir());
    assert!(own.extension_dir().join("plpgsql.control").exists());
    assert!(other.extension_dir().join("plpgsql.control").exists());
    Ok(())
}

#[test]
fn an_unsupported_version_is_refused() {
    let error = PrivateTree::open(9, PrivateTree::OWN).unwrap_err().to_string();
    assert!(error.contains("choose 14 to 18"), "{error}");
}

#[test]
fn a_server_runs_from_the_tree_and_is_gone_afterwards() -> Result<()> {
    let tree = tree()?;
    let cluster =
        Cluster::builder(&tree).setting("work_mem", "12MB").setting("cluster_name", "it's").start()?;
    let mut client = cluster.connect()?;
    let show = |client: &mut postgres::Client, name: &str| -> Result<String> {
        Ok(client.query_one(&format!("SHOW {name}"), &[])?.get(0))
    };
    assert_eq!(show(&mut client, "work_mem")?, "12MB");
    assert_eq!(show(&mut client, "cluster_name")?, "it's");
    let library: String =
        client.query_one("SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'", &[])?.get(0);
    assert_eq!(Path::new(&library).canonicalize()?, tree.pkglib_dir().canonicalize()?);
    assert_eq!(
        postgres::Client::connect(&cluster.url("postgres"), postgres::NoTls)?.query("SELECT 1", &[])?.len(),
        1
    );

    let folder = cluster.data_dir();
    assert!(cluster.is_running() && folder.exists());
    drop(cluster);
    assert!(!folder.exists());
    assert!(client.query("SELECT 1", &[]).is_err());
    Ok(())
}

#[test]
fn committed_rows_outlive_every_kind_of_stop() -> Result<()> {
    let cluster = Cluster::builder(&tree()?).start()?;
    cluster.connect()?.batch_execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS i")?;
    cluster.restart(Shutdown::Fast)?;
    assert_eq!(count(&cluster)?, 1000);
    assert!(!cluster.log()?.contains("automatic recovery in progress"));

    cluster.connect()?.batch_execute("INSERT INTO t VALUES (0)")?;
    cluster.restart(Shutdown::Immediate)?;
    assert_eq!(count(&cluster)?, 1001);
    assert_eq!(cluster.log()?.matches("automatic recovery in progress").count(), 1);

    cluster.connect()?.batch_execute("INSERT INTO t VALUES (0)")?;
    cluster.kill()?;
    assert!(!cluster.is_running());
    assert!(cluster.connect().is_err());
    cluster.start()?;
    assert_eq!(count(&cluster)?, 1002);
    assert_eq!(cluster.log()?.matches("automatic recovery in progress").count(), 2);
    Ok(())
}

#[test]
fn a_killed_backend_restarts_the_server() -> Result<()> {
    let cluster = Cluster::builder(&tree()?).start()?;
    let mut victim = cluster.connect()?;
    let pid: i32 = victim.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    cluster.kill_backend(pid)?;
    assert!(victim.query("SELECT 1", &[]).is_err());
    while !cluster.log()?.contains("all server processes terminated; reinitializing") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(cluster.is_running());
    Ok(())
}

#[test]
fn a_standby_follows() -> Result<()> {
    // A standby must allow at least as many connections as its primary: the primary's settings have to come along.
    let primary = Cluster::builder(&tree()?).setting("max_connections", 77).start()?;
    primary.connect()?.batch_execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS i")?;
    let standby = primary.replica()?;
    standby.catch_up(&primary)?;
    assert_eq!(count(&standby)?, 1000);
    primary.connect()?.batch_execute("DELETE FROM t WHERE i > 10")?;
    standby.catch_up(&primary)?;
    assert_eq!(count(&standby)?, 10);
    assert!(standby.connect()?.batch_execute("INSERT INTO t VALUES (0)").is_err());

    // One that was down meanwhile finds its WAL kept.
    standby.stop(Shutdown::Fast)?;
    primary.connect()?.batch_execute("INSERT INTO t SELECT 0; SELECT pg_switch_wal(); CHECKPOINT")?;
    standby.start()?;
    standby.catch_up(&primary)?;
    assert_eq!(count(&standby)?, 11);
    Ok(())
}

#[test]
fn a_dump_restores() -> Result<()> {
    let cluster = Cluster::builder(&tree()?).start()?;
    cluster.psql("postgres", "CREATE TABLE t (i int); INSERT INTO t SELECT generate_series(1, 5);")?;
    cluster.create_database("a \"b\"")?;
    let dump = cluster.pg_dump("postgres", &["--format=custom"])?;
    cluster.pg_restore("a \"b\"", &dump, &[])?;
    assert_eq!(cluster.psql("a \"b\"", "SELECT sum(i), count(*) FROM t")?, "15|5\n");

    cluster.create_database("c")?;
    let script = String::from_utf8(cluster.pg_dump("postgres", &[])?)?;
    cluster.psql("c", &script)?;
    assert_eq!(cluster.psql("c", "SELECT sum(i) FROM t")?, "15\n");
    Ok(())
}

#[test]
fn psql_stops_at_the_first_error() -> Result<()> {
    let cluster = Cluster::builder(&tree()?).start()?;
    let error =
        cluster.psql("postgres", "CREATE TABLE t (i int); SELECT nonsense; DROP TABLE t;").unwrap_err();
    assert!(format!("{error:#}").contains("nonsense"), "{error:#}");
    assert_eq!(count(&cluster)?, 0);
    Ok(())
}

#[test]
fn several_run_at_once() -> Result<()> {
    let tree = tree()?;
    let clusters: Vec<Cluster> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| Cluster::builder(&tree).start())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Result<_>>()
    })?;
    for (i, cluster) in clusters.iter().enumerate() {
        cluster
            .connect()?
            .batch_execute(&format!("CREATE TABLE t AS SELECT generate_series(1, {i}) AS i"))?;
    }
    for (i, cluster) in clusters.iter().enumerate() {
        assert_eq!(count(cluster)?, i64::try_from(i)?);
    }
    Ok(())
}

#[test]
fn a_kept_cluster_outlives_its_value_until_it_is_discarded() -> Result<()> {
    let tree = tree()?;
    let name = "kept-by-a-test";
    let cluster = Cluster::builder(&tree).kept_as(name).socket_only().start()?;
    let (config, data) = (cluster.config("postgres"), cluster.data_dir());
    assert!(postgres::Client::connect(&cluster.url("postgres"), postgres::NoTls).is_err());
    drop(cluster);
    config.connect(postgres::NoTls)?.batch_execute("SELECT 1")?;
    assert!(Cluster::discard(&tree, name)?);
    assert!(config.connect(postgres::NoTls).is_err() && !data.exists());
    assert!(!Cluster::discard(&tree, name)?);
    Ok(())
}

#[test]
fn a_server_that_cannot_start_says_why() -> Result<()> {
    let error = Cluster::builder(&tree()?).setting("shared_buffers", "plenty").start().unwrap_err();
    assert!(format!("{error:#}").contains("invalid value for parameter \"shared_buffers\""), "{error:#}");
    Ok(())
}

#[test]
fn a_server_whose_owner_was_killed_is_ended_by_the_next() -> Result<()> {
    const OWNER: &str = "KITE_TEST_OWNER";
    let cluster = Cluster::builder(&tree()?).start()?;
    if std::env::var_os(OWNER).is_some() {
        println!("data={}", cluster.data_dir().display());
        loop {
            std::thread::park();
        }
    }
    // This test again, in a process that never comes to drop its cluster.
    let mut owner = Command::new(std::env::current_exe()?)
        .args(["--exact", "--nocapture", "a_server_whose_owner_was_killed_is_ended_by_the_next"])
        .env(OWNER, "1")
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let data =
        lines.map_while(Result::ok).find_map(|line| Some(line.split_once("data=")?.1.to_owned())).unwrap();
    owner.kill()?;
    owner.wait()?;

    let _next = Cluster::builder(&tree()?).start()?;
    assert!(!Path::new(&data).exists(), "{data} is still there");
    assert!(cluster.is_running(), "the cluster of a living owner was ended");
    Ok(())
}
