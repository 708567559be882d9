//! The bytes on disk, beside those that pgvector writes.

use anyhow::{Context, Result, ensure};
use kite_tests::server;
use postgres::Client;
use std::path::Path;

/// Lines of `kind <tab> SQL expression <tab> bytes in hex`, as pgvector 0.8.6 stores them on a little-endian machine.
const FILE: &str = "datums/pgvector-0.8.6.txt";

#[test]
fn rows_are_stored_as_pgvector_stores_them() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    compare(&mut client)
}

#[test]
fn the_expected_bytes_are_those_of_pgvector() -> Result<()> {
    let Some(cluster) = server::pgvector("the expected bytes beside pgvector's")? else { return Ok(()) };
    compare(&mut server::database(&cluster, "test", "vector")?)
}

fn compare(client: &mut Client) -> Result<()> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE))?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    ensure!(lines.len() > 20, "{FILE} is cut off");
    client.batch_execute("CREATE EXTENSION pageinspect")?;
    for line in lines {
        let mut parts = line.split('\t');
        let (kind, value, expected) = parts
            .next()
            .zip(parts.next())
            .zip(parts.next())
            .map(|((kind, value), bytes)| (kind, value, bytes))
            .with_context(|| format!("not three columns: {line}"))?;
        assert_eq!(stored(client, kind, value)?, expected, "{kind} {value}");
    }
    Ok(())
}

/// The bytes of one row of one column, and those of its TOAST chunks where the value is kept there. The pointer to TOAST holds
/// OIDs, so it is left out.
fn stored(client: &mut Client, kind: &str, value: &str) -> Result<String> {
    client.batch_execute(&format!(
        "DROP TABLE IF EXISTS datum; CREATE TABLE datum (v {kind}); INSERT INTO datum SELECT ({value})::{kind}"
    ))?;
    let toast: String = client
        .query_one("SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = 'datum'::regclass", &[])?
        .get(0);
    let sql = format!(
        "SELECT coalesce(
             (SELECT 'toast ' || sum(length(chunk_data)) || ' md5 ' || md5(string_agg(chunk_data, '' ORDER BY chunk_seq)) FROM {toast}),
             (SELECT encode(t_data, 'hex') FROM heap_page_items(get_raw_page('datum', 0))))"
    );
    Ok(client.query_one(&sql, &[])?.get(0))
}
