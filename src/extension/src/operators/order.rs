//! Order, equality and hash.

use crate::{call::Call, datum::Element};
use kite_vectors::{Result, dense};
use std::cmp::Ordering;

fn dense_cmp<E: Element>(call: &Call) -> Result<Ordering> {
    Ok(dense::compare::<E>(&call.dense(0)?, &call.dense(1)?))
}

fn sparse_cmp(call: &Call) -> Result<Ordering> {
    Ok(call.sparse(0)?.get().compare(call.sparse(1)?.get()))
}

unsafe extern "C" {
    /// `common/hashfn.h`: Postgres's hash of bytes. Raises nothing.
    fn hash_bytes(bytes: *const u8, length: i32) -> u32;
    /// The 64-bit form with a seed; with seed 0 its low half is [`hash_bytes`]'s, as hash opclasses need.
    fn hash_bytes_extended(bytes: *const u8, length: i32, seed: u64) -> u64;
}

/// The bytes that equal vectors share: dimensions, then elements, with −0 written as +0.
fn dense_key<E: Element>(call: &Call) -> Result<Vec<u8>> {
    let vector = call.dense::<E>(0)?;
    let dims = (vector.len() as u32).to_le_bytes();
    let elements = vector.iter().flat_map(|element| key_bits(element.to_f32()));
    Ok(dims.into_iter().chain(elements).collect())
}

fn sparse_key(call: &Call) -> Result<Vec<u8>> {
    let argument = call.sparse(0)?;
    let vector = argument.get();
    let dims = (vector.dims as u32).to_le_bytes();
    let indices = vector.indices.iter().flat_map(|index| index.to_le_bytes());
    let values = vector.values.iter().flat_map(|&value| key_bits(value));
    Ok(dims.into_iter().chain(indices).chain(values).collect())
}

fn key_bits(value: f32) -> [u8; 4] {
    // −0 + 0 is +0; every other value stays itself.
    (value + 0.0).to_le_bytes()
}

fn hash(key: &[u8]) -> i32 {
    // SAFETY: the length is that of the slice, far below 2 GB.
    unsafe { hash_bytes(key.as_ptr(), key.len() as i32) as i32 }
}

fn hash_extended(key: &[u8], seed: i64) -> i64 {
    // SAFETY: as above.
    unsafe { hash_bytes_extended(key.as_ptr(), key.len() as i32, seed as u64) as i64 }
}

/// The six comparisons, `_cmp` and the two hashes of one type.
macro_rules! order_exports {
    ($type:literal, $compare:expr, $key:expr) => {
        export! { [2]
            concat!("kite_", $type, "_lt") => |call: &Call| $compare(call).map(Ordering::is_lt),
            concat!("kite_", $type, "_le") => |call: &Call| $compare(call).map(Ordering::is_le),
            concat!("kite_", $type, "_eq") => |call: &Call| $compare(call).map(Ordering::is_eq),
            concat!("kite_", $type, "_ne") => |call: &Call| $compare(call).map(Ordering::is_ne),
            concat!("kite_", $type, "_ge") => |call: &Call| $compare(call).map(Ordering::is_ge),
            concat!("kite_", $type, "_gt") => |call: &Call| $compare(call).map(Ordering::is_gt),
            concat!("kite_", $type, "_cmp") => |call: &Call| $compare(call).map(|order| order as i32),
        }
        export! { [1]
            concat!("kite_", $type, "_hash") => |call: &Call| $key(call).map(|key| hash(&key)),
            concat!("kite_", $type, "_hash_extended") =>
                |call: &Call| $key(call).map(|key| hash_extended(&key, call.int8(1))),
        }
    };
}

order_exports!("vector", dense_cmp::<f32>, dense_key::<f32>);
order_exports!("halfvec", dense_cmp::<half::f16>, dense_key::<half::f16>);
order_exports!("sparsevec", sparse_cmp, sparse_key);
