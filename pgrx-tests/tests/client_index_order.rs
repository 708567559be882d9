//! The order of rows is the operator's, whatever the vectors and however the index stores them.

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use kite_tests::method::{HNSW, IVF, Method};
use kite_tests::search::{Search, number, text};
use kite_tests::{server, vectors};
use postgres::Client;

const DIMS: usize = 16;
const ROWS: usize = 400;

/// So many of a thousand rows a scan to the end gives at least under strict order; the others are found too late and passed over.
const OWED: usize = 999;

/// Vectors that are hard to order: a name, and one of them.
type Family = (&'static str, fn(&mut Rng) -> Vec<f32>);

const FAMILIES: [Family; 10] = [
    ("normal", |rng| vectors::gaussian(rng, DIMS)),
    ("huge", |rng| scaled(rng, 1e18)),
    ("tiny", |rng| scaled(rng, 1e-18)),
    ("of many magnitudes", |rng| {
        let scale = 10_f32.powi(rng.i32(-18..18));
        scaled(rng, scale)
    }),
    ("with one large element", |rng| {
        let mut vector = vectors::gaussian(rng, DIMS);
        vector[rng.usize(..DIMS)] = 1e6;
        vector
    }),
    ("integers", |rng| (0..DIMS).map(|_| f32::from(rng.i8(-3..4))).collect()),
    ("few, often", |rng| vec![f32::from(rng.u8(1..5)); DIMS]),
    ("nearly equal", |rng| (0..DIMS).map(|_| 1.0 + f32::EPSILON * f32::from(rng.u8(..9))).collect()),
    ("far from zero", |rng| (0..DIMS).map(|_| 1e4 + vectors::normal(rng)).collect()),
    ("in small clusters", |rng| {
        let mut cluster = Rng::with_seed(rng.u64(..40));
        vectors::gaussian(&mut cluster, DIMS).iter().map(|x| 1e3 * x + vectors::normal(rng)).collect()
    }),
];

fn scaled(rng: &mut Rng, scale: f32) -> Vec<f32> {
    vectors::gaussian(rng, DIMS).iter().map(|x| x * scale).collect()
}

/// Searches a table of each family, all the way to its last row. `by_index` fails where the order is not the operator's.
fn orders(
    client: &mut Client,
    method: Method,
    kind: &str,
    families: &[Family],
    options: &[&str],
) -> Result<()> {
    let mut rng = Rng::with_seed(1);
    for (family, vector) in families {
        client
            .batch_execute(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t (id int, v {kind}({DIMS}))"))?;
        let base: Vec<String> = (0..ROWS).map(|_| vectors::literal(&vector(&mut rng))).collect();
        vectors::copy_into(client, "t", 0, base)?;
        let queries: Vec<String> = (0..3).map(|_| vectors::literal(&vector(&mut rng))).collect();
        for options in options {
            for (class, operator) in [("l2", "<->"), ("ip", "<#>"), ("cosine", "<=>"), ("l1", "<+>")] {
                let what = || format!("{kind}, {family}, {options}, {class}");
                // What lists miss under strict order is tested by itself.
                let least = if method.name == IVF.name { 0 } else { OWED };
                // Of l1 there are no codes but the payload.
                if class == "l1" && options.contains("rabitq") {
                    continue;
                }
                let index = method.index("i", &format!("t (v {kind}_{class}_ops)"));
                client.batch_execute(&format!("{index} WITH ({options})"))?;
                searched(client, method, &Search::new("t", operator, kind), &queries, least)
                    .with_context(what)?;
                client.batch_execute("DROP INDEX i")?;
            }
        }
    }
    Ok(())
}

/// Searches a table all the way to its last row: under relaxed order each is found, and under strict order `least` of a thousand.
fn searched(
    client: &mut Client,
    method: Method,
    search: &Search,
    queries: &[String],
    least: usize,
) -> Result<()> {
    let iterative_scan =
        if method.name == IVF.name { "kite.ivf_iterative_scan" } else { "hnsw.iterative_scan" };
    let indexed = number(client, "SELECT kite.index_info('i') ->> 'rows'")? as usize;
    let mut found = 0;
    for query in queries {
        found += search.by_index(client, query, indexed)?.len();
        client.batch_execute(&format!("SET {iterative_scan} = relaxed_order"))?;
        let all = search.in_any_order(client, query, indexed)?.len();
        client.batch_execute(&format!("RESET {iterative_scan}"))?;
        ensure!(all == indexed, "{all} of {indexed} rows under relaxed order");
        // Rows themselves, whose distance is zero or the least.
        let own = text(client, "SELECT v::text FROM t ORDER BY random() LIMIT 1")?;
        let nearest = search.by_index(client, &own, 10)?;
        ensure!(nearest.len() == 10, "{} rows for one of the table's", nearest.len());
    }
    let wanted = indexed * queries.len();
    ensure!(found * 1000 >= wanted * least, "{found} of {wanted} rows under strict order");
    Ok(())
}

#[test]
fn vectors_come_in_the_order_of_the_operator() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    orders(&mut client, HNSW, "vector", &FAMILIES, &["payload = sq8", "payload = half", "payload = full"])
}

#[test]
fn vectors_in_lists_come_in_the_order_of_the_operator() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    let codes = ["codes = none", "codes = sq8, payload = full", "codes = rabitq"];
    orders(&mut client, IVF, "vector", &FAMILIES, &codes)
}

