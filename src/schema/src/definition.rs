//! A whole collection: its fields together, and how its rows are divided.

use crate::{Code, DataType, Error, Field, Result};
use serde_json::{Map, Value, json};

/// Fields that a collection may have. Milvus 2.6 takes 64 and 3.0 takes 256.
pub const MAX_FIELDS: usize = 256;

/// Vector fields among them. Milvus takes 4 unless told to take up to 10.
pub const MAX_VECTOR_FIELDS: usize = 10;

/// Partitions that a collection may have.
pub const MAX_PARTITIONS: u32 = 1024;

/// Partitions of a collection with a partition key that does not say how many.
const DEFAULT_KEY_PARTITIONS: u32 = 16;

/// How the rows of a collection are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitioning {
    /// By a column that says the partition; one table.
    Column,
    /// By that column, a table for each partition.
    List,
    /// By the hash of a partition key, this many tables.
    Hash(u32),
}

impl Partitioning {
    /// The name in properties and catalogs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Column => "column",
            Self::List => "list",
            Self::Hash(_) => "hash",
        }
    }
}

/// A collection's definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// Its fields, in their order.
    pub fields: Vec<Field>,
    /// Whether rows may have keys that no field has.
    pub is_dynamic: bool,
    /// A remark.
    pub description: String,
    /// How many partitions are asked for, with a partition key.
    pub num_partitions: Option<u32>,
    /// Properties as they were given, without those that the definition understands.
    pub properties: Map<String, Value>,
    /// How rows are divided.
    pub partitioning: Partitioning,
}

/// The arguments of a collection of two fields.
#[derive(Debug, Clone, Copy)]
pub struct QuickForm<'a> {
    /// Dimensions of the vector field.
    pub dimension: i32,
    /// Name of the primary key.
    pub primary_field: &'a str,
    /// Its type: `int` or `string` (and Milvus's own names of them).
    pub id_type: &'a str,
    /// Bytes of a `string` key; 65,535 if nobody says.
    pub max_length: Option<u32>,
    /// Name of the vector field.
    pub vector_field: &'a str,
    /// Whether the server makes the keys.
    pub auto_id: bool,
}

impl Definition {
    /// A definition of these fields, not checked yet.
    #[must_use]
    pub fn new(fields: Vec<Field>) -> Self {
        Self {
            fields,
            is_dynamic: false,
            description: String::new(),
            num_partitions: None,
            properties: Map::new(),
            partitioning: Partitioning::Column,
        }
    }

    /// The quick form: a key, a vector, and whatever else a row brings.
    ///
    /// # Errors
    /// Where an argument is out of range.
    pub fn quick(form: &QuickForm<'_>) -> Result<Self> {
        let data_type = match form.id_type.to_ascii_lowercase().as_str() {
            "int" | "integer" | "int64" => DataType::Int64,
            "string" | "str" | "varchar" => DataType::VarChar,
            other => {
                return Err(Error::invalid(format!(
                    "the data type of primary key should be int or string, not {other}"
                )));
            }
        };
        let mut primary = Field::new(form.primary_field, data_type);
        primary.is_primary = true;
        primary.auto_id = form.auto_id;
        primary.max_length =
            (data_type == DataType::VarChar).then(|| form.max_length.unwrap_or(crate::MAX_LENGTH));
        let mut vector = Field::new(form.vector_field, DataType::FloatVector);
        vector.dim = Some(u32::try_from(form.dimension).unwrap_or(0));
        let mut definition = Self::new(vec![primary, vector]);
        definition.is_dynamic = true;
        definition.check()?;
        Ok(definition)
    }

