//! Query vectors as clients write them, taken apart into one literal of the field's type each.
//!
//! | field | one vector | many |
//! |---|---|---|
//! | dense | `[0.1, 0.2]` | `[[0.1, 0.2], …]` |
//! | sparse | `{1:0.5}/9` as the type has it, `{"0": 0.5}`, `{"indices": [0], "values": [0.5]}`, `[[0, 0.5]]` | a list of the JSON forms |
//! | binary | `0101…`, or a list of bytes as `[5]` | a list of them, `["0101…"]`, `[[5], …]` |
//!
//! In JSON the indices of a sparse vector begin at 0, as Milvus's do; in the type's own text at 1.

use kite_schema::{DataType, Error, Result};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The literals of the vectors in a text. `dims` are those of the field's type.
///
/// # Errors
/// Where it is neither the text of a value nor JSON of the form. What is inside a dense vector, the type's input function will judge.
pub(super) fn read(text: &str, kind: DataType, dims: Option<u32>) -> Result<Vec<String>> {
    let text = text.trim();
    match kind {
        DataType::SparseFloatVector if !text.starts_with('[') && !text.ends_with('}') => {
            Ok(vec![text.into()])
        }
        DataType::SparseFloatVector => sparse(&json(text)?, dims.unwrap_or(0)),
        DataType::BinaryVector if !text.starts_with('[') => Ok(vec![text.into()]),
        DataType::BinaryVector => binary(&json(text)?),
        _ => dense(text),
    }
}

fn malformed() -> Error {
    Error::invalid("`data` should be a vector or a list of vectors")
}

fn json(text: &str) -> Result<Value> {
    serde_json::from_str(text)
        .map_err(|error| Error::invalid(format!("`data` is no vector and no JSON: {error}")))
}

/// Numbers hold no brackets: a list of dense vectors is taken apart without reading them, so that each is read once, as the type does.
fn dense(text: &str) -> Result<Vec<String>> {
    let inside = text.strip_prefix('[').map(str::trim_start);
    let Some(inside) = inside.filter(|inside| inside.starts_with('[')) else {
        return if inside.is_some_and(|inside| inside == "]") {
            Ok(Vec::new())
        } else {
            Ok(vec![text.into()])
        };
    };
    let mut vectors = Vec::new();
    let mut rest = inside;
    loop {
        let end = rest.find(']').filter(|_| rest.starts_with('[')).ok_or_else(malformed)? + 1;
        let (vector, behind) = rest.split_at(end);
        vectors.push(vector.to_owned());
        let behind = behind.trim_start();
        match behind.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if behind == "]" => return Ok(vectors),
            None => return Err(malformed()),
        }
    }
}

fn sparse(value: &Value, dims: u32) -> Result<Vec<String>> {
    match value {
        Value::Object(_) => Ok(vec![sparse_one(value, dims)?]),
        Value::Array(list) if list.iter().any(Value::is_object) => {
            list.iter().map(|value| sparse_one(value, dims)).collect()
        }
        Value::Array(list) if list.is_empty() => Ok(Vec::new()),
        Value::Array(list) if list.iter().all(is_pair) => Ok(vec![sparse_one(value, dims)?]),
        Value::Array(list) => list.iter().map(|value| sparse_one(value, dims)).collect(),
        _ => Err(malformed()),
    }
}

fn is_pair(value: &Value) -> bool {
    matches!(value, Value::Array(pair) if pair.len() == 2 && pair.iter().all(Value::is_number))
}

fn sparse_one(value: &Value, dims: u32) -> Result<String> {
    let mut elements: BTreeMap<u32, f64> = BTreeMap::new();
    let mut put = |index: Option<u64>, value: &Value| -> Result<()> {
        let limit = u64::from(dims);
        let index = index.filter(|index| *index < limit).and_then(|index| u32::try_from(index + 1).ok());
        let (Some(index), Some(value)) = (index, value.as_f64()) else {
            return Err(Error::invalid(format!(
                "a sparse vector has indices from 0 to {} and numbers as values",
                limit.saturating_sub(1)
            )));
        };
        match elements.insert(index, value) {
            None => Ok(()),
            Some(_) => Err(Error::invalid(format!("a sparse vector has the index {} twice", index - 1))),
        }
    };
    match value {
        Value::Object(map) => match lists(map) {
            Some((indices, values)) if indices.len() == values.len() => {
                indices.iter().zip(values).try_for_each(|(index, value)| put(index.as_u64(), value))?;
            }
            Some(_) => return Err(Error::invalid("a sparse vector has as many indices as values")),
            None => map.iter().try_for_each(|(key, value)| put(key.parse().ok(), value))?,
        },
        Value::Array(pairs) => {
            for pair in pairs {
                match pair.as_array().map(Vec::as_slice) {
                    Some([index, value]) => put(index.as_u64(), value)?,
                    _ => return Err(malformed()),
                }
            }
        }
        _ => return Err(malformed()),
    }
    let elements: Vec<String> = elements.iter().map(|(index, value)| format!("{index}:{value}")).collect();
    Ok(format!("{{{}}}/{dims}", elements.join(",")))
}