/// What half precision can hold.
fn of_half_precision() -> Vec<Family> {
    let beyond = ["huge", "tiny", "of many magnitudes", "with one large element"];
    FAMILIES.into_iter().filter(|(name, ..)| !beyond.contains(name)).collect()
}

#[test]
fn half_vectors_come_in_the_order_of_the_operator() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    orders(&mut client, HNSW, "halfvec", &of_half_precision(), &["payload = sq8", "payload = half"])
}

#[test]
fn half_vectors_in_lists_come_in_the_order_of_the_operator() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    orders(&mut client, IVF, "halfvec", &of_half_precision(), &["codes = none", "codes = rabitq"])
}

#[test]
fn real_vectors_come_in_the_order_of_the_operator() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    let mut base: Vec<String> = vectors::demo()?.iter().map(|v| vectors::literal(v)).collect();
    let queries = base.split_off(base.len() - 6);
    client.batch_execute("CREATE TABLE t (id int, v vector(384))")?;
    vectors::copy_into(&mut client, "t", 0, base)?;
    for payload in ["sq8", "half", "full"] {
        for (class, operator) in [("l2", "<->"), ("ip", "<#>"), ("cosine", "<=>"), ("l1", "<+>")] {
            client.batch_execute(&format!(
                "CREATE INDEX i ON t USING hnsw (v vector_{class}_ops) WITH (payload = {payload})"
            ))?;
            searched(&mut client, HNSW, &Search::new("t", operator, "vector"), &queries, OWED)
                .with_context(|| format!("{payload}, {class}"))?;
            client.batch_execute("DROP INDEX i")?;
        }
    }
    Ok(())
}

#[test]
fn a_query_that_orders_nothing_takes_little_memory() -> Result<()> {
    const MANY: i64 = 200_000;
    let (_cluster, mut client) = server::own_database()?;
    client.batch_execute(&format!(
        "CREATE TABLE t (id int, v vector(4));
         INSERT INTO t SELECT i, ARRAY[random(), random(), random(), random()]::vector FROM generate_series(1, {MANY}) i;
         CREATE INDEX i ON t USING hnsw (v vector_l2_ops) WITH (m = 4, ef_construction = 8);
         SET enable_seqscan = off; SET enable_sort = off; SET jit = off"
    ))?;
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[])?.get(0);
    let scan = "DECLARE c CURSOR FOR SELECT id, v FROM t ORDER BY v <-> (SELECT NULL::vector)";
    // At defaults a scan ends when it has spent what it may.
    for (settings, all) in [
        ("", false),
        ("SET LOCAL hnsw.max_scan_tuples = 10000000; SET LOCAL hnsw.scan_mem_multiplier = 1000;", true),
    ] {
        let before = anonymous_memory(pid)?;
        client.batch_execute(&format!("BEGIN; {settings} {scan}"))?;
        let (mut rows, mut most, mut contexts) = (0, 0, 0);
        loop {
            let moved = client.execute("MOVE FORWARD 20000 FROM c", &[])?;
            rows += moved as i64;
            most = most.max(anonymous_memory(pid)?);
            contexts =
                contexts.max(number(&mut client, "SELECT sum(total_bytes) FROM pg_backend_memory_contexts")?);
            if moved == 0 {
                break;
            }
        }
        client.batch_execute("COMMIT")?;
        eprintln!("{rows} rows: {} kB more, {contexts} bytes in contexts", most.saturating_sub(before));
        ensure!(if all { rows == MANY } else { rows > 1_000 }, "{rows} rows");
        // The executor queues nothing: the rows are as good in any order.
        ensure!(contexts < 16 << 20, "{contexts} bytes in memory contexts");
        let limit = if all { 64 << 10 } else { 8 << 10 };
        ensure!(most < before + limit, "{most} kB after {before} kB");
    }
    Ok(())
}

/// Memory of a process that is its own, in kB.
fn anonymous_memory(pid: i32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
