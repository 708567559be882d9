//! What an index takes to make and to keep: builds, inserts, vacuums, and the pages it reads.

use super::ann::baseline;
use super::gather::{Entrant, Section};
use super::{NONE, grouped, measured, number, table};
use crate::record::{Build, BuildMode, Cold, Insert, Update, Vacuum};
use crate::stats::median;
use std::collections::BTreeSet;

const MIB: f64 = 1024.0 * 1024.0;

/// How the indexes were made; empty where none was.
pub(super) fn builds(section: &Section, wanted: Option<&str>) -> String {
    let entrants = section.having(|entrant| &entrant.builds);
    let mut text = String::new();
    for (mode, what) in [
        (BuildMode::AfterLoad, "Building the index on a loaded table"),
        (BuildMode::EmptyFirst, "Loading rows into a table whose index was made empty"),
    ] {
        // A bench that adds rows later builds on fewer.
        let whole = |build: &Build| build.mode == mode && build.rows == section.data.rows;
        let groups = with_any(&entrants, |entrant| &entrant.builds, whole);
        let Some((base, named)) = base(&groups, wanted, |build| build.seconds) else { continue };
        let rows: Vec<Vec<String>> = groups
            .iter()
            .map(|(entrant, builds)| {
                let seconds = all(builds, |build| Some(build.seconds));
                let mib = |of: fn(&Build) -> Option<u64>| {
                    measured(&all(builds, |build| of(build).map(|bytes| bytes as f64 / MIB)))
                };
                let rates = all(builds, |build| Some(build.rows as f64 / build.seconds));
                let workers = builds.iter().filter_map(|build| build.workers).max();
                vec![
                    entrant.label.clone(),
                    measured(&seconds),
                    format!("{:.2}", median(&seconds) / base),
                    number(median(&rates)),
                    mib(|build| build.peak_memory_bytes),
                    mib(|build| Some(build.index_bytes)),
                    mib(|build| Some(build.heap_bytes)),
                    mib(|build| Some(build.toast_bytes)),
                    mib(|build| build.wal_bytes),
                    workers.map_or(NONE.into(), |workers| workers.to_string()),
                ]
            })
            .collect();
        let times = format!("× {named}");
        let header = [
            "arm",
            "seconds",
            &times,
            "rows/s",
            "peak MiB",
            "index MiB",
            "heap MiB",
            "TOAST MiB",
            "WAL MiB",
            "workers",
        ];
        if !text.is_empty() {
            text.push('\n');
        }
        text += &part(what, &table(1, &header, &rows));
    }
    text
}

/// Rows added one statement after the other; empty where none were.
pub(super) fn inserts(section: &Section, wanted: Option<&str>) -> String {
    let entrants = section.having(|entrant| &entrant.inserts);
    let mut kinds: Vec<(usize, usize)> = entrants
        .iter()
        .flat_map(|entrant| &entrant.inserts)
        .map(|insert| (insert.writers, insert.batch))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut rows = Vec::new();
    for (writers, batch) in kinds {
        let of_kind = |insert: &Insert| (insert.writers, insert.batch) == (writers, batch);
        let groups = with_any(&entrants, |entrant| &entrant.inserts, of_kind);
        let Some((base, named)) = base(&groups, wanted, |insert| insert.rows_per_second) else { continue };
        for (entrant, inserts) in &groups {
            let rates = all(inserts, |insert| Some(insert.rows_per_second));
            let wal = all(inserts, |insert| insert.wal_bytes.map(|bytes| bytes as f64 / insert.rows as f64));
            let recall = |of: fn(&Insert) -> Option<f64>| recall(&all(inserts, of));
            rows.push(vec![
                entrant.label.clone(),
                named.clone(),
                writers.to_string(),
                batch.to_string(),
                measured(&rates),
                format!("{:.2}", median(&rates) / base),
                measured(&wal),
                measured(&all(inserts, |insert| {
                    insert.wal_records.map(|records| records as f64 / insert.rows as f64)
                })),
                recall(|insert| insert.recall_before),
                recall(|insert| insert.recall_after),
            ]);
        }
    }
    let header = [
        "arm",
        "baseline",
        "writers",
        "batch",
        "rows/s",
        "× baseline",
        "WAL bytes/row",
        "records/row",
        "recall before",
        "after",
    ];
    if rows.is_empty() {
        String::new()
    } else {
        part("Inserting into a built index", &table(2, &header, &rows))
    }
}

/// Another column of rows updated, a row a statement; empty where none was.
pub(super) fn updates(section: &Section, wanted: Option<&str>) -> String {
    let entrants = section.having(|entrant| &entrant.updates);
    let writers: BTreeSet<usize> =
        entrants.iter().flat_map(|entrant| &entrant.updates).map(|update| update.writers).collect();
    let mut rows = Vec::new();
    for writers in writers {
        let groups = with_any(&entrants, |entrant| &entrant.updates, |update| update.writers == writers);
        let Some((base, named)) = base(&groups, wanted, |update| update.rows_per_second) else { continue };
        for (entrant, updates) in &groups {
            let rates = all(updates, |update| Some(update.rows_per_second));
            let each = |bytes: fn(&Update) -> f64| {
                measured(&all(updates, |update| Some(bytes(update) / update.rows as f64)))
            };
            let hot = all(updates, |update| update.hot_share);
            rows.push(vec![
                entrant.label.clone(),
                named.clone(),
                writers.to_string(),
                measured(&rates),
                format!("{:.2}", median(&rates) / base),
                if hot.is_empty() { NONE.into() } else { format!("{:.0} %", 100.0 * median(&hot)) },
                each(|update| update.wal_bytes as f64),
                each(|update| update.index_bytes_after as f64 - update.index_bytes_before as f64),
                recall(&all(updates, |update| update.recall_before)),
                recall(&all(updates, |update| update.recall_after)),
            ]);
        }
    }
    let header = [
        "arm",
        "baseline",
        "writers",
        "rows/s",
        "× baseline",
        "HOT",
        "WAL bytes/row",
        "index bytes/row",
        "recall before",
        "after",
    ];
    if rows.is_empty() {
        String::new()
    } else {
        part("Updating another column of indexed rows", &table(2, &header, &rows))
    }
}

