//! Vectors that have no array of numbers as JSON: `kite.to_json`.

use super::sql::jsonb;
use crate::call::Call;
use kite_vectors::Result;
use pgrx::pg_sys::Datum;
use serde_json::{Map, Value};

export! {
    "kite_sparsevec_to_json" => sparse,
    "kite_bit_to_json" => bits,
}

/// `{"index": value}`, indices counted from 0, as Milvus shows a sparse vector.
fn sparse(call: &Call) -> Result<Datum> {
    let argument = call.sparse(0)?;
    let vector = argument.get();
    let pairs = vector.indices.iter().zip(vector.values);
    let object: Map<String, Value> =
        pairs.map(|(index, value)| (index.to_string(), Value::from(*value))).collect();
    Ok(jsonb(&Value::Object(object).to_string()))
}

/// The bytes as numbers, as Milvus's clients hold a binary vector.
fn bits(call: &Call) -> Result<Datum> {
    let argument = call.bit(0)?;
    let bytes: Value = argument.get().iter().copied().map(Value::from).collect();
    Ok(jsonb(&bytes.to_string()))
}
