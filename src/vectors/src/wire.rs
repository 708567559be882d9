//! The binary formats of COPY and of the wire protocol, in network byte order.
//!
//! | type | bytes |
//! |---|---|
//! | `vector`, `halfvec` | dimensions i16, unused i16 (0), elements f32 or f16 |
//! | `sparsevec` | dimensions i32, non-zeros i32, unused i32 (0), indices i32 from 0 and ascending, values f32 not zero |

use crate::{
    Error, Result, SPARSEVEC, Scalar, Sparse, check_type_modifier,
    sparse::{SparseBuf, check_elements, check_index},
};

/// What is left of a message.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(Error::Truncated)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn i16(&mut self) -> Result<i16> {
        let bytes = self.bytes(2)?;
        Ok(i16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn i32(&mut self) -> Result<i32> {
        let bytes = self.bytes(4)?;
        Ok(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}

fn check_unused(found: i32) -> Result<()> {
    if found == 0 { Ok(()) } else { Err(Error::UnusedNotZero { found }) }
}

/// Decodes a dense vector from the front of a message; answers it and the number of bytes read.
pub fn decode_dense<E: Scalar>(message: &[u8], type_modifier: i32) -> Result<(Vec<E>, usize)> {
    let mut reader = Reader(message);
    let dims = reader.i16()?;
    let unused = reader.i16()?;
    let dims = E::KIND.check_dims(i64::from(dims))?;
    check_type_modifier(type_modifier, dims)?;
    check_unused(i32::from(unused))?;
    let mut elements = Vec::with_capacity(dims);
    // All at once, while nothing is wrong.
    if let Some((bytes, rest)) = reader.0.split_at_checked(dims * E::WIRE_BYTES) {
        elements.extend(bytes.chunks_exact(E::WIRE_BYTES).map(E::from_wire));
        if elements.iter().fold(true, |sound, element| sound & element.to_f32().is_finite()) {
            return Ok((elements, message.len() - rest.len()));
        }
        elements.clear();
    }
    // One at a time: an infinity ahead of the place where a message breaks off is reported as what it is.
    for _ in 0..dims {
        let element = E::from_wire(reader.bytes(E::WIRE_BYTES)?);
        E::KIND.check_element(element.to_f32())?;
        elements.push(element);
    }
    Ok((elements, message.len() - reader.0.len()))
}

/// Encodes a dense vector.
pub fn encode_dense<E: Scalar>(elements: &[E]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + elements.len() * E::WIRE_BYTES);
    // At most 16,000 dimensions, by the type.
    out.extend_from_slice(&(elements.len() as i16).to_be_bytes());
    out.extend_from_slice(&0i16.to_be_bytes());
    for element in elements {
        element.to_wire(&mut out);
    }
    out
}

/// Decodes a sparse vector from the front of a message; answers it and the number of bytes read.
pub fn decode_sparse(message: &[u8], type_modifier: i32) -> Result<(SparseBuf, usize)> {
    let mut reader = Reader(message);
    let dims = reader.i32()?;
    let count = reader.i32()?;
    let unused = reader.i32()?;
    let dims = SPARSEVEC.check_dims(i64::from(dims))?;
    let count = check_elements(i64::from(count), dims)?;
    check_type_modifier(type_modifier, dims)?;
    check_unused(unused)?;

    let mut indices = Vec::with_capacity(count);
    for _ in 0..count {
        let index = reader.i32()?;
        check_index(index, indices.last().copied(), dims)?;
        indices.push(index);
    }
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        let value = f32::from_wire(reader.bytes(f32::WIRE_BYTES)?);
        SPARSEVEC.check_element(value)?;
        if value == 0.0 {
            return Err(Error::ZeroValue);
        }
        values.push(value);
    }
    Ok((SparseBuf { dims, indices, values }, message.len() - reader.0.len()))
}

