//! One field: what it is, and what Milvus demands of it.

use crate::{Code, DataType, Entity, Error, Result, check_name};
use serde_json::{Map, Value, json};

/// Bytes that a VARCHAR may be declared with.
pub const MAX_LENGTH: u32 = 65_535;

/// Elements that an ARRAY may be declared with.
pub const MAX_CAPACITY: u32 = 4096;

/// Dimensions of a dense vector: Milvus's least, and the most that a column of type `vector` or `halfvec` has room for.
const DENSE_DIMS: (u32, u32) = (2, 16_000);

/// Dimensions of a binary vector.
const BINARY_DIMS: (u32, u32) = (8, 262_144);

/// Dimensions of a sparse vector's column where nobody says fewer: all that the type has room for.
const SPARSE_DIMS: u32 = 1_000_000_000;

/// A field of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name, up to 255 bytes.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Of an ARRAY, the type of its elements.
    pub element_type: Option<DataType>,
    /// Of a vector, its dimensions (bits of a binary one).
    pub dim: Option<u32>,
    /// Of a VARCHAR, or an ARRAY of them, the bytes that a value may have.
    pub max_length: Option<u32>,
    /// Of an ARRAY, the elements that a value may have.
    pub max_capacity: Option<u32>,
    /// Whether it is the primary key.
    pub is_primary: bool,
    /// Whether the server makes its values; only of a primary key.
    pub auto_id: bool,
    /// Whether rows go to partitions by its value.
    pub is_partition_key: bool,
    /// Whether NULL is a value.
    pub nullable: bool,
    /// What a row has that says nothing, as a JSON scalar.
    pub default_value: Option<Value>,
    /// A remark.
    pub description: String,
    /// What Milvus knows of a field and nothing here depends on (`mmap_enabled`, analyzers and so on): kept and shown.
    pub params: Map<String, Value>,
}

