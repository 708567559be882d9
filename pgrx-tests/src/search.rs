//! Searches by an index beside exact ones, and what must hold of both.

use anyhow::{Result, ensure};
use postgres::Client;

/// The plan that only an index on the column gives.
const BY_INDEX: &str = "SET enable_seqscan = off; SET enable_sort = off; SET enable_indexscan = on";
/// The plan that looks at every row.
const BY_SORT: &str = "SET enable_seqscan = on; SET enable_sort = on; SET enable_indexscan = off";

/// A row of an answer: its id and how far it is.
pub type Row = (i64, f64);

/// Nearest rows of a table with a column `id`.
#[derive(Debug, Clone)]
pub struct Search {
    /// The table, and conditions if there are any: `t`, `t WHERE …`.
    pub from: String,
    /// The indexed column or expression.
    pub value: String,
    /// The operator that orders.
    pub operator: String,
    /// The type of the query, with its modifier where the operator wants one.
    pub query_type: String,
}

impl Search {
    /// Of column `v`.
    #[must_use]
    pub fn new(from: &str, operator: &str, query_type: &str) -> Self {
        let [from, operator, query_type] = [from, operator, query_type].map(str::to_owned);
        Self { from, value: "v".to_owned(), operator, query_type }
    }

    /// The statement that asks for the `k` nearest.
    #[must_use]
    pub fn sql(&self, query: &str, k: usize) -> String {
        let Self { from, value, operator, query_type } = self;
        let distance = format!("{value} {operator} '{query}'::{query_type}");
        format!("SELECT id::bigint, ({distance})::float8 FROM {from} ORDER BY {distance} LIMIT {k}")
    }

    /// The `k` nearest that the index finds, in ascending order and without repetition.
    ///
    /// # Errors
    /// Another plan, an answer that is not in order or has a row twice, and what the server says.
    pub fn by_index(&self, client: &mut Client, query: &str, k: usize) -> Result<Vec<Row>> {
        let found = self.in_any_order(client, query, k)?;
        in_order(&found)?;
        Ok(found)
    }

    /// What the index finds of the `k` nearest under a relaxed order, without repetition.
    ///
    /// # Errors
    /// Another plan, an answer that has a row twice, and what the server says.
    pub fn in_any_order(&self, client: &mut Client, query: &str, k: usize) -> Result<Vec<Row>> {
        let sql = self.sql(query, k);
        client.batch_execute(BY_INDEX)?;
        let plan = text(client, &format!("EXPLAIN (COSTS OFF) {sql}"))?;
        ensure!(plan.contains("Index Scan") && plan.contains("Order By"), "no search by an index:\n{plan}");
        let found = rows(client, &sql)?;
        none_twice(&found)?;
        Ok(found)
    }

    /// The `k` nearest.
    ///
    /// # Errors
    /// What the server says.
    pub fn exactly(&self, client: &mut Client, query: &str, k: usize) -> Result<Vec<Row>> {
        client.batch_execute(BY_SORT)?;
        rows(client, &self.sql(query, k))
    }

    /// The share of the `k` nearest that the index finds, over all queries. What is as near as the k-th counts.
    ///
    /// # Errors
    /// As [`Search::by_index`].
    pub fn recall(&self, client: &mut Client, queries: &[String], k: usize) -> Result<f64> {
        let (mut hits, mut wanted) = (0, 0);
        for query in queries {
            let exact = self.exactly(client, query, k)?;
            let found = self.by_index(client, query, k)?;
            let furthest = exact.last().map_or(f64::NEG_INFINITY, |(_, distance)| *distance);
            hits += found.iter().filter(|(_, distance)| *distance <= furthest).count();
            wanted += exact.len();
        }
        Ok(hits as f64 / wanted.max(1) as f64)
    }

    /// [`Search::recall`] of the 10 nearest, which must be `least`.
    ///
    /// # Errors
    /// As [`Search::by_index`], and a lower recall.
    pub fn recalls(&self, client: &mut Client, queries: &[String], least: f64) -> Result<()> {
        let recall = self.recall(client, queries, 10)?;
        ensure!(recall >= least, "recall {recall} is below {least}");
        Ok(())
    }
}

/// Ids and distances that a statement answers.
///
/// # Errors
/// What the server says.
pub fn rows(client: &mut Client, sql: &str) -> Result<Vec<Row>> {
    let answer = client.query(sql, &[])?;
    Ok(answer.iter().map(|row| (row.get(0), row.get::<_, Option<f64>>(1).unwrap_or(f64::NAN))).collect())
}

/// That distances ascend and no row comes twice.
///
/// # Errors
/// Where they do not.
pub fn in_order(found: &[Row]) -> Result<()> {
    for (place, pair) in found.windows(2).enumerate() {
        let [(_, near), (_, far)] = [pair[0], pair[1]];
        // A distance that is no number comes last.
        ensure!(near <= far || far.is_nan(), "row {place} is at {near}, the next one at {far}");
    }
    none_twice(found)
}

/// That no row comes twice.
fn none_twice(found: &[Row]) -> Result<()> {
    let mut ids: Vec<i64> = found.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    let twice = ids.windows(2).find(|pair| pair[0] == pair[1]);
    ensure!(twice.is_none(), "row {:?} comes twice", twice.map(|pair| pair[0]));
    Ok(())
}

/// That `kite.index_check` finds nothing.
///
/// # Errors
/// The problems that it finds.
pub fn sound(client: &mut Client, index: &str) -> Result<()> {
    let problems =
        client.query("SELECT block, problem FROM kite.index_check($1::text::regclass)", &[&index])?;
    let shown: Vec<String> = problems
        .iter()
        .take(5)
        .map(|row| format!("block {:?}: {}", row.get::<_, Option<i64>>(0), row.get::<_, String>(1)))
        .collect();
    ensure!(problems.is_empty(), "{index} has {} problems: {}", problems.len(), shown.join("; "));
    Ok(())
}

/// The lines that a statement answers in its first column.
///
/// # Errors
/// What the server says.
pub fn text(client: &mut Client, sql: &str) -> Result<String> {
    let lines: Vec<String> = client.query(sql, &[])?.iter().map(|row| row.get(0)).collect();
    Ok(lines.join("\n"))
}

/// The number that a statement answers.
///
/// # Errors
/// What the server says.
pub fn number(client: &mut Client, sql: &str) -> Result<i64> {
    Ok(client.query_one(&format!("SELECT ({sql})::bigint"), &[])?.get(0))
}
