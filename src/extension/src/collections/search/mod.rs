//! `kite.search`, `kite.hybrid_search` and `kite.filter_sql`.
//!
//! | file | what |
//! |---|---|
//! | `request` | what is asked for, checked |
//! | `options` | `search_params` |
//! | `vectors`, `literals` | query vectors from any type and text |
//! | `score` | metrics: operators, scores, normalisation |
//! | `statement` | the statement, and the rows that it finds |
//! | `group` | the best rows of each group |
//! | `hybrid`, `ranker` | several searches made one |
//!
//! A search is the statement that one would write by hand, `ORDER BY field <=> $1 LIMIT n`, with the operator of the index's operator
//! class: the planner decides whether an index serves it. Plans are kept by the text of their statement; what a call adds to the
//! execution of a prepared statement is reading its arguments and putting the text together.

mod group;
mod hybrid;
mod literals;
mod options;
mod ranker;
mod request;
mod score;
mod statement;
mod vectors;

use super::access::check_readable;
use super::spi::{self, Rows, Spi};
use super::sql::jsonb;
use super::{cache, filter, output, state};
use crate::{call::Call, rows};
use group::{Collector, Groups};
use kite_schema::{Error, Result};
use options::Options;
use pgrx::pg_sys::{self, Datum, NodeTag};
use pgrx::{IntoDatum, JsonB, PgList};
use request::{Filter, Window};
use score::round;
use statement::{Hit, Key, Statement};

export! { Error;
    "kite_search" => search,
    "kite_search_support" => support,
    "kite_filter_sql" => filter_sql,
}

/// `top_k`, where none is given.
const TOP_K: i32 = 10;
/// The largest group.
const MOST_OF_GROUP: i64 = 10;

fn search(call: &Call) -> Result<Datum> {
    let collection = cache::find(&call.get::<String>(0).unwrap_or_default())?;
    let params: Option<JsonB> = call.get(6);
    let options = Options::read(params.as_ref().map(|params| &params.0))?;
    let skip = call.get::<i32>(8).map(i64::from).or(options.skip).unwrap_or(0);
    let window = Window::new(call.get::<i32>(2).unwrap_or(TOP_K).into(), skip)?;
    let filter = Filter { text: call.get(3), params: call.get::<JsonB>(9).map(|params| params.0) };
    let fields = names(call, 4);
    let column = request::vector_field(&collection, call.get::<String>(5).as_deref())?;
    let metric = options.metric(column.field.data_type, column.metric)?;
    let range = options.range(metric)?;
    let partitions = names(call, 7);
    request::check_partitions(&collection, &partitions)?;
    let partitions = state::loaded(&collection, partitions)?;
    let level = call.get::<String>(14).or_else(|| options.consistency_level.clone());
    request::check_consistency(&collection, level.as_deref())?;
    let decimals = decimals(call.get::<i32>(13).map(i64::from).or(options.round_decimal))?;
    let (group, groups) = grouping(call, [10, 11, 12], &options, &collection, window)?;
    if groups.is_some() && range != options::Range::default() {
        return Err(Error::invalid("Not allowed to do range-search when doing search-group-by"));
    }
    let entity = output::asked(&collection, &fields, statement::ALIAS)?;
    let statement = Statement {
        collection: &collection,
        primary: request::primary(&collection)?,
        column,
        metric,
        partitions: &partitions,
        range,
        entity: entity.as_deref(),
        group,
    };
    let vectors = vectors::argument(call, 1, column)?;
    request::with_settings(&options.settings(window.rows())?, || {
        spi::connect(|spi| {
            let empty = entity.is_none().then(|| jsonb("{}"));
            let row = |(query, hit): (i32, Hit)| {
                let [id, key] = key_columns(hit.key);
                let distance = round(hit.score, decimals).into_datum();
                [query.into_datum(), id, key, distance, hit.entity.or(empty)]
            };
            let vectors = (0_i32..).zip(vectors);
            let Some(groups) = groups else {
                let mut prepared = request::prepare(&statement, &filter, window.rows())?;
                let mut last: Option<Rows<'_>> = None;
                // The rows of a vector are stored, and their memory is free again, before the next one is searched.
                let hits = vectors.flat_map(|(query, vector)| {
                    last.take().into_iter().for_each(Rows::free);
                    let (hits, rows) = statement.run(spi, &mut prepared, vector);
                    last = Some(rows);
                    hits.into_iter().skip(window.skip).map(move |hit| (query, hit))
                });
                rows::answer(call, hits.map(row));
                return Ok(Datum::null());
            };
            let mut found = Vec::new();
            for (query, vector) in vectors {
                let hits = grouped(spi, &statement, &filter, vector, groups)?.into_hits(window.skip);
                found.extend(hits.into_iter().map(|hit| (query, hit)));
            }
            rows::answer(call, found.into_iter().map(row));
            Ok(Datum::null())
        })
    })
}

