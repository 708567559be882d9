//! Payloads through crashes and failures at every place.

use kite_pages::payload::{Chunk, Fetched, Format, free, free_chunk, read, write};
use kite_pages::{
    BlockNo, Error, FaultStore, ItemPointer, ItemRef, MemStore, Page, PageKind, PageStore, PageTxn, payload,
};
use std::collections::HashSet;

const KIND: PageKind = PageKind { code: 3, version: 1 };
const FORMAT: Format = Format { kind: KIND, tag: 9 };

fn sample(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|place| (place * 31 + place / 251 + seed) as u8).collect()
}

fn put<S: PageStore>(store: &S, len: usize, seed: usize) -> Result<ItemRef, Error> {
    write(store, FORMAT, ItemPointer::new(1, seed as u16), &sample(len, seed))
}

fn get<S: PageStore>(store: &S, head: ItemRef) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match read(store, FORMAT, head, &mut out).unwrap() {
        Fetched::Whole => Some(out),
        Fetched::Gone => None,
    }
}

/// Every chunk in the store, with what is behind it.
fn chunks<S: PageStore>(store: &S) -> Vec<(ItemRef, Option<ItemRef>)> {
    let mut chunks = Vec::new();
    for block in 0..store.len() {
        let page = store.read(block).unwrap();
        if page.is_new() {
            continue;
        }
        for item in page.view(KIND).unwrap().items() {
            let (no, item) = item.unwrap();
            let chunk = Chunk::parse(item, FORMAT.tag).unwrap().unwrap();
            chunks.push((ItemRef::new(ItemPointer::new(block, no), chunk.generation), chunk.next));
        }
    }
    chunks
}

/// Frees what no chain that begins at one of the heads contains, and answers how many chunks that were.
fn sweep<S: PageStore>(store: &S, heads: &[ItemRef]) -> usize {
    let all = chunks(store);
    let mut kept: HashSet<ItemRef> = heads.iter().copied().collect();
    while let Some(next) =
        all.iter().find_map(|(chunk, next)| next.filter(|next| kept.contains(chunk) && !kept.contains(next)))
    {
        kept.insert(next);
    }
    let orphans: Vec<_> =
        all.into_iter().map(|(chunk, _)| chunk).filter(|chunk| !kept.contains(chunk)).collect();
    for &orphan in &orphans {
        free_chunk(store, FORMAT, orphan).unwrap();
    }
    orphans.len()
}

#[test]
fn a_crash_while_writing_leaves_orphans_only() {
    let store = MemStore::logged();
    let first = put(&store, 30_000, 1).unwrap();
    let before = store.records();
    let second = put(&store, 50_000, 2).unwrap();
    let chunks_of_second = 50_000usize.div_ceil(payload::CHUNK_BYTES);
    assert_eq!(store.records(), before + chunks_of_second, "a record for each chunk");
    for count in before..=store.records() {
        let crashed = store.replay(count);
        assert_eq!(get(&crashed, first), Some(sample(30_000, 1)));
        if count == store.records() {
            assert_eq!(get(&crashed, second), Some(sample(50_000, 2)));
        }
        // Nobody can hold a reference to the second before it is whole.
        let orphans = sweep(&crashed, &[first]);
        assert_eq!(orphans, count - before);
        assert_eq!(get(&crashed, first), Some(sample(30_000, 1)));
        assert_eq!(chunks(&crashed).len(), 30_000usize.div_ceil(payload::CHUNK_BYTES));
        // What they took is used again, and what they were is not mistaken for what comes.
        let len = crashed.len();
        let third = put(&crashed, (count - before) * 7000, 3).unwrap();
        assert!(crashed.len() <= len.max(1) || count == before);
        assert_eq!(get(&crashed, third), Some(sample((count - before) * 7000, 3)));
        assert_eq!(get(&crashed, first), Some(sample(30_000, 1)));
    }
}

#[test]
fn a_crash_at_any_record_of_freeing_leaves_a_payload_gone_or_whole() {
    let store = MemStore::logged();
    let kept = put(&store, 20_000, 1).unwrap();
    let freed = put(&store, 40_000, 2).unwrap();
    let before = store.records();
    free(&store, FORMAT, freed).unwrap();
    for count in before..=store.records() {
        let crashed = store.replay(count);
        assert_eq!(get(&crashed, freed), (count == before).then(|| sample(40_000, 2)));
        assert_eq!(get(&crashed, kept), Some(sample(20_000, 1)));
        sweep(&crashed, &[kept]);
        assert_eq!(get(&crashed, kept), Some(sample(20_000, 1)));
        assert_eq!(chunks(&crashed).len(), 3);
    }
}

