//! Journals with made-up figures, whose tables are computed by hand.

use super::command::markdown;
use super::gather::{Gathered, gather};
use super::pictures;
use crate::record::parse;

const FIRST: &str = "0123456789abcdef";

/// A run and its arms: two that are swept, one in a process of its own, and an exact one.
fn start(run: &str, commit: &str, fingerprint: &str) -> String {
    let mut text = format!(
        r#"{{"kind":"run","run":"{run}","command":"ann","arguments":["ann"],"commit":"{commit}","dirty":false,"started":"2026-01-02T03:04:05Z","machine":{{"cpu":"C","cores":2,"memory_bytes":2147483648,"kernel":"6","load":0.5}},"settings":{{"jit":"off"}},"data":{{"name":"Tiny set","fingerprint":"{fingerprint}","rows":100,"dims":4,"queries":10,"metric":"<->"}},"k":10,"repeats":3,"absent":["vchord","hnswlib"]}}
"#
    );
    for (arm, engine, parameter, in_process) in [
        ("pgkite:exact", "pgkite", "null", false),
        ("pgkite:graph", "pgkite", "\"kite.ef\"", false),
        ("pgvector:hnsw,m=16", "pgvector", "\"hnsw.ef_search\"", false),
        ("hnswlib:hnsw", "hnswlib", "\"ef\"", true),
    ] {
        text += &format!(
            r#"{{"kind":"arm","run":"{run}","arm":"{arm}","engine":"{engine}","version":"1","server":null,"kernels":null,"index":null,"session":[],"parameter":{parameter},"in_process":{in_process}}}
"#
        );
    }
    text
}

fn pass(run: &str, arm: &str, value: &str, clients: u8, (repeat, recall, mean): (u8, f64, f64)) -> String {
    let (p99, qps) = (2.0 * mean, f64::from(clients) * 1e6 / mean);
    format!(
        r#"{{"kind":"pass","run":"{run}","arm":"{arm}","value":{value},"clients":{clients},"repeat":{repeat},"queries":10,"recall":{recall},"recall_min":0.5,"short":0,"mean_us":{mean},"p50_us":{mean},"p95_us":{mean},"p99_us":{p99},"qps":{qps},"plan":"Limit > Index Scan using i","load":1.5}}
"#
    )
}

fn floor(run: &str, engine: &str, median: f64) -> String {
    format!(
        r#"{{"kind":"floor","run":"{run}","engine":"{engine}","clients":1,"repeat":0,"mean_us":999,"p50_us":{median},"p99_us":1,"qps":1}}
"#
    )
}

/// Three repeats, of which the last is disturbed; its floors are 20 µs for pgvector and 40 µs for pgkite.
fn one_run(run: &str, commit: &str, fingerprint: &str) -> String {
    let mut text = start(run, commit, fingerprint);
    text += &(floor(run, "pgvector", 20.0) + &floor(run, "pgkite", 40.0));
    for (repeat, off) in [(0, 0.0), (1, 0.0), (2, 400.0)] {
        for (arm, value, recall, mean) in [
            ("pgvector:hnsw,m=16", "10", 0.90, 120.0),
            ("pgvector:hnsw,m=16", "20", 0.98, 220.0),
            ("pgkite:graph", "1", 0.90, 100.0),
            ("pgkite:graph", "2", 0.98, 130.0),
            ("hnswlib:hnsw", "1", 0.95, 50.0),
            ("pgkite:exact", "null", 1.0, 2200.0),
        ] {
            text += &pass(run, arm, value, 1, (repeat, recall, mean + off));
            text += &pass(run, arm, value, 4, (repeat, recall, 2.0 * mean + off));
        }
    }
    text
}

fn gathered(texts: &[&str]) -> Gathered {
    gather(texts.iter().map(|text| parse(text).unwrap().0)).unwrap()
}

fn report(texts: &[&str], baseline: Option<&str>) -> String {
    markdown(&gathered(texts), "T", baseline, "plots").unwrap()
}

/// The cells of the first row behind `title` that begins with `label`.
fn cells<'a>(text: &'a str, title: &str, label: &str) -> Vec<&'a str> {
    let (_, behind) = text.split_once(title).unwrap_or_else(|| panic!("no {title} in {text}"));
    let row = behind.lines().find(|line| line.starts_with(&format!("| {label} ")));
    let row = row.unwrap_or_else(|| panic!("no {label} behind {title} in {text}"));
    row.trim_matches('|').split('|').skip(1).map(str::trim).collect()
}

