use crate::format::BODY;
use crate::testing::{built, options, values};
use crate::{Codes, Index, Payload, ScanOptions};
use kite_codecs::{Metric, VectorType};
use kite_pages::{MemStore, PageStore, PageTxn};

const DIMS: usize = 16;

/// Whatever is damaged, nothing panics or goes on for ever, and most of it is found.
#[test]
fn damage_is_found_or_harmless() {
    let data = values(VectorType::Vector, 400, DIMS, 1);
    let mut rng = fastrand::Rng::with_seed(3);
    for (codes, payload) in
        [(Codes::RabitQ { bits: 1 }, Payload::Sq8), (Codes::None, Payload::Full), (Codes::Sq8, Payload::Half)]
    {
        let sound = MemStore::logged();
        built(&sound, &options(Metric::L2, codes, payload, DIMS), &data);
        let mut found = 0;
        for _ in 0..150 {
            let store = sound.replay(sound.records());
            let block = rng.u32(..store.len());
            let mut txn = store.begin();
            let slot = txn.lock(block).unwrap();
            let page = txn.page_mut(slot);
            // Not the header, which a store looks at when it commits.
            for _ in 0..rng.usize(1..40) {
                let at = rng.usize(200..8176);
                page.bytes_mut()[at] = rng.u8(..);
            }
            txn.commit().unwrap();
            let Ok(mut index) = Index::open(&store) else {
                found += 1;
                continue;
            };
            let report = index.check().unwrap();
            found += usize::from(!report.is_clean());
            let options = ScanOptions { probes: 4, ..ScanOptions::default() };
            if let Ok(mut scan) = index.scan(Some(data[0].as_ref()), options) {
                while let Ok(Some(_)) = scan.next_row() {}
            }
            let _ = index.info();
            let _ = index.vacuum(&crate::VacuumOptions::default(), &mut |tid| tid.no() % 2 == 0);
            let _ = index.insert(crate::testing::tid(900), data[0].as_ref());
        }
        assert!(found > 20, "{codes:?} {payload:?}: {found}");
    }
}

#[test]
fn what_no_list_leads_to_is_found() {
    let data = values(VectorType::Vector, 100, DIMS, 1);
    let store = MemStore::new();
    let mut index = built(&store, &options(Metric::L2, Codes::RabitQ { bits: 1 }, Payload::Sq8, DIMS), &data);
    assert!(index.check().unwrap().is_clean());
    let anchor = index.quantiser.anchors[0];
    let mut txn = store.begin();
    let slot = txn.lock(anchor.block()).unwrap();
    crate::insert::change_anchor(&mut txn, slot, anchor, |anchor| {
        anchor.chains[0] = crate::format::Link::NONE;
    })
    .unwrap();
    txn.commit().unwrap();
    let report = index.check().unwrap();
    let what: Vec<&str> = report.problems.iter().map(|problem| problem.what.as_str()).collect();
    assert!(
        what.contains(&"no list leads to a block") && what.contains(&"no list leads to a row"),
        "{what:?}"
    );
    assert!(report.rows < 100);
    let page = store.read(anchor.block()).unwrap();
    assert!(page.view(BODY).is_ok());
}