#[test]
fn a_failure_at_any_operation_does_no_harm() {
    /// Writes two payloads and frees the first; `whole` holds those that must be readable.
    fn run(store: &FaultStore<MemStore>, whole: &mut Vec<(ItemRef, Vec<u8>)>) -> Result<(), Error> {
        for (seed, len) in [(1, 20_000), (2, 9_000)] {
            whole.push((put(store, len, seed)?, sample(len, seed)));
        }
        let (first, _) = whole.remove(0);
        free(store, FORMAT, first)
    }
    let store = FaultStore::new(MemStore::new());
    run(&store, &mut Vec::new()).unwrap();
    let operations = store.operations();
    assert!(operations > 20, "{operations}");
    for operation in 0..operations {
        let store = FaultStore::new(MemStore::new());
        store.fail_at(Some(operation));
        let mut whole = Vec::new();
        assert_eq!(run(&store, &mut whole), Err(Error::Injected), "operation {operation}");
        store.fail_at(None);
        for (head, bytes) in &whole {
            assert_eq!(get(&store, *head).as_ref(), Some(bytes), "operation {operation}");
        }
        let heads: Vec<_> = whole.iter().map(|&(head, _)| head).collect();
        sweep(&store, &heads);
        for (head, bytes) in &whole {
            assert_eq!(get(&store, *head).as_ref(), Some(bytes), "operation {operation}");
        }
        sweep(&store, &[]);
        assert!(chunks(&store).is_empty());
        let head = put(&store, 20_000, 5).unwrap();
        assert_eq!(get(&store, head), Some(sample(20_000, 5)));
    }
}

#[test]
fn the_space_of_freed_payloads_is_used_again() {
    let store = MemStore::new();
    for round in 0..50 {
        let head = put(&store, 60_000, round).unwrap();
        assert_eq!(get(&store, head), Some(sample(60_000, round)));
        free(&store, FORMAT, head).unwrap();
        store.tick();
    }
    assert!(store.len() < 20, "{} pages for one payload at a time", store.len());
    // A snapshot holds back the numbers, not the bytes.
    let _snapshot = store.snapshot();
    for round in 0..10 {
        let head = put(&store, 60_000, round).unwrap();
        free(&store, FORMAT, head).unwrap();
    }
    assert!(store.len() < 30, "{} pages for one payload at a time", store.len());
}

/// Damages the item of a reference.
fn damage(store: &MemStore, place: ItemRef, change: impl FnOnce(&mut [u8])) {
    let mut txn = store.begin();
    let slot = txn.lock(place.pointer.block()).unwrap();
    change(txn.page_mut(slot).item_mut(place.pointer.no()).unwrap().unwrap());
    txn.commit().unwrap();
}

fn corrupt_block(store: &MemStore, head: ItemRef) -> BlockNo {
    match read(store, FORMAT, head, &mut Vec::new()) {
        Err(Error::Corrupt { block, .. }) => block,
        other => panic!("damage goes unnoticed: {other:?}"),
    }
}

#[test]
fn damaged_chains_are_found_out() {
    let make = || {
        let store = MemStore::new();
        let head = put(&store, 30_000, 1).unwrap();
        let page = store.read(head.pointer.block()).unwrap();
        let item = page.view(KIND).unwrap().item(head.pointer.no()).unwrap();
        let second = Chunk::parse(item, FORMAT.tag).unwrap().unwrap().next.unwrap();
        drop(page);
        (store, head, second)
    };
    // `left` of the second chunk, which then holds more or less than the first says.
    let (store, head, second) = make();
    damage(&store, second, |item| item[12] ^= 1);
    assert_eq!(corrupt_block(&store, head), second.pointer.block());
    // The first says that it is not.
    let (store, head, _) = make();
    damage(&store, head, |item| item[1] = 0);
    assert_eq!(corrupt_block(&store, head), head.pointer.block());
    // A length beyond every payload.
    let (store, head, _) = make();
    damage(&store, head, |item| item[15] = 0xFF);
    assert_eq!(corrupt_block(&store, head), head.pointer.block());
    // A chain that turns back on itself.
    let (store, head, second) = make();
    let itself = zerocopy::IntoBytes::as_bytes(&second).to_vec();
    damage(&store, second, |item| item[16..26].copy_from_slice(&itself));
    assert_eq!(corrupt_block(&store, head), second.pointer.block());
    // A next chunk beyond the end of the store.
    let (store, head, second) = make();
    damage(&store, second, |item| item[16..20].copy_from_slice(&999u32.to_le_bytes()));
    assert_eq!(corrupt_block(&store, head), 999);
}

#[test]
fn parts_can_be_placed_by_the_caller() {
    let bytes = sample(20_000, 1);
    let (mut pages, mut next) = (Vec::<Box<Page>>::new(), ItemRef::NONE);
    let store = MemStore::new();
    for part in payload::parts(&bytes).unwrap() {
        let mut page = Page::zeroed();
        page.init(KIND);
        let placed = part.add_to(&mut page, pages.len() as u32, FORMAT, ItemPointer::NONE, next, store.now());
        next = placed.unwrap().unwrap();
        pages.push(page);
    }
    let mut bulk = store.bulk().unwrap();
    for page in &pages {
        kite_pages::BulkWriter::append(&mut bulk, page).unwrap();
    }
    drop(bulk);
    assert_eq!(get(&store, next), Some(bytes));
}
