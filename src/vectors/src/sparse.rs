//! Sparse vectors: ascending indices from 0, values that are not zero, and the dimensions they lie in.

use crate::{Error, Result, SPARSEVEC, dense::cosine_from_sums};
use kite_kernels::Dense;
use std::cmp::Ordering;

/// The most non-zero elements a value may have.
pub const MAX_ELEMENTS: usize = 16_000;

/// A borrowed sparse vector. `indices` and `values` have the same length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sparse<'a> {
    /// Number of dimensions, zeros included.
    pub dims: usize,
    /// Places of the non-zero elements, ascending, from 0.
    pub indices: &'a [i32],
    /// Their values.
    pub values: &'a [f32],
}

/// An owned sparse vector.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseBuf {
    /// Number of dimensions, zeros included.
    pub dims: usize,
    /// Places of the non-zero elements, ascending, from 0.
    pub indices: Vec<i32>,
    /// Their values.
    pub values: Vec<f32>,
}

impl SparseBuf {
    /// Borrows it.
    pub fn as_ref(&self) -> Sparse<'_> {
        Sparse { dims: self.dims, indices: &self.indices, values: &self.values }
    }

    /// Takes the elements of a dense vector that are not zero.
    pub fn from_dense(values: impl ExactSizeIterator<Item = f32>) -> Result<Self> {
        let dims = SPARSEVEC.check_dims(values.len() as i64)?;
        let mut sparse = Self { dims, indices: Vec::new(), values: Vec::new() };
        for (index, value) in (0i32..).zip(values) {
            if value != 0.0 {
                SPARSEVEC.check_element(value)?;
                sparse.push(index, value)?;
            }
        }
        Ok(sparse)
    }

    fn push(&mut self, index: i32, value: f32) -> Result<()> {
        if self.indices.len() == MAX_ELEMENTS {
            return Err(Error::TooManyElements { max: MAX_ELEMENTS });
        }
        self.indices.push(index);
        self.values.push(value);
        Ok(())
    }
}

/// Refuses a number of non-zero elements that a vector of `dims` dimensions cannot have.
pub(crate) fn check_elements(count: i64, dims: usize) -> Result<usize> {
    match usize::try_from(count) {
        Err(_) => Err(Error::NegativeElements),
        Ok(count) if count > MAX_ELEMENTS => Err(Error::TooManyElements { max: MAX_ELEMENTS }),
        Ok(count) if count > dims => Err(Error::MoreElementsThanDimensions),
        Ok(count) => Ok(count),
    }
}

/// Refuses an index outside the dimensions or not after the one before it.
pub(crate) fn check_index(index: i32, previous: Option<i32>, dims: usize) -> Result<()> {
    if !usize::try_from(index).is_ok_and(|index| index < dims) {
        return Err(Error::IndexOutOfBounds);
    }
    match previous.map(|previous| index.cmp(&previous)) {
        Some(Ordering::Less) => Err(Error::IndicesNotAscending),
        Some(Ordering::Equal) => Err(Error::DuplicateIndices),
        _ => Ok(()),
    }
}

/// Walks the union of two ascending index lists: `visit(index, value in a or zero, value in b or zero)`.
fn union<A: Copy + Default, B: Copy + Default>(
    a: (&[i32], &[A]),
    b: (&[i32], &[B]),
    mut visit: impl FnMut(i32, A, B),
) {
    let (mut i, mut j) = (0, 0);
    loop {
        // An exhausted side stands beyond every index.
        let at_a = a.0.get(i).map_or(i64::MAX, |&index| i64::from(index));
        let at_b = b.0.get(j).map_or(i64::MAX, |&index| i64::from(index));
        let at = at_a.min(at_b);
        if at == i64::MAX {
            return;
        }
        let (has_a, has_b) = (at == at_a, at == at_b);
        let x = if has_a { a.1[i] } else { A::default() };
        let y = if has_b { b.1[j] } else { B::default() };
        visit(at as i32, x, y);
        i += usize::from(has_a);
        j += usize::from(has_b);
    }
}

