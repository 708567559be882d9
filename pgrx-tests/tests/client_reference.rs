//! The reference, `sql/README.md`: its examples run, and it leaves no function out.

use anyhow::{Context, Result, ensure};
use kite_tests::script::describe;
use kite_tests::server;

const REFERENCE: &str = include_str!("../../sql/README.md");

/// The blocks of SQL, each with the number of its first line.
fn blocks() -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(REFERENCE.lines()) {
        match (&mut open, line) {
            (None, "```sql") => open = Some((number + 1, String::new())),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some((_, block)), line) => {
                block.push_str(line);
                block.push('\n');
            }
            _ => {}
        }
    }
    blocks
}

/// The statements of a block: each ends a line. One by one, since some cannot share a transaction.
fn statements(block: &str) -> impl Iterator<Item = &str> {
    block.split_inclusive(";\n").filter(|statement| !statement.trim().is_empty())
}

#[test]
fn every_example_runs() -> Result<()> {
    let cluster = server::own()?;
    let mut client = server::database(&cluster, "app", "pgkite")?;
    let blocks = blocks();
    ensure!(blocks.len() >= 10, "{} examples", blocks.len());
    for (line, block) in &blocks {
        for statement in statements(block) {
            let ran = client.batch_execute(statement);
            ran.map_err(|error| anyhow::anyhow!("{}", describe(&error)))
                .with_context(|| format!("the example at line {line} of sql/README.md: {statement}"))?;
        }
    }
    Ok(())
}

#[test]
fn no_function_is_left_out() -> Result<()> {
    let cluster = server::own()?;
    let mut client = server::database(&cluster, "app", "pgkite")?;
    let rows = client.query(
        "SELECT DISTINCT proname::text FROM pg_proc WHERE pronamespace = 'kite'::regnamespace
         AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype) ORDER BY 1",
        &[],
    )?;
    ensure!(rows.len() > 40, "{} functions", rows.len());
    let examples: String = blocks().into_iter().map(|(_, block)| block).collect();
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let undescribed = names.iter().filter(|name| !REFERENCE.contains(&format!("`{name}(")));
    let missing: Vec<&String> = undescribed.collect();
    ensure!(missing.is_empty(), "not in the tables of sql/README.md: {missing:?}");
    let unshown: Vec<&String> =
        names.iter().filter(|name| !examples.contains(&format!("kite.{name}("))).collect();
    ensure!(unshown.is_empty(), "without an example in sql/README.md: {unshown:?}");
    Ok(())
}
