//! The payloads of rows, read.

use crate::Result;
use crate::format::{BODY, CHUNKS, RowItem, Shape};
use kite_pages::payload::{self, Fetched};
use kite_pages::{Ahead, At, ItemPointer, ItemRef, PageStore, PageTxn};
use zerocopy::{FromBytes, IntoBytes};

/// Bytes that begin where numbers of any kind may.
#[derive(Debug, Default)]
pub(crate) struct Aligned {
    words: Vec<u64>,
    len: usize,
}

impl Aligned {
    /// Takes a copy.
    pub(crate) fn set(&mut self, bytes: &[u8]) {
        self.words.clear();
        self.words.resize(bytes.len().div_ceil(8), 0);
        self.len = bytes.len();
        if let Some(place) = self.words.as_mut_bytes().get_mut(..bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.words.as_bytes().get(..self.len).unwrap_or_default()
    }
}

/// Reads the payloads of rows, in any order, and calls `visit` with the place of each among `rows`; with nothing locked for those that are
/// longer than a page. A row that is gone, or is another's by now, is passed over.
pub(crate) fn read_rows<S: PageStore>(
    store: &S,
    shape: &Shape,
    rows: &[(ItemPointer, ItemPointer)],
    mut visit: impl FnMut(usize, &[u8]) -> Result<()>,
) -> Result<()> {
    let items: Vec<ItemPointer> = rows.iter().map(|&(row, _)| row).collect();
    let ahead = Ahead { before: 0, after: shape.row_size() };
    let mut chains: Vec<(usize, ItemRef)> = Vec::new();
    let mut outcome = Ok(());
    let batch = store.batch().max(1);
    for (first, group) in (0..).step_by(batch).zip(items.chunks(batch)) {
        store.check_interrupts()?;
        let read = store.read_items(group, ahead, |n, page| {
            let block = group[n].block();
            let item = page.view(BODY).and_then(|view| view.find(group[n].no())).at(block)?;
            let Some(row) = item.map(RowItem::parse).transpose().at(block)?.flatten() else { return Ok(()) };
            if row.tid != rows[first + n].1 {
                return Ok(());
            }
            if shape.chained() {
                chains.push((first + n, row.chain().at(block)?));
            } else if let Err(error) = visit(first + n, row.rest) {
                outcome = Err(error);
                return Err(kite_pages::Error::Interrupted);
            }
            Ok(())
        });
        std::mem::replace(&mut outcome, Ok(()))?;
        read?;
    }
    read_chains(store, &chains, visit)
}

/// The same for payloads that are chains of chunks.
pub(crate) fn read_chains<S: PageStore>(
    store: &S,
    chains: &[(usize, ItemRef)],
    mut visit: impl FnMut(usize, &[u8]) -> Result<()>,
) -> Result<()> {
    let (mut bytes, mut aligned) = (Vec::new(), Aligned::default());
    for &(place, chain) in chains {
        store.check_interrupts()?;
        if payload::read(store, CHUNKS, chain, &mut bytes)? == Fetched::Whole {
            aligned.set(&bytes);
            visit(place, aligned.bytes())?;
        }
    }
    Ok(())
}

/// The reference that an entry has where payloads are chains.
pub(crate) fn chain_of(body: &[u8]) -> Option<ItemRef> {
    ItemRef::read_from_bytes(body).ok()
}

/// Commits, and notes how much room pages have.
pub(crate) fn commit<S: PageStore>(store: &S, txn: S::Txn<'_>, slots: &[kite_pages::Slot]) -> Result<()> {
    let mut rooms = Vec::with_capacity(slots.len());
    for &slot in slots {
        let block = txn.block(slot);
        rooms.push((block, txn.page(slot).sound().and_then(kite_pages::View::room).at(block)?));
    }
    txn.commit()?;
    for (block, room) in rooms {
        store.note_space(block, room)?;
    }
    Ok(())
}