#[test]
fn times_at_equal_recall() {
    let text = report(&[&one_run("a", FIRST, "f")], None);
    // 120 · (220 / 120)^(5 / 8) and 100 · 1.3^(5 / 8); in the disturbed repeat the time is 400 µs longer, so that half the
    // interquartile range is 100 µs.
    let title = "Mean microseconds";
    assert_eq!(
        cells(&text, title, "pgvector:hnsw,m=16"),
        ["120.0 ±83 %", "175.3 ±58 %", "220.0 ±45 %", "reaches 0.980"]
    );
    assert!(cells(&text, title, "pgkite:graph")[1].starts_with("117.8 "));
    assert_eq!(cells(&text, title, "hnswlib:hnsw")[..3], ["≤ 50.0 ±200 %", "50.0 ±200 %", "reaches 0.950"]);
    assert!(cells(&text, "99 % of the queries", "pgkite:graph")[2].starts_with("260.0 "));
}

#[test]
fn ratios_before_and_after_the_floor() {
    let text = report(&[&one_run("a", FIRST, "f")], None);
    let title = "as a multiple of pgvector:hnsw,m=16's";
    assert_eq!(cells(&text, title, "pgvector:hnsw,m=16"), ["1", "1", "1", "–"]);
    // 100 / 120 and (100 - 40) / (120 - 20); 130 / 220 and 90 / 200; between them 117.8 / 175.3 and
    // 60 · 1.5^(5 / 8) / (100 · 2^(5 / 8)).
    assert_eq!(cells(&text, title, "pgkite:graph"), ["0.83 (0.60)", "0.67 (0.50)", "0.59 (0.45)", "–"]);
    assert!(text.contains("takes: pgkite 40.0 µs, pgvector 20.0 µs.\n"), "{text}");
    // Nothing comes off within a process: 50 / 120 and 50 / 100.
    assert_eq!(cells(&text, title, "hnswlib:hnsw")[0], "≤ 0.42 (≤ 0.50)");
    // The other way round: 220 / 130, and of 200 / 90.
    let other = report(&[&one_run("a", FIRST, "f")], Some("pgkite:g"));
    let title = "as a multiple of pgkite:graph's";
    assert_eq!(cells(&other, title, "pgvector:hnsw,m=16")[2], "1.69 (2.22)");
    // An exact arm has no front; where the baseline gets that far, the two are compared.
    assert!(text.contains("pgkite:exact, which has nothing to sweep: recall 1.0000, 2200 ±5 % µs"), "{text}");
    let exact = report(&[&one_run("a", FIRST, "f")], Some("pgkite:exact"));
    assert_eq!(cells(&exact, "as a multiple of pgkite:exact's", "pgkite:graph")[0], "0.05 (0.03)");
}

#[test]
fn several_clients_are_compared_by_their_rate() {
    let text = report(&[&one_run("a", FIRST, "f")], None);
    let title = "Queries per second of all clients";
    // 4 / 240 µs and 4 / 200 µs.
    assert!(cells(&text, title, "pgvector:hnsw,m=16")[0].starts_with("16667 "));
    let own = cells(&text, title, "pgkite:graph")[0];
    assert!(own.starts_with("20000 ") && own.ends_with("(1.20)"), "{own}");
    assert!(cells(&text, title, "hnswlib:hnsw")[0].starts_with("≥ 40000 "), "{text}");
    assert!(cells(&text, title, "hnswlib:hnsw")[0].ends_with("(≥ 2.40)"), "{text}");
}

#[test]
fn without_a_floor_nothing_is_subtracted() {
    let text: String = one_run("a", FIRST, "f")
        .lines()
        .filter(|line| !line.contains("\"kind\":\"floor\""))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(cells(&report(&[&text], None), "as a multiple of", "pgkite:graph")[0], "0.83 (–)");
}

