//! pgvector and pgkite near each other: on one server, in one database, in one process.

use anyhow::{Result, ensure};
use kite_cluster::{Cluster, PrivateTree, run};
use kite_tests::script::{Session, describe, dump_statements, run_script};
use kite_tests::server::{self, lend_pgvector, pgvector_tree, tree_with_pgkite};
use postgres::Client;
use std::path::Path;
use std::process::Command;

#[test]
fn clients_create_the_extension_vector_and_get_all_of_it() -> Result<()> {
    let cluster = server::as_vector()?;
    cluster.create_database("app")?;
    let mut client = cluster.connect_to("app")?;
    client.batch_execute("CREATE SCHEMA s; CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA s")?;
    client.batch_execute("CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA s")?;
    assert_eq!(
        texts(
            &mut client,
            "SELECT concat_ws(' ', extname, extversion, extnamespace::regnamespace) FROM pg_extension WHERE extname <> 'plpgsql'"
        )?,
        ["vector 0.8.6 s"]
    );
    assert_eq!(
        texts(
            &mut client,
            "SELECT typname FROM pg_type WHERE typnamespace = 's'::regnamespace AND typname !~ '^_' ORDER BY 1"
        )?,
        ["halfvec", "sparsevec", "vector"]
    );
    assert_eq!(texts(&mut client, "SELECT to_regnamespace('kite')::text")?, ["NULL"]);

    // Nothing depends on the search path: not operators, not casts from arrays, not aggregates.
    client.batch_execute("SET search_path = ''")?;
    assert_eq!(
        texts(
            &mut client,
            "SELECT ((s.avg(v) OPERATOR(s.+) '[1,1]') OPERATOR(s.<->) '{2.5,4}'::real[]::s.vector)::text
             FROM (VALUES ('[1,2]'::s.vector), ('{2,4}'::numeric[]::s.vector)) t(v)"
        )?,
        ["0"]
    );
    client.batch_execute("RESET search_path; CREATE EXTENSION pgkite")?;
    assert_eq!(
        texts(&mut client, "SELECT kite.version()")?,
        texts(&mut client, "SELECT extversion FROM pg_extension WHERE extname = 'pgkite'")?
    );

    // pgkite needs vector, and leaves without it.
    let error = client.batch_execute("DROP EXTENSION vector").expect_err("pgkite lost what it needs");
    assert_eq!(error.code().map(postgres::error::SqlState::code), Some("2BP01"));
    client.batch_execute("DROP EXTENSION pgkite; DROP EXTENSION vector")?;
    assert_eq!(texts(&mut client, "SELECT to_regnamespace('kite')::text")?, ["NULL"]);
    Ok(())
}

#[test]
fn pgkite_on_the_stand_in_asks_for_vector_first() -> Result<()> {
    let cluster = server::as_vector()?;
    cluster.create_database("app")?;
    let mut client = cluster.connect_to("app")?;
    let error =
        client.batch_execute("CREATE EXTENSION pgkite").expect_err("created without what it requires");
    assert_eq!(
        describe(&error),
        "42704: required extension \"vector\" is not installed\nHINT: Use CREATE EXTENSION ... CASCADE to install required extensions too."
    );
    client.batch_execute("CREATE EXTENSION pgkite CASCADE")?;
    assert_eq!(
        texts(&mut client, "SELECT ('[3,4]'::vector <-> '[0,0]')::text || (kite.version() IS NOT NULL)")?,
        ["5true"]
    );
    Ok(())
}

#[test]
fn a_dump_of_pgvector_restores_unedited_and_answers_the_same() -> Result<()> {
    restore(&server::as_vector()?)
}

#[test]
fn the_answers_expected_of_the_dump_are_those_of_pgvector() -> Result<()> {
    let Some(cluster) = server::pgvector("the dump on pgvector itself")? else { return Ok(()) };
    restore(&cluster)
}

