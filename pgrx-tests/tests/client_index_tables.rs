//! Kinds of tables and of indexes: partitions, temporary ones, expressions, conditions, rows that are not indexed, equal rows.

use anyhow::{Result, ensure};
use kite_cluster::Cluster;
use kite_tests::method::{HNSW, IVFFLAT, Method};
use kite_tests::search::{Search, in_order, number, rows, sound};
use kite_tests::workload::complete;
use kite_tests::{journal, server, vectors};
use postgres::Client;

kite_tests::for_each_method! {
    partitions_are_searched_together,
    temporary_tables_are_indexed,
    expressions_and_conditions_are_indexed,
    rows_without_a_direction_or_a_value_are_not_indexed,
    a_query_that_orders_nothing_finds_all_indexed_rows,
}

fn database(method: Method) -> Result<(Cluster, Client)> {
    let (cluster, mut client) = server::own_database()?;
    // What waits for a vacuum must not depend on when the launcher comes by.
    client.batch_execute("ALTER SYSTEM SET autovacuum = off")?;
    client.batch_execute("SELECT pg_reload_conf()")?;
    // Searches look far enough that what is missing is missing in the index.
    client.batch_execute(method.thorough)?;
    Ok((cluster, client))
}

/// Literals of real vectors to index, and of others to search for.
fn real() -> Result<(Vec<String>, Vec<String>)> {
    let mut literals: Vec<String> = vectors::demo()?.iter().map(|vector| vectors::literal(vector)).collect();
    let queries = literals.split_off(literals.len() - 40);
    Ok((literals, queries))
}

fn partitions_are_searched_together(method: Method) -> Result<()> {
    let (cluster, mut client) = database(method)?;
    let (base, queries) = real()?;
    client.batch_execute(
        "CREATE TABLE t (id int, v vector(384)) PARTITION BY RANGE (id);
         CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (600);
         CREATE TABLE t_2 PARTITION OF t FOR VALUES FROM (600) TO (10000)",
    )?;
    client.batch_execute(&method.index("i", "t (v vector_cosine_ops)"))?;
    vectors::copy_into(&mut client, "t", 0, base)?;
    // One that is attached brings its rows along.
    client.batch_execute("CREATE TABLE t_3 (id int, v vector(384)); INSERT INTO t_3 SELECT id + 10000, v FROM t WHERE id < 300")?;
    client.batch_execute("ALTER TABLE t ATTACH PARTITION t_3 FOR VALUES FROM (10000) TO (20000)")?;
    let indexes = "SELECT count(*) FROM pg_partition_tree('i') WHERE isleaf";
    ensure!(number(&mut client, indexes)? == 3);
    let search = Search::new("t", "<=>", "vector");
    search.recalls(&mut client, &queries, 0.95)?;
    client.batch_execute(
        "UPDATE t SET id = id + 300 WHERE id BETWEEN 400 AND 599; DELETE FROM t WHERE id % 7 = 0",
    )?;
    for leaf in 1..=3 {
        complete(&mut client, &format!("t_{leaf}"), &format!("t_{leaf}_v_idx"))?;
    }
    search.recalls(&mut client, &queries, 0.95)?;
    client.batch_execute("ALTER TABLE t DETACH PARTITION t_2")?;
    search.recalls(&mut client, &queries, 0.95)?;
    journal::quiet(&cluster, &[])
}

fn temporary_tables_are_indexed(method: Method) -> Result<()> {
    let (cluster, mut client) = database(method)?;
    let (base, queries) = real()?;
    // Few buffers of the session's own, so that pages go out and come back.
    client.batch_execute("SET temp_buffers = '1MB'; CREATE TEMP TABLE t (id int, v vector(384))")?;
    let late = base[..100].to_vec();
    vectors::copy_into(&mut client, "t", 0, base)?;
    client.batch_execute(&method.index("i", "t (v vector_cosine_ops)"))?;
    client.batch_execute("DELETE FROM t WHERE id % 10 = 3")?;
    complete(&mut client, "t", "i")?;
    vectors::copy_into(&mut client, "t", 5_000, late)?;
    complete(&mut client, "t", "i")?;
    Search::new("t", "<=>", "vector").recalls(&mut client, &queries, 0.95)?;
    client.batch_execute("CREATE TEMP TABLE u (id int, v vector(3)) ON COMMIT DELETE ROWS")?;
    client.batch_execute(&method.index("j", "u (v vector_l2_ops)"))?;
    for _ in 0..3 {
        client.batch_execute("BEGIN; INSERT INTO u VALUES (1, '[1,2,3]'), (2, '[4,5,6]')")?;
        let found = Search::new("u", "<->", "vector").by_index(&mut client, "[4,5,6]", 5)?;
        ensure!(found.len() == 2 && found[0] == (2, 0.0), "{found:?}");
        client.batch_execute("COMMIT")?;
        ensure!(number(&mut client, "SELECT kite.index_info('j') ->> 'rows'")? == 0);
    }
    journal::quiet(&cluster, &[])
}

