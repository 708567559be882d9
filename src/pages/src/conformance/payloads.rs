//! Payloads that span pages, on whatever store.

use super::{Case, KIND, edit};
use crate::payload::{CHUNK_BYTES, Chunk, Fetched, Format, MAX_BYTES, free, free_chunk, read, write};
use crate::{Error, ItemPointer, ItemRef, PageStore, Stamp};

pub(super) fn cases<S: PageStore>() -> Vec<Case<S>> {
    vec![
        Case { name: "payloads of every length", run: every_length },
        Case { name: "a payload too long", run: too_long },
        Case { name: "a freed payload is gone", run: freed_is_gone },
        Case { name: "a reused place does not pass for what was there", run: reused_place },
        Case { name: "a payload freed in part is gone", run: freed_in_part },
    ]
}

pub(super) const FORMAT: Format = Format { kind: KIND, tag: 9 };
const OWNER: ItemPointer = ItemPointer::new(12, 34);

/// Bytes that tell their place.
pub(super) fn sample(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|place| (place * 31 + place / 251 + seed) as u8).collect()
}

fn every_length<S: PageStore>(store: &S) {
    let lengths = [0, 1, 7, 8, 100, 4000, 8000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 12_288];
    let lengths =
        lengths.into_iter().chain([2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 1, 50_000, 100_000, MAX_BYTES]);
    let written: Vec<_> = lengths
        .enumerate()
        .map(|(seed, len)| {
            let bytes = sample(len, seed);
            (write(store, FORMAT, OWNER, &bytes).unwrap(), bytes)
        })
        .collect();
    let mut out = b"leftovers".to_vec();
    for (head, bytes) in &written {
        assert_eq!(read(store, FORMAT, *head, &mut out).unwrap(), Fetched::Whole);
        assert!(&out == bytes, "a payload of {} bytes comes back changed", bytes.len());
        let page = store.read(head.pointer.block()).unwrap();
        let item = page.view(KIND).unwrap().item(head.pointer.no()).unwrap();
        let chunk = Chunk::parse(item, FORMAT.tag).unwrap().unwrap();
        assert!(chunk.is_first && chunk.owner == OWNER && chunk.left == bytes.len());
        assert!(chunk.stamp <= store.now() && chunk.stamp > Stamp::EARLIEST);
        assert_eq!(chunk.generation, head.generation());
    }
}

fn too_long<S: PageStore>(store: &S) {
    let outcome = write(store, FORMAT, OWNER, &vec![0; MAX_BYTES + 1]);
    assert_eq!(outcome, Err(Error::TooLong { bytes: MAX_BYTES + 1, max: MAX_BYTES }));
}

fn is_gone<S: PageStore>(store: &S, head: ItemRef) -> bool {
    read(store, FORMAT, head, &mut Vec::new()).unwrap() == Fetched::Gone
}

fn freed_is_gone<S: PageStore>(store: &S) {
    let kept = write(store, FORMAT, OWNER, &sample(20_000, 1)).unwrap();
    let freed = write(store, FORMAT, OWNER, &sample(20_000, 2)).unwrap();
    free(store, FORMAT, freed).unwrap();
    assert!(is_gone(store, freed));
    // Again does no harm.
    free(store, FORMAT, freed).unwrap();
    let mut out = Vec::new();
    assert_eq!(read(store, FORMAT, kept, &mut out).unwrap(), Fetched::Whole);
    assert!(out == sample(20_000, 1));
}

fn reused_place<S: PageStore>(store: &S) {
    let old = write(store, FORMAT, OWNER, &sample(3000, 1)).unwrap();
    free(store, FORMAT, old).unwrap();
    // As if all snapshots of that time were over.
    let reclaimed = edit(store, old.pointer.block(), |page| page.reclaim(|_| true).unwrap());
    assert_eq!(reclaimed, 1);
    let new = write(store, FORMAT, OWNER, &sample(3000, 2)).unwrap();
    if new.pointer == old.pointer {
        assert_ne!(new.generation(), old.generation());
    }
    assert!(is_gone(store, old));
    let mut out = Vec::new();
    assert_eq!(read(store, FORMAT, new, &mut out).unwrap(), Fetched::Whole);
    assert!(out == sample(3000, 2));
}

fn freed_in_part<S: PageStore>(store: &S) {
    let head = write(store, FORMAT, OWNER, &sample(40_000, 1)).unwrap();
    let page = store.read(head.pointer.block()).unwrap();
    let item = page.view(KIND).unwrap().item(head.pointer.no()).unwrap();
    let second = Chunk::parse(item, FORMAT.tag).unwrap().unwrap().next.unwrap();
    drop(page);
    let third = free_chunk(store, FORMAT, second).unwrap();
    assert!(third.is_some());
    assert!(is_gone(store, head));
}
