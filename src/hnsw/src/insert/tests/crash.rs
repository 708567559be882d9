//! Crashes after every record, and failures of every operation.

use super::walk::walk;
use super::{DIMS, found, insert, options};
use crate::testing::{spec, tid, vectors};
use crate::{Error, Index};
use kite_codecs::{Metric, PayloadKind, Spec, Value};
use kite_pages::{FaultStore, MemStore};

/// Few dimensions and links, so that lists soon fill, grow and move.
fn small(payload: PayloadKind, code_bits: u8) -> Spec {
    spec(Metric::L2, payload, code_bits, DIMS)
}

/// Wherever the log ends, the index answers with all rows whose insert had ended, and takes further ones.
#[test]
fn every_record_may_be_the_last() {
    let data = vectors(260, DIMS, 11);
    let store = MemStore::logged();
    let mut index = Index::create(&store, &options(small(PayloadKind::Sq8, 1))).unwrap();
    let mut done = Vec::new();
    for (n, vector) in data.iter().enumerate() {
        // Some rows have vectors that others have too.
        let vector = if n % 5 == 0 { &data[n / 10] } else { vector };
        index.insert(tid(n), Value::F32(vector)).unwrap();
        if n == 200 {
            index.learn().unwrap();
        }
        done.push(store.records());
    }
    let mut whole = 0;
    for records in 1..=store.records() {
        while done.get(whole).is_some_and(|&end| end <= records) {
            whole += 1;
        }
        // Every crash point around the frame and at the end, and a part of the others.
        if records % 7 != 0 && !(195..205).contains(&whole) {
            continue;
        }
        let crashed = store.replay(records);
        let mut index = Index::open(&crashed).unwrap();
        let before = walk(&index);
        for n in 0..whole {
            assert!(
                before.rows.contains(&tid(n)) && !before.unreached.contains(&tid(n)),
                "{records}: row {n}"
            );
        }
        assert!(before.rows.len() <= whole + 1, "{records}: rows from nowhere");
        insert(&mut index, 1000, &data[whole.saturating_sub(1)..(whole + 1).min(data.len())]);
        let after = walk(&index);
        assert!(!after.unreached.contains(&tid(1000)), "{records}: the row inserted again");
        assert!(found(&mut index, &data[whole.saturating_sub(1)], 20).contains(&1000), "{records}");
    }
}

/// A failure anywhere leaves what a crash may leave, and the same index goes on.
#[test]
fn every_operation_may_fail() {
    let data = vectors(60, DIMS, 12);
    let options = options(small(PayloadKind::Full, 0));
    let mut failures = 0;
    for operation in (0..).step_by(31) {
        let store = FaultStore::new(MemStore::new());
        let mut index = Index::create(&store, &options).unwrap();
        insert(&mut index, 0, &data[..30]);
        store.fail_at(Some(operation));
        let mut whole = Vec::new();
        let mut failed = None;
        for (n, vector) in (30..).zip(&data[30..]) {
            let vector = if n % 4 == 0 { &data[3] } else { vector };
            match index.insert(tid(n), Value::F32(vector)) {
                Ok(true) => whole.push(tid(n)),
                Err(Error::Pages(kite_pages::Error::Injected)) => failed = Some(n),
                other => panic!("{other:?}"),
            }
        }
        let Some(failed) = failed else { break };
        failures += 1;
        let walk = walk(&Index::open(&store).unwrap());
        for row in whole {
            assert!(walk.rows.contains(&row) && !walk.unreached.contains(&row), "operation {operation}");
        }
        assert!(walk.rows.len() + 1 >= data.len(), "operation {operation}: more than row {failed} is lost");
    }
    assert!(failures > 50);
}

/// Long work ends when the user asks for it, and leaves nothing locked.
#[test]
fn an_insert_can_be_interrupted() {
    let data = vectors(40, DIMS, 13);
    let store = MemStore::new();
    let mut index = Index::create(&store, &options(small(PayloadKind::Sq8, 0))).unwrap();
    insert(&mut index, 0, &data[..20]);
    store.interrupt(true);
    let interrupted = index.insert(tid(20), Value::F32(&data[20]));
    assert_eq!(interrupted, Err(Error::Pages(kite_pages::Error::Interrupted)));
    store.interrupt(false);
    insert(&mut index, 21, &data[21..]);
    assert_eq!(walk(&index).unreached, []);
}
