//! What is asked for an index, and metrics.

use crate::read::Keys;
use crate::{Code, DataType, Error, Result};
use serde_json::{Map, Value};

/// How vectors are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are Milvus's")]
pub enum Metric {
    L2,
    Ip,
    Cosine,
    Hamming,
    Jaccard,
    Substructure,
    Superstructure,
}

impl Metric {
    const ALL: [Self; 7] = [
        Self::L2,
        Self::Ip,
        Self::Cosine,
        Self::Hamming,
        Self::Jaccard,
        Self::Substructure,
        Self::Superstructure,
    ];

    /// Milvus's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::L2 => "L2",
            Self::Ip => "IP",
            Self::Cosine => "COSINE",
            Self::Hamming => "HAMMING",
            Self::Jaccard => "JACCARD",
            Self::Substructure => "SUBSTRUCTURE",
            Self::Superstructure => "SUPERSTRUCTURE",
        }
    }

    /// Reads a name in any case, for a field of this type.
    ///
    /// # Errors
    /// Where there is no such metric for it.
    pub fn read(name: &str, field: DataType) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|metric| metric.name().eq_ignore_ascii_case(name));
        found.filter(|metric| metric.suits(field)).ok_or_else(|| {
            let kind = field.label();
            let suited = Self::ALL.into_iter().filter(|metric| metric.suits(field)).map(Self::name);
            Error::invalid(format!("{kind} vector index does not support metric type: {name}"))
                .with_hint(format!("Its metrics are {}.", suited.collect::<Vec<_>>().join(", ")))
        })
    }

    /// The metric of a vector field whose index does not say one.
    #[must_use]
    pub fn default_for(field: DataType) -> Self {
        match field {
            DataType::BinaryVector => Self::Hamming,
            DataType::SparseFloatVector => Self::Ip,
            _ => Self::Cosine,
        }
    }

    /// Whether fields of this type are compared by it.
    #[must_use]
    pub fn suits(self, field: DataType) -> bool {
        match field {
            DataType::BinaryVector => !matches!(self, Self::L2 | Self::Ip | Self::Cosine),
            DataType::SparseFloatVector => self == Self::Ip,
            vector if vector.is_vector() => matches!(self, Self::L2 | Self::Ip | Self::Cosine),
            _ => false,
        }
    }

    /// Whether a larger score is a better one.
    #[must_use]
    pub fn larger_is_better(self) -> bool {
        matches!(self, Self::Ip | Self::Cosine)
    }
}

/// What a client asks for an index.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexRequest {
    /// The field.
    pub field: String,
    /// Its name, where one is given; else that of the field.
    pub index_name: Option<String>,
    /// Its type in upper case, `AUTOINDEX` where none is given.
    pub index_type: String,
    /// The metric as it was written.
    pub metric_type: Option<String>,
    /// Everything else, nested or flat.
    pub params: Map<String, Value>,
}

impl IndexRequest {
    /// A request that leaves the type of index open.
    #[must_use]
    pub fn automatic(field: &str, metric_type: &str) -> Self {
        Self {
            field: field.to_owned(),
            index_name: None,
            index_type: "AUTOINDEX".to_owned(),
            metric_type: Some(metric_type.to_owned()),
            params: Map::new(),
        }
    }

    /// Reads one request or a list of them.
    ///
    /// # Errors
    /// Where they are none.
    pub fn read_all(value: &Value) -> Result<Vec<Self>> {
        match value {
            Value::Array(list) => list.iter().map(Self::read).collect(),
            one => Ok(vec![Self::read(one)?]),
        }
    }

    fn read(value: &Value) -> Result<Self> {
        let mut keys = Keys::new("index_params", value)?;
        let field = keys
            .text(&["field_name", "field"])?
            .ok_or_else(|| Error::new(Code::ParameterMissing, "index_params has no field_name"))?;
        let index_name = keys.text(&["index_name", "name"])?.filter(|name| !name.is_empty());
        let metric_type = keys.text(&["metric_type"])?.filter(|name| !name.is_empty());
        let index_type = keys.text(&["index_type"])?.filter(|name| !name.is_empty());
        // Keys inside of params keep their case: `M`, `efConstruction`.
        let nested = match keys.take(&["params", "index_config"]) {
            None => Map::new(),
            Some(Value::Object(nested)) => nested,
            Some(other) => {
                return Err(Error::invalid(format!(
                    "params of index_params should be a JSON object, not {other}"
                )));
            }
        };
        let taken = [
            "field_name",
            "field",
            "index_name",
            "name",
            "metric_type",
            "index_type",
            "params",
            "index_config",
        ];
        let left = keys.rest();
        let flat = value.as_object().into_iter().flatten();
        let flat = flat.filter(|(key, _)| {
            let snake = crate::read::snake_case(key);
            left.contains_key(&snake) && !taken.contains(&snake.as_str())
        });
        let mut params: Map<String, Value> = flat.map(|(key, value)| (key.clone(), value.clone())).collect();
        params.extend(nested);
        let pick = |params: &mut Map<String, Value>, key: &str| match params.remove(key) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let index_type = index_type.or_else(|| pick(&mut params, "index_type"));
        let metric_type = metric_type.or_else(|| pick(&mut params, "metric_type"));
        Ok(Self {
            field,
            index_name,
            index_type: index_type.map_or_else(|| "AUTOINDEX".to_owned(), |name| name.to_ascii_uppercase()),
            metric_type,
            params,
        })
    }
}
