//! The functions behind `avg`. (`sum` adds vectors with the type's own addition.)

use super::dense_exports;
use crate::{
    call::Call,
    datum::{ArrayArg, Element, new_array, new_bytes, new_dense, new_sparse},
};
use kite_vectors::{
    Error, Result,
    sum::{self, SparseSum},
};
use pgrx::pg_sys::Datum;

/// A state: a `double precision[]` of the count and the sums; it may hold the count alone, before the first value.
fn state<'call>(call: &'call Call, n: usize, error: Error) -> Result<ArrayArg<'call, f64>> {
    call.array::<f64>(n).filter(|array| !array.is_empty()).ok_or(error)
}

fn accum<E: Element>(call: &Call) -> Result<Datum> {
    let mut state = state(call, 0, Error::NotAState { kind: E::KIND.name, function: "accum" })?;
    let vector = call.dense::<E>(1)?;
    if state.len() == 1 {
        let mut sums = Ok(());
        let first = new_array::<f64>(1 + vector.len(), |out| {
            out[0] = state[0];
            sums = sum::accumulate(out, &vector);
        });
        return sums.map(|()| first);
    }
    // The transition value of an aggregate is ours to change in place; any other array is not.
    if call.aggregate_context().is_some()
        && let Some(state) = state.in_place()
    {
        sum::accumulate(state, &vector)?;
        return Ok(call.datum(0));
    }
    let mut sums = Ok(());
    let next = new_array::<f64>(state.len(), |out| {
        out.copy_from_slice(&state);
        sums = sum::accumulate(out, &vector);
    });
    sums.map(|()| next)
}

fn combine<E: Element>(call: &Call) -> Result<Datum> {
    // pgvector has one such function for both types, which names itself.
    let error = || Error::NotAState { kind: "vector", function: "combine" };
    let (a, b) = (state(call, 0, error())?, state(call, 1, error())?);
    // A state of no values has nothing to say, not even dimensions.
    let (first, second) = if a[0] == 0.0 { ((1, &b), &a) } else { ((0, &a), &b) };
    let (argument, state) = first;
    if second[0] == 0.0 && state.len() == 1 && state[0] == 0.0 {
        return Ok(call.datum(argument));
    }
    E::KIND.check_dims(state.len() as i64 - 1)?;
    if second[0] == 0.0 {
        return Ok(call.datum(argument));
    }
    let mut sums = Ok(());
    let next = new_array::<f64>(state.len(), |out| {
        out.copy_from_slice(state);
        sums = sum::combine(out, second);
    });
    sums.map(|()| next)
}

fn avg<E: Element>(call: &Call) -> Result<Option<Datum>> {
    let state = state(call, 0, Error::NotAState { kind: E::KIND.name, function: "avg" })?;
    if state[0] == 0.0 {
        return Ok(None);
    }
    new_dense::<E>(state.len() - 1, |out| sum::average(&state, out)).map(Some)
}

dense_exports! {
    "accum" => accum,
    "combine" => combine,
    "avg" => avg,
}

fn sparse_state(call: &Call, n: usize, function: &'static str) -> Result<Option<SparseSum>> {
    SparseSum::from_bytes(call.bytes(n).get(), function)
}

/// Adds two states, either of which may be that of no value.
fn sparse_add(a: Option<SparseSum>, b: Option<SparseSum>) -> Result<Datum> {
    let sum = match (a, b) {
        (Some(mut a), Some(b)) => {
            a.add(&b)?;
            Some(a)
        }
        (a, b) => a.or(b),
    };
    Ok(new_bytes(&sum.map(|sum| sum.to_bytes()).unwrap_or_default()))
}

export! {
    "kite_sparsevec_accum" => |call: &Call| {
        sparse_add(sparse_state(call, 0, "accum")?, Some(SparseSum::of(call.sparse(1)?.get())))
    },
    "kite_sparsevec_combine" => |call: &Call| {
        sparse_add(sparse_state(call, 0, "combine")?, sparse_state(call, 1, "combine")?)
    },
    "kite_sparsevec_avg" => |call: &Call| {
        sparse_state(call, 0, "avg")?.map(|state| Ok(new_sparse(&state.average()?))).transpose()
    },
}