/// Adds `values` at `indices` to a sorted list of sums. The shared core of `sum` and `avg`.
pub(crate) fn merge_sums(sums: (&[i32], &[f64]), other: (&[i32], &[f64])) -> Result<(Vec<i32>, Vec<f64>)> {
    let capacity = sums.0.len().max(other.0.len());
    let (mut indices, mut values) = (Vec::with_capacity(capacity), Vec::with_capacity(capacity));
    let mut finite = true;
    union(sums, other, |index, x, y| {
        indices.push(index);
        values.push(x + y);
        finite &= (x + y).is_finite();
    });
    if finite { Ok((indices, values)) } else { Err(Error::Overflow) }
}

impl<'a> Sparse<'a> {
    fn parts(self) -> (&'a [i32], &'a [f32]) {
        (self.indices, self.values)
    }

    /// Refuses a vector of other dimensions.
    pub fn check_same_dims(self, other: Sparse<'_>) -> Result<()> {
        SPARSEVEC.check_same_dims(self.dims, other.dims)
    }

    /// Σ (aᵢ − bᵢ)²
    pub fn l2_squared(self, other: Sparse<'_>) -> f32 {
        let mut sum = 0.0;
        union(self.parts(), other.parts(), |_, x, y| sum += (x - y) * (x - y));
        sum
    }

    /// Σ |aᵢ − bᵢ|
    pub fn l1(self, other: Sparse<'_>) -> f32 {
        let mut sum = 0.0;
        union(self.parts(), other.parts(), |_, x, y| sum += (x - y).abs());
        sum
    }

    /// Σ aᵢ·bᵢ over the indices that both have.
    pub fn dot(self, other: Sparse<'_>) -> f32 {
        let (mut sum, mut i, mut j) = (0.0, 0, 0);
        while let (Some(&at_a), Some(&at_b)) = (self.indices.get(i), other.indices.get(j)) {
            if at_a == at_b {
                sum += self.values[i] * other.values[j];
            }
            i += usize::from(at_a <= at_b);
            j += usize::from(at_b <= at_a);
        }
        sum
    }

    /// 1 − cos(a, b); NaN where a norm is zero.
    pub fn cosine_distance(self, other: Sparse<'_>, kernels: &Dense<f32>) -> f64 {
        self.cosine_distance_of(other, self.dot(other), kernels)
    }

    /// The same where a·b is known.
    pub fn cosine_distance_of(self, other: Sparse<'_>, dot: f32, kernels: &Dense<f32>) -> f64 {
        let norm = |values: &[f32]| (kernels.dot)(values, values);
        cosine_from_sums(dot, norm(self.values), norm(other.values))
    }

    /// |a|
    pub fn norm(self, kernels: &Dense<f32>) -> f64 {
        (kernels.norm_squared)(self.values).sqrt()
    }

    /// a / |a|; a vector without elements stays as it is, and elements that vanish are left out.
    pub fn normalize(self, kernels: &Dense<f32>) -> Result<SparseBuf> {
        let norm = self.norm(kernels);
        let mut out = SparseBuf { dims: self.dims, indices: Vec::new(), values: Vec::new() };
        for (&index, &value) in self.indices.iter().zip(self.values) {
            let value = (f64::from(value) / norm) as f32;
            if value.is_infinite() {
                return Err(Error::Overflow);
            }
            if value != 0.0 {
                out.push(index, value)?;
            }
        }
        Ok(out)
    }

    /// a + b; elements that cancel are left out.
    pub fn plus(self, other: Sparse<'_>) -> Result<SparseBuf> {
        self.check_same_dims(other)?;
        let mut out = SparseBuf { dims: self.dims, indices: Vec::new(), values: Vec::new() };
        let mut outcome = Ok(());
        union(self.parts(), other.parts(), |index, x, y| {
            let sum = x + y;
            if sum.is_infinite() {
                outcome = Err(Error::Overflow);
            } else if sum != 0.0 && outcome.is_ok() {
                outcome = out.push(index, sum);
            }
        });
        outcome.map(|()| out)
    }

