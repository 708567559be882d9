//! Who may do what with collections: roles by Milvus's verbs, on the rights of the server.

use anyhow::Result;
use kite_cluster::Cluster;
use kite_tests::script::describe;
use kite_tests::server;
use postgres::{Client, NoTls};

struct Server {
    cluster: Cluster,
    admin: Client,
}

impl Server {
    fn new() -> Result<Self> {
        let cluster = server::own()?;
        let admin = server::database(&cluster, "app", "pgkite")?;
        Ok(Self { cluster, admin })
    }

    fn session(&self, user: &str) -> Result<Client> {
        Ok(self.cluster.config("app").user(user).connect(NoTls)?)
    }
}

fn text(client: &mut Client, sql: &str) -> Result<String> {
    Ok(client.query_one(sql, &[])?.get(0))
}

/// The SQLSTATE and message of a statement that must fail.
fn refused(client: &mut Client, sql: &str) -> String {
    match client.batch_execute(sql) {
        Ok(()) => format!("succeeded: {sql}"),
        Err(error) => describe(&error).lines().next().unwrap_or_default().to_owned(),
    }
}

#[test]
fn privileges_are_those_of_the_server() -> Result<()> {
    let mut server = Server::new()?;
    server.admin.batch_execute(
        "SELECT kite.create_collection('docs', dimension => 3, id_type => 'string', auto_id => true);
         SELECT kite.create_collection('secret', dimension => 3);
         SELECT kite.create_database('sales'); SELECT kite.create_collection('sales.orders', dimension => 3);
         SELECT kite.create_user('reader', 'secret1'); SELECT kite.create_role('readers'); SELECT kite.grant_role('reader', 'readers');
         SELECT kite.grant_privilege('readers', 'Search', 'docs')",
    )?;
    let mut reader = server.session("reader")?;
    let count = "SELECT kite.get_collection_stats('docs') ->> 'row_count'";
    assert_eq!(text(&mut reader, count)?, "0");
    assert_eq!(text(&mut reader, "SELECT string_agg(n, ' ') FROM kite.list_collections() AS n")?, "docs");
    let insert = "INSERT INTO docs (vector) VALUES ('[1,2,3]')";
    assert_eq!(refused(&mut reader, insert), "42501: permission denied for table docs");
    server.admin.batch_execute("SELECT kite.grant_privilege('readers', 'Insert', 'docs')")?;
    // The sequence of its keys came with it.
    reader.batch_execute(insert)?;
    assert_eq!(text(&mut reader, count)?, "1");
    let described = text(&mut server.admin, "SELECT kite.describe_role('readers')::text")?;
    assert_eq!(
        described,
        r#"{"role": "readers", "privileges": [{"db_name": "default", "privilege": "INSERT", "object_name": "docs", "object_type": "Collection"}, {"db_name": "default", "privilege": "SELECT", "object_name": "docs", "object_type": "Collection"}]}"#
    );
    assert_eq!(
        text(&mut reader, "SELECT kite.describe_user('reader')::text")?,
        r#"{"roles": ["readers"], "user_name": "reader", "is_superuser": false}"#
    );
    // What only an owner may.
    for sql in [
        "SELECT kite.create_index('docs', 'id', '{}')",
        "SELECT kite.drop_index('docs', 'vector')",
        "SELECT kite.create_partition('docs', 'p')",
        "SELECT kite.drop_partition('docs', 'p')",
        "SELECT kite.create_alias('docs', 'a')",
        "SELECT kite.alter_collection_properties('docs', '{}')",
        "SELECT kite.drop_collection_properties('docs', '{}')",
        "SELECT kite.add_collection_field('docs', '{}')",
        "SELECT kite.load_collection('docs')",
        "SELECT kite.release_collection('docs')",
        "SELECT kite.compact('docs')",
        "SELECT kite.drop_collection('docs')",
        "SELECT kite.adopt_collection('docs')",
    ] {
        assert_eq!(refused(&mut reader, sql), "42501: must be owner of table docs", "{sql}");
    }
    assert_eq!(
        refused(&mut reader, "SELECT kite.truncate_collection('docs')"),
        "42501: permission denied for table docs"
    );
    // What it may not even see.
    for sql in [
        "SELECT kite.describe_collection('secret')",
        "SELECT kite.get_collection_stats('secret')",
        "SELECT kite.get_partition_stats('secret', '_default')",
        "SELECT kite.describe_index('secret', 'vector')",
        "SELECT kite.list_indexes('secret')",
        "SELECT kite.list_partitions('secret')",
        "SELECT kite.get_load_state('secret')",
    ] {
        assert_eq!(refused(&mut reader, sql), "42501: permission denied for table secret", "{sql}");
    }
    // Who may not make roles makes none, and who does not own a table grants nothing on it.
    assert!(refused(&mut reader, "SELECT kite.create_user('more', 'secret1')").starts_with("42501"));
    assert!(refused(&mut reader, "SELECT kite.create_role('more')").starts_with("42501"));
    assert!(refused(&mut reader, "SELECT kite.create_database('more')").starts_with("42501"));
    assert!(refused(&mut reader, "SELECT kite.drop_database('sales')").starts_with("42501"));
    assert!(
        refused(&mut reader, "SELECT kite.alter_database_properties('sales', '{}')").starts_with("42501")
    );
    reader.batch_execute("SELECT kite.grant_privilege('reader', 'CollectionReadWrite', 'docs')")?;
    assert_eq!(refused(&mut reader, "DELETE FROM docs"), "42501: permission denied for table docs");
    // All collections of a database.
    server
        .admin
        .batch_execute("SELECT kite.grant_privilege('readers', 'CollectionReadOnly', '*', 'sales')")?;
    assert_eq!(
        text(&mut reader, "SELECT string_agg(n, ' ') FROM kite.list_collections('sales') AS n")?,
        "orders"
    );
    assert_eq!(
        text(&mut reader, "SELECT string_agg(n, ' ') FROM kite.list_databases() AS n")?,
        "default sales"
    );
    server
        .admin
        .batch_execute("SELECT kite.revoke_privilege('readers', 'CollectionReadOnly', '*', 'sales')")?;
    assert_eq!(
        refused(&mut reader, "SELECT kite.describe_collection('sales.orders')"),
        "42501: permission denied for table orders"
    );
    server.admin.batch_execute("SELECT kite.revoke_privilege('readers', 'Insert', 'docs')")?;
    assert_eq!(refused(&mut reader, insert), "42501: permission denied for table docs");
    Ok(())
}

