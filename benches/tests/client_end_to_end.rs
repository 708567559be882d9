//! The program from end to end on 2,000 rows: servers, tables, exact answers, journals, report.

mod program;

use anyhow::{Result, ensure};
use kite_cluster::{Cluster, DEFAULT_MAJOR, PrivateTree};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use program::{bench, of_kind};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Names a PostgreSQL tree with pgvector in it, as the tests of the extension use it.
const PGVECTOR_TREE: &str = "KITE_PGVECTOR_TREE";

const DATA: &str = "generated:2kx32,queries=50";

/// Where pgvector is, or a word on what is left out.
fn pgvector(left_out: &str) -> Option<String> {
    let tree = std::env::var_os(PGVECTOR_TREE).filter(|tree| !tree.is_empty()).map(PathBuf::from);
    if tree.is_none() {
        eprintln!("SKIPPED: {left_out}: set {PGVECTOR_TREE} to a PostgreSQL tree with pgvector in it");
    }
    tree.map(|tree| format!("pgvector={}", tree.display()))
}

fn small() -> Vec<&'static str> {
    vec!["--data", DATA, "--set", "shared_buffers=128MB", "--set", "maintenance_work_mem=64MB"]
}

#[test]
fn an_exact_search_finds_everything() -> Result<()> {
    let out = tempfile::tempdir()?;
    let words = [small(), vec!["--repeats", "2", "--arm", "pgkite:exact", "--clients", "1,2"]].concat();
    let (records, printed) = bench("ann", &words)?;
    let passes = of_kind(&records, "pass");
    assert_eq!(passes.len(), 4, "{records:?}");
    for pass in passes {
        assert_eq!((&pass["recall"], &pass["short"], &pass["queries"]), (&1.0.into(), &0.into(), &50.into()));
        assert!(pass["plan"].as_str().is_some_and(|plan| plan.contains("Seq Scan")), "{pass}");
        assert_eq!(pass["untimed"], 50, "{pass}");
        assert!(pass["qps"].as_f64() > Some(0.0) && pass["p99_us"].as_f64() >= pass["p50_us"].as_f64());
    }
    assert_eq!(of_kind(&records, "floor").len(), 4);
    let run = of_kind(&records, "run")[0];
    assert_eq!((&run["data"]["rows"], &run["settings"]["shared_buffers"]), (&2000.into(), &"128MB".into()));
    assert_eq!(of_kind(&records, "arm")[0]["settings"], Value::Object(serde_json::Map::new()));
    assert!(run["absent"].as_array().is_some_and(|absent| absent.contains(&"pgvector".into())));
    assert!(printed.contains("pgkite:exact") && printed.contains("recall 1.0000"), "{printed}");

    // The journal alone is enough for the report.
    let journal = out.path().join("ann.jsonl");
    let lines: Vec<String> = records.iter().map(ToString::to_string).collect();
    std::fs::write(&journal, lines.join("\n") + "\n")?;
    report(&journal, out.path())
}

fn report(journal: &Path, out: &Path) -> Result<()> {
    let status = Command::new(env!("CARGO_BIN_EXE_kite-bench"))
        .arg("report")
        .arg(journal)
        .arg("--out")
        .arg(out.join("report.md"))
        .output()?;
    ensure!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    assert!(std::fs::read_to_string(out.join("report.md"))?.contains("generated:2kx32"));
    Ok(())
}

