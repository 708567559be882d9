//! Distances between two vectors, as `float8`.

use super::dense_exports;
use crate::{
    call::Call,
    datum::{DenseArg, Element, SparseArg},
};
use kite_kernels::{Dense, kernels};
use kite_vectors::{Result, dense};

/// Both arguments, of equal dimensions, and the kernels for them.
#[inline(always)]
fn pair<E: Element>(call: &Call) -> Result<(DenseArg<'_, E>, DenseArg<'_, E>, &'static Dense<E>)> {
    let (a, b) = (call.dense::<E>(0)?, call.dense::<E>(1)?);
    E::KIND.check_same_dims(a.len(), b.len())?;
    // The left side is the column, as everybody writes it.
    call.expect_next_row(0, &a);
    Ok((a, b, E::of(kernels())))
}

#[inline(always)]
fn l2_squared_distance<E: Element>(call: &Call) -> Result<f64> {
    let (a, b, kernels) = pair::<E>(call)?;
    Ok((kernels.l2_squared)(&a, &b).into())
}

fn l2_distance<E: Element>(call: &Call) -> Result<f64> {
    l2_squared_distance::<E>(call).map(f64::sqrt)
}

#[inline(always)]
fn inner_product<E: Element>(call: &Call) -> Result<f64> {
    let (a, b, kernels) = pair::<E>(call)?;
    Ok((kernels.dot)(&a, &b).into())
}

fn negative_inner_product<E: Element>(call: &Call) -> Result<f64> {
    inner_product::<E>(call).map(|product| -product)
}

fn cosine_distance<E: Element>(call: &Call) -> Result<f64> {
    let (a, b, kernels) = pair::<E>(call)?;
    Ok(dense::cosine_distance(kernels, &a, &b))
}

fn spherical_distance<E: Element>(call: &Call) -> Result<f64> {
    let (a, b, kernels) = pair::<E>(call)?;
    Ok(dense::spherical_distance(kernels, &a, &b))
}

fn l1_distance<E: Element>(call: &Call) -> Result<f64> {
    let (a, b, kernels) = pair::<E>(call)?;
    Ok((kernels.l1)(&a, &b).into())
}

dense_exports! { [2]
    "l2_distance" => l2_distance,
    "l2_squared_distance" => l2_squared_distance,
    "inner_product" => inner_product,
    "negative_inner_product" => negative_inner_product,
    "cosine_distance" => cosine_distance,
    "spherical_distance" => spherical_distance,
    "l1_distance" => l1_distance,
}

fn sparse_pair(call: &Call) -> Result<(SparseArg<'_>, SparseArg<'_>)> {
    let (a, b) = (call.sparse(0)?, call.sparse(1)?);
    a.get().check_same_dims(b.get())?;
    Ok((a, b))
}

fn sparse_l2_squared(call: &Call) -> Result<f64> {
    sparse_pair(call).map(|(a, b)| a.get().l2_squared(b.get()).into())
}

fn sparse_inner_product(call: &Call) -> Result<f64> {
    sparse_pair(call).map(|(a, b)| a.get().dot(b.get()).into())
}

export! { [2]
    "kite_sparsevec_l2_distance" => |call| sparse_l2_squared(call).map(f64::sqrt),
    "kite_sparsevec_l2_squared_distance" => sparse_l2_squared,
    "kite_sparsevec_inner_product" => sparse_inner_product,
    "kite_sparsevec_negative_inner_product" => |call| sparse_inner_product(call).map(|product| -product),
    "kite_sparsevec_cosine_distance" =>
        |call| sparse_pair(call).map(|(a, b)| a.get().cosine_distance(b.get(), &kernels().f32)),
    "kite_sparsevec_l1_distance" => |call| sparse_pair(call).map(|(a, b)| f64::from(a.get().l1(b.get()))),
}
