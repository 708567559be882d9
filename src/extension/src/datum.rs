//! Datums as slices, and slices as datums. The layouts are pgvector's, byte for byte:
//!
//! | type | bytes behind the varlena header of 4 |
//! |---|---|
//! | `vector`, `halfvec` | dimensions i16, unused i16, elements |
//! | `sparsevec` | dimensions i32, elements i32, unused i32, indices i32…, values f32… |
//! | `bit` | length in bits i32, bytes (Postgres's own) |

use crate::call::Call;
use crate::plain::{DENSE_HEADER, HEADER, Plain, SPARSE_HEADER, Stored};
use kite_vectors::{Result, Scalar, Sparse, sparse::SparseBuf};
use pgrx::{
    pg_sys::{self, Datum, varlena},
    varlena::set_varsize_4b,
};
use std::{marker::PhantomData, ops::Deref, slice};

/// An element type of a stored dense vector.
#[allow(private_bounds, reason = "closed on purpose: what may be read from any bytes is decided here")]
pub(crate) trait Element: Scalar + Stored {}
impl<E: Scalar + Stored> Element for E {}

/// A dense vector argument; derefs to its elements.
pub(crate) struct DenseArg<'call, E>(&'call [E]);

impl<E: Element> Deref for DenseArg<'_, E> {
    type Target = [E];

    #[inline]
    fn deref(&self) -> &[E] {
        self.0
    }
}

/// A sparse vector argument.
pub(crate) struct SparseArg<'call>(Sparse<'call>);

impl SparseArg<'_> {
    /// The vector; its bounds were checked when the argument was taken.
    pub(crate) fn get(&self) -> Sparse<'_> {
        self.0
    }
}

/// A `bit` argument.
pub(crate) struct BitArg<'call> {
    bytes: &'call [u8],
    /// Length in bits.
    pub(crate) bits: usize,
}

impl BitArg<'_> {
    /// The bits, first one highest in the first byte, zeros behind the last.
    pub(crate) fn get(&self) -> &[u8] {
        self.bytes
    }
}

/// A `bytea` argument.
pub(crate) struct BytesArg<'call>(Plain<'call>);

impl BytesArg<'_> {
    /// The bytes.
    pub(crate) fn get(&self) -> &[u8] {
        self.0.bytes().get(HEADER..).unwrap_or(&[])
    }
}

impl Call {
    /// The n-th argument as a dense vector.
    #[inline(always)]
    pub(crate) fn dense<E: Element>(&self, n: usize) -> Result<DenseArg<'_, E>> {
        Plain::argument(self, n).dense().map(DenseArg)
    }

    /// Asks for the value that a scan of a table reads after the n-th argument, whose elements these are. A page is filled
    /// from its end, so the next row lies just below this one; without the hint a scan waits for memory at every row.
    #[inline(always)]
    pub(crate) fn expect_next_row<E>(&self, n: usize, elements: &[E]) {
        // Header of the value, the row's own header and item padding, and a few narrow columns.
        const BETWEEN: usize = 64;
        let start = elements.as_ptr().cast::<u8>();
        // A detoasted copy has no neighbours.
        if start.wrapping_sub(DENSE_HEADER) == self.datum(n).cast_mut_ptr() {
            let bytes = size_of_val(elements) + BETWEEN;
            kite_kernels::prefetch(start.wrapping_sub(bytes), bytes);
        }
    }

    /// The n-th argument as a sparse vector.
    pub(crate) fn sparse(&self, n: usize) -> Result<SparseArg<'_>> {
        Plain::argument(self, n).sparse().map(SparseArg)
    }

    /// The n-th argument as a bit string.
    pub(crate) fn bit(&self, n: usize) -> Result<BitArg<'_>> {
        let (bits, bytes) = Plain::argument(self, n).bits()?;
        Ok(BitArg { bytes, bits })
    }

    /// The n-th argument as a byte string.
    pub(crate) fn bytes(&self, n: usize) -> BytesArg<'_> {
        BytesArg(Plain::argument(self, n))
    }
}

/// A fresh varlena of `size` bytes, all zero behind the header.
fn allocate(size: usize) -> *mut varlena {
    // SAFETY: `palloc0` raises an ERROR for what cannot be had (over 1 GB included), else the memory is `size` bytes of zeros,
    // aligned for any type; the header is written within them since no caller asks for fewer than 4.
    unsafe {
        let pointer = pg_sys::palloc0(size).cast::<varlena>();
        set_varsize_4b(pointer, size as i32);
        pointer
    }
}

/// The whole of a fresh varlena behind its header.
///
/// # Safety
/// `pointer` came from [`allocate`] with this size, and nothing else borrows it while the slice lives.
unsafe fn body<'a>(pointer: *mut varlena, size: usize) -> &'a mut [u8] {
    // SAFETY: the caller's promise; `size` counts the header.
    unsafe { slice::from_raw_parts_mut(pointer.cast::<u8>().add(HEADER), size - HEADER) }
}

/// Makes a dense vector of `dims` elements, which `fill` finds zero.
pub(crate) fn new_dense<E: Element>(dims: usize, fill: impl FnOnce(&mut [E]) -> Result<()>) -> Result<Datum> {
    let dims = E::KIND.check_dims(dims as i64)?;
    let pointer = allocate(DENSE_HEADER + dims * size_of::<E>());
    // SAFETY: the allocation has room for header and elements, is aligned for any type (the elements start at byte 8), zero
    // bits are a valid element, and no other reference to it exists.
    let elements = unsafe {
        pointer.cast::<u8>().add(HEADER).cast::<i16>().write(dims as i16);
        slice::from_raw_parts_mut(pointer.cast::<u8>().add(DENSE_HEADER).cast::<E>(), dims)
    };
    fill(elements)?;
    Ok(Datum::from(pointer))
}

