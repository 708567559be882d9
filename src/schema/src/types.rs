//! Data types of fields.

use crate::{Code, Error, Result};
use serde_json::Value;

/// The type of a field, with Milvus's number in its wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
#[allow(missing_docs, reason = "the names are Milvus's")]
pub enum DataType {
    Bool = 1,
    Int8 = 2,
    Int16 = 3,
    Int32 = 4,
    Int64 = 5,
    Float = 10,
    Double = 11,
    VarChar = 21,
    Array = 22,
    Json = 23,
    Timestamptz = 26,
    BinaryVector = 100,
    FloatVector = 101,
    Float16Vector = 102,
    BFloat16Vector = 103,
    SparseFloatVector = 104,
    Int8Vector = 105,
}

/// Every type with its name in the API and its name in the wire format.
const NAMES: [(DataType, &str, &str); 17] = [
    (DataType::Bool, "BOOL", "Bool"),
    (DataType::Int8, "INT8", "Int8"),
    (DataType::Int16, "INT16", "Int16"),
    (DataType::Int32, "INT32", "Int32"),
    (DataType::Int64, "INT64", "Int64"),
    (DataType::Float, "FLOAT", "Float"),
    (DataType::Double, "DOUBLE", "Double"),
    (DataType::VarChar, "VARCHAR", "VarChar"),
    (DataType::Array, "ARRAY", "Array"),
    (DataType::Json, "JSON", "JSON"),
    (DataType::Timestamptz, "TIMESTAMPTZ", "Timestamptz"),
    (DataType::BinaryVector, "BINARY_VECTOR", "BinaryVector"),
    (DataType::FloatVector, "FLOAT_VECTOR", "FloatVector"),
    (DataType::Float16Vector, "FLOAT16_VECTOR", "Float16Vector"),
    (DataType::BFloat16Vector, "BFLOAT16_VECTOR", "BFloat16Vector"),
    (DataType::SparseFloatVector, "SPARSE_FLOAT_VECTOR", "SparseFloatVector"),
    (DataType::Int8Vector, "INT8_VECTOR", "Int8Vector"),
];

/// Types of Milvus that have no column here, by number and name.
const UNSUPPORTED: [(i64, &str); 10] = [
    (20, "STRING"),
    (24, "GEOMETRY"),
    (25, "TEXT"),
    (27, "MOL"),
    (28, "DATE"),
    (29, "TIME"),
    (30, "DECIMAL"),
    (106, "ARRAYOFVECTOR"),
    (200, "ARRAYOFSTRUCT"),
    (201, "STRUCT"),
];

impl DataType {
    /// The name in the API, as `INT64`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// The name in messages, as `Int64`.
    #[must_use]
    pub fn label(self) -> &'static str {
        self.entry().2
    }

    /// Milvus's number.
    #[must_use]
    pub fn number(self) -> i16 {
        self as i16
    }

    fn entry(self) -> (Self, &'static str, &'static str) {
        let found = NAMES.into_iter().find(|entry| entry.0 == self);
        // The table has every variant, which a test shows.
        found.unwrap_or(NAMES[0])
    }

    /// The type of this number, if there is a column for it.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        NAMES.into_iter().map(|entry| entry.0).find(|kind| i64::from(kind.number()) == number)
    }

    /// Reads a type as clients write it: a number, a name in either spelling and any case, or with `DataType.` before it.
    ///
    /// # Errors
    /// For a type that is not known, or has no column here.
    pub fn read(value: &Value) -> Result<Self> {
        if let Some(number) = value.as_i64() {
            let unsupported = UNSUPPORTED.iter().find(|entry| entry.0 == number);
            return match unsupported {
                Some((_, name)) => Err(unsupported_type(name)),
                None => Self::from_number(number).ok_or_else(|| unknown(value)),
            };
        }
        let text = value.as_str().ok_or_else(|| unknown(value))?;
        let text = text.strip_prefix("DataType.").unwrap_or(text);
        let is = |name: &str| name.eq_ignore_ascii_case(text);
        if let Some(entry) = NAMES.into_iter().find(|entry| is(entry.1) || is(entry.2)) {
            return Ok(entry.0);
        }
        Err(match UNSUPPORTED.iter().find(|entry| is(entry.1)) {
            Some((_, name)) => unsupported_type(name),
            None => unknown(value),
        })
    }

    /// Whether fields of this type are searched by distance.
    #[must_use]
    pub fn is_vector(self) -> bool {
        self.number() >= Self::BinaryVector.number()
    }

    /// Whether it counts dimensions: any vector but a sparse one, whose dimensions Milvus leaves open.
    #[must_use]
    pub fn has_dim(self) -> bool {
        self.is_vector() && self != Self::SparseFloatVector
    }

    /// Whether it may be a primary key or a partition key.
    #[must_use]
    pub fn is_key(self) -> bool {
        matches!(self, Self::Int64 | Self::VarChar)
    }

    /// Whether arrays may be made of it.
    #[must_use]
    pub fn is_element(self) -> bool {
        !self.is_vector() && !matches!(self, Self::Array | Self::Json | Self::Timestamptz)
    }

    /// Smallest and largest whole number of the type.
    #[must_use]
    pub fn integer_range(self) -> Option<(i64, i64)> {
        match self {
            Self::Int8 => Some((i8::MIN.into(), i8::MAX.into())),
            Self::Int16 => Some((i16::MIN.into(), i16::MAX.into())),
            Self::Int32 => Some((i32::MIN.into(), i32::MAX.into())),
            Self::Int64 => Some((i64::MIN, i64::MAX)),
            _ => None,
        }
    }
}

fn unknown(value: &Value) -> Error {
    Error::invalid(format!("data type {value} is not known"))
}

fn unsupported_type(name: &str) -> Error {
    Error::new(Code::Unsupported, format!("data type {name} is not supported"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_spelling_is_read() {
        for (kind, name, label) in NAMES {
            assert_eq!((kind.name(), kind.label()), (name, label));
            for spelling in [
                json!(name),
                json!(label),
                json!(name.to_lowercase()),
                json!(format!("DataType.{name}")),
                json!(kind.number()),
            ] {
                assert_eq!(DataType::read(&spelling), Ok(kind), "{spelling}");
            }
        }
    }

    #[test]
    fn what_has_no_column_is_said_so() {
        for spelling in [json!("Geometry"), json!(24)] {
            let error = DataType::read(&spelling).expect_err("refused");
            assert_eq!(
                (error.code, &*error.message),
                (Code::Unsupported, "data type GEOMETRY is not supported")
            );
        }
        for spelling in [json!(0), json!("int"), json!(null), json!(1.5)] {
            assert_eq!(DataType::read(&spelling).expect_err("refused").code, Code::ParameterInvalid);
        }
    }
}