    /// Takes the collection's properties, those that this definition understands and the others.
    ///
    /// # Errors
    /// Where one has a value that it cannot have.
    pub fn set_properties(&mut self, properties: &Map<String, Value>) -> Result<()> {
        let mut partitioning = None;
        for (key, value) in properties {
            match key.as_str() {
                "partitioning" => {
                    partitioning = match value.as_str() {
                        Some("column") => Some(Partitioning::Column),
                        Some("list") => Some(Partitioning::List),
                        _ => {
                            return Err(Error::invalid(format!(
                                "partitioning should be \"column\" or \"list\", not {value}"
                            ))
                            .with_hint(
                                "A partition key field (is_partition_key) asks for partitions by hash.",
                            ));
                        }
                    }
                }
                "num_partitions" => {
                    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
                    self.num_partitions =
                        Some(number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0));
                }
                "collection.ttl.seconds" => {
                    let seconds = value.as_i64().or_else(|| value.as_str()?.parse().ok());
                    if seconds.is_none_or(|seconds| seconds < 0) {
                        return Err(Error::invalid(format!(
                            "collection TTL is out of range, expect [0, ...], got {value}"
                        )));
                    }
                    self.properties.insert(key.clone(), value.clone());
                }
                _ => {
                    self.properties.insert(key.clone(), value.clone());
                }
            }
        }
        self.partitioning = self.divided(partitioning)?;
        Ok(())
    }

    fn divided(&self, asked: Option<Partitioning>) -> Result<Partitioning> {
        if self.partition_key().is_none() {
            return match self.num_partitions {
                None => Ok(asked.unwrap_or(Partitioning::Column)),
                Some(_) => Err(Error::invalid(
                    "num_partitions should only be specified with partition key field enabled",
                )),
            };
        }
        if asked.is_some() {
            return Err(Error::invalid("partitioning cannot be specified with partition key field enabled"));
        }
        let number = self.num_partitions.unwrap_or(DEFAULT_KEY_PARTITIONS);
        if !(1..=MAX_PARTITIONS).contains(&number) {
            return Err(Error::invalid(format!(
                "partition number ({number}) exceeds max configuration ({MAX_PARTITIONS}), or is not positive"
            )));
        }
        Ok(Partitioning::Hash(number))
    }

    /// Checks each field and all of them together.
    ///
    /// # Errors
    /// Where they cannot make a collection.
    pub fn check(&mut self) -> Result<()> {
        if self.fields.len() > MAX_FIELDS {
            return Err(Error::new(
                Code::ParameterTooLarge,
                format!("maximum field's number should be limited to {MAX_FIELDS}"),
            ));
        }
        for place in 0..self.fields.len() {
            self.fields[place].check()?;
            let name = &self.fields[place].name;
            if self.fields[..place].iter().any(|field| &field.name == name) {
                return Err(Error::invalid(format!("duplicated field name {name} found")));
            }
        }
        self.only_one("primary key", |field| field.is_primary)?;
        self.only_one("partition key", |field| field.is_partition_key)?;
        if self.primary().is_none() {
            return Err(Error::new(Code::CollectionIllegalSchema, "primary key is not specified"));
        }
        match self.fields.iter().filter(|field| field.data_type.is_vector()).count() {
            0 => Err(Error::new(Code::CollectionIllegalSchema, "schema does not contain vector field")),
            1..=MAX_VECTOR_FIELDS => Ok(()),
            _ => Err(Error::new(
                Code::ParameterTooLarge,
                format!("maximum vector field's number should be limited to {MAX_VECTOR_FIELDS}"),
            )),
        }
    }

    fn only_one(&self, what: &str, is: impl Fn(&Field) -> bool) -> Result<()> {
        let mut found = self.fields.iter().filter(|field| is(field));
        match (found.next(), found.next()) {
            (Some(first), Some(second)) => Err(Error::new(
                Code::CollectionIllegalSchema,
                format!("there are more than one {what}, field name = {}, {}", first.name, second.name),
            )),
            _ => Ok(()),
        }
    }

    /// The primary key.
    #[must_use]
    pub fn primary(&self) -> Option<&Field> {
        self.fields.iter().find(|field| field.is_primary)
    }

    /// The partition key.
    #[must_use]
    pub fn partition_key(&self) -> Option<&Field> {
        self.fields.iter().find(|field| field.is_partition_key)
    }

    /// Names of the partitions that a new collection has.
    #[must_use]
    pub fn first_partitions(&self) -> Vec<String> {
        match self.partitioning {
            Partitioning::Hash(number) => (0..number).map(|place| format!("_default_{place}")).collect(),
            _ => vec!["_default".to_owned()],
        }
    }

    /// The schema in this project's own spelling, which [`Definition::read`] understands.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "auto_id": self.primary().is_some_and(|field| field.auto_id),
            "enable_dynamic_field": self.is_dynamic,
            "description": self.description,
            "fields": self.fields.iter().map(Field::to_json).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests;
