//! Rows into a collection without a vector index: by binary COPY, and by each form of `kite.insert`.

use super::copy::Binary;
use super::{Options, Way};
use crate::data::Dataset;
use crate::engine::Engine;
use crate::metric::Element;
use anyhow::{Context, Result, ensure};
use pgvector::Vector;
use postgres::types::private::BytesMut;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use std::error::Error;
use std::io::Write as _;
use std::time::Duration;

/// What is promised of rows as JSON, and of keys and vectors as arrays, as a share of binary COPY.
const JSON: f64 = 3.0;
const TYPED: f64 = 1.5;

/// The ways, COPY first. Each call begins with an empty table.
pub(super) fn ways<'a>(engine: &mut Engine, data: &'a Dataset, options: &'a Options) -> Result<Vec<Way<'a>>> {
    ensure!(data.element() == Element::Vector, "rows are inserted as vectors");
    engine.client.batch_execute(&format!(
        r#"SELECT kite.create_collection('batches', schema => '{{"fields": [
            {{"name": "id", "data_type": "INT64", "is_primary": true}},
            {{"name": "vector", "data_type": "FLOAT_VECTOR", "dim": {}}}]}}')"#,
        data.dims()
    ))?;
    let (mut ids, mut vectors, mut binary) = (Vec::new(), Vec::new(), Binary::new());
    let mut objects = Vec::new();
    data.for_each_row(0..options.batch, |row, values| {
        let id = i64::try_from(row)?;
        binary.row(id, values, None)?;
        ids.push(id);
        vectors.push(Vector::from(values.to_vec()));
        let numbers: Vec<String> = values.iter().map(f32::to_string).collect();
        objects.push(format!(r#"{{"id": {id}, "vector": [{}]}}"#, numbers.join(", ")));
        Ok(())
    })?;
    let (binary, json) = (binary.finish(), format!("[{}]", objects.join(", ")));
    let clock = options.clock;
    let rows = options.batch;
    let mut ways = vec![Way {
        name: "binary COPY",
        target: None,
        run: Box::new(move |engine, _| {
            engine.client.batch_execute("TRUNCATE batches")?;
            let (copied, time) = engine.time(clock, |client| {
                let mut copy = client.copy_in("COPY batches (id, vector) FROM STDIN (FORMAT binary)")?;
                copy.write_all(&binary)?;
                Ok(copy.finish()?)
            })?;
            ensure!(copied == rows as u64, "{copied} rows were copied");
            Ok(time)
        }),
    }];
    let literal = format!("SELECT kite.insert('batches', '{json}')");
    ways.push(Way {
        name: "JSON, a literal in the statement",
        target: Some(JSON),
        run: Box::new(move |engine, _| {
            engine.client.batch_execute("TRUNCATE batches")?;
            let ((), time) = engine.time(clock, |client| Ok(client.batch_execute(&literal)?))?;
            counted(engine, rows, time)
        }),
    });
    ways.push(prepared(
        engine,
        ("JSON, a parameter of type text", Some(JSON)),
        "SELECT kite.insert('batches', $1::text)",
        vec![Box::new(json.clone())],
        options,
    )?);
    ways.push(prepared(
        engine,
        ("JSON, a parameter of type json", Some(JSON)),
        "SELECT kite.insert('batches', $1::json)",
        vec![Box::new(Raw(json.clone()))],
        options,
    )?);
    ways.push(prepared(
        engine,
        ("typed: bigint[] and vector[]", Some(TYPED)),
        "SELECT kite.insert('batches', $1::bigint[], $2::vector[])",
        vec![Box::new(ids), Box::new(vectors)],
        options,
    )?);
    // No row: what the server's own check of a `json` takes of the way above.
    let check = engine.client.prepare("SELECT $1::json IS NULL")?;
    let json = Raw(json);
    ways.push(Way {
        name: "the server's input of that json alone",
        target: None,
        run: Box::new(move |engine, _| Ok(engine.timed(clock, &check, &[&json])?.1)),
    });
    Ok(ways)
}

fn prepared<'a>(
    engine: &mut Engine,
    (name, target): (&'static str, Option<f64>),
    statement: &str,
    parameters: Vec<Box<dyn ToSql + Sync>>,
    options: &'a Options,
) -> Result<Way<'a>> {
    let statement = engine.client.prepare(statement).context(name)?;
    let run = move |engine: &mut Engine, _| {
        engine.client.batch_execute("TRUNCATE batches")?;
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(AsRef::as_ref).collect();
        let (_, time) = engine.timed(options.clock, &statement, &parameters)?;
        counted(engine, options.batch, time)
    };
    Ok(Way { name, target, run: Box::new(run) })
}

/// A text that is sent as a value of `json`.
#[derive(Debug)]
struct Raw(String);

impl ToSql for Raw {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::JSON
    }

    to_sql_checked!();
}

/// The time of a call that left as many rows as it should.
fn counted(engine: &mut Engine, rows: usize, time: Duration) -> Result<Duration> {
    let count: i64 = engine.client.query_one("SELECT count(*) FROM batches", &[])?.get(0);
    ensure!(usize::try_from(count)? == rows, "{count} rows were inserted");
    Ok(time)
}
