//! Rows of collections are rows of tables: rights, transactions, foreign keys, and whatever clients put into names and values.

use anyhow::Result;
use kite_tests::script::describe;
use kite_tests::server;
use postgres::Client;

fn text(client: &mut Client, sql: &str) -> Result<String> {
    Ok(client.query_one(sql, &[])?.get(0))
}

/// The SQLSTATE of a statement that must fail.
fn state(client: &mut Client, sql: &str) -> String {
    match client.batch_execute(sql) {
        Ok(()) => "none".into(),
        Err(error) => describe(&error).chars().take(5).collect(),
    }
}

#[test]
fn row_level_security_and_grants_decide() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    client.batch_execute(
        "CREATE ROLE alice; CREATE ROLE bob; GRANT USAGE ON SCHEMA public TO alice, bob;
         SELECT kite.create_collection('docs', schema => '{\"enable_dynamic_field\": true, \"fields\": [
            {\"name\": \"id\", \"data_type\": \"INT64\", \"is_primary\": true}, {\"name\": \"who\", \"data_type\": \"VARCHAR\", \"max_length\": 9},
            {\"name\": \"vector\", \"data_type\": \"FLOAT_VECTOR\", \"dim\": 2}]}',
            index_params => '{\"field_name\": \"vector\", \"index_type\": \"FLAT\"}');
         ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON docs USING (who = current_user);
         GRANT SELECT, INSERT, UPDATE, DELETE ON docs TO alice;
         SELECT kite.insert('docs', '[{\"id\": 1, \"who\": \"alice\", \"vector\": [1, 2]}, {\"id\": 2, \"who\": \"bob\", \"vector\": [1, 2]}]');
         SET ROLE alice",
    )?;
    let all = "SELECT string_agg(row ->> 'id', ' ') FROM kite.query('docs') AS row";
    assert_eq!(text(&mut client, all)?, "1");
    assert_eq!(
        text(&mut client, "SELECT kite.query('docs', output_fields => '{count(*)}')::text")?,
        "{\"count(*)\": 1}"
    );
    assert_eq!(
        text(&mut client, "SELECT kite.delete('docs', filter => 'id > 0 and id != 1')::text")?,
        "{\"delete_count\": 0}"
    );
    // Rows of others can neither be made nor replaced.
    let insert = "SELECT kite.insert('docs', '{\"id\": 3, \"who\": \"bob\", \"vector\": [1, 2]}')";
    assert_eq!(state(&mut client, insert), "42501");
    let upsert = "SELECT kite.upsert('docs', '{\"id\": 2, \"who\": \"alice\", \"vector\": [1, 2]}')";
    assert_eq!(state(&mut client, upsert), "42501");
    client.batch_execute(
        "SELECT kite.upsert('docs', '{\"id\": 1, \"k\": 1}', partial => true); RESET ROLE; SET ROLE bob",
    )?;
    for denied in [
        "SELECT kite.query('docs')",
        "SELECT kite.get('docs', '1')",
        insert,
        upsert,
        "SELECT kite.delete('docs', '1')",
    ] {
        assert_eq!(state(&mut client, denied), "42501", "{denied}");
    }
    client.batch_execute("RESET ROLE; GRANT INSERT ON docs TO bob; SET ROLE bob")?;
    client.batch_execute(insert)?;
    assert_eq!(state(&mut client, "SELECT kite.delete('docs', '1')"), "42501");
    client.batch_execute("RESET ROLE")?;
    assert_eq!(text(&mut client, all)?, "1 2 3");
    Ok(())
}

#[test]
fn a_transaction_takes_rows_and_collections_back() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    client.batch_execute("SELECT kite.create_collection('docs', dimension => 2)")?;
    let mut transaction = client.transaction()?;
    transaction.batch_execute(
        "SELECT kite.insert('docs', '{\"id\": 1, \"vector\": [1, 2]}'); SELECT kite.create_collection('other', dimension => 2);
         SELECT kite.insert('other', '{\"id\": 1, \"vector\": [1, 2]}')",
    )?;
    let count: i64 = transaction.query_one("SELECT count(*) FROM kite.query('docs')", &[])?.get(0);
    assert_eq!(count, 1);
    transaction.rollback()?;
    assert_eq!(text(&mut client, "SELECT concat(count(*), kite.has_collection('other')) FROM docs")?, "0f");
    Ok(())
}

#[test]
fn a_batch_with_a_key_that_is_there_leaves_nothing() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    client.batch_execute(
        "SELECT kite.create_collection('docs', dimension => 2); SELECT kite.insert('docs', '{\"id\": 2, \"vector\": [1, 2]}')",
    )?;
    for batch in [
        "SELECT kite.insert('docs', '[{\"id\": 1, \"vector\": [1, 2]}, {\"id\": 2, \"vector\": [1, 2]}]')",
        "SELECT kite.insert('docs', '[{\"id\": 1, \"vector\": [1, 2]}, {\"id\": 1, \"vector\": [1, 2]}]')",
        "SELECT kite.insert('docs', ARRAY[1, 2], ARRAY['[1,2]', '[1,2]']::vector[])",
    ] {
        assert_eq!(state(&mut client, batch), "23505");
        assert_eq!(text(&mut client, "SELECT string_agg(id::text, ' ') FROM docs")?, "2");
    }
    Ok(())
}

