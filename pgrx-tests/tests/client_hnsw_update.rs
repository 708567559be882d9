//! Updates that keep the vector: the graph stays as it is.

use anyhow::{Result, ensure};
use fastrand::Rng;
use kite_cluster::{Cluster, PrivateTree};
use kite_tests::search::{Search, number};
use kite_tests::workload::complete;
use kite_tests::{server, vectors};
use postgres::Client;

const ROWS: usize = 1_000;
const DIMS: usize = 128;

/// Bytes of WAL that a statement writes.
fn wal(client: &mut Client, sql: &str) -> Result<i64> {
    let now = "SELECT pg_current_wal_insert_lsn() - '0/0'";
    let before = number(client, now)?;
    client.batch_execute(sql)?;
    Ok(number(client, now)? - before)
}

/// Without images of pages, which depend on when a checkpoint was.
fn database() -> Result<(Cluster, Client)> {
    let tree = server::installed(PrivateTree::OWN)?;
    let cluster =
        Cluster::builder(&tree).setting("autovacuum", "off").setting("full_page_writes", "off").start()?;
    let client = server::database(&cluster, "test", "pgkite")?;
    Ok((cluster, client))
}

#[test]
fn an_update_of_another_column_leaves_the_graph_alone() -> Result<()> {
    let (_cluster, mut client) = database()?;
    let mut rng = Rng::with_seed(1);
    client.batch_execute(&format!(
        "CREATE TABLE t (id int, n int DEFAULT 0, v vector({DIMS})); CREATE INDEX t_n ON t (n)"
    ))?;
    let base: Vec<String> =
        vectors::clustered(&mut rng, ROWS, DIMS).iter().map(|v| vectors::literal(v)).collect();
    let queries = base[..20].to_vec();
    vectors::copy_into(&mut client, "t", 0, base)?;
    // The index on n makes each update a new row of all indexes.
    let update = "UPDATE t SET n = n + 1";
    let without = wal(&mut client, update)?;
    client.batch_execute("VACUUM FULL t")?;
    client.batch_execute("CREATE INDEX i ON t USING hnsw (v vector_l2_ops)")?;
    let (vertices, pages) = graph(&mut client)?;
    for _ in 0..3 {
        let each = (wal(&mut client, update)? - without) as f64 / ROWS as f64;
        eprintln!("{each:.0} bytes of WAL per row in the index");
        // A record of one page, where there is room beside the old version: a vertex of its own would take one for each link to it.
        ensure!(each < 400.0, "{each} bytes per row");
        ensure!(graph(&mut client)?.0 == vertices, "the update makes vertices");
        complete(&mut client, "t", "i")?;
    }
    let after = graph(&mut client)?;
    ensure!(after.0 == vertices && after.1 <= pages + pages / 4, "{pages} pages became {}", after.1);
    Search::new("t", "<->", "vector").recalls(&mut client, &queries, 0.95)
}

#[test]
fn an_update_of_the_vector_costs_a_vertex_until_vacuum() -> Result<()> {
    let (_cluster, mut client) = database()?;
    client.batch_execute(
        "CREATE TABLE t (id int, v vector(3));
         INSERT INTO t SELECT i, ARRAY[i, i % 10, i % 100]::vector FROM generate_series(1, 300) i;
         CREATE INDEX i ON t USING hnsw (v vector_l2_ops);
         UPDATE t SET v = v + '[1000,0,0]' WHERE id <= 100",
    )?;
    ensure!(graph(&mut client)?.0 == 400);
    complete(&mut client, "t", "i")?;
    ensure!(graph(&mut client)?.0 == 300);
    Ok(())
}

/// Vertices and pages of the index.
fn graph(client: &mut Client) -> Result<(i64, i64)> {
    let figure = |client: &mut Client, path: &str| {
        number(client, &format!("SELECT kite.index_info('i') #>> '{path}'"))
    };
    Ok((figure(client, "{levels,0,vertices}")?, figure(client, "{pages}")?))
}
