//! Reading the rows of a table that match, without the index of the scan: those that another index has found, or all.

use super::quals::Quals;
use super::store;
use super::tid;
use kite_pages::ItemPointer;
use pgrx::check_for_interrupts;
use pgrx::pg_sys::{self, IndexScanDesc, MemoryContext, ScanDirection, TableScanDesc};
use std::ptr;

/// Rows that are read between looks for a cancel.
const STRIDE: usize = 1000;

unsafe extern "C-unwind" {
    /// Without a jump point of its own.
    fn MemoryContextReset(context: MemoryContext);
}

/// Rows, in the order of the table.
enum Rows {
    /// All.
    All(TableScanDesc),
    /// Those that were found, from this one on.
    Found(usize),
}

/// A reading of the rows that the conditions let pass.
pub(super) struct Reading<'a> {
    scan: IndexScanDesc,
    quals: &'a Quals,
    rows: Rows,
}

impl<'a> Reading<'a> {
    /// # Safety
    /// The scan is the one that the conditions are of; its table is open.
    pub(super) unsafe fn begin(scan: IndexScanDesc, quals: &'a Quals) -> Self {
        let (_, slot, context) = quals.compiled();
        // SAFETY: the caller's promise.
        unsafe {
            (*context).ecxt_scantuple = slot;
            let rows = match quals.found() {
                Some(_) => Rows::Found(0),
                None => {
                    let (table, snapshot) = ((*scan).heapRelation, (*scan).xs_snapshot);
                    Rows::All(pg_sys::table_beginscan(table, snapshot, 0, ptr::null_mut()))
                }
            };
            Self { scan, quals, rows }
        }
    }

    /// The slot of the row that it is at.
    pub(super) fn slot(&self) -> *mut pg_sys::TupleTableSlot {
        self.quals.compiled().1
    }

    /// Goes to the next row that matches.
    ///
    /// # Safety
    /// The statement runs, and nothing is locked.
    pub(super) unsafe fn next(&mut self) -> bool {
        match &mut self.rows {
            // SAFETY: the caller's promise; the scan of the table was begun and not ended.
            Rows::All(rows) => unsafe { next_of_all(*rows, self.quals) },
            Rows::Found(next) => {
                while let Some(&row) = self.quals.found().and_then(|found| found.get(*next)) {
                    check_for_interrupts!();
                    *next += 1;
                    // SAFETY: the caller's promise.
                    if unsafe { self.quals.matches(self.scan, row) } {
                        return true;
                    }
                }
                false
            }
        }
    }

    /// Where an index has the row that it is at: the head of its chain of versions.
    ///
    /// # Safety
    /// It is at a row.
    pub(super) unsafe fn root(&self) -> ItemPointer {
        if let (Rows::Found(next), Some(found)) = (&self.rows, self.quals.found()) {
            return found[*next - 1];
        }
        // SAFETY: the slot holds a row of a heap, whose page it pins: only of such tables all is read.
        unsafe {
            let place = tid::from_server(&(*self.slot()).tts_tid);
            let slot = self.slot().cast::<pg_sys::BufferHeapTupleTableSlot>();
            let flags = u32::from((*(*(*slot).base.tuple).t_data).t_infomask2);
            if flags & pg_sys::HEAP_ONLY_TUPLE == 0 {
                return place;
            }
            let root = store::root_of((*slot).buffer, place.no());
            if root == 0 { place } else { ItemPointer::new(place.block(), root) }
        }
    }

    /// Ends it.
    ///
    /// # Safety
    /// The statement runs.
    pub(super) unsafe fn end(self) {
        // SAFETY: it was begun and not ended.
        unsafe {
            pg_sys::ExecClearTuple(self.slot());
            if let Rows::All(rows) = self.rows {
                pg_sys::table_endscan(rows);
            }
        }
    }
}

/// Goes to the next row of a scan of the table that matches.
///
/// # Safety
/// The scan was begun, and the statement runs.
unsafe fn next_of_all(rows: TableScanDesc, quals: &Quals) -> bool {
    let (test, slot, context) = quals.compiled();
    loop {
        check_for_interrupts!();
        // SAFETY: the scan, the slot and the compiled test are valid until the statement ends. The closure holds nothing to drop: an ERROR
        // jumps over it to the guard.
        let (read, found) = unsafe {
            let advance = (*(*(*rows).rs_rd).rd_tableam).scan_getnextslot;
            let (Some(advance), Some(evaluate)) = (advance, (*test).evalfunc) else { return false };
            let memory = (*context).ecxt_per_tuple_memory;
            pg_sys::ffi::pg_guard_ffi_boundary(|| {
                let outer = pg_sys::CurrentMemoryContext;
                let (mut read, mut found) = (0, Some(false));
                while read < STRIDE {
                    if !advance(rows, ScanDirection::ForwardScanDirection, slot) {
                        found = None;
                        break;
                    }
                    read += 1;
                    let mut is_null = false;
                    pg_sys::CurrentMemoryContext = memory;
                    let matches = evaluate(test, context, &raw mut is_null);
                    pg_sys::CurrentMemoryContext = outer;
                    MemoryContextReset(memory);
                    if matches.value() != 0 {
                        found = Some(true);
                        break;
                    }
                }
                (read, found)
            })
        };
        // SAFETY: the statement runs.
        unsafe { quals.count_rejected(read - usize::from(found == Some(true))) };
        match found {
            Some(true) => return true,
            Some(false) => {}
            None => return false,
        }
    }
}
