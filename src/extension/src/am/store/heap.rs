//! Pages of a table: whether they are a heap's, and where an index would have a row.

use super::raw;
use pgrx::pg_sys::{self, Buffer, OffsetNumber, Relation};
use std::ffi::c_int;
use std::ptr;

/// Line pointers that fit on a page, whatever they point to.
const MOST: usize = pg_sys::BLCKSZ as usize / size_of::<pg_sys::ItemIdData>();

/// Whether a table is of the access method `heap`.
///
/// # Safety
/// The table is open.
pub(in crate::am) unsafe fn is_heap(table: Relation) -> bool {
    // SAFETY: the caller's promise.
    unsafe { ptr::eq((*table).rd_tableam, pg_sys::GetHeapamTableAmRoutine()) }
}

/// The head of a row version's chain on its page, as an index has it (`heap_get_root_tuples` in pruneheap.c); 0 where it has none.
///
/// # Safety
/// The buffer is pinned and holds a page of a heap.
pub(in crate::am) unsafe fn root_of(buffer: Buffer, version: OffsetNumber) -> OffsetNumber {
    let mut roots: [OffsetNumber; MOST] = [0; MOST];
    // SAFETY: the caller's promise; a page has no more line pointers than the array has room for. The closure holds nothing to drop.
    unsafe {
        pg_sys::ffi::pg_guard_ffi_boundary(|| {
            raw::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as c_int);
            raw::heap_get_root_tuples(super::buffer::page_of(buffer).cast(), roots.as_mut_ptr());
            raw::LockBuffer(buffer, pg_sys::BUFFER_LOCK_UNLOCK as c_int);
        });
    }
    usize::from(version).checked_sub(1).and_then(|place| roots.get(place).copied()).unwrap_or(0)
}
