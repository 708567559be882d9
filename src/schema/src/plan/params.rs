//! The parameters of an index request, read by name, within their ranges.

use crate::{Error, IndexRequest, Result};
use serde_json::Value;

/// Keys that say how Milvus holds an index in memory, and nothing of the index.
const SILENT: [&str; 6] = ["mmap.enabled", "mmap_enabled", "warmup", "offset_cache.enabled", "dim", "level"];

/// The parameters of a request, taken one by one.
pub(super) struct Params<'a> {
    request: &'a IndexRequest,
    taken: Vec<&'a str>,
}

impl<'a> Params<'a> {
    pub(super) fn new(request: &'a IndexRequest) -> Self {
        Self { request, taken: Vec::new() }
    }

    /// The type of index, in upper case.
    pub(super) fn index_type(&self) -> &'a str {
        &self.request.index_type
    }

    /// The value, taken.
    pub(super) fn get(&mut self, name: &'a str) -> Option<&'a Value> {
        self.taken.push(name);
        self.request.params.get(name).filter(|value| !value.is_null())
    }

    /// A whole number, as a number or a string.
    pub(super) fn integer(
        &mut self,
        name: &'a str,
        (least, most): (i64, i64),
        otherwise: i64,
    ) -> Result<i64> {
        let Some(value) = self.get(name) else { return Ok(otherwise) };
        let number = value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
        let number = number.ok_or_else(|| {
            Error::invalid(format!("Type conflict in json: param '{name}' ({value}) should be an integer"))
        })?;
        if (least..=most).contains(&number) {
            return Ok(number);
        }
        Err(Error::invalid(format!(
            "Out of range in json: param '{name}' ({number}) should be in range [{least}, {most}]"
        )))
    }

    /// One of these words, in any case.
    pub(super) fn text(
        &mut self,
        name: &'a str,
        allowed: &[&'static str],
        otherwise: &'static str,
    ) -> Result<&'static str> {
        let Some(value) = self.get(name) else { return Ok(otherwise) };
        let text = value.as_str().unwrap_or_default();
        allowed.iter().find(|known| known.eq_ignore_ascii_case(text)).copied().ok_or_else(|| {
            Error::invalid(format!(
                "invalid param '{name}': {value}, should be one of {}",
                allowed.join(", ")
            ))
        })
    }

    /// A part of one, 1 excluded.
    pub(super) fn ratio(&mut self, name: &'a str) -> Result<()> {
        let Some(value) = self.get(name) else { return Ok(()) };
        let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        if number.is_some_and(|number| (0.0..1.0).contains(&number)) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "Out of range in json: param '{name}' ({value}) should be in range [0.000000, 1.000000)"
        )))
    }

    /// Parameters that change nothing here, and are right where they stand.
    pub(super) fn ignore(&mut self, names: &[&'a str]) {
        self.taken.extend(names);
    }

    /// The keys that nobody has taken.
    pub(super) fn left(&self) -> Vec<String> {
        let known = |key: &&String| !self.taken.contains(&key.as_str()) && !SILENT.contains(&key.as_str());
        self.request.params.keys().filter(known).cloned().collect()
    }
}