    /// The order of the dense vectors that these stand for: element by element, then by dimensions.
    pub fn compare(self, other: Sparse<'_>) -> Ordering {
        let sign = |value: f32| if value < 0.0 { Ordering::Less } else { Ordering::Greater };
        let common = self.indices.len().min(other.indices.len());
        for at in 0..common {
            // The side with the smaller index has an element where the other has a zero.
            match self.indices[at].cmp(&other.indices[at]) {
                Ordering::Less => return sign(self.values[at]),
                Ordering::Greater => return sign(other.values[at]).reverse(),
                Ordering::Equal => {}
            }
            match self.values[at].partial_cmp(&other.values[at]) {
                Some(Ordering::Equal) | None => {}
                Some(order) => return order,
            }
        }
        // A further element counts only where the other vector still has dimensions.
        let beyond = |longer: Sparse<'_>, shorter: Sparse<'_>| {
            let index = longer.indices.get(common)?;
            ((*index as usize) < shorter.dims).then(|| sign(longer.values[common]))
        };
        beyond(self, other)
            .or_else(|| beyond(other, self).map(Ordering::reverse))
            .unwrap_or_else(|| self.dims.cmp(&other.dims))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kite_kernels::kernels;
    use proptest::prelude::*;

    fn small() -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(prop_oneof![Just(0.0f32), -3.0f32..3.0, Just(1.0)], 1..12)
    }

    fn pair() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
        (small(), small()).prop_map(|(mut a, mut b)| {
            let dims = a.len().min(b.len());
            a.truncate(dims);
            b.truncate(dims);
            (a, b)
        })
    }

    fn sparse(dense: &[f32]) -> SparseBuf {
        SparseBuf::from_dense(dense.iter().copied()).unwrap()
    }

    fn dense(sparse: &SparseBuf) -> Vec<f32> {
        let mut out = vec![0.0; sparse.dims];
        for (&index, &value) in sparse.indices.iter().zip(&sparse.values) {
            out[index as usize] = value;
        }
        out
    }

    proptest! {
        #[test]
        fn distances_are_those_of_the_dense_vectors((a, b) in pair()) {
            let (x, y) = (sparse(&a), sparse(&b));
            let (x, y) = (x.as_ref(), y.as_ref());
            let close = |ours: f64, theirs: f64| (ours - theirs).abs() <= 1e-5 * theirs.abs().max(1.0)
                || (ours.is_nan() && theirs.is_nan());
            let f32 = &kernels().f32;
            prop_assert!(close(x.l2_squared(y).into(), (f32.l2_squared)(&a, &b).into()));
            prop_assert!(close(x.l1(y).into(), (f32.l1)(&a, &b).into()));
            prop_assert!(close(x.dot(y).into(), (f32.dot)(&a, &b).into()));
            prop_assert!(close(x.cosine_distance(y, f32), crate::dense::cosine_distance(f32, &a, &b)));
        }

        #[test]
        fn order_is_that_of_the_dense_vectors(a in small(), b in small()) {
            let (x, y) = (sparse(&a), sparse(&b));
            prop_assert_eq!(x.as_ref().compare(y.as_ref()), crate::dense::compare(&a, &b));
        }

        #[test]
        fn sums_and_norms_are_those_of_the_dense_vectors((a, b) in pair()) {
            let mut out = vec![0.0; a.len()];
            crate::dense::add(&a, &b, &mut out).unwrap();
            let sum = sparse(&a).as_ref().plus(sparse(&b).as_ref()).unwrap();
            prop_assert!(sum.values.iter().all(|value| *value != 0.0));
            prop_assert_eq!(dense(&sum), out.clone());
            crate::dense::normalize(&kernels().f32, &a, &mut out).unwrap();
            prop_assert_eq!(dense(&sparse(&a).as_ref().normalize(&kernels().f32).unwrap()), out);
        }
    }

    #[test]
    fn limits() {
        assert_eq!(
            SparseBuf::from_dense(vec![1.0; 16_001].into_iter()),
            Err(Error::TooManyElements { max: 16_000 })
        );
        let a = SparseBuf { dims: 2, indices: vec![0], values: vec![3e38] };
        assert_eq!(a.as_ref().plus(a.as_ref()), Err(Error::Overflow));
        let b = SparseBuf { dims: 3, indices: vec![], values: vec![] };
        let kind = "sparsevec";
        assert_eq!(a.as_ref().plus(b.as_ref()), Err(Error::DifferentDimensions { kind, left: 2, right: 3 }));
        let tiny = Sparse { dims: 2, indices: &[0, 1], values: &[1e-45, 3e38] };
        assert_eq!(tiny.normalize(&kernels().f32).unwrap().indices, [1]);
    }
}