/// Makes a sparse vector.
pub(crate) fn new_sparse(vector: &SparseBuf) -> Datum {
    let size = SPARSE_HEADER + 8 * vector.indices.len();
    let pointer = allocate(size);
    // SAFETY: just allocated with this size.
    let body = unsafe { body(pointer, size) };
    let (header, items) = body.split_at_mut(SPARSE_HEADER - HEADER);
    header[..4].copy_from_slice(&(vector.dims as i32).to_ne_bytes());
    header[4..8].copy_from_slice(&(vector.indices.len() as i32).to_ne_bytes());
    let words = vector.indices.iter().map(|index| index.to_ne_bytes());
    let words = words.chain(vector.values.iter().map(|value| value.to_ne_bytes()));
    for (item, word) in items.chunks_exact_mut(4).zip(words) {
        item.copy_from_slice(&word);
    }
    Datum::from(pointer)
}

/// Makes a bit string of `bits` bits, which `fill` finds zero.
pub(crate) fn new_bit(bits: usize, fill: impl FnOnce(&mut [u8])) -> Datum {
    let size = HEADER + 4 + bits.div_ceil(8);
    let pointer = allocate(size);
    // SAFETY: just allocated with this size.
    let body = unsafe { body(pointer, size) };
    let (header, bytes) = body.split_at_mut(4);
    header.copy_from_slice(&(bits as i32).to_ne_bytes());
    fill(bytes);
    Datum::from(pointer)
}

/// Makes a byte string.
pub(crate) fn new_bytes(bytes: &[u8]) -> Datum {
    let size = HEADER + bytes.len();
    let pointer = allocate(size);
    // SAFETY: just allocated with this size.
    unsafe { body(pointer, size) }.copy_from_slice(bytes);
    Datum::from(pointer)
}

/// Makes a `cstring`; the bytes hold no NUL.
pub(crate) fn new_cstring(bytes: &[u8]) -> Datum {
    // SAFETY: the memory holds the bytes and a NUL, which `palloc0` leaves behind them.
    unsafe {
        let pointer = pg_sys::palloc0(bytes.len() + 1).cast::<u8>();
        slice::from_raw_parts_mut(pointer, bytes.len()).copy_from_slice(bytes);
        Datum::from(pointer)
    }
}

/// Number types that arrays are made of here.
#[allow(private_bounds, reason = "closed on purpose, as Element is")]
pub(crate) trait ArrayElement: Stored {
    /// The SQL type of an element.
    const TYPE: pg_sys::Oid;
}

impl ArrayElement for f32 {
    const TYPE: pg_sys::Oid = pg_sys::FLOAT4OID;
}

impl ArrayElement for f64 {
    const TYPE: pg_sys::Oid = pg_sys::FLOAT8OID;
}

/// Header of a one-dimensional array without nulls, behind which its elements stand (`utils/array.h`).
const ARRAY_HEADER: usize = 24;

/// A one-dimensional array argument without nulls; derefs to its elements.
pub(crate) struct ArrayArg<'call, T> {
    plain: Plain<'call>,
    count: usize,
    element: PhantomData<T>,
}

impl<T: ArrayElement> Deref for ArrayArg<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // Checked when the argument was taken.
        self.plain.items(ARRAY_HEADER, self.count).unwrap_or(&[])
    }
}

impl<T: ArrayElement> ArrayArg<'_, T> {
    /// The elements, to be changed in place; `None` where the argument is a copy. Only for the transition value of an
    /// aggregate, which the executor lets its transition function change.
    pub(crate) fn in_place(&mut self) -> Option<&mut [T]> {
        if self.plain.copied {
            return None;
        }
        let first = self.plain.pointer.cast::<u8>().cast_mut();
        // SAFETY: the pointer is the argument's own, not one lent by a reference, and `array` has checked that so many elements
        // follow the header within the value, aligned as `items` has it. Nothing else borrows them: `self` is borrowed mutably.
        Some(unsafe { slice::from_raw_parts_mut(first.add(ARRAY_HEADER).cast::<T>(), self.count) })
    }
}

impl Call {
    /// The n-th argument as an array of the element type; `None` if it is of another shape or type, or has nulls.
    pub(crate) fn array<T: ArrayElement>(&self, n: usize) -> Option<ArrayArg<'_, T>> {
        let plain = Plain::argument(self, n);
        let word = |place: usize| plain.int4(HEADER * place);
        // Words of ArrayType: length, dimensions, offset of the data (0: no nulls), element type, size, lower bound.
        let sound = word(1) == Some(1) && word(2) == Some(0) && word(3) == Some(T::TYPE.to_u32() as i32);
        let count = sound.then(|| word(4)).flatten().and_then(|count| usize::try_from(count).ok())?;
        plain.items::<T>(ARRAY_HEADER, count)?;
        Some(ArrayArg { plain, count, element: PhantomData })
    }
}

/// Makes a one-dimensional array of `count` elements, which `fill` finds zero.
pub(crate) fn new_array<T: ArrayElement>(count: usize, fill: impl FnOnce(&mut [T])) -> Datum {
    let pointer = allocate(ARRAY_HEADER + count * size_of::<T>());
    let header = [1, 0, T::TYPE.to_u32() as i32, count as i32, 1];
    // SAFETY: the allocation has room for header and elements, is aligned for any type (the elements start at byte 24), zero
    // bits are a valid element, and no other reference to it exists.
    let elements = unsafe {
        pointer.cast::<i32>().add(1).cast::<[i32; 5]>().write(header);
        slice::from_raw_parts_mut(pointer.cast::<u8>().add(ARRAY_HEADER).cast::<T>(), count)
    };
    fill(elements);
    Datum::from(pointer)
}
