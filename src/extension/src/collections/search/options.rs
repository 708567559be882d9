//! What `search_params` says: a metric, a range, and parameters of the index for one call.

use super::score;
use crate::guc;
use kite_schema::{Code, DataType, Error, Metric, Result};
use serde_json::Value;

/// The largest `hnsw.ef_search`.
const MOST_EF: i64 = 1000;
/// The largest `ivfflat.probes` and `kite.ivf_probes`.
const MOST_PROBES: i64 = 32_768;

/// Keys of Milvus's that mean nothing here, or that a client repeats: taken and left.
const WITHOUT_EFFECT: [&str; 25] = [
    "anns_field",
    "batch_size",
    "collection_id",
    "dim_max_score_ratio",
    "drop_ratio_search",
    "hints",
    "ignore_growing",
    "iterator",
    "itopk_size",
    "level",
    "limit",
    "max_empty_result_buckets",
    "min_iterations",
    "max_iterations",
    "page_retain_order",
    "rbq_query_bits",
    "rbq_bits_query",
    "refine_k",
    "reorder_k",
    "retain_iterator_order",
    "search_width",
    "team_size",
    "topk",
    "trace_visit",
    "nq",
];

/// What a call may say by an argument or here.
#[derive(Debug, Default)]
pub(super) struct Grouping {
    /// `group_by_field`.
    pub(super) field: Option<String>,
    /// `group_size`.
    pub(super) size: Option<i64>,
    /// `strict_group_size`.
    pub(super) is_strict: Option<bool>,
}

/// `search_params`, read.
#[derive(Debug, Default)]
pub(super) struct Options {
    metric: Option<String>,
    radius: Option<f64>,
    range_filter: Option<f64>,
    ef: Option<i64>,
    probes: Option<i64>,
    /// Of groups.
    pub(super) grouping: Grouping,
    /// `round_decimal`.
    pub(super) round_decimal: Option<i64>,
    /// `offset`.
    pub(super) skip: Option<i64>,
    /// `consistency_level`.
    pub(super) consistency_level: Option<String>,
}

/// Which scores are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Range {
    /// Scores must be better than this one.
    pub(super) outer: Option<f64>,
    /// Scores must not be better than this one.
    pub(super) inner: Option<f64>,
}

impl Options {
    /// Reads them; what stands in `params` goes before what stands beside it.
    ///
    /// # Errors
    /// For a key that Milvus does not know, and a value of the wrong kind.
    pub(super) fn read(value: Option<&Value>) -> Result<Self> {
        let mut options = Self::default();
        match value {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) => {
                for (key, value) in map.iter().filter(|(key, _)| *key != "params") {
                    options.set(key, value)?;
                }
                match map.get("params") {
                    None | Some(Value::Null) => {}
                    Some(Value::Object(params)) => {
                        params.iter().try_for_each(|(key, value)| options.set(key, value))?;
                    }
                    Some(_) => return Err(Error::invalid("params of search_params should be a JSON object")),
                }
            }
            Some(_) => return Err(Error::invalid("search_params should be a JSON object")),
        }
        Ok(options)
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<()> {
        if value.is_null() {
            return Ok(());
        }
        match key {
            "metric_type" => self.metric = Some(text(key, value)?).filter(|name| !name.is_empty()),
            "radius" => self.radius = Some(number(key, value)?),
            "range_filter" => self.range_filter = Some(number(key, value)?),
            "ef" | "ef_search" | "search_list" => self.ef = Some(integer(key, value)?),
            "nprobe" => self.probes = Some(integer(key, value)?),
            "group_by_field" => self.grouping.field = Some(text(key, value)?),
            "group_size" => self.grouping.size = Some(integer(key, value)?),
            "strict_group_size" => self.grouping.is_strict = Some(boolean(key, value)?),
            "round_decimal" => self.round_decimal = Some(integer(key, value)?),
            "offset" => self.skip = Some(integer(key, value)?),
            "consistency_level" => self.consistency_level = Some(text(key, value)?),
            other if WITHOUT_EFFECT.contains(&other) => {}
            other => {
                return Err(Error::invalid(format!("search_params has an unknown key: {other}")).with_hint(
                    "Those that do something are metric_type, ef, search_list, nprobe, radius and range_filter.",
                ));
            }
        }
        Ok(())
    }

    /// The metric: the one that is asked for, which must be that of the index where there is one.
    ///
    /// # Errors
    /// Where they differ, or the type has no such metric.
    pub(super) fn metric(&self, kind: DataType, index: Option<Metric>) -> Result<Metric> {
        let Some(name) = &self.metric else {
            return Ok(index.unwrap_or_else(|| Metric::default_for(kind)));
        };
        let asked = Metric::read(name, kind);
        match index {
            Some(index) if asked.as_ref().ok() != Some(&index) => {
                let expected = index.name();
                Err(Error::invalid(format!(
                    "metric type not match: invalid [expected={expected}][actual={name}]"
                )))
            }
            _ => asked,
        }
    }

    /// The range of scores that is asked for.
    ///
    /// # Errors
    /// Where no score can be in it.
    pub(super) fn range(&self, metric: Metric) -> Result<Range> {
        let range = Range { outer: self.radius, inner: self.range_filter };
        if range == Range::default() {
            return Ok(range);
        }
        if matches!(score::order(metric), score::Order::Match(_)) {
            let name = metric.name();
            return Err(Error::new(Code::Unsupported, format!("range search is not supported for {name}")));
        }
        let Some(radius) = self.radius else {
            return Err(Error::new(Code::ParameterMissing, "range_filter is given without radius"));
        };
        if let Some(inner) = range.inner
            && !score::is_better(metric, inner, radius)
        {
            let (name, order) = (metric.name(), if metric.larger_is_better() { "greater" } else { "less" });
            return Err(Error::invalid(format!(
                "range_filter({inner}) must be {order} than radius({radius}) for {name}"
            )));
        }
        Ok(range)
    }

