//! Text and binary forms. What they mean is `kite-vectors`' matter; here bytes come in and go out.

use crate::{
    call::Call,
    datum::{Element, new_bytes, new_cstring, new_dense, new_sparse},
};
use half::f16;
use kite_vectors::{Error, Kind, Result, SPARSEVEC, text, wire};
use pgrx::pg_sys::{self, Datum};
use std::{ffi::c_char, ffi::c_int, slice};

unsafe extern "C" {
    /// `common/shortest_dec.h`: writes the shortest digits that read back, without a NUL; at most 15 bytes. Raises nothing.
    fn float_to_shortest_decimal_bufn(value: f32, out: *mut c_char) -> c_int;
}

/// Postgres's FLOAT_SHORTEST_DECIMAL_LEN.
const FLOAT_BYTES: usize = 16;

/// Appends a float exactly as `float4` prints it: by Postgres's own function.
fn push_float(out: &mut Vec<u8>, value: f32) {
    out.reserve(FLOAT_BYTES);
    // SAFETY: the spare room behind the text has the bytes that Postgres asks for, and the function answers how many of them
    // it wrote.
    unsafe {
        let written = float_to_shortest_decimal_bufn(value, out.as_mut_ptr().add(out.len()).cast());
        out.set_len(out.len() + written as usize);
    }
}

fn push_int(out: &mut Vec<u8>, value: i64) {
    use std::io::Write;
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{value}");
}

fn dense_in<E: Element>(call: &Call) -> Result<Datum> {
    let elements = text::parse_dense::<E>(call.cstring(0), call.int4(2))?;
    from_elements(&elements)
}

fn from_elements<E: Element>(elements: &[E]) -> Result<Datum> {
    new_dense(elements.len(), |out| {
        out.copy_from_slice(elements);
        Ok(())
    })
}

fn dense_out<E: Element>(call: &Call) -> Result<Datum> {
    let vector = call.dense::<E>(0)?;
    let mut out = Vec::with_capacity(16 * vector.len() + 2);
    for (place, element) in vector.iter().enumerate() {
        out.push(if place == 0 { b'[' } else { b',' });
        push_float(&mut out, element.to_f32());
    }
    out.push(b']');
    Ok(new_cstring(&out))
}

fn sparse_in(call: &Call) -> Result<Datum> {
    Ok(new_sparse(&text::parse_sparse(call.cstring(0), call.int4(2))?))
}

fn sparse_out(call: &Call) -> Result<Datum> {
    let argument = call.sparse(0)?;
    let vector = argument.get();
    let mut out = Vec::with_capacity(28 * vector.indices.len() + 16);
    out.push(b'{');
    for (place, (&index, &value)) in vector.indices.iter().zip(vector.values).enumerate() {
        if place > 0 {
            out.push(b',');
        }
        push_int(&mut out, i64::from(index) + 1);
        out.push(b':');
        push_float(&mut out, value);
    }
    out.extend_from_slice(b"}/");
    push_int(&mut out, vector.dims as i64);
    Ok(new_cstring(&out))
}

/// Decodes what is left of the message in argument 0, and moves its cursor behind what was read.
fn receive<T>(call: &Call, decode: impl Fn(&[u8], i32) -> Result<(T, usize)>) -> Result<T> {
    let message: pg_sys::StringInfo = call.datum(0).cast_mut_ptr();
    // SAFETY: a receive function's first argument is a StringInfo, by the declaration of the type; it is valid and ours for
    // the call, and its data has `len` bytes.
    let (bytes, cursor) = unsafe {
        let bytes = slice::from_raw_parts((*message).data.cast::<u8>(), (*message).len.max(0) as usize);
        (bytes, &mut (*message).cursor)
    };
    let rest = usize::try_from(*cursor).ok().and_then(|at| bytes.get(at..)).ok_or(Error::Truncated)?;
    let (value, read) = decode(rest, call.int4(2))?;
    *cursor += read as c_int;
    Ok(value)
}

fn dense_recv<E: Element>(call: &Call) -> Result<Datum> {
    from_elements::<E>(&receive(call, wire::decode_dense)?)
}

fn sparse_recv(call: &Call) -> Result<Datum> {
    Ok(new_sparse(&receive(call, wire::decode_sparse)?))
}

fn dense_send<E: Element>(call: &Call) -> Result<Datum> {
    Ok(new_bytes(&wire::encode_dense::<E>(&call.dense(0)?)))
}

fn sparse_send(call: &Call) -> Result<Datum> {
    Ok(new_bytes(&wire::encode_sparse(call.sparse(0)?.get())))
}

fn typmod_in(kind: Kind, call: &Call) -> Result<i32> {
    let mut count = 0;
    // SAFETY: a typmod_in function's argument is a `cstring[]`; detoasting makes it plain, and the function answers `count`
    // integers or raises an ERROR.
    let modifiers = unsafe {
        let array = pg_sys::pg_detoast_datum(call.datum(0).cast_mut_ptr());
        let first = pg_sys::ArrayGetIntegerTypmods(array.cast(), &raw mut count);
        slice::from_raw_parts(first, count.max(0) as usize)
    };
    kind.type_modifier(modifiers)
}

macro_rules! dense_io {
    ($name:literal, $element:ty) => {
        export! {
            concat!("kite_", $name, "_in") => dense_in::<$element>,
            concat!("kite_", $name, "_out") => dense_out::<$element>,
            concat!("kite_", $name, "_recv") => dense_recv::<$element>,
            concat!("kite_", $name, "_send") => dense_send::<$element>,
            concat!("kite_", $name, "_typmod_in") =>
                |call| typmod_in(<$element as kite_vectors::Scalar>::KIND, call),
        }
    };
}

dense_io!("vector", f32);
dense_io!("halfvec", f16);

export! {
    "kite_sparsevec_in" => sparse_in,
    "kite_sparsevec_out" => sparse_out,
    "kite_sparsevec_recv" => sparse_recv,
    "kite_sparsevec_send" => sparse_send,
    "kite_sparsevec_typmod_in" => |call| typmod_in(SPARSEVEC, call),
}
