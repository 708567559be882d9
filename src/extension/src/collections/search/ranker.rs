//! How the hits of several searches become one list: rank fusion, weighted scores, and scores that a field of the row decays or boosts.

use super::score;
use kite_schema::{Error, Metric, Result};
use serde_json::{Map, Value};

/// The `k` of rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009), where none is given.
const RRF_K: f64 = 60.0;

/// A ranker with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ranker {
    /// The sum of `1 / (k + rank)`, ranks from 1.
    Rrf {
        /// How little the first ranks stand out.
        k: f64,
    },
    /// The sum of weighted scores.
    Weighted {
        /// A weight for each search.
        weights: Vec<f64>,
        /// Whether scores are normalised before.
        is_normalised: bool,
    },
    /// The best score, less for rows whose field is far from a value.
    Decay(Decay),
    /// The best score, more for rows that match filters.
    Boost(Boosts),
}

/// A curve that falls with the distance of a number from `origin`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decay {
    /// The field.
    pub(super) field: String,
    curve: Curve,
    origin: f64,
    scale: f64,
    offset: f64,
    decay: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Curve {
    Gauss,
    Exp,
    Linear,
}

/// What rows are boosted by.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Boosts {
    /// Each boost.
    pub(super) boosts: Vec<Boost>,
    /// Whether the boosts of a row are multiplied, else they are added.
    multiplies_boosts: bool,
    /// Whether its score is multiplied by them, else they are added to it.
    multiplies_score: bool,
}

/// A boost of the rows that match a filter.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Boost {
    /// The filter; every row, where there is none.
    pub(super) filter: Option<String>,
    weight: f64,
    /// The seed of a random factor.
    seed: Option<u64>,
}

impl Decay {
    /// The factor of a row with this value.
    pub(super) fn factor(&self, value: f64) -> f64 {
        let distance = ((value - self.origin).abs() - self.offset).max(0.0);
        match self.curve {
            Curve::Gauss => (self.decay.ln() * (distance / self.scale).powi(2)).exp(),
            Curve::Exp => (self.decay.ln() * distance / self.scale).exp(),
            Curve::Linear => (1.0 - (1.0 - self.decay) * distance / self.scale).max(0.0),
        }
    }
}

impl Boosts {
    /// The score of a row that matches these of the boosts. `hash` tells rows apart, for random factors.
    pub(super) fn boosted(&self, score: f64, matching: impl Iterator<Item = usize>, hash: u64) -> f64 {
        let weights = matching.filter_map(|place| {
            let boost = self.boosts.get(place)?;
            Some(boost.weight * boost.seed.map_or(1.0, |seed| unit(seed ^ hash)))
        });
        let boost = weights.reduce(|a, b| if self.multiplies_boosts { a * b } else { a + b });
        match boost {
            None => score,
            Some(boost) if self.multiplies_score => score * boost,
            Some(boost) => score + boost,
        }
    }
}

