//! A search with one field out: `kite.search` beside the same statement, prepared.

use super::copy::Binary;
use super::{Options, Way};
use crate::data::Dataset;
use crate::engine::Engine;
use crate::plan::nodes;
use anyhow::{Context, Result, ensure};
use pgvector::Vector;
use postgres::types::ToSql;
use std::io::Write as _;

/// What is promised of a search as a share of the prepared statement.
const SEARCH: f64 = 4.0 / 3.0;

/// The ways, the statement by itself first. All answer the same keys.
pub(super) fn ways<'a>(
    engine: &mut Engine,
    data: &'a Dataset,
    options: &'a Options,
    filtered: bool,
) -> Result<Vec<Way<'a>>> {
    if !filtered {
        fill(engine, data)?;
    }
    let k = options.k;
    // A filter's constants are parameters of the statement that a search executes: so is this one.
    let (condition, filter) = if filtered { ("WHERE id >= $2", ", filter => 'id >= 0'") } else { ("", "") };
    let plain = format!(
        "SELECT id, 1 - (vector <=> $1::vector({dims})), title FROM docs {condition} ORDER BY vector <=> $1 LIMIT {k}",
        dims = data.dims()
    );
    let object = plain.replace("title FROM", "jsonb_build_object('title', title) FROM");
    let search = |data: &str, more: &str| {
        format!(
            "SELECT id, distance, entity FROM kite.search('docs', {data}, top_k => {k}, output_fields => '{{title}}'{more})"
        )
    };
    let queries: Vec<Vector> = data.queries().map(|query| Vector::from(query.to_vec())).collect();
    let plan = nodes(&mut engine.client, &plain, &parameters(&plain, &queries[0]))?;
    ensure!(plan.contains("docs_vector_idx"), "the index does not serve: {plan}");
    let texts = [
        ("the statement, its field as a column", None, plain),
        ("the statement, its field as JSON", None, object),
        ("kite.search", Some(SEARCH), search("$1::vector", filter)),
        (
            "kite.search, metric and ef given",
            None,
            search(
                "$1::vector",
                &format!(
                    "{filter}, search_params => '{{\"metric_type\": \"COSINE\", \"params\": {{\"ef\": 40}}}}'"
                ),
            ),
        ),
    ];
    let mut statements = Vec::new();
    let mut keys: Vec<Vec<i64>> = Vec::new();
    for (name, target, text) in texts {
        let statement = engine.client.prepare(&text).context(name)?;
        let mut of_query = |query: &Vector| -> Result<Vec<i64>> {
            let rows = engine.client.query(&statement, &parameters(&text, query))?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        };
        let found = queries.iter().take(100).map(&mut of_query).collect::<Result<Vec<_>>>()?;
        if keys.is_empty() {
            keys = found;
        } else {
            let same = keys.iter().zip(&found).filter(|(a, b)| sorted(a) == sorted(b)).count();
            ensure!(same == keys.len(), "{name} answers otherwise: {same} of {} are the same", keys.len());
        }
        statements.push((name, target, statement, text));
    }
    let ways = statements.into_iter().map(|(name, target, statement, text)| {
        let queries = queries.clone();
        let run = move |engine: &mut Engine, call: usize| {
            let parameters = parameters(&text, &queries[call % queries.len()]);
            let (rows, time) = engine.timed(options.clock, &statement, &parameters)?;
            ensure!(rows.len() == options.k, "{} rows were found", rows.len());
            Ok(time)
        };
        Way { name, target, run: Box::new(run) }
    });
    Ok(ways.collect())
}

/// The query vector, and the constant of a filter where the statement asks for it.
fn parameters<'a>(statement: &str, query: &'a Vector) -> Vec<&'a (dyn ToSql + Sync)> {
    if statement.contains("$2") { vec![query, &0_i64] } else { vec![query] }
}

fn sorted(keys: &[i64]) -> Vec<i64> {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys
}

/// A collection of all rows, with an index.
fn fill(engine: &mut Engine, data: &Dataset) -> Result<()> {
    engine.client.batch_execute(&format!(
        r#"SELECT kite.create_collection('docs', schema => '{{"fields": [
            {{"name": "id", "data_type": "INT64", "is_primary": true}},
            {{"name": "title", "data_type": "VARCHAR", "max_length": 64, "nullable": true}},
            {{"name": "vector", "data_type": "FLOAT_VECTOR", "dim": {}}}]}}')"#,
        data.dims()
    ))?;
    let mut rows = Binary::new();
    data.for_each_row(0..data.len(), |row, values| {
        rows.row(i64::try_from(row)?, values, Some(&format!("document {row}")))
    })?;
    let mut copy = engine.client.copy_in("COPY docs (id, vector, title) FROM STDIN (FORMAT binary)")?;
    copy.write_all(&rows.finish())?;
    copy.finish()?;
    engine.client.batch_execute(
        r#"SELECT kite.create_index('docs', 'vector',
               '{"index_type": "HNSW", "metric_type": "COSINE", "params": {"M": 16, "efConstruction": 64}}');
           SELECT kite.load_collection('docs')"#,
    )?;
    // Outside of a transaction block.
    engine.client.batch_execute("VACUUM (ANALYZE) docs")?;
    Ok(())
}
