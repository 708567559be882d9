//! `cargo xtask demo`: real data on a private server, and searches that a person would try.

mod check;
mod data;
mod npy;

use crate::files::Writer;
use crate::{extension, setup};
use anyhow::{Context, Result, ensure};
use comfy_table::{CellAlignment, ContentLineStyle, LineStyle, Table, TableStyle};
use data::Package;
use kite_cluster::{Cluster, PrivateTree};
use kite_script::Layout;
use postgres::Client;
use std::time::{Duration, Instant};

/// Name of the demo's cluster, and of its database.
const NAME: &str = "demo";

/// How often a statement is run for the time that is printed.
const RUNS: usize = 21;

/// The index on the embeddings.
const INDEX: &str = "CREATE INDEX packages_embedding ON packages USING hnsw (embedding vector_cosine_ops);";

/// Width at which summaries are cut, so that a row fits a line.
const SUMMARY: usize = 44;

/// Tables as psql prints them.
const LIKE_PSQL: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none().junction('|'))
    .header_separator(LineStyle::none().fill('-').junction('+'))
    .content_lines(ContentLineStyle::none().junction('|'));

/// The least share of the true answer that a search by the index may find here.
const ENOUGH: f64 = 0.9;

/// One question, in SQL that answers a name, a distance and columns to show.
struct Search<'a> {
    title: &'a str,
    /// Whether the planner is to answer it by the index on the embeddings.
    by_index: bool,
    /// The first column is the name that `exact` knows, the last the distance.
    sql: &'a str,
    /// What exact search in Rust answers, all candidates.
    exact: Vec<(&'a str, f64)>,
}

/// Builds, starts, loads, searches, and leaves the server running.
pub(crate) fn run() -> Result<()> {
    setup::server_and_headers()?;
    let tree = setup::private_tree(PrivateTree::OWN)?;
    let library = extension::build(&tree.pg_config(), tree.major())?;
    extension::write(&library, Layout::Own, &tree.pkglib_dir(), &tree.extension_dir(), &Writer::Caller)?;

    let start = Instant::now();
    let cluster = Cluster::builder(&tree).kept_as(NAME).socket_only().setting("fsync", "on").start()?;
    cluster.create_database(NAME)?;
    let mut client = cluster.connect_to(NAME)?;
    client.batch_execute("CREATE EXTENSION pgkite")?;
    println!(
        "\na private PostgreSQL {} with pgkite runs after {:.1} s",
        tree.major(),
        start.elapsed().as_secs_f64()
    );

    let packages = data::read()?;
    let start = Instant::now();
    data::load(&mut client, &packages)?;
    println!(
        "{} Debian packages with embeddings of {} dimensions loaded in {:.1} s",
        packages.len(),
        packages[0].embedding.len(),
        start.elapsed().as_secs_f64()
    );
    let start = Instant::now();
    client.batch_execute(INDEX)?;
    let size: String =
        client.query_one("SELECT pg_size_pretty(pg_relation_size('packages_embedding'))", &[])?.get(0);
    println!("{INDEX}\ntook {:.2} s and {size}", start.elapsed().as_secs_f64());

    for search in searches(&packages)? {
        show(&mut client, &search)?;
    }

    println!("\nThe server stays up. Connect with");
    println!(
        "  {} -h {} -p {} -U postgres {NAME}",
        tree.bin_dir().join("psql").display(),
        cluster.socket_dir().display(),
        cluster.port()
    );
    println!("End it, and remove its data, with\n  cargo xtask demo --stop");
    Ok(())
}

/// Ends the demo's server and removes its data.
pub(crate) fn stop() -> Result<()> {
    let tree = setup::private_tree(PrivateTree::OWN)?;
    let answer =
        if Cluster::discard(&tree, NAME)? { "the demo's server is gone" } else { "no demo is running" };
    println!("{answer}");
    Ok(())
}

