//! The pages of an index in Postgres: shared buffers and generic WAL. The only code that touches either.

#![allow(clippy::disallowed_methods, reason = "the one place for buffers and WAL")]

mod buffer;
mod bulk;
mod heap;
mod near;
mod raw;
mod read;
mod recent;
mod space;
mod txn;

use buffer::{Fork, NOT_HERE, Pin};
pub(crate) use bulk::PgBulk;
pub(in crate::am) use heap::{is_heap, root_of};
use kite_pages::{Ahead, BlockNo, Error, ItemPointer, PAGE_SIZE, Page, PageStore, Result, Stamp};
pub(in crate::am) use near::Near;
use pgrx::pg_sys::{self, BufferAccessStrategy, ForkNumber, Relation};
use read::PINNED;
pub(crate) use read::PgRead;
pub(in crate::am) use recent::Recent;
pub(in crate::am) use space::Targets;
use std::cell::Cell;
use std::ptr;
use std::rc::Rc;
pub(crate) use txn::PgTxn;

/// The pages of an index relation.
///
/// It is made in a callback of the access method, and used while that, or the scan that it belongs to, keeps the relation open. What
/// goes wrong in Postgres unwinds, as ERRORs do.
#[derive(Debug)]
pub(crate) struct PgStore {
    fork: Fork,
    /// The table, where it is known: it tells which snapshots matter to [`PageStore::is_past`]. NULL: all do.
    table: Relation,
    /// Blocks below this are there; an index never shrinks.
    seen: Cell<BlockNo>,
    recent: Rc<Recent>,
    targets: Rc<Targets>,
    /// Stamps up to this one are past.
    past: Cell<Stamp>,
    /// Set for a vacuum.
    vacuum: Option<Vacuum>,
}

/// What is different for a vacuum: checks for interrupts also keep to the pace that `vacuum_cost_limit` sets, and pages that are read
/// once, or in a pass over all of them, go through the few buffers of a ring. What else it reads, and what it adds, stays in shared buffers as for anyone: in
/// a ring it would be thrown out and read again many times.
#[derive(Debug)]
struct Vacuum {
    ring: BufferAccessStrategy,
    /// The page that a pass comes to next.
    next: Cell<BlockNo>,
}

impl Vacuum {
    /// How this page is to be read.
    fn strategy(&self, block: BlockNo) -> BufferAccessStrategy {
        // Passes begin behind the meta page.
        let is_pass = block == 1 || block == self.next.get();
        if is_pass {
            self.next.set(block.saturating_add(1));
        }
        if is_pass { self.ring } else { ptr::null_mut() }
    }
}

impl PgStore {
    /// The main fork of an index.
    ///
    /// # Safety
    /// The relation stays open, and locked, for the life of the store.
    pub(crate) unsafe fn new(relation: Relation) -> Self {
        Self {
            fork: Fork { relation, number: ForkNumber::MAIN_FORKNUM },
            table: ptr::null_mut(),
            seen: Cell::new(0),
            recent: Rc::default(),
            targets: Rc::default(),
            past: Cell::new(Stamp::EARLIEST),
            vacuum: None,
        }
    }

    /// The fork that an unlogged index is made from after a crash.
    pub(in crate::am) fn init_fork(mut self) -> Self {
        self.fork.number = ForkNumber::INIT_FORKNUM;
        self
    }

    /// With what a backend remembers of the index.
    pub(in crate::am) fn remembering(mut self, recent: Rc<Recent>, targets: Rc<Targets>) -> Self {
        (self.recent, self.targets) = (recent, targets);
        self
    }

    /// For a vacuum, with the ring of buffers that it was given.
    pub(in crate::am) fn vacuuming(mut self, ring: BufferAccessStrategy) -> Self {
        self.vacuum = Some(Vacuum { ring, next: Cell::new(0) });
        self
    }

    /// With the table that is indexed, which stays open as long.
    pub(in crate::am) fn of_table(mut self, table: Relation) -> Self {
        self.table = table;
        self
    }

    /// Logs all pages of the fork.
    pub(in crate::am) fn log_all(&self) {
        // SAFETY: the relation is open.
        unsafe { pg_sys::log_newpage_range(self.fork.relation, self.fork.number, 0, self.len(), true) };
    }

    /// Lets searches of the free-space map see what was noted.
    pub(in crate::am) fn publish_space(&self) {
        self.targets.tell(self.fork.relation);
        // SAFETY: the relation is open.
        unsafe { pg_sys::FreeSpaceMapVacuum(self.fork.relation) };
    }

    /// `RelationNeedsWAL`.
    fn is_logged(&self) -> bool {
        let relation = self.fork.relation;
        // SAFETY: the relation is open.
        unsafe {
            let permanent =
                (*(*relation).rd_rel).relpersistence == pg_sys::RELPERSISTENCE_PERMANENT as std::ffi::c_char;
            let new = (*relation).rd_createSubid != NOT_HERE || has_new_file(relation);
            permanent && (pg_sys::wal_level >= pg_sys::WalLevel::WAL_LEVEL_REPLICA as i32 || !new)
        }
    }

    fn exists(&self, block: BlockNo) -> Result<()> {
        if block >= self.seen.get() {
            self.seen.set(self.fork.len());
            if block >= self.seen.get() {
                return Err(Error::Corrupt { block, what: "there is no such block" });
            }
        }
        Ok(())
    }

    /// A page was added.
    fn grown(&self, block: BlockNo) {
        self.seen.set(self.seen.get().max(block.saturating_add(1)));
    }
}

