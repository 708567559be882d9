//! Searches end to end, held against exact answers.

use super::contest::Searching;
use super::flat::Flat;
use super::index::{AMPLE, Kind};
use super::kite::Kite;
use super::layout::Layout;
use super::link::{Building, linked};
use super::pgvector::{Pages, Pgvector};
use super::set::Set;
use super::{insert, vacuum};
use crate::clock::Clock;
use crate::data::{Dataset, Filter, Source, Truth};
use kite_codecs::PayloadKind;
use kite_pages::MemStore;

const M: usize = 8;

fn with_set(source: &str, test: impl FnOnce(&Set<'_>)) {
    let data: Dataset = source.parse::<Source>().unwrap().open().unwrap();
    let truth = Truth::compute(&data, data.metric(), 10, None, &|_, _| ()).unwrap();
    test(&Set::read(&data, 10, 100, truth).unwrap());
}

fn building() -> Building {
    Building { m: M, ef_construction: 40, threads: 2 }
}

fn answers(layout: &mut dyn Layout, set: &Set<'_>, ef: usize) -> Vec<Vec<i64>> {
    (0..set.queries.len())
        .map(|query| {
            let mut found = Vec::new();
            layout.search(query, ef, &mut found).unwrap();
            found
        })
        .collect()
}

#[test]
fn arrays_and_pages_of_the_same_graph_give_the_same_answers() {
    for source in ["generated:2kx48,queries=100", "generated:1kx40,queries=50,metric=l2"] {
        with_set(source, |set| {
            let (graph, _) = linked(set, &building()).unwrap();
            let pages = Pages::write(set, &graph, M).unwrap();
            let mut recalls = Vec::new();
            for ef in [10, 80] {
                let flat = answers(&mut Flat::new(set, &graph, M), set, ef);
                for together in [1, 3, 8] {
                    let mut paged = Pgvector::new(set, &pages, together);
                    assert_eq!(answers(&mut paged, set, ef), flat, "{source} {ef} {together}");
                }
                recalls.push(set.quality(flat, &set.truth).unwrap().recall);
            }
            assert!(recalls[0] < recalls[1] && recalls[1] > 0.98, "{source} {recalls:?}");
        });
    }
}

#[test]
fn pages_of_kite_hnsw_find_what_exact_search_finds() {
    for (source, payload, codes) in [
        ("generated:2kx48,queries=100", PayloadKind::Sq8, 2),
        ("generated:1kx48,queries=50,metric=l2", PayloadKind::Half, 1),
        ("generated:1kx40,queries=50,metric=ip", PayloadKind::Full, 0),
    ] {
        with_set(source, |set| {
            let store = MemStore::new();
            let kind = Kind { payload, codes };
            let built = kind.build(set, 0..set.rows.len(), &building(), AMPLE, &store).unwrap();
            assert_eq!((built.rows as usize, built.parts), (set.rows.len(), 1));
            for width in [1, 4] {
                let mut kite = Kite::open(set, &store, width).unwrap();
                kite.take_reads();
                let recalls = [10, 80].map(|ef| {
                    let found = answers(&mut kite, set, ef);
                    assert!(found.iter().all(|rows| rows.len() == 10));
                    set.quality(found, &set.truth).unwrap().recall
                });
                let what = format!("{source} {payload} {codes} {width}: {recalls:?}");
                assert!(recalls[0] < recalls[1] && recalls[1] > 0.95, "{what}");
                // Both searches for a query expand ten vertices at least.
                assert!(kite.take_reads() > set.queries.len() as u64 * 20, "{what}");
            }
        });
    }
}

fn small() -> Kind {
    Kind { payload: PayloadKind::Sq8, codes: 2 }
}

#[test]
fn what_is_deleted_and_vacuumed_makes_room_and_costs_no_recall() {
    with_set("generated:2kx48,queries=100", |set| {
        let stay = Filter::rows_where(set.data, "left".into(), |row| !vacuum::deleted(row));
        let left = Truth::compute(set.data, set.data.metric(), 10, Some(&stay), &|_, _| ()).unwrap();
        let store = MemStore::new();
        small().build(set, 0..set.rows.len(), &building(), AMPLE, &store).unwrap();
        let searching = Searching { ef: vec![40], repeats: 1, chunk: 10, clock: Clock::Wall };
        let upkeep = vacuum::upkeep(set, &store, 4, &left, &searching).unwrap();
        let gone = (0..set.rows.len()).filter(|&row| vacuum::deleted(row)).count() as u64;
        assert_eq!((upkeep.stats.dead_rows, upkeep.stats.rows), (gone, 2000 - gone));
        assert!(upkeep.stats.lists_repaired > 500, "{:?}", upkeep.stats);
        // A row that was deleted would not pass the filter of `left`, which is an error.
        let recalls = [&upkeep.before, &upkeep.after].map(|asked| asked[0].recall);
        assert!(recalls[0] > 0.95 && recalls[1] > recalls[0] - 0.02, "{recalls:?}");
        let [before, after, refilled] = upkeep.bytes;
        assert!(after < before * 3 / 2 && refilled < before * 3 / 2, "{:?}", upkeep.bytes);
        let refilled = insert::recall(set, &set.truth, &store, 4).unwrap();
        assert!(refilled > recalls[0] - 0.03, "{refilled}");
    });
}

#[test]
fn rows_of_several_writers_are_found() {
    with_set("generated:2kx48,queries=100", |set| {
        let store = MemStore::new();
        small().build(set, 0..1000, &building(), AMPLE, &store).unwrap();
        let before = insert::recall(set, &set.truth, &store, 4).unwrap();
        insert::insert(set, 1000..2000, &store, 2).unwrap();
        let after = insert::recall(set, &set.truth, &store, 4).unwrap();
        assert!(before < 0.7 && after > 0.93, "{before} {after}");
    });
}
