//! The indexed value of a row, and the query of a scan.

use crate::am::error::OrRaise;
use crate::am::spec;
use crate::call;
use crate::plain::Plain;
use kite_codecs::{Spec, Value, VectorType};
use kite_vectors::{Error, Result};
use pgrx::pg_sys::{self, Datum};

/// A detoasted value, which a drop frees if it is a copy.
pub(in crate::am) struct Detoasted<'a>(Plain<'a>);

impl<'a> Detoasted<'a> {
    /// The value of an index column or of a scan key.
    ///
    /// # Safety
    /// The datum is a varlena that stays in place for `'a`, as does the current memory context.
    pub(in crate::am) unsafe fn new(datum: Datum) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { Plain::of(datum) })
    }

    /// The value as the index of this spec takes it.
    ///
    /// # Errors
    /// A damaged value, and one of other dimensions than the index's, as the operator would report it.
    pub(in crate::am) fn value(&self, spec: &Spec) -> Result<Value<'_>> {
        let (value, dims) = match spec.vector_type {
            VectorType::Vector => {
                let elements = self.0.dense::<f32>()?;
                (Value::F32(elements), elements.len())
            }
            VectorType::Halfvec => {
                let elements = self.0.dense::<half::f16>()?;
                (Value::F16(elements), elements.len())
            }
            VectorType::Bit => {
                let (bits, bytes) = self.0.bits()?;
                (Value::Bits(bytes), bits)
            }
            VectorType::Sparsevec => {
                let sparse = self.0.sparse()?;
                (Value::Sparse(sparse), sparse.dims)
            }
        };
        if dims == spec.dims || (spec.dims == 0 && spec.vector_type == VectorType::Sparsevec) {
            return Ok(value);
        }
        Err(different(spec, dims))
    }
}

/// Raises what is wrong with a value. Where the index is of another type or other dimensions than its column, that is what is wrong.
///
/// # Safety
/// `index` is an open index of ours.
#[cold]
pub(in crate::am) unsafe fn refuse(error: &Error, spec: &Spec, index: pg_sys::Relation) -> ! {
    // SAFETY: the caller's promise.
    unsafe {
        let column = spec::of(index).map(|column| (column.vector_type, column.dims));
        if column.is_ok_and(|column| column != (spec.vector_type, spec.dims)) {
            let what = "what it says of its column is not so";
            Err::<(), _>(kite_pages::Error::Corrupt { block: 0, what }).or_raise(index);
        }
    }
    call::raise(error)
}

impl Drop for Detoasted<'_> {
    fn drop(&mut self) {
        if self.0.copied && !std::thread::panicking() {
            // SAFETY: detoasting allocated it, and `value` lends it no longer than this lives.
            unsafe { pg_sys::pfree(self.0.pointer.cast_mut().cast()) };
        }
    }
}

/// What the operator says about a vector of this index and one of other dimensions.
#[cold]
fn different(spec: &Spec, found: usize) -> Error {
    let kind = match spec.vector_type {
        VectorType::Vector => "vector",
        VectorType::Halfvec => "halfvec",
        VectorType::Sparsevec => "sparsevec",
        VectorType::Bit => return Error::DifferentBitLengths { left: spec.dims, right: found },
    };
    Error::DifferentDimensions { kind, left: spec.dims, right: found }
}