/// Encodes a sparse vector.
pub fn encode_sparse(vector: Sparse<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(12 + vector.indices.len() * 8);
    // At most 1,000,000,000 dimensions and 16,000 elements, by the type.
    out.extend_from_slice(&(vector.dims as i32).to_be_bytes());
    out.extend_from_slice(&(vector.indices.len() as i32).to_be_bytes());
    out.extend_from_slice(&0i32.to_be_bytes());
    for index in vector.indices {
        out.extend_from_slice(&index.to_be_bytes());
    }
    for value in vector.values {
        value.to_wire(&mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    use proptest::prelude::*;

    fn dense_message(dims: i16, unused: i16, elements: &[f32]) -> Vec<u8> {
        let mut message = [dims.to_be_bytes(), unused.to_be_bytes()].concat();
        elements.iter().for_each(|element| message.extend_from_slice(&element.to_be_bytes()));
        message
    }

    fn sparse_message(numbers: &[i32], values: &[f32]) -> Vec<u8> {
        let mut message: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        values.iter().for_each(|value| message.extend_from_slice(&value.to_be_bytes()));
        message
    }

    fn refused_dense(message: &[u8]) -> Error {
        decode_dense::<f32>(message, -1).unwrap_err()
    }

    #[test]
    fn bytes_are_those_of_the_format() {
        assert_eq!(encode_dense(&[1.0f32, -2.0]), [0, 2, 0, 0, 0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0]);
        assert_eq!(encode_dense(&[f16::ONE]), [0, 1, 0, 0, 0x3c, 0]);
        let vector = Sparse { dims: 5, indices: &[4], values: &[1.0] };
        assert_eq!(encode_sparse(vector), [0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0x3f, 0x80, 0, 0]);
    }

    #[test]
    fn dense_messages_that_are_refused() {
        let kind = "vector";
        assert_eq!(refused_dense(&[0]), Error::Truncated);
        assert_eq!(refused_dense(&dense_message(0, 0, &[])), Error::NoDimensions { kind });
        assert_eq!(refused_dense(&dense_message(-1, 0, &[])), Error::NoDimensions { kind });
        assert_eq!(
            refused_dense(&dense_message(16_001, 0, &[])),
            Error::TooManyDimensions { kind, max: 16_000 }
        );
        assert_eq!(refused_dense(&dense_message(1, -7, &[1.0])), Error::UnusedNotZero { found: -7 });
        assert_eq!(refused_dense(&dense_message(2, 0, &[1.0])), Error::Truncated);
        assert_eq!(refused_dense(&dense_message(2, 0, &[f32::NAN])), Error::NotANumber { kind });
        assert_eq!(refused_dense(&dense_message(1, 0, &[f32::NEG_INFINITY])), Error::Infinite { kind });
        assert_eq!(
            decode_dense::<f32>(&dense_message(1, 0, &[1.0]), 2).unwrap_err(),
            Error::UnexpectedDimensions { expected: 2, found: 1 }
        );
    }

    #[test]
    fn sparse_messages_that_are_refused() {
        let refused = |numbers: &[i32], values: &[f32]| {
            decode_sparse(&sparse_message(numbers, values), -1).unwrap_err()
        };
        assert_eq!(refused(&[5, 1], &[]), Error::Truncated);
        assert_eq!(refused(&[0, 0, 0], &[]), Error::NoDimensions { kind: "sparsevec" });
        assert_eq!(refused(&[5, -1, 0], &[]), Error::NegativeElements);
        assert_eq!(refused(&[5, 6, 0], &[]), Error::MoreElementsThanDimensions);
        assert_eq!(
            refused(&[i32::MAX, 1, 0], &[]),
            Error::TooManyDimensions { kind: "sparsevec", max: 1_000_000_000 }
        );
        assert_eq!(refused(&[20_000, 16_001, 0], &[]), Error::TooManyElements { max: 16_000 });
        assert_eq!(refused(&[5, 1, 3, 0], &[1.0]), Error::UnusedNotZero { found: 3 });
        assert_eq!(refused(&[5, 1, 0, 5], &[1.0]), Error::IndexOutOfBounds);
        assert_eq!(refused(&[5, 1, 0, -1], &[1.0]), Error::IndexOutOfBounds);
        assert_eq!(refused(&[5, 2, 0, 1, 0], &[1.0, 1.0]), Error::IndicesNotAscending);
        assert_eq!(refused(&[5, 2, 0, 1, 1], &[1.0, 1.0]), Error::DuplicateIndices);
        assert_eq!(refused(&[5, 1, 0, 1], &[-0.0]), Error::ZeroValue);
        assert_eq!(refused(&[5, 1, 0, 1], &[f32::INFINITY]), Error::Infinite { kind: "sparsevec" });
        assert_eq!(refused(&[5, 2, 0, 0, 1], &[1.0]), Error::Truncated);
    }

    /// Messages that are almost right: a plausible header, then bytes that a mutation may have hit.
    fn nearly_dense() -> impl Strategy<Value = Vec<u8>> {
        (-2i16..70, -1i16..2, prop::collection::vec(any::<u8>(), 0..280)).prop_map(|(dims, unused, body)| {
            [dims.to_be_bytes().to_vec(), unused.to_be_bytes().to_vec(), body].concat()
        })
    }

    fn nearly_sparse() -> impl Strategy<Value = Vec<u8>> {
        (
            -1i32..12,
            -1i32..6,
            -1i32..2,
            prop::collection::vec(-1i32..12, 0..6),
            prop::collection::vec(any::<u8>(), 0..32),
        )
            .prop_map(|(dims, count, unused, indices, body)| {
                [sparse_message(&[dims, count, unused], &[]), sparse_message(&indices, &[]), body].concat()
            })
    }

    fn check_dense<E: Scalar>(message: &[u8], modifier: i32) -> std::result::Result<(), TestCaseError> {
        if let Ok((elements, read)) = decode_dense::<E>(message, modifier) {
            prop_assert!((1..=E::KIND.max_dims).contains(&elements.len()));
            prop_assert!(elements.iter().all(|element| element.to_f32().is_finite()));
            prop_assert_eq!(encode_dense(&elements), &message[..read]);
        }
        Ok(())
    }

    fn check_sparse(message: &[u8], modifier: i32) -> std::result::Result<(), TestCaseError> {
        if let Ok((vector, read)) = decode_sparse(message, modifier) {
            prop_assert!(vector.indices.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(vector.indices.iter().all(|&index| (index as usize) < vector.dims));
            prop_assert!(vector.values.iter().all(|value| value.is_finite() && *value != 0.0));
            prop_assert_eq!(encode_sparse(vector.as_ref()), &message[..read]);
        }
        Ok(())
    }

    // Four properties of 260,000 messages: over a million hostile inputs a run.
    proptest! {
        #![proptest_config(ProptestConfig::with_cases(260_000))]
        #[test]
        fn any_bytes_are_decoded_or_refused(message: Vec<u8>, modifier in -1i32..5) {
            check_dense::<f32>(&message, modifier)?;
            check_dense::<f16>(&message, modifier)?;
            check_sparse(&message, modifier)?;
        }

        #[test]
        fn nearly_right_vectors(message in nearly_dense()) {
            check_dense::<f32>(&message, -1)?;
        }

        #[test]
        fn nearly_right_halfvecs(message in nearly_dense()) {
            check_dense::<f16>(&message, -1)?;
        }

        #[test]
        fn nearly_right_sparsevecs(message in nearly_sparse()) {
            check_sparse(&message, -1)?;
        }
    }
}
