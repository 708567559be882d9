//! Arrays of numbers as vectors, and vectors as `real[]`.

use crate::{
    call::Call,
    datum::{Element, new_array, new_dense, new_sparse},
};
use half::f16;
use kite_vectors::{Error, Kind, Result, SPARSEVEC, check_type_modifier, dense, sparse::SparseBuf};
use pgrx::{
    direct_function_call,
    pg_sys::{self, Datum},
};
use std::slice;

/// The elements of argument 0, an array of numbers, as `f32`; argument 1 is the type modifier.
fn array_argument(kind: Kind, call: &Call) -> Result<impl ExactSizeIterator<Item = f32>> {
    // SAFETY: the SQL declarations type this argument as an array; detoasting makes it plain.
    let array: *mut pg_sys::ArrayType =
        unsafe { pg_sys::pg_detoast_datum(call.datum(0).cast_mut_ptr()).cast() };
    // SAFETY: `array` is a valid, plain array.
    let (dimensions, element_type, has_nulls) =
        unsafe { ((*array).ndim, (*array).elemtype, pg_sys::array_contains_nulls(array)) };
    if dimensions > 1 {
        return Err(Error::ArrayNotOneDimensional);
    }
    if has_nulls {
        return Err(Error::ArrayWithNulls);
    }
    let number: fn(Datum) -> f32 = match element_type {
        pg_sys::INT4OID => |datum| datum.value() as i32 as f32,
        pg_sys::FLOAT4OID => |datum| f32::from_bits(datum.value() as u32),
        pg_sys::FLOAT8OID => |datum| f64::from_bits(datum.value() as u64) as f32,
        // SAFETY: the datum is an element of a `numeric[]`; numeric_float4 takes one `numeric`.
        pg_sys::NUMERICOID => |datum| unsafe {
            direct_function_call::<f32>(pg_sys::numeric_float4, &[Some(datum)]).unwrap_or(f32::NAN)
        },
        _ => return Err(Error::UnsupportedArray),
    };
    // SAFETY: the array is valid and has no nulls, and the element's form is what the catalog says; the function answers
    // `count` datums that live as long as the call.
    let datums = unsafe {
        let (mut length, mut by_value, mut alignment) = (0, false, 0);
        pg_sys::get_typlenbyvalalign(element_type, &raw mut length, &raw mut by_value, &raw mut alignment);
        let (mut datums, mut count) = (std::ptr::null_mut(), 0);
        pg_sys::deconstruct_array(
            array,
            element_type,
            i32::from(length),
            by_value,
            alignment,
            &raw mut datums,
            std::ptr::null_mut(),
            &raw mut count,
        );
        if count > 0 { slice::from_raw_parts(datums, count as usize) } else { &[] }
    };
    check_type_modifier(call.int4(1), kind.check_dims(datums.len() as i64)?)?;
    Ok(datums.iter().map(move |&datum| number(datum)))
}

fn array_to_dense<E: Element>(call: &Call) -> Result<Datum> {
    let values = array_argument(E::KIND, call)?;
    new_dense::<E>(values.len(), |out| dense::narrow_into(values, out))
}

fn array_to_sparse(call: &Call) -> Result<Datum> {
    Ok(new_sparse(&SparseBuf::from_dense(array_argument(SPARSEVEC, call)?)?))
}

fn dense_to_float4<E: Element>(call: &Call) -> Result<Datum> {
    let vector = call.dense::<E>(0)?;
    Ok(new_array::<f32>(vector.len(), |out| {
        for (out, element) in out.iter_mut().zip(vector.iter()) {
            *out = element.to_f32();
        }
    }))
}

export! {
    "kite_array_to_vector" => array_to_dense::<f32>,
    "kite_array_to_halfvec" => array_to_dense::<f16>,
    "kite_array_to_sparsevec" => array_to_sparse,
    "kite_vector_to_float4" => dense_to_float4::<f32>,
    "kite_halfvec_to_float4" => dense_to_float4::<f16>,
}