#[test]
fn runs_are_merged_where_nothing_that_matters_differs() {
    // The second run meets a slower way to the server: 60 µs more for each statement, the empty one too.
    let mut slower = start("b", "fedcba9876543210", "f") + &floor("b", "pgvector", 80.0);
    for (value, recall, mean) in [("10", 0.90, 180.0), ("20", 0.98, 280.0)] {
        for repeat in 0..3 {
            slower += &pass("b", "pgvector:hnsw,m=16", value, 1, (repeat, recall, mean));
        }
    }
    slower += &pass("b", "pgkite:graph", "1", 1, (0, 0.90, 50.0));
    let text = report(&[&one_run("a", FIRST, "f"), &slower], None);
    // 120, 120, 520 and 180, 180, 180; less their floors 100, 100, 500 and 100, 100, 100.
    assert!(cells(&text, "Mean microseconds", "pgvector:hnsw,m=16")[0].starts_with("180.0 "), "{text}");
    let title = "as a multiple of pgvector:hnsw,m=16's";
    assert_eq!(cells(&text, title, "pgkite:graph @ 0123456789")[0], "0.56 (0.60)");
    // Another commit is another engine, and its run has no floor for it.
    assert_eq!(cells(&text, title, "pgkite:graph @ fedcba9876")[0], "0.28 (–)");
    // A run that is given twice counts once.
    let text = report(&[&slower, &slower], None);
    assert!(text.contains("run b was given twice"), "{text}");
    assert!(cells(&text, "Mean microseconds", "pgvector:hnsw,m=16")[0].starts_with("180.0 ±0"), "{text}");
}

#[test]
fn other_vectors_are_another_section() {
    let (one, other) = (one_run("a", FIRST, "f"), one_run("b", FIRST, "g"));
    let all = gathered(&[&one, &other]);
    assert_eq!(all.sections.len(), 2);
    assert!(all.sections.iter().all(|section| section.entrants.len() == 4));
    assert_eq!(gathered(&[&one, &one_run("b", FIRST, "f")]).sections[0].entrants.len(), 4);
}

#[test]
fn an_interrupted_run_counts_as_far_as_it_went() {
    let whole = one_run("a", FIRST, "f");
    let (records, torn) = parse(&whole[..whole.len() * 2 / 3]).unwrap();
    assert!(torn && records.len() > 5);
    markdown(&gather([records]).unwrap(), "T", None, "plots").unwrap();
    // Not even a measurement.
    markdown(&gathered(&[&start("a", FIRST, "f")]), "T", None, "plots").unwrap();
    let nothing = markdown(&gathered(&[]), "T", None, "plots").unwrap_err().to_string();
    assert!(nothing.contains("nothing was measured"), "{nothing}");
    // A measurement of what was never described is not guessed at.
    assert!(gather([parse(&pass("a", "x", "1", 1, (0, 0.9, 1.0))).unwrap().0]).is_err());
}

#[test]
fn the_head_says_what_was_compared() {
    let text = report(&[&one_run("a", FIRST, "f")], None);
    for found in [
        "# T\n",
        "machine: C, 2 cores, 2 GiB, kernel 6",
        "load average while measuring: 0.5 to 1.5",
        "engine: pgvector 1",
        "not compared, since not given: vchord\n",
        "settings: `jit=off`",
        "## Tiny set: 100 × 4, l2, k = 10",
        "(plots/tiny-set-l2-k10-clients-4.svg)",
    ] {
        assert!(text.contains(found), "{found} in {text}");
    }
    assert!(!text.contains("given: hnswlib"), "it was measured: {text}");
    let error = markdown(&gathered(&[&one_run("a", FIRST, "f")]), "T", Some("faiss"), "plots").unwrap_err();
    assert!(error.to_string().contains("pgkite:graph"), "{error}");
}

#[test]
fn who_is_not_able_is_told_apart() {
    let unable = r#"{"kind":"unable","run":"a","arm":"pgvector:ivfflat","why":"column cannot have more than 2000 dimensions"}"#;
    let text = report(&[&format!("{}{unable}\n", one_run("a", FIRST, "f"))], Some("pgvector:ivf"));
    let line =
        "- **pgvector:ivfflat** is not able to compete: column cannot have more than 2000 dimensions\n";
    assert!(text.contains(line), "{text}");
    // It stands in no table, and the usual baseline takes its place.
    assert_eq!(text.matches("pgvector:ivfflat").count(), 1, "{text}");
    assert!(text.contains("as a multiple of pgvector:hnsw,m=16's"), "{text}");
    // Nobody is left.
    report(&[&format!("{}{unable}\n", start("b", FIRST, "g").replace("\"b\"", "\"a\""))], None);
}