/// Whether no snapshot of any session, or of a standby that tells of its own, is as old as the stamp.
///
/// The horizon that `GlobalVisCheckRemovableFullXid` knows does not move while no transaction writes: it then takes a snapshot of
/// before the stamp for possible even where there is none at all, and what a vacuum frees would wait for the next one.
fn nobody_saw(stamp: Stamp) -> bool {
    let limit = pg_sys::TransactionId::from(stamp.to_raw() as u32);
    let other_vacuums = (pg_sys::PROC_IS_AUTOVACUUM | pg_sys::PROC_IN_VACUUM) as std::ffi::c_int;
    let mut count = 0;
    // SAFETY: reads shared memory under a lightweight lock, and answers an array of its own.
    unsafe {
        let found = pg_sys::GetCurrentVirtualXIDs(limit, true, true, other_vacuums, &raw mut count);
        if !found.is_null() {
            pg_sys::pfree(found.cast());
        }
    }
    count == 0
}

#[cfg(any(feature = "pg14", feature = "pg15"))]
unsafe fn has_new_file(relation: Relation) -> bool {
    // SAFETY: the caller passes an open relation.
    unsafe { (*relation).rd_firstRelfilenodeSubid != NOT_HERE }
}

#[cfg(not(any(feature = "pg14", feature = "pg15")))]
unsafe fn has_new_file(relation: Relation) -> bool {
    // SAFETY: the caller passes an open relation.
    unsafe { (*relation).rd_firstRelfilelocatorSubid != NOT_HERE }
}

impl PageStore for PgStore {
    type Read<'a> = PgRead;
    type Txn<'a> = PgTxn<'a>;
    type Bulk<'a> = PgBulk<'a>;

    #[inline]
    fn read(&self, block: BlockNo) -> Result<PgRead> {
        Ok(PgRead(self.pin(block)?.lock()))
    }

    fn read_once(&self, block: BlockNo) -> Result<PgRead> {
        let ring = self.vacuum.as_ref().map_or(ptr::null_mut(), |vacuum| vacuum.ring);
        Ok(PgRead(self.pin_by(block, ring)?.lock()))
    }

    fn read_many(&self, blocks: &[BlockNo], mut visit: impl FnMut(usize, &Page) -> Result<()>) -> Result<()> {
        let mut pins = [Pin::NONE; PINNED];
        for (group, place) in blocks.chunks(PINNED).zip((0..).step_by(PINNED)) {
            self.pin_all(group.iter().copied(), &mut pins)?;
            let pins = &pins[..group.len()];
            Self::visit_all(pins, place, &mut |n, page| {
                // While one page is looked at the next one is on its way.
                if let Some(next) = pins.get(n - place + 1) {
                    kite_kernels::prefetch(next.address().cast(), PAGE_SIZE);
                }
                visit(n, page)
            })?;
        }
        Ok(())
    }

    fn read_items(
        &self,
        items: &[ItemPointer],
        ahead: Ahead,
        mut visit: impl FnMut(usize, &Page) -> Result<()>,
    ) -> Result<()> {
        let mut pins = [Pin::NONE; PINNED];
        for (group, place) in items.chunks(PINNED).zip((0..).step_by(PINNED)) {
            self.pin_all(group.iter().map(|item| item.block()), &mut pins)?;
            let pins = &pins[..group.len()];
            for pin in pins {
                // What every visit looks at first: the headers, at both ends of the page.
                kite_kernels::prefetch(pin.address().cast(), 1);
                kite_kernels::prefetch(pin.address().cast::<u8>().wrapping_add(PAGE_SIZE - 1), 1);
            }
            for (pin, item) in pins.iter().zip(group) {
                let span = Page::span(pin.peek(item.no()), ahead);
                kite_kernels::prefetch(pin.address().cast::<u8>().wrapping_add(span.start), span.len());
            }
            Self::visit_all(pins, place, &mut visit)?;
        }
        Ok(())
    }

    fn begin(&self) -> PgTxn<'_> {
        PgTxn::new(self)
    }

    fn len(&self) -> BlockNo {
        let len = self.fork.len();
        self.seen.set(self.seen.get().max(len));
        len
    }

    fn has(&self, block: BlockNo) -> bool {
        block < self.seen.get() || block < self.len()
    }

    fn check_interrupts(&self) -> Result<()> {
        // SAFETY: no lock is held, by the rules of kite-pages. What is to stop unwinds.
        unsafe {
            if self.vacuum.is_some() {
                #[cfg(not(feature = "pg18"))]
                pg_sys::vacuum_delay_point();
                #[cfg(feature = "pg18")]
                pg_sys::vacuum_delay_point(false);
            } else if pg_sys::InterruptPending != 0 {
                pg_sys::ProcessInterrupts();
            }
        }
        Ok(())
    }

    fn find_space(&self, bytes: usize) -> Result<Option<BlockNo>> {
        Ok(self.targets.find(self.fork.relation, || self.len(), bytes))
    }

    fn note_space(&self, block: BlockNo, bytes: usize) -> Result<()> {
        self.targets.note(self.fork.relation, block, bytes);
        Ok(())
    }

    fn now(&self) -> Stamp {
        // SAFETY: a read of shared memory under a lightweight lock of its own.
        Stamp::from_raw(unsafe { pg_sys::ReadNextFullTransactionId() }.value)
    }

    fn is_past(&self, stamp: Stamp) -> bool {
        if stamp <= self.past.get() {
            return true;
        }
        let id = pg_sys::FullTransactionId { value: stamp.to_raw() };
        // SAFETY: the table is open, or NULL.
        let removable = unsafe { pg_sys::GlobalVisCheckRemovableFullXid(self.table, id) };
        let is_past = removable || (self.vacuum.is_some() && nobody_saw(stamp));
        if is_past {
            self.past.set(stamp);
        }
        is_past
    }

    fn bulk(&self) -> Result<PgBulk<'_>> {
        Ok(PgBulk::new(self))
    }
}
