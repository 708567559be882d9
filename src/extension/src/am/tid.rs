//! Places of rows in a table.

use kite_pages::ItemPointer;
use pgrx::pg_sys::{BlockIdData, ItemPointerData};

/// As the pure crates have it.
#[inline]
pub(in crate::am) fn from_server(tid: &ItemPointerData) -> ItemPointer {
    let block = u32::from(tid.ip_blkid.bi_hi) << 16 | u32::from(tid.ip_blkid.bi_lo);
    ItemPointer::new(block, tid.ip_posid)
}

/// As Postgres has it.
#[inline]
pub(in crate::am) fn to_server(tid: ItemPointer) -> ItemPointerData {
    let block = tid.block();
    ItemPointerData {
        ip_blkid: BlockIdData { bi_hi: (block >> 16) as u16, bi_lo: block as u16 },
        ip_posid: tid.no(),
    }
}
