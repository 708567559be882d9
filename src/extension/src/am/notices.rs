//! What a scan says: the errors of one that cannot be answered or meets a damaged index, and what has ended its search.

use super::error::{damage, name_of};
use super::method::Method;
use super::scans::{Limit, Scans};
use kite_pages::ItemPointer;
use pgrx::pg_sys::{self, IndexScanDesc, Relation, SnapshotType, panic::ErrorReport};
use pgrx::prelude::*;

/// Raises an ERROR for scans that cannot be answered.
pub(super) unsafe fn refuse_unusable<M: Method>(scan: IndexScanDesc) {
    // SAFETY: the scan is one of ours; the executor sets the snapshot before the first row.
    let (order_bys, snapshot) = unsafe { ((*scan).numberOfOrderBys, (*(*scan).xs_snapshot).snapshot_type) };
    let unsupported = PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED;
    if order_bys < 1 {
        let message = format!("cannot scan {} index without order", M::NAME);
        ErrorReport::new(unsupported, message, "pgkite")
            .set_hint("The index answers ORDER BY column <operator> value. For other conditions create a btree index.")
            .report(PgLogLevel::ERROR);
    }
    // Rows' places are handed out without a pin, so a snapshot must hide what takes the place of a row that vacuum removed.
    let mvcc = [SnapshotType::SNAPSHOT_MVCC, SnapshotType::SNAPSHOT_HISTORIC_MVCC];
    if !mvcc.contains(&snapshot) {
        let message = format!("non-MVCC snapshots are not supported with {}", M::NAME);
        ErrorReport::new(unsupported, message, "pgkite").report(PgLogLevel::ERROR);
    }
}

/// Raises an ERROR for a row in a block that the table has not; `blocks` is how many it was seen to have.
#[inline]
pub(super) unsafe fn refuse_beyond_table(scan: IndexScanDesc, blocks: &mut u32, row: ItemPointer) {
    if row.block() >= *blocks {
        // SAFETY: the caller passes a scan of ours, whose relations are open.
        unsafe {
            let fork = pg_sys::ForkNumber::MAIN_FORKNUM;
            *blocks = pg_sys::RelationGetNumberOfBlocksInFork((*scan).heapRelation, fork);
            if row.block() >= *blocks {
                refuse_row((*scan).indexRelation, row.block());
            }
        }
    }
}

/// Raises an ERROR for a row where the table has none.
#[cold]
unsafe fn refuse_row(index: Relation, block: u32) -> ! {
    // SAFETY: the caller passes an open relation.
    let name = unsafe { name_of(index) };
    let message =
        format!("index \"{name}\" is damaged: it has a row at block {block}, which its table has not");
    damage(message).report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

/// Counts a search that a limit has ended, and says so to whoever listens at DEBUG1.
#[cold]
pub(super) unsafe fn tell_of_end(index: Relation, limit: Limit, (seen, setting): (String, &str)) {
    // SAFETY: the caller passes an open relation.
    let (name, oid) = unsafe { (name_of(index), (*index).rd_id) };
    Scans::count_end(oid, limit);
    let why = if limit == Limit::Memory { "memory" } else { setting };
    let message = format!("scan of index \"{name}\" ended by {why} after {seen}");
    ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, message, "pgkite")
        .set_hint(format!("Increase {setting} to scan more."))
        .report(PgLogLevel::DEBUG1);
}

/// Counts a search whose scan has turned to the table, or to so many rows of it that another index has found, and says so to whoever listens at
/// DEBUG1.
#[cold]
pub(super) unsafe fn tell_of_turn(index: Relation, found: Option<usize>) {
    // SAFETY: the caller passes an open relation.
    let (name, oid) = unsafe { (name_of(index), (*index).rd_id) };
    Scans::count_end(oid, Limit::Table);
    let instead = match found {
        Some(rows) => format!("{rows} rows that another index finds"),
        None => "the table".to_owned(),
    };
    let message =
        format!("scan of index \"{name}\" found few rows near the query that match, and reads {instead}");
    let report = ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, message, "pgkite");
    let report = match found {
        Some(_) => report,
        None => report.set_hint("An index on what the conditions compare would find them faster."),
    };
    report.report(PgLogLevel::DEBUG1);
}
