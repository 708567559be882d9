//! Functions of one or two vectors that answer a vector, a part of one, or a number.

use super::dense_exports;
use crate::{
    call::Call,
    datum::{Element, new_bit, new_dense, new_sparse},
};
use kite_kernels::kernels;
use kite_vectors::{Result, dense};
use pgrx::pg_sys::Datum;

/// Writes `a op b` into a slice of the same length.
type Elementwise<E> = fn(&[E], &[E], &mut [E]) -> Result<()>;

fn elementwise<E: Element>(call: &Call, op: Elementwise<E>) -> Result<Datum> {
    let (a, b) = (call.dense::<E>(0)?, call.dense::<E>(1)?);
    E::KIND.check_same_dims(a.len(), b.len())?;
    new_dense(a.len(), |out| op(&a, &b, out))
}

fn add<E: Element>(call: &Call) -> Result<Datum> {
    elementwise::<E>(call, dense::add)
}

fn sub<E: Element>(call: &Call) -> Result<Datum> {
    elementwise::<E>(call, dense::sub)
}

fn mul<E: Element>(call: &Call) -> Result<Datum> {
    elementwise::<E>(call, dense::mul)
}

fn concat<E: Element>(call: &Call) -> Result<Datum> {
    let (a, b) = (call.dense::<E>(0)?, call.dense::<E>(1)?);
    new_dense::<E>(a.len() + b.len(), |out| {
        let (head, tail) = out.split_at_mut(a.len());
        head.copy_from_slice(&a);
        tail.copy_from_slice(&b);
        Ok(())
    })
}

fn subvector<E: Element>(call: &Call) -> Result<Datum> {
    let vector = call.dense::<E>(0)?;
    let part = &vector[dense::subvector_range::<E>(vector.len(), call.int4(1), call.int4(2))?];
    new_dense::<E>(part.len(), |out| {
        out.copy_from_slice(part);
        Ok(())
    })
}

fn l2_normalize<E: Element>(call: &Call) -> Result<Datum> {
    let vector = call.dense::<E>(0)?;
    new_dense::<E>(vector.len(), |out| dense::normalize(E::of(kernels()), &vector, out))
}

fn binary_quantize<E: Element>(call: &Call) -> Result<Datum> {
    let vector = call.dense::<E>(0)?;
    Ok(new_bit(vector.len(), |out| dense::binary_quantize::<E>(&vector, out)))
}

fn dims<E: Element>(call: &Call) -> Result<i32> {
    Ok(call.dense::<E>(0)?.len() as i32)
}

fn norm<E: Element>(call: &Call) -> Result<f64> {
    Ok((E::of(kernels()).norm_squared)(&call.dense::<E>(0)?).sqrt())
}

dense_exports! { [2]
    "add" => add,
    "sub" => sub,
    "mul" => mul,
    "concat" => concat,
}

dense_exports! { [1]
    "subvector" => subvector,
    "l2_normalize" => l2_normalize,
    "binary_quantize" => binary_quantize,
    "dims" => dims,
    "norm" => norm,
}

export! {
    "kite_sparsevec_add" => |call| Ok(new_sparse(&call.sparse(0)?.get().plus(call.sparse(1)?.get())?)),
    "kite_sparsevec_l2_normalize" => |call| Ok(new_sparse(&call.sparse(0)?.get().normalize(&kernels().f32)?)),
    "kite_sparsevec_norm" => |call| Ok(call.sparse(0)?.get().norm(&kernels().f32)),
}
