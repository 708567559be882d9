//! The catalog beside the list of pgvector's objects in `surface/`.

use anyhow::{Result, ensure};
use kite_tests::server;
use postgres::Client;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn pgkite_has_every_object_of_pgvector() -> Result<()> {
    let (_cluster, mut client) = server::own_database()?;
    compare(&catalog(&mut client, "pgkite")?)
}

#[test]
fn the_stand_in_has_every_object_of_pgvector() -> Result<()> {
    let cluster = server::as_vector()?;
    let mut client = server::database(&cluster, "test", "vector")?;
    compare(&catalog(&mut client, "vector")?)
}

#[test]
fn the_list_is_the_catalog_of_pgvector() -> Result<()> {
    let Some(cluster) = server::pgvector("the list of objects beside pgvector's catalog")? else {
        return Ok(());
    };
    let mut client = server::database(&cluster, "test", "vector")?;
    assert_eq!(catalog(&mut client, "vector")?, lines("pgvector-0.8.6.txt")?);
    Ok(())
}

/// Every listed object is there with the listed signature, but for those that `awaits.txt` names, which are not there at all.
/// More objects than listed are fine.
fn compare(found: &BTreeSet<String>) -> Result<()> {
    let (listed, awaited) = (lines("pgvector-0.8.6.txt")?, lines("awaits.txt")?);
    let awaits = |line: &str| awaited.iter().any(|prefix| line.starts_with(prefix));
    let mut wrong = Vec::new();
    for prefix in &awaited {
        if !listed.iter().any(|line| line.starts_with(prefix)) {
            wrong.push(format!("awaits.txt names nothing in the list: {prefix}"));
        }
    }
    for line in &listed {
        match (awaits(line), found.contains(line)) {
            (true, true) => wrong.push(format!("is there, so take it out of awaits.txt: {line}")),
            (false, false) => wrong.push(format!("missing or different: {line}{}", nearest(line, found))),
            _ => {}
        }
    }
    ensure!(wrong.is_empty(), "{} of {} objects:\n{}", wrong.len(), listed.len(), wrong.join("\n"));
    Ok(())
}

/// What is there instead: the object of the same name, other than in its attributes.
fn nearest(line: &str, found: &BTreeSet<String>) -> String {
    found
        .iter()
        .find(|candidate| name(candidate) == name(line))
        .map_or_else(String::new, |instead| format!("\n         instead: {instead}"))
}

/// A line up to what the object returns, or up to its first `attribute=`.
fn name(line: &str) -> Vec<&str> {
    let is_attribute = |word: &&str| {
        word.split_once('=').is_some_and(|(key, _)| key.starts_with(|first: char| first.is_ascii_lowercase()))
    };
    let head = line.split(" returns ").next().unwrap_or(line);
    head.split(' ').take_while(|word| !is_attribute(word)).collect()
}

fn catalog(client: &mut Client, extension: &str) -> Result<BTreeSet<String>> {
    client.batch_execute(&format!(
        "SELECT set_config('search_path', (SELECT quote_ident(nspname) FROM pg_namespace n JOIN pg_extension e \
         ON e.extnamespace = n.oid WHERE extname = '{extension}'), false)"
    ))?;
    let query = std::fs::read_to_string(folder().join("catalog.sql"))?;
    let rows = client.query(&query, &[&extension])?;
    ensure!(!rows.is_empty(), "the extension {extension} has no objects");
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn lines(file: &str) -> Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(folder().join(file))?;
    Ok(text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect())
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/surface"))
}
