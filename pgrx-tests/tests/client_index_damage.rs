//! Bytes of index files changed behind the server's back: whatever is done with the index then answers, or is an ERROR that names the
//! damaged block.

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use kite_cluster::{Cluster, PrivateTree, Shutdown};
use kite_tests::method::{HNSW, IVF, Method};
use kite_tests::search::{number, sound, text};
use kite_tests::{journal, server, vectors};
use postgres::Client;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

const PAGE: usize = 8192;

/// Indexes that are damaged together, since each round is a restart of the server.
const TABLES: usize = 24;

/// Columns, operator classes and options.
type Kinds = [(&'static str, &'static str, &'static str); 8];

/// Payloads of all kinds, with and without codes, in chains of chunks, with equal rows.
const GRAPHS: Kinds = [
    ("vector(24)", "vector_l2_ops", ""),
    ("vector(24)", "vector_cosine_ops", "WITH (codes = 0)"),
    ("vector(24)", "vector_ip_ops", "WITH (payload = full, m = 4, ef_construction = 16)"),
    ("halfvec(24)", "halfvec_l1_ops", "WITH (payload = half)"),
    ("bit(64)", "bit_hamming_ops", ""),
    ("sparsevec(400)", "sparsevec_l2_ops", ""),
    ("vector(3000)", "vector_l2_ops", "WITH (payload = full)"),
    ("vector(2)", "vector_l2_ops", ""),
];

/// The same of lists, one and many.
const LISTS: Kinds = [
    ("vector(24)", "vector_l2_ops", "WITH (lists = 8, codes = rabitq)"),
    ("vector(24)", "vector_cosine_ops", "WITH (lists = 8, codes = none, payload = half)"),
    ("vector(24)", "vector_ip_ops", "WITH (lists = 4, codes = pq, m = 6, nbits = 4)"),
    ("halfvec(24)", "halfvec_l1_ops", "WITH (lists = 8)"),
    ("bit(64)", "bit_hamming_ops", ""),
    ("vector(24)", "vector_l2_ops", "WITH (lists = 4, codes = rabitq, nbits = 1, payload = none)"),
    ("vector(3000)", "vector_l2_ops", "WITH (lists = 2, payload = full)"),
    ("vector(2)", "vector_l2_ops", ""),
];

/// A value of a column.
fn value(column: &str, rng: &mut Rng) -> String {
    match column {
        "bit(64)" => vectors::bit_literal(&vectors::gaussian(rng, 64)),
        "sparsevec(400)" => {
            let mut values = vec![0.0; 400];
            (0..20).for_each(|_| values[rng.usize(..400)] = vectors::normal(rng));
            vectors::sparse_literal(&values)
        }
        "vector(3000)" => vectors::literal(&vectors::gaussian(rng, 3000)),
        // Few values, each in many rows.
        "vector(2)" => format!("[{},{}]", rng.u8(..4), rng.u8(..4)),
        _ => vectors::literal(&vectors::gaussian(rng, 24)),
    }
}

fn rows(column: &str) -> usize {
    match column {
        "vector(3000)" => 40,
        "vector(2)" => 2_000,
        _ => 400,
    }
}

fn operator(class: &str) -> &'static str {
    let operators = [("l2", "<->"), ("cosine", "<=>"), ("ip", "<#>"), ("l1", "<+>"), ("hamming", "<~>")];
    operators.iter().find(|(name, _)| class.contains(name)).map_or("<->", |(_, operator)| operator)
}

/// Changes some bytes of a page, or more.
fn damage(file: &File, rng: &mut Rng) -> Result<String> {
    let pages = file.metadata()?.len() / PAGE as u64;
    // The first page is one of many, but all depends on it.
    let block = if rng.u8(..8) == 0 { 0 } else { rng.u64(..pages) };
    let mut page = [0; PAGE];
    file.read_exact_at(&mut page, block * PAGE as u64)?;
    let lower = usize::from(u16::from_le_bytes([page[12], page[13]])).clamp(25, PAGE);
    let upper = usize::from(u16::from_le_bytes([page[14], page[15]])).clamp(24, PAGE - 1);
    let what = match rng.u8(..8) {
        0 => {
            let at = rng.usize(..PAGE);
            page[at] = rng.u8(..);
            format!("byte {at}")
        }
        1 => {
            // A line pointer.
            let at = rng.usize(24..lower.max(25));
            page[at] ^= 1 << rng.u8(..8);
            format!("line pointers at {at}")
        }
        2 => {
            let from = rng.usize(24..PAGE - 64);
            page[from..from + 64].fill(0);
            format!("zeros from {from}")
        }
        3 => {
            let from = rng.usize(upper..PAGE);
            page[from..].iter_mut().for_each(|byte| *byte = rng.u8(..));
            format!("noise from {from}")
        }
        4 => {
            let other = rng.u64(..pages);
            file.read_exact_at(&mut page, other * PAGE as u64)?;
            format!("a copy of block {other}")
        }
        5 => {
            page.fill(0);
            "zeros".to_owned()
        }
        _ => {
            let flips: Vec<usize> = (0..rng.usize(1..20)).map(|_| rng.usize(upper..PAGE)).collect();
            flips.iter().for_each(|&at| page[at] ^= 1 << rng.u8(..8));
            format!("bits at {flips:?}")
        }
    };
    file.write_all_at(&page, block * PAGE as u64)?;
    Ok(format!("block {block}: {what}"))
}

/// How often each thing was done, and how often it was an ERROR.
type Outcomes = BTreeMap<&'static str, (u32, u32)>;

/// Does something with a damaged index: it answers, or it is the right ERROR.
fn attempt(client: &mut Client, what: &'static str, sql: &str, outcomes: &mut Outcomes) -> Result<()> {
    let outcome = client.simple_query(sql);
    let tally = outcomes.entry(what).or_default();
    tally.0 += 1;
    let Err(error) = outcome else { return Ok(()) };
    tally.1 += 1;
    let error = error.as_db_error().context("the session is gone")?;
    let (code, message) = (error.code().code(), error.message());
    let understood = match code {
        // One of the index, or one that the table has not.
        "XX002" => message.contains("is damaged at block ") || message.contains("it has a row at block "),
        // The server looks at page headers itself.
        "XX001" => message.starts_with("invalid page in block "),
        // And it looks at the order of rows: a vector that is changed within what could be one is not known for damaged.
        "XX000" => what == "search" && message == "index returned tuples in wrong order",
        _ => false,
    };
    ensure!(understood, "{what} fails with {code}: {message}");
    Ok(())
}

/// Uses a table whose index is damaged.
fn exercise(
    client: &mut Client,
    (kinds, table): (&Kinds, usize),
    rng: &mut Rng,
    outcomes: &mut Outcomes,
) -> Result<()> {
    let (column, class, _) = kinds[table % kinds.len()];
    let (name, operator) = (format!("t{table}"), operator(class));
    let nearest = |rng: &mut Rng, limit: u32| {
        format!("SELECT id FROM {name} ORDER BY v {operator} '{}' LIMIT {limit}", value(column, rng))
    };
    for limit in [1, 10, 10, 300] {
        attempt(client, "search", &nearest(rng, limit), outcomes)?;
    }
    attempt(client, "check", &format!("SELECT * FROM kite.index_check('i{table}')"), outcomes)?;
    attempt(client, "info", &format!("SELECT kite.index_info('i{table}')"), outcomes)?;
    for id in 0..8 {
        let insert = format!("INSERT INTO {name} VALUES ({}, '{}')", 100_000 + id, value(column, rng));
        attempt(client, "insert", &insert, outcomes)?;
    }
    attempt(client, "delete", &format!("DELETE FROM {name} WHERE id % 4 = 1"), outcomes)?;
    for _ in 0..2 {
        attempt(client, "vacuum", &format!("VACUUM (INDEX_CLEANUP ON) {name}"), outcomes)?;
        attempt(client, "search", &nearest(rng, 20), outcomes)?;
    }
    Ok(())
}

/// The database that has the sound indexes.
const SOUND: &str = "sound";

fn build(cluster: &Cluster, (method, kinds): (Method, &Kinds), rng: &mut Rng) -> Result<()> {
    let mut client = server::database(cluster, SOUND, "pgkite")?;
    for table in 0..TABLES {
        let (column, class, with) = kinds[table % kinds.len()];
        client.batch_execute(&format!("CREATE TABLE t{table} (id int, v {column})"))?;
        let values: Vec<String> = (0..rows(column)).map(|_| value(column, rng)).collect();
        vectors::copy_into(&mut client, &format!("t{table}"), 0, values)?;
        let index = method.index(&format!("i{table}"), &format!("t{table} (v {class})"));
        client.batch_execute(&format!("{index} {with}"))?;
        // Some have seen deletes and inserts.
        if table >= TABLES / 2 {
            client.batch_execute(&format!(
                "DELETE FROM t{table} WHERE id % 5 = 2;
                 INSERT INTO t{table} SELECT id, v FROM t{table} WHERE id % 5 = 3"
            ))?;
            client.batch_execute(&format!("VACUUM (INDEX_CLEANUP ON) t{table}"))?;
        }
    }
    Ok(())
}

/// Makes a copy of the database, and damages all indexes of it. Answers what was done to each.
fn damaged(cluster: &Cluster, name: &str, rng: &mut Rng) -> Result<Vec<String>> {
    cluster.connect()?.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {SOUND}"))?;
    let mut client = cluster.connect_to(name)?;
    let mut paths = Vec::new();
    for table in 0..TABLES {
        paths.push(text(&mut client, &format!("SELECT pg_relation_filepath('i{table}')"))?);
    }
    drop(client);
    cluster.stop(Shutdown::Fast)?;
    let mut told = Vec::new();
    for path in paths {
        let file = File::options().read(true).write(true).open(cluster.data_dir().join(path))?;
        let damages = (0..rng.usize(1..4)).map(|_| damage(&file, rng)).collect::<Result<Vec<_>>>()?;
        told.push(damages.join(", "));
    }
    cluster.start()?;
    Ok(told)
}

/// REINDEX mends all of it.
fn rebuilt(client: &mut Client) -> Result<()> {
    for table in 0..TABLES {
        client.batch_execute(&format!("REINDEX INDEX i{table}"))?;
        sound(client, &format!("i{table}"))?;
        let kept = number(client, &format!("SELECT kite.index_info('i{table}') ->> 'rows'"))?;
        let live = number(client, &format!("SELECT count(*) FROM t{table}"))?;
        ensure!(kept >= live, "i{table} holds {kept} rows of {live}");
    }
    Ok(())
}

#[test]
fn damaged_graphs_are_an_error_that_names_the_block() -> Result<()> {
    damages(HNSW, &GRAPHS)
}

#[test]
fn damaged_lists_are_an_error_that_names_the_block() -> Result<()> {
    damages(IVF, &LISTS)
}

fn damages(method: Method, kinds: &Kinds) -> Result<()> {
    let asked = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let rounds = asked("KITE_DAMAGE_ROUNDS").unwrap_or(3);
    let mut rng = Rng::with_seed(asked("KITE_DAMAGE_SEED").unwrap_or(1));
    let cluster =
        Cluster::builder(&server::installed(PrivateTree::OWN)?).setting("autovacuum", "off").start()?;
    build(&cluster, (method, kinds), &mut rng)?;
    let mut outcomes = Outcomes::new();
    for round in 0..rounds {
        let name = format!("round{round}");
        let told = damaged(&cluster, &name, &mut rng)?;
        let mut client = cluster.connect_to(&name)?;
        client.batch_execute("SET enable_seqscan = off; SET statement_timeout = '30s'")?;
        for (table, damages) in told.iter().enumerate() {
            exercise(&mut client, (kinds, table), &mut rng, &mut outcomes)
                .with_context(|| format!("round {round}, i{table}: {damages}"))?;
        }
        rebuilt(&mut client)?;
        drop(client);
        cluster.connect()?.batch_execute(&format!("DROP DATABASE {name}"))?;
    }
    for (what, (done, failed)) in &outcomes {
        eprintln!("{what}: {done}, of which {failed} failed");
    }
    ensure!(outcomes.values().any(|(_, failed)| *failed > 0), "no damage was noticed");
    journal::no_crash(&cluster, &[])
}
