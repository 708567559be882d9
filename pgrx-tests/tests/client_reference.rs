//! The reference, `sql/README.md` and its pages: the examples run, and no function is left out.

use anyhow::{Context, Result, ensure};
use kite_tests::script::describe;
use kite_tests::server;

const REFERENCE: &str = include_str!("../../sql/README.md");

const PAGES: [(&str, &str); 3] = [
    ("README.md", REFERENCE),
    ("data.md", include_str!("../../sql/data.md")),
    ("search.md", include_str!("../../sql/search.md")),
];

/// The blocks of SQL of a page, each with the number of its first line.
fn blocks(page: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(page.lines()) {
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

/// The statements of a block: each ends a line, but for a comment. One by one, since some cannot share a transaction.
fn statements(block: &str) -> Vec<String> {
    let code =
        |line: &str| line.split_once("  --").map_or(line, |(code, _)| code).trim_end().to_owned() + "\n";
    let text: String = block.lines().filter(|line| !line.starts_with("--")).map(code).collect();
    text.split_inclusive(";\n").filter(|statement| !statement.trim().is_empty()).map(str::to_owned).collect()
}

#[test]
fn every_example_runs() -> Result<()> {
    let cluster = server::own()?;
    for (place, (name, page)) in PAGES.iter().enumerate() {
        let mut client = server::database(&cluster, &format!("page_{place}"), "pgkite")?;
        let blocks = blocks(page);
        ensure!(blocks.len() >= 4, "{} examples in {name}", blocks.len());
        for (line, block) in &blocks {
            for statement in statements(block) {
                let ran = client.batch_execute(&statement);
                ran.map_err(|error| anyhow::anyhow!("{}", describe(&error)))
                    .with_context(|| format!("the example at line {line} of sql/{name}: {statement}"))?;
            }
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
         AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype) ORDER BY 1",
        &[],
    )?;
    ensure!(rows.len() > 40, "{} functions", rows.len());
    let examples: String = PAGES.iter().flat_map(|(_, page)| blocks(page)).map(|(_, block)| block).collect();
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let undescribed = names.iter().filter(|name| !REFERENCE.contains(&format!("`{name}(")));
    let missing: Vec<&String> = undescribed.collect();
    ensure!(missing.is_empty(), "not in the tables of sql/README.md: {missing:?}");
    let unshown: Vec<&String> =
        names.iter().filter(|name| !examples.contains(&format!("kite.{name}("))).collect();
    ensure!(unshown.is_empty(), "without an example in sql/README.md: {unshown:?}");
    Ok(())
}
