//! Finding a page with room.

use crate::{At, Defect, Error, MAX_ITEM, PageKind, PageStore, PageTxn, Result, Slot};

/// Hints that are tried before the store is extended: a map that is badly out of date must not cost a walk over the index.
const ATTEMPTS: usize = 4;

/// Begins a transaction that holds one page of this kind with room for an item of `bytes`: one that the free-space map
/// hints at and that keeps the promise, or a new one. Numbers of freed items whose time is past are taken back.
///
/// A page left empty by an abort or a crash is as good as a new one.
///
/// # Errors
/// [`Error::TooLong`] for more than [`MAX_ITEM`] bytes, and those of the store.
pub fn with_room<S: PageStore>(store: &S, kind: PageKind, bytes: usize) -> Result<(S::Txn<'_>, Slot)> {
    if bytes > MAX_ITEM {
        return Err(Error::TooLong { bytes, max: MAX_ITEM });
    }
    for _ in 0..ATTEMPTS {
        let Some(block) = store.find_space(bytes)? else { break };
        let room = if block < store.len() {
            let mut txn = store.begin();
            let slot = txn.lock(block)?;
            let room = usable(store, &mut txn, slot, kind).at(block)?;
            if room >= bytes {
                return Ok((txn, slot));
            }
            room
        } else {
            0
        };
        store.note_space(block, room)?;
    }
    let mut txn = store.begin();
    let slot = txn.extend(kind)?;
    Ok((txn, slot))
}

/// The room on a locked page once what is past has been taken back; 0 if it is of another kind.
fn usable<S: PageStore>(
    store: &S,
    txn: &mut S::Txn<'_>,
    slot: Slot,
    kind: PageKind,
) -> Result<usize, Defect> {
    if txn.page(slot).is_new() {
        txn.page_mut(slot).init(kind);
    }
    let view = txn.page(slot).sound()?;
    if view.page().kind() != kind {
        return Ok(0);
    }
    let mut reclaimable = false;
    for freed in view.freed() {
        reclaimable |= store.is_past(freed?.1);
    }
    if reclaimable {
        txn.page_mut(slot).reclaim(|stamp| store.is_past(stamp))?;
    }
    txn.page(slot).sound()?.room()
}
