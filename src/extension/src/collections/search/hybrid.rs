//! `kite.hybrid_search`: searches of several fields, made one list by a ranker.

use super::group::{Collector, Groups};
use super::options::Options;
use super::ranker::Ranker;
use super::request::{self, Filter, Window};
use super::score::round;
use super::statement::{ALIAS, Hit, Key, Statement, key};
use super::vectors;
use crate::collections::catalog::{Collection, Column};
use crate::collections::spi::{self, Effect, Spi};
use crate::collections::sql::{ident, jsonb, qualified};
use crate::collections::{cache, output, state};
use crate::{call::Call, rows};
use kite_schema::{Code, DataType, Error, Metric, Result};
use pgrx::pg_sys::{self, Datum};
use pgrx::{FromDatum, IntoDatum, JsonB};
use serde_json::Value;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

export! { Error; "kite_hybrid_search" => hybrid_search }

/// The most searches of one call.
const MOST: usize = 1024;

/// The most rows that all of them may find: they are held in memory together.
const MOST_ROWS: i64 = 1 << 20;

/// One of the searches.
struct Part<'a> {
    column: &'a Column,
    metric: Metric,
    options: Options,
    filter: Filter,
    /// As many as in every other part.
    vectors: Vec<Datum>,
    rows: i64,
}

fn hybrid_search(call: &Call) -> Result<Datum> {
    let collection = cache::find(&call.get::<String>(0).unwrap_or_default())?;
    let requests: Option<JsonB> = call.get(1);
    let ranker: Option<JsonB> = call.get(2);
    let skip = call.get::<i32>(6).unwrap_or(0).into();
    let window = Window::new(call.get::<i32>(3).unwrap_or(super::TOP_K).into(), skip)?;
    let fields = super::names(call, 4);
    let partitions = super::names(call, 5);
    request::check_partitions(&collection, &partitions)?;
    let partitions = state::loaded(&collection, partitions)?;
    let decimals = super::decimals(call.get::<i32>(7).map(i64::from))?;
    request::check_consistency(&collection, call.get::<String>(8).as_deref())?;
    let (group, groups) = super::grouping(call, [9, 10, 11], &Options::default(), &collection, window)?;
    let parts = parts(&collection, requests.as_ref().map(|requests| &requests.0), window)?;
    let ranker = Ranker::read(ranker.as_ref().map(|ranker| &ranker.0), parts.len())?;
    if let (Ranker::Decay(_), Some(_)) = (&ranker, groups) {
        return Err(Error::invalid("a decay ranker does not go together with group_by"));
    }
    let entity = output::asked(&collection, &fields, ALIAS)?;
    let table = Table { collection: &collection, primary: request::primary(&collection)? };
    let queries = parts.first().map_or(0, |part| part.vectors.len());
    let hybrid = Hybrid { parts: &parts, table, ranker: &ranker, partitions: &partitions };
    spi::connect(|spi| {
        let mut found = Vec::new();
        for query in 0..queries {
            let mut page = hybrid.search(spi, query, window, group.zip(groups))?;
            if let Some(entity) = &entity {
                let keys = page.iter().map(|hit| &hit.key);
                let mut entities = hybrid.table.look_up(spi, keys, entity, &Filter::default())?;
                for hit in &mut page {
                    hit.entity = entities.remove(&hit.key).flatten();
                }
            }
            let number = i32::try_from(query).unwrap_or(i32::MAX);
            found.extend(page.into_iter().map(|hit| (number, hit)));
        }
        let empty = entity.is_none().then(|| jsonb("{}"));
        rows::answer(
            call,
            found.into_iter().map(|(query, hit)| {
                let [id, key] = super::key_columns(hit.key);
                let distance = round(hit.score, decimals).into_datum();
                [query.into_datum(), id, key, distance, hit.entity.or(empty)]
            }),
        );
        Ok(Datum::null())
    })
}

/// All searches of a call.
struct Hybrid<'a> {
    parts: &'a [Part<'a>],
    table: Table<'a>,
    ranker: &'a Ranker,
    partitions: &'a [String],
}

impl Hybrid<'_> {
    /// The hits for the query vectors of this number, the best first.
    fn search(
        &self,
        spi: &Spi,
        query: usize,
        window: Window,
        groups: Option<(&Column, Groups)>,
    ) -> Result<Vec<Hit>> {
        let mut scores: HashMap<Key, f64> = HashMap::new();
        for (n, part) in self.parts.iter().enumerate() {
            let hits = part.run(spi, &self.table, self.partitions, query)?;
            for (rank, hit) in (1..).zip(hits) {
                let before = scores.get(&hit.key).copied();
                let score = self.ranker.combine(before, n, rank, part.metric, hit.score);
                scores.insert(hit.key, score);
            }
        }
        self.table.rerank(spi, self.ranker, &mut scores)?;
        let mut ranked: Vec<Hit> =
            scores.into_iter().map(|(key, score)| Hit { key, score, entity: None, group: None }).collect();
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.key.cmp(&b.key)));
        self.table.page(spi, ranked, window, groups)
    }
}

