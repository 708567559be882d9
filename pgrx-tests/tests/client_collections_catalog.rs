//! The catalogs of collections: through dumps and restores, from one session to another, and whatever a role may do.

use anyhow::Result;
use kite_cluster::{Cluster, run};
use kite_tests::script::describe;
use kite_tests::server;
use postgres::{Client, NoTls};
use std::process::Command;

/// Collections of every shape; one has lost and renamed columns, so that a restore numbers its columns anew.
const COLLECTIONS: &str = r#"
    SELECT kite.create_database('sales', '{"database.replica.number": 1}');
    SELECT kite.create_collection('quick', dimension => 4);
    SELECT kite.create_collection(repeat('long_', 50), dimension => 4, id_type => 'string', auto_id => true);
    SELECT kite.create_collection('sales.listed', dimension => 4, properties => '{"partitioning": "list"}');
    SELECT kite.create_collection('full', properties => '{"collection.ttl.seconds": 60}', schema => '{"description": "a ''b''", "fields": [
        {"name": "id", "data_type": "INT64", "is_primary": true, "auto_id": true},
        {"name": "gone", "data_type": "INT8", "nullable": true},
        {"name": "title", "data_type": "VARCHAR", "max_length": 9, "default_value": "it''s"},
        {"name": "words", "data_type": "ARRAY", "element_type": "VARCHAR", "max_length": 3, "max_capacity": 2, "nullable": true},
        {"name": "tenant", "data_type": "INT64", "is_partition_key": true},
        {"name": "v", "data_type": "SPARSE_FLOAT_VECTOR", "dim": 100}]}');
    INSERT INTO "full" (tenant, words, v) SELECT i, ARRAY['abc', ''], ('{1:' || i || '}/100')::sparsevec FROM generate_series(1, 99) i;
    ALTER TABLE "full" DROP COLUMN gone;
    ALTER TABLE "full" RENAME COLUMN title TO heading;
    ALTER TABLE quick RENAME TO "Quick";
    SELECT kite.create_alias('full', 'other');
    SELECT kite.create_partition('sales.listed', 'p');
    SELECT kite.create_index('full', index_params => '[{"field_name": "v"}, {"field_name": "title", "index_type": "INVERTED", "index_name": "by_title"}]');
    -- A row whose table is gone, as a restore in which a table was left out would leave it.
    INSERT INTO kite.alias VALUES ('dangling', 4294967295::oid::regclass);
"#;

