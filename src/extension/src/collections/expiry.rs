//! `collection.ttl.seconds`: rows that are older are not seen by the functions of schema `kite` any more, and `kite.compact` deletes
//! them. How old a row is says a column of its own, which a table gets when the property is set first; rows that are there then count
//! from that moment. Whatever inserts a row fills it, plain SQL and COPY too, since it has a default; an upsert begins anew.

use super::catalog::Collection;
use super::sql::ident;
use super::table::INSERTED_AT;
use serde_json::{Map, Value};

/// The property.
pub(super) const TTL: &str = "collection.ttl.seconds";

/// What is taken for ever, in seconds, some 300 years: `timestamptz` has room for it, whatever the date is.
const EVER: i64 = 10_000_000_000;

/// The seconds that rows live, `None` where they live for ever: 0 turns the property off, as in Milvus.
pub(super) fn seconds(properties: &Map<String, Value>) -> Option<i64> {
    let value = properties.get(TTL)?;
    let seconds = value.as_i64().or_else(|| value.as_str()?.parse().ok())?;
    (1..EVER).contains(&seconds).then_some(seconds)
}

/// The condition of rows that are seen, where there are others; `alias` is that of the table in the statement.
pub(super) fn alive(collection: &Collection, alias: Option<&str>) -> Option<String> {
    compare(collection, alias, ">")
}

/// The condition of rows that are not seen any more.
pub(super) fn expired(collection: &Collection, alias: Option<&str>) -> Option<String> {
    compare(collection, alias, "<=")
}

fn compare(collection: &Collection, alias: Option<&str>, operator: &str) -> Option<String> {
    // Whoever drops the column by plain SQL keeps the rows.
    let seconds = seconds(&collection.properties).filter(|_| collection.has_inserted_at)?;
    let alias = alias.map_or_else(String::new, |alias| format!("{}.", ident(alias)));
    Some(format!(
        "{alias}{} OPERATOR(pg_catalog.{operator}) (pg_catalog.statement_timestamp() \
         OPERATOR(pg_catalog.-) pg_catalog.make_interval(secs => {seconds}::pg_catalog.float8))",
        ident(INSERTED_AT)
    ))
}

/// The column in a definition. The default is one value for all rows that are there, so that adding it rewrites nothing.
pub(super) fn column() -> String {
    format!("{} pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()", ident(INSERTED_AT))
}