impl Field {
    /// A field of this name and type, without anything else.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            name: name.into(),
            data_type,
            element_type: None,
            dim: None,
            max_length: None,
            max_capacity: None,
            is_primary: false,
            auto_id: false,
            is_partition_key: false,
            nullable: false,
            default_value: None,
            description: String::new(),
            params: Map::new(),
        }
    }

    /// Checks what can be said of the field alone, and fills in what Milvus leaves open.
    ///
    /// # Errors
    /// Where a name, a range or a combination is not allowed.
    pub fn check(&mut self) -> Result<()> {
        check_name(Entity::Field, &self.name)?;
        self.check_dim()?;
        self.check_text()?;
        self.check_array()?;
        self.check_keys()?;
        self.check_default()
    }

    fn check_dim(&mut self) -> Result<()> {
        let name = &self.name;
        if self.data_type == DataType::SparseFloatVector {
            let dim = *self.dim.get_or_insert(SPARSE_DIMS);
            return in_range("dimension", name, dim, (1, SPARSE_DIMS));
        }
        if !self.data_type.has_dim() {
            return match self.dim {
                Some(_) => Err(Error::invalid(format!(
                    "dim cannot be specified for the field({name}): it is no vector"
                ))),
                None => Ok(()),
            };
        }
        let dim = self.dim.ok_or_else(|| {
            Error::invalid(format!(
                "dimension is not defined in field type params of field {name}, check type param `dim` for vector field"
            ))
        })?;
        if self.data_type != DataType::BinaryVector {
            return in_range("dimension", name, dim, DENSE_DIMS);
        }
        in_range("dimension", name, dim, BINARY_DIMS)?;
        if dim % 8 != 0 {
            return Err(Error::invalid(format!(
                "invalid dimension: {dim} of field {name}. binary vector dimension should be multiple of 8."
            )));
        }
        Ok(())
    }

    fn check_text(&self) -> Result<()> {
        let name = &self.name;
        let is_text = self.data_type == DataType::VarChar || self.element_type == Some(DataType::VarChar);
        match self.max_length {
            None if is_text => Err(Error::new(
                Code::ParameterMissing,
                format!("type param(max_length) should be specified for the field({name})"),
            )),
            Some(length) if is_text && !(1..=MAX_LENGTH).contains(&length) => Err(Error::invalid(format!(
                "the maximum length specified for the field({name}) should be in (0, {MAX_LENGTH}], but got {length} instead"
            ))),
            Some(_) if !is_text => Err(Error::invalid(format!(
                "max_length cannot be specified for the field({name}): it is no VARCHAR"
            ))),
            _ => Ok(()),
        }
    }

    fn check_array(&self) -> Result<()> {
        let name = &self.name;
        if self.data_type != DataType::Array {
            return match (self.element_type, self.max_capacity) {
                (None, None) => Ok(()),
                _ => Err(Error::invalid(format!(
                    "element_type and max_capacity cannot be specified for the field({name}): it is no ARRAY"
                ))),
            };
        }
        let element = self.element_type.ok_or_else(|| {
            Error::new(
                Code::ParameterMissing,
                format!("element data type should be specified for the field({name})"),
            )
        })?;
        if !element.is_element() {
            return Err(Error::invalid(format!(
                "element type {} of the field({name}) is not supported",
                element.label()
            )));
        }
        match self.max_capacity {
            None => Err(Error::new(
                Code::ParameterMissing,
                format!("type param(max_capacity) should be specified for the field({name})"),
            )),
            Some(capacity) if !(1..=MAX_CAPACITY).contains(&capacity) => Err(Error::invalid(format!(
                "the maximum capacity specified for a Array should be in (0, {MAX_CAPACITY}], but got {capacity} for the field({name})"
            ))),
            Some(_) => Ok(()),
        }
    }

    fn check_keys(&self) -> Result<()> {
        let name = &self.name;
        let refuse = |message: String| Err(Error::invalid(message));
        if self.is_primary && !self.data_type.is_key() {
            return refuse("the data type of primary key should be Int64 or VarChar".into());
        }
        if self.auto_id && !self.is_primary {
            return refuse(format!("only primary key can be with AutoID enabled: field {name}"));
        }
        if self.is_primary && self.nullable {
            return refuse(format!("primary field not support null: field {name}"));
        }
        if self.is_partition_key {
            if self.is_primary {
                return refuse("the partition key field must not be primary field".into());
            }
            if !self.data_type.is_key() {
                return refuse("the data type of partition key should be Int64 or VarChar".into());
            }
            if self.nullable {
                return refuse(format!("partition key field not support nullable: field {name}"));
            }
        }
        Ok(())
    }

    fn check_default(&self) -> Result<()> {
        let (name, label) = (&self.name, self.data_type.label());
        let Some(value) = &self.default_value else { return Ok(()) };
        if self.is_primary {
            return Err(Error::invalid(format!("primary field not support default_value: field {name}")));
        }
        if self.data_type.is_vector() || matches!(self.data_type, DataType::Array | DataType::Json) {
            return Err(Error::invalid(format!("type ({label}) not support default_value: field {name}")));
        }
        let fits = match self.data_type {
            DataType::Bool => value.is_boolean(),
            DataType::Float => value.as_f64().is_some_and(|value| (value as f32).is_finite()),
            DataType::Double => value.as_f64().is_some(),
            DataType::VarChar | DataType::Timestamptz => value.is_string(),
            integer => integer
                .integer_range()
                .zip(value.as_i64())
                .is_some_and(|((least, most), value)| (least..=most).contains(&value)),
        };
        if !fits {
            return Err(Error::invalid(format!(
                "type ({label}) of field ({name}) does not match default_value {value}"
            )));
        }
        let length = value.as_str().map_or(0, str::len);
        match self.max_length {
            Some(most) if length > most as usize => Err(Error::invalid(format!(
                "the length ({length}) of string exceeds max length ({most}): default_value of field {name}"
            ))),
            _ => Ok(()),
        }
    }

    /// The field as `describe_collection` shows it, and as it is kept; [`Field::read`] understands it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut params = self.params.clone();
        for (key, value) in
            [("dim", self.dim), ("max_length", self.max_length), ("max_capacity", self.max_capacity)]
        {
            if let Some(value) = value {
                params.insert(key.into(), value.into());
            }
        }
        let mut field = json!({
            "name": self.name,
            "description": self.description,
            "data_type": self.data_type.name(),
            "params": params,
        });
        if let Some(element) = self.element_type {
            field["element_type"] = element.name().into();
        }
        for (key, value) in [
            ("is_primary", self.is_primary),
            ("auto_id", self.auto_id),
            ("is_partition_key", self.is_partition_key),
            ("nullable", self.nullable),
        ] {
            if value {
                field[key] = true.into();
            }
        }
        if let Some(value) = &self.default_value {
            field["default_value"] = value.clone();
        }
        field
    }
}

fn in_range(what: &str, name: &str, value: u32, (least, most): (u32, u32)) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "invalid {what}: {value} of field {name}. should be in range {least} ~ {most}"
    )))
}