#[test]
fn a_default_is_named() {
    let mut text = start("a", FIRST, "f");
    text += &pass("a", "pgvector:hnsw,m=16", "null", 1, (0, 0.91, 100.0));
    text += &pass("a", "pgkite:exact", "null", 1, (0, 1.0, 100.0));
    let text = report(&[&text], None);
    let title = "Every measured point";
    assert_eq!(cells(&text, title, "pgvector:hnsw,m=16")[..2], ["default", "0.9100 *"]);
    assert_eq!(cells(&text, title, "pgkite:exact")[0], "");
}

#[test]
fn upkeep_is_compared() {
    let mut text = start("a", FIRST, "f");
    for (arm, seconds, rate) in [("pgvector:hnsw,m=16", 10.0, 200.0), ("pgkite:graph", 4.0, 500.0)] {
        text += &format!(
            r#"{{"kind":"build","run":"a","arm":"{arm}","repeat":0,"seconds":{seconds},"peak_memory_bytes":null,"index_bytes":2097152,"heap_bytes":1048576,"toast_bytes":0,"wal_bytes":524288,"workers":2,"mode":"after-load","rows":100}}
{{"kind":"insert","run":"a","arm":"{arm}","repeat":0,"writers":4,"batch":100,"rows":50,"seconds":1,"rows_per_second":{rate},"wal_bytes":5000,"wal_records":500,"recall_before":0.97,"recall_after":null}}
{{"kind":"update","run":"a","arm":"{arm}","repeat":0,"writers":1,"rows":50,"seconds":1,"rows_per_second":{rate},"wal_bytes":5000,"hot_share":0.02,"index_bytes_before":2097152,"index_bytes_after":2107152,"recall_before":0.97,"recall_after":null}}
{{"kind":"update","run":"a","arm":"{arm}","repeat":0,"writers":4,"rows":50,"seconds":1,"rows_per_second":7,"wal_bytes":50,"hot_share":null,"index_bytes_before":8192,"index_bytes_after":8192,"recall_before":null,"recall_after":0.96}}
{{"kind":"vacuum","run":"a","arm":"{arm}","repeat":0,"deleted_share":0.2,"seconds":3,"index_bytes_before":2097152,"index_bytes_after":1048576,"index_bytes_refilled":3145728,"lists_repaired":100000,"wal_bytes":null,"value":80,"recall_before":0.97,"recall_deleted":0.9,"recall_after":0.96,"mean_us_before":100,"mean_us_after":90}}
{{"kind":"cold","run":"a","arm":"{arm}","value":80,"shared_buffers":"16MB","recall":0.97,"queries":10,"index_reads":30,"index_hits":70,"heap_reads":5,"heap_hits":5,"toast_reads":0,"toast_hits":0,"mean_us":1234}}
"#
        );
    }
    let text = report(&[&text], None);
    assert_eq!(
        cells(&text, "### Building", "pgkite:graph"),
        ["4.00", "0.40", "25.0", "–", "2.00", "1.00", "0.000", "0.500", "2"]
    );
    assert_eq!(
        cells(&text, "### Inserting", "pgkite:graph"),
        ["pgvector:hnsw,m=16", "4", "100", "500.0", "2.50", "100.0", "10.0", "0.9700", "–"]
    );
    let title = "### Updating another column of indexed rows";
    assert_eq!(
        cells(&text, title, "pgkite:graph"),
        ["pgvector:hnsw,m=16", "1", "500.0", "2.50", "2 %", "100.0", "200.0", "0.9700", "–"]
    );
    // More writers are compared with as many of the baseline's.
    let (_, four) = text.split_once(title).unwrap_or_default();
    let (_, four) = four.split_once("| pgkite:graph ").unwrap_or_default();
    assert_eq!(
        cells(four, "", "pgkite:graph"),
        ["pgvector:hnsw,m=16", "4", "7.00", "1.00", "–", "1.00", "0.000", "–", "0.9600"]
    );
    assert_eq!(
        cells(&text, "### Deleting", "pgkite:graph"),
        [
            "20 %", "3.00", "30.0", "2.00", "1.00", "3.00", "–", "80", "0.9700", "0.9000", "0.9600", "100.0",
            "90.0"
        ]
    );
    assert_eq!(
        cells(&text, "### Pages read", "pgkite:graph"),
        ["16MB", "80", "0.9700", "30.0 / 100.0", "5.00 / 10.0", "0.000 / 0.000", "35.0", "1234"]
    );
}

