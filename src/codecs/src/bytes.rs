//! Reading and writing of payload headers. Numbers are in the byte order of the machine, as everything on a Postgres page.

use crate::{Error, Result};
use zerocopy::{FromBytes, Immutable};

pub(crate) const LENGTH: Error = Error::Corrupt("a vector payload has another length than its index's");
pub(crate) const ALIGNMENT: Error = Error::Corrupt("a vector payload is not aligned to its elements");
pub(crate) const CONTENT: Error = Error::Corrupt("a vector payload holds numbers that nobody wrote");

/// Splits a payload into a header of `N` bytes and the rest, which must be `rest` bytes long.
#[inline]
pub(crate) fn split<const N: usize>(payload: &[u8], rest: usize) -> Result<(&[u8; N], &[u8])> {
    match payload.split_first_chunk::<N>() {
        Some((header, found)) if found.len() == rest => Ok((header, found)),
        _ => Err(LENGTH),
    }
}

/// Four bytes of a header.
#[inline]
pub(crate) fn word<const N: usize>(header: &[u8; N], at: usize) -> [u8; 4] {
    [header[at], header[at + 1], header[at + 2], header[at + 3]]
}

#[inline]
pub(crate) fn float<const N: usize>(header: &[u8; N], at: usize) -> f32 {
    f32::from_ne_bytes(word(header, at))
}

#[inline]
pub(crate) fn integer<const N: usize>(header: &[u8; N], at: usize) -> u32 {
    u32::from_ne_bytes(word(header, at))
}

/// Bytes as elements.
#[inline]
pub(crate) fn elements<E: FromBytes + Immutable>(bytes: &[u8]) -> Result<&[E]> {
    <[E]>::ref_from_bytes(bytes).map_err(|_| ALIGNMENT)
}

/// A key is never NaN, which would have no place in an order: what is not comparable is farthest.
#[inline]
pub(crate) fn key(distance: f64) -> f32 {
    let key = distance as f32;
    if key.is_nan() { f32::INFINITY } else { key }
}