/// Reads the searches.
fn parts<'a>(collection: &'a Collection, requests: Option<&Value>, window: Window) -> Result<Vec<Part<'a>>> {
    let requests = match requests {
        Some(Value::Array(list)) if (1..=MOST).contains(&list.len()) => list,
        Some(Value::Array(list)) => {
            let count = list.len();
            return Err(Error::invalid(format!(
                "maximum of ann search requests is {MOST} and minimum is 1, but got {count}"
            )));
        }
        _ => return Err(Error::invalid("requests should be a list of JSON objects")),
    };
    let parts =
        requests.iter().map(|request| part(collection, request, window)).collect::<Result<Vec<_>>>()?;
    let rows: i64 = parts.iter().map(|part| part.rows).sum();
    if rows > MOST_ROWS {
        return Err(Error::new(
            Code::ParameterTooLarge,
            format!("the limits of the requests come to {rows} rows, more than {MOST_ROWS}"),
        ));
    }
    let queries = parts[0].vectors.len();
    if let Some(part) = parts.iter().find(|part| part.vectors.len() != queries) {
        return Err(Error::invalid(format!(
            "the requests of a hybrid search should have the same number of vectors, not {queries} and {}",
            part.vectors.len()
        )));
    }
    let rows = queries as i64 * window.rows();
    if rows > MOST_ROWS {
        return Err(Error::new(
            Code::ParameterTooLarge,
            format!("{queries} vectors with up to {} rows each come to more than {MOST_ROWS}", window.rows()),
        ));
    }
    Ok(parts)
}

fn part<'a>(collection: &'a Collection, request: &Value, window: Window) -> Result<Part<'a>> {
    const KEYS: [&str; 16] = [
        "data",
        "anns_field",
        "annsField",
        "vector_field",
        "param",
        "params",
        "search_params",
        "searchParams",
        "metric_type",
        "limit",
        "top_k",
        "expr",
        "filter",
        "expr_params",
        "exprParams",
        "filter_params",
    ];
    let Value::Object(map) = request else {
        return Err(Error::invalid("requests should be a list of JSON objects"));
    };
    if let Some(key) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(Error::invalid(format!("a request has an unknown key: {key}"))
            .with_hint(format!("Its keys are {}.", KEYS.join(", "))));
    }
    let get = |keys: &[&str]| keys.iter().find_map(|key| map.get(*key)).filter(|value| !value.is_null());
    let text = |keys: &[&str]| match get(keys) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => {
            Err(Error::invalid(format!("{} of a request should be a string, not {other}", keys[0])))
        }
    };
    let column =
        request::vector_field(collection, text(&["anns_field", "annsField", "vector_field"])?.as_deref())?;
    let mut params = get(&["param", "search_params", "searchParams", "params"]).cloned();
    if let Some(metric) = map.get("metric_type") {
        let params = params.get_or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Value::Object(params) = params {
            params.entry("metric_type").or_insert_with(|| metric.clone());
        }
    }
    let options = Options::read(params.as_ref())?;
    if options.grouping.field.is_some() {
        return Err(Error::new(Code::Unsupported, "a request of a hybrid search does not group"));
    }
    let metric = options.metric(column.field.data_type, column.metric)?;
    let rows = match get(&["limit", "top_k"]) {
        None => window.rows(),
        Some(limit) => {
            let limit = limit.as_i64().ok_or_else(|| {
                Error::invalid(format!("limit of a request should be a whole number, not {limit}"))
            })?;
            Window::new(limit, 0)?.rows()
        }
    };
    let vectors = match get(&["data"]) {
        None => return Err(Error::new(Code::ParameterMissing, "a request has no `data`")),
        Some(Value::String(text)) => vectors::texts(text, column)?,
        Some(other) => vectors::texts(&other.to_string(), column)?,
    };
    let filter = Filter {
        text: text(&["filter", "expr"])?,
        params: get(&["filter_params", "expr_params", "exprParams"]).cloned(),
    };
    Ok(Part { column, metric, filter, vectors, rows, options })
}

impl Part<'_> {
    /// What it finds for its query vector of this number.
    fn run(&self, spi: &Spi, table: &Table<'_>, partitions: &[String], query: usize) -> Result<Vec<Hit>> {
        let statement = Statement {
            collection: table.collection,
            primary: table.primary,
            column: self.column,
            metric: self.metric,
            partitions,
            range: self.options.range(self.metric)?,
            entity: None,
            group: None,
        };
        let mut prepared = request::prepare(&statement, &self.filter, self.rows)?;
        let settings = self.options.settings(self.rows)?;
        let (hits, rows) =
            request::with_settings(&settings, || statement.run(spi, &mut prepared, self.vectors[query]));
        // No entities: nothing is lent from the rows.
        rows.free();
        Ok(hits)
    }
}