/// A run on so many rows: a build, and a search at two settings.
fn grown(run: &str, rows: &str, count: u32, seconds: f64, mean: f64) -> String {
    let name = format!("generated:clusters:{rows}x4,seed=2");
    let mut text = start(run, FIRST, run).replace("Tiny set", &name);
    text = text.replace("\"rows\":100", &format!("\"rows\":{count}"));
    for (value, recall) in [("10", 0.90), ("20", 0.98)] {
        text += &pass(run, "pgkite:graph", value, 1, (0, recall, mean));
        text += &pass(run, "pgvector:hnsw,m=16", value, 1, (0, recall + 0.01, mean));
    }
    text + &format!(
        r#"{{"kind":"build","run":"{run}","arm":"pgkite:graph","repeat":0,"seconds":{seconds},"peak_memory_bytes":1,"index_bytes":1,"heap_bytes":1,"toast_bytes":1,"wal_bytes":1,"workers":1,"mode":"after-load","rows":{count}}}
"#
    )
}

#[test]
fn growth_is_a_power_of_the_rows() {
    // Four times the rows: twice the time, and eight times the seconds.
    let (small, large) = (grown("a", "1k", 1000, 1.5, 100.0), grown("b", "4k", 4000, 12.0, 200.0));
    let text = report(&[&large, &small], None);
    let title = "## Growth: generated:clusters,seed=2 × 4, l2, k = 10";
    let (_, growth) = text.split_once(title).unwrap_or_else(|| panic!("no {title} in {text}"));
    assert_eq!(cells(growth, "Mean microseconds", "pgkite:graph"), ["100.0", "200.0", "0.50"]);
    assert_eq!(cells(growth, "Seconds to build", "pgkite:graph"), ["1.50", "12.0", "1.50"]);
    // Of bounds nothing is said.
    let bounded = cells(growth, "Mean microseconds", "pgvector:hnsw,m=16");
    assert_eq!(bounded, ["≤ 100.0", "≤ 200.0", "–"]);
    // Other sets, or one alone, have none.
    let other = grown("c", "4k", 4000, 12.0, 200.0).replace(",seed=2", ",seed=3");
    assert!(!report(&[&small, &other], None).contains("Growth"), "{text}");
    assert!(!report(&[&small], None).contains("Growth"));
}

#[test]
fn a_plan_is_judged_by_those_that_find_enough() {
    let filter = |arm: &str, way: &str, recall: f64, mean: f64| {
        // The planner chooses the filter's index by itself for one of them.
        let plan = if arm == "faiss:hnsw" && way == "chosen" { "filter-sort" } else { way };
        format!(
            r#"{{"kind":"filter","run":"a","arm":"{arm}","correlation":"negative","selectivity":0.01,"way":"{way}","plan":"Limit > {plan}","repeat":0,"queries":10,"recall":{recall},"rows":10,"mean_us":{mean},"p50_us":1,"p99_us":2}}
"#
        )
    };
    let mut text = start("a", FIRST, "f");
    text += r#"{"kind":"arm","run":"a","arm":"faiss:hnsw","engine":"faiss","version":"1","server":null,"kernels":null,"index":null,"session":[],"parameter":null,"in_process":true}"#;
    text += "\n";
    for (arm, ways) in [
        ("pgkite:graph", [("chosen", 1.0, 320.0), ("index", 0.5, 50.0), ("filter-sort", 1.0, 200.0)]),
        ("pgvector:hnsw,m=16", [("chosen", 0.5, 50.0), ("index", 0.5, 50.0), ("seqscan", 1.0, 900.0)]),
        ("faiss:hnsw", [("chosen", 1.0, 210.0), ("index", 0.5, 50.0), ("filter-sort", 1.0, 200.0)]),
        ("hnswlib:hnsw", [("chosen", 0.2, 50.0), ("index", 0.3, 60.0), ("seqscan", 0.94, 90.0)]),
    ] {
        text.extend(ways.map(|(way, recall, mean)| filter(arm, way, recall, mean)));
    }
    let text = report(&[&text], None);
    let row = |arm| {
        let cells = cells(&text, "### With a filter", arm);
        (cells[1], cells[3], cells[8], cells[9])
    };
    assert_eq!(row("pgkite:graph"), ("1 %", "Limit > filter-sort", "200.0", "1.60"));
    assert_eq!(row("pgvector:hnsw,m=16"), ("1 %", "Limit > seqscan", "900.0", "falls short"));
    // The same plan twice: what lies between the two is noise.
    assert_eq!(row("faiss:hnsw"), ("1 %", "the one chosen", "210.0", "1.00"));
    assert_eq!(row("hnswlib:hnsw"), ("1 %", "no plan reaches it", "–", "–"));
    let (_, counts) = text.split_once("In all:\n\n").unwrap_or_default();
    for line in [
        "- **pgkite:graph**: 1 cells (negative 1)\n  - recall of the plan chosen below 0.95: negative 0\n  \
         - more than 1.5 times as long as the best plan: 1\n    \
         - 1.60 times: LIMIT 10, a b-tree on the column, negative, 1 %: Limit > chosen instead of Limit > filter-sort\n",
        "- **pgvector:hnsw,m=16**: 1 cells (negative 1)\n  - recall of the plan chosen below 0.95: negative 1\n    \
         - LIMIT 10, a b-tree on the column, negative, 1 %: recall 0.5000\n  \
         - more than 1.5 times as long as the best plan: 0\n",
    ] {
        assert!(counts.contains(line), "{line} in {counts}");
    }
}

