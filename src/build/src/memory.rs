//! Memory that is counted: how much a build holds, and how much it held at most.

use crate::{Error, Result};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What a build holds at the moment. Clones count together.
///
/// It counts what grows with the rows. It does not refuse: who is about to need much asks first what is left.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Count>);

#[derive(Debug)]
struct Count {
    limit: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
}

impl Memory {
    /// Of which so many bytes may be held.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Count { limit, used: AtomicUsize::new(0), peak: AtomicUsize::new(0) }))
    }

    /// The bytes that may be held.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// The bytes that are held.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Relaxed)
    }

    /// The most that was held at any time.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.0.peak.load(Relaxed)
    }

    /// Counts bytes that the caller holds elsewhere, until the charge is dropped.
    #[must_use]
    pub fn charge(&self, bytes: usize) -> Charge {
        let mut charge = Charge { memory: self.clone(), bytes: 0 };
        charge.set(bytes);
        charge
    }
}

/// Counted bytes. Given back on drop.
#[derive(Debug)]
pub struct Charge {
    memory: Memory,
    bytes: usize,
}

impl Charge {
    /// The caller now holds so many.
    fn set(&mut self, bytes: usize) {
        let count = &self.memory.0;
        if bytes >= self.bytes {
            let used = count.used.fetch_add(bytes - self.bytes, Relaxed) + (bytes - self.bytes);
            count.peak.fetch_max(used, Relaxed);
        } else {
            count.used.fetch_sub(self.bytes - bytes, Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// A `Vec` whose capacity is counted, and which reports that memory is out where a `Vec` aborts.
#[derive(Debug)]
pub struct Counted<T> {
    items: Vec<T>,
    charge: Charge,
}

impl<T> Counted<T> {
    /// No items.
    #[must_use]
    pub fn new(memory: &Memory) -> Self {
        Self { items: Vec::new(), charge: memory.charge(0) }
    }

    /// So many items, made by `item`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn filled(memory: &Memory, len: usize, item: impl FnMut() -> T) -> Result<Self> {
        let mut counted = Self::new(memory);
        counted.reserve_exact(len)?;
        counted.items.resize_with(len, item);
        Ok(counted)
    }

    /// Makes room for so many more, and a little beyond, since more may follow.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn reserve(&mut self, more: usize) -> Result<()> {
        if self.items.capacity() - self.items.len() >= more {
            return Ok(());
        }
        // An eighth, not the double: a large block grows without being copied.
        self.reserve_exact(more.max(self.items.len() / 8).max(16))
    }

    /// Makes room for so many more.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn reserve_exact(&mut self, more: usize) -> Result<()> {
        let bytes = more.saturating_mul(size_of::<T>());
        self.items.try_reserve_exact(more).map_err(|_| Error::OutOfMemory { bytes })?;
        self.charge.set(self.items.capacity() * size_of::<T>());
        Ok(())
    }

    /// Adds an item.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn push(&mut self, item: T) -> Result<()> {
        self.reserve(1)?;
        self.items.push(item);
        Ok(())
    }

    /// Takes the last item away.
    pub fn pop(&mut self) -> Option<T> {
        self.items.pop()
    }
}

impl<T> Deref for Counted<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> DerefMut for Counted<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_and_given_back() {
        let memory = Memory::new(10_000);
        let mut numbers = Counted::filled(&memory, 100, || 7_u64).unwrap();
        let charge = memory.charge(50);
        assert_eq!((memory.used(), memory.limit()), (850, 10_000));
        numbers.push(8).unwrap();
        assert!(memory.used() > 850 && numbers.len() == 101);
        drop((numbers, charge));
        assert_eq!(memory.used(), 0);
        assert!((850..2000).contains(&memory.peak()));
    }

    #[test]
    fn an_impossible_amount_is_an_error() {
        let memory = Memory::new(0);
        let failed = Counted::filled(&memory, usize::MAX / 16, || 0_u64);
        assert!(matches!(failed, Err(Error::OutOfMemory { .. })));
        assert_eq!(memory.used(), 0);
    }
}
