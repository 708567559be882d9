//! Searches of collections: what serves them, what they leave behind, and what a role finds.

use anyhow::Result;
use kite_tests::script::describe;
use kite_tests::search::{number, text};
use kite_tests::server;
use postgres::{Client, NoTls};

/// Every vector field, with an operator class of each of its metrics.
const CLASSES: [(&str, &str, &str, &str); 9] = [
    ("v", "vector_l2_ops", "L2", "<->"),
    ("v", "vector_ip_ops", "IP", "<#>"),
    ("v", "vector_cosine_ops", "COSINE", "<=>"),
    ("h", "halfvec_l2_ops", "L2", "<->"),
    ("h", "halfvec_ip_ops", "IP", "<#>"),
    ("h", "halfvec_cosine_ops", "COSINE", "<=>"),
    ("s", "sparsevec_ip_ops", "IP", "<#>"),
    ("b", "bit_hamming_ops", "HAMMING", "<~>"),
    ("b", "bit_jaccard_ops", "JACCARD", "<%>"),
];

/// 3,000 rows in a collection that has every type of vector.
const DOCS: &str = r#"
    SELECT kite.create_collection('docs', schema => '{"fields": [
        {"name": "id", "data_type": "INT64", "is_primary": true},
        {"name": "v", "data_type": "FLOAT_VECTOR", "dim": 16}, {"name": "h", "data_type": "FLOAT16_VECTOR", "dim": 16},
        {"name": "s", "data_type": "SPARSE_FLOAT_VECTOR"}, {"name": "b", "data_type": "BINARY_VECTOR", "dim": 64},
        {"name": "color", "data_type": "VARCHAR", "max_length": 9}, {"name": "n", "data_type": "INT32"}]}');
    -- As if its vectors had indexes, which would fix the metrics.
    WITH partitions AS (UPDATE kite.partition SET is_loaded = true) UPDATE kite.collection SET is_loaded = true;
    SELECT setseed(0.5);
    INSERT INTO docs
    SELECT i, v, v::halfvec, format('{%s:%s,%s:%s}/1000000000', i % 30 + 1, v[1], i % 7 + 40, v[2])::sparsevec,
        (SELECT string_agg((random() < 0.5)::int::text, '') FROM generate_series(1, 64) WHERE i > 0)::bit(64),
        (ARRAY['red', 'green', 'blue'])[i % 3 + 1], i
    FROM (SELECT i, ARRAY(SELECT (random() + 0.01)::real FROM generate_series(1, 16) WHERE i > 0) AS v FROM generate_series(1, 3000) i) AS rows;
    ANALYZE docs;
"#;

fn docs(client: &mut Client) -> Result<()> {
    // Literals of numbers without a digit too many.
    client.batch_execute("SET extra_float_digits = 1")?;
    client.batch_execute(DOCS)?;
    Ok(())
}

#[test]
fn the_index_serves_every_metric() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    docs(&mut client)?;
    for (field, class, metric, operator) in CLASSES {
        client.batch_execute(&format!("CREATE INDEX probe ON docs USING hnsw ({field} {class})"))?;
        let call = |more: &str| {
            format!(
                "SELECT string_agg(s.id::text, ' ' ORDER BY s.ordinality) FROM (SELECT {field}::text AS q FROM docs WHERE id = 77) AS d,
                 kite.search('docs', q, vector_field => '{field}', search_params => '{{\"metric_type\": \"{metric}\"}}'{more})
                 WITH ORDINALITY s"
            )
        };
        // Six times: the plan of the last ones is generic.
        for more in ["", ", filter => 'n > 100'", ", group_by => 'color', top_k => 2"].repeat(6) {
            let scans =
                |client: &mut Client| number(client, "SELECT pg_stat_get_xact_numscans('probe'::regclass)");
            // Counted until the session tells them to all, which it does not within the transaction.
            client.batch_execute("BEGIN")?;
            if !more.is_empty() {
                // So few rows may be sorted as well.
                client.batch_execute("SET LOCAL enable_seqscan = off")?;
            }
            let before = scans(&mut client)?;
            let found = text(&mut client, &call(more))?;
            let after = scans(&mut client)?;
            client.batch_execute("COMMIT")?;
            // Groups may take a second look.
            let scans = if more.contains("group_by") { 1..=3 } else { 1..=1 };
            assert!(scans.contains(&(after - before)), "{field} {metric} {more}: {found}");
        }
        // By the same operator without an index, the ten nearest are mostly the same rows.
        let exact = format!(
            "SELECT array_agg(id) FROM (SELECT id FROM docs
                ORDER BY ({field} {operator} (SELECT {field} FROM docs WHERE id = 77)) + 0 LIMIT 10) AS t"
        );
        let exact: Vec<i64> = client.query_one(&exact, &[])?.get(0);
        let found = text(&mut client, &call(""))?;
        let found: Vec<i64> = found.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let common = found.iter().filter(|id| exact.contains(id)).count();
        // Sparse vectors and bits have ties at the end.
        assert!(found.len() == 10 && common >= 5, "{field} {metric}: {found:?} {exact:?}");
        client.batch_execute("DROP INDEX probe")?;
    }
    Ok(())
}

