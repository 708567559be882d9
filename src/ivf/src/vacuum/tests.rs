use crate::testing::{built, kinds, number, options, recall, rows, tid, values};
use crate::{Codes, Index, Options, Order, Payload, ScanOptions, VacuumOptions};
use kite_codecs::{Metric, OwnedValue, VectorType};
use kite_pages::{FaultStore, MemStore, PageStore};

const DIMS: usize = 24;

fn everything() -> ScanOptions {
    ScanOptions { order: Order::Relaxed, ..ScanOptions::default() }
}

fn found(index: &mut Index<'_, impl PageStore>, query: &OwnedValue) -> Vec<usize> {
    let mut found: Vec<usize> =
        rows(index, query, everything(), usize::MAX).iter().map(|row| number(row.tid)).collect();
    found.sort_unstable();
    found
}

fn vacuum<S: PageStore>(index: &mut Index<'_, S>, dead: impl Fn(usize) -> bool) -> crate::VacuumStats {
    index.vacuum(&VacuumOptions::default(), &mut |tid| dead(number(tid))).unwrap()
}

#[test]
fn dead_rows_go_and_all_others_stay() {
    let data = values(VectorType::Vector, 1500, DIMS, 1);
    for (codes, payload) in kinds() {
        let store = MemStore::new();
        let mut index = built(&store, &options(Metric::L2, codes, payload, DIMS), &data[..1000]);
        for (n, value) in data.iter().enumerate().skip(1000) {
            index.insert(tid(n), value.as_ref()).unwrap();
        }
        for share in [5, 2] {
            vacuum(&mut index, |n| n % share == 0);
            store.tick();
            index.cleanup(&VacuumOptions::default()).unwrap();
            let report = index.check().unwrap();
            assert!(report.is_clean() && report.gone == 0 && report.waiting == 0, "{report:?}");
        }
        let left: Vec<usize> = (0..1500).filter(|n| n % 5 != 0 && n % 2 != 0).collect();
        assert_eq!(found(&mut index, &data[3]), left, "{codes:?} {payload:?}");
        let info = index.info().unwrap();
        assert_eq!((info.rows, info.waiting_blocks), (left.len() as u64, 0));
        assert!(index.is_tidy().unwrap());
    }
}

/// More entries than are asked about together, in blocks that do not end where a batch does.
#[test]
fn of_many_rows_each_is_asked_about_once() {
    let data = values(VectorType::Vector, 20_000, 4, 21);
    let store = MemStore::new();
    let options = Options { lists: 3, ..options(Metric::L2, Codes::RabitQ { bits: 1 }, Payload::Sq8, 4) };
    let mut index = built(&store, &options, &data[..18_000]);
    for (n, value) in data.iter().enumerate().skip(18_000) {
        index.insert(tid(n), value.as_ref()).unwrap();
    }
    let mut asked = Vec::new();
    let stats = index
        .vacuum(&VacuumOptions::default(), &mut |tid| {
            asked.push(number(tid));
            number(tid) % 5 == 1
        })
        .unwrap();
    asked.sort_unstable();
    assert_eq!(asked, (0..20_000).collect::<Vec<_>>());
    assert_eq!((stats.rows, stats.dead_rows), (16_000, 4_000));
    let report = index.check().unwrap();
    assert!(report.is_clean() && report.gone == 0, "{report:?}");
    let left: Vec<usize> = (0..20_000).filter(|n| n % 5 != 1).collect();
    assert_eq!(found(&mut index, &data[3]), left);
}

#[test]
fn recall_stays() {
    let data = values(VectorType::Vector, 2000, DIMS, 3);
    let queries = values(VectorType::Vector, 20, DIMS, 3);
    let store = MemStore::new();
    let options = options(Metric::Cosine, Codes::RabitQ { bits: 1 }, Payload::Sq8, DIMS);
    let mut index = built(&store, &options, &data);
    let some = ScanOptions { probes: 3, ..ScanOptions::default() };
    let before = recall(&mut index, &data, &queries, some, 10);
    // The first half is what stays, so that it is all of what exact search looks at.
    vacuum(&mut index, |n| n >= 1000);
    let after = recall(&mut index, &data[..1000], &queries, some, 10);
    assert!(after > before - 0.05, "{before} {after}");
}

#[test]
fn without_dead_rows_nothing_is_written_and_all_are_asked_about() {
    let data = values(VectorType::Vector, 500, DIMS, 5);
    let store = MemStore::logged();
    let mut index = built(&store, &options(Metric::L2, Codes::RabitQ { bits: 1 }, Payload::Sq8, DIMS), &data);
    for (n, value) in data.iter().enumerate() {
        index.insert(tid(500 + n), value.as_ref()).unwrap();
    }
    let (records, mut asked) = (store.records(), Vec::new());
    let stats = index
        .vacuum(&VacuumOptions::default(), &mut |tid| {
            asked.push(number(tid));
            false
        })
        .unwrap();
    asked.sort_unstable();
    assert_eq!(asked, (0..1000).collect::<Vec<_>>());
    assert_eq!((store.records(), stats.rows, stats.dead_rows), (records, 1000, 0));
}