#[test]
fn an_interrupted_run_keeps_and_reports_what_it_measured() -> Result<()> {
    let said = tempfile::NamedTempFile::new()?;
    let mut run = Command::new(env!("CARGO_BIN_EXE_kite-bench"))
        .args([&["ann", "--arm", "pgkite:exact"][..], &small(), &["--repeats", "100000"]].concat())
        .stderr(said.reopen()?)
        .stdout(Stdio::piped())
        .spawn()?;
    let journal = || -> Option<String> {
        let said = std::fs::read_to_string(said.path()).ok()?;
        std::fs::read_to_string(said.lines().find_map(|line| line.strip_prefix("results go to "))?).ok()
    };
    let patience = Instant::now() + Duration::from_secs(120);
    while journal().is_none_or(|text| text.matches("\"kind\":\"pass\"").count() < 3) {
        ensure!(
            run.try_wait()?.is_none() && Instant::now() < patience,
            "{}",
            std::fs::read_to_string(said.path())?
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(i32::try_from(run.id())?), Signal::SIGINT)?;
    let output = run.wait_with_output()?;
    let said = std::fs::read_to_string(said.path())?;
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the run was interrupted"), "{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("recall 1.0000"), "{said}");
    Ok(())
}

#[test]
fn an_engine_may_be_somebodys_running_server() -> Result<()> {
    let cluster = Cluster::builder(&PrivateTree::open(DEFAULT_MAJOR, PrivateTree::OWN)?).start()?;
    let peer = format!("pgkite-other={}", cluster.url("postgres"));
    let words = [small(), vec!["--repeats", "1", "--peer", &peer, "--arm", "pgkite-other:exact"]].concat();
    let (records, _) = bench("ann", &words)?;
    let passes = of_kind(&records, "pass");
    assert_eq!((passes.len(), &passes[0]["recall"]), (1, &1.0.into()));
    let arm = of_kind(&records, "arm")[0];
    assert_eq!(arm["settings"]["shared_buffers"], "32MB", "its own settings are told: {arm}");
    let mut client = cluster.connect()?;
    let left: i64 =
        client.query_one("SELECT count(*) FROM pg_namespace WHERE nspname = 'kite_bench'", &[])?.get(0);
    assert_eq!(left, 0, "the bench's schema goes with it");
    // Somebody else's server is not restarted.
    let words = [small(), vec!["--peer", &peer, "--arm", "pgkite-other:exact"]].concat();
    let refused = bench("cold", &words).unwrap_err().to_string();
    assert!(refused.contains("not the bench's own to restart"), "{refused}");
    assert!(client.query_one("SELECT 1", &[]).is_ok());
    Ok(())
}

#[test]
fn filters_inserts_updates_and_pages_of_a_table_without_index() -> Result<()> {
    let exact = [small(), vec!["--repeats", "2", "--arm", "pgkite:exact"]].concat();
    let grid = ["--selectivity", "1,0.01,0.001", "--btree", "with,without", "--limit", "10,30,none"];
    let words = [&exact[..], &grid[..], &["--storage", "inline,toasted", "--budget", "0"]].concat();
    let (records, printed) = bench("filter", &words)?;
    let passes = of_kind(&records, "filter");
    // Two storages, three correlations, shares and limits, with a b-tree and without, two repeats; without one a scan and a sort are all there is.
    let chosen = passes.iter().filter(|pass| pass["way"] == "chosen").count();
    assert_eq!(chosen, 2 * 3 * 3 * 3 * 2 * 2);
    assert!(passes.len() > chosen, "{passes:?}");
    for pass in &passes {
        assert!(pass["btree"] == true || pass["way"] == "chosen", "{pass}");
        // As many queries as the least, since the budget is nothing; one that was given up may have found less.
        assert_eq!(pass["queries"], 3, "{pass}");
        if pass["given_up"] == true {
            continue;
        }
        assert_eq!(pass["recall"], 1.0, "{pass}");
        let limit = pass["limit"]["rows"].as_f64().unwrap_or(2000.0);
        let rows = (pass["selectivity"].as_f64().unwrap_or(0.0) * 2000.0).clamp(1.0, limit);
        assert_eq!(pass["rows"], rows, "{pass}");
        let by_btree = pass["plan"].as_str().is_some_and(|plan| plan.contains("_idx"));
        assert!(!by_btree || pass["btree"] == true, "{pass}");
    }
    assert!(passes.iter().any(|pass| pass["plan"].as_str().is_some_and(|plan| plan.contains("_idx"))));
    assert_eq!(printed.matches("no LIMIT, no b-tree, vectors in TOAST:").count(), 1, "{printed}");
    let counted = "- **pgkite:exact**: 108 cells (none 36, positive 36, negative 36)\n  \
                   - recall of the plan chosen below 0.95: none 0, positive 0, negative 0\n";
    assert!(printed.contains(counted), "{printed}");
    let (records, _) =
        bench("insert", &[&exact[..], &["--rows", "50", "--writers", "1,2", "--batch", "1,20"]].concat())?;
    let inserts = of_kind(&records, "insert");
    assert_eq!(inserts.len(), 8);
    assert_eq!(inserts[7]["recall_after"], 1.0);
    assert!(inserts.iter().all(|insert| insert["wal_bytes"].as_u64() > Some(50 * 128)), "{inserts:?}");

    let words = ["--rows", "50", "--writers", "1,2", "--never-hot"];
    let (records, printed) = bench("update", &[&exact[..], &words].concat())?;
    let updates = of_kind(&records, "update");
    assert_eq!(updates.len(), 4);
    for update in &updates {
        assert_eq!((&update["hot_share"], &update["index_bytes_after"]), (&0.0.into(), &0.into()));
        // At least a new version of the row, whose vector of 32 dimensions is a part of it.
        assert!(update["wal_bytes"].as_u64() > Some(50 * 128), "{update}");
    }
    assert_eq!((&updates[0]["recall_before"], &updates[3]["recall_after"]), (&1.0.into(), &1.0.into()));
    assert_eq!((&updates[1]["recall_before"], &updates[2]["recall_after"]), (&Value::Null, &Value::Null));
    assert!(printed.contains("### Updating another column"), "{printed}");

    let (records, _) = bench("cold", &[&exact[..], &["--cache", "256kB"]].concat())?;
    let cold = of_kind(&records, "cold");
    let pages = |what: &str| cold[0][what].as_f64().unwrap_or(0.0);
    // All of the table, which is larger than the cache, for each query: some 320 kB.
    assert!(pages("heap_reads") > 5.0 && pages("heap_reads") + pages("heap_hits") > 35.0, "{cold:?}");
    assert_eq!(cold[0]["index_reads"], 0.0);
    Ok(())
}

#[test]
fn columns_of_other_types_are_searched() -> Result<()> {
    for data in
        ["generated:2kx64,element=bit", "generated:sparse:500x2000", "generated:2kx32,element=halfvec"]
    {
        let data = format!("{data},queries=20");
        let arms =
            ["--arm", "pgkite:exact", "--arm", "pgkite:hnsw,sweep=default/100", "--arm", "pgkite:halfvec"];
        let (records, printed) =
            bench("ann", &[&["--data", &data, "--repeats", "1"], &arms[..], &small()[2..]].concat())?;
        let passes = of_kind(&records, "pass");
        let of = |arm: &str| passes.iter().filter(|pass| pass["arm"] == arm).collect::<Vec<_>>();
        let (exact, hnsw) = (of("pgkite:exact"), of("pgkite:hnsw"));
        assert_eq!((exact.len(), hnsw.len()), (1, 2), "{records:?}");
        assert_eq!(exact[0]["recall"], 1.0, "{data}");
        assert!(hnsw[1]["recall"].as_f64() > Some(0.9), "{data}: {hnsw:?}");
        assert_eq!((&hnsw[0]["value"], &hnsw[1]["value"]), (&Value::Null, &100.0.into()));
        // The one that casts vectors is told apart, and the run goes on.
        let unable = of_kind(&records, "unable");
        assert!(unable.len() == 1 && unable[0]["arm"] == "pgkite:halfvec", "{data}: {unable:?}");
        assert!(printed.contains("**pgkite:halfvec** is not able to compete"), "{printed}");
    }
    Ok(())
}

#[test]
fn an_index_is_built_vacuumed_and_loaded_through() -> Result<()> {
    let Some(peer) = pgvector("indexes in the bench") else { return Ok(()) };
    let words =
        [small(), vec!["--repeats", "2", "--peer", &peer, "--arm", "pgvector:hnsw,sweep=10/100"]].concat();
    let (records, printed) = bench("build", &words)?;
    let builds = of_kind(&records, "build");
    assert_eq!(builds.len(), 2);
    for build in builds {
        for what in ["index_bytes", "wal_bytes", "peak_memory_bytes"] {
            assert!(build[what].as_u64() > Some(100_000), "{what} of {build}");
        }
    }
    assert!(printed.contains("pgvector:hnsw"), "{printed}");

    // More dimensions than it has an index for.
    let wide = ["--data", "generated:50x2500,queries=5", "--arm", "pgvector:exact"];
    let (records, printed) = bench("ann", &[&words[2..], &wide[..]].concat())?;
    let why = of_kind(&records, "unable")[0]["why"].as_str().unwrap_or_default();
    assert!(why.contains("2000 dimensions") && printed.contains(why), "{printed}");
    assert!(of_kind(&records, "pass").iter().all(|pass| pass["arm"] == "pgvector:exact"), "{records:?}");

    let (records, _) = bench("vacuum", &words)?;
    let vacuums = of_kind(&records, "vacuum");
    assert_eq!(vacuums.len(), 2);
    for vacuum in vacuums {
        for recall in ["recall_before", "recall_deleted", "recall_after"] {
            assert!(vacuum[recall].as_f64() > Some(0.9), "{vacuum}");
        }
    }

    let (records, _) = bench("update", &[&words[..], &["--rows", "100", "--writers", "1,2"]].concat())?;
    let updates = of_kind(&records, "update");
    assert_eq!(updates.len(), 4);
    assert!(
        updates.iter().all(|update| update["index_bytes_before"].as_u64() > Some(100_000)),
        "{updates:?}"
    );
    assert!(updates[3]["recall_after"].as_f64() > Some(0.9), "{updates:?}");

    // An arm without an index leaves, and its table is no other's.
    let exact = ["--arm", "pgvector:exact"];
    let (records, _) = bench("empty-first", &[&words[..6], &exact[..], &words[6..]].concat())?;
    let (builds, passes) = (of_kind(&records, "build"), of_kind(&records, "pass"));
    assert_eq!((builds.len(), passes.len()), (2, 8));
    assert_eq!((&builds[0]["mode"], &builds[1]["mode"]), (&"after-load".into(), &"empty-first".into()));
    for pass in passes {
        assert!(pass["recall"].as_f64() > Some(0.7), "{pass}");
        let table = if pass["arm"] == "pgvector:hnsw" { "items_2" } else { "items_3" };
        let index = format!("Index Scan using {table}_index");
        assert!(pass["plan"].as_str().is_some_and(|plan| plan.contains(&index)), "{pass}");
    }
    Ok(())
}
