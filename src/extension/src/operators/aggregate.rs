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
fn state<'call>(call: &'call Call, n: usize, function: &'static str) -> Result<ArrayArg<'call, f64>> {
    let array = call.array::<f64>(n).filter(|array| !array.is_empty());
    array.ok_or(Error::NotAState { function })
}

fn accum<E: Element>(call: &Call) -> Result<Datum> {
    let mut state = state(call, 0, "vector_accum")?;
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
    let (a, b) = (state(call, 0, "vector_combine")?, state(call, 1, "vector_combine")?);
    // A state of no values has nothing to say, not even dimensions.
    if b[0] == 0.0 {
        return Ok(call.datum(0));
    }
    if a[0] == 0.0 {
        return Ok(call.datum(1));
    }
    E::KIND.check_dims(a.len() as i64 - 1)?;
    let mut sums = Ok(());
    let next = new_array::<f64>(a.len(), |out| {
        out.copy_from_slice(&a);
        sums = sum::combine(out, &b);
    });
    sums.map(|()| next)
}

fn avg<E: Element>(call: &Call) -> Result<Option<Datum>> {
    let state = state(call, 0, "vector_avg")?;
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

/// Adds a further state to the one in argument 0.
fn sparse_add(call: &Call, function: &'static str, other: Option<SparseSum>) -> Result<Datum> {
    let Some(other) = other else {
        return Ok(call.datum(0));
    };
    let state = SparseSum::from_bytes(call.bytes(0).get(), function)?;
    let state = match state {
        Some(mut state) => {
            state.add(&other)?;
            state
        }
        None => other,
    };
    Ok(new_bytes(&state.to_bytes()))
}

export! {
    "kite_sparsevec_accum" => |call: &Call| {
        let vector = call.sparse(1)?;
        sparse_add(call, "sparsevec_accum", Some(SparseSum::of(vector.get())))
    },
    "kite_sparsevec_combine" => |call: &Call| {
        let function = "sparsevec_combine";
        sparse_add(call, function, SparseSum::from_bytes(call.bytes(1).get(), function)?)
    },
    "kite_sparsevec_avg" => |call: &Call| {
        let state = SparseSum::from_bytes(call.bytes(0).get(), "sparsevec_avg")?;
        state.map(|state| Ok(new_sparse(&state.average()?))).transpose()
    },
}