/// Looks at the nearest rows, and at more of them, until there are enough groups or no more rows.
fn grouped(
    spi: &Spi,
    statement: &Statement<'_>,
    filter: &Filter,
    vector: Datum,
    groups: Groups,
) -> Result<Collector> {
    let mut rows = groups.count * groups.size * 4;
    loop {
        let mut prepared = request::prepare(statement, filter, i64::try_from(rows).unwrap_or(i64::MAX))?;
        let mut collector = Collector::new(groups);
        let seen = statement.collect(spi, &mut prepared, vector, &mut collector);
        if collector.is_complete() || seen < rows {
            return Ok(collector);
        }
        rows = rows.saturating_mul(8);
    }
}

/// `id` and `key`: one of them is set, by the type of the primary key.
fn key_columns(key: Key) -> [Option<Datum>; 2] {
    match key {
        Key::Number(number) => [number.into_datum(), None],
        Key::Text(text) => [None, text.into_datum()],
    }
}

/// An argument that is a list of names; NULL is an empty one.
fn names(call: &Call, n: usize) -> Vec<String> {
    call.get::<Vec<Option<String>>>(n).unwrap_or_default().into_iter().flatten().collect()
}

/// `round_decimal`: -1 leaves scores as they are.
fn decimals(asked: Option<i64>) -> Result<Option<u8>> {
    match asked.unwrap_or(-1) {
        -1 => Ok(None),
        decimals @ 0..=6 => Ok(u8::try_from(decimals).ok()),
        other => Err(Error::invalid(format!(
            "round_decimal [{other}] is invalid, it should be -1 or an integer in range [0, 6]"
        ))),
    }
}

/// Grouping, by the arguments at these places or by `search_params`.
fn grouping<'a>(
    call: &Call,
    [field, size, strict]: [usize; 3],
    options: &Options,
    collection: &'a super::catalog::Collection,
    window: Window,
) -> Result<(Option<&'a super::catalog::Column>, Option<Groups>)> {
    let asked = &options.grouping;
    let Some(name) =
        call.get::<String>(field).or_else(|| asked.field.clone()).filter(|name| !name.is_empty())
    else {
        return Ok((None, None));
    };
    let column = request::group_field(collection, &name)?;
    let size = call.get::<i32>(size).map(i64::from).or(asked.size).unwrap_or(1);
    if !(1..=MOST_OF_GROUP).contains(&size) {
        return Err(Error::invalid(format!(
            "input group size:{size} is invalid, it should be in range [1, {MOST_OF_GROUP}]"
        )));
    }
    let is_strict = call.get::<bool>(strict).or(asked.is_strict).unwrap_or(false);
    let groups =
        Groups { count: window.top_k + window.skip, size: usize::try_from(size).unwrap_or(1), is_strict };
    Ok((Some(column), Some(groups)))
}

fn filter_sql(call: &Call) -> Result<String> {
    let collection = cache::find(&call.get::<String>(0).unwrap_or_default())?;
    // What is printed tells the names of columns.
    check_readable(collection.oid);
    let text: String = call.get(1).unwrap_or_default();
    let params: Option<JsonB> = call.get(2);
    let checked = filter::check(&collection, &text, params.as_ref().map(|params| &params.0))?;
    Ok(checked.to_display_sql(&kite_filter::SqlOptions::default()))
}

/// Tells the planner how many rows a search answers (`SupportRequestRows`, `nodes/supportnodes.h`), where `top_k` is a constant.
fn support(call: &Call) -> Result<Datum> {
    let request: *mut pg_sys::Node = call.datum(0).cast_mut_ptr();
    // SAFETY: a support function is handed a node of some request type; tags are tested before casts, and the arguments of a call are
    // a list of expressions.
    unsafe {
        if (*request).type_ != NodeTag::T_SupportRequestRows {
            return Ok(Datum::null());
        }
        let rows = request.cast::<pg_sys::SupportRequestRows>();
        if (*rows).node.is_null() || (*(*rows).node).type_ != NodeTag::T_FuncExpr {
            return Ok(Datum::null());
        }
        let arguments = PgList::<pg_sys::Node>::from_pg((*(*rows).node.cast::<pg_sys::FuncExpr>()).args);
        let constant = |n: usize| {
            let node = arguments.get_ptr(n).filter(|node| (**node).type_ == NodeTag::T_Const)?;
            let constant = node.cast::<pg_sys::Const>();
            let is_number = !(*constant).constisnull && (*constant).consttype == pg_sys::INT4OID;
            is_number.then(|| f64::from((*constant).constvalue.value() as i32))
        };
        let top_k = constant(2).unwrap_or(f64::from(TOP_K)).clamp(1.0, request::MOST as f64);
        let of_group = constant(11).unwrap_or(1.0).clamp(1.0, MOST_OF_GROUP as f64);
        (*rows).rows = top_k * of_group;
        Ok(Datum::from(request))
    }
}
