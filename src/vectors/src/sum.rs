//! States of the `avg` aggregates: sums in double precision, and how many values went in.
//!
//! Dense types keep pgvector's state, a `double precision[]` of `[count, sum of element 1, …]`, which the extension holds as a
//! slice. Sparse vectors keep a byte string, since a state of 10⁹ dimensions must stay as small as its elements:
//! `count f64 | dimensions i32 | elements i32 | indices i32… | sums f64…`, in the machine's byte order (a state never leaves the query).

use crate::{
    Error, Result, SPARSEVEC, Scalar, Sparse, check_type_modifier,
    dense::narrow_into,
    sparse::{MAX_ELEMENTS, SparseBuf, check_index, merge_sums},
};

/// The most elements that a sparse state may hold: 12 MiB. A result has at most 16,000, so a state beyond this, which would have
/// to cancel to nearly nothing, is refused before it grows without bound.
const MAX_STATE_ELEMENTS: usize = 1 << 20;
const HEADER_BYTES: usize = 16;

/// Adds a vector to a dense state that has room for it: `state` is `[count, sums…]`.
pub fn accumulate<E: Scalar>(state: &mut [f64], vector: &[E]) -> Result<()> {
    let [count, sums @ ..] = state else {
        return Err(Error::NotAState { kind: E::KIND.name, function: "accum" });
    };
    check_state_dims(sums.len(), vector.len())?;
    let mut finite = true;
    for (sum, element) in sums.iter_mut().zip(vector) {
        *sum += f64::from(element.to_f32());
        finite &= sum.is_finite();
    }
    *count += 1.0;
    if finite { Ok(()) } else { Err(Error::Overflow) }
}

/// Adds the sums of `other` to `state`; both hold values, and the same dimensions.
pub fn combine(state: &mut [f64], other: &[f64]) -> Result<()> {
    check_state_dims(state.len() - 1, other.len() - 1)?;
    let mut finite = true;
    for (sum, other) in state.iter_mut().zip(other) {
        *sum += other;
        finite &= sum.is_finite();
    }
    if finite { Ok(()) } else { Err(Error::Overflow) }
}

/// `sums / count` of a dense state.
pub fn average<E: Scalar>(state: &[f64], out: &mut [E]) -> Result<()> {
    let [count, sums @ ..] = state else {
        return Err(Error::NotAState { kind: E::KIND.name, function: "avg" });
    };
    narrow_into(sums.iter().map(|sum| (sum / count) as f32), out)
}

fn check_state_dims(expected: usize, found: usize) -> Result<()> {
    check_type_modifier(expected as i32, found)
}

/// The state of `avg(sparsevec)`.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseSum {
    count: f64,
    dims: usize,
    indices: Vec<i32>,
    sums: Vec<f64>,
}

impl SparseSum {
    /// The state of one value.
    pub fn of(vector: Sparse<'_>) -> Self {
        Self {
            count: 1.0,
            dims: vector.dims,
            indices: vector.indices.to_vec(),
            sums: vector.values.iter().map(|&value| f64::from(value)).collect(),
        }
    }