#[test]
fn a_beam_is_as_wide_as_what_is_wanted() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    docs(&mut client)?;
    client
        .batch_execute("CREATE INDEX ON docs USING hnsw (v vector_l2_ops); SET hnsw.iterative_scan = off")?;
    let found = |client: &mut Client, more: &str| {
        number(
            client,
            &format!(
                "SELECT count(*) FROM docs d, kite.search('docs', d.v, vector_field => 'v', {more}) WHERE d.id = 1"
            ),
        )
    };
    let l2 = |params: &str| format!(r#"search_params => '{{"metric_type": "L2"{params}}}'"#);
    assert_eq!(found(&mut client, &format!("top_k => 10, {}", l2("")))?, 10);
    // Without iterations a scan gives no more rows than its beam holds.
    assert_eq!(found(&mut client, &format!("top_k => 300, {}", l2("")))?, 300);
    assert_eq!(found(&mut client, &format!("top_k => 300, {}", l2(r#", "params": {"ef": 500}"#)))?, 300);
    assert_eq!(found(&mut client, &format!("top_k => 100, filter => 'n <= 0', {}", l2("")))?, 0);
    client.batch_execute("SET hnsw.iterative_scan = strict_order")?;
    assert_eq!(found(&mut client, &format!("top_k => 3000, {}", l2("")))?, 3000);
    assert_eq!(text(&mut client, "SHOW hnsw.ef_search")?, "40");
    Ok(())
}

#[test]
fn settings_end_with_the_call_that_fails() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    client.batch_execute(
        "SELECT kite.create_collection('docs', dimension => 2);
         INSERT INTO docs VALUES (1, '[1,2]');
         CREATE FUNCTION fails(bigint) RETURNS boolean LANGUAGE plpgsql AS
             'BEGIN RAISE EXCEPTION ''ef_search is %'', current_setting(''hnsw.ef_search''); END';
         CREATE POLICY fails ON docs USING (fails(id));
         ALTER TABLE docs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
         CREATE ROLE reader; GRANT SELECT ON docs TO reader",
    )?;
    let call = r#"SELECT * FROM kite.search('docs', '[1,2]', search_params => '{"params": {"ef": 321}}')"#;
    let mut transaction = client.transaction()?;
    transaction.batch_execute("SET LOCAL ROLE reader")?;
    let mut inner = transaction.savepoint("inside")?;
    let error = inner.query(call, &[]).expect_err("the policy raises an error");
    assert!(describe(&error).contains("ef_search is 321"), "{}", describe(&error));
    inner.rollback()?;
    let left: String = transaction.query_one("SHOW hnsw.ef_search", &[])?.get(0);
    assert_eq!(left, "40");
    transaction.rollback()?;
    // Caught inside of a function.
    client.batch_execute(&format!(
        "SET ROLE reader; DO $$ BEGIN PERFORM FROM ({call}) AS t; EXCEPTION WHEN OTHERS THEN
             ASSERT SQLERRM = 'ef_search is 321', SQLERRM; ASSERT current_setting('hnsw.ef_search') = '40'; END $$"
    ))?;
    Ok(())
}

#[test]
fn a_role_finds_what_it_may_see() -> Result<()> {
    let (cluster, mut owner) = server::own_database()?;
    docs(&mut owner)?;
    owner.batch_execute(
        "CREATE INDEX ON docs USING hnsw (v vector_l2_ops);
         CREATE ROLE reader LOGIN; CREATE ROLE stranger LOGIN;
         GRANT SELECT ON docs TO reader;
         CREATE POLICY reds ON docs TO reader USING (color = 'red');
         ALTER TABLE docs ENABLE ROW LEVEL SECURITY",
    )?;
    let database = text(&mut owner, "SELECT current_database()")?;
    let session = |user: &str| cluster.config(&database).user(user).connect(NoTls);
    let query = "array_fill(0.5::real, ARRAY[16])";
    let search = format!(
        "kite.search('docs', {query}, 20, vector_field => 'v', output_fields => '{{color}}', search_params => '{{\"metric_type\": \"L2\"}}')"
    );
    let hybrid = format!(
        "kite.hybrid_search('docs', jsonb_build_array(jsonb_build_object('data', to_jsonb({query}), 'anns_field', 'v', 'metric_type', 'L2')), top_k => 20, output_fields => '{{color}}')"
    );
    let mut reader = session("reader")?;
    for call in [&search, &hybrid] {
        let colors = format!("SELECT string_agg(DISTINCT entity ->> 'color', ' ') || count(*) FROM {call}");
        assert_eq!(text(&mut reader, &colors)?, "red20");
        assert_eq!(text(&mut owner, &colors)?, "blue green red20");
        // One plan serves both roles of a session.
        owner.batch_execute("SET ROLE reader")?;
        assert_eq!(text(&mut owner, &colors)?, "red20");
        owner.batch_execute("RESET ROLE")?;
        let error = session("stranger")?.query(&format!("SELECT * FROM {call}"), &[]).expect_err("no rights");
        assert_eq!(error.code().map(postgres::error::SqlState::code), Some("42501"), "{}", describe(&error));
    }
    let error =
        session("stranger")?.query("SELECT kite.filter_sql('docs', 'n > 1')", &[]).expect_err("no rights");
    assert_eq!(error.code().map(postgres::error::SqlState::code), Some("42501"));
    Ok(())
}

#[test]
fn the_stand_in_searches_in_any_schema() -> Result<()> {
    let cluster = server::as_vector()?;
    let mut client = server::database(&cluster, "first", "pgkite CASCADE")?;
    client.batch_execute(
        "CREATE SCHEMA other; ALTER EXTENSION vector SET SCHEMA other; SET search_path = other, public;
         SELECT kite.create_collection('docs', dimension => 2);
         INSERT INTO docs VALUES (1, '[1,2]'), (2, '[2,1]');
         RESET search_path",
    )?;
    let first = "SELECT id::text FROM kite.search('docs', '[1,2]', 1, output_fields => '{*}')";
    assert_eq!(text(&mut client, first)?, "1");
    // In the session that has a plan with the old names.
    client.batch_execute("ALTER EXTENSION vector SET SCHEMA public")?;
    assert_eq!(text(&mut client, first)?, "1");
    Ok(())
}

#[test]
fn a_standby_answers_all_but_strong_searches() -> Result<()> {
    let primary = server::own()?;
    let mut client = server::database(&primary, "first", "pgkite")?;
    client.batch_execute(
        "SELECT kite.create_collection('docs', dimension => 2); INSERT INTO docs VALUES (1, '[1,2]')",
    )?;
    let standby = primary.replica()?;
    client.batch_execute("INSERT INTO docs VALUES (2, '[2,1]')")?;
    standby.catch_up(&primary)?;
    let mut reader = standby.connect_to("first")?;
    let search = |more: &str| {
        format!(
            "SELECT string_agg(id || ' ' || (entity ->> 'id'), ' ') FROM kite.search('docs', '[2,1]', output_fields => '{{id}}', search_params => '{{\"params\": {{\"ef\": 64}}}}'{more})"
        )
    };
    for more in ["", ", consistency_level => 'Session'", ", group_by => 'id'"] {
        assert_eq!(text(&mut reader, &search(more))?, "2 2 1 1", "{more}");
    }
    let strong = search(", consistency_level => 'Strong'");
    assert_eq!(text(&mut client, &strong)?, "2 2 1 1");
    let error = reader.query(&strong, &[]).expect_err("a standby does not know");
    assert!(describe(&error).contains("Strong cannot be met on a standby"), "{}", describe(&error));
    Ok(())
}