fn lists(map: &Map<String, Value>) -> Option<(&Vec<Value>, &Vec<Value>)> {
    Some((map.get("indices")?.as_array()?, map.get("values")?.as_array()?))
}

fn binary(value: &Value) -> Result<Vec<String>> {
    let Value::Array(list) = value else { return Err(malformed()) };
    if list.first().is_some_and(Value::is_number) {
        return Ok(vec![bits(list)?]);
    }
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Array(bytes) => bits(bytes),
        _ => Err(malformed()),
    };
    list.iter().map(one).collect()
}

/// Bytes, the first bit highest, as Milvus packs them.
fn bits(bytes: &[Value]) -> Result<String> {
    let byte = |value: &Value| value.as_u64().and_then(|byte| u8::try_from(byte).ok());
    let bytes: Option<Vec<u8>> = bytes.iter().map(byte).collect();
    let bytes = bytes.ok_or_else(|| Error::invalid("a binary vector is a list of bytes from 0 to 255"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:08b}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_vectors_are_cut_apart() -> Result<()> {
        let read = |text| read(text, DataType::FloatVector, Some(2));
        assert_eq!(read(" [1, 2] ")?, ["[1, 2]"]);
        assert_eq!(read("[[1,2] , [3e-1,4]]")?, ["[1,2]", "[3e-1,4]"]);
        assert_eq!(read("[ ]")?, [""; 0]);
        // Left to the type.
        assert_eq!(read("nonsense")?, ["nonsense"]);
        for text in ["[[1,2]", "[[1,2] [3,4]]", "[[1,2],]", "[[1,2],3]", "[[1,2]]]", "[[[1]]]", "[[1"] {
            assert!(read(text).is_err(), "{text}");
        }
        Ok(())
    }

    #[test]
    fn sparse_vectors_count_from_zero_in_json() -> Result<()> {
        let read = |text| read(text, DataType::SparseFloatVector, Some(100));
        assert_eq!(read("{1:0.5}/100")?, ["{1:0.5}/100"]);
        for text in [
            r#"{"9": 0.5, "0": 1}"#,
            r#"{"indices": [9, 0], "values": [0.5, 1]}"#,
            "[[9, 0.5], [0, 1]]",
            r#"[{"0": 1, "9": 0.5}]"#,
            "[[[0, 1], [9, 0.5]]]",
        ] {
            assert_eq!(read(text)?, ["{1:1,10:0.5}/100"], "{text}");
        }
        assert_eq!(read(r#"[{"1": 1}, {}]"#)?, ["{2:1}/100", "{}/100"]);
        for text in [
            r#"{"100": 1}"#,
            r#"{"-1": 1}"#,
            r#"{"x": 1}"#,
            r#"{"1": "x"}"#,
            r#"{"1": 1, "01": 1}"#,
            r#"{"indices": [1], "values": []}"#,
            "[[1, 2], 3]",
            "[1]",
            "[",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        Ok(())
    }

    #[test]
    fn bytes_are_bits() -> Result<()> {
        let read = |text| read(text, DataType::BinaryVector, Some(8));
        assert_eq!(read("00000101")?, ["00000101"]);
        assert_eq!(read("[5]")?, ["00000101"]);
        assert_eq!(read("[[5], [255]]")?, ["00000101", "11111111"]);
        assert_eq!(read(r#"["00000101"]"#)?, ["00000101"]);
        for text in ["[256]", "[-1]", "[1.5]", "[null]", "[[1], 2]"] {
            assert!(read(text).is_err(), "{text}");
        }
        Ok(())
    }
}