/// What a database knows of its collections.
fn known(client: &mut Client) -> Result<String> {
    let sql = "SELECT concat_ws(E'\\n',
        (SELECT string_agg((kite.describe_collection(schema_name || '.' || coalesce(long_name, table_name)) - 'collection_id')::text, E'\\n'
            ORDER BY schema_name, table_name)
         FROM (SELECT nullif(schema_name, 'public') AS schema_name, table_name, long_name FROM kite.collections) AS c
         WHERE schema_name IS NOT NULL),
        (SELECT string_agg((kite.describe_collection(name) - 'collection_id')::text, E'\\n' ORDER BY name) FROM kite.list_collections() AS name),
        (SELECT string_agg(concat_ws(' ', p.collection, p.partition, p.partition_table), E'\\n' ORDER BY p.collection::text, p.partition)
         FROM kite.partitions p),
        (SELECT kite.describe_collection('other') ->> 'collection_name'),
        (SELECT string_agg(concat_ws(' ', name, i, kite.describe_index(name, i) -> 'built', kite.get_load_state(name)), E'\\n' ORDER BY name, i)
         FROM kite.list_collections() AS name, kite.list_indexes(name) AS i),
        kite.describe_database('sales'),
        (SELECT string_agg(tableoid::regclass || ' ' || id, ' ' ORDER BY id) FROM \"full\"))";
    Ok(client.query_one(sql, &[])?.get(0))
}

#[test]
fn a_plain_dump_carries_collections() -> Result<()> {
    carried(&server::own()?)
}

/// Without partitions by tables, of which `pg_dump --clean` drops constraints and indexes that the whole table requires, and is refused.
#[test]
fn a_clean_dump_carries_collections_again() -> Result<()> {
    let cluster = server::own()?;
    let mut client = server::database(&cluster, "first", "pgkite")?;
    client.batch_execute("SELECT kite.create_collection('a', dimension => 4); SELECT kite.create_collection(repeat('b', 200), dimension => 4)")?;
    let dump = String::from_utf8(cluster.pg_dump("first", &["--clean", "--if-exists"])?)?;
    cluster.create_database("copy")?;
    for _ in 0..2 {
        cluster.psql("copy", &dump)?;
        let mut copy = cluster.connect_to("copy")?;
        let names = "SELECT string_agg(length(name) || (kite.describe_collection(name) -> 'fields' -> 1 ->> 'name'), ' ' ORDER BY name)
            FROM kite.list_collections() AS name";
        assert_eq!(copy.query_one(names, &[])?.get::<_, String>(0), "1vector 200vector");
        assert_eq!(copy.query_one("SELECT count(*) FROM kite.collection", &[])?.get::<_, i64>(0), 2);
    }
    Ok(())
}

/// A restore with `--clean` goes on after those refusals, and drops the whole table next.
#[test]
fn a_clean_restore_carries_partitions_again() -> Result<()> {
    let cluster = server::own()?;
    let expected = collections(&cluster)?;
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), cluster.pg_dump("first", &["-Fc"])?)?;
    cluster.create_database("copy")?;
    for round in 0..2 {
        let mut restore: Command = cluster.tool("pg_restore");
        let output = restore.args(["--clean", "--if-exists", "-d", "copy"]).arg(file.path()).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let is_of_partition =
            |line: &str| line.contains("cannot drop inherited constraint") || line.contains("because index");
        let refusals: Vec<&str> = said.lines().filter(|line| line.contains("ERROR:")).collect();
        assert!(refusals.iter().all(|line| is_of_partition(line)), "round {round}: {said}");
        assert_eq!(refusals.is_empty(), round == 0, "{said}");
    }
    after_restore(&cluster, &expected)
}

#[test]
fn a_plain_dump_of_the_stand_in_carries_collections() -> Result<()> {
    carried(&server::as_vector()?)
}

fn carried(cluster: &Cluster) -> Result<()> {
    let expected = collections(cluster)?;
    let dump = String::from_utf8(cluster.pg_dump("first", &[])?)?;
    cluster.create_database("copy")?;
    cluster.psql("copy", &dump)?;
    after_restore(cluster, &expected)
}

#[test]
fn a_parallel_restore_carries_collections() -> Result<()> {
    let cluster = server::own()?;
    let expected = collections(&cluster)?;
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), cluster.pg_dump("first", &["-Fc"])?)?;
    cluster.create_database("copy")?;
    let mut restore: Command = cluster.tool("pg_restore");
    run(restore.args(["--exit-on-error", "-j", "4", "-d", "copy"]).arg(file.path()))?;
    after_restore(&cluster, &expected)
}

fn collections(cluster: &Cluster) -> Result<String> {
    let mut client = server::database(cluster, "first", "pgkite CASCADE")?;
    client.batch_execute(COLLECTIONS)?;
    known(&mut client)
}

/// A restored database answers as the first one, has no row too many, and goes on working.
fn after_restore(cluster: &Cluster, expected: &str) -> Result<()> {
    let mut copy = cluster.connect_to("copy")?;
    assert_eq!(known(&mut copy)?, expected);
    let counts =
        "SELECT concat_ws(' ', (SELECT count(*) FROM kite.collection), (SELECT count(*) FROM kite.field),
        (SELECT count(*) FROM kite.partition), (SELECT count(*) FROM kite.alias), (SELECT count(*) FROM kite.index), (SELECT count(*) FROM kite.database))";
    assert_eq!(copy.query_one(counts, &[])?.get::<_, String>(0), "4 11 20 1 5 1");
    // The columns were numbered anew: the next rename is followed, too.
    copy.batch_execute("ALTER TABLE \"full\" RENAME COLUMN heading TO header")?;
    let columns =
        "SELECT jsonb_path_query_array(kite.describe_collection('full'), '$.fields[*].column')::text";
    let found: String = copy.query_one(columns, &[])?.get(0);
    assert_eq!(found, r#"["id", "header", "words", "tenant", "v"]"#);
    copy.batch_execute("ALTER TABLE \"full\" RENAME COLUMN header TO heading")?;
    Ok(())
}