#[test]
fn pictures_are_written_in_both_forms() {
    let folder = tempfile::tempdir().unwrap();
    let all = gathered(&[&one_run("a", FIRST, "f")]);
    pictures::write(&all, folder.path()).unwrap();
    let names = pictures::of(&all.sections[0]);
    assert_eq!(names.len(), 2);
    for picture in names {
        let file = |ending: &str| std::fs::read(folder.path().join(format!("{}.{ending}", picture.name())));
        let svg = String::from_utf8(file("svg").unwrap()).unwrap();
        for found in ["Tiny set", "pgkite:graph", "0.95", "recall@10"] {
            assert!(svg.contains(found), "{found} in {svg}");
        }
        assert!(file("png").unwrap().starts_with(b"\x89PNG"));
    }
}

/// Two layouts with two repeats each, of which one reads pages and looks at rows again.
#[test]
fn layouts_of_a_graph_with_pages_priced() {
    let start = start("g", FIRST, "f1");
    let (run, _) = start.split_once('\n').unwrap();
    let mut text = format!("{run}\n");
    for (arm, bytes) in [("flat", 10_000), ("pgvector", 20_000)] {
        text += &format!(
            r#"{{"kind":"arm","run":"g","arm":"{arm}","engine":"pgkite","version":"1","server":null,"kernels":null,"index":null,"session":[],"parameter":"ef","in_process":true}}
{{"kind":"build","run":"g","arm":"{arm}","repeat":0,"seconds":1.5,"peak_memory_bytes":null,"index_bytes":{bytes},"heap_bytes":0,"toast_bytes":0,"wal_bytes":null,"workers":null,"mode":"after-load","rows":100}}
"#
        );
        for (ef, recall, mean) in [(10, 0.95, 100.0), (40, 0.98, 200.0)] {
            for repeat in [0, 1] {
                let (mean, pages) =
                    if arm == "flat" { (mean, 0.0) } else { (2.0 * mean, 10.0 * mean / 2.0 - 20.0) };
                text += &format!(
                    r#"{{"kind":"graph","run":"g","arm":"{arm}","ef":{ef},"repeat":{repeat},"queries":10,"recall":{recall},"recall_min":0.5,"mean_us":{mean},"p50_us":{mean},"p99_us":{mean},"index_pages":{pages},"fetches":12,"heap_pages":20,"load":null}}
"#
                );
            }
        }
    }
    let text = markdown(&gather([parse(&text).unwrap().0]).unwrap(), "T", None, "r").unwrap();
    let row = |begin: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("{text}"));
        line.split('|').map(|cell| cell.trim().replace(" ±0 %", "")).collect()
    };
    // 400 µs and 1,000 pages of 0.1 µs, beside 200 µs and the 20 pages of the rows.
    let pgvector = row("| pgvector ");
    assert_eq!(pgvector[2..6], ["200.0", "5000", "2500", "–"]);
    assert_eq!(pgvector[6..9], ["4000", "2000", "–"]);
    assert_eq!(pgvector[9..12], ["1000", "12.0", "0.9800"]);
    let multiples: Vec<&str> =
        text.lines().filter(|line| line.starts_with("| pgvector ") && line.contains("0.50")).collect();
    assert!(multiples[0].contains("| 0.50 | 0.50 |"), "{text}");
    assert!(multiples[0].contains("0.41 |"), "{text}");
}