/// A number in [0, 1) that looks random (the finaliser of SplitMix64: Steele, Lea and Flood, OOPSLA 2014).
fn unit(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

impl Ranker {
    /// What a hit of the n-th search, with this rank from 1, gives to its row, and how it goes together with what others give.
    pub(super) fn combine(
        &self,
        before: Option<f64>,
        n: usize,
        rank: usize,
        metric: Metric,
        score: f64,
    ) -> f64 {
        match self {
            Self::Rrf { k } => before.unwrap_or(0.0) + 1.0 / (k + rank as f64),
            Self::Weighted { weights, is_normalised } => {
                let score = if *is_normalised {
                    score::normalised(metric, score)
                } else {
                    score::ascending(metric, score)
                };
                before.unwrap_or(0.0) + weights.get(n).copied().unwrap_or(0.0) * score
            }
            Self::Decay(_) | Self::Boost(_) => {
                let score = score::ascending(metric, score);
                before.map_or(score, |before| before.max(score))
            }
        }
    }

    /// Reads a ranker for so many searches: as Milvus's clients write it, flat or with `params`; without one, it is rank fusion.
    ///
    /// # Errors
    /// Where it is none, or a parameter is out of range.
    pub(super) fn read(value: Option<&Value>, searches: usize) -> Result<Self> {
        let value = match value {
            None | Some(Value::Null) => return Ok(Self::Rrf { k: RRF_K }),
            Some(value) => value,
        };
        let map = flat(value)?;
        if let Some(functions) = map.get("functions").and_then(Value::as_array) {
            return match functions.as_slice() {
                [] => Err(Error::invalid("functions of the ranker is an empty list")),
                [one] if !is_boost(&flat(one)?) => Self::read(Some(one), searches),
                many => Boosts::read(many, &map).map(Self::Boost),
            };
        }
        match name(&map).as_deref() {
            Some("rrf") => {
                let k = number(&map, "k")?.unwrap_or(RRF_K);
                if k > 0.0 && k < 16_384.0 {
                    Ok(Self::Rrf { k })
                } else {
                    Err(Error::invalid(format!(
                        "The rank params k should be in range (0, 16384), but got {k}"
                    )))
                }
            }
            Some("weighted") => weighted(&map, searches),
            Some("decay") => Decay::read(&map).map(Self::Decay),
            Some("boost") => Boosts::read(std::slice::from_ref(value), &map).map(Self::Boost),
            Some("model") => {
                Err(Error::new(kite_schema::Code::Unsupported, "rankers of type model are not supported"))
            }
            other => Err(Error::invalid(format!("unsupported rank type {}", other.unwrap_or("(none)")))
                .with_hint("Rankers are rrf, weighted, decay and boost.")),
        }
    }
}

/// Keys and values, those of `params` (an object, or a list of key and value) beside the others and before them.
fn flat(value: &Value) -> Result<Map<String, Value>> {
    let Value::Object(map) = value else { return Err(Error::invalid("ranker should be a JSON object")) };
    let mut flat = map.clone();
    match flat.remove("params") {
        Some(Value::Object(params)) => flat.extend(params),
        Some(Value::Array(pairs)) => {
            for pair in pairs {
                if let (Some(key), Some(value)) = (pair.get("key").and_then(Value::as_str), pair.get("value"))
                {
                    flat.insert(key.to_owned(), value.clone());
                }
            }
        }
        _ => {}
    }
    Ok(flat)
}

fn is_boost(map: &Map<String, Value>) -> bool {
    name(map).as_deref() == Some("boost")
}

/// The kind of ranker. A client's own name of it says nothing, nor that it is one (`"type": "RERANK"`).
fn name(map: &Map<String, Value>) -> Option<String> {
    let named = ["strategy", "reranker", "ranker", "type"].iter().filter_map(|key| map.get(*key)?.as_str());
    let named = named.map(str::to_lowercase).find(|name| name != "rerank");
    named.or_else(|| {
        let kind = if map.contains_key("weights") {
            "weighted"
        } else if map.contains_key("origin") {
            "decay"
        } else if map.contains_key("weight") {
            "boost"
        } else if map.contains_key("k") {
            "rrf"
        } else {
            return None;
        };
        Some(kind.to_owned())
    })
}

/// A number; clients send some as strings.
fn number(map: &Map<String, Value>, key: &str) -> Result<Option<f64>> {
    let value = match map.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value,
    };
    let read = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    match read.filter(|number: &f64| number.is_finite()) {
        Some(number) => Ok(Some(number)),
        None => Err(Error::invalid(format!("{key} of the ranker should be a number, not {value}"))),
    }
}