#[test]
fn users_and_roles_come_and_go() -> Result<()> {
    let mut server = Server::new()?;
    let admin = &mut server.admin;
    admin.batch_execute("SELECT kite.create_collection('docs', dimension => 3)")?;
    for (sql, expected) in [
        ("SELECT kite.create_user('u', 'short')", "22023: invalid password length: [6, 72], got 5"),
        ("SELECT kite.drop_user('u')", "42704: role \"u\" does not exist"),
        ("SELECT kite.describe_user('u')", "42704: user \"u\" does not exist"),
        ("SELECT kite.describe_role('r')", "42704: role \"r\" does not exist"),
        ("SELECT kite.grant_privilege('r', 'Search', 'docs')", "42704: role \"r\" does not exist"),
        (
            "SELECT kite.grant_privilege('postgres', 'Nothing', 'docs')",
            "22023: not found the privilege name[Nothing]",
        ),
        (
            "SELECT kite.grant_privilege('postgres', 'CreateIndex', 'docs')",
            "0A000: privilege CreateIndex is the owner's of a table and cannot be granted",
        ),
        (
            "SELECT kite.grant_privilege('postgres', 'Search', 'nothing')",
            "42P01: can't find collection[database=default][collection=nothing]",
        ),
    ] {
        assert_eq!(refused(admin, sql), expected);
    }
    admin.batch_execute(
        r#"SELECT kite.create_user('u"; DROP TABLE docs; --', 'pass''word\'); SELECT kite.create_role('r');
        SELECT kite.grant_role('u"; DROP TABLE docs; --', 'r'); SELECT kite.update_password('u"; DROP TABLE docs; --', 'another');
        SELECT kite.grant_privilege('r', 'Upsert', 'docs')"#,
    )?;
    assert_eq!(text(admin, "SELECT string_agg(n, ' ') FROM kite.list_roles() AS n")?, "r");
    assert_eq!(
        text(admin, "SELECT string_agg(n, ' ') FROM kite.list_users() AS n WHERE n LIKE 'u%'")?,
        "u\"; DROP TABLE docs; --"
    );
    assert_eq!(refused(admin, "SELECT kite.drop_user('r')"), "42704: \"r\" is a role, not a user");
    assert!(refused(admin, "SELECT kite.drop_role('r')").starts_with("2BP01"));
    admin.batch_execute(
        r#"SELECT kite.revoke_role('u"; DROP TABLE docs; --', 'r'); SELECT kite.drop_role('r', force_drop => true);
        SELECT kite.drop_user('u"; DROP TABLE docs; --')"#,
    )?;
    assert_eq!(text(admin, "SELECT count(*)::text FROM kite.list_roles()")?, "0");
    assert_eq!(text(admin, "SELECT kite.has_collection('docs')::text")?, "true");
    Ok(())
}

