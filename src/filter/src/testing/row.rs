//! A row: a value for every field, and dynamic keys.

use crate::schema::{DataType, Scalar, Schema};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// A value in a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// SQL's NULL
    Null,
    /// `boolean`
    Bool(bool),
    /// Any of the integer types
    Int(i64),
    /// `real`
    Float(f32),
    /// `double precision`
    Double(f64),
    /// `text`
    Text(String),
    /// Elements that may be [`Datum::Null`]
    Array(Vec<Datum>),
    /// `jsonb`
    Json(Json),
}

/// Values by the names of fields, dynamic keys under `$meta`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row(BTreeMap<String, Datum>);

impl Row {
    /// The row that Milvus would make of an entity: keys that are no fields are dynamic.
    ///
    /// # Errors
    /// Says which value a field's type has not.
    pub fn from_json(schema: &Schema, entity: &Map<String, Json>) -> Result<Self, String> {
        let mut row = Self::default();
        for field in &schema.fields {
            let value = entity.get(&field.name).unwrap_or(&Json::Null);
            let datum = datum(&field.data_type, value).ok_or_else(|| format!("{}: {value}", field.name))?;
            row.0.insert(field.name.clone(), datum);
        }
        let dynamic = entity.iter().filter(|(key, _)| schema.fields.iter().all(|field| field.name != **key));
        let dynamic: Map<String, Json> = dynamic.map(|(key, value)| (key.clone(), value.clone())).collect();
        row.0.insert("$meta".into(), Datum::Json(Json::Object(dynamic)));
        Ok(row)
    }

    /// The value of a field; NULL where the row has none.
    #[must_use]
    pub fn get(&self, field: &str) -> &Datum {
        self.0.get(field).unwrap_or(&Datum::Null)
    }

    /// The row as `jsonb_populate_record` takes it.
    #[must_use]
    pub fn to_json(&self) -> Json {
        self.0.iter().map(|(name, datum)| (name.clone(), datum.to_json())).collect::<Map<_, _>>().into()
    }
}

impl Datum {
    fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::from(*value),
            Self::Int(value) => Json::from(*value),
            Self::Float(value) => Json::from(*value),
            Self::Double(value) => Json::from(*value),
            Self::Text(value) => Json::from(value.as_str()),
            Self::Array(values) => values.iter().map(Self::to_json).collect(),
            Self::Json(value) => value.clone(),
        }
    }
}

fn datum(data_type: &DataType, value: &Json) -> Option<Datum> {
    match (data_type, value) {
        (_, Json::Null) => Some(Datum::Null),
        (DataType::Scalar(type_), value) => scalar(*type_, value),
        (DataType::Array(element), Json::Array(values)) => {
            let element =
                |value: &Json| if value.is_null() { Some(Datum::Null) } else { scalar(*element, value) };
            values.iter().map(element).collect::<Option<_>>().map(Datum::Array)
        }
        (DataType::Json, value) => Some(Datum::Json(value.clone())),
        _ => None,
    }
}

fn scalar(type_: Scalar, value: &Json) -> Option<Datum> {
    Some(match type_ {
        Scalar::Bool => Datum::Bool(value.as_bool()?),
        Scalar::Float => Datum::Float(value.as_f64()? as f32),
        Scalar::Double => Datum::Double(value.as_f64()?),
        Scalar::VarChar => Datum::Text(value.as_str()?.to_owned()),
        integer => {
            let (least, greatest) = integer.integers()?;
            Datum::Int(value.as_i64().filter(|value| (least..=greatest).contains(value))?)
        }
    })
}
