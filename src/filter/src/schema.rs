//! What a collection's fields are, as far as a filter has to know.

use std::fmt;

/// The fields of a collection.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// Every field by name. The names are looked up exactly.
    pub fields: Vec<Field>,
    /// The `jsonb` column of dynamic keys (`$meta`), where the dynamic field is on.
    pub dynamic_column: Option<String>,
}

/// A field, and the column that holds it.
#[derive(Debug, Clone)]
pub struct Field {
    /// The name in expressions.
    pub name: String,
    /// The name of the column, as it is: quoting is the printer's.
    pub column: String,
    /// The type in Milvus.
    pub data_type: DataType,
    /// Whether the column can be NULL.
    pub nullable: bool,
    /// Whether it is the primary key, which is never NULL whatever `nullable` says.
    pub primary_key: bool,
}

/// A type of values that can be compared; what an array's elements can be, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    /// `boolean`
    Bool,
    /// `smallint`: PostgreSQL has no smaller one
    Int8,
    /// `smallint`
    Int16,
    /// `integer`
    Int32,
    /// `bigint`
    Int64,
    /// `real`
    Float,
    /// `double precision`
    Double,
    /// `text`
    VarChar,
}

/// A type of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataType {
    /// One value.
    Scalar(Scalar),
    /// An array of values.
    Array(Scalar),
    /// `jsonb`
    Json,
    /// A vector, or anything else that no filter can name: what Milvus calls it.
    Opaque(String),
}

impl Field {
    /// A field whose column has its name, and which can be NULL.
    #[must_use]
    pub fn new(name: &str, data_type: DataType) -> Self {
        Self { name: name.into(), column: name.into(), data_type, nullable: true, primary_key: false }
    }

    /// The same field as the primary key.
    #[must_use]
    pub fn as_primary_key(mut self) -> Self {
        self.primary_key = true;
        self
    }
}

impl Schema {
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Scalar {
    /// Whether it is one of the integer types.
    #[must_use]
    pub fn is_integer(self) -> bool {
        self.integers().is_some()
    }

    /// Whether it is an integer or a floating-point type.
    #[must_use]
    pub fn is_number(self) -> bool {
        self.is_integer() || matches!(self, Self::Float | Self::Double)
    }

    /// The least and the greatest integer of the type's *column*, which for [`Scalar::Int8`] is a `smallint`.
    pub(crate) fn integers(self) -> Option<(i64, i64)> {
        match self {
            Self::Int8 | Self::Int16 => Some((i64::from(i16::MIN), i64::from(i16::MAX))),
            Self::Int32 => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
            Self::Int64 => Some((i64::MIN, i64::MAX)),
            _ => None,
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "Bool",
            Self::Int8 => "Int8",
            Self::Int16 => "Int16",
            Self::Int32 => "Int32",
            Self::Int64 => "Int64",
            Self::Float => "Float",
            Self::Double => "Double",
            Self::VarChar => "VarChar",
        })
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(scalar) => scalar.fmt(f),
            Self::Array(element) => write!(f, "Array[{element}]"),
            Self::Json => f.write_str("JSON"),
            Self::Opaque(name) => f.write_str(name),
        }
    }
}