/// The owner of a collection without any other right does all that its verbs promise, and a policy hides rows from counts.
#[test]
fn an_owner_needs_no_more() -> Result<()> {
    let mut server = Server::new()?;
    server.admin.batch_execute(
        "CREATE ROLE app LOGIN; CREATE ROLE guest LOGIN; CREATE SCHEMA own AUTHORIZATION app; GRANT USAGE ON SCHEMA own TO guest",
    )?;
    let mut app = server.session("app")?;
    app.batch_execute(
        "SET search_path = own, public; SELECT kite.using_database('own');
         SELECT kite.create_collection('docs', dimension => 3, properties => '{\"partitioning\": \"list\"}');
         SELECT kite.create_partition('docs', 'p'); SELECT kite.create_alias('docs', 'a');
         SELECT kite.add_collection_field('docs', '{\"name\": \"n\", \"data_type\": \"INT64\", \"nullable\": true}');
         SELECT kite.create_index('docs', 'n', '{}'); SELECT kite.release_collection('docs'); SELECT kite.load_collection('docs');
         SELECT kite.alter_collection_properties('docs', '{\"x\": 1}'); SELECT kite.compact('docs');
         INSERT INTO docs (id, vector, n, \"$partition\") SELECT i, '[1,2,3]', i, 'p' FROM generate_series(1, 10) i;
         ALTER TABLE docs ENABLE ROW LEVEL SECURITY; CREATE FUNCTION most() RETURNS bigint LANGUAGE sql AS 'SELECT 3::bigint';
         CREATE FUNCTION is_few(bigint) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN $1 <= most(); END';
         CREATE POLICY few ON docs USING (is_few(n));
         SELECT kite.grant_privilege('guest', 'Query', 'docs')",
    )?;
    let mut guest = server.session("guest")?;
    // The policy's function looks another one up on it.
    guest.batch_execute("SET search_path = own")?;
    let stats = "SELECT kite.get_collection_stats('own.a') ->> 'row_count' || ' ' || (kite.get_partition_stats('own.docs', 'p') ->> 'row_count')";
    assert_eq!(text(&mut guest, stats)?, "3 3");
    assert_eq!(text(&mut app, stats)?, "10 10");
    app.batch_execute(
        "SELECT kite.truncate_collection('docs'); SELECT kite.drop_partition('docs', 'p'); SELECT kite.drop_index('docs', 'n');
         SELECT kite.drop_alias('a'); SELECT kite.drop_collection('docs')",
    )?;
    Ok(())
}

/// Two sessions make what there can be one of: the second waits for the first, and then sees it.
#[test]
fn of_two_at_once_one_waits() -> Result<()> {
    let mut server = Server::new()?;
    server.admin.batch_execute(
        "SELECT kite.create_collection('a', dimension => 3); SELECT kite.create_collection('b', dimension => 3)",
    )?;
    for (first, second, expected) in [
        (
            "SELECT kite.create_alias('a', 'x')",
            "SELECT kite.create_alias('b', 'x')",
            "42710: x is alias to another collection: a",
        ),
        (
            "SELECT kite.create_index('a', 'key', '{\"index_type\": \"INVERTED\"}')",
            "SELECT kite.create_index('a', 'other', '{\"index_type\": \"INVERTED\", \"index_name\": \"key\"}')",
            "42710: index already exists[index=key]",
        ),
        ("SELECT kite.rename_collection('a', 'c')", "SELECT kite.create_partition('a', 'p')", "42P01: "),
    ] {
        let mut one = server.session("postgres")?;
        let mut two = server.session("postgres")?;
        let pid: i32 = two.query_one("SELECT pg_backend_pid()", &[])?.get(0);
        one.batch_execute(&format!("BEGIN; {first}"))?;
        let message = std::thread::scope(|scope| -> Result<String> {
            let waiting = scope.spawn(|| refused(&mut two, second));
            let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = $1";
            while !waiting.is_finished() && server.admin.query_one(waits, &[&pid])?.get::<_, i64>(0) == 0 {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            one.batch_execute("COMMIT")?;
            waiting.join().map_err(|_| anyhow::anyhow!("the second session panicked"))
        })?;
        assert!(message.starts_with(expected), "{message}");
    }
    Ok(())
}
