//! Values as they lie on disk: sound ones are pgvector's bytes, damaged ones are an ERROR.

use super::{attempt, body, function, varlena};
use pgrx::{
    pg_schema,
    pg_sys::{self, Datum, Oid},
    pg_test,
};

#[pg_schema]
mod tests {
    use super::*;

    /// A value read from text, as the bytes behind its varlena header.
    fn stored(kind: &str, literal: &str) -> Vec<u8> {
        let literal = std::ffi::CString::new(literal).unwrap();
        let input = function(&format!("{kind}_in(cstring,oid,integer)"));
        // SAFETY: the function takes a cstring, an OID and a type modifier.
        body(unsafe { pg_sys::OidInputFunctionCall(input, literal.as_ptr().cast_mut(), Oid::INVALID, -1) })
    }

    #[pg_test]
    fn values_are_stored_as_pgvector_stores_them() {
        assert_eq!(stored("vector", "[1,-2]"), [2, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
        assert_eq!(stored("halfvec", "[1,-2]"), [2, 0, 0, 0, 0, 0x3c, 0, 0xc0]);
        assert_eq!(
            stored("sparsevec", "{3:1,1:-2}/5"),
            [
                [5, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0].as_slice(),
                &[0, 0, 0, 0, 2, 0, 0, 0],
                &[0, 0, 0, 0xc0, 0, 0, 0x80, 0x3f],
            ]
            .concat()
        );
    }

    /// Calls a function of two values of one type.
    fn distance(signature: &str, bytes: &[u8]) -> Result<Datum, String> {
        let (function, value) = (function(signature), varlena(bytes));
        // SAFETY: the function takes two values of a varlena type.
        let call =
            move || unsafe { pg_sys::OidFunctionCall2Coll(function, Oid::INVALID, value, value).value() };
        attempt(call).map(Datum::from)
    }

    fn damaged(kind: &str) -> Result<Datum, String> {
        Err(format!(
            "ERRCODE_DATA_CORRUPTED: stored {kind} is damaged: its length does not fit its dimensions"
        ))
    }

    #[pg_test]
    fn damaged_dense_values_are_an_error() {
        let float = 1f32.to_ne_bytes();
        let value = |dims: i16, elements: usize| {
            [dims.to_ne_bytes().to_vec(), vec![0, 0], float.repeat(elements)].concat()
        };
        assert_eq!(distance("l2_distance(vector,vector)", &value(2, 2)), Ok(Datum::from(0)));
        for (dims, elements) in [(3, 2), (i16::MAX, 2), (0, 0), (-1, 2), (16_000, 0)] {
            assert_eq!(
                distance("l2_distance(vector,vector)", &value(dims, elements)),
                damaged("vector"),
                "{dims}"
            );
        }
        for cut in 0..6 {
            assert_eq!(
                distance("l2_distance(halfvec,halfvec)", &value(2, 2)[..cut]),
                damaged("halfvec"),
                "{cut}"
            );
        }
    }

    #[pg_test]
    fn damaged_sparse_values_are_an_error_or_a_number() {
        let value = |words: &[i32]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
        let l1 = |words: &[i32]| distance("l1_distance(sparsevec,sparsevec)", &value(words));
        assert_eq!(l1(&[5, 1, 0, 2, 1]), Ok(Datum::from(0)));
        for words in
            [&[5, 2, 0, 2, 1][..], &[5, -1, 0, 2, 1], &[5, i32::MAX, 0, 2, 1], &[5], &[], &[-1, 0, 0]]
        {
            assert_eq!(l1(words), damaged("sparsevec"), "{words:?}");
        }
        // Indices out of order and out of bounds: nothing may be read or written outside the value.
        assert!(l1(&[5, 3, 0, 9, -7, 9, 1, 1, 1]).is_ok());
        let cast = function("sparsevec_to_vector(sparsevec,integer,boolean)");
        let bytes = value(&[2, 2, 0, 9, -7, 1, 1]);
        let argument = varlena(&bytes);
        // SAFETY: the function takes a sparsevec, a type modifier and a boolean.
        let dense = unsafe {
            pg_sys::OidFunctionCall3Coll(cast, Oid::INVALID, argument, Datum::from(-1), Datum::from(true))
        };
        assert_eq!(body(dense), [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[pg_test]
    fn damaged_bit_strings_are_an_error() {
        let value = |bits: i32, bytes: usize| [bits.to_ne_bytes().to_vec(), vec![0xff; bytes]].concat();
        assert!(distance("hamming_distance(bit,bit)", &value(12, 2)).is_ok());
        for (bits, bytes) in [(12, 1), (12, 3), (-1, 2), (i32::MAX, 2)] {
            assert_eq!(distance("hamming_distance(bit,bit)", &value(bits, bytes)), damaged("bit"), "{bits}");
        }
    }
}
