//! The life of the extension: who may create it, where it goes, and that nothing of it stays behind.

use anyhow::Result;
use kite_tests::script::describe;
use kite_tests::server;
use postgres::{Client, NoTls};

/// Everything in a database that an extension could leave behind.
const INVENTORY: &str = "SELECT concat_ws(' ', (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_type),
    (SELECT count(*) FROM pg_operator), (SELECT count(*) FROM pg_opclass), (SELECT count(*) FROM pg_opfamily),
    (SELECT count(*) FROM pg_cast), (SELECT count(*) FROM pg_am), (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_'))";

#[test]
fn the_owner_of_a_database_creates_and_uses_it() -> Result<()> {
    let cluster = server::own()?;
    cluster.connect()?.batch_execute("CREATE ROLE app LOGIN; CREATE ROLE guest LOGIN")?;
    cluster.connect()?.batch_execute("CREATE DATABASE app OWNER app")?;
    let session = |user: &str| -> Result<Client> { Ok(cluster.config("app").user(user).connect(NoTls)?) };

    let error = session("guest")?.batch_execute("CREATE EXTENSION pgkite").expect_err("a guest created it");
    assert!(describe(&error).starts_with("42501"), "{}", describe(&error));
    let mut app = session("app")?;
    app.batch_execute("CREATE EXTENSION pgkite")?;
    let work = "CREATE TEMP TABLE t AS SELECT ARRAY[i, 1]::vector AS v FROM generate_series(1, 9) i;
                CREATE INDEX ON t (v);
                SELECT avg(v), count(DISTINCT v) FROM t;
                SELECT v <-> '[0,0]', kite.version() FROM t ORDER BY 1;
                DROP TABLE t";
    app.batch_execute(work)?;
    session("guest")?.batch_execute(work)?;
    app.batch_execute("DROP EXTENSION pgkite")?;
    Ok(())
}

#[test]
fn nothing_stays_behind() -> Result<()> {
    let cluster = server::own()?;
    cluster.create_database("app")?;
    let mut client = cluster.connect_to("app")?;
    let before = text(&mut client, INVENTORY)?;
    client.batch_execute("CREATE EXTENSION pgkite")?;
    assert_ne!(text(&mut client, INVENTORY)?, before);
    client.batch_execute("CREATE TABLE t (v vector(3))")?;
    let error = client.batch_execute("DROP EXTENSION pgkite").expect_err("a column lost its type");
    assert!(describe(&error).starts_with("2BP01"), "{}", describe(&error));
    client.batch_execute("DROP EXTENSION pgkite CASCADE; DROP TABLE t")?;
    assert_eq!(text(&mut client, INVENTORY)?, before);
    // And it comes back, in the same session and another schema.
    client.batch_execute("CREATE SCHEMA s; CREATE EXTENSION pgkite SCHEMA s")?;
    assert_eq!(text(&mut client, "SELECT ('[3,4]'::s.vector OPERATOR(s.<->) '[0,0]')::text")?, "5");
    Ok(())
}

/// The hook at the start of a statement knows the indexes of an extension that was made anew: its access methods have other OIDs then.
#[test]
fn scans_are_told_their_conditions_when_it_came_back() -> Result<()> {
    let cluster = server::own()?;
    cluster.create_database("app")?;
    let mut client = cluster.connect_to("app")?;
    for _ in 0..3 {
        client.batch_execute(
            "CREATE EXTENSION pgkite;
             CREATE TABLE t AS SELECT i AS id, ARRAY[i, i % 10]::vector(2) AS v FROM generate_series(1, 3000) i;
             ALTER TABLE t ALTER v TYPE vector(2);
             CREATE INDEX ON t USING hnsw (v vector_l2_ops);
             CREATE INDEX ON t USING ivf (v vector_cosine_ops) WITH (lists = 20);
             SET enable_seqscan = off; SET enable_sort = off; SET hnsw.max_scan_tuples = 100000",
        )?;
        for (operator, range) in [("<->", 50.0), ("<=>", 0.01)] {
            let near = format!("v {operator} '[1,1]'");
            // A scan that knows the range ends there; one that does not reads on, and all rows are removed.
            let knows = removed(&mut client, &format!("WHERE {near} < {range} ORDER BY {near}"))?;
            let does_not =
                removed(&mut client, &format!("WHERE {near} < {range} + 0 * random() ORDER BY {near}"))?;
            assert!(knows < 200 && does_not > 400, "{operator}: {knows} and {does_not} rows were removed");
        }
        client.batch_execute("DROP TABLE t; DROP EXTENSION pgkite")?;
    }
    Ok(())
}

/// Rows that a query by an index fetches and rejects.
fn removed(client: &mut Client, query: &str) -> Result<u64> {
    let statement = format!("EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) SELECT id FROM t {query}");
    let plan: Vec<String> = client.query(&statement, &[])?.iter().map(|row| row.get(0)).collect();
    assert!(plan[0].contains("Index Scan using t_v_idx"), "{plan:?}");
    let rows = plan.iter().find_map(|line| line.trim().strip_prefix("Rows Removed by Filter: "));
    Ok(rows.map_or(Ok(0), str::parse)?)
}

#[test]
fn the_stand_in_moves_and_updates_as_pgvector_does() -> Result<()> {
    let cluster = server::as_vector()?;
    let mut client = server::database(&cluster, "app", "vector")?;
    client.batch_execute(
        "CREATE TABLE t (v vector(2), s sparsevec(2)); INSERT INTO t VALUES ('[1,2]', '{1:1}/2'), ('[3,4]', '{}/2');
         CREATE VIEW w AS SELECT v <-> '[1,2]' AS d FROM t;
         CREATE SCHEMA extensions; ALTER EXTENSION vector SET SCHEMA extensions; ALTER EXTENSION vector UPDATE",
    )?;
    assert_eq!(
        text(
            &mut client,
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'v'"
        )?,
        "extensions.vector(2)"
    );
    let error = client.batch_execute("SELECT '[1]'::vector").expect_err("the type is still here");
    assert!(describe(&error).starts_with("42704"), "{}", describe(&error));
    // The library finds its types where they are now.
    let answers = "SELECT concat_ws(' ', (SELECT sum(d) FROM w), extensions.avg(v), extensions.avg(s), '{7,8}'::real[]::extensions.vector,
                   extensions.l2_normalize('[3,4]'::extensions.halfvec)) FROM t";
    let expected = "2.8284271247461903 [2,3] {1:0.5}/2 [7,8] [0.60009766,0.7998047]";
    assert_eq!(text(&mut client, answers)?, expected);
    client.batch_execute("SET search_path = extensions; SELECT '[1]'::vector <-> '[2]'")?;
    // The move is seen by a session that has cached what it needs, too.
    client.batch_execute("RESET search_path; ALTER EXTENSION vector SET SCHEMA public")?;
    assert_eq!(text(&mut client, &answers.replace("extensions.", ""))?, expected);
    Ok(())
}

fn text(client: &mut Client, sql: &str) -> Result<String> {
    Ok(client.query_one(sql, &[])?.get(0))
}