/// Deletes and vacuums; empty where there were none.
pub(super) fn vacuums(section: &Section) -> String {
    let mut rows = Vec::new();
    for entrant in section.having(|entrant| &entrant.vacuums) {
        let groups = grouped(&entrant.vacuums, |vacuum| (vacuum.deleted_share, vacuum.value));
        for ((share, value), group) in groups {
            let column = |of: fn(&Vacuum) -> f64| all(&group, |vacuum| Some(of(vacuum)));
            rows.push(vec![
                entrant.label.clone(),
                format!("{:.0} %", 100.0 * share),
                measured(&column(|vacuum| vacuum.seconds)),
                measured(&all(&group, |vacuum| {
                    vacuum.lists_repaired.map(|lists| 1e6 * vacuum.seconds / lists as f64)
                })),
                number(median(&column(|vacuum| vacuum.index_bytes_before as f64 / MIB))),
                number(median(&column(|vacuum| vacuum.index_bytes_after as f64 / MIB))),
                measured(&all(&group, |vacuum| vacuum.index_bytes_refilled.map(|bytes| bytes as f64 / MIB))),
                measured(&all(&group, |vacuum| vacuum.wal_bytes.map(|bytes| bytes as f64 / MIB))),
                value.map_or(String::new(), |value| value.to_string()),
                recall(&column(|vacuum| vacuum.recall_before)),
                recall(&column(|vacuum| vacuum.recall_deleted)),
                recall(&column(|vacuum| vacuum.recall_after)),
                measured(&column(|vacuum| vacuum.mean_us_before)),
                measured(&column(|vacuum| vacuum.mean_us_after)),
            ]);
        }
    }
    let header = [
        "arm",
        "deleted",
        "VACUUM s",
        "µs a list",
        "index MiB before",
        "after",
        "refilled",
        "WAL MiB",
        "value",
        "recall before",
        "after DELETE",
        "after VACUUM",
        "mean µs before",
        "after",
    ];
    if rows.is_empty() { String::new() } else { part("Deleting and vacuuming", &table(1, &header, &rows)) }
}

/// Pages read with a small cache; empty where that was not measured.
pub(super) fn colds(section: &Section) -> String {
    let mut rows = Vec::new();
    for entrant in section.having(|entrant| &entrant.colds) {
        for cold in &entrant.colds {
            let Cold { shared_buffers, value, recall, mean_us, .. } = cold;
            let mut row = vec![
                entrant.label.clone(),
                shared_buffers.clone(),
                value.map_or(String::new(), |value| value.to_string()),
                format!("{recall:.4}"),
            ];
            for (reads, hits) in [
                (cold.index_reads, cold.index_hits),
                (cold.heap_reads, cold.heap_hits),
                (cold.toast_reads, cold.toast_hits),
            ] {
                row.push(format!("{} / {}", number(reads), number(reads + hits)));
            }
            row.push(number(cold.index_reads + cold.heap_reads + cold.toast_reads));
            row.push(number(*mean_us));
            rows.push(row);
        }
    }
    let header =
        ["arm", "shared_buffers", "value", "recall", "index", "heap", "TOAST", "all reads", "mean µs"];
    if rows.is_empty() {
        return String::new();
    }
    part("Pages read / asked for by each query, with a small cache", &table(2, &header, &rows))
}

fn part(title: &str, table: &str) -> String {
    format!("### {title}\n\n{table}\n")
}

/// The measurements of each entrant that are of some kind; entrants without any are left out.
fn with_any<'a, T>(
    entrants: &[&'a Entrant],
    of: impl Fn(&'a Entrant) -> &'a [T],
    kind: impl Fn(&T) -> bool,
) -> Vec<(&'a Entrant, Vec<&'a T>)> {
    let group = |&entrant: &&'a Entrant| (entrant, of(entrant).iter().filter(|one| kind(one)).collect());
    entrants.iter().map(group).filter(|(_, group): &(_, Vec<&T>)| !group.is_empty()).collect()
}

/// The baseline's median and name; none of no groups.
fn base<T>(
    groups: &[(&Entrant, Vec<&T>)],
    wanted: Option<&str>,
    of: impl Fn(&T) -> f64,
) -> Option<(f64, String)> {
    let entrants: Vec<&Entrant> = groups.iter().map(|(entrant, _)| *entrant).collect();
    let (entrant, group) = groups.get(baseline(&entrants, wanted))?;
    Some((median(&all(group, |one| Some(of(one)))), entrant.label.clone()))
}

/// A column of the repeats, without those that were not measured.
fn all<T>(group: &[&T], of: impl Fn(&T) -> Option<f64>) -> Vec<f64> {
    group.iter().filter_map(|one| of(one)).collect()
}

fn recall(values: &[f64]) -> String {
    if values.is_empty() { NONE.into() } else { format!("{:.4}", median(values)) }
}
