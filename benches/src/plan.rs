//! What the server did, by its own account.

use anyhow::{Context, Result, ensure};
use postgres::{Client, types::ToSql};
use serde_json::Value;

/// Fails unless the statement runs by these plan nodes, outermost first, and reads no page from outside shared buffers.
pub(crate) fn assert_plan(
    client: &mut Client,
    statement: &str,
    parameters: &[&(dyn ToSql + Sync)],
    wanted: &[&str],
) -> Result<()> {
    let row =
        client.query_one(&format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"), parameters)?;
    let plan: Value = row.get(0);
    judge(&plan[0]["Plan"], wanted).with_context(|| format!("the plan of {statement} is {plan}"))
}

/// The nodes of the statement's plan, outermost first, with the indexes that they use: `Limit > Index Scan using a_index`.
pub(crate) fn nodes(
    client: &mut Client,
    statement: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<String> {
    let row = client.query_one(&format!("EXPLAIN (FORMAT JSON) {statement}"), parameters)?;
    let plan: Value = row.get(0);
    Ok(outline(&plan[0]["Plan"]))
}

fn outline(plan: &Value) -> String {
    let mut nodes = Vec::new();
    let mut node = plan;
    while let Some(name) = node["Node Type"].as_str() {
        let index = node["Index Name"].as_str();
        nodes.push(index.map_or(name.to_owned(), |index| format!("{name} using {index}")));
        node = &node["Plans"][0];
    }
    nodes.join(" > ")
}

fn judge(plan: &Value, wanted: &[&str]) -> Result<()> {
    let mut nodes = Vec::new();
    let mut node = plan;
    while let Some(name) = node["Node Type"].as_str() {
        let method = node["Sort Method"].as_str();
        nodes.push(method.map_or(name.to_owned(), |method| format!("{name} ({method})")));
        node = &node["Plans"][0];
    }
    ensure!(nodes == wanted, "{nodes:?} instead of {wanted:?}");
    let read = plan["Shared Read Blocks"].as_u64().context("no count of blocks")?;
    ensure!(read == 0, "{read} blocks were not in shared buffers");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plans_in_a_line() {
        let plan = json!({"Node Type": "Limit", "Plans": [
            {"Node Type": "Bitmap Heap Scan", "Plans": [{"Node Type": "Bitmap Index Scan", "Index Name": "i"}]}]});
        assert_eq!(outline(&plan), "Limit > Bitmap Heap Scan > Bitmap Index Scan using i");
    }

    #[test]
    fn plans_are_judged() {
        let plan = |node: &str, read: u64| {
            json!({"Node Type": "Limit", "Shared Read Blocks": read, "Plans": [
                {"Node Type": "Sort", "Sort Method": "top-N heapsort", "Plans": [{"Node Type": node}]}]})
        };
        let wanted = ["Limit", "Sort (top-N heapsort)", "Seq Scan"];
        judge(&plan("Seq Scan", 0), &wanted).unwrap();
        assert!(judge(&plan("Index Scan", 0), &wanted).is_err());
        assert!(judge(&plan("Seq Scan", 3), &wanted).unwrap_err().to_string().contains("3 blocks"));
        assert!(judge(&json!({}), &wanted).is_err());
    }
}