#[test]
fn the_owner_of_a_database_dumps_and_restores() -> Result<()> {
    let cluster = server::own()?;
    cluster.connect()?.batch_execute("CREATE ROLE app LOGIN")?;
    for name in ["first", "copy"] {
        cluster.connect()?.batch_execute(&format!("CREATE DATABASE {name} OWNER app"))?;
    }
    let session = |name: &str| -> Result<Client> { Ok(cluster.config(name).user("app").connect(NoTls)?) };
    session("first")?.batch_execute(
        "CREATE EXTENSION pgkite; CREATE SCHEMA s; SELECT kite.create_collection('s.docs', dimension => 3)",
    )?;
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), cluster.pg_dump("first", &["-Fc", "-U", "app"])?)?;
    let mut restore: Command = cluster.tool("pg_restore");
    run(restore.args(["--exit-on-error", "--no-comments", "-U", "app", "-d", "copy"]).arg(file.path()))?;
    let mut copy = session("copy")?;
    assert!(copy.query_one("SELECT kite.has_collection('s.docs')", &[])?.get::<_, bool>(0));
    copy.batch_execute("SELECT kite.drop_collection('s.docs')")?;
    Ok(())
}

#[test]
fn what_one_session_changes_another_sees() -> Result<()> {
    let cluster = server::own()?;
    let mut one = server::database(&cluster, "app", "pgkite")?;
    let mut two = cluster.connect_to("app")?;
    let mut ask = |sql: &str| -> Result<String> { Ok(two.query_one(sql, &[])?.get(0)) };
    one.batch_execute("SELECT kite.create_collection('docs', dimension => 3)")?;
    let dim = "SELECT concat_ws(' ', kite.describe_collection('docs') ->> 'description', kite.describe_collection('docs') -> 'fields' -> 1 ->> 'column')";
    assert_eq!(ask(dim)?, " vector");
    one.batch_execute("ALTER TABLE docs RENAME COLUMN vector TO v")?;
    assert_eq!(ask(dim)?, " v");
    // By hand, in the catalog.
    one.batch_execute("UPDATE kite.collection SET description = 'new'")?;
    assert_eq!(ask(dim)?, "new v");
    one.batch_execute("INSERT INTO kite.alias VALUES ('a', 'docs')")?;
    let alias = "SELECT coalesce(kite.describe_collection('a') ->> 'table', 'none')";
    assert_eq!(ask(alias)?, r#""public"."docs""#);
    one.batch_execute("CREATE SCHEMA s; ALTER TABLE docs SET SCHEMA s")?;
    assert_eq!(ask("SELECT concat_ws(' ', kite.has_collection('a'), kite.has_collection('s.a'))")?, "f t");
    one.batch_execute("ALTER SCHEMA s RENAME TO t")?;
    assert_eq!(ask("SELECT kite.describe_collection('t.a') ->> 'table'")?, r#""t"."docs""#);
    one.batch_execute("DROP TABLE t.docs")?;
    assert_eq!(
        ask("SELECT concat_ws(' ', kite.has_collection('t.a'), (SELECT count(*) FROM kite.alias))")?,
        "f 0"
    );
    Ok(())
}

#[test]
fn any_role_drops_its_own_tables() -> Result<()> {
    let cluster = server::own()?;
    let mut admin = server::database(&cluster, "app", "pgkite")?;
    admin.batch_execute("CREATE ROLE app LOGIN; CREATE SCHEMA own AUTHORIZATION app; SELECT kite.create_collection('docs', dimension => 3)")?;
    let mut app = cluster.config("app").user("app").connect(NoTls)?;
    app.batch_execute(
        "SELECT kite.create_collection('own.docs', dimension => 3); CREATE TABLE own.t (id int); CREATE TEMP TABLE u (id int);
         DROP TABLE own.t, u; DROP TABLE own.docs",
    )?;
    let error = app.batch_execute("SELECT kite.drop_collection('docs')").expect_err("not its own");
    assert!(describe(&error).starts_with("42501"), "{}", describe(&error));
    let left: i64 = admin.query_one("SELECT count(*) FROM kite.collection", &[])?.get(0);
    assert_eq!(left, 1);
    Ok(())
}
