//! Reading the JSON of clients. Three spellings mean the same: this project's own (`data_type`, flat), what pymilvus's `to_dict()`
//! gives (`type` by number, `params` nested), and Milvus's REST interface (`fieldName`, `elementTypeParams`, numbers as strings).

use crate::{Code, DataType, Definition, Error, Field, Result};
use serde_json::{Map, Value};

/// Keys of a field that are kept and shown, and change nothing here.
const KEPT: [&str; 8] = [
    "mmap_enabled",
    "mmap.enabled",
    "warmup",
    "is_clustering_key",
    "enable_analyzer",
    "enable_match",
    "analyzer_params",
    "multi_analyzer_params",
];

/// Keys of a field that clients write and that say nothing: numbers that the server gives, and what follows from the rest.
const IGNORED: [&str; 5] = ["field_id", "column", "is_dynamic", "is_function_output", "type_name"];

/// An object whose keys are taken one by one, in snake case or camel case, so that what is left over is known.
pub(crate) struct Keys {
    what: String,
    map: Map<String, Value>,
}

impl Keys {
    /// # Errors
    /// Where the value is not an object.
    pub(crate) fn new(what: impl Into<String>, value: &Value) -> Result<Self> {
        let what = what.into();
        let Value::Object(object) = value else {
            return Err(Error::invalid(format!("{what} should be a JSON object, not {value}")));
        };
        let mut map = Map::new();
        for (key, value) in object {
            if !value.is_null() {
                map.insert(snake_case(key), value.clone());
            }
        }
        Ok(Self { what, map })
    }

    /// Moves the keys of nested objects (`params`) up.
    fn flatten(&mut self, nested: &[&str]) -> Result<()> {
        for key in nested {
            if let Some(value) = self.take(&[key]) {
                let inner = Self::new(format!("{key} of {}", self.what), &value)?;
                for (key, value) in inner.map {
                    self.map.entry(key).or_insert(value);
                }
            }
        }
        Ok(())
    }

    /// The value under the first of these keys that is there. All of them are taken.
    pub(crate) fn take(&mut self, names: &[&str]) -> Option<Value> {
        names.iter().fold(None, |found, name| {
            let value = self.map.remove(*name);
            found.or(value)
        })
    }

    pub(crate) fn text(&mut self, names: &[&str]) -> Result<Option<String>> {
        match self.take(names) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(value) => Err(self.wrong(names, "a string", &value)),
        }
    }

    pub(crate) fn flag(&mut self, names: &[&str]) -> Result<bool> {
        let Some(value) = self.take(names) else { return Ok(false) };
        match &value {
            Value::Bool(flag) => Ok(*flag),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(self.wrong(names, "true or false", &value)),
        }
    }

    pub(crate) fn number(&mut self, names: &[&str]) -> Result<Option<u32>> {
        let Some(value) = self.take(names) else { return Ok(None) };
        let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
        match number.map(u32::try_from) {
            Some(Ok(number)) => Ok(Some(number)),
            // Below zero or beyond any limit: as good as 0, which no range holds, but said as it is.
            _ => Err(self.wrong(names, "a whole number within its range", &value)),
        }
    }

    fn wrong(&self, names: &[&str], expected: &str, value: &Value) -> Error {
        let name = names.first().copied().unwrap_or_default();
        Error::invalid(format!("{name} of {} should be {expected}, not {value}", self.what))
    }

    /// What nobody has taken.
    pub(crate) fn rest(self) -> Map<String, Value> {
        self.map
    }

    /// # Errors
    /// Where a key is left that nobody has taken: it is misspelt, or does not do what its writer believes.
    pub(crate) fn finish(self) -> Result<()> {
        match self.map.keys().next() {
            None => Ok(()),
            Some(key) => Err(Error::invalid(format!("{} has no key \"{key}\"", self.what))),
        }
    }
}