fn restore(cluster: &Cluster) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dumps");
    let dump = std::fs::read_to_string(folder.join("pgvector-0.8.6.sql"))?;
    cluster.create_database("shop")?;
    cluster.psql("shop", &dump)?;
    let again = String::from_utf8(cluster.pg_dump("shop", &[])?)?;
    assert_eq!(dump_statements(&again), dump_statements(&dump));
    let config = cluster.config("shop");
    let connect = move || Ok(Session::new(config.connect(postgres::NoTls)?, "shop"));
    Ok(run_script(&folder.join("pgvector-0.8.6.slt"), connect)?)
}

#[test]
fn creation_beside_an_extension_named_vector_is_refused() -> Result<()> {
    let tree = tree_with_pgkite("beside-another-vector")?;
    // The smallest extension that has the name.
    tree.put_script("vector.control", b"default_version = '1.0'\n")?;
    tree.put_script("vector--1.0.sql", b"CREATE DOMAIN vector AS real[];\n")?;
    refused(&tree)
}

#[test]
fn creation_beside_pgvector_is_refused() -> Result<()> {
    let Some(peer) = pgvector_tree("creation beside the real pgvector") else { return Ok(()) };
    let tree = tree_with_pgkite("beside-pgvector")?;
    lend_pgvector(&peer, &tree)?;
    refused(&tree)
}