/// A fifth of the rows, in every list.
fn fifth(n: usize) -> usize {
    n / 20 % 5
}

/// Rows with codes, a fifth of which is dead, and then another fifth; in between the TIDs of the first belong to other rows.
#[test]
fn room_of_rows_is_given_back_when_many_are_gone() {
    let data = values(VectorType::Vector, 2400, DIMS, 15);
    let store = MemStore::new();
    let options = options(Metric::L2, Codes::RabitQ { bits: 1 }, Payload::Sq8, DIMS);
    let mut index = built(&store, &options, &data[..2000]);
    let first = vacuum(&mut index, |n| fifth(n) == 0);
    assert_eq!(first.dead_rows, 400);
    assert!(first.freed_rows < 100, "{first:?}");
    assert_eq!(index.info().unwrap().row_items, 2000 - first.freed_rows);
    assert_eq!(found(&mut index, &data[3]), (0..2000).filter(|&n| fifth(n) != 0).collect::<Vec<_>>());
    store.tick();
    for (n, value) in (0..2000).filter(|&n| fifth(n) == 0).zip(&data[2000..]) {
        index.insert(tid(n), value.as_ref()).unwrap();
    }
    assert!(index.check().unwrap().is_clean());
    store.tick();
    let second = vacuum(&mut index, |n| fifth(n) == 1);
    assert!(second.dead_rows == 400 && second.freed_rows > 500, "{second:?}");
    let report = index.check().unwrap();
    assert!(report.is_clean() && report.gone == 0, "{report:?}");
    let info = index.info().unwrap();
    assert_eq!((info.rows, info.row_items), (2000 - 400, 2400 - first.freed_rows - second.freed_rows));
    assert_eq!(found(&mut index, &data[3]), (0..2000).filter(|&n| fifth(n) != 1).collect::<Vec<_>>());
}

/// The same with a fault in the second vacuum. Rows then get TIDs of the first fifth, and items that have been freed: nothing that a
/// block still remembers may mean one of them.
#[test]
fn what_is_remembered_of_rows_never_means_others() {
    let data = values(VectorType::Vector, 400, DIMS, 17);
    let options = options(Metric::L2, Codes::RabitQ { bits: 1 }, Payload::Sq8, DIMS);
    let mut failed = 0;
    for operation in 0..200 {
        let store = FaultStore::new(MemStore::new());
        built(store.inner(), &options, &data);
        let mut index = Index::open(&store).unwrap();
        vacuum(&mut index, |n| fifth(n) == 0);
        store.fail_at(Some(operation));
        let outcome = index.vacuum(&VacuumOptions::default(), &mut |tid| fifth(number(tid)) == 1);
        store.fail_at(None);
        failed += usize::from(outcome.is_err());
        assert!(index.check().unwrap().is_clean());
        store.inner().tick();
        for n in (0..400).filter(|&n| fifth(n) == 0) {
            index.insert(tid(n), data[n].as_ref()).unwrap();
        }
        store.inner().tick();
        vacuum(&mut index, |n| fifth(n) == 1);
        let report = index.check().unwrap();
        assert!(report.is_clean() && report.gone == 0, "{operation} {report:?}");
        assert_eq!(found(&mut index, &data[1]), (0..400).filter(|&n| fifth(n) != 1).collect::<Vec<_>>());
    }
    assert!(failed > 50, "{failed}");
}

#[test]
fn space_is_used_again() {
    let data = values(VectorType::Vector, 3000, DIMS, 7);
    for (codes, payload) in [(Codes::RabitQ { bits: 1 }, Payload::Sq8), (Codes::None, Payload::Full)] {
        let store = MemStore::new();
        let mut index = built(&store, &options(Metric::L2, codes, payload, DIMS), &data);
        let pages = store.len();
        let mut next = 3000;
        for round in 0..6 {
            let begin = next - 3000;
            // Every second row of those that are left, so that no page is emptied by itself.
            vacuum(&mut index, |n| n >= begin && (n / 2 + round) % 2 == 0 && n % 2 == round % 2);
            store.tick();
            index.cleanup(&VacuumOptions::default()).unwrap();
            let free = 3000 - index.info().unwrap().rows as usize;
            for n in next..next + free {
                index.insert(tid(n), data[n % 3000].as_ref()).unwrap();
            }
            next += free;
            store.tick();
        }
        assert!(index.check().unwrap().is_clean());
        assert!(store.len() < pages + pages / 2 + 8, "{} of {pages}", store.len());
    }
}