fn searches(packages: &[Package]) -> Result<Vec<Search<'_>>> {
    let wanted =
        packages.iter().find(|package| package.name == "postgresql").context("no package postgresql")?;
    let other = |package: &Package| package.name != wanted.name;
    Ok(vec![
        Search {
            title: "Packages like postgresql, by what their descriptions mean: a search of the graph",
            by_index: true,
            sql: "SELECT name, section, installed_kb AS kb, summary,
       embedding <=> (SELECT embedding FROM packages WHERE name = 'postgresql') AS distance
FROM packages
WHERE name <> 'postgresql'
ORDER BY distance
LIMIT 10",
            exact: data::nearest(packages, wanted, other),
        },
        Search {
            title: "The same among databases that take less than 200 kB: so few that they are compared one by one",
            by_index: false,
            sql: "SELECT name, section, installed_kb AS kb, summary,
       embedding <=> (SELECT embedding FROM packages WHERE name = 'postgresql') AS distance
FROM packages
WHERE name <> 'postgresql' AND section = 'database' AND installed_kb < 200
ORDER BY distance
LIMIT 10",
            exact: data::nearest(packages, wanted, |package| {
                other(package) && package.section == "database" && package.installed_kb < 200
            }),
        },
        Search {
            title: "Which sections are about such things? The mean of a section's embeddings tells",
            by_index: false,
            sql: "SELECT section, count(*)::int AS packages,
       avg(embedding) <=> (SELECT embedding FROM packages WHERE name = 'postgresql') AS distance
FROM packages
GROUP BY section
ORDER BY distance
LIMIT 5",
            exact: data::nearest_sections(packages, wanted),
        },
    ])
}

/// Runs one search, prints statement, rows, check and time, and fails where the rows are not those of exact search, or by the index
/// not enough of them.
fn show(client: &mut Client, search: &Search<'_>) -> Result<()> {
    println!("\n{}\n\n{};\n", search.title, search.sql);
    let statement = client.prepare(search.sql)?;
    let rows = client.query(&statement, &[])?;
    let last = statement.columns().len() - 1;

    let mut table = Table::new();
    table.load_style(LIKE_PSQL);
    table.set_header(statement.columns().iter().map(postgres::Column::name));
    for row in &rows {
        table.add_row((0..=last).map(|column| text(row, column)));
    }
    for (column, found) in table.column_iter_mut().zip(statement.columns()) {
        if matches!(found.type_().name(), "int4" | "float8") {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("{table}\n");

    let answer: Vec<(String, f64)> = rows.iter().map(|row| (row.get(0), row.get(last))).collect();
    let recall = check::recall(&answer, &search.exact)
        .context("these rows are wrong: see the check in xtask's demo")?;
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let start = Instant::now();
        client.query(&statement, &[])?;
        times.push(start.elapsed());
    }
    println!(
        "recall {recall:.2} against exact search in Rust over the same {} candidates; {:.2} ms (median of {RUNS} runs)",
        search.exact.len(),
        median(times).as_secs_f64() * 1e3
    );
    let (plan, least) = if search.by_index { ("by the index", ENOUGH) } else { ("without the index", 1.0) };
    ensure!(uses_index(client, search.sql)? == search.by_index, "the planner does not answer this {plan}");
    ensure!(recall >= least, "this search {plan} misses rows");
    Ok(())
}

/// Whether the plan of a statement uses the index on the embeddings.
fn uses_index(client: &mut Client, sql: &str) -> Result<bool> {
    let plan = client.query(&format!("EXPLAIN {sql}"), &[])?;
    Ok(plan.iter().any(|line| line.get::<_, &str>(0).contains("packages_embedding")))
}

fn text(row: &postgres::Row, column: usize) -> String {
    match row.columns()[column].type_().name() {
        "int4" => row.get::<_, i32>(column).to_string(),
        "float8" => format!("{:.4}", row.get::<_, f64>(column)),
        _ => {
            let text: &str = row.get(column);
            let cut: String = text.chars().take(SUMMARY).collect();
            if cut.len() < text.len() { cut + "…" } else { cut }
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