/// The table whose rows were found.
struct Table<'a> {
    collection: &'a Collection,
    primary: &'a Column,
}

impl Table<'_> {
    /// Decays or boosts scores by what the rows hold.
    fn rerank(&self, spi: &Spi, ranker: &Ranker, scores: &mut HashMap<Key, f64>) -> Result<()> {
        match ranker {
            Ranker::Rrf { .. } | Ranker::Weighted { .. } => {}
            Ranker::Decay(decay) => {
                let column = request::field(self.collection, &decay.field)?;
                let kind = column.field.data_type;
                if kind.integer_range().is_none() && !matches!(kind, DataType::Float | DataType::Double) {
                    return Err(Error::invalid(format!(
                        "a decay ranker needs a field of numbers, and {} is of type {}",
                        decay.field,
                        kind.label()
                    )));
                }
                let number = format!("CAST({ALIAS}.{} AS pg_catalog.float8)", ident(&column.name));
                let numbers = self.look_up(spi, scores.keys(), &number, &Filter::default())?;
                for (key, score) in scores {
                    let number = numbers.get(key).copied().flatten();
                    // SAFETY: the expression is of type `float8`.
                    let number = number.and_then(|value| unsafe { f64::from_datum(value, false) });
                    // What is not known is as far away as can be. The sum makes no zero negative.
                    *score = *score * number.map_or(0.0, |number| decay.factor(number)) + 0.0;
                }
            }
            Ranker::Boost(boosts) => {
                let mut matching = Vec::new();
                for boost in &boosts.boosts {
                    let filter = Filter { text: boost.filter.clone(), params: None };
                    matching.push(self.look_up(spi, scores.keys(), "NULL", &filter)?);
                }
                for (key, score) in scores {
                    let mut hasher = DefaultHasher::new();
                    key.hash(&mut hasher);
                    let matches = (0..matching.len()).filter(|place| matching[*place].contains_key(key));
                    *score = boosts.boosted(*score, matches, hasher.finish());
                }
            }
        }
        Ok(())
    }

    /// The hits that are answered, of all in their order.
    fn page(
        &self,
        spi: &Spi,
        mut ranked: Vec<Hit>,
        window: Window,
        groups: Option<(&Column, Groups)>,
    ) -> Result<Vec<Hit>> {
        let Some((column, groups)) = groups else {
            return Ok(ranked.into_iter().skip(window.skip).take(window.top_k).collect());
        };
        let group = format!("CAST({ALIAS}.{} AS pg_catalog.text)", ident(&column.name));
        let names = self.look_up(spi, ranked.iter().map(|hit| &hit.key), &group, &Filter::default())?;
        for hit in &mut ranked {
            let name = names.get(&hit.key).copied().flatten();
            // SAFETY: the expression is of type `text`.
            hit.group = name.and_then(|name| unsafe { String::from_datum(name, false) });
        }
        let mut collector = Collector::new(groups);
        for hit in ranked {
            collector.offer(hit);
            if collector.is_complete() {
                break;
            }
        }
        Ok(collector.into_hits(window.skip))
    }

    /// An expression for each of these rows that matches the filter.
    fn look_up<'k>(
        &self,
        spi: &Spi,
        keys: impl Iterator<Item = &'k Key>,
        expression: &str,
        filter: &Filter,
    ) -> Result<HashMap<Key, Option<Datum>>> {
        let (mut numbers, mut texts): (Vec<i64>, Vec<&str>) = (Vec::new(), Vec::new());
        for key in keys {
            match key {
                Key::Number(number) => numbers.push(*number),
                Key::Text(text) => texts.push(text),
            }
        }
        let primary = format!("{ALIAS}.{}", ident(&self.primary.name));
        let (kind, list) = match self.primary.field.data_type {
            DataType::Int64 => (pg_sys::INT8ARRAYOID, numbers.into_datum()),
            _ => (pg_sys::TEXTARRAYOID, texts.into_datum()),
        };
        let table = qualified(&self.collection.schema, &self.collection.table);
        let mut sql = format!(
            "SELECT {primary}, {expression} FROM {table} AS {ALIAS} WHERE {primary} OPERATOR(pg_catalog.=) ANY ($1)"
        );
        let (mut types, mut values) = (vec![kind], vec![list]);
        if let Some(condition) = filter.condition(self.collection, 2)? {
            sql += " AND ";
            sql += &condition.sql;
            types.extend(condition.types);
            values.extend(condition.values);
        }
        let plan = spi.plan(&sql, &types);
        let rows = spi.execute(&plan, &values, Effect::Reads, 0);
        let mut found = HashMap::with_capacity(rows.len());
        for row in 0..rows.len() {
            if let Some(key) = rows.value(row, 0).and_then(|value| key(self.primary, value)) {
                found.insert(key, rows.value(row, 1));
            }
        }
        Ok(found)
    }
}
