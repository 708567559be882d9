//! Plain (not compressed, not external) values, and what may be read from their bytes. A stored value is not believed: its
//! dimensions and its length must agree.

use crate::call::Call;
use kite_vectors::{Error, Result, Scalar, Sparse};
use pgrx::{
    pg_sys::{self, Datum, varlena},
    varlena::{varatt_is_4b_u, varsize_any},
};
use std::{marker::PhantomData, slice};

/// Bytes of a plain varlena header.
pub(crate) const HEADER: usize = 4;
pub(crate) const DENSE_HEADER: usize = HEADER + 4;
pub(crate) const SPARSE_HEADER: usize = HEADER + 12;

/// Types that may be read from any bytes.
pub(crate) trait Stored: Copy {}
impl Stored for f32 {}
impl Stored for f64 {}
impl Stored for half::f16 {}
impl Stored for i32 {}

/// A plain value. A copy that detoasting made here is left to the memory context of the call; functions that are called once per
/// row of a sort or scan have theirs made and freed by [`crate::call::guard`].
pub(crate) struct Plain<'a> {
    pub(crate) pointer: *const varlena,
    pub(crate) copied: bool,
    place: PhantomData<&'a Call>,
}

impl<'a> Plain<'a> {
    /// The n-th argument of a call.
    #[inline(always)]
    pub(crate) fn argument(call: &'a Call, n: usize) -> Self {
        if let Some(pointer) = call.plain(n) {
            return Self { pointer, copied: false, place: PhantomData };
        }
        // SAFETY: the SQL declaration types this argument with a varlena type and STRICT: it points to a valid varlena, which
        // stays for the call.
        unsafe { Self::of(call.datum(n)) }
    }

    /// A value, detoasted if need be.
    ///
    /// # Safety
    /// The datum points to a valid varlena, which stays in place for `'a`, as does the current memory context.
    #[inline(always)]
    pub(crate) unsafe fn of(datum: Datum) -> Self {
        let pointer: *mut varlena = datum.cast_mut_ptr();
        // SAFETY: the first byte tells the form of a varlena. Detoasting returns that pointer or a fresh allocation of the current
        // memory context.
        unsafe {
            if varatt_is_4b_u(pointer) {
                return Self { pointer, copied: false, place: PhantomData };
            }
            Self { pointer: pg_sys::pg_detoast_datum(pointer), copied: true, place: PhantomData }
        }
    }

    /// All bytes, header included.
    #[inline]
    pub(crate) fn bytes(&self) -> &'a [u8] {
        // SAFETY: a plain varlena is as long as its header says, header included, and stays in place for `'a`.
        unsafe { slice::from_raw_parts(self.pointer.cast(), varsize_any(self.pointer)) }
    }

    #[inline]
    pub(crate) fn int4(&self, at: usize) -> Option<i32> {
        Some(i32::from_ne_bytes(self.bytes().get(at..at + 4)?.try_into().ok()?))
    }

    /// `count` items of type T from byte `at`, if they are there.
    #[inline]
    pub(crate) fn items<T: Stored>(&self, at: usize, count: usize) -> Option<&'a [T]> {
        let bytes = self.bytes().get(at..)?.get(..count.checked_mul(size_of::<T>())?)?;
        let pointer = bytes.as_ptr().cast::<T>();
        // SAFETY: the range was just checked to lie in the value, every bit pattern is a `Stored`, and the alignment is
        // checked here (the types are declared with int4 alignment, so it always holds on sound data).
        pointer.is_aligned().then(|| unsafe { slice::from_raw_parts(pointer, count) })
    }

    /// The elements of a dense vector.
    #[inline(always)]
    pub(crate) fn dense<E: Scalar + Stored>(&self) -> Result<&'a [E]> {
        let dims =
            self.bytes().get(HEADER..HEADER + 2).map_or(-1, |two| i16::from_ne_bytes([two[0], two[1]]));
        let dims = usize::try_from(dims).unwrap_or(0);
        match self.items(DENSE_HEADER, dims) {
            Some(elements) if dims > 0 => Ok(elements),
            _ => Err(damaged(E::KIND.name)),
        }
    }

    /// A sparse vector. Its indices are not looked at.
    pub(crate) fn sparse(&self) -> Result<Sparse<'a>> {
        let number = |at| self.int4(at).and_then(|number| usize::try_from(number).ok());
        let read = || {
            let (dims, elements) = (number(HEADER)?, number(HEADER + 4)?);
            let indices = self.items(SPARSE_HEADER, elements)?;
            let values = self.items(SPARSE_HEADER + elements.checked_mul(4)?, elements)?;
            Some(Sparse { dims, indices, values })
        };
        read().ok_or_else(|| damaged("sparsevec"))
    }

    /// A bit string: its length in bits, and its bytes, first bit highest in the first, zeros behind the last.
    pub(crate) fn bits(&self) -> Result<(usize, &'a [u8])> {
        let bits = self.int4(HEADER).and_then(|bits| usize::try_from(bits).ok());
        match (bits, self.bytes().get(HEADER + 4..)) {
            (Some(bits), Some(bytes)) if bytes.len() == bits.div_ceil(8) => Ok((bits, bytes)),
            _ => Err(damaged("bit")),
        }
    }
}

#[cold]
fn damaged(kind: &'static str) -> Error {
    Error::Damaged { kind, what: "its length does not fit its dimensions" }
}
