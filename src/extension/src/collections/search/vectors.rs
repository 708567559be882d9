//! Query vectors, from whatever type they come in, as values of the field's column.

use super::literals;
use crate::call::Call;
use crate::collections::catalog::Column;
use crate::collections::error::internal;
use kite_schema::{DataType, Error, Result};
use pgrx::direct_function_call_as_datum;
use pgrx::pg_sys::{self, CoercionContext, CoercionPathType, Datum, Oid};
use std::ffi::{CStr, CString};

/// The most query vectors of one call.
const MOST: usize = 16_384;

/// The vectors of an argument, of the type and dimensions of this column, in the current memory context.
///
/// # Errors
/// Where it holds none or too many, or its type is not that of any vector of the field. A vector of other dimensions is an ERROR of
/// the type.
pub(super) fn argument(call: &Call, n: usize, column: &Column) -> Result<Vec<Datum>> {
    if call.is_null(n) {
        return Err(Error::invalid("`data` is NULL"));
    }
    let (value, from) = (call.datum(n), call.argument_type(n));
    let vectors = match from {
        pg_sys::TEXTOID => texts(&call.get::<String>(n).unwrap_or_default(), column)?,
        pg_sys::JSONBOID => texts(&jsonb_text(value), column)?,
        _ => match element_type(from) {
            Some(element) if from != pg_sys::FLOAT4ARRAYOID => elements(value, element)?
                .into_iter()
                .map(|value| coerced(value, element, column))
                .collect::<Result<_>>()?,
            _ => vec![coerced(value, from, column)?],
        },
    };
    check_count(vectors)
}

/// The vectors of a text or of JSON.
///
/// # Errors
/// As [`argument`].
pub(super) fn texts(text: &str, column: &Column) -> Result<Vec<Datum>> {
    let dims = match column.field.data_type {
        // A sparse vector's dimensions are those of the column, which Milvus leaves open.
        DataType::SparseFloatVector => u32::try_from(column.type_modifier).ok(),
        _ => column.field.dim,
    };
    let literals = literals::read(text, column.field.data_type, dims)?;
    check_count(literals.iter().map(|literal| input(literal, column)).collect::<Result<Vec<Datum>>>()?)
}

fn check_count(vectors: Vec<Datum>) -> Result<Vec<Datum>> {
    if vectors.is_empty() || vectors.len() > MOST {
        let count = vectors.len();
        return Err(Error::invalid(format!(
            "nq [{count}] is invalid, it should be in range [1, {MOST}], but got {count}"
        )));
    }
    Ok(vectors)
}

fn input(literal: &str, column: &Column) -> Result<Datum> {
    let literal = CString::new(literal).map_err(|_| Error::invalid("`data` holds a U+0000"))?;
    let (mut function, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
    // SAFETY: the input function of the column's type takes a string, which it only reads, and answers a value of that type.
    Ok(unsafe {
        pg_sys::getTypeInputInfo(column.type_oid, &raw mut function, &raw mut parameter);
        let literal = literal.as_ptr().cast_mut();
        pg_sys::OidInputFunctionCall(function, literal, parameter, column.type_modifier)
    })
}

fn jsonb_text(value: Datum) -> String {
    // SAFETY: the value is a `jsonb`, and its output function answers a string that lives in the current memory context.
    unsafe {
        let text = direct_function_call_as_datum(pg_sys::jsonb_out, &[Some(value)]);
        text.map_or_else(String::new, |text| {
            CStr::from_ptr(text.cast_mut_ptr()).to_string_lossy().into_owned()
        })
    }
}

/// The type of an array's elements, `None` for what is no array.
fn element_type(kind: Oid) -> Option<Oid> {
    // SAFETY: a catalog look-up.
    let element = unsafe { pg_sys::get_element_type(kind) };
    (element != pg_sys::InvalidOid).then_some(element)
}

fn elements(array: Datum, element: Oid) -> Result<Vec<Datum>> {
    // SAFETY: the value is an array of this element type, which detoasting makes plain; elements and flags are `count` each.
    unsafe {
        let array: *mut pg_sys::ArrayType = pg_sys::pg_detoast_datum(array.cast_mut_ptr()).cast();
        if pg_sys::array_contains_nulls(array) {
            return Err(Error::invalid("`data` holds a NULL"));
        }
        let (mut length, mut by_value, mut alignment) = (0, false, 0);
        pg_sys::get_typlenbyvalalign(element, &raw mut length, &raw mut by_value, &raw mut alignment);
        let (mut values, mut count) = (std::ptr::null_mut(), 0);
        pg_sys::deconstruct_array(
            array,
            element,
            i32::from(length),
            by_value,
            alignment,
            &raw mut values,
            std::ptr::null_mut(),
            &raw mut count,
        );
        let count = usize::try_from(count).unwrap_or(0);
        Ok(if count > 0 { std::slice::from_raw_parts(values, count).to_vec() } else { Vec::new() })
    }
}

/// The value as one of the column's type, by the cast that the catalog has for it, and of the column's dimensions.
fn coerced(value: Datum, from: Oid, column: &Column) -> Result<Datum> {
    let to = column.type_oid;
    let (mut function, mut value) = (pg_sys::InvalidOid, value);
    // SAFETY: catalog look-ups, and calls of casts with the three arguments that casts may have: the value, a type modifier, and
    // whether the cast is explicit. Functions that have fewer do not look at the rest.
    unsafe {
        let call = |function: Oid, value: Datum| {
            let (modifier, explicit) = (Datum::from(column.type_modifier), Datum::from(false));
            pg_sys::OidFunctionCall3Coll(function, pg_sys::InvalidOid, value, modifier, explicit)
        };
        if from != to {
            let context = CoercionContext::COERCION_EXPLICIT;
            match pg_sys::find_coercion_pathway(to, from, context, &raw mut function) {
                CoercionPathType::COERCION_PATH_FUNC => value = call(function, value),
                CoercionPathType::COERCION_PATH_RELABELTYPE => {}
                _ => {
                    let (field, kind) = (&column.field.name, column.field.data_type.label());
                    return Err(Error::invalid(format!(
                        "`data` is of no type that field {field} of type {kind} is searched by"
                    )));
                }
            }
        }
        if column.type_modifier < 0 {
            return Ok(value);
        }
        match pg_sys::find_typmod_coercion_function(to, &raw mut function) {
            CoercionPathType::COERCION_PATH_FUNC => Ok(call(function, value)),
            CoercionPathType::COERCION_PATH_NONE => Ok(value),
            _ => internal(format!("type {} has no cast to its dimensions", to.to_u32())),
        }
    }
}