/// `fieldName` as `field_name`; what is in snake case stays.
pub(crate) fn snake_case(key: &str) -> String {
    let mut text = String::with_capacity(key.len() + 4);
    for letter in key.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() && !text.ends_with(['_', '.', '-']) {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

impl Field {
    /// Reads a field. It is not checked yet.
    ///
    /// # Errors
    /// Where keys are missing, unknown or of the wrong type.
    pub fn read(value: &Value) -> Result<Self> {
        let mut keys = Keys::new("a field of the schema", value)?;
        let name = keys.text(&["name", "field_name"])?.ok_or_else(|| {
            Error::new(Code::ParameterMissing, format!("a field of the schema has no name: {value}"))
        })?;
        keys.what = format!("field {name}");
        keys.flatten(&["params", "element_type_params", "type_params"])?;
        let kind = keys
            .take(&["type", "data_type"])
            .ok_or_else(|| Error::new(Code::ParameterMissing, format!("field {name} has no data_type")))?;
        let mut field = Self::new(name, DataType::read(&kind)?);
        let element = keys.take(&["element_type", "element_data_type"]);
        // pymilvus and the wire format say 0, no type, where there are no elements.
        field.element_type = match element.filter(|kind| kind != &Value::from(0)) {
            Some(kind) => Some(DataType::read(&kind)?),
            None => None,
        };
        field.dim = keys.number(&["dim"])?;
        field.max_length = keys.number(&["max_length"])?;
        field.max_capacity = keys.number(&["max_capacity"])?;
        field.is_primary = keys.flag(&["is_primary", "is_primary_key"])?;
        field.auto_id = keys.flag(&["auto_id"])?;
        field.is_partition_key = keys.flag(&["is_partition_key"])?;
        field.nullable = keys.flag(&["nullable"])?;
        field.default_value = keys.take(&["default_value"]).map(plain_default);
        field.description = keys.text(&["description", "desc"])?.unwrap_or_default();
        for key in KEPT {
            if let Some(value) = keys.take(&[key]) {
                field.params.insert(key.into(), value);
            }
        }
        keys.take(&IGNORED);
        keys.finish()?;
        Ok(field)
    }
}

/// A default as protobuf's JSON writes it, `{"long_data": 5}`, as the scalar that it is.
fn plain_default(value: Value) -> Value {
    match &value {
        Value::Object(object) if object.len() == 1 => match object.iter().next() {
            Some((key, inner)) if key.ends_with("_data") || key.ends_with("Data") => inner.clone(),
            _ => value,
        },
        _ => value,
    }
}

impl Definition {
    /// Reads and checks the `schema` of a collection.
    ///
    /// # Errors
    /// Where it is not one, or not allowed.
    pub fn read(value: &Value) -> Result<Self> {
        let mut keys = Keys::new("schema", value)?;
        let fields = match keys.take(&["fields"]) {
            Some(Value::Array(fields)) => fields.iter().map(Field::read).collect::<Result<Vec<_>>>()?,
            _ => return Err(Error::new(Code::ParameterMissing, "schema has no list of fields")),
        };
        let mut definition = Self::new(fields);
        let auto_id = keys.flag(&["auto_id"])?;
        if let Some(primary) = definition.fields.iter_mut().find(|field| field.is_primary) {
            primary.auto_id |= auto_id;
        }
        definition.is_dynamic = keys.flag(&["enable_dynamic_field", "enabled_dynamic_field"])?;
        definition.description = keys.text(&["description"])?.unwrap_or_default();
        let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
        for key in ["functions", "struct_fields", "struct_array_fields"] {
            if keys.take(&[key]).is_some_and(|value| !empty(&value)) {
                return Err(Error::new(Code::Unsupported, format!("{key} of a schema are not supported")));
            }
        }
        definition.num_partitions = keys.number(&["num_partitions"])?;
        // What the client or the server adds by itself.
        keys.take(&["collection_name", "name", "enable_namespace"]);
        keys.finish()?;
        definition.check()?;
        Ok(definition)
    }
}
