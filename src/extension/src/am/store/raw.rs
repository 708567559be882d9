//! Postgres's functions as they are, without the jump point that pgrx's bindings set for every call: an ERROR jumps over the frames
//! between, so none of them may hold anything to drop.

use pgrx::pg_sys::{
    BlockNumber, Buffer, BufferAccessStrategy, ForkNumber, OffsetNumber, Page, ReadBufferMode, Relation,
};
use std::ffi::{c_int, c_void};

#[cfg(any(feature = "pg14", feature = "pg15"))]
pub(super) type Locator = pgrx::pg_sys::RelFileNode;
#[cfg(not(any(feature = "pg14", feature = "pg15")))]
pub(super) type Locator = pgrx::pg_sys::RelFileLocator;

unsafe extern "C-unwind" {
    pub(super) fn ReadBufferExtended(
        relation: Relation,
        fork: ForkNumber::Type,
        block: BlockNumber,
        mode: ReadBufferMode::Type,
        strategy: BufferAccessStrategy,
    ) -> Buffer;
    pub(super) fn ReadRecentBuffer(
        locator: Locator,
        fork: ForkNumber::Type,
        block: BlockNumber,
        recent: Buffer,
    ) -> bool;
    pub(super) fn heap_get_root_tuples(page: Page, roots: *mut OffsetNumber);
    /// The page is pinned and not locked.
    pub(super) fn heap_page_prune_opt(relation: Relation, buffer: Buffer);
    pub(super) fn LockBuffer(buffer: Buffer, mode: c_int);
    pub(super) fn ConditionalLockBuffer(buffer: Buffer) -> bool;
    pub(super) fn UnlockReleaseBuffer(buffer: Buffer);
    pub(super) fn ReleaseBuffer(buffer: Buffer);
    pub(super) fn MarkBufferDirty(buffer: Buffer);
    /// Compares positions in the WAL; raises nothing.
    pub(super) fn XLogCheckBufferNeedsBackup(buffer: Buffer) -> bool;
    pub(super) fn XLogBeginInsert();
    pub(super) fn XLogRegisterBuffer(id: u8, buffer: Buffer, flags: u8);
    /// The length is an `int` in some versions.
    pub(super) fn XLogRegisterBufData(id: u8, data: *const c_void, length: u32);
    pub(super) fn XLogInsert(manager: u8, info: u8) -> u64;
}
