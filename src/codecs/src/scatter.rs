//! Inner products of one sparse vector with many: it is laid out densely once, and the others pick their elements from it.
//!
//! Merging two lists of indices takes a step for each index of either, with a branch that nobody can foresee. Here each element of
//! the other vector is one load. The sum has the same terms in the same order, and zeros, so it is the same to the bit.

use kite_kernels::FAN;
use kite_vectors::Sparse;
use std::cell::RefCell;

/// Beyond so many dimensions (a mebibyte of elements) lists are merged: loads from so far apart would wait for memory.
const MOST: usize = 1 << 18;

/// A sparse vector, densely, up to its last element.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scattered(Vec<f32>);

impl Scattered {
    /// `None` for a vector of too many dimensions, one that no encoder wrote, or where there is no memory.
    pub(crate) fn of(vector: Sparse<'_>) -> Option<Self> {
        let mut scattered = Self::default();
        scattered.set(vector).then_some(scattered)
    }

    /// Whether the vector could be laid out over zeros.
    fn set(&mut self, vector: Sparse<'_>) -> bool {
        let place = |&index: &i32| usize::try_from(index).ok().filter(|&place| place < MOST);
        let Some(len) = vector.indices.iter().map(place).try_fold(0, |len, place| Some(len.max(place? + 1)))
        else {
            return false;
        };
        let more = len.saturating_sub(self.0.len());
        if self.0.try_reserve(more).is_err() {
            return false;
        }
        self.0.extend(std::iter::repeat_n(0.0, more));
        for (&index, &value) in vector.indices.iter().zip(vector.values) {
            self.0[index as usize] = value;
        }
        true
    }

    fn clear(&mut self, vector: Sparse<'_>) {
        for &index in vector.indices {
            self.0[index as usize] = 0.0;
        }
    }

    /// Σ aᵢ·bᵢ, as [`Sparse::dot`] computes it.
    #[inline]
    pub(crate) fn dot(&self, other: Sparse<'_>) -> f32 {
        let mut sum = 0.0;
        self.add(&mut sum, other.indices, other.values);
        sum
    }

    /// [`Scattered::dot`] of several, taking steps together: an addition waits for the one before it in its sum, and not for those
    /// of other sums.
    #[inline]
    pub(crate) fn dots(&self, others: [Sparse<'_>; FAN]) -> [f32; FAN] {
        let together =
            others.iter().map(|other| other.indices.len().min(other.values.len())).min().unwrap_or(0);
        let heads = others.map(|other| (&other.indices[..together], &other.values[..together]));
        let mut sums = [0.0; FAN];
        for n in 0..together {
            for (sum, (indices, values)) in sums.iter_mut().zip(heads) {
                *sum += self.at(indices[n]) * values[n];
            }
        }
        for (sum, other) in sums.iter_mut().zip(others) {
            self.add(sum, &other.indices[together..], &other.values[together..]);
        }
        sums
    }

    #[inline]
    fn add(&self, sum: &mut f32, indices: &[i32], values: &[f32]) {
        for (&index, &value) in indices.iter().zip(values) {
            *sum += self.at(index) * value;
        }
    }

    #[inline]
    fn at(&self, index: i32) -> f32 {
        self.0.get(index as usize).copied().unwrap_or(0.0)
    }
}

/// Calls `visit` with the vector laid out in memory that the thread keeps. `false` if it could not be.
pub(crate) fn scattered(vector: Sparse<'_>, visit: impl FnOnce(&Scattered)) -> bool {
    thread_local! {
        static KEPT: RefCell<Scattered> = const { RefCell::new(Scattered(Vec::new())) };
    }
    KEPT.with(|kept| {
        // Taken out, so that what a panic leaves in it is gone.
        let mut scattered = kept.take();
        if !scattered.set(vector) {
            return false;
        }
        visit(&scattered);
        scattered.clear(vector);
        kept.replace(scattered);
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sparse() -> impl Strategy<Value = (Vec<i32>, Vec<f32>)> {
        prop::collection::btree_map(0..200i32, prop_oneof![-3.0f32..3.0, Just(3e38), Just(1e-45)], 0..40)
            .prop_map(|elements| elements.into_iter().unzip())
    }

    proptest! {
        #[test]
        fn the_sum_is_that_of_merged_lists(a in sparse(), b in sparse(), more in prop::array::uniform3(sparse())) {
            let of = |(indices, values): &(Vec<i32>, Vec<f32>)| kite_vectors::sparse::SparseBuf {
                dims: 200, indices: indices.clone(), values: values.clone(),
            };
            let (a, b, more) = (of(&a), of(&b), more.each_ref().map(of));
            let (a, b) = (a.as_ref(), b.as_ref());
            let expected = a.dot(b);
            let same = |dot: f32| dot == expected || dot.is_nan() && expected.is_nan();
            prop_assert!(same(Scattered::of(a).unwrap().dot(b)));
            let others = [b, more[0].as_ref(), more[1].as_ref(), more[2].as_ref()];
            for (dot, other) in Scattered::of(a).unwrap().dots(others).into_iter().zip(others) {
                let expected = a.dot(other);
                prop_assert!(dot == expected || dot.is_nan() && expected.is_nan());
            }
            // Twice: what the first time has left would be found.
            for _ in 0..2 {
                prop_assert!(scattered(a, |a| assert!(same(a.dot(b)))));
                prop_assert!(scattered(b, |b| assert!(same(b.dot(a)))));
            }
        }
    }

    #[test]
    fn what_cannot_be_laid_out_is_left_to_merging() {
        for index in [-1, MOST as i32, i32::MAX] {
            let far = Sparse { dims: usize::MAX, indices: &[index], values: &[1.0] };
            assert!(Scattered::of(far).is_none());
            assert!(!scattered(far, |_| panic!("it was laid out")));
            let near = Scattered::of(Sparse { dims: 2, indices: &[1], values: &[1.0] }).unwrap();
            assert_eq!(near.dot(far), 0.0);
        }
    }
}
