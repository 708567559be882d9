//! Collections whose size the pages decide: they ask for memory, and report where it cannot be had.

use crate::{Error, Result};
use std::collections::BinaryHeap;

/// Adds an item.
///
/// # Errors
/// [`Error::OutOfMemory`].
#[inline]
pub fn push<T>(items: &mut Vec<T>, item: T) -> Result<()> {
    items.try_reserve(1).map_err(|_| refused::<T>(items.len(), 1))?;
    items.push(item);
    Ok(())
}

/// Adds copies of items.
///
/// # Errors
/// [`Error::OutOfMemory`].
#[inline]
pub fn extend<T: Copy>(items: &mut Vec<T>, more: &[T]) -> Result<()> {
    items.try_reserve(more.len()).map_err(|_| refused::<T>(items.len(), more.len()))?;
    items.extend_from_slice(more);
    Ok(())
}

/// Lengthens an array to `len` items, if it has fewer.
///
/// # Errors
/// [`Error::OutOfMemory`].
#[inline]
pub fn lengthen<T: Copy>(items: &mut Vec<T>, len: usize, item: T) -> Result<()> {
    let more = len.saturating_sub(items.len());
    items.try_reserve(more).map_err(|_| refused::<T>(items.len(), more))?;
    items.extend(std::iter::repeat_n(item, more));
    Ok(())
}

/// Adds an item to a heap.
///
/// # Errors
/// [`Error::OutOfMemory`].
#[inline]
pub fn push_heap<T: Ord>(heap: &mut BinaryHeap<T>, item: T) -> Result<()> {
    heap.try_reserve(1).map_err(|_| refused::<T>(heap.len(), 1))?;
    heap.push(item);
    Ok(())
}

/// Room for so many items beyond those that are there, so that it need not grow step by step.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn make_room<T>(items: &mut Vec<T>, more: usize) -> Result<()> {
    items.try_reserve(more).map_err(|_| refused::<T>(items.len(), more))
}

/// What a collection could not get for `more` items after its `len`: it grows to twice its length, at least.
#[cold]
fn refused<T>(len: usize, more: usize) -> Error {
    let items = len.saturating_add(more).max(len.saturating_mul(2));
    Error::OutOfMemory { bytes: items.saturating_mul(size_of::<T>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_is_reported_with_its_size() {
        let mut items = vec![7_u64; 3];
        let failed = lengthen(&mut items, 1 << 61, 0);
        assert_eq!(failed, Err(Error::OutOfMemory { bytes: usize::MAX }));
        assert_eq!(refused::<u64>(3, 1), Error::OutOfMemory { bytes: 48 });
        assert_eq!(refused::<u16>(3, 9), Error::OutOfMemory { bytes: 24 });
        assert_eq!(items, [7; 3]);
    }

    #[test]
    fn items_are_added_at_the_end() {
        let mut items = vec![1];
        push(&mut items, 2).unwrap();
        extend(&mut items, &[3, 4]).unwrap();
        lengthen(&mut items, 6, 9).unwrap();
        lengthen(&mut items, 2, 8).unwrap();
        assert_eq!(items, [1, 2, 3, 4, 9, 9]);
        let mut heap = BinaryHeap::from([2]);
        push_heap(&mut heap, 5).unwrap();
        assert_eq!(heap.into_sorted_vec(), [2, 5]);
    }
}