fn expressions_and_conditions_are_indexed(method: Method) -> Result<()> {
    let (cluster, mut client) = database(method)?;
    let (base, queries) = real()?;
    client.batch_execute("CREATE TABLE t (id int, v vector(384))")?;
    vectors::copy_into(&mut client, "t", 0, base)?;
    for (name, on) in [
        ("h", "t ((v::halfvec(384)) halfvec_l2_ops)"),
        ("b", "t ((binary_quantize(v)::bit(384)) bit_hamming_ops)"),
        ("s", "t ((subvector(v, 1, 96)::vector(96)) vector_cosine_ops)"),
        ("p", "t (v vector_l2_ops) WHERE id % 3 = 0"),
    ] {
        client.batch_execute(&method.index(name, on))?;
    }
    let of = |value: &str, operator: &str, query_type: &str| Search {
        value: value.to_owned(),
        ..Search::new("t", operator, query_type)
    };
    let half = of("v::halfvec(384)", "<->", "halfvec(384)");
    let part = of("subvector(v, 1, 96)::vector(96)", "<=>", "vector");
    let some = Search::new("t WHERE id % 3 = 0", "<->", "vector");
    let bits = of("binary_quantize(v)::bit(384)", "<~>", "bit(384)");
    let signs: Vec<String> = vectors::demo()?[1_800..].iter().map(|v| vectors::bit_literal(v)).collect();
    let short = |query: &String| format!("{}]", query.split(',').take(96).collect::<Vec<_>>().join(","));
    let shorter: Vec<String> = queries.iter().map(short).collect();
    for _ in 0..2 {
        half.recalls(&mut client, &queries, 0.95)?;
        part.recalls(&mut client, &shorter, 0.95)?;
        some.recalls(&mut client, &queries, 0.95)?;
        bits.recalls(&mut client, &signs, 0.95)?;
        // Rows come into a condition and go out of it.
        client.batch_execute("UPDATE t SET id = id + 10000 WHERE id % 4 = 0")?;
        client.batch_execute("VACUUM (INDEX_CLEANUP ON) t")?;
        for index in ["h", "b", "s", "p"] {
            sound(&mut client, index)?;
        }
    }
    let thirds = number(&mut client, "SELECT count(*) FROM t WHERE id % 3 = 0")?;
    ensure!(number(&mut client, "SELECT kite.index_info('p') ->> 'rows'")? == thirds);
    // The usual re-ranking: more by bits, the nearest of those by the vectors.
    let again = format!(
        "SELECT id::bigint, v <=> '{0}' FROM (SELECT * FROM t ORDER BY binary_quantize(v)::bit(384) <~> '{1}'::bit(384) LIMIT 100) a
         ORDER BY v <=> '{0}' LIMIT 10",
        queries[0], signs[0]
    );
    ensure!(rows(&mut client, &again)?.len() == 10);
    journal::quiet(&cluster, &[])
}

