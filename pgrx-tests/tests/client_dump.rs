//! Dumps of a database that uses pgkite, and their restores.

use anyhow::{Result, ensure};
use kite_cluster::{Cluster, run};
use kite_tests::script::dump_statements;
use kite_tests::server;
use std::process::Command;

/// Whatever may stand in a dump: columns, arrays, defaults, generated columns, constraints, domains, types, indexes by tree and
/// hash, views, functions, partitions; with the values that text has the hardest time with.
const SCHEMA: &str = "
    CREATE DOMAIN unit AS vector(2) CHECK (abs(vector_norm(VALUE) - 1) < 1e-6);
    CREATE TYPE pair AS (v vector(2), s sparsevec);
    CREATE TABLE item (
        id int PRIMARY KEY,
        v vector(3) DEFAULT '[0,0,1]' CHECK (v <-> '[0,0,0]' < 1e30),
        h halfvec(3), s sparsevec(1000000), b bit(8),
        list vector[], direction unit, pair pair,
        normal vector(3) GENERATED ALWAYS AS (l2_normalize(v)) STORED
    );
    INSERT INTO item (id, h, s, b, list, direction, pair)
        SELECT i, ARRAY[i, 65504, -0.1]::real[]::halfvec, ('{1:' || i || ',1000000:1e-45}/1000000')::sparsevec, i::bit(8),
               ARRAY[ARRAY[i]::vector, '[3.4028235e38,-1e-45,-0]'], '[0.6,0.8]', ROW(ARRAY[i, -i]::vector, '{}/7'::sparsevec)::pair
        FROM generate_series(1, 300) i;
    UPDATE item SET v = ARRAY[sin(id), cos(id), id]::vector WHERE id % 3 > 0;
    INSERT INTO item (id, v) VALUES (1001, NULL), (1002, '[1e-45,-1e-38,3e9]');
    CREATE TABLE wide (id int, v vector(16000));
    INSERT INTO wide SELECT n, (SELECT array_agg(sin(n * i)) FROM generate_series(1, 16000) i)::vector FROM generate_series(1, 8) n;
    CREATE INDEX item_v ON item (v);
    CREATE INDEX item_h ON item USING hash (h);
    CREATE UNIQUE INDEX item_s ON item (s, id);
    CREATE INDEX item_norm ON item (vector_norm(v)) WHERE v <=> '[1,0,0]' < 1;
    CREATE TABLE part (v vector(2), n int) PARTITION BY RANGE (v);
    CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (MINVALUE) TO ('[0,0]');
    CREATE TABLE part_high PARTITION OF part FOR VALUES FROM ('[0,0]') TO (MAXVALUE);
    INSERT INTO part SELECT ARRAY[i, -i]::vector, i FROM generate_series(-50, 50) i;
    CREATE VIEW near AS SELECT id, v <-> '[0,0,1]' AS l2, h <#> '[1,1,1]'::halfvec AS ip, b <~> B'10101010' AS bits FROM item;
    CREATE MATERIALIZED VIEW means AS SELECT id % 10 AS g, avg(v) AS mean, sum(h * '[1,0,1]'::halfvec) AS total FROM item GROUP BY 1;
    CREATE FUNCTION nearest(vector, int) RETURNS SETOF int LANGUAGE sql STABLE
        AS 'SELECT id FROM public.item ORDER BY v OPERATOR(public.<->) $1, id LIMIT $2';
";

/// What a restored database must answer as the first one did, bytes of values included.
const QUESTIONS: [&str; 6] = [
    "SELECT md5(string_agg(concat_ws('|', id, vector_send(v), halfvec_send(h), sparsevec_send(s), b, list, vector_send(direction),
         vector_send((pair).v), sparsevec_send((pair).s), vector_send(normal)), E'\\n' ORDER BY id)) FROM item",
    "SELECT md5(string_agg(vector_send(v)::text, '' ORDER BY id)) FROM wide",
    "SELECT md5(string_agg(concat_ws('|', id, l2, ip, bits), E'\\n' ORDER BY id)) FROM near",
    "SELECT md5(string_agg(concat_ws('|', g, mean, total), E'\\n' ORDER BY g)) FROM means",
    "SELECT string_agg(n::text, ' ') FROM nearest('[0.5,0.5,40]', 20) n",
    "SELECT string_agg(tableoid::regclass || ' ' || n, ',' ORDER BY n) FROM part",
];

#[test]
fn a_plain_dump_restores_to_the_same_database() -> Result<()> {
    plain(server::own()?)
}

#[test]
fn a_plain_dump_of_the_stand_in_restores_to_the_same_database() -> Result<()> {
    plain(server::as_vector()?)
}

fn plain(cluster: Cluster) -> Result<()> {
    let (cluster, dump) = dumped_database(cluster, &[])?;
    cluster.create_database("copy")?;
    let dump = String::from_utf8(dump)?;
    cluster.psql("copy", &dump)?;
    same_answers(&cluster, "copy")?;
    let again = String::from_utf8(cluster.pg_dump("copy", &[])?)?;
    assert!(dump_statements(&again) == dump_statements(&dump), "the dump of the restored database differs");
    Ok(())
}

#[test]
fn a_dump_with_inserts_restores_to_the_same_database() -> Result<()> {
    let (cluster, dump) = dumped_database(server::own()?, &["--column-inserts"])?;
    cluster.create_database("copy")?;
    cluster.psql("copy", &String::from_utf8(dump)?)?;
    same_answers(&cluster, "copy")
}

#[test]
fn a_custom_dump_restores_in_parallel() -> Result<()> {
    let (cluster, dump) = dumped_database(server::own()?, &["-Fc"])?;
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), dump)?;
    cluster.create_database("copy")?;
    let mut restore: Command = cluster.tool("pg_restore");
    run(restore.args(["--exit-on-error", "-j", "4", "-d", "copy"]).arg(file.path()))?;
    same_answers(&cluster, "copy")
}

/// A database `first` that holds [`SCHEMA`], and its dump.
fn dumped_database(cluster: Cluster, arguments: &[&str]) -> Result<(Cluster, Vec<u8>)> {
    server::database(&cluster, "first", "pgkite CASCADE")?.batch_execute(SCHEMA)?;
    let dump = cluster.pg_dump("first", arguments)?;
    Ok((cluster, dump))
}

fn same_answers(cluster: &Cluster, copy: &str) -> Result<()> {
    let (mut first, mut copy) = (cluster.connect_to("first")?, cluster.connect_to(copy)?);
    for question in QUESTIONS {
        let expected: Option<String> = first.query_one(question, &[])?.get(0);
        ensure!(expected.is_some(), "no answer to {question}");
        assert_eq!(copy.query_one(question, &[])?.get::<_, Option<String>>(0), expected, "{question}");
    }
    Ok(())
}
