//! `graph` and its subcommands on up to 2,000 rows, without a server.

mod program;

use anyhow::{Context, Result};
use program::{bench, of_kind};
use serde_json::Value;

const MANY: &str = "generated:2kx32,queries=50";
const FEW: &str = "generated:500x32,queries=50";

fn graph(data: &str, words: &[&str]) -> Result<(Vec<Value>, String)> {
    let (subcommand, words) = words.split_first().context("a subcommand")?;
    let usual = ["--data", data, "--repeats", "1", "--ef", "20,80"];
    bench("graph", &[&[*subcommand][..], &usual, words].concat())
}

fn figure(record: &Value, name: &str) -> f64 {
    record[name].as_f64().unwrap_or_else(|| panic!("{name} of {record}"))
}

#[test]
fn layouts_are_searched_and_compared() -> Result<()> {
    let layouts = ["--layout", "flat", "--layout", "pgvector,together=1/8", "--layout", "kite,codes=0/2"];
    let (records, printed) = graph(MANY, &[&["search"][..], &layouts].concat())?;
    let wide: Vec<&Value> = of_kind(&records, "graph").into_iter().filter(|pass| pass["ef"] == 80).collect();
    assert_eq!(wide.len(), 5, "{records:?}");
    assert!(wide.iter().all(|pass| figure(pass, "recall") > 0.95), "{wide:?}");
    let [flat, pgvector, together, bare, coded] = wide[..] else { panic!("{wide:?}") };
    for other in [pgvector, together] {
        assert_eq!(other["recall"], flat["recall"]);
        assert_eq!(other["index_pages"], pgvector["index_pages"]);
    }
    let pages = [flat, coded, bare].map(|pass| figure(pass, "index_pages"));
    assert!(pages[0] == 0.0 && 80.0 <= pages[1] && 2.0 * pages[1] < pages[2], "{pages:?}");
    // Ten rows are found, and some more are looked at to be sure.
    let rows = [pgvector, coded].map(|pass| figure(pass, "fetches"));
    assert!(rows[0] == 0.0 && (10.0..20.0).contains(&rows[1]), "{rows:?}");
    assert!(printed.contains("as a multiple of flat's") && printed.contains("as a multiple of pgvector's"));
    assert!(printed.contains("not compared, since not given: hnswlib"), "{printed}");
    Ok(())
}

#[test]
fn little_memory_costs_little_recall() -> Result<()> {
    let (records, _) = graph(FEW, &["build", "--memory", "60000", "--threads", "2"])?;
    let builds = of_kind(&records, "build");
    assert_eq!(builds.len(), 3, "{records:?}");
    assert!(figure(builds[2], "peak_memory_bytes") <= 60_000.0, "{builds:?}");
    let recall = |arm: &Value| -> f64 {
        let passes = of_kind(&records, "graph");
        let pass = passes.iter().find(|pass| pass["arm"] == *arm && pass["ef"] == 80);
        figure(pass.expect("every index is searched"), "recall")
    };
    let recalls: Vec<f64> = builds.iter().map(|build| recall(&build["arm"])).collect();
    // The graph does not depend on the threads.
    assert_eq!(recalls[0], recalls[1]);
    assert!(recalls[2] > recalls[0] - 0.02, "{recalls:?}");
    Ok(())
}

#[test]
fn upkeep_is_measured() -> Result<()> {
    let (records, printed) = graph(FEW, &["insert", "--rows", "100"])?;
    let inserts = of_kind(&records, "insert");
    assert_eq!(inserts.len(), 2, "{records:?}");
    // A vertex with its lists, then a record for each neighbour.
    assert!(figure(inserts[0], "wal_records") > 200.0, "{inserts:?}");
    assert!(inserts.iter().all(|insert| figure(insert, "recall_after") > 0.9), "{inserts:?}");
    assert!(printed.contains("### Inserting"), "{printed}");

    let (records, _) = graph(FEW, &["vacuum"])?;
    let vacuums = of_kind(&records, "vacuum");
    // One for each width, unless nothing is missed at the first.
    let perfect = |vacuum: &Value| {
        ["recall_before", "recall_deleted", "recall_after"].iter().any(|name| figure(vacuum, name) == 1.0)
    };
    let wanted = if vacuums.first().is_some_and(|&vacuum| perfect(vacuum)) { 1 } else { 2 };
    assert_eq!(vacuums.len(), wanted, "{records:?}");
    for vacuum in vacuums {
        let [before, after] = ["recall_before", "recall_after"].map(|name| figure(vacuum, name));
        assert!(after > before - 0.03 && figure(vacuum, "lists_repaired") > 100.0, "{vacuum}");
    }

    let (records, printed) = graph(FEW, &["empty-first"])?;
    let recalls: Vec<f64> = of_kind(&records, "graph").iter().map(|pass| figure(pass, "recall")).collect();
    assert!(recalls.len() == 4 && recalls.iter().all(|&recall| recall > 0.8), "{recalls:?}");
    assert!(printed.contains("(empty first)"), "{printed}");
    Ok(())
}
