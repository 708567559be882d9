//! Casts between the vector types. Argument 1 is the type modifier of the target, or -1.

use crate::{
    call::Call,
    datum::{Element, new_dense, new_sparse},
};
use half::f16;
use kite_kernels::kernels;
use kite_vectors::{Result, check_type_modifier, dense, sparse::SparseBuf};
use pgrx::pg_sys::Datum;

/// The cast of a type to itself checks the type modifier and passes the value on, toasted if it was.
fn dense_cast<E: Element>(call: &Call) -> Result<Datum> {
    check_type_modifier(call.int4(1), call.dense::<E>(0)?.len())?;
    Ok(call.datum(0))
}

fn sparse_cast(call: &Call) -> Result<Datum> {
    check_type_modifier(call.int4(1), call.sparse(0)?.get().dims)?;
    Ok(call.datum(0))
}

fn vector_to_halfvec(call: &Call) -> Result<Datum> {
    let vector = call.dense::<f32>(0)?;
    check_type_modifier(call.int4(1), vector.len())?;
    new_dense::<f16>(vector.len(), |out| dense::narrow(kernels(), &vector, out))
}

fn halfvec_to_vector(call: &Call) -> Result<Datum> {
    let vector = call.dense::<f16>(0)?;
    check_type_modifier(call.int4(1), vector.len())?;
    new_dense::<f32>(vector.len(), |out| {
        (kernels().f16_to_f32)(&vector, out);
        Ok(())
    })
}

fn dense_to_sparse<E: Element>(call: &Call) -> Result<Datum> {
    let vector = call.dense::<E>(0)?;
    check_type_modifier(call.int4(1), vector.len())?;
    Ok(new_sparse(&SparseBuf::from_dense(vector.iter().map(|x| x.to_f32()))?))
}

fn sparse_to_dense<E: Element>(call: &Call) -> Result<Datum> {
    let argument = call.sparse(0)?;
    let vector = argument.get();
    let dims = E::KIND.check_dims(vector.dims as i64)?;
    check_type_modifier(call.int4(1), dims)?;
    new_dense::<E>(dims, |out| {
        for (&index, &value) in vector.indices.iter().zip(vector.values) {
            // Indices lie within the dimensions; a damaged value must not write elsewhere.
            if let Some(out) = usize::try_from(index).ok().and_then(|index| out.get_mut(index)) {
                *out = E::narrow(value)?;
            }
        }
        Ok(())
    })
}

export! {
    "kite_vector_cast" => dense_cast::<f32>,
    "kite_halfvec_cast" => dense_cast::<f16>,
    "kite_sparsevec_cast" => sparse_cast,
    "kite_vector_to_halfvec" => vector_to_halfvec,
    "kite_halfvec_to_vector" => halfvec_to_vector,
    "kite_vector_to_sparsevec" => dense_to_sparse::<f32>,
    "kite_halfvec_to_sparsevec" => dense_to_sparse::<f16>,
    "kite_sparsevec_to_vector" => sparse_to_dense::<f32>,
    "kite_sparsevec_to_halfvec" => sparse_to_dense::<f16>,
}