    /// The settings that hold for this call, of a search that wants so many rows.
    ///
    /// # Errors
    /// For a value out of range.
    pub(super) fn settings(&self, rows: i64) -> Result<Vec<Setting>> {
        let mut settings = Vec::new();
        let current = i64::try_from(guc::ef_search()).unwrap_or(MOST_EF);
        let ef = match self.ef {
            Some(ef) if ef < rows => {
                return Err(Error::invalid(format!("ef({ef}) should be larger than k({rows})")));
            }
            // The beam has an end, the scan goes on behind it.
            Some(ef) => ef.min(MOST_EF),
            // As wide as what is wanted, as in Milvus, so that many rows are as good as few.
            None => current.max(rows.min(MOST_EF)),
        };
        if ef != current {
            settings.push(Setting { name: c"hnsw.ef_search", value: ef });
        }
        // A scan must be able to give so many rows at all.
        let visits = rows.saturating_mul(4);
        if visits > i64::try_from(guc::max_scan_tuples()).unwrap_or(i64::MAX) {
            settings.push(Setting { name: c"hnsw.max_scan_tuples", value: visits.min(i64::from(i32::MAX)) });
        }
        if let Some(probes) = self.probes {
            if probes < 1 {
                return Err(Error::invalid(format!("nprobe({probes}) should be at least 1")));
            }
            // Whichever access method the index is of.
            for name in [c"ivfflat.probes", c"kite.ivf_probes"] {
                settings.push(Setting { name, value: probes.min(MOST_PROBES) });
            }
        }
        Ok(settings)
    }
}

/// A setting for one call.
#[derive(Debug)]
pub(super) struct Setting {
    /// Its name.
    pub(super) name: &'static std::ffi::CStr,
    /// Its value.
    pub(super) value: i64,
}

fn wrong(key: &str, value: &Value, kind: &str) -> Error {
    Error::invalid(format!("{key} should be {kind}, not {value}"))
}

fn text(key: &str, value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| wrong(key, value, "a string"))
}

/// Some clients send numbers as strings.
fn number(key: &str, value: &Value) -> Result<f64> {
    let read = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    read.filter(|number: &f64| number.is_finite()).ok_or_else(|| wrong(key, value, "a number"))
}

fn integer(key: &str, value: &Value) -> Result<i64> {
    let read = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_i64(),
    };
    read.ok_or_else(|| wrong(key, value, "a whole number"))
}

fn boolean(key: &str, value: &Value) -> Result<bool> {
    match value {
        Value::Bool(value) => Ok(*value),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        other => Err(wrong(key, other, "true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: &Value) -> Result<Options> {
        Options::read(Some(value))
    }

    #[test]
    fn nested_keys_go_before_flat_ones() -> Result<()> {
        let options =
            read(&json!({"metric_type": "L2", "radius": 1, "params": {"radius": "2.5", "hints": 1}}))?;
        assert_eq!((options.metric.as_deref(), options.radius), (Some("L2"), Some(2.5)));
        assert_eq!(Options::read(Some(&Value::Null))?.radius, None);
        Ok(())
    }

    #[test]
    fn what_is_no_parameter_is_refused() {
        for value in [
            json!([]),
            json!({"params": 1}),
            json!({"efsearch": 1}),
            json!({"radius": "near"}),
            json!({"radius": "inf"}),
            json!({"nprobe": 1.5}),
            json!({"metric_type": 1}),
            json!({"strict_group_size": "maybe"}),
        ] {
            assert!(read(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn the_metric_is_that_of_the_index() -> Result<()> {
        let vector = DataType::FloatVector;
        assert_eq!(Options::default().metric(vector, None)?, Metric::Cosine);
        assert_eq!(Options::default().metric(vector, Some(Metric::Ip))?, Metric::Ip);
        let l2 = read(&json!({"metric_type": "l2"}))?;
        assert_eq!(l2.metric(vector, None)?, Metric::L2);
        assert_eq!(l2.metric(vector, Some(Metric::L2))?, Metric::L2);
        let error = l2.metric(vector, Some(Metric::Ip)).expect_err("refused");
        assert_eq!(error.message, "metric type not match: invalid [expected=IP][actual=l2]");
        assert!(l2.metric(DataType::BinaryVector, None).is_err());
        Ok(())
    }

    #[test]
    fn ranges_have_an_order() -> Result<()> {
        let options = read(&json!({"radius": 2, "range_filter": 1}))?;
        assert_eq!(options.range(Metric::L2)?, Range { outer: Some(2.0), inner: Some(1.0) });
        assert!(options.range(Metric::Ip).is_err());
        assert!(read(&json!({"radius": 1, "range_filter": 1}))?.range(Metric::L2).is_err());
        assert!(read(&json!({"range_filter": 1}))?.range(Metric::L2).is_err());
        assert!(read(&json!({"radius": 1}))?.range(Metric::Substructure).is_err());
        assert_eq!(Options::default().range(Metric::Substructure)?, Range::default());
        Ok(())
    }
}
