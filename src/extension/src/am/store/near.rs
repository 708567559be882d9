//! Rows of a table brought near before the executor fetches them.
//!
//! The rows that a scan hands out lie all over the table. To fetch one is to wait for memory again and again, for each thing that leads to
//! the next: the head of the buffer, that of the page, the line pointer, the row with its vector. Which rows come next is known before they
//! are asked for; so while the executor works on one, memory is asked for what leads to those after it.
//!
//! Where a page is remembered to be is a hint: what is read of it there decides nothing but which lines of memory are asked for, and a page is
//! pinned after the server has verified it.

use super::buffer::{Fork, Pin, head_of, page_of, peek};
use super::heap::is_heap;
use super::read::count_hit;
use super::{Recent, raw};
use kite_pages::{ItemPointer, Page};
use pgrx::pg_sys::{self, Buffer, ForkNumber, IndexScanDesc};
use std::rc::Rc;

/// Bytes of a row that are asked for: a vector of 512 dimensions. A processor that sees so many read in order asks for the rest itself.
const NEAR: usize = 2048;

/// The rows of a heap that are to be fetched.
#[derive(Debug)]
pub(in crate::am) struct Near {
    /// In which buffers the executor found pages of the table.
    recent: Rc<Recent>,
    /// The row that it was to fetch last.
    last: Option<ItemPointer>,
}

impl Near {
    /// None for a table of another access method, of which nothing is known.
    ///
    /// # Safety
    /// The table of the scan is open.
    pub(in crate::am) unsafe fn of(scan: IndexScanDesc, recent: Rc<Recent>) -> Option<Self> {
        // SAFETY: the caller's promise.
        unsafe { is_heap((*scan).heapRelation) }.then_some(Self { recent, last: None })
    }

    /// Notes where the row is that was handed out last, as the executor has fetched it by now.
    ///
    /// # Safety
    /// The scan is the one that this is of.
    #[inline]
    pub(in crate::am) unsafe fn learn(&self, scan: IndexScanDesc) {
        // SAFETY: the caller's promise; what fetches rows of a heap is of this type.
        unsafe {
            let fetch = (*scan).xs_heapfetch.cast::<pg_sys::IndexFetchHeapData>();
            if let (Some(row), false) = (self.last, fetch.is_null()) {
                self.recent.set(row.block(), (*fetch).xs_cbuf);
            }
        }
    }

    /// This row is handed out, after which these come.
    ///
    /// # Safety
    /// As of [`learn`](Self::learn).
    #[inline]
    pub(in crate::am) unsafe fn hand_out(
        &mut self,
        scan: IndexScanDesc,
        row: ItemPointer,
        next: [Option<ItemPointer>; 2],
    ) {
        let [next, after] = next;
        if self.last.is_none() {
            self.approach(Some(row));
            self.approach(next);
            self.fetch(Some(row));
        }
        self.approach(after);
        self.fetch(next);
        self.last = Some(row);
        // SAFETY: the caller's promise.
        unsafe { self.pin(scan, row) };
    }

    /// Gives the executor the page of a row, pinned, in place of the one before, where it has its page: it looks for it there before it goes the
    /// long way through the buffer manager's table, which is out of the processor's caches mostly. What it does with each new page,
    /// [`heap_page_prune_opt`](raw::heap_page_prune_opt), is done here, then (`heapam_index_fetch_tuple` in heapam_handler.c).
    ///
    /// # Safety
    /// As of [`learn`](Self::learn).
    #[inline]
    unsafe fn pin(&self, scan: IndexScanDesc, row: ItemPointer) {
        let Some(buffer) = self.recent.get(row.block()) else { return };
        // SAFETY: the caller's promise; the scan's table is open, and what fetches its rows holds one pin or none, which it lets go of when it is
        // given another. The buffer was the page's once, which is verified. The closure holds nothing to drop.
        unsafe {
            let table = (*scan).heapRelation;
            let fetch = (*scan).xs_heapfetch.cast::<pg_sys::IndexFetchHeapData>();
            if fetch.is_null() || (*fetch).xs_cbuf == buffer {
                return;
            }
            let fork = Fork { relation: table, number: ForkNumber::MAIN_FORKNUM };
            Fork::guard(|| {
                if let Some(pin) = fork.pin_recent(row.block(), buffer) {
                    count_hit(table);
                    let before = std::mem::replace(&mut (*fetch).xs_cbuf, pin.buffer());
                    if before != Pin::NONE.buffer() {
                        raw::ReleaseBuffer(before);
                    }
                    raw::heap_page_prune_opt(table, pin.buffer());
                }
            });
        }
    }

    /// Asks for what leads to a row.
    #[inline]
    fn approach(&self, row: Option<ItemPointer>) {
        if let Some((row, buffer)) = row.and_then(|row| self.place(row)) {
            // SAFETY: the buffer is one of the shared ones, whose two arrays stand for the life of the process.
            let (head, page) = unsafe { (head_of(buffer), page_of(buffer).cast::<u8>()) };
            kite_kernels::prefetch(head, 1);
            kite_kernels::prefetch(page, 1);
            if let Some(line) = Page::line_at(row.no()) {
                kite_kernels::prefetch(page.wrapping_add(line), 1);
            }
        }
    }

    /// Asks for a row.
    #[inline]
    fn fetch(&self, row: Option<ItemPointer>) {
        if let Some((row, buffer)) = row.and_then(|row| self.place(row)) {
            // SAFETY: as in `approach`.
            let page = unsafe { page_of(buffer) };
            // SAFETY: as in `approach`; shared buffers stand for the life of the process, and any value of the line pointer will do.
            let line = unsafe { peek(page, row.no()) };
            let span = Page::extent(line, NEAR);
            kite_kernels::prefetch(page.cast::<u8>().wrapping_add(span.start), span.len());
        }
    }

    /// A row and the shared buffer where its page was.
    #[inline]
    fn place(&self, row: ItemPointer) -> Option<(ItemPointer, Buffer)> {
        self.recent.last(row.block()).filter(|&buffer| buffer > 0).map(|buffer| (row, buffer))
    }
}