/// A scan that was on its way through blocks before they were replaced sees every row once, and blocks wait for it.
#[test]
fn scans_under_way_miss_nothing() {
    let data = values(VectorType::Vector, 2500, DIMS, 9);
    let store = MemStore::new();
    let options = Options { lists: 2, ..options(Metric::L2, Codes::None, Payload::Full, DIMS) };
    let mut index = built(&store, &options, &data);
    let snapshot = store.snapshot();
    let anchors = index.quantiser.anchors.clone();
    let shape = index.quantiser.shape;
    let (mut seen, mut visits) = (Vec::new(), 0);
    let mut vacuumed = false;
    for anchor in anchors {
        // Follows the first chain by hand, and vacuums when it has come to the middle.
        let mut at = {
            let page = store.read(anchor.block()).unwrap();
            let view = page.view(crate::format::BODY).unwrap();
            anchor.anchor(view).unwrap().unwrap().chains[0].some()
        };
        while let Some(link) = at {
            {
                let page = store.read(link.block()).unwrap();
                let view = page.view(crate::format::BODY).unwrap();
                let block = link.list_block(view, &shape).unwrap().expect("nothing is freed meanwhile");
                seen.extend(block.entries.tids.iter().map(|&tid| number(tid)));
                at = block.next();
            }
            visits += 1;
            if visits == 4 && !vacuumed {
                vacuumed = true;
                let stats = vacuum(&mut index, |n| n % 3 != 0);
                assert!(
                    stats.replaced > 4 && stats.waiting == stats.replaced && stats.freed == 0,
                    "{stats:?}"
                );
                store.tick();
                let stats = index.cleanup(&VacuumOptions::default()).unwrap();
                assert!(stats.waiting > 0 && stats.freed == 0, "{stats:?}");
            }
        }
    }
    seen.sort_unstable();
    let count = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), count);
    let alive: Vec<usize> = seen.into_iter().filter(|n| n % 3 == 0).collect();
    assert_eq!(alive, (0..2500).filter(|n| n % 3 == 0).collect::<Vec<_>>());
    drop(snapshot);
    store.tick();
    let stats = index.cleanup(&VacuumOptions::default()).unwrap();
    assert!(stats.freed > 4 && stats.waiting == 0 && index.is_tidy().unwrap(), "{stats:?}");
    assert!(index.check().unwrap().is_clean());
}

#[test]
fn chunks_of_inserts_that_failed_are_freed() {
    for codes in [Codes::None, Codes::RabitQ { bits: 1 }] {
        let data = values(VectorType::Vector, 12, 2500, 3);
        let store = FaultStore::new(MemStore::new());
        built(store.inner(), &options(Metric::L2, codes, Payload::Full, 2500), &data[..10]);
        let mut index = Index::open(&store).unwrap();
        for operation in 8..14 {
            store.fail_at(Some(operation));
            let _ = index.insert(tid(10), data[10].as_ref());
            store.fail_at(None);
        }
        store.inner().tick();
        let orphans = index.check().unwrap().orphans;
        assert!(orphans > 0);
        for memory in [64 << 20, 0] {
            index.cleanup(&VacuumOptions { memory }).unwrap();
        }
        let report = index.check().unwrap();
        assert!(report.is_clean() && report.orphans == 0, "{report:?}");
        vacuum(&mut index, |_| true);
        store.inner().tick();
        index.cleanup(&VacuumOptions::default()).unwrap();
        let info = index.info().unwrap();
        assert_eq!((info.rows, info.chunks, info.row_items), (0, 0, 0));
    }
}

/// Whichever operation of the store fails in a vacuum, the next one goes on.
#[test]
fn a_vacuum_that_fails_is_gone_on_with() {
    let data = values(VectorType::Vector, 400, DIMS, 11);
    for (codes, payload) in [(Codes::RabitQ { bits: 1 }, Payload::Sq8), (Codes::None, Payload::Full)] {
        let options = Options { lists: 3, ..options(Metric::L2, codes, payload, DIMS) };
        let left: Vec<usize> = (0..400).filter(|n| n % 3 != 0).collect();
        for operation in (0..500).step_by(9) {
            let store = FaultStore::new(MemStore::new());
            built(store.inner(), &options, &data);
            let mut index = Index::open(&store).unwrap();
            store.fail_at(Some(operation));
            let first = index.vacuum(&VacuumOptions::default(), &mut |tid| number(tid).is_multiple_of(3));
            store.fail_at(None);
            assert!(index.check().unwrap().is_clean());
            if first.is_err() {
                vacuum(&mut index, |n| n % 3 == 0);
            }
            store.inner().tick();
            index.cleanup(&VacuumOptions::default()).unwrap();
            assert!(index.check().unwrap().is_clean());
            assert_eq!(found(&mut index, &data[1]), left);
        }
    }
}

#[test]
fn an_interrupt_ends_it() {
    let data = values(VectorType::Vector, 300, DIMS, 13);
    let store = MemStore::new();
    let mut index = built(&store, &options(Metric::L2, Codes::None, Payload::Full, DIMS), &data);
    store.interrupt(true);
    assert!(index.vacuum(&VacuumOptions::default(), &mut |_| true).is_err());
    assert!(index.cleanup(&VacuumOptions::default()).is_err());
    store.interrupt(false);
    assert_eq!(vacuum(&mut index, |_| true).dead_rows, 300);
}