/// `CREATE EXTENSION pgkite` fails in a database that has an extension `vector`, says what to do, leaves nothing behind, and works
/// in the database next to it.
fn refused(tree: &PrivateTree) -> Result<()> {
    let cluster = Cluster::builder(tree).start()?;
    let mut client = server::database(&cluster, "taken", "vector")?;
    let everything = "SELECT (SELECT count(*) FROM pg_proc)::text || ' ' || (SELECT count(*) FROM pg_type) || ' ' ||
        (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_') || ' ' || (SELECT count(*) FROM pg_extension)";
    let before = texts(&mut client, everything)?;
    let error = client.batch_execute("CREATE EXTENSION pgkite").expect_err("created beside another vector");
    let text = describe(&error);
    assert!(
        text.starts_with(
            "42710: cannot create extension \"pgkite\" in a database that has extension \"vector\""
        ),
        "{text}"
    );
    assert!(text.contains("HINT: ") && text.contains("another database"), "{text}");
    assert_eq!(texts(&mut client, everything)?, before);
    // The search path of the session cannot hide the neighbour.
    let error = client
        .batch_execute("SET search_path = pg_temp; CREATE EXTENSION pgkite SCHEMA public")
        .expect_err("created");
    assert!(describe(&error).starts_with("42710"), "{}", describe(&error));

    let mut other = server::database(&cluster, "free", "pgkite")?;
    assert_eq!(texts(&mut other, "SELECT ('[3,4]'::vector <-> '[0,0]')::text")?, ["5"]);
    Ok(())
}

/// `requires = 'vector'` is content with any extension of that name: one that was there before pgkite came.
#[test]
fn creation_upon_another_vector_is_refused() -> Result<()> {
    let (stand_in, tree) = (
        server::installed(PrivateTree::AS_VECTOR)?,
        PrivateTree::open(kite_cluster::DEFAULT_MAJOR, "as-vector-upon-another")?,
    );
    tree.add_extension("pgkite", &stand_in.pkglib_dir(), &stand_in.extension_dir())?;
    tree.put_script("vector.control", b"default_version = '1.0'\n")?;
    tree.put_script("vector--1.0.sql", b"CREATE DOMAIN vector AS real[];\n")?;
    let cluster = Cluster::builder(&tree).start()?;
    let mut client = server::database(&cluster, "from_before", "vector")?;
    let error = client.batch_execute("CREATE EXTENSION pgkite").expect_err("created upon another vector");
    let text = describe(&error);
    assert!(
        text.starts_with("55000: extension \"pgkite\" needs the extension \"vector\" that comes"),
        "{text}"
    );
    assert!(text.contains("HINT: Use pgkite in another database"), "{text}");
    assert_eq!(texts(&mut client, "SELECT count(*)::text FROM pg_namespace WHERE nspname = 'kite'")?, ["0"]);
    Ok(())
}

#[test]
fn databases_of_one_server_may_differ() -> Result<()> {
    let Some(peer) = pgvector_tree("pgvector and pgkite in two databases") else { return Ok(()) };
    let tree = tree_with_pgkite("beside-pgvector")?;
    lend_pgvector(&peer, &tree)?;
    let cluster = Cluster::builder(&tree).start()?;
    let (mut theirs, mut ours) =
        (server::database(&cluster, "theirs", "vector")?, server::database(&cluster, "ours", "pgkite")?);
    for client in [&mut theirs, &mut ours] {
        assert_eq!(texts(client, "SELECT ('[1,2]'::vector <#> '[3,4]')::text")?, ["-11"]);
    }
    // A session that has used pgvector's functions cannot load pgkite too.
    let error = theirs.batch_execute("LOAD 'pgkite'").expect_err("both libraries in one process");
    assert_eq!(
        described_settings_conflict(&error)?,
        "Use a new session in which neither a function of pgvector nor LOAD has loaded its library."
    );
    Ok(())
}

#[test]
fn a_preloaded_library_with_the_same_settings_is_named() -> Result<()> {
    let tree = tree_with_pgkite("preloaded-settings")?;
    let library = tempfile::tempdir()?;
    let built = library.path().join("vector.so");
    let include = run(Command::new(tree.pg_config()).arg("--includedir-server"))?;
    run(Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-I", include.trim(), "-o"])
        .arg(&built)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/neighbours/settings.c")))?;
    tree.put_library("vector.so", &std::fs::read(built)?)?;
    preloaded(&tree)
}

#[test]
fn preloaded_pgvector_is_named() -> Result<()> {
    let Some(peer) = pgvector_tree("pgvector's library preloaded") else { return Ok(()) };
    let tree = tree_with_pgkite("beside-pgvector")?;
    lend_pgvector(&peer, &tree)?;
    preloaded(&tree)
}

/// Loading pgkite fails where a library `vector` is preloaded, and the hint names the setting; without it, it works.
fn preloaded(tree: &PrivateTree) -> Result<()> {
    for (setting, value) in [
        ("shared_preload_libraries", "vector"),
        ("session_preload_libraries", "pg_stat_statements, \"$libdir/vector\""),
    ] {
        let cluster = Cluster::builder(tree).setting(setting, value).start()?;
        cluster.create_database("app")?;
        let mut client = cluster.connect_to("app")?;
        let error =
            client.batch_execute("CREATE EXTENSION pgkite").expect_err("loaded beside another's settings");
        let hint = described_settings_conflict(&error)?;
        assert!(hint.contains(setting), "{hint}");
        assert_eq!(
            texts(&mut client, "SELECT count(*)::text FROM pg_extension WHERE extname = 'pgkite'")?,
            ["0"]
        );
    }
    // A value in the configuration file alone belongs to whoever defines the setting.
    let cluster =
        Cluster::builder(tree).setting("hnsw.ef_search", "100").setting("ivfflat.probes", "5").start()?;
    let mut client = server::database(&cluster, "app", "pgkite")?;
    assert_eq!(texts(&mut client, "SELECT ('[3,4]'::vector <-> '[0,0]')::text")?, ["5"]);
    Ok(())
}

/// The hint of the error that names a setting which another library has defined.
fn described_settings_conflict(error: &postgres::Error) -> Result<String> {
    let text = describe(error);
    ensure!(text.starts_with("55000: pgkite cannot be loaded beside the library of pgvector"), "{text}");
    ensure!(text.contains("hnsw.ef_search"), "{text}");
    Ok(error.as_db_error().and_then(|error| error.hint()).unwrap_or_default().to_owned())
}

/// The first column of all rows, as text.
fn texts(client: &mut Client, sql: &str) -> Result<Vec<String>> {
    let rows = client.query(sql, &[])?;
    Ok(rows.iter().map(|row| row.get::<_, Option<String>>(0).unwrap_or_else(|| "NULL".into())).collect())
}
