//! What limits a scan.

use super::*;
use crate::Options;
use crate::testing::{built, spec, vectors};
use kite_codecs::{Metric, PayloadKind};
use kite_pages::MemStore;

#[test]
fn what_was_found_counts_towards_memory() {
    let store = MemStore::new();
    let spec = spec(Metric::L2, PayloadKind::Sq8, 0, 8);
    let data = vectors(700, 8, 21);
    let mut index = built(&store, &Options { spec, m: 8, ef_construction: 40, seed: 3 }, &data);
    let mut scan_all = |memory| {
        let options = ScanOptions { ef: 10, order: Order::Relaxed, memory, ..ScanOptions::default() };
        let mut scan = index.scan(Some(Value::F32(&data[0])), options).unwrap();
        while scan.next_row().unwrap().is_some() {}
        (scan.visits(), scan.beam.bytes(), scan.found.bytes())
    };
    let (visits, searching, found) = scan_all(usize::MAX);
    assert!(visits >= 700 && found >= 700 * size_of::<ItemPointer>(), "{visits} {found}");
    // Enough for the search alone, so that it would go as far as before.
    let (less, _, _) = scan_all(searching + found / 2);
    assert!(less < visits, "{less} of {visits}");
}

#[test]
fn a_limit_is_told_of_whatever_may_come_after_the_first_rows() {
    let store = MemStore::new();
    let spec = spec(Metric::L2, PayloadKind::Sq8, 0, 8);
    let data = vectors(700, 8, 21);
    let mut index = built(&store, &Options { spec, m: 8, ef_construction: 40, seed: 3 }, &data);
    for order in [Order::Off, Order::Relaxed, Order::Strict] {
        let options = ScanOptions { ef: 10, order, max_visits: 200, ..ScanOptions::default() };
        let mut scan = index.scan(Some(Value::F32(&data[0])), options).unwrap();
        assert!(scan.next_row_if(|_| Ok(false)).unwrap().is_none());
        assert_eq!(scan.ended_by(), Some(Limit::Visits), "{order:?}");
    }
}
