//! What locks a thread holds, and whether it may take another.
//!
//! The state belongs to the thread and not to a store, since a backend that searches two indexes is bound by the same rules.

use std::cell::Cell;

thread_local! {
    /// Pages held by reading.
    static READS: Cell<u32> = const { Cell::new(0) };
    /// Pages held by the open transaction.
    static WRITES: Cell<u32> = const { Cell::new(0) };
    /// Whether a transaction is open.
    static OPEN: Cell<bool> = const { Cell::new(false) };
}

/// Panics unless the thread holds no content lock.
#[inline]
#[track_caller]
pub(super) fn assert_free(what: &str) {
    let (reads, writes) = (READS.get(), WRITES.get());
    assert!(
        reads == 0 && writes == 0,
        "{what} while holding content locks: {reads} by reading, {writes} by a transaction"
    );
}

/// A content lock taken by reading.
#[derive(Debug)]
pub(super) struct Reading(());

impl Reading {
    #[inline]
    #[track_caller]
    pub(super) fn begin() -> Self {
        assert_free("a page is read");
        READS.set(1);
        Self(())
    }
}

impl Drop for Reading {
    #[inline]
    fn drop(&mut self) {
        READS.set(0);
    }
}

/// An open transaction.
#[derive(Debug)]
pub(super) struct Open(());

impl Open {
    #[track_caller]
    pub(super) fn begin() -> Self {
        assert_free("a transaction begins");
        assert!(!OPEN.get(), "a transaction begins while another is open in this thread");
        OPEN.set(true);
        Self(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.set(false);
    }
}

/// A content lock of the open transaction.
#[derive(Debug)]
pub(super) struct Writing(());

impl Writing {
    #[track_caller]
    pub(super) fn begin() -> Self {
        assert_no_read("a transaction locks a page");
        WRITES.set(WRITES.get() + 1);
        Self(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        WRITES.set(WRITES.get() - 1);
    }
}

/// Panics when the thread holds a page by reading.
#[track_caller]
pub(super) fn assert_no_read(what: &str) {
    assert!(READS.get() == 0, "{what} while a page is held by reading");
}