    /// Adds another state.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        check_state_dims(self.dims, other.dims)?;
        let (indices, sums) = merge_sums((&self.indices, &self.sums), (&other.indices, &other.sums))?;
        if indices.len() > MAX_STATE_ELEMENTS {
            return Err(Error::TooManyElements { max: MAX_ELEMENTS });
        }
        (self.indices, self.sums) = (indices, sums);
        self.count += other.count;
        Ok(())
    }

    /// The average, without the elements that vanish.
    pub fn average(&self) -> Result<SparseBuf> {
        let mut out = SparseBuf { dims: self.dims, indices: Vec::new(), values: Vec::new() };
        for (&index, &sum) in self.indices.iter().zip(&self.sums) {
            let value = (sum / self.count) as f32;
            SPARSEVEC.check_element(value)?;
            if value != 0.0 {
                out.indices.push(index);
                out.values.push(value);
            }
        }
        if out.indices.len() > MAX_ELEMENTS {
            return Err(Error::TooManyElements { max: MAX_ELEMENTS });
        }
        Ok(out)
    }

    /// The state as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES + self.indices.len() * 12);
        out.extend_from_slice(&self.count.to_ne_bytes());
        out.extend_from_slice(&(self.dims as i32).to_ne_bytes());
        out.extend_from_slice(&(self.indices.len() as i32).to_ne_bytes());
        self.indices.iter().for_each(|index| out.extend_from_slice(&index.to_ne_bytes()));
        self.sums.iter().for_each(|sum| out.extend_from_slice(&sum.to_ne_bytes()));
        out
    }

    /// Reads a state back. `None` is the state of no value, which is the empty string.
    /// Anyone can call the aggregate's functions with bytes of their own, so nothing in them is believed.
    pub fn from_bytes(bytes: &[u8], function: &'static str) -> Result<Option<Self>> {
        if bytes.is_empty() {
            return Ok(None);
        }
        Self::read(bytes).map(Some).ok_or(Error::NotAState { kind: SPARSEVEC.name, function })
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (header, body) = bytes.split_at_checked(HEADER_BYTES)?;
        let count = f64::from_ne_bytes(header[..8].try_into().ok()?);
        let dims = i32::from_ne_bytes(header[8..12].try_into().ok()?);
        let elements = usize::try_from(i32::from_ne_bytes(header[12..].try_into().ok()?)).ok()?;
        let dims = SPARSEVEC.check_dims(i64::from(dims)).ok()?;
        if !(count.is_finite() && count >= 1.0)
            || elements > MAX_STATE_ELEMENTS
            || elements * 12 != body.len()
        {
            return None;
        }
        let (indices, sums) = body.split_at(elements * 4);
        let indices: Vec<i32> = indices
            .chunks_exact(4)
            .filter_map(|four| Some(i32::from_ne_bytes(four.try_into().ok()?)))
            .collect();
        let sums: Vec<f64> = sums
            .chunks_exact(8)
            .filter_map(|eight| Some(f64::from_ne_bytes(eight.try_into().ok()?)))
            .collect();
        let mut previous = None;
        for &index in &indices {
            check_index(index, previous, dims).ok()?;
            previous = Some(index);
        }
        sums.iter().all(|sum| sum.is_finite()).then_some(Self { count, dims, indices, sums })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    use proptest::prelude::*;

    #[test]
    fn dense_states() {
        let mut state = [0.0; 3];
        accumulate(&mut state, &[1.0f32, 2.0]).unwrap();
        accumulate(&mut state, &[3.0f32, 5.0]).unwrap();
        assert_eq!(state, [2.0, 4.0, 7.0]);
        combine(&mut state, &[2.0, 1.0, 1.0]).unwrap();
        let mut out = [f16::ZERO; 2];
        average(&state, &mut out).unwrap();
        assert_eq!(out, [f16::from_f32(1.25), f16::from_f32(2.0)]);
        assert_eq!(
            accumulate(&mut state, &[1.0f32]),
            Err(Error::UnexpectedDimensions { expected: 2, found: 1 })
        );
        assert_eq!(combine(&mut [1.0, f64::MAX], &[1.0, f64::MAX]), Err(Error::Overflow));
        let mut out = [0.0f32; 1];
        assert_eq!(average(&[1.0, 1e300], &mut out), Err(Error::Infinite { kind: "vector" }));
    }

    #[test]
    fn sparse_states() {
        let a = Sparse { dims: 4, indices: &[0, 3], values: &[1.0, 2.0] };
        let b = Sparse { dims: 4, indices: &[1, 3], values: &[4.0, -2.0] };
        let mut state = SparseSum::of(a);
        state.add(&SparseSum::of(b)).unwrap();
        let state = SparseSum::from_bytes(&state.to_bytes(), "f").unwrap().unwrap();
        assert_eq!(
            state.average().unwrap(),
            SparseBuf { dims: 4, indices: vec![0, 1], values: vec![0.5, 2.0] }
        );
        let other = SparseSum::of(Sparse { dims: 5, indices: &[], values: &[] });
        assert_eq!(state.clone().add(&other), Err(Error::UnexpectedDimensions { expected: 4, found: 5 }));
        assert_eq!(SparseSum::from_bytes(&[], "f"), Ok(None));
        let wide = SPARSEVEC.max_dims;
        let half = |start: i32| SparseSum {
            count: 1.0,
            dims: wide,
            indices: (start..).take(MAX_STATE_ELEMENTS / 2 + 1).collect(),
            sums: vec![1.0; MAX_STATE_ELEMENTS / 2 + 1],
        };
        assert_eq!(
            half(0).add(&half(MAX_STATE_ELEMENTS as i32)),
            Err(Error::TooManyElements { max: 16_000 })
        );
        assert!(half(0).add(&half(0)).is_ok());
        assert_eq!(
            SparseSum::from_bytes(&[1, 2, 3], "f"),
            Err(Error::NotAState { kind: "sparsevec", function: "f" })
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50_000))]
        #[test]
        fn a_damaged_state_is_refused_or_sound(at in 0usize..40, byte: u8, cut in 0usize..41) {
            let vector = Sparse { dims: 9, indices: &[2, 7], values: &[1.0, 2.0] };
            let mut bytes = SparseSum::of(vector).to_bytes();
            bytes[at] = byte;
            bytes.truncate(cut);
            if let Ok(Some(state)) = SparseSum::from_bytes(&bytes, "f") {
                prop_assert!(state.indices.iter().all(|&index| (index as usize) < state.dims));
                let _ = state.average();
            }
        }
    }
}