fn weighted(map: &Map<String, Value>, searches: usize) -> Result<Ranker> {
    let weights = match map.get("weights") {
        Some(Value::Array(list)) => list.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>(),
        _ => None,
    };
    let weights =
        weights.ok_or_else(|| Error::invalid("weights of the ranker should be a list of numbers"))?;
    if let Some(weight) = weights.iter().find(|weight| !(0.0..=1.0).contains(*weight)) {
        return Err(Error::invalid(format!("rank param weight should be in range [0, 1], but got {weight}")));
    }
    if weights.len() != searches {
        let count = weights.len();
        return Err(Error::invalid(format!(
            "the length of weights param mismatch with ann search requests: invalid parameter[expected={searches}][actual={count}]"
        )));
    }
    let is_normalised = match map.get("norm_score") {
        None | Some(Value::Null) => true,
        Some(Value::Bool(value)) => *value,
        Some(other) => {
            return Err(Error::invalid(format!(
                "norm_score of the ranker should be true or false, not {other}"
            )));
        }
    };
    Ok(Ranker::Weighted { weights, is_normalised })
}

impl Decay {
    fn read(map: &Map<String, Value>) -> Result<Self> {
        let curve = match map.get("function").and_then(Value::as_str) {
            Some("gauss") => Curve::Gauss,
            Some("exp") => Curve::Exp,
            Some("linear") => Curve::Linear,
            _ => return Err(Error::invalid("function of a decay ranker should be gauss, exp or linear")),
        };
        let field = match map.get("input_field_names") {
            Some(Value::Array(names)) if names.len() == 1 => names[0].as_str(),
            Some(Value::String(name)) => Some(name.as_str()),
            _ => map.get("field").and_then(Value::as_str),
        };
        let field = field
            .ok_or_else(|| Error::invalid("a decay ranker has one field of numbers as input_field_names"))?
            .to_owned();
        let must = |key: &str| {
            number(map, key)?
                .ok_or_else(|| Error::invalid(format!("a decay ranker needs the parameter {key}")))
        };
        let (origin, scale) = (must("origin")?, must("scale")?);
        let (offset, decay) = (number(map, "offset")?.unwrap_or(0.0), number(map, "decay")?.unwrap_or(0.5));
        if scale <= 0.0 {
            return Err(Error::invalid(format!("scale of a decay ranker must be > 0, but got {scale}")));
        }
        if offset < 0.0 {
            return Err(Error::invalid(format!("offset of a decay ranker must be >= 0, but got {offset}")));
        }
        if !(decay > 0.0 && decay < 1.0) {
            return Err(Error::invalid(format!(
                "decay of a decay ranker must be in (0, 1), but got {decay}"
            )));
        }
        Ok(Self { field, curve, origin, scale, offset, decay })
    }
}

impl Boosts {
    fn read(functions: &[Value], all: &Map<String, Value>) -> Result<Self> {
        let boosts = functions.iter().map(Boost::read).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            boosts,
            multiplies_boosts: multiplies(all, "function_mode")?,
            multiplies_score: multiplies(all, "boost_mode")?,
        })
    }
}

fn multiplies(map: &Map<String, Value>, key: &str) -> Result<bool> {
    match map.get(key).and_then(Value::as_str).map(str::to_lowercase).as_deref() {
        None | Some("multiply") => Ok(true),
        Some("sum") => Ok(false),
        Some(other) => Err(Error::invalid(format!("{key} should be multiply or sum, not {other}"))),
    }
}

impl Boost {
    fn read(value: &Value) -> Result<Self> {
        let map = flat(value)?;
        if !is_boost(&map) {
            return Err(Error::invalid("several rankers go together only where all are of type boost"));
        }
        let weight = number(&map, "weight")?;
        let weight = weight.ok_or_else(|| Error::invalid("a boost ranker needs the parameter weight"))?;
        let filter = map.get("filter").and_then(Value::as_str).map(str::to_owned);
        let seed = match map.get("random_score") {
            None | Some(Value::Null) => None,
            Some(random) => Some(random.get("seed").and_then(Value::as_i64).unwrap_or(0).cast_unsigned()),
        };
        Ok(Self { filter, weight, seed })
    }
}

#[cfg(test)]
mod tests;
