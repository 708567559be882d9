//! Finding pages with room.

use crate::{At, BlockNo, Defect, Error, MAX_ITEM, PageKind, PageStore, PageTxn, Result, Slot};

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
    let Rooms { txn, slots } = with_rooms(store, kind, &[bytes], &[])?;
    Ok((txn, slots.first().copied().ok_or(Error::TooManyPages)?))
}

/// A transaction that holds pages with room.
#[derive(Debug)]
pub struct Rooms<T> {
    /// The transaction.
    pub txn: T,
    /// The page for each of the sizes asked for, in their order.
    pub slots: Vec<Slot>,
}

/// As [`with_room`], but with a page of its own for each of `sizes`, and with the pages `beside` locked too. Since all blocks
/// are known before the first is locked, locks are taken in order and nothing has to begin again.
///
/// A page `beside` may be one of those with room.
///
/// # Errors
/// As [`with_room`], and [`Error::TooManyPages`] for more than four pages together.
pub fn with_rooms<'s, S: PageStore>(
    store: &'s S,
    kind: PageKind,
    sizes: &[usize],
    beside: &[BlockNo],
) -> Result<Rooms<S::Txn<'s>>> {
    if let Some(&bytes) = sizes.iter().find(|&&bytes| bytes > MAX_ITEM) {
        return Err(Error::TooLong { bytes, max: MAX_ITEM });
    }
    for _ in 0..ATTEMPTS {
        let hints = hints(store, sizes)?;
        let mut blocks: Vec<BlockNo> = hints.iter().flatten().copied().collect();
        if blocks.is_empty() {
            break;
        }
        blocks.extend_from_slice(beside);
        let mut txn = lock_all(store, blocks)?;
        let mut wrong = Vec::new();
        for (&hint, &bytes) in hints.iter().zip(sizes) {
            if let Some(block) = hint {
                let slot = txn.lock(block)?;
                let room = usable(store, &mut txn, slot, kind).at(block)?;
                if room < bytes {
                    wrong.push((block, room));
                }
            }
        }
        if wrong.is_empty() {
            return rooms(txn, kind, &hints);
        }
        drop(txn);
        for (block, room) in wrong {
            store.note_space(block, room)?;
        }
    }
    rooms(lock_all(store, beside.to_vec())?, kind, &vec![None; sizes.len()])
}

/// A different page for each size, as far as the free-space map knows one.
fn hints<S: PageStore>(store: &S, sizes: &[usize]) -> Result<Vec<Option<BlockNo>>> {
    let mut hints = Vec::with_capacity(sizes.len());
    for &bytes in sizes {
        let mut hint = store.find_space(bytes)?;
        if let Some(block) = hint
            && !store.has(block)
        {
            store.note_space(block, 0)?;
            hint = None;
        }
        hints.push(hint.filter(|_| !hints.contains(&hint)));
    }
    Ok(hints)
}

/// A transaction that holds these pages.
fn lock_all<S: PageStore>(store: &S, mut blocks: Vec<BlockNo>) -> Result<S::Txn<'_>> {
    blocks.sort_unstable();
    let mut txn = store.begin();
    for block in blocks {
        txn.lock(block)?;
    }
    Ok(txn)
}

/// The pages hinted at, which are locked, and new ones where there is no hint.
fn rooms<T: PageTxn>(mut txn: T, kind: PageKind, hints: &[Option<BlockNo>]) -> Result<Rooms<T>> {
    let mut slots = Vec::with_capacity(hints.len());
    for &hint in hints {
        slots.push(match hint {
            Some(block) => txn.lock(block)?,
            None => txn.extend(kind)?,
        });
    }
    Ok(Rooms { txn, slots })
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