#[test]
fn foreign_keys_lead_to_collections() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    client.batch_execute(
        "SELECT kite.create_collection('docs', dimension => 2);
         SELECT kite.insert('docs', '[{\"id\": 1, \"vector\": [1, 2]}, {\"id\": 2, \"vector\": [1, 2]}]');
         CREATE TABLE notes (doc bigint REFERENCES docs); INSERT INTO notes VALUES (1)",
    )?;
    assert_eq!(state(&mut client, "INSERT INTO notes VALUES (3)"), "23503");
    assert_eq!(state(&mut client, "SELECT kite.delete('docs', filter => 'id > 0')"), "23503");
    // Replacing a row is no deletion.
    client.batch_execute("SELECT kite.upsert('docs', '{\"id\": 1, \"vector\": [3, 4]}')")?;
    assert_eq!(text(&mut client, "SELECT kite.delete('docs', '[2]')::text")?, "{\"delete_count\": 1}");
    Ok(())
}

/// Whatever stands in keys, values, ids and names of output fields is data.
#[test]
fn hostile_texts_are_data() -> Result<()> {
    const HOSTILE: [&str; 8] = [
        "'; DROP TABLE docs; --",
        "\"; DROP TABLE docs; --",
        "\\'; SELECT 1; --",
        "$1",
        "a' || (SELECT 'b') || '",
        "{\"x\": [\"y\"]}",
        "%s \u{1F600} \\u0041",
        "kite_rows",
    ];
    let (_cluster, mut client) = server::own_database()?;
    client.batch_execute(
        "CREATE TABLE kite_rows (id text); INSERT INTO kite_rows VALUES ('of the user');
         SELECT kite.create_collection('docs', dimension => 2, id_type => 'string')",
    )?;
    for (number, hostile) in HOSTILE.iter().enumerate() {
        let row =
            serde_json::json!({ "id": hostile, "vector": [number, 0.5], *hostile: { *hostile: hostile } });
        let row = row.to_string();
        // A parameter without a type is a text.
        let inserted: String =
            client.query_one("SELECT kite.insert('docs', $1) #>> '{ids,0}'", &[&row])?.get(0);
        assert_eq!(inserted, *hostile);
        client.query_one("SELECT kite.upsert('docs', $1)", &[&row])?;
        client.query_one("SELECT kite.upsert('docs', $1, partial => true)", &[&row])?;
        let shown = "SELECT row -> $1 ->> $1 FROM kite.get('docs', to_jsonb($1::text), ARRAY[$1]) AS row";
        assert_eq!(client.query_one(shown, &[hostile])?.get::<_, String>(0), *hostile);
        let found = "SELECT count(*) FROM kite.query('docs', filter => 'id == {x}', filter_params => jsonb_build_object('x', $1::text))";
        assert_eq!(client.query_one(found, &[hostile])?.get::<_, i64>(0), 1);
        let failed = client.query_one("SELECT kite.insert('docs', $1, $1)", &[&hostile]);
        assert_eq!(
            failed.err().and_then(|error| error.code().map(|code| code.code().to_owned())).as_deref(),
            Some("42704")
        );
    }
    assert_eq!(text(&mut client, "SELECT count(*)::text FROM docs")?, HOSTILE.len().to_string());
    for hostile in HOSTILE {
        let gone = "SELECT kite.delete('docs', to_jsonb($1::text)) ->> 'delete_count'";
        assert_eq!(client.query_one(gone, &[&hostile])?.get::<_, String>(0), "1");
    }
    assert_eq!(text(&mut client, "SELECT id FROM kite_rows")?, "of the user");
    Ok(())
}

/// What is remembered of a collection, and the plans made from it, follow `ALTER TABLE`.
#[test]
fn a_changed_table_is_written_as_it_is_now() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    client.batch_execute("SELECT kite.create_collection('docs', dimension => 2)")?;
    for (number, change) in [
        "SELECT 1",
        "ALTER TABLE docs RENAME COLUMN vector TO embedding",
        "ALTER TABLE docs ADD COLUMN note text DEFAULT 'x'",
        "ALTER TABLE docs DROP COLUMN note",
        "ALTER TABLE docs RENAME TO papers; ALTER TABLE papers RENAME TO docs",
        "CREATE SCHEMA s; SET search_path = s, public",
    ]
    .iter()
    .enumerate()
    {
        client.batch_execute(change)?;
        let row = format!("{{\"id\": {number}, \"vector\": [{number}, 1], \"k\": 1}}");
        for verb in ["insert", "upsert"] {
            client.batch_execute(&format!("SELECT kite.{verb}('docs', '{row}')"))?;
        }
        let shown = format!("SELECT row::text FROM kite.query('docs', 'id == {number}') AS row");
        let expected = format!("{{\"k\": 1, \"id\": {number}, \"vector\": [{number}, 1]}}");
        assert_eq!(text(&mut client, &shown)?, expected, "{change}");
    }
    Ok(())
}