fn rows_without_a_direction_or_a_value_are_not_indexed(method: Method) -> Result<()> {
    let (_cluster, mut client) = database(method)?;
    client.batch_execute(
        "CREATE TABLE kept (id int, v vector(3));
         INSERT INTO kept SELECT i, ARRAY[i, i % 7, 1]::vector FROM generate_series(1, 500) i;
         INSERT INTO kept VALUES (1001, NULL), (1002, '[0,0,0]'), (1003, NULL), (1004, '[0,0,0]')",
    )?;
    let fill = "INSERT INTO t SELECT * FROM kept";
    for (class, indexed) in [("l2", 502), ("ip", 502), ("cosine", 500), ("l1", 502)] {
        if class == "l1" && method.name == IVFFLAT.name {
            continue;
        }
        let index = method.index("i", &format!("t (v vector_{class}_ops)"));
        // By a build, and by inserts.
        for (first, second) in [(fill, index.as_str()), (index.as_str(), fill)] {
            client.batch_execute("DROP TABLE IF EXISTS t; CREATE TABLE t (LIKE kept)")?;
            client.batch_execute(first)?;
            client.batch_execute(second)?;
            ensure!(number(&mut client, "SELECT kite.index_info('i') ->> 'rows'")? == indexed, "{class}");
            client.batch_execute("UPDATE t SET id = id + 1")?;
            client.batch_execute("VACUUM (INDEX_CLEANUP ON) t")?;
            sound(&mut client, "i")?;
            ensure!(number(&mut client, "SELECT kite.index_info('i') ->> 'rows'")? == indexed, "{class}");
        }
    }
    Ok(())
}

fn a_query_that_orders_nothing_finds_all_indexed_rows(method: Method) -> Result<()> {
    let (_cluster, mut client) = database(method)?;
    client.batch_execute(
        "CREATE TABLE t (id int, v vector(3));
         INSERT INTO t SELECT i, ARRAY[random(), random(), random()]::vector FROM generate_series(1, 3000) i;
         INSERT INTO t VALUES (5001, NULL), (5002, '[0,0,0]');
         SET enable_seqscan = off; SET enable_sort = off",
    )?;
    for (class, operator, indexed) in [("vector_l2_ops", "<->", 3001), ("vector_cosine_ops", "<=>", 3000)] {
        for payload in ["sq8", "half", "full"] {
            let index = method.index("i", &format!("t (v {class})"));
            client.batch_execute(&format!("{index} WITH (payload = {payload})"))?;
            for query in ["(SELECT NULL::vector)", "'[0,0,0]'"] {
                let found = rows(
                    &mut client,
                    &format!("SELECT id::bigint, v {operator} {query} FROM t ORDER BY v {operator} {query}"),
                )?;
                ensure!(found.len() == indexed, "{class}, {payload}: {query} finds {} rows", found.len());
                if operator == "<->" && query != "'[0,0,0]'" {
                    in_order(&found)?;
                }
            }
            client.batch_execute("DROP INDEX i")?;
        }
    }
    Ok(())
}

#[test]
fn twenty_thousand_equal_rows_are_one_vertex() -> Result<()> {
    let (cluster, mut client) = database(HNSW)?;
    client.batch_execute(
        "CREATE TABLE t (id int, v vector(8));
         CREATE INDEX i ON t USING hnsw (v vector_l2_ops);
         INSERT INTO t SELECT i, '[1,2,3,4,5,6,7,8]' FROM generate_series(1, 20000) i;
         INSERT INTO t SELECT i, ARRAY[i, 0, 0, 0, 0, 0, 0, 0]::vector FROM generate_series(20001, 20100) i",
    )?;
    let search = Search::new("t", "<->", "vector");
    for _ in 0..2 {
        ensure!(number(&mut client, "SELECT kite.index_info('i') #>> '{levels,0,vertices}'")? == 101);
        let found = search.by_index(&mut client, "[1,2,3,4,5,6,7,9]", 20_050)?;
        ensure!(found.len() == 20_050 && found[19_999].1 == 1.0, "{} rows", found.len());
        complete(&mut client, "t", "i")?;
        client.batch_execute("REINDEX INDEX i")?;
    }
    client.batch_execute("DELETE FROM t WHERE id % 2 = 0")?;
    complete(&mut client, "t", "i")?;
    ensure!(
        search
            .by_index(&mut client, "[1,2,3,4,5,6,7,9]", 10_000)?
            .iter()
            .all(|(id, d)| id % 2 == 1 && *d == 1.0)
    );
    client.batch_execute("DELETE FROM t WHERE id <= 20000")?;
    complete(&mut client, "t", "i")?;
    ensure!(search.by_index(&mut client, "[1,2,3,4,5,6,7,9]", 100)?.len() == 50);
    journal::quiet(&cluster, &[])
}
